# SPDX-License-Identifier: BSD-2-Clause
"""A farm and what befalls it: the daemons, their proxies, a database and its standby."""

import os
import pathlib
import shutil
import tempfile
import threading
import time

from harness import sanitizers
from harness.postgres import Host, Postgres
from harness.proxy import Proxy

from . import farm_schedule as schedule
from .farm_changes import Changes
from .history import History
from .wallclock import WallClock

HEALED_WITHIN = 30
SKEWS = (0, 3, -4, 1, -1)  # seconds that the hosts' clocks are off
ASAN = "detect_stack_use_after_return=1:quarantine_size_mb=16"


class Chaos:
    def __init__(self, seed, seconds, count, folder):
        self.seed, self.seconds = seed, seconds
        self.dir = pathlib.Path(folder)
        self.history = History()
        self.servers = 0
        self.primary = Postgres(self.dir / "postgres0").start()
        done = self.primary.init()
        assert done.returncode == 0, done.stderr
        self.replication = Proxy(self.primary.port)
        self.standby = self.new_standby()
        self.proxies = [Proxy(self.primary.port) for _ in range(count)]
        self.hosts = [Host(self.dir, f"mx{i + 1}", self.primary.connection(port=p.port))
                      for i, p in enumerate(self.proxies)]  # fmt: skip
        self.lives = [0] * count  # raised with each start and each kill
        self.skews = [SKEWS[i % len(SKEWS)] for i in range(count)]
        for host, skew in zip(self.hosts, self.skews):
            clock = WallClock(host.dir)
            clock.jump(skew)
            host.env = {"ASAN_OPTIONS": ASAN, **clock.environment()}
        self.ending = threading.Event()
        self.changes = Changes(self)

    # --- the database ---

    def new_standby(self):
        self.servers += 1
        return Postgres(self.dir / f"postgres{self.servers}", standby_of=self.replication.port).start()

    def turn(self, mask=None):
        """The hosts of the mask, or all, to the database that is the primary now."""
        for i, proxy in enumerate(self.proxies):
            if mask is None or mask >> i & 1:
                proxy.turn_to(self.primary.port)

    def follow_new(self, old):
        """Gives the new primary a standby in the place of the one that it was."""
        self.replication.turn_to(self.primary.port)
        self.replication.heal()
        shutil.rmtree(old.dir, ignore_errors=True)
        self.standby = self.new_standby()

    def database_fault(self, what, length, mask):
        server = self.primary
        if what == "kill":
            server.kill()
            self.ending.wait(length)
            server.start()
        elif what == "restart":
            server.stop("fast" if mask & 1 else "immediate")
            self.ending.wait(length)
            server.start()
        elif what == "freeze":
            server.freeze()
            self.ending.wait(length)
            server.thaw()
        elif what == "empty":
            server.empty()
        else:
            self.replication.cut()  # from now on changes are lost by the failover
            self.ending.wait(length)
            old, self.primary = server, self.standby
            if what == "failover":
                old.kill()
                self.primary.promote()
            else:  # two primaries for a while
                self.primary.promote()
                self.turn(mask)
                self.ending.wait(length)
                old.kill()
            self.turn()
            self.follow_new(old)

    # --- hosts ---

    def host_fault(self, what, length, index, delay):
        host, proxy = self.hosts[index], self.proxies[index]
        if what in ("kill-host", "stop-host"):
            self.end_host(index, kill=what == "kill-host")
            self.ending.wait(length)
            self.start_host(index)
        elif what == "drop":
            proxy.drop()
        else:
            if what == "delay":
                proxy.delay_s = delay
            else:
                {"cut": proxy.cut, "halve": proxy.halve}[what]()
            self.ending.wait(length)
            proxy.heal()
        return host

    def start_host(self, index):
        host = self.hosts[index]
        log = host.dir / "rblmilter.log"
        if log.exists():
            log.rename(host.dir / f"rblmilter-{self.lives[index]}.log")
        host.start()
        self.lives[index] += 1

    def end_host(self, index, kill):
        host = self.hosts[index]
        if host.daemon.process.poll() is not None:
            self.history.fail(f"{host.name} had ended by itself: {host.daemon.log.text()[-6000:]}")
        self.lives[index] += 1
        host.daemon.kill() if kill else host.daemon.terminate()
        text, status = host.daemon.log.text(), host.daemon.process.returncode
        if sanitizers.reports(text) or status != (-9 if kill else 0):
            self.history.fail(f"{host.name} ended with {status}: {text[-6000:]}")

    # --- the run ---

    def follow(self, events, act):
        start = time.monotonic()
        for at, what, length, *more in events:
            if self.ending.wait(max(0, start + at - time.monotonic())):
                return
            self.history.note(f"fault: {what} for {length:.1f} s {more}")
            self.history.count(what)
            try:
                act(what, length, *more)
            except Exception as error:  # the test's own failure, not to be taken for a good run
                self.history.fail(f"{what} cannot be done: {error!r} {getattr(error, 'stderr', '')}")
                return
            self.history.note(f"fault: {what} is over")

    def run(self):
        for i in range(len(self.hosts)):
            self.start_host(i)
        for host in self.hosts:
            host.wait_sync()
        count = len(self.hosts)
        faults = [threading.Thread(target=self.follow, args=a, daemon=True) for a in (
            (schedule.of_database(self.seed, self.seconds, count), self.database_fault),
            (schedule.of_hosts(self.seed, self.seconds, count), self.host_fault))]  # fmt: skip
        workers = self.changes.threads()
        for thread in (*faults, *workers):
            thread.start()
        self.ending.wait(self.seconds)
        self.ending.set()
        for thread in (*faults, *workers):  # each fault ends healed
            thread.join(120)
            if thread.is_alive():
                self.history.fail(f"{thread.name} does not end")
        for proxy in self.proxies:
            proxy.heal()
        self.history.note("healed")
        self.changes.wait_right(time.monotonic() + HEALED_WITHIN)
        for i in range(count):
            self.end_host(i, kill=False)

    def end(self):
        for host in self.hosts:
            if host.daemon is not None and not host.daemon.stopped:
                host.daemon.kill()
        for server in (self.primary, self.standby):
            server.thaw()
            server.stop("immediate")


def run(seed, seconds, hosts, keep):
    folder = tempfile.mkdtemp(prefix="rblmilter-farm-chaos-")
    os.chmod(folder, 0o755)
    chaos = Chaos(seed, seconds, hosts, folder)
    try:
        chaos.run()
    except Exception as error:  # the history says more than a trace alone
        chaos.history.fail(f"the run itself ended: {error!r}")
    finally:
        chaos.ending.set()
        chaos.end()
    chaos.history.show()
    print(", ".join(f"{what} {n}" for what, n in sorted(chaos.history.counts.items())))
    if chaos.history.failures or keep:
        print(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return not chaos.history.failures
