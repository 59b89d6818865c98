# SPDX-License-Identifier: BSD-2-Clause
"""The daemon under test: started with a conf file of its own, its log read, and at the
end looked at for an unclean exit or a sanitizer's report."""

import os
import pathlib
import signal
import socket
import subprocess
import time

from . import sanitizers
from .lines import Lines

ROOT = pathlib.Path(__file__).resolve().parents[3]


def binary(name="rblmilter"):
    """From the build tree that check.sh names, by default the source tree or build/."""
    named = os.environ.get("BUILD_DIR")
    places = [pathlib.Path(named)] if named else [ROOT, ROOT / "build"]
    for place in places:
        if (place / name).exists():
            return (place / name).resolve()
    raise AssertionError(f"no {name} in {places}: build first, or set BUILD_DIR")


def environment():
    env = dict(os.environ)
    for name, value in sanitizers.SETTINGS.items():
        env.setdefault(name, value)
    env.pop("JOURNAL_STREAM", None)
    env.pop("NOTIFY_SOCKET", None)
    return env


def can_connect(milter_socket):
    """milter_socket as the conf file writes it: inet:PORT@HOST or unix:PATH."""
    try:
        connect(milter_socket).close()
        return True
    except OSError:
        return False


def connect(milter_socket, timeout=10):
    kind, _, rest = milter_socket.partition(":")
    if kind == "unix":
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(rest)
        except OSError:
            s.close()
            raise
        return s
    port, _, host = rest.partition("@")
    s = socket.create_connection((host, int(port)), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an MTA sends macros and command at once
    return s


class Daemon:
    def __init__(self, folder, conf, milter_socket, arguments=(), preexec=None, env=None,
                 exclusive=True):  # fmt: skip
        self.dir = pathlib.Path(folder)
        self.milter_socket = milter_socket
        self.conf = self.dir / "rblmilter.conf"
        self.conf.write_text(conf)
        if exclusive and can_connect(milter_socket):
            raise AssertionError(f"another daemon listens on {milter_socket}")
        self.process = subprocess.Popen(
            [binary(), "-c", self.conf, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**environment(), **(env or {})},
            preexec_fn=preexec,
        )
        self.log = Lines(self.process.stderr, self.dir / "rblmilter.log")
        self.stopped = False

    @property
    def pid(self):
        return self.process.pid

    def wait_ready(self, timeout=20):
        """Until the milter socket accepts: then all was read (design.md, 6)."""
        deadline = time.monotonic() + timeout
        while not can_connect(self.milter_socket):
            if self.process.poll() is not None:
                self.stopped = True
                self.log.wait_end()
                raise AssertionError(
                    f"rblmilter ended with {self.process.returncode}\n{self.log.text()}"
                )
            if time.monotonic() > deadline:
                raise AssertionError("rblmilter does not accept\n" + self.log.text())
            time.sleep(0.01)
        return self

    def reload(self, conf=None, wait_for="reload"):
        """SIGUSR1, after writing the new conf file; waits for the line that says how
        it went, and returns it."""
        if conf is not None:
            self.conf.write_text(conf)
        since = self.log.count()
        self.process.send_signal(signal.SIGUSR1)
        return self.log.wait_for(wait_for, since)

    def terminate(self, timeout=20):
        """SIGTERM; returns the seconds until the end."""
        start = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.stopped = True
            self.log.wait_end()
        return time.monotonic() - start

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.stopped = True
        self.log.wait_end()

    def check_clean(self, status=0):
        assert not sanitizers.reports(self.log.text()), self.log.text()
        assert self.process.returncode == status, self.log.text()
