# SPDX-License-Identifier: BSD-2-Clause
"""Rules: what senders do is counted, what is over a limit is proposed or listed, and the
guard rails hold. The host is one that has watched for 40 days (rules_aged.c), but where a
test is about one that has not."""

import json
import os
import pathlib
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

import pytest

from harness.conf import dnsbl, quoted
from harness.daemon import binary, environment
from harness.dns import listed
from harness.rblctl import Rblctl
from harness.smtp import Smtp
from harness.waiting import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from chaos_lib.wallclock import WallClock  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BULK = ["20 recipients in 1h"]
LOGINS = [f"user:u{i}" for i in range(200)]


def rule(name, **options):
    options.setdefault("mode", "enforce")
    lines = []
    for key, value in options.items():
        if isinstance(value, (list, tuple)):
            text = "{ " + ", ".join(quoted(v) for v in value) + " }"
        else:
            text = quoted(str(value))
        lines.append(f"  {key.replace('_', '-').rstrip('-')} = {text}\n")
    return f"rule {quoted(name)} {{\n{''.join(lines)}}}\n"


def bulk(**options):
    return rule("bulk", **{"over": BULK, "for": ["1h", "24h"], "action": ["tempfail", "block"],
                           **options})  # fmt: skip


class Host:
    """A daemon with rules, and what a test says to it."""

    def __init__(self, lab, rules, aged=True, active=LOGINS, dns=None, env=None, **settings):
        self.lab = lab
        self.env = env
        self.rblctl = Rblctl(lab.dir)
        settings.setdefault("automatic", {"mode": "enforce", "traps": ["trap@e.f"]})
        settings.setdefault("exempt", {"networks": ["127.0.0.0/8", "198.51.100.0/24"]})
        self.text = lab.conf(dns, extra="".join(rules), **settings)
        self.begin(aged, active)

    def begin(self, aged=True, active=()):
        if aged:
            conf = self.lab.dir / "aged.conf"
            conf.write_text(self.text)
            subprocess.run(
                [binary("tests/integration/rules_aged"), conf, self.lab.dir, *active],
                check=True, env=environment(),
            )  # fmt: skip
        more = {} if self.env is None else {"env": self.env}
        self.daemon = self.lab.daemon(conf=self.text, **more)

    def session(self, login="", client="192.0.2.9", name=None, sender="<s@away.example>"):
        mta = self.lab.milter()
        mta.connect(client, name, macros={"{client_name}": name or "unknown"})
        mta.helo()
        self.mail(mta, login, sender)
        return mta

    @staticmethod
    def mail(mta, login="", sender="<s@away.example>"):
        return mta.mail(sender, macros={"{auth_authen}": login} if login else {"i": "Q"})

    @staticmethod
    def rcpt(mta, recipient="<d@e.f>", mailer="smtp", status="x", text="x"):
        macros = {"{rcpt_mailer}": mailer, "{rcpt_host}": status, "{rcpt_addr}": text}
        return mta.rcpt(recipient, macros=macros)

    def send(self, count, login="", end=True, mailer="smtp", **session):
        """One message to that many recipients; the kinds of the replies."""
        mta = self.session(login, **session)
        kinds = [self.rcpt(mta, f"<r{i}@e.f>", mailer).kind for i in range(count)]
        if end and "continue" in kinds:
            mta.end_of_message()
        mta.close()
        return kinds

    def refused(self, count, status, client="192.0.2.9", text="x", **session):
        """That many recipients that the MTA itself refuses."""
        mta = self.session(client=client, **session)
        for i in range(count):
            self.rcpt(mta, f"<r{i}@e.f>", "error", status, text)
        mta.close()

    def proposals(self, *options):
        return self.rblctl("proposals", *options, "--json").json

    def listed(self):
        return {r["entry"]: r for r in json.loads(self.rblctl("list", "--json").out)["entries"]}

    def settle(self):
        self.rblctl("proposals", "--json")  # waits for what is in the queue
        return self.listed()


def test_a_login_over_its_limit_is_put_off_and_later_blocked(lab):
    host = Host(lab, [bulk()])
    host.send(19, "anna")
    assert host.settle() == {}
    host.send(1, "anna")
    row = host.settle()["user:anna"]
    assert (row["action"], row["source"]) == ("tempfail", "auto:bulk")
    assert row["reason"] == "20 recipients in 1h: 20" and row["who"] == "rules"
    assert 3500 < row["expires"] - time.time() < 3700
    mta = host.session("anna")
    reply = host.rcpt(mta)
    assert reply.text.startswith("451 4.7.1"), reply
    assert host.send(1, "bert") == ["continue"]
    # the second time within 90 days
    host.daemon.terminate()
    with sqlite3.connect(lab.dir / "blocklist.db") as db:
        db.execute("UPDATE listing SET since = since - 9000, expires = since - 1000")
    host.begin(aged=False)
    host.send(19, "anna")
    assert host.settle() == {}  # what led to the first time does not count again
    host.send(1, "anna")
    assert host.settle()["user:anna"]["action"] == "block"


def test_a_mailbox_is_put_off_in_the_middle_of_a_message(lab):
    host = Host(lab, [bulk()])
    mta = host.session("anna")
    passed = 0
    for i in range(5000):
        time.sleep(0.001)  # Postfix is no faster
        if host.rcpt(mta, f"<r{i}@e.f>").kind != "continue":
            break
        passed += 1
    assert 20 <= passed < 120, passed


def test_the_default_proposes_and_a_person_decides(lab):
    host = Host(lab, [bulk(), rule("other", over=["5 recipients in 5m"], mode="propose")],
                automatic={"mode": "propose"})  # fmt: skip
    host.send(20, "anna")
    assert {p["rule"] for p in host.proposals()} == {"bulk", "other"}
    assert host.settle() == {}
    one = next(p for p in host.proposals() if p["rule"] == "bulk")
    assert (one["entry"], one["action"], one["for_s"]) == ("user:anna", "tempfail", 3600)
    assert {(c["count"], c["value"]) for c in one["evidence"]["counts"]} >= {
        ("recipients", 20)
    }
    assert one["evidence"]["decisions"][0]["client"] == "192.0.2.9"
    table = host.rblctl("proposals").out
    assert "tempfail 1h" in table and "20 recipients in 1h: 20" in table
    assert host.rblctl("proposals", "accept", str(one["no"])).status == 0
    assert host.listed()["user:anna"]["source"] == "auto:bulk"
    assert host.rblctl("proposals", "accept", str(one["no"])).status == 1
    other = next(p for p in host.proposals() if p["rule"] == "other")
    assert host.rblctl("proposals", "dismiss", str(other["no"]), "--reason", "is fine").status == 0
    assert host.proposals() == []
    shown = host.rblctl("show", "user:anna").out
    assert "found by rule bulk" in shown and "192.0.2.9" in shown
    (one,) = [r for r in host.rblctl("rules", "--json").json if r["rule"] == "bulk"]
    assert (one["findings"], one["listed"], one["accepted"]) == (1, 1, 1)
    states = {p["rule"]: p["state"] for p in host.proposals("--all")}
    assert states == {"bulk": "listed", "other": "dismissed"}


def test_dismissed_is_silent_and_then_needs_twice_as_much(lab):
    host = Host(lab, [rule("five", over=["5 recipients in 1h"], mode="propose")])
    host.send(5, "anna")
    (one,) = host.proposals()
    host.rblctl("proposals", "dismiss", str(one["no"]))
    host.send(30, "anna")
    assert host.proposals() == []
    host.daemon.terminate()
    with sqlite3.connect(lab.dir / "rules.db") as db:
        db.execute("UPDATE finding SET decided_at = decided_at - 8 * 86400")
    host.begin(active=LOGINS)
    host.send(9, "anna")
    assert host.proposals() == []
    host.send(1, "anna")
    assert [p["entry"] for p in host.proposals()] == ["user:anna"]


# --- counting ---


def test_what_is_counted_of_a_client(lab):
    over = [f"{n} {c} in 24h" for n, c in ((900, "unknown"), (900, "relaying"), (900, "traps"),
                                           (900, "refused"), (900, "messages"))]  # fmt: skip
    dns = lab.dns(listed("192.0.2.66", "bl.test"))
    host = Host(lab, [rule("all", by="client", over=over, share=1, action=["block"])], dns=dns,
                lists=[dnsbl("bl", "bl.test")])  # fmt: skip
    host.refused(2, "4.7.1")  # a stranger is counted from the third event on
    for status in ("5.1.1", "5.1.6", "5.1.10", "5.2.1"):
        host.refused(1, status)
    host.refused(2, "5.7.1", text="Relay access denied")
    host.refused(1, "5.7.1", text="blocked by policy")
    host.refused(1, "4.7.1", text="greylisted")
    mta = host.session()
    host.rcpt(mta, "<trap@e.f>")
    mta.end_of_message()
    for _ in range(5):
        host.send(2, client="192.0.2.66")
    assert counts(host, "192.0.2.9") == {
        "unknown": 4, "relaying": 2, "traps": 1, "messages": 1, "tried": 9, "domains": 1,
    }  # fmt: skip
    assert counts(host, "192.0.2.66") == {"refused": 3}
    assert host.rblctl("usage", "192.0.2.9").status == 0


def counts(host, entry):
    (one,) = host.rblctl("usage", entry, "--json").json
    return {c["count"]: c["value"] for c in one["counts"] if c["value"] > 0}


def test_a_login_that_writes_to_strangers_from_a_new_network(lab):
    """user:u1 has written to r0@e.f from 192.0.2.9 eight days ago (rules_aged.c)."""
    host = Host(lab, [rule("strangers", over=["5 strangers in 24h"])])
    host.send(30, "u1", client="192.0.77.1")  # its provider's network
    host.send(30, "nobody", client="203.0.113.5")  # a login of which nothing is known
    assert counts(host, "user:u1") == {} and host.settle() == {}
    host.send(1, "u1", client="203.0.113.5")  # r0, to whom it has written
    for i in range(4):
        mta = host.session("u1", client="203.0.113.5")
        host.rcpt(mta, f"<new{i}@e.f>")
        host.rcpt(mta, "<new0@e.f>")  # again: a stranger counts once
        mta.end_of_message()
        mta.close()
    assert counts(host, "user:u1") == {"strangers": 4} and host.settle() == {}
    host.daemon.terminate()
    host.begin(aged=False)
    assert counts(host, "user:u1") == {"strangers": 4}
    mta = host.session("u1", client="203.0.113.5")
    host.rcpt(mta, "<new4@e.f>")
    mta.close()
    row = host.settle()["user:u1"]
    assert (row["action"], row["source"]) == ("tempfail", "auto:strangers")
    assert row["reason"] == "5 strangers in 24h: 5"
    assert "strangers in 24h" in host.rblctl("show", "user:u1").out


def test_given_up_is_taken_back_but_not_the_attempts(lab):
    host = Host(lab, [rule("r", over=["900 recipients in 1h", "900 outside in 1h",
                                      "900 unknown in 1h"], share=1)])  # fmt: skip
    mta = host.session("anna")
    for i in range(7):
        host.rcpt(mta, f"<r{i}@e.f>")
    assert counts(host, "user:anna")["recipients"] == 7
    mta.abort()
    mta.abort()
    host.mail(mta, "anna")
    host.rcpt(mta)
    mta.close()
    deadline = time.time() + 10
    while "recipients" in counts(host, "user:anna") and time.time() < deadline:
        time.sleep(0.05)
    assert counts(host, "user:anna") == {"tried": 8}
    host.send(3, "anna")
    assert counts(host, "user:anna") == {"tried": 11, "recipients": 3, "outside": 3}


def test_inside_is_learnt_from_what_the_mta_delivers(lab):
    host = Host(lab, [rule("r", over=["900 outside in 1h"])])
    host.send(4, "anna", mailer="virtual")
    assert counts(host, "user:anna") == {}
    host.send(4, "anna", mailer="relay")  # e.f is one's own now
    assert counts(host, "user:anna") == {}
    mta = host.session("anna")
    host.rcpt(mta, "<x@elsewhere.example>", "relay")
    assert counts(host, "user:anna") == {"outside": 1}


def test_events_of_other_programs(lab):
    host = Host(lab, [rule("c", over=["3 complaints in 7d", "10 messages in 7d"], match="all",
                           share="0.3"), bulk(over=["10 recipients in 1h"])])  # fmt: skip
    for _ in range(9):
        host.send(1, "anna", sender="<a@e.f>")
    assert host.rblctl("event", "complaint", "user:anna", "-n", "3").status == 0
    assert host.settle() == {}
    host.rblctl("event", "list-mail", "user:anna", "-n", "100")
    host.send(1, "anna")
    assert host.settle()["user:anna"]["source"] == "auto:c"
    # mailing list mail is no bulk
    host.rblctl("event", "list-mail", "user:list", "-n", "50")
    host.send(40, "list")
    assert "user:list" not in host.settle()
    assert "no rule counts that" in host.rblctl("event", "bounce", "user:anna").out
    assert host.rblctl("event", "nonsense", "user:anna").status == 2
    assert host.rblctl("event", "complaint", "host:x.example").status == 2
    assert host.rblctl("usage", "user:list", "--reset").status == 0
    assert counts(host, "user:list") == {}


def test_usage_shows_those_nearest_to_a_limit(lab):
    host = Host(lab, [bulk(over=["100 recipients in 1h"])])
    for login, n in (("a", 3), ("b", 9), ("c", 6)):
        host.send(n, login)
    top = host.rblctl("usage", "--top", "2", "--json").json
    assert [one["key"] for one in top] == ["user:b", "user:c"]
    out = host.rblctl("usage").out
    assert "recipients in 1h" in out and "100" in out


# --- the guard rails (docs/rules.md numbers them) ---


def test_1_forged_senders_never_count(lab):
    host = Host(lab, [rule("s", by="sender", over=["5 recipients in 1h"], list=["sender"])])
    for i in range(20):  # some of these clients are listed: not the one that all others have
        host.send(2, sender="<boss@e.f>", client=f"192.0.2.{100 + i}")
    assert not [e for e in host.settle() if "@" in e]
    # with a login, or from a network of one's own, it is theirs; of the clients above, some
    # are listed
    host.send(5, "boss", sender="<boss@e.f>", client="203.0.113.7")
    assert "boss@e.f" in host.settle()
    host.send(5, sender="<web@e.f>", client="198.51.100.7")
    assert "web@e.f" in host.settle()


@pytest.mark.parametrize(
    "login, sender",
    [("postmaster", "<>"), ("abuse@e.f", "<>"), ("", "<>"), ("", "<postmaster@e.f>"),
     ("", "<mailer-daemon@e.f>"), ("", "<exempt@e.f>")],
)  # fmt: skip
def test_2_roles_and_exempt_senders_never(lab, login, sender):
    host = Host(lab, [bulk(over=["2 recipients in 1h"]),
                      rule("s", by="sender", over=["2 recipients in 1h"])],
                exempt={"networks": ["198.51.100.0/24"], "senders": ["exempt@e.f"]})  # fmt: skip
    host.send(9, login, sender=sender, client="198.51.100.7")
    assert host.settle() == {} and host.proposals("--all") == []
    host.send(9, "anna", sender="<anna@e.f>")
    assert set(host.settle()) == {"user:anna", "anna@e.f"}


@pytest.mark.parametrize("client", ["10.1.2.3", "127.0.0.1", "198.51.100.7", "fe80::1"])
def test_2_private_and_exempt_networks_never(lab, client):
    host = Host(lab, [rule("m", by="client", over=["2 recipients in 1h"], action=["block"])])
    host.send(9, client=client)
    assert host.settle() == {} and host.proposals("--all") == []
    host.send(9, client="203.0.113.5")
    assert set(host.settle()) == {"203.0.113.5"}


def test_2_what_an_allow_entry_covers_never(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    host.rblctl("allow", "user:anna")
    host.send(9, "anna")
    assert set(host.settle()) == {"user:anna"} and host.proposals("--all") == []


def test_3_of_a_strangers_sender_the_client_is_listed(lab):
    host = Host(lab, [rule("s", by="sender", over=["5 recipients in 1h"], list=["sender"],
                           action=["block"])])  # fmt: skip
    for _ in range(4):
        host.send(5, sender="<x@away.example>", client="203.0.113.5")
    assert set(host.settle()) == {"203.0.113.5"}


@pytest.mark.parametrize("name", ["mail-1.google.com", None])
def test_4_a_shared_client_is_only_proposed(lab, name):
    host = Host(lab, [rule("m", by="client", over=["30 recipients in 1h"], action=["block"])])
    for i in range(30):
        sender = f"<x@d{i}.example>" if name is None else "<x@d.example>"
        host.send(2, client="203.0.113.5", name=name, sender=sender)
    assert host.settle() == {}
    (one,) = host.proposals()
    assert one["entry"] == "203.0.113.5" and "others may use it" in one["held"]


def test_4_a_client_of_an_allow_list_is_only_proposed(lab):
    dns = lab.dns(listed("203.0.113.5", "wl.test"))
    host = Host(lab, [rule("m", by="client", over=["5 recipients in 1h"], action=["block"])],
                dns=dns, lists=[dnsbl("wl", "wl.test", weight=-4)])  # fmt: skip
    for _ in range(4):
        host.send(5, client="203.0.113.5")
    assert host.settle() == {}
    assert "list of good senders" in host.proposals()[0]["held"]


def test_5_number_and_share_both(lab):
    host = Host(lab, [rule("p", by="client", over=["5 unknown in 24h"], share=80,
                           action=["block"])])  # fmt: skip
    host.send(10, client="203.0.113.5")
    host.refused(6, "5.1.1", client="203.0.113.5")
    assert host.settle() == {}
    host.refused(40, "5.1.1", client="203.0.113.5")
    assert set(host.settle()) == {"203.0.113.5"}


def test_6_beyond_its_caps_a_rule_trips(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])],
                automatic={"mode": "enforce", "max_per_hour": 3}, active=[
                    f"user:u{i}" for i in range(2000)])  # fmt: skip
    for i in range(200):  # active within a day
        host.send(1, f"u{i}")
    for i in range(6):
        host.send(2, f"bad{i}")
        host.settle()
    assert len(host.settle()) <= 3
    assert len(host.proposals()) >= 3
    (one,) = host.rblctl("rules", "--json").json
    assert one["tripped_at"] > 0
    assert "tripped" in host.rblctl("rules").out
    assert "has tripped" in host.daemon.log.text()
    assert "rule bulk has tripped" in host.rblctl("doctor").out
    assert "bulk" in host.rblctl("status").out
    assert host.rblctl("rules", "resume", "nothing").status == 1
    assert host.rblctl("rules", "resume", "bulk").status == 0
    assert host.rblctl("rules", "--json").json[0]["tripped_at"] == 0


def test_6_no_more_than_one_of_a_hundred_logins(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])], active=[])
    for i in range(50):
        host.send(1, f"u{i}")
    for i in range(4):
        host.send(2, f"bad{i}")
        host.settle()
    assert len(host.settle()) == 1 and len(host.proposals()) == 3


def test_7_a_new_rule_proposes_for_seven_days(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    host.daemon.terminate()
    with sqlite3.connect(lab.dir / "rules.db") as db:
        db.execute("UPDATE rule SET since = strftime('%s') - 6 * 86400")
    host.begin(aged=False)
    host.send(2, "anna")
    assert host.settle() == {} and "7 days" in host.proposals()[0]["held"]
    host.daemon.terminate()
    # changed: new again
    with sqlite3.connect(lab.dir / "rules.db") as db:
        db.execute("UPDATE rule SET since = strftime('%s') - 9 * 86400")
    host.text = host.text.replace("2 recipients", "3 recipients")
    host.begin(aged=False)
    host.send(3, "bert")
    assert host.settle() == {} and len(host.proposals()) == 2


def test_7_a_rule_is_known_from_when_it_is_configured(lab):
    """Not from its first finding: one that has watched for months without any is on no trial."""
    host = Host(lab, [bulk()], aged=False)
    began = int(time.time())

    def since():
        done = host.rblctl("rules", "--json")
        return done.json[0]["since"] if done.status == 0 else 0

    wait_until(lambda: since() >= began - 60)
    text = host.text.replace("20 recipients", "30 recipients")
    with sqlite3.connect(lab.dir / "rules.db", timeout=10) as db:
        db.execute("UPDATE rule SET since = 1000")
    (lab.dir / "rblmilter.conf").write_text(text)
    assert host.rblctl("reload").status == 0
    wait_until(lambda: since() >= began)


def test_8_no_finding_from_a_window_not_wholly_observed(lab):
    host = Host(lab, [bulk(over=["2 recipients in 5m"])], aged=False)
    host.send(9, "anna")
    assert host.settle() == {} and host.proposals("--all") == []
    assert "counted for less" in host.rblctl("usage", "user:anna").out


def test_9_after_a_person_removed_it_the_rule_is_silent(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    host.send(2, "anna")
    assert "user:anna" in host.settle()
    assert host.rblctl("remove", "user:anna").status == 0
    host.send(9, "anna")
    assert host.settle() == {} and host.proposals() == []


def test_9_no_rule_changes_a_persons_entry(lab):
    host = Host(lab, [rule("m", by="client", over=["2 unknown in 1h"], share=1,
                           action=["block"])])  # fmt: skip
    host.rblctl("tempfail", "203.0.113.5", "--reason", "mine")
    host.refused(9, "5.1.1", client="203.0.113.5")
    (row,) = host.settle().values()
    assert (row["action"], row["reason"], row["source"]) == ("tempfail", "mine", "manual")
    assert host.proposals("--all") == []


def test_10_what_our_own_entries_refuse_is_no_offence(lab):
    host = Host(lab, [rule("r", by="client", over=["3 refused in 24h"], action=["block"])])
    host.rblctl("add", "bad@away.example")
    for _ in range(9):
        host.send(1, sender="<bad@away.example>", client="203.0.113.5")
    assert set(host.settle()) == {"bad@away.example"}
    assert host.rblctl("usage", "203.0.113.5", "--json").json == []


def test_11_all_of_it_undone_at_once(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])], active=[])
    for i in range(400):
        host.send(1, f"u{i}")
    for i in range(3):
        host.send(2, f"bad{i}")
    host.rblctl("add", "user:mine")
    assert len(host.settle()) == 4
    dry = host.rblctl("remove", "--source", "auto:bulk", "--since", "1h", "--dry-run")
    assert dry.status == 0 and len(host.listed()) == 4
    assert host.rblctl("remove", "--source", "auto:bulk", "--since", "1h").status == 0
    assert set(host.listed()) == {"user:mine"}


# --- trouble ---


def test_a_kill_between_finding_and_entry(lab):
    """Never two entries, never none: what is on disk as pending is made at the start."""
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    host.send(2, "anna")
    before = host.settle()["user:anna"]
    host.daemon.kill()
    with sqlite3.connect(lab.dir / "rules.db") as db:
        db.execute("UPDATE finding SET state = 1")  # killed before it was marked
    host.begin(aged=False)
    wait_until(lambda: host.proposals("--all")[0]["state"] == "listed")
    after = host.listed()["user:anna"]
    assert (after["since"], after["expires"]) == (before["since"], before["expires"])
    host.daemon.kill()
    with sqlite3.connect(lab.dir / "rules.db") as db:
        db.execute("UPDATE finding SET state = 1")
    with sqlite3.connect(lab.dir / "blocklist.db") as db:
        db.execute("DELETE FROM listing")  # killed before the entry was made
    host.begin(aged=False)
    wait_until(lambda: "user:anna" in host.listed())
    assert len(host.proposals("--all")) == 1


def test_a_restart_goes_on_counting(lab):
    host = Host(lab, [bulk()])
    host.send(15, "anna")
    host.daemon.terminate()
    host.begin(aged=False)
    assert counts(host, "user:anna") == {"recipients": 15}
    host.send(5, "anna")
    assert "user:anna" in host.settle()


def test_damaged_files_lose_no_listing(lab):
    host = Host(lab, [bulk()])
    host.send(20, "anna")
    assert "user:anna" in host.settle()
    host.daemon.terminate()
    for name in ("rules.db", "rules.counters"):
        (lab.dir / name).write_bytes(b"\0garbage" * 999)
    for tail in ("-wal", "-shm"):
        (lab.dir / f"rules.db{tail}").unlink(missing_ok=True)
    host.begin(aged=False)
    assert "user:anna" in host.listed()
    wait_until(lambda: host.rblctl("proposals").status == 0)
    assert "put aside" in host.daemon.log.text() and "is damaged" in host.daemon.log.text()
    assert list(lab.dir.glob("rules.db.damaged-*"))


def processor_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_database_that_cannot_be_opened_keeps_no_processor_busy(lab):
    host = Host(lab, [bulk()])
    host.daemon.terminate()
    for file in lab.dir.glob("rules.db*"):
        file.unlink()
    (lab.dir / "rules.db").mkdir()
    host.begin(aged=False)
    wait_until(lambda: "rules.db: unable to open database file" in host.daemon.log.text())
    host.send(20, "anna")  # what is found waits for the database
    before = processor_s(host.daemon.pid)
    time.sleep(1)
    assert processor_s(host.daemon.pid) - before < 0.1
    assert host.listed() == {}


def test_a_reload_changes_a_rule(lab):
    host = Host(lab, [bulk(over=["50 recipients in 1h"], mode="propose")])
    host.send(15, "anna")
    text = host.text.replace("50 recipients", "10 recipients")
    (lab.dir / "rblmilter.conf").write_text(text)
    assert host.rblctl("reload").status == 0
    host.send(1, "anna")
    assert [p["because"] for p in host.proposals()] == ["10 recipients in 1h: 16"]


@pytest.mark.parametrize("seconds", [-86400, 86400])
def test_a_clock_that_jumps_finds_nothing(lab, seconds):
    clock = WallClock(lab.dir)
    host = Host(lab, [bulk()], env=clock.environment())
    host.send(15, "anna")
    clock.jump(seconds)
    host.daemon.log.wait_for("rules: the clock has jumped")
    host.send(30, "anna")
    assert host.settle() == {} and host.proposals("--all") == []
    assert "counted for less" in host.rblctl("usage", "user:anna").out


def test_two_sessions_of_a_login_add_up(lab):
    host = Host(lab, [bulk()])
    sessions = [host.session("anna", client=f"192.0.2.{i}") for i in range(2)]
    for i in range(10):
        for mta in sessions:
            host.rcpt(mta, f"<r{i}@e.f>")
    assert "user:anna" in host.settle()


def test_exempt_recipients_do_not_count(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    mta = host.session("anna")
    for _ in range(9):
        host.rcpt(mta, "<postmaster@e.f>")
    mta.end_of_message()
    assert host.settle() == {}


def test_mode_off_counts_nothing(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])], automatic={"mode": "off"})
    host.send(9, "anna")
    assert host.rblctl("usage", "--json").json == []
    assert host.proposals("--all") == [] and host.settle() == {}


def test_watch_goes_on_where_it_ended(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"], mode="propose")])
    cursor = lab.dir / "cursor"
    cursor.write_text("0\n")
    for i in range(3):
        host.send(2, f"bad{i}")
    assert len(host.proposals()) == 3
    seen = []
    for _ in range(2):
        watch = subprocess.Popen(
            [binary("rblctl"), "-s", lab.dir / "control.sock", "watch", "--json", "--cursor",
             cursor], stdout=subprocess.PIPE, text=True, env=environment())  # fmt: skip
        try:
            for _ in range(3):
                seen.append(json.loads(watch.stdout.readline()))
            wait_until(lambda: cursor.read_text() == f"{seen[-1]['id']}\n")
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()
        for one in host.proposals():
            host.rblctl("proposals", "dismiss", str(one["no"]))
    assert [e["event"] for e in seen] == ["proposed"] * 3 + ["dismissed"] * 3
    assert {e["entry"] for e in seen} == {f"user:bad{i}" for i in range(3)}


# --- real MTAs, and what other programs see ---


def test_a_real_postfix_puts_a_mailbox_off(lab):
    """Unknown recipients that Postfix refuses itself are counted, too."""
    host = Host(lab, [rule("dirty", over=["4 unknown in 1h"], share=20, **{"for": ["1h"]},
                           action=["tempfail"])])  # fmt: skip
    recipients = ["unknown@mx.test"] * 4
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient("192.0.2.9", None, None, "anna")
        smtp.ehlo("x.example")
        smtp.mail("anna@e.f")
        assert smtp.rcpt("d@e.f").code == 250
        for to in recipients:
            assert smtp.rcpt(to).code == 550
        wait_until(lambda: "user:anna" in host.settle())
        reply = smtp.rcpt("x@e.f")
        assert (reply.code, str(reply)[4:9]) == (451, "4.7.1"), reply
    row = host.listed()["user:anna"]
    assert row["reason"].startswith("4 unknown in 1h: 4, 80 % of 5")


class Refuser(threading.Thread):
    """Another milter, behind ours: it refuses each message at its end."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    @staticmethod
    def serve(connection):
        with connection, connection.makefile("rwb") as peer:
            while head := peer.read(4):
                (length,) = struct.unpack(">I", head)
                command = peer.read(length)[:1]
                answer = {b"O": b"O" + struct.pack(">III", 6, 0, 0), b"E": b"r"}.get(command, b"c")
                if command not in b"DAQ":
                    peer.write(struct.pack(">I", len(answer)) + answer)
                    peer.flush()


def test_another_milter_that_refuses_at_the_end(lab):
    """It comes after us, and nobody tells us: what was sent counts (docs/rules.md)."""
    host = Host(lab, [bulk(over=["900 recipients in 1h", "900 messages in 1h"])])
    Refuser(lab.postfix.other_milter_port)
    attempt = lab.send(port=lab.postfix.two_milters_port, login="anna", recipients=("d@e.f", "x@e.f"))
    assert attempt.stage == "data" and attempt.reply.startswith("550"), attempt.replies
    assert counts(host, "user:anna") == {"recipients": 2, "messages": 1}


def follower():
    """The shell text of docs/rules.md."""
    text = (ROOT / "docs" / "rules.md").read_text()
    return text.split("```sh\n")[1].split("```")[0]


def test_the_follower_of_postfixs_log(lab):
    host = Host(lab, [rule("b", over=["900 bounces in 24h"], share=1),
                      rule("a", by="client", over=["900 auth-failures in 24h"])])  # fmt: skip
    for _ in range(2):
        assert lab.send(login="bouncer", recipients=("x@bounce.test", "y@bounce.test")).accepted
    assert lab.send(login="other", recipients=("d@e.f",)).accepted
    wait_until(lambda: lab.postfix.log_text().count("@bounce.test>, relay=local") >= 4)
    failed = (
        "Nov 25 10:00:00 mx postfix/smtpd[1]: warning: x.example[203.0.113.5]: "
        "SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=anna"
    )
    evil = "Nov 25 mx postfix/smtpd[1]: warning: [$(touch pwned)]: SASL LOGIN authentication failed:"
    script = follower().replace("rblctl event", f"'{binary('rblctl')}' -s '{host.rblctl.socket}' event")
    subprocess.run(["sh", "-c", script], input=lab.postfix.log_text() + "\n".join(
        [failed, failed, evil, ""]), text=True, check=True, cwd=lab.dir, env=environment(),
        timeout=60)  # fmt: skip
    assert counts(host, "user:bouncer")["bounces"] == 4
    assert counts(host, "203.0.113.5") == {"auth-failures": 2}
    assert host.rblctl("usage", "user:other", "--json").json[0]["key"] == "user:other"
    assert "bounces" not in counts(host, "user:other")
    assert not (lab.dir / "pwned").exists()


SENDMAIL = """#!/bin/sh
cat >>"$OUT"
echo ==== >>"$OUT"
"""


def test_events_are_mailed_to_postmaster_and_owner(lab):
    host = Host(lab, [bulk(over=["2 recipients in 1h"])])
    (lab.dir / "sendmail").write_text(SENDMAIL)
    (lab.dir / "sendmail").chmod(0o755)
    (lab.dir / "rblctl").symlink_to(binary("rblctl"))
    out = lab.dir / "mails"
    env = {**environment(), "SENDMAIL": str(lab.dir / "sendmail"), "OUT": str(out),
           "OWNER_DOMAIN": "e.f", "PATH": f"{lab.dir}:/usr/bin:/bin"}  # fmt: skip
    command = [ROOT / "etc" / "rblmilter-mail-events", lab.dir / "cursor", "-s",
               host.rblctl.socket]  # fmt: skip

    def run_until(mails):
        process = subprocess.Popen(command, env=env)
        try:
            wait_until(lambda: out.exists() and out.read_text().count("====") >= mails)
            wait_until((lab.dir / "cursor").exists)  # else a kill mails the event again
        finally:
            process.kill()
            process.wait()

    host.send(2, "anna")
    assert "user:anna" in host.settle()
    run_until(2)
    text = out.read_text()
    assert "To: postmaster" in text and "rblctl remove user:anna" in text
    assert "To: anna@e.f" in text and "2 recipients in 1h: 2" in text
    host.rblctl("remove", "user:anna")
    for i in range(150):
        host.send(1, f"u{i}")
    host.send(2, "bert@g.h\nBcc: x@y.z")
    host.send(2, "bert@g.h")
    host.settle()
    run_until(4)
    assert "To: bert@g.h" in out.read_text() and "x@y.z" not in out.read_text()
    assert out.read_text().count("To: anna@e.f") == 1


def test_rights(lab):
    host = Host(lab, [bulk()])
    member = {"user": "nobody"}
    for command in (["rules", "resume", "bulk"], ["proposals", "accept", "1"],
                    ["event", "bounce", "user:a"], ["usage", "user:a", "--reset"]):  # fmt: skip
        assert host.rblctl(*command, **member).status in (3, 4)
