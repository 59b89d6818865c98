# SPDX-License-Identifier: BSD-2-Clause
"""The admin: adds, allows, removes, and entries of a few seconds; and what is known of
each entry meanwhile. A change without an answer (the daemon was killed) may or may not
have been done: asked for as soon as the daemon is back, and it must be one of the two."""

import asyncio
import json
import random
import time

OF_A_SECOND = 1.3  # an end is right to the second


class Control:
    """One request at a time over the control socket; None where the daemon ended."""

    def __init__(self, path):
        self.path = path
        self.writer = None

    async def request(self, **request):
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_unix_connection(self.path)
            self.writer.write(json.dumps(request).encode() + b"\n")
            line = await asyncio.wait_for(self.reader.readline(), 20)
        except (OSError, asyncio.TimeoutError):
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            return None
        return json.loads(line)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.writer = None


class Changes:
    def __init__(self, seed, socket, oracle, history):
        self.rng = random.Random(f"changes {seed}")
        self.control = Control(socket)
        self.oracle = oracle
        self.history = history
        self.senders = [f"u{i}@people.example" for i in range(25)]
        self.domains = [f"d{i}.company.example" for i in range(12)]
        self.logins = [f"user:login{i}" for i in range(8)]
        self.networks = [f"203.0.113.{16 * i}/28" for i in range(8)]
        self.hosts = [f"host:h{i}.hosts.example" for i in range(8)]
        # an address within each domain: the more specific entry decides
        self.inner = [f"boss@{domain}" for domain in self.domains]
        self.all = (self.senders + self.domains + self.logins + self.networks + self.hosts
                    + self.inner)  # fmt: skip
        self.busy_until = {}  # an entry with an end is left alone until then

    # --- what clients say to be met by an entry, and by which, the most specific first ---

    def draw_sender(self, rng):
        """Of a message: sender, entries."""
        kind, number = rng.random(), rng.randrange(1000)
        if kind < 0.5:
            text = self.senders[number % len(self.senders)]
            return text, [text]
        if kind < 0.75:
            domain = self.domains[number % len(self.domains)]
            return f"x{number}@{'mail.' if number % 2 else ''}{domain}", [domain]
        inner = self.inner[number % len(self.inner)]
        return inner, [inner, inner.partition("@")[2]]

    def draw_host(self, rng, client):
        """Of a session: client, HELO, login, entries."""
        kind, number = rng.random(), rng.randrange(1000)
        if kind < 0.4:
            network = self.networks[number % len(self.networks)]
            first = int(network.partition("/")[0].rpartition(".")[2])
            return f"203.0.113.{first + number % 16}", "mx.example", "", [network]
        if kind < 0.7:
            host = self.hosts[number % len(self.hosts)]
            helo = ("a." if number % 2 else "") + host.partition(":")[2]
            return client, helo, "", [host]
        login = self.logins[number % len(self.logins)]
        return client, "mx.example", login.partition(":")[2], [login]

    # --- changes ---

    def longest_end(self):
        return max([time.monotonic(), *self.busy_until.values()]) + 1

    async def run(self, chaos):
        while not chaos.ending:
            entry = self.rng.choice(self.all)
            action = self.rng.choices(("add", "tempfail", "allow", "remove", "short"), (4, 2, 2, 3, 2))[0]
            seconds = self.rng.randrange(1, 5)
            if action == "short" and not chaos.ends_allowed:
                action = "add"
            pause = self.rng.uniform(0, 0.25)
            await self.change(chaos, entry, action, seconds)
            await asyncio.sleep(pause)
        self.control.close()

    async def change(self, chaos, entry, action, seconds):
        if time.monotonic() < self.busy_until.get(entry, 0):
            return
        timeline = self.oracle.entry(entry)
        old = timeline.states()
        if action in ("add", "tempfail", "short") and "allow" in old:
            action = "remove"  # an allow entry wins over it
        new = {"add": "block", "short": "block", "remove": "none"}.get(action, action)
        request = {"command": "add" if action == "short" else action, "entries": [entry],
                   "reason": "chaos"}  # fmt: skip
        if action == "short":
            request["expires_s"] = seconds
        sent = time.monotonic()
        timeline.begin(sent, new)
        answer = await self.control.request(**request)
        now = time.monotonic()
        if answer is None:
            await self.settle(chaos, entry, old | {new}, sent, seconds)
        elif answer["ok"]:
            self.acknowledged(entry, action, new, sent, now, seconds)
        elif answer["error"] == "no-entry" and action == "remove" and "none" in old:
            timeline.set(now, "none")
        else:
            self.history.fail(f"{action} {entry} (was {sorted(old)}): {answer}", sent)

    def acknowledged(self, entry, action, new, sent, now, seconds):
        self.history.count("changes")
        self.history.note(f"blocklist: {action} {entry}"
                          + (f" for {seconds} s" if action == "short" else ""), now)
        timeline = self.oracle.entry(entry)
        timeline.set(now, new)
        if action == "short":
            timeline.set(sent + seconds - OF_A_SECOND, new, "none")
            timeline.set(now + seconds + OF_A_SECOND, "none")
            self.busy_until[entry] = now + seconds + OF_A_SECOND

    async def settle(self, chaos, entry, possible, sent, seconds):
        """After a change without an answer."""
        answer = None
        while answer is None and not chaos.ending:
            await asyncio.sleep(0.05)
            answer = await self.control.request(command="show", entry=entry)
        if answer is None:
            return
        now = time.monotonic()
        rows = answer["rows"]
        state = {(): "none", ("block",): "block", ("tempfail",): "tempfail"}.get(
            tuple(sorted({row["action"] for row in rows})), "allow")
        self.history.count("changes without an answer")
        self.history.note(f"blocklist: {entry} had no answer, is {state}", now)
        ended = "none" == state and now > sent + seconds - OF_A_SECOND
        if state not in possible and not ended:
            self.history.fail(f"{entry} is {state}, can only be {sorted(possible)}", sent)
        timeline = self.oracle.entry(entry)
        timeline.set(now, state)
        if any(row["expires"] is not None for row in rows):
            timeline.set(now, state, "none")
            timeline.set(now + seconds + OF_A_SECOND, "none")
            self.busy_until[entry] = now + seconds + OF_A_SECOND

    async def compare_all(self):
        """At the end: each entry is as it is known to be."""
        now = time.monotonic()
        for entry in self.all:
            if now < self.busy_until.get(entry, 0) + 1:
                continue
            states = self.oracle.entry(entry).states()
            answer = await self.control.request(command="show", entry=entry)
            self.history.count("checks")
            if answer is None:
                self.history.fail(f"show {entry}: the daemon does not answer")
                return
            actions = {row["action"] for row in answer["rows"]} or {"none"}
            state = "allow" if "allow" in actions else actions.pop()
            if state not in states:
                self.history.fail(f"at the end {entry} is {state}, must be {sorted(states)}")
