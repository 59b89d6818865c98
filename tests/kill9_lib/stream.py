# SPDX-License-Identifier: BSD-2-Clause
"""A stream of changes over one connection of the control socket, and what must be listed
after them. A change that was under way when the daemon was killed is kept as `open`: it
must then be there whole, or not at all."""

import json
import socket
import threading

KINDS = 5


def entry_of(number, stream):
    """The entry and how a mail meets it: sender, client, HELO, login."""
    mail = {"sender": "s@fine.example", "client": "192.0.2.99", "helo": "mx.fine.example",
            "login": None}  # fmt: skip
    kind, n = number % KINDS, number // KINDS
    if kind == 0:
        return (sender := f"u{n}@s{stream}.example"), {**mail, "sender": sender}
    if kind == 1:
        return (name := f"d{n}.t{stream}.example"), {**mail, "sender": f"x@mail.{name}"}
    if kind == 2:
        net = f"203.0.{100 + stream}.{4 * n}"
        return f"{net}/30", {**mail, "client": net[: net.rindex(".") + 1] + str(4 * n + 3)}
    if kind == 3:
        return f"host:h{n}.u{stream}.example", {**mail, "helo": f"a.h{n}.u{stream}.example"}
    return f"user:login{n}-{stream}", {**mail, "login": f"login{n}-{stream}"}


class Gone(Exception):
    """The daemon ended before it answered."""


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")

    def request(self, **request):
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            line = self.lines.readline()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error
        if not line.endswith(b"\n"):
            raise Gone
        return json.loads(line)

    def close(self):
        self.lines.close()
        self.socket.close()


class Stream:
    """rows: entry -> {(action, source): reason}, as far as it is acknowledged."""

    def __init__(self, number, rng, entries=100):
        self.rng = rng
        self.source = f"by-hand-{number}"
        self.feed = f"feed-{number}"
        self.mails = dict(entry_of(i, number) for i in range(entries))
        self.rows = {entry: {} for entry in self.mails}
        self.open = None  # rows as they will be, of the change under way
        self.acknowledged = 0
        self.failure = None

    def start(self, path):
        """From the call on, changes are made until the daemon is gone."""
        connection = Connection(path)
        self.thread = threading.Thread(target=self.run, args=(connection,), daemon=True)
        self.thread.start()

    def join(self):
        self.thread.join(30)
        if self.thread.is_alive():
            self.failure = "no end of the connection after the kill"

    def run(self, connection):
        try:
            while self.failure is None:
                self.rng.choices((self.add, self.allow, self.remove, self.import_rows),
                                 (5, 2, 4, 2))[0](connection)  # fmt: skip
        except Gone:
            pass
        except Exception as error:  # a thread's error would be lost
            self.failure = repr(error)
        finally:
            connection.close()

    def draw(self, most):
        return self.rng.sample(list(self.mails), self.rng.choice((1, 1, self.rng.randint(2, most))))

    def change(self, connection, after, **request):
        """after: the entries that it is about, as they will be."""
        self.open = after
        answer = connection.request(**request)
        if not answer["ok"]:
            self.failure = f"{request}: {answer}"
            return
        self.rows.update(after)
        self.open = None
        self.acknowledged += 1

    def put(self, connection, action, command):
        entries, reason = self.draw(8), self.reason()
        after = {e: {**self.rows[e], (action, self.source): reason} for e in entries}
        self.change(connection, after, command=command, entries=entries, reason=reason,
                    source=self.source)  # fmt: skip

    def add(self, connection):
        self.put(connection, "block", "add")

    def allow(self, connection):
        self.put(connection, "allow", "allow")

    def remove(self, connection):
        entries = [e for e in self.draw(8) if self.rows[e]]
        if entries:
            self.change(connection, {e: {} for e in entries}, command="remove",
                        entries=entries)  # fmt: skip

    def import_rows(self, connection):
        """As rblctl does it; with or without --replace. Before the commit is asked for
        nothing of it may be there."""
        entries = self.rng.sample(list(self.mails), self.rng.randint(5, 60))
        reason, replace = self.reason(), self.rng.random() < 0.5
        key = ("block", self.feed)
        after = {e: {**self.rows[e], key: reason} for e in entries}
        if replace:
            after.update({e: {k: v for k, v in rows.items() if k != key}
                          for e, rows in self.rows.items() if key in rows and e not in after})  # fmt: skip
        for request in ({"command": "import-begin", "source": self.feed, "reason": reason,
                         "replace": replace},
                        {"command": "import-rows", "rows": entries}):  # fmt: skip
            answer = connection.request(**request)
            if not answer["ok"] or answer.get("refused"):
                self.failure = f"{request}: {answer}"
                return
        self.change(connection, after, command="import-commit")

    def reason(self):
        return f"change {self.rng.randrange(1 << 60)}"

    # --- after the restart ---

    def settle(self, found):
        """found: entry -> rows as they are listed. Says which of the two the open change
        came to ("" where none was open), or sets failure."""
        found = {entry: found.get(entry, {}) for entry in self.mails}
        done = {**self.rows, **(self.open or {})}
        if found != self.rows and found != done:
            self.failure = "listed are not the acknowledged changes: " + "; ".join(
                f"{e} is {found[e]}, acknowledged {self.rows[e]}"
                + (f", open {self.open[e]}" if self.open and e in self.open else "")
                for e in self.mails
                if found[e] != self.rows[e] or found[e] != done[e])
        was_open, self.open = self.open is not None, None
        same = found == self.rows
        self.rows = found
        return "" if not was_open else "not there" if same else "there"

    def verdict(self, entry):
        actions = {action for action, _ in self.rows[entry]}
        return "pass" if not actions or "allow" in actions else "block"
