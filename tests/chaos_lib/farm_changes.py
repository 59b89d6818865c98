# SPDX-License-Identifier: BSD-2-Clause
"""Changes on all hosts at once, over their control sockets, and what must have come of them."""

import itertools
import json
import random
import socket
import threading
import time

from .farm_oracle import KEYS, OF_A_SECOND, REMOVED, SOURCES, Contested, Owned, Row, side_of

WORKERS = 2  # per host
OWNED, CONTESTED, FEED = 40, 6, 150
PATIENCE_S = 30


class Line:
    """One request at a time over a control socket; None where the daemon ended."""

    def __init__(self, path):
        self.path, self.sock, self.life = path, None, 0

    def __call__(self, **request):
        try:
            if self.sock is None:
                self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.sock.settimeout(PATIENCE_S)
                self.sock.connect(str(self.path))
                self.file = self.sock.makefile("rb")
            self.sock.sendall(json.dumps(request).encode() + b"\n")
            line = self.file.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            return None
        return json.loads(line)

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None


def rows_of(answer):
    return {(r["source"], side_of(r["action"])): (r["action"], r["reason"]) for r in answer["rows"]}


class Changes:
    def __init__(self, chaos):
        self.chaos, self.history = chaos, chaos.history
        hosts = len(chaos.hosts)
        self.owned = [Owned(f"u{i}@people.example", i % hosts) for i in range(OWNED)]
        self.contested = [Contested(f"c{i}@people.example", hosts) for i in range(CONTESTED)]
        self.feeds = [[{}] for _ in range(hosts)]  # what each host's feed may be
        self.tags = itertools.count(1)

    def threads(self):
        return [threading.Thread(target=target, args=(host, n), daemon=True, name=f"{target.__name__} {host}")
                for host in range(len(self.chaos.hosts))
                for target, n in [*((self.work, n) for n in range(WORKERS)), (self.work_feed, 0)]]  # fmt: skip

    def ask(self, line, host, **request):
        """Only a daemon that ended meanwhile may give no answer."""
        life = self.chaos.lives[host]
        if line.life != life:
            line.close()  # it was to an earlier one
        line.life = life
        answer = line(**request)
        if answer is None and self.chaos.lives[host] == life and life % 2 == 1:
            time.sleep(0.5)  # until what ended it is noted
            if self.chaos.lives[host] == life:
                self.history.fail(f"mx{host + 1} gave no answer to {request}")
        return answer

    # --- single entries ---

    def work(self, host, number):
        rng = random.Random(f"changes {self.chaos.seed} {host} {number}")
        line = Line(self.chaos.hosts[host].rblctl.socket)
        while not self.chaos.ending.is_set():
            if rng.random() < 0.15:
                entry = rng.choice(self.contested)
                with entry.locks[host]:
                    self.contest(rng, line, host, entry)
            else:
                entry = rng.choice(self.owned)
                if entry.lock.acquire(blocking=False):
                    try:
                        self.change_owned(rng, line, host, entry)
                    finally:
                        entry.lock.release()
            self.chaos.ending.wait(rng.uniform(0, 0.2))
        line.close()

    def look(self, line, host, name):
        """Rows, and between when they were so; or None."""
        since = time.monotonic()
        answer = self.ask(line, host, command="show", entry=name)
        if answer is None:
            time.sleep(0.1)
            return None
        return rows_of(answer), since, time.monotonic()

    def change_owned(self, rng, line, host, entry):
        if entry.owner != host and not entry.may_pass_on():
            return
        seen = self.look(line, host, entry.name)
        if seen is None:
            return
        rows, since, until = seen
        if entry.owner != host:
            row = entry.states[0][entry.last]
            if rows.get(entry.last) != (row.action, row.tag):
                return  # not arrived yet
            self.history.count("passed on")
            self.history.note(f"blocklist: {entry.name} passes from mx{entry.owner + 1} to mx{host + 1}")
            skew = self.chaos.skews
            entry.pass_on(host, skew[entry.owner] - skew[host])
        elif not entry.seen(rows, since, until):
            self.history.fail(f"mx{host + 1} shows {entry.name} as {rows}, must be {entry.expected()}", since,
                              about=[entry.name])  # fmt: skip
            return
        self.do_owned(rng, line, host, entry)

    def do_owned(self, rng, line, host, entry):
        kind = rng.choices(("add", "tempfail", "allow", "short", "remove", "remove-from"), (4, 2, 2, 2, 2, 2))[0]
        source, seconds = rng.choice(SOURCES), rng.randrange(1, 6)
        since = time.monotonic()
        if kind in ("remove", "remove-from"):
            source = source if kind == "remove-from" else None
            answer, tag = self.remove(line, host, entry.name, source)
            row = None
        else:
            answer, action, tag = self.add(line, host, entry.name, kind, source, seconds)
            ends = (since + seconds - OF_A_SECOND, time.monotonic() + seconds + OF_A_SECOND) if kind == "short" else None
            row = Row(action, tag, ends)
        if answer is not None and not answer["ok"]:
            if answer["error"] != "no-entry":
                self.history.fail(f"{kind} {entry.name} on mx{host + 1}: {answer}")
            return
        self.note(host, entry.name, kind, source, tag, answer)
        entry.change(source, row, answer is not None)

    def contest(self, rng, line, host, entry):
        kind = rng.choices(("add", "tempfail", "allow", "remove", "remove-from"), (4, 2, 2, 1, 2))[0]
        source = rng.choice(SOURCES)
        if kind in ("remove", "remove-from"):
            source = source if kind == "remove-from" else None
            answer, tag = self.remove(line, host, entry.name, source)
            keys, word = [k for k in KEYS if source in (None, k[0])], REMOVED
        else:
            answer, action, tag = self.add(line, host, entry.name, kind, source, 0)
            keys, word = [(source, side_of(action))], (action, tag)
        if answer is not None and not answer["ok"]:
            if answer["error"] != "no-entry":
                self.history.fail(f"{kind} {entry.name} on mx{host + 1}: {answer}")
            return
        self.note(host, entry.name, kind, source, tag, answer)
        entry.change(host, keys, word, answer is not None)

    def add(self, line, host, name, kind, source, seconds):
        action = {"add": "block", "short": "block"}.get(kind, kind)
        tag = f"t{next(self.tags)}"
        request = {"command": "add" if kind == "short" else kind, "entries": [name], "reason": tag, "source": source}
        if kind == "short":
            request["expires_s"] = seconds
        return self.ask(line, host, **request), action, tag

    def remove(self, line, host, name, source):
        tag = f"t{next(self.tags)}"
        more = {} if source is None else {"source": source}
        return self.ask(line, host, command="remove", entries=[name], reason=tag, **more), tag

    def note(self, host, name, kind, source, tag, answer):
        self.history.count("changes" if answer is not None else "changes without an answer")
        self.history.note(f"blocklist: {name} mx{host + 1} {kind} {source} {tag}"
                          + ("" if answer is not None else " without an answer")
                          + (f" {answer['farm']}" if answer is not None and "farm" in answer else ""))  # fmt: skip

    # --- a feed of each host's own ---

    def work_feed(self, host, _number):
        rng = random.Random(f"feed {self.chaos.seed} {host}")
        line = Line(self.chaos.hosts[host].rblctl.socket)
        while not self.chaos.ending.wait(rng.uniform(1, 4)):
            tag, rows = f"t{next(self.tags)}", {}
            for i in rng.sample(range(FEED), rng.randrange(1, FEED)):
                rows[f"f{i}.feed{host}.example"] = ("block", tag if rng.random() < 0.3 else "as before")
            self.ask(line, host, command="import-begin", source=f"feed{host}", replace=True, force=True)
            self.ask(line, host, command="import-rows", rows=[{"entry": e, "reason": r[1]} for e, r in rows.items()])
            answer = self.ask(line, host, command="import-commit")
            if answer is not None and not answer["ok"]:
                if self.chaos.lives[host] % 2 == 0 or answer["error"] == "usage":
                    continue  # begun before a kill, or not at all
                self.history.fail(f"import on mx{host + 1}: {answer}")
            self.feeds[host] = [rows] if answer is not None else [*self.feeds[host], rows]
            self.history.count("imports" if answer is not None else "imports without an answer")
            self.history.note(f"blocklist: feed{host} mx{host + 1} {len(rows)} rows {tag}"
                              + ("" if answer is not None else " without an answer"))  # fmt: skip
        line.close()

    # --- at the end ---

    def all_of(self, host):
        """{entry: {(source, side): (action, reason)}}"""
        found = {}
        for r in host.rblctl("list", "--json").json["entries"]:
            found.setdefault(r["entry"], {})[r["source"], side_of(r["action"])] = (r["action"], r["reason"])
        return found

    def wrong(self, host, listed):
        """What is not as it must be on that host, as (entry, why)."""
        wrong, now = [], time.monotonic()
        for entry in (*self.owned, *self.contested):
            rows = listed.pop(entry.name, {})
            if not entry.fits_at_end(rows, now):
                wrong.append((entry.name, f"{host.name} has {rows}, must have {entry.expected()}"))
        for number, possible in enumerate(self.feeds):
            source = f"feed{number}"
            rows = {e: r[source, "block"] for e, r in listed.items() if (source, "block") in r}
            for entry in rows:
                listed.pop(entry)
            if rows not in possible:
                odd = {e for p in possible[:1] for e in p.keys() | rows.keys() if p.get(e) != rows.get(e)}
                wrong.append((source, f"{host.name} has {len(rows)} rows, of which these are wrong: "
                              f"{ {e: rows.get(e) for e in sorted(odd)[:10]} }"))  # fmt: skip
        wrong += [(entry, f"{host.name} has {rows} out of nowhere") for entry, rows in listed.items()]
        return wrong

    def wait_right(self, deadline):
        """All hosts have the same, which is right, and nothing waits."""
        began, hosts = time.monotonic(), self.chaos.hosts
        while True:
            listed = [self.all_of(host) for host in hosts]
            equal = all(one == listed[0] for one in listed)
            wrong = [w for host, one in zip(hosts, listed) for w in self.wrong(host, dict(one))]
            idle = all(host.in_sync() for host in hosts)
            if equal and idle and not wrong:
                break
            if time.monotonic() > deadline:
                for entry, why in wrong:
                    self.history.fail(f"{entry}: {why}", began, about=[entry])
                if not equal:
                    self.history.fail("the hosts differ: " + self.difference(listed))
                if not idle:
                    self.history.fail(f"not in sync: {[host.status() for host in hosts]}")
                return
            time.sleep(0.3)
        self.history.note("all as it must be")
        print(f"farm-chaos: all hosts equal {time.monotonic() - began:.1f} s after all was healed")
        for host in hosts:
            compared = host.rblctl("farm", "compare", "--json")
            if compared.status != 0:
                self.history.fail(f"farm compare on {host.name} finds a difference: {compared}")

    def difference(self, listed):
        entries = {e for one in listed for e in one if any(o.get(e) != one[e] for o in listed)}
        return str({e: [one.get(e) for one in listed] for e in sorted(entries)[:20]})
