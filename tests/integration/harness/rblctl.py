# SPDX-License-Identifier: BSD-2-Clause
"""rblctl, as a test calls it; and sessions with it that were read by eye."""

import difflib
import json
import os
import pathlib
import re
import shlex
import socket
import subprocess

from .daemon import binary, environment

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"


class Result:
    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.status}\n{self.out}{self.err}>"


class Rblctl:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.socket = self.dir / "control.sock"

    def __call__(self, *arguments, stdin=None, env=None, **popen):
        """Runs it; user=, group=, extra_groups= as subprocess takes them."""
        environ = {**environment(), "LC_ALL": "C.UTF-8", "TZ": "UTC", **(env or {})}
        if env is None or "SUDO_USER" not in env:
            environ.pop("SUDO_USER", None)
        process = subprocess.run(
            [binary("rblctl"), "-s", self.socket, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            env=environ,
            cwd=self.dir,
            **popen,
        )
        return Result(process)

    def dial(self, timeout=10):
        """A connection of our own, for what rblctl would never say."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        s.connect(str(self.socket))
        return s

    def request(self, connection, text):
        """Sends one line; returns its answer, or None where the daemon closed."""
        if isinstance(text, dict):
            text = json.dumps(text)
        connection.sendall(text.encode() + b"\n")
        line = connection.makefile("rb").readline()
        return json.loads(line) if line else None


def normal(text, folder):
    """What differs from run to run, in one form."""
    text = text.replace(str(folder), "DIR")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "YYYY-MM-DD HH:MM", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "YYYY-MM-DDTHH:MM:SSZ", text)
    text = re.sub(r"\b1[78]\d{8}\b", "TTTTTTTTTT", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def check_golden(rblctl, name, more=lambda text: text):
    """Runs the commands of golden/NAME.txt ("$ rblctl …", perhaps with "<FILE") one after
    the other and compares what comes with what stands below each. With REGOLD=1 in the
    environment the file is written again, to be read by eye before it is committed."""
    path = GOLDEN / f"{name}.txt"
    want = path.read_text()
    got = []
    for line in want.splitlines():
        if line.startswith("#"):
            got.append(line + "\n")
        if not line.startswith("$ "):
            continue
        words = shlex.split(line[2:])
        assert words[0] == "rblctl", line
        result = rblctl(*words[1:])
        text = more(normal(result.out + result.err, rblctl.dir))
        got.append(line + "\n" + text)
        if text and not text.endswith("\n"):
            got.append("\n")
        if result.status != 0:
            got.append(f"[exit {result.status}]\n")
    got = "".join(got)
    if os.environ.get("REGOLD"):
        path.write_text(got)
    lines = difflib.unified_diff(want.splitlines(), got.splitlines(), "read by eye", "now", lineterm="")
    assert got == want, "\n".join(lines)
