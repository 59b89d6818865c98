# SPDX-License-Identifier: BSD-2-Clause
"""The MTA's side of the milter protocol (version 6), byte by byte, so that a test can
also send what no MTA would. One MilterClient is one SMTP session."""

import socket
import struct

from .daemon import connect

# What we offer at negotiation: all actions and all steps that libmilter of sendmail
# 8.17 knows (libmilter/mfdef.h).
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF

# command: (flag "not sent", flag "no reply") in the negotiated steps
STEPS = {
    b"C": (0x1, 0x1000),
    b"H": (0x2, 0x2000),
    b"M": (0x4, 0x4000),
    b"R": (0x8, 0x8000),
    b"B": (0x10, 0x80000),
    b"L": (0x20, 0x80),
    b"N": (0x40, 0x40000),
    b"U": (0x100, 0x20000),
    b"T": (0x200, 0x10000),
}

FINAL = b"carytdsf4"  # replies that end a command
NAMES = {
    b"c": "continue", b"a": "accept", b"r": "reject", b"t": "tempfail", b"y": "reply",
    b"d": "discard", b"s": "skip", b"f": "connection-failure", b"4": "shutdown",
}  # fmt: skip


class MilterReply:
    """kind is a name of NAMES; text that of an SMTP reply; changes what came before the
    end of message's reply, as (code, data)."""

    def __init__(self, code, data, changes):
        self.kind = NAMES[code]
        self.text = data.rstrip(b"\0").decode("utf-8", "backslashreplace")
        self.changes = changes

    def __repr__(self):
        return f"<{self.kind} {self.text!r} {self.changes}>"

    def added_headers(self):
        """Headers added or inserted, as (name, value)."""
        found = []
        for code, data in self.changes:
            if code == b"i":
                data = data[4:]
            if code in (b"h", b"i"):
                name, value = data.split(b"\0")[:2]
                found.append((name.decode(), value.decode()))
        return found


class MilterClient:
    def __init__(self, milter_socket, timeout=20):
        self.sock = connect(milter_socket, timeout)
        self.sock.settimeout(timeout)
        self.steps = 0
        self.actions = 0
        self.symbols = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # --- bytes ---

    def send_raw(self, data):
        self.sock.sendall(data)

    def send(self, command, data=b""):
        self.send_raw(struct.pack(">I", len(data) + 1) + command + data)

    def read(self):
        """One packet as (code, data); (b"", b"") at the end of the connection."""
        head = self._exactly(4)
        if head is None:
            return b"", b""
        (length,) = struct.unpack(">I", head)
        body = self._exactly(length)
        return (body[:1], body[1:]) if body else (b"", b"")

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self.sock.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        return data

    def closed_by_peer(self):
        """Reads to the end of the connection; False if it stays open."""
        try:
            while self.sock.recv(4096):
                pass
            return True
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    def read_reply(self):
        changes = []
        while True:
            code, data = self.read()
            if code == b"":
                raise ConnectionError("the milter closed the connection")
            if code in NAMES and code in FINAL:
                return MilterReply(code, data, changes)
            if code != b"p":
                changes.append((code, data))

    # --- the protocol's commands ---

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.send(b"O", struct.pack(">III", version, actions, steps))
        code, data = self.read()
        if code != b"O":
            raise ConnectionError(f"no negotiation: {code!r}")
        _, self.actions, self.steps = struct.unpack(">III", data[:12])
        self._read_symbols(data[12:])
        return self

    def _read_symbols(self, data):
        while len(data) >= 5:
            (stage,) = struct.unpack(">I", data[:4])
            names, _, data = data[4:].partition(b"\0")
            self.symbols[stage] = names.decode()

    def command(self, command, data=b"", macros=None):
        """Sends a command unless the daemon asked not to see it; its reply, or None
        where none comes."""
        not_sent, no_reply = STEPS.get(command, (0, 0))
        if self.steps & not_sent:
            return None
        if macros:
            self.macros(command, macros)
        self.send(command, data)
        if self.steps & no_reply:
            return None
        return self.read_reply()

    def macros(self, command, macros):
        data = b"".join(
            k.encode() + b"\0" + v.encode("utf-8", "surrogateescape") + b"\0"
            for k, v in macros.items()
        )
        self.send(b"D", command + data)

    def connect(self, addr="192.0.2.99", host=None, port=25252, macros=None):
        """addr None: an unknown family, as Postfix says ADDR=[UNAVAILABLE]."""
        name = host or f"[{addr}]"
        data = name.encode() + b"\0"
        if addr is None:
            data += b"U"
        elif addr.startswith("/"):
            data += b"L" + struct.pack(">H", 0) + addr.encode() + b"\0"
        else:
            family = b"6" if ":" in addr else b"4"
            data += family + struct.pack(">H", port) + addr.encode() + b"\0"
        default = {"{client_addr}": addr or "", "{client_name}": host or "unknown"}
        return self.command(b"C", data, default if macros is None else macros)

    def helo(self, name="client.example"):
        return self.command(b"H", as_bytes(name) + b"\0")

    def mail(self, sender="<sender@sender.example>", *parameters, macros=None):
        words = [sender, *parameters]
        return self.command(b"M", b"".join(as_bytes(w) + b"\0" for w in words), macros)

    def rcpt(self, recipient="<d@e.f>", *parameters, macros=None):
        words = [recipient, *parameters]
        return self.command(b"R", b"".join(as_bytes(w) + b"\0" for w in words), macros)

    def data(self):
        return self.command(b"T")

    def header(self, name, value):
        return self.command(b"L", as_bytes(name) + b"\0" + as_bytes(value) + b"\0")

    def end_of_headers(self):
        return self.command(b"N")

    def body(self, text="Hello\r\n"):
        return self.command(b"B", as_bytes(text))

    def end_of_message(self, macros=None):
        return self.command(b"E", b"", macros)

    def abort(self):
        self.send(b"A")

    def quit(self):
        self.send(b"Q")
        self.close()

    def envelope(self, addr="192.0.2.99", host=None, helo="client.example",
                 sender="<sender@sender.example>", recipient="<d@e.f>"):  # fmt: skip
        """The way of a mail to its first recipient: the first reply that is not
        "continue", or the last."""
        steps = (
            lambda: self.connect(addr, host),
            lambda: self.helo(helo),
            lambda: self.mail(sender),
            lambda: self.rcpt(recipient),
        )
        reply = None
        for step in steps:
            reply = step() or reply
            if reply is not None and reply.kind != "continue":
                break
        return reply


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
