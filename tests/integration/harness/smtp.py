# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP client that can be any client, to Postfix by XCLIENT, elsewhere by the address
that it comes from (harness/network.py), and shows each reply as it came."""

import socket


class Reply(str):
    """A whole reply: "554 5.7.1 text"; the lines of a longer one are joined by \\n."""

    @property
    def code(self):
        return int(self[:3])


def xtext(value):
    """RFC 3461: what XCLIENT wants for odd characters."""
    return "".join(
        c if "!" <= c <= "~" and c not in "+=" else "+%02X" % ord(c) for c in value
    )


class Smtp:
    """One session. `greeting` is the first reply; each command returns its own."""

    def __init__(self, port, timeout=40, source=None):
        host = "::1" if source and ":" in source else "127.0.0.1"
        here = (source, 0) if source else None
        self.sock = socket.create_connection((host, port), timeout, here)
        self.file = self.sock.makefile("rb")
        self.greeting = self.read_reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def read_reply(self):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return Reply("\n".join(lines) or "000 connection closed")
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            lines.append(text[4:] if lines else text.replace("-", " ", 1) if text[3:4] == "-" else text)
            if text[3:4] != "-":
                return Reply("\n".join(lines))

    def send(self, line):
        data = line if isinstance(line, bytes) else line.encode("utf-8")
        try:
            self.sock.sendall(data + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reply that was already sent says why

    def command(self, line):
        self.send(line)
        return self.read_reply()

    def xclient(self, addr, name=None, helo=None, login=None, reverse_name=None):
        """Makes Postfix take us for that client. `name` is the forward-confirmed one,
        `reverse_name` what the PTR record says (as name, where not given)."""
        words = [f"ADDR=IPV6:{addr}" if ":" in addr else f"ADDR={addr}"]
        words.append(f"NAME={name or '[UNAVAILABLE]'}")
        words.append(f"REVERSE_NAME={reverse_name or name or '[UNAVAILABLE]'}")
        if helo is not None:
            words.append(f"HELO={xtext(helo)}")
        if login is not None:
            words.append(f"LOGIN={xtext(login)}")
        return self.command("XCLIENT " + " ".join(words))

    def ehlo(self, name="client.example"):
        return self.command(f"EHLO {name}")

    def mail(self, sender="sender@sender.example", parameters=""):
        return self.command(f"MAIL FROM:<{sender}>{parameters}")

    def rcpt(self, recipient="d@e.f"):
        return self.command(f"RCPT TO:<{recipient}>")

    def data(self, message="Subject: test\n\nHello\n"):
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        for line in message.rstrip("\n").split("\n"):
            self.send("." + line if line.startswith(".") else line)
        return self.command(".")

    def quit(self):
        return self.command("QUIT")


class Attempt:
    """What became of a mail: the replies by stage, and the one that decided."""

    def __init__(self):
        self.replies = {}
        self.stage = None
        self.reply = None

    def note(self, stage, reply):
        self.replies[stage] = reply
        self.stage, self.reply = stage, reply
        return reply.code < 400

    @property
    def accepted(self):
        return self.stage == "data" and self.reply.code == 250


def send_mail(
    port,
    addr="192.0.2.99",
    name=None,
    helo="client.example",
    sender="sender@sender.example",
    recipients=("d@e.f",),
    login=None,
    reverse_name=None,
    message="Subject: test\n\nHello\n",
    mail_parameters="",
    source=None,
):
    """Sends one mail as that client, up to the first refusal: through Postfix, or, where
    source is given, from that address."""
    attempt = Attempt()
    with Smtp(port, source=source) as smtp:
        steps = [
            ("xclient", lambda: smtp.xclient(addr, name, None, login, reverse_name)),
            ("helo", lambda: smtp.ehlo(helo)),
            ("mail", lambda: smtp.mail(sender, mail_parameters)),
            *[("rcpt", lambda to=to: smtp.rcpt(to)) for to in recipients],
            ("data", lambda: smtp.data(message)),
        ]
        for stage, step in steps[0 if source is None else 1 :]:
            if not attempt.note(stage, step()):
                break
        smtp.quit()
    return attempt
