# SPDX-License-Identifier: BSD-2-Clause
"""rblctl whatif --rules: what rules would have listed of the mail in the journal, held
against what a daemon that has them lists of the same sessions."""

import json
import pathlib
import sys
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl
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
QUIET = {**SETTINGS, "lists": []}
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
    ("many", "203.0.113.20", "30 recipients in 1h: 30",
     "others may use it: it is a host of google.com"),
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

    def whatif(self, rules=RULES, **settings):
        self.file = self.lab.dir / "new.conf"
        self.file.write_text(self.lab.conf(extra="".join(rules), **{**SETTINGS, **settings}))
        result = self.rblctl("--json", "whatif", "--rules", "-c", self.file, "--since", "3d")
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


@pytest.fixture
def watcher(lab):
    """One that has seen anna send 20, and then 7 more, of which one was given up."""
    watcher = Watcher(lab, [], aged=False, **QUIET)
    message(watcher, to(20), login="anna")
    time.sleep(1.1)
    message(watcher, to(5), login="anna")
    message(watcher, to(1), login="anna")
    mta = watcher.session("anna")
    watcher.rcpt(mta)
    mta.abort()
    mta.close()
    return watcher


def test_what_would_not_have_come_through(watcher):
    off = rule("off", over=["1 recipients in 5m"], mode="off")
    said = watcher.whatif([bulk(mode="propose"), off])
    (one,) = said["findings"]
    assert (one["would"], one["action"], one["for_s"]) == ("list", "tempfail", 3600)
    assert (one["messages"], one["recipients"]) == (3, 7)
    (total,) = said["rules"]
    assert (total["rule"], total["mode"], total["entries"]) == ("bulk", "propose", 1)
    assert (total["messages"], total["recipients"], total["not_known"]) == (3, 7, [])
    assert total["possible_from"] - said["counted_from"] == 3600
    assert abs(said["counted_from"] - (time.time() - 26 * 3600)) < 60
    for number in one["ids"]:
        assert "anna" in watcher.rblctl("why", number).out
    assert len(one["ids"]) == 3
    found = watcher.rblctl("--json", "why", one["ids"][0]).json
    assert len(found["decisions"][0]["recipients"]) == 20, found


def test_the_table(watcher):
    watcher.whatif([bulk(), rule("r", by="client", over=["9 relaying in 1h"], share=1)])
    out = watcher.rblctl("whatif", "--rules", "-c", watcher.file, "--since", "30d").out
    lines = out.splitlines()
    assert lines[0].startswith("counted 5 decisions since ")
    assert lines[1] == "accepted mail is kept for 7d: what is older was not counted"
    assert lines[3].split()[:5] == ["RULE", "ENTRIES", "PROPOSALS", "NEVER", "MESSAGES"]
    assert lines[4].split()[:6] == ["bulk", "1", "0", "0", "3", "7"]
    assert "user:anna tempfail 1h" in " ".join(lines[8].split()), out
    assert lines[-1] == "r: what the MTA says is not kept: nothing counts as relaying", out


def test_nothing_before_the_windows_are_whole(watcher):
    said = watcher.whatif([rule("day", over=["20 recipients in 7d"])])
    assert said["findings"] == []
    assert said["rules"][0]["possible_from"] > time.time()
    out = watcher.rblctl("whatif", "--rules", "-c", watcher.file).out
    assert "day: its windows were not whole in that time" in out, out


def test_an_allow_entry_of_today(watcher):
    watcher.rblctl("allow", "user:anna")
    (one,) = watcher.whatif([bulk()])["findings"]
    assert (one["would"], one["held"]) == ("never", "it is allowed by user:anna")
    assert one["messages"] == 0


MEMBER = {"user": 65534, "group": 65534, "extra_groups": [0]}


@pytest.mark.parametrize("who, entry", [("all", "user:anna"), ("write", "*")])
def test_rights_and_local_parts(lab, who, entry):
    watcher = Watcher(lab, [], aged=False, control={"local_parts": who}, **QUIET)
    message(watcher, to(20), login="anna")
    watcher.rblctl("allow", "user:anna")
    (one,) = watcher.whatif([bulk()])["findings"]
    assert one["entry"] == "user:anna"
    result = watcher.rblctl("--json", "whatif", "--rules", "-c", watcher.file, **MEMBER)
    assert result.json["findings"][0]["entry"] == entry, result
    assert ("anna" in result.out) == (who == "all"), result


def test_logins_that_are_kept_as_hashes(lab):
    watcher = Watcher(lab, [], aged=False, journal={"local_parts": False}, **QUIET)
    message(watcher, to(12), login="anna")
    message(watcher, to(12), login="anna")
    message(watcher, to(12), login="bert")
    said = watcher.whatif([bulk()])
    (one,) = said["findings"]
    assert one["entry"].startswith("user:~") and one["because"] == "20 recipients in 1h: 20"
    assert "anna" not in json.dumps(said)
    (note,) = said["rules"][0]["not_known"]
    assert "hashes" in note


@pytest.mark.parametrize(
    "rules, settings, why",
    [([], {}, "the file has no rules"),
     ([rule("r", over=["9 recipients in 1h"], mode="off")], {}, "the file has no rules"),
     ([bulk()], {"automatic": {"mode": "off"}}, "automatic { mode } is off")],
)  # fmt: skip
def test_what_cannot_be_counted(lab, rules, settings, why):
    lab.daemon()
    conf = lab.dir / "new.conf"
    conf.write_text(lab.conf(extra="".join(rules), **settings))
    result = Rblctl(lab.dir)("whatif", "--rules", "-c", conf)
    assert result.status == 4 and why in result.err and result.out == "", result


def test_where_no_accepted_mail_is_kept(lab):
    lab.daemon(journal={"accepted": "0"})
    conf = lab.dir / "new.conf"
    conf.write_text(lab.conf(extra=bulk()))
    result = Rblctl(lab.dir)("whatif", "--rules", "-c", conf)
    assert result.status == 4 and "keeps no accepted mail" in result.err, result
