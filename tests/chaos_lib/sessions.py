# SPDX-License-Identifier: BSD-2-Clause
"""The clients: milter sessions as an MTA would have them, and some as none would."""

import asyncio
import random
import struct
import time

from harness.milterclient import ALL_ACTIONS, ALL_STEPS, FINAL, NAMES, STEPS

from . import world as w

SLACK = 2.0  # of a busy machine, beyond the deadline of a verdict
SLOW = 0.15  # share of sessions that dawdle
HOSTILE = 0.06


class Broken(Exception):
    """The connection ended, or nothing came in time."""


class Session:
    """The MTA's side, as harness/milterclient.py's, for many at once."""

    def __init__(self, port):
        self.port = port

    async def open(self):
        try:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.send(b"O", struct.pack(">III", 6, ALL_ACTIONS, ALL_STEPS))
            code, data = await self.read(10)
        except OSError as error:
            raise Broken(str(error)) from error
        if code != b"O":
            raise Broken(f"no negotiation: {code!r}")
        self.steps = struct.unpack(">III", data[:12])[2]

    def send(self, command, data=b""):
        self.writer.write(struct.pack(">I", len(data) + 1) + command + data)

    async def read(self, timeout):
        try:
            head = await asyncio.wait_for(self.reader.readexactly(4), timeout)
            body = await asyncio.wait_for(
                self.reader.readexactly(struct.unpack(">I", head)[0]), timeout)
        except asyncio.TimeoutError as error:
            raise Broken("no answer in time") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Broken("closed") from error
        return body[:1], body[1:]

    async def command(self, command, data=b"", macros=None, timeout=w.DEADLINE + SLACK):
        """The kind of the reply and its text; "continue" where none is asked for."""
        not_sent, no_reply = STEPS.get(command, (0, 0))
        if self.steps & not_sent:
            return "continue", ""
        if macros:
            self.send(b"D", command + b"".join(
                k.encode() + b"\0" + v.encode() + b"\0" for k, v in macros.items()))
        self.send(command, data)
        if self.steps & no_reply:
            return "continue", ""
        while True:
            code, text = await self.read(timeout)
            if code in FINAL and code in NAMES:
                return NAMES[code], text.rstrip(b"\0").decode("utf-8", "replace")

    def close(self):
        if hasattr(self, "writer"):
            self.writer.close()


class Message:
    """One message: who sends it, and when its stages were."""

    def __init__(self, client, sender, helo, login, recipient, keys):
        self.client, self.sender, self.helo = client, sender, helo
        self.login, self.recipient, self.keys = login, recipient, keys
        self.domain = sender.rpartition("@")[2]
        self.recipient_exempt = recipient.startswith("postmaster@")

    def __str__(self):
        login = f" login={self.login}" if self.login else ""
        return (f"message client={self.client} helo={self.helo} from=<{self.sender}>"
                f"{login} to=<{self.recipient}>")


class Client:
    """One worker: session after session, the same for the same seed."""

    def __init__(self, chaos, number):
        self.chaos = chaos
        self.rng = random.Random(f"client {chaos.seed} {number}")
        self.fresh = number << 12  # clients that nobody asked about before

    async def run(self):
        while not self.chaos.ending:
            plan = self.rng.random()
            try:
                if plan < HOSTILE:
                    await self.hostile()
                else:
                    await self.session(slow=plan > 1 - SLOW)
            except Broken as broken:
                await self.chaos.connection_broke(str(broken), self.began)
            await asyncio.sleep(self.rng.uniform(0, 0.08))

    # --- honest sessions ---

    def draw_client(self):
        world = self.chaos.world
        kind = self.rng.random()
        if kind < 0.35:
            self.fresh += 1
            return f"44.{self.fresh >> 16 & 255}.{self.fresh >> 8 & 255}.{self.fresh & 255}"
        return self.rng.choice(world.clean if kind < 0.7 else world.dirty)

    def draw_message(self, client, helo, login, keys):
        world, rng = self.chaos.world, self.rng
        domain = rng.choice(world.clean_domains if rng.random() < 0.85 else world.dirty_domains)
        sender = f"someone@{domain}"
        if not keys and rng.random() < 0.4:
            sender, keys = self.chaos.changes.draw_sender(rng)
        recipient = "postmaster@here.example" if rng.random() < 0.03 else "d@here.example"
        return Message(client, sender, helo, login, recipient, keys)

    async def session(self, slow):
        rng = self.rng
        client, helo, login, keys = self.draw_client(), "mx.example", "", []
        if rng.random() < 0.2:
            client, helo, login, keys = self.chaos.changes.draw_host(rng, client)
        messages = [self.draw_message(client, helo, login, keys)
                    for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))]
        pauses = [rng.uniform(0, 0.6) if slow else 0 for _ in range(4 * len(messages))]
        endings = [rng.random() for _ in messages]
        self.began = time.monotonic()
        self.chaos.history.count("sessions")
        session = Session(self.chaos.port)
        try:
            await session.open()
            negotiated = time.monotonic()
            connected = time.monotonic()
            await session.command(b"C", f"[{client}]\0".encode() + b"4" + struct.pack(">H", 25252)
                                  + client.encode() + b"\0",
                                  {"{client_addr}": client, "{client_name}": "unknown"})
            await session.command(b"H", helo.encode() + b"\0")
            for message, ending in zip(messages, endings):
                message.open_at, message.negotiated_at = self.began, negotiated
                message.connect_at = connected
                await self.message(session, message, ending, pauses)
            session.send(b"Q")
        finally:
            session.close()

    async def message(self, session, message, ending, pauses):
        await asyncio.sleep(pauses.pop())
        message.mail_at = time.monotonic()
        macros = {"{auth_authen}": message.login} if message.login else None
        await session.command(b"M", f"<{message.sender}>\0".encode(), macros)
        await asyncio.sleep(pauses.pop())
        if ending < 0.1:
            session.send(b"A")  # RSET before any recipient
            self.chaos.history.count("aborts")
            return
        asked = time.monotonic()
        kind, text = await session.command(b"R", f"<{message.recipient}>\0".encode())
        message.verdict_at = time.monotonic()
        self.chaos.verdict(message, kind, text, message.verdict_at - asked)
        if kind != "continue" or ending < 0.3:
            session.send(b"A")
            return
        await asyncio.sleep(pauses.pop())
        await session.command(b"T")
        await session.command(b"L", b"Subject\0chaos\0")
        await session.command(b"N")
        await session.command(b"B", b"Hello\r\n")
        kind, text = await session.command(b"E")
        stopped = kind == "tempfail" and self.chaos.was_down(message.mail_at)
        if kind not in ("continue", "accept") and not stopped:
            self.chaos.history.fail(f"{message} passed RCPT, then got {kind} {text}",
                                    message.mail_at)
        pauses.pop()

    # --- what no MTA sends ---

    async def hostile(self):
        rng = self.rng
        kind = rng.choice(("noise", "length", "half", "order", "silent", "macros", "unread"))
        noise = rng.randbytes(rng.randrange(1, 400))
        pause = rng.uniform(0, 0.5)
        self.began = time.monotonic()
        self.chaos.history.count("hostile")
        session = Session(self.chaos.port)
        try:
            await session.open()
            if kind == "noise":
                session.writer.write(noise)
            elif kind == "length":
                session.writer.write(struct.pack(">I", 0x7fffffff) + noise)
            elif kind == "half":
                session.writer.write(struct.pack(">I", 600) + b"C" + noise)
            elif kind == "order":
                for command in rng.choices([b"R", b"M", b"E", b"H", b"A", b"T", b"C"], k=8):
                    session.send(command, noise.replace(b"\0", b"x") + b"\0")
            elif kind == "macros":
                session.send(b"D", b"C" + noise)
                session.send(b"C", b"[192.0.2.1]\0" + b"4\0\0" + noise)
            elif kind == "unread":
                for _ in range(200):
                    session.send(b"H", b"x" * 200 + b"\0")
            await asyncio.sleep(pause)
        except (Broken, OSError):
            if not self.chaos.was_down(self.began):
                self.chaos.history.count("hostile turned away")
        finally:
            session.close()
