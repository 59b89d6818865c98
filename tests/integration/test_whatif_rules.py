# SPDX-License-Identifier: BSD-2-Clause
"""rblctl whatif --rules: what rules would have listed of the mail in the journal, held
against what a daemon that has them lists of the same sessions."""

import pathlib
import subprocess
import sys
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from test_rules import Host, bulk, rule

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from chaos_lib.wallclock import WallClock  # noqa: E402

LISTED, GOOD = "192.0.2.66", "203.0.113.60"
ZONES = listed(LISTED, "bl.test") + listed(GOOD, "wl.test")
SETTINGS = {
    "lists": [dnsbl("bl", "bl.test", weight=8), dnsbl("wl", "wl.test", weight=-4)],
    "automatic": {"mode": "enforce", "traps": ["trap@e.f"], "own_domains": ["e.f"]},
    "exempt": {"networks": ["127.0.0.0/8", "198.51.100.0/24"], "senders": ["exempt@e.f"]},
}
RULES = [
    bulk(),
    rule("hijacked", over=["4 networks in 1h", "8 recipients in 1h"], match="all"),
    rule("away", over=["6 outside in 1h"]),
    rule("sender", by="sender", over=["12 recipients in 1h"], list=["sender"]),
    rule("prober", by="client", over=["5 unknown in 24h"], share=60, action=["block"]),
    rule("trapped", by="client", over=["3 traps in 24h"], action=["block"], **{"for": ["24h"]}),
    rule("repeat", by="client", over=["3 refused in 24h"], action=["block"]),
    rule("many", by="client", over=["30 recipients in 1h"], action=["block"]),
]

FOUND = {
    ("bulk", "user:anna", "20 recipients in 1h: 20"),
    ("hijacked", "user:bert", "4 networks in 1h: 4; 8 recipients in 1h: 8"),
    ("away", "user:carl", "6 outside in 1h: 6"),
    ("sender", "boss@e.f", "12 recipients in 1h: 12"),
    ("sender", "web@e.f", "12 recipients in 1h: 12"),
    ("sender", "203.0.113.5", "12 recipients in 1h: 12"),
    ("prober", "203.0.113.7", "5 unknown in 24h: 5, 71 % of 7"),
    ("trapped", "203.0.113.8", "3 traps in 24h: 3"),
    ("repeat", LISTED, "3 refused in 24h: 3"),
}
PROPOSED = {
    ("many", "203.0.113.20", "30 recipients in 1h: 30", "others may use it: it is a host of google.com"),
    ("many", GOOD, "30 recipients in 1h: 30",
     "others may use it: a list of good senders has it"),
    ("many", "203.0.113.21", "30 recipients in 1h: 30",
     "others may use it: it has sent for 10 domains within a day"),
}  # fmt: skip


class Watcher(Host):
    """A daemon without rules, which kept a message 26 hours ago."""

    def begin(self, aged=True, active=()):
        clock = WallClock(self.lab.dir)
        clock.jump(-26 * 3600)
        self.daemon = self.lab.daemon(conf=self.text, env=clock.environment())
        self.send(1, "first", sender="<first@e.f>")
        self.daemon.terminate()
        self.daemon = self.lab.daemon(conf=self.text)

    def whatif(self, rules=RULES, *options, **settings):
        self.file = self.lab.dir / "new.conf"
        self.file.write_text(self.lab.conf(extra="".join(rules), **{**SETTINGS, **settings}))
        result = self.rblctl("--json", "whatif", "--rules", "-c", self.file, "--since", "3d", *options)
        assert result.status == 0, result
        return result.json


def message(host, recipients, refused=(), **session):
    """To recipients that are accepted, and others that the MTA refuses with a status."""
    mta = host.session(**session)
    for recipient in recipients:
        host.rcpt(mta, recipient)
    for i, status in enumerate(refused):
        host.rcpt(mta, f"<no{i}@e.f>", "error", status, "No such user")
    mta.end_of_message()
    mta.close()


def to(count, domain="e.f"):
    return [f"<r{i}@{domain}>" for i in range(count)]


def play(host):
    """All that is to be found, and what looks like it."""
    message(host, to(1), client=GOOD, sender="<>")  # later ones need not wait for the list
    for i in range(450):
        message(host, to(1), login=f"u{i}", sender="<>")
    host.rblctl("add", "bad@away.example")
    host.rblctl("allow", "user:otto")
    mta = host.session("dora", sender="<>")
    for recipient in to(15):  # given up: taken back
        host.rcpt(mta, recipient)
    mta.abort()
    mta.close()
    sessions = [
        {"login": "anna", "sender": "<>", "recipients": to(10)},
        {"login": "anna", "sender": "<>", "recipients": to(10)},
        *({"login": "bert", "sender": "<>", "client": f"192.0.{i}.9", "recipients": to(2)}
          for i in range(4)),
        {"login": "carl", "sender": "<>", "recipients": to(6, "else.example")},
        {"login": "dora", "sender": "<>", "recipients": to(19)},
        {"login": "otto", "sender": "<>", "recipients": to(30)},
        {"login": "postmaster", "sender": "<exempt@e.f>", "recipients": to(30)},
        {"login": "emil", "sender": "<boss@e.f>", "recipients": to(12)},
        {"client": "198.51.100.7", "sender": "<web@e.f>", "recipients": to(12)},
        *({"client": "203.0.113.5", "sender": "<x@away.example>", "recipients": to(5)}
          for _ in range(4)),
        {"client": "203.0.113.6", "sender": "<>", "recipients": to(9), "refused": ["5.1.1"] * 6},
        {"client": "203.0.113.7", "sender": "<>", "recipients": to(3),
         "refused": ["5.1.1", "4.7.1", "5.1.6", "5.1.1", "5.2.1", "5.1.10"]},
        *({"client": "203.0.113.8", "sender": "<>", "recipients": ["<trap@e.f>"]}
          for _ in range(6)),
        {"client": "10.1.2.3", "sender": "<>", "recipients": to(30)},
        {"client": "203.0.113.9", "sender": "<bad@away.example>", "recipients": to(31)},
        *({"client": LISTED, "sender": "<>", "recipients": to(2)} for _ in range(6)),
        *({"client": "203.0.113.20", "name": "mail-1.google.com", "sender": "<>",
           "recipients": to(11)} for _ in range(4)),
        *({"client": "203.0.113.21", "sender": f"<x@d{i}.example>", "recipients": to(3)}
          for i in range(12)),
        *({"client": GOOD, "sender": "<>", "recipients": to(11)} for _ in range(4)),
    ]  # fmt: skip
    for session in sessions:
        message(host, session.pop("recipients"), session.pop("refused", ()), **session)
        host.settle()


def test_the_same_as_a_daemon_that_had_them(lab):
    dns = lab.dns(ZONES)
    watcher = Watcher(lab, [], aged=False, dns=dns, **SETTINGS)
    play(watcher)
    before = watcher.listed()
    said = watcher.whatif()
    kinds = {"list": set(), "propose": set(), "never": set()}
    for f in said["findings"]:
        kinds[f["would"]].add((f["rule"], f["entry"], f["because"], f["held"]))
    assert {f[:3] for f in kinds["list"]} == FOUND
    assert kinds["propose"] == PROPOSED
    assert kinds["never"] == set()
    assert watcher.listed() == before  # nothing came of it
    watcher.daemon.terminate()

    live = Host(lab, RULES, dns=dns, **SETTINGS)
    play(live)
    found = {(r["source"].removeprefix("auto:"), entry, r["reason"])
             for entry, r in live.settle().items() if r["source"] != "manual"}  # fmt: skip
    assert found == FOUND
    assert {(p["rule"], p["entry"], p["because"], p["held"]) for p in live.proposals()} == PROPOSED
