# SPDX-License-Identifier: BSD-2-Clause
"""Kills the daemon again and again in the middle of changes, and looks each time at all
that it had acknowledged."""

import collections
import pathlib
import random
import shutil
import tempfile
import time

from harness.conf import conf_text
from harness.daemon import Daemon
from harness.milterclient import MilterClient
from harness.ports import free_port

from .stream import Connection, Stream

STREAMS = 2
CHANGES = 15  # at most so many are acknowledged before the kill
BAD_LOG = r"damaged|cannot be (read|changed)|AddressSanitizer|runtime error:"


class Kill9:
    def __init__(self, seed, folder):
        self.rng = random.Random(f"kills {seed}")
        self.dir = pathlib.Path(folder)
        self.control = self.dir / "control.sock"
        self.milter = f"inet:{free_port()}@127.0.0.1"
        self.conf = conf_text(folder, self.milter, log={"level": "warning"})
        self.streams = [Stream(n, random.Random(f"stream {n} {seed}")) for n in range(STREAMS)]
        self.counts = collections.Counter()
        self.failure = None

    def start(self):
        self.daemon = Daemon(self.dir, self.conf, self.milter).wait_ready()

    def kill_in_a_stream(self):
        until = self.acknowledged() + self.rng.randint(0, CHANGES)
        for stream in self.streams:
            stream.start(self.control)
        while self.acknowledged() < until and all(s.failure is None for s in self.streams):
            time.sleep(0.0005)
        time.sleep(self.rng.uniform(0, 0.003))  # in the middle of the next one
        if self.daemon.process.poll() is not None:
            self.failure = "the daemon had ended by itself"
        self.daemon.kill()
        for stream in self.streams:
            stream.join()
            self.failure = self.failure or stream.failure

    def acknowledged(self):
        return sum(stream.acknowledged for stream in self.streams)

    def listed(self):
        """entry -> {(action, source): reason}"""
        connection = Connection(self.control)
        found = collections.defaultdict(dict)
        request = {"command": "list", "limit": 200}
        while True:
            answer = connection.request(**request)
            for row in answer["rows"]:
                found[row["entry"]][row["action"], row["source"]] = row["reason"]
            if "cursor" not in answer:
                connection.close()
                return found
            request["cursor"] = answer["cursor"]

    def show(self, stream):
        """One entry by itself, which the list has told already."""
        entry = self.rng.choice(list(stream.mails))
        connection = Connection(self.control)
        answer = connection.request(command="show", entry=entry)
        connection.close()
        rows = {(row["action"], row["source"]): row["reason"] for row in answer["rows"]}
        if rows != stream.rows[entry]:
            self.failure = f"show {entry}: {rows}, listed is {stream.rows[entry]}"

    def send_mail(self, stream):
        known = [e for e in stream.mails if e not in (stream.open or {})]
        if not known:
            return  # a whole feed was under way
        entry = self.rng.choice(known)
        mail = stream.mails[entry]
        with MilterClient(self.milter) as client:
            client.negotiate().connect(mail["client"])
            client.helo(mail["helo"])
            login = {"{auth_authen}": mail["login"]} if mail["login"] else None
            client.mail(f"<{mail['sender']}>", macros=login)
            reply = client.rcpt()
        refused = "rbl blacklisted" in reply.text or "using blocklist;" in reply.text
        got = "block" if refused else "pass"
        self.counts[f"mail {got}"] += 1
        if got != stream.verdict(entry):
            self.failure = (f"mail to meet {entry} got {reply}, must be "
                            f"{stream.verdict(entry)}: {stream.rows[entry]}")  # fmt: skip

    def check(self):
        self.send_mail(self.streams[0])  # before anything else asks
        found = self.listed()
        for stream in self.streams:
            outcome = stream.settle(found)
            self.failure = self.failure or stream.failure
            self.counts[f"open {outcome}"] += outcome != ""
        strange = set(found).difference(*(stream.mails for stream in self.streams))
        if strange:
            self.failure = f"listed, and never added: {sorted(strange)}"
        for stream in self.streams:
            self.show(stream)
            self.send_mail(stream)
        if self.daemon.log.matching(BAD_LOG):
            self.failure = "the log: " + self.daemon.log.text()

    def run(self, times):
        self.start()
        try:
            while self.counts["kills"] < times and self.failure is None:
                self.kill_in_a_stream()
                self.counts["kills"] += 1
                if self.failure is None:
                    self.start()
                    self.check()
        finally:
            if not self.daemon.stopped:
                self.daemon.terminate()
        self.daemon.check_clean(-9 if self.failure else 0)

    def summary(self):
        c = self.counts
        rows = sum(len(rows) for stream in self.streams for rows in stream.rows.values())
        return (f"{c['kills']} kills, {self.acknowledged()} changes acknowledged; under way at a kill: "
                f"{c['open there']} there, {c['open not there']} not; mail {c['mail block']} "
                f"refused, {c['mail pass']} passed; {rows} rows at the end")


def run(seed, times):
    """Returns (failure or None, a line that sums up)."""
    folder = tempfile.mkdtemp(prefix="rblmilter-kill9-")
    kill9 = Kill9(seed, folder)
    try:
        kill9.run(times)
    except Exception as error:  # what was done so far is worth knowing
        kill9.failure = kill9.failure or f"the run itself ended: {error!r}"
    if kill9.failure is None:
        shutil.rmtree(folder, ignore_errors=True)
        return None, kill9.summary()
    return f"{kill9.failure}\nthe folder is kept: {folder}", kill9.summary()
