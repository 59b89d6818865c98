# SPDX-License-Identifier: BSD-2-Clause
"""The scripted name server (tests/nameserver.py) and rules for it."""

import ipaddress
import pathlib
import subprocess
import sys
import json

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "nameserver.py"


def reversed_name(address, zone):
    """RFC 5782: 192.0.2.1 -> 1.2.0.192.ZONE; IPv6 by nibbles."""
    reverse = ipaddress.ip_address(address).reverse_pointer
    return reverse.rsplit(".", 2)[0] + "." + zone


def listed(key, zone, *codes, txt=None, **more):
    """Rules that list an address or a name: its A records, and its TXT where given."""
    try:
        name = reversed_name(key, zone)
    except ValueError:
        name = f"{key}.{zone}"
    rules = [{"name": name, "type": "A", "a": list(codes or ["127.0.0.2"]), **more}]
    if txt is not None:
        rules.append({"name": name, "type": "TXT", "txt": [txt]})
    return rules


class NameServer:
    def __init__(self, folder, rules=(), port=0, address="127.0.0.1"):
        self.host = address
        self.log = pathlib.Path(folder) / "queries"
        self.log.touch()
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, "--port", str(port), "--log", self.log, "--control"]
            + ["--address", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.process.stdout.readline().split()[1])
        self.rules(rules)

    @property
    def address(self):
        """As resolver.servers takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def rules(self, rules):
        self._command("rules " + json.dumps(list(rules)))

    def down(self):
        self._command("down")

    def up(self):
        self._command("up")

    def _command(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer == "ok", (line, answer)

    def queries(self, suffix="", rtype=None):
        """What was asked: (name, type, transport, source port), in order."""
        found = []
        for line in self.log.read_text().splitlines():
            name, kind, transport, port = line.rsplit(" ", 3)
            if name.endswith(suffix) and rtype in (None, kind):
                found.append((name, kind, transport, int(port)))
        return found

    def names(self, suffix="", rtype=None):
        return [query[0] for query in self.queries(suffix, rtype)]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
