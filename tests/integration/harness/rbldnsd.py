# SPDX-License-Identifier: BSD-2-Clause
"""rbldnsd, the name server that most DNS lists run on."""

import os
import pathlib
import signal
import socket
import subprocess
import time

from .ports import free_port


class Rbldnsd:
    """Zones are (name, kind, text): ("bl.test", "ip4set", "192.0.2.1\\n")."""

    def __init__(self, folder, zones):
        self.dir = pathlib.Path(folder)
        self.port = free_port()
        specs = []
        for number, (zone, kind, text) in enumerate(zones):
            file = self.dir / f"zone{number}"
            file.write_text(text)
            os.chmod(file, 0o644)
            specs.append(f"{zone}:{kind}:{file.name}")
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["rbldnsd", "-n", "-u", "nobody", "-b", f"127.0.0.1/{self.port}", "-c", "1"]
                + ["-w", str(self.dir), *specs],
                stdout=log,
                stderr=log,
            )
        self._wait_until_up()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _wait_until_up(self):
        query = b"\0\1\0\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.1)
                s.connect(("127.0.0.1", self.port))
                try:
                    s.send(query)
                    s.recv(512)
                    return
                except OSError:
                    time.sleep(0.01)
        raise AssertionError("rbldnsd does not answer: " + (self.dir / "log").read_text())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

