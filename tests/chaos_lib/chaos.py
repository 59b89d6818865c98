# SPDX-License-Identifier: BSD-2-Clause
"""One run: starts everything, lets it loose, and sums up."""

import asyncio
import os
import pathlib
import tempfile
import time

from harness import sanitizers
from harness.daemon import Daemon
from harness.dns import NameServer
from harness.ports import free_port

from . import schedule
from . import world as w
from .changes import Changes, Control
from .history import History
from .limits import Limits
from .oracle import Oracle
from .sessions import Client
from .wallclock import WallClock

CLIENTS = 16


class Chaos:
    def __init__(self, seed, seconds, folder):
        self.seed, self.seconds = seed, seconds
        self.dir = pathlib.Path(folder)
        self.history = History()
        self.world = w.World()
        self.oracle = Oracle(self.world, self.history)
        self.port = free_port()
        self.socket = f"inet:{self.port}@127.0.0.1"
        self.changes = Changes(seed, f"{folder}/control.sock", self.oracle, self.history)
        self.admin = Control(f"{folder}/control.sock")
        self.lists_admin = Control(f"{folder}/control.sock")
        self.limits = Limits(self)
        self.wall_clock = WallClock(folder)
        self.servers = {}
        self.daemon = None
        self.variant = "all"
        self.starts = 0
        self.ends_allowed = True  # entries with an end
        self.ending = False

    # --- the name servers ---

    def start_servers(self):
        for one in self.world.lists:
            place = self.dir / one.name
            place.mkdir()
            self.servers[one.name] = NameServer(place, one.rules("none"))

    async def fault(self, name, kind):
        one, server = self.world.by_name[name], self.servers[name]
        self.history.note(f"fault: list {name} is now: {kind}")
        self.history.count("faults")
        self.oracle.fault_begins(name, kind, time.monotonic())
        if kind == "down":
            server.down()
        else:
            server.rules(one.rules(kind))

    async def well(self, name, kind):
        one, server = self.world.by_name[name], self.servers[name]
        if kind == "down":
            server.up()
        else:
            server.rules(one.rules("none"))
        self.oracle.fault_ends(name, time.monotonic())
        self.history.note(f"fault: list {name} is well again (was: {kind})")

    # --- the daemon ---

    def conf(self, variant):
        servers = {name: server.address for name, server in self.servers.items()}
        return w.variant_conf(self.world, variant, self.dir, self.socket, servers)

    async def start_daemon(self):
        """Up when it accepts; whoever asks a moment before may be served already."""
        self.oracle.running.begin(time.monotonic(), "up")
        env = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:quarantine_size_mb=16",
               **self.wall_clock.environment()}
        if (self.dir / "rblmilter.log").exists():
            (self.dir / "rblmilter.log").rename(self.dir / f"rblmilter-{self.starts}.log")
        self.starts += 1
        self.daemon = Daemon(self.dir, self.conf(self.variant), self.socket, env=env)
        await asyncio.to_thread(self.daemon.wait_ready)
        self.oracle.running.set(time.monotonic(), "up")

    async def stop_daemon(self, how):
        self.history.note(f"daemon: {how}")
        self.history.count(how)
        self.oracle.running.begin(time.monotonic(), "down")
        self.admin.close()
        daemon = self.daemon
        if daemon.process.poll() is not None:
            self.history.fail(f"the daemon had ended by itself: {daemon.process.returncode}")
        await asyncio.to_thread(daemon.kill if how == "kill" else daemon.terminate)
        self.oracle.running.set(time.monotonic(), "down")
        self.check_log(daemon, -9 if how == "kill" else 0)

    def check_log(self, daemon, status):
        if sanitizers.reports(daemon.log.text()):
            self.history.fail("a sanitizer's report: " + daemon.log.text()[-6000:])
        if daemon.process.returncode != status:
            self.history.fail(f"the daemon ended with {daemon.process.returncode}: "
                              + daemon.log.text()[-6000:])

    def was_down(self, since):
        return "down" in self.oracle.running.between(since, time.monotonic())

    async def kill(self):
        await self.stop_daemon("kill")
        await self.start_daemon()
        self.history.note("daemon: accepts again")

    async def restart(self):
        await self.stop_daemon("restart")
        await self.start_daemon()
        self.history.note("daemon: accepts again")

    async def reload(self, variant):
        self.history.note(f"reload: {variant}")
        self.oracle.variant.begin(time.monotonic(), variant)
        self.variant = variant
        self.daemon.conf.write_text(self.conf(variant))
        answer = await self.admin.request(command="reload")
        self.oracle.variant.set(time.monotonic(), variant)
        if answer is None or not answer["ok"]:
            self.history.fail(f"reload of a good file: {answer}")
        self.history.note(f"reload: {variant} is in force")
        self.history.count("reloads")

    async def bad_reload(self, text):
        good = self.daemon.conf.read_text()
        self.daemon.conf.write_text(good + text + "\n")
        answer = await self.admin.request(command="reload")
        self.daemon.conf.write_text(good)
        if answer is None or answer["ok"] or answer["error"] != "refused":
            self.history.fail(f"reload of a bad file ({text}): {answer}")
        self.history.count("bad reloads")

    async def jump(self, seconds, pause, killed):
        """The wall clock jumps, perhaps with a start meanwhile, and jumps back. Nobody
        looks (reload) meanwhile: that would make the wrong time the right one."""
        # What is given an end under a wrong clock may end later. So there is none.
        self.ends_allowed = False
        await asyncio.sleep(1)  # one may be on its way
        await asyncio.sleep(self.changes.longest_end() - time.monotonic())
        self.history.note(f"clock: jumps by {seconds} s")
        self.history.count("jumps")
        self.oracle.clock.begin(time.monotonic(), "jumped")
        self.wall_clock.jump(seconds)
        await asyncio.sleep(pause)
        if killed:
            await self.kill()
            await asyncio.sleep(pause)
        self.wall_clock.jump(0)
        self.history.note("clock: jumps back")
        await asyncio.sleep(2)  # seen once a second
        self.ends_allowed = True
        self.oracle.clock.set(time.monotonic(), "right")

    async def suspend(self, name):
        await self.change_list(name, "suspend", True)

    async def resume(self, name):
        await self.change_list(name, "resume", False)

    async def change_list(self, name, action, suspended):
        """An admin's word holds from its acknowledgement on, over kills as well."""
        self.history.note(f"admin: {action} {name}")
        self.history.count(action)
        self.oracle.suspended[name].begin(time.monotonic(), suspended)
        answer = None
        while answer is None:  # the daemon may be killed meanwhile
            answer = await self.lists_admin.request(command="dnsbl-change", action=action,
                                                    list=name)
            await asyncio.sleep(0 if answer else 0.1)
        self.oracle.suspended[name].set(time.monotonic(), suspended)
        if not answer["ok"]:
            self.history.fail(f"{action} {name}: {answer}")

    async def count_queries(self):
        """Once a quarter of a second, what each name server has got."""
        files = {name: open(server.log, "rb") for name, server in self.servers.items()}
        got = dict.fromkeys(files, 0)
        while not self.ending:
            for name, file in files.items():
                got[name] += file.read().count(b" A ")
                self.oracle.server_got(name, time.monotonic(), got[name])
            await asyncio.sleep(0.25)
        for file in files.values():
            file.close()

    async def flush(self):
        if not (await self.admin.request(command="flush-cache") or {}).get("ok"):
            self.history.fail("flush-cache failed")

    # --- what the clients tell ---

    def verdict(self, message, kind, text, took):
        outcome = {"continue": "pass", "accept": "pass"}.get(kind)
        if kind == "y" or text:
            later = text.startswith("451 4.7.1 ")
            if "rbl blacklisted" in text or "using blocklist;" in text:
                outcome = "tempfail" if later else "block"
            else:
                outcome = "later" if later else "dns"
            if not later and not text.startswith("554 5.7.1 "):
                self.history.fail(f"{message} got {text!r}", message.mail_at)
        self.history.count("verdicts", f"verdict {outcome or kind}")
        self.history.note(f"session: {message} got {outcome or kind} {text}",
                          message.verdict_at)
        if outcome is None and self.was_down(message.mail_at):
            return  # the stop of the daemon tempfails
        self.limits.answered(message, took)
        self.oracle.judge(message, outcome or kind)

    async def connection_broke(self, why, since):
        """Only a daemon that ended may let a session down."""
        await asyncio.sleep(0.3)  # until what ended it is noted
        self.history.count("sessions broken")
        if self.was_down(since):
            return
        if "jumped" in self.oracle.clock.between(since, time.monotonic()):
            self.history.count("sessions closed by a jump")  # libmilter's own limit of idleness
        else:
            self.history.fail(f"a session was let down: {why}", since)
            await asyncio.sleep(0.5)

    # --- the run ---

    async def follow(self, events):
        """One after the other, each at its time or as soon as the one before is done."""
        actions = {"fault": self.fault, "well": self.well, "reload": self.reload,
                   "bad-reload": self.bad_reload, "jump": self.jump, "kill": self.kill,
                   "restart": self.restart, "flush": self.flush,
                   "suspend": self.suspend, "resume": self.resume}  # fmt: skip
        start = time.monotonic()
        for at, what, details in events:
            await asyncio.sleep(max(0, start + at - time.monotonic()))
            await actions[what](*details)

    async def follow_all(self):
        await asyncio.gather(self.follow(schedule.of_lists(self.seed, self.seconds)),
                             self.follow(schedule.of_daemon(self.seed, self.seconds)),
                             self.follow(schedule.of_admin(self.seed, self.seconds)),
                             asyncio.sleep(self.seconds))  # fmt: skip
        self.ending = True

    async def run(self):
        self.start_servers()
        await self.start_daemon()
        clients = [asyncio.create_task(Client(self, n).run()) for n in range(CLIENTS)]
        others = [asyncio.create_task(self.changes.run(self)),
                  asyncio.create_task(self.limits.run()),
                  asyncio.create_task(self.count_queries())]
        try:
            await self.follow_all()
            await asyncio.wait_for(asyncio.gather(*clients, *others), 60)
            await self.changes.compare_all()
            self.changes.control.close()
            self.admin.close()
            self.lists_admin.close()
            await self.stop_daemon("stop")
        finally:
            self.ending = True
            if not self.daemon.stopped:
                self.daemon.kill()
            for server in self.servers.values():
                server.stop()

    def summary(self):
        c = self.history.counts
        words = ["sessions", "hostile", "aborts", "verdicts", "verdict pass", "verdict block",
                 "verdict tempfail", "verdict dns", "verdict later", "refused by a lie", "faults", "suspend", "reloads", "bad reloads", "kill", "restart",
                 "jumps", "changes", "changes without an answer", "sessions broken",
                 "sessions closed by a jump", "checks", "certain", "excused by a stall"]  # fmt: skip
        return ", ".join(f"{word} {c[word]}" for word in words) + (
            f"; by one lie at most {self.oracle.most_victims()}; {self.limits}")


def run(seed, seconds, keep):
    folder = tempfile.mkdtemp(prefix="rblmilter-chaos-")
    os.chmod(folder, 0o755)
    chaos = Chaos(seed, seconds, folder)
    try:
        asyncio.run(chaos.run())
    except Exception as error:  # the history says more than a trace alone
        chaos.history.fail(f"the run itself ended: {error!r}")
    chaos.history.show()
    print(chaos.summary())
    if chaos.history.failures or keep:
        print(f"logs are in {folder}")
    else:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    return not chaos.history.failures
