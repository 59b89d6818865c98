# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon may take: time for an answer, memory, descriptors, threads. And how
late the machine itself is, which excuses some of it."""

import asyncio
import os
import time

from . import world as w

MORE_MB = 300  # than after the warm-up (the sanitizers keep a lot)
THREADS = 150
DESCRIPTORS = 400
STALL = 0.1
EVERY = 0.05
SLACK = 1.5


class Limits:
    def __init__(self, chaos):
        self.chaos = chaos
        self.longest = 0
        self.first_mb = {}  # pid -> resident memory after its warm-up
        self.most_mb = self.most_fds = self.most_threads = 0

    def __str__(self):
        return (f"longest wait {self.longest:.2f} s, at most {self.most_mb} MB, "
                f"{self.most_fds} descriptors, {self.most_threads} threads")

    def answered(self, message, took):
        self.longest = max(self.longest, took)
        late = took - w.DEADLINE - SLACK
        if late > 0 and not self.chaos.oracle.stalled(message.connect_at, message.verdict_at):
            self.chaos.history.fail(f"{message} waited {took:.2f} s", message.mail_at)

    async def run(self):
        """A heart that beats; where it stops, the machine had no time for us."""
        count = 0
        while not self.chaos.ending:
            before = time.monotonic()
            await asyncio.sleep(EVERY)
            now = time.monotonic()
            if now - before > EVERY + STALL:
                self.chaos.oracle.stalls.append((before - 0.5, now + 0.5))
                self.chaos.history.note(f"the machine stalled for {now - before:.2f} s", now)
            count += 1
            if count % 20 == 0:
                self.look()

    def look(self):
        daemon = self.chaos.daemon
        if daemon is None or daemon.stopped:
            return
        try:
            with open(f"/proc/{daemon.pid}/status") as f:
                status = dict(line.split(":", 1) for line in f)
            fds = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        except OSError:
            return
        if "VmRSS" not in status:
            return
        mb, threads = int(status["VmRSS"].split()[0]) // 1024, int(status["Threads"])
        self.most_mb, self.most_fds = max(self.most_mb, mb), max(self.most_fds, fds)
        self.most_threads = max(self.most_threads, threads)
        first = self.first_mb.setdefault(daemon.pid, mb)
        if mb > first + MORE_MB or fds > DESCRIPTORS or threads > THREADS:
            self.chaos.history.fail(f"the daemon has {mb} MB (first {first}), {fds} "
                                    f"descriptors, {threads} threads")
