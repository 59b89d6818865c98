# SPDX-License-Identifier: BSD-2-Clause
"""The sender blocklist on a message's way: who is refused with what reply, and who is not."""

import re
import shutil
import subprocess

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl

URL = "https://postmaster.example.org/rbl"
ON_A_LIST = "192.0.2.1"
EXEMPT = {
    "networks": ["127.0.0.0/8", "198.51.100.0/24"],
    "senders": ["@friend.example"],
    "recipients": ["postmaster"],
}


def refused(what):
    return f"554 5.7.1 {what} is rbl blacklisted - {URL}"


def put_off(what):
    return f"451 4.7.1 {what} is rbl blacklisted - {URL}"


def refused_client(what):
    return f"554 5.7.1 Service unavailable; Client host [{what}] blocked using blocklist; {URL}"


@pytest.fixture(scope="module")
def world(module_lab):
    dns = module_lab.dns(listed(ON_A_LIST, "bl.test") + listed("192.0.2.2", "bl.test"))
    module_lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test")], exempt=EXEMPT, blocklist={"strip_tags": True, "strip_verp": True}
    )
    rblctl = Rblctl(module_lab.dir)
    for command in (
        ["add", "anna.a@domain.xyz", "-r", "bulk mail, ticket 4711"],
        ["add", "spam.example", "host:relay.bad.example", "user:hijacked", "foe@friend.example"],
        ["add", "203.0.113.0/24", "2001:db8:bad::/48"],
        ["add", "exämple.org", "müller@mail.example"],
        ["add", "198.51.100.66", "--force"],
        ["allow", "good@spam.example", "192.0.2.2", "203.0.113.25"],
        ["add", "list-bounces@list.example"],
        ["add", "tie.example"],
        ["allow", "tie.example"],
        ["tempfail", "slow.example", "x@spam.example.net", "user:hasty", "203.0.113.64/28"],
        ["add", "x@slow.example"],
        ["allow", "good@slow.example"],
    ):
        assert rblctl(*command).status == 0, command
    return module_lab


# label, mail, the whole reply (None: accepted)
ROWS = [
    ("nobody listed", {}, None),
    ("an address", {"sender": "anna.a@domain.xyz"}, refused("anna.a@domain.xyz")),
    ("in capitals", {"sender": "Anna.A@DOMAIN.xyz"}, refused("anna.a@domain.xyz")),
    ("with a tag", {"sender": "anna.a+news@domain.xyz"}, refused("anna.a+news@domain.xyz")),
    ("another address there", {"sender": "anna@domain.xyz"}, None),
    ("a domain", {"sender": "x@spam.example"}, refused("x@spam.example")),
    ("below a domain", {"sender": "x@a.b.spam.example"}, refused("x@a.b.spam.example")),
    ("a name that ends so", {"sender": "x@nospam.example"}, None),
    ("an IDN as A-label", {"sender": "x@xn--exmple-cua.org"}, refused("x@xn--exmple-cua.org")),
    ("allowed below a listed domain", {"sender": "good@spam.example"}, None),
    ("a tie", {"sender": "x@tie.example"}, None),
    ("a network", {"addr": "203.0.113.9"}, refused_client("203.0.113.9")),
    ("allowed within a network", {"addr": "203.0.113.25"}, None),
    ("an IPv6 network", {"addr": "2001:db8:bad:7::9"}, refused_client("2001:db8:bad:7::9")),
    ("a host, by the client's name",
     {"addr": "192.0.2.77", "name": "mx1.relay.bad.example"}, refused_client("192.0.2.77")),
    ("a host, by HELO",
     {"addr": "192.0.2.77", "helo": "relay.bad.example"}, refused_client("192.0.2.77")),
    ("an unconfirmed name", {"reverse_name": "relay.bad.example"}, None),
    ("within BATV", {"sender": "prvs=4123a4b5c6=anna.a@domain.xyz"},
     refused("prvs=4123a4b5c6=anna.a@domain.xyz")),
    ("within SRS", {"sender": "SRS0=HHH=TT=domain.xyz=anna.a@fwd.example"},
     refused("srs0=hhh=tt=domain.xyz=anna.a@fwd.example")),
    ("a domain within SRS", {"sender": "SRS0=HHH=TT=spam.example=x@fwd.example"},
     refused("srs0=hhh=tt=spam.example=x@fwd.example")),
    ("another address within SRS", {"sender": "SRS0=HHH=TT=domain.xyz=anna@fwd.example"}, None),
    ("allowed within SRS: that saves nobody", {
        "sender": "SRS0=HHH=TT=spam.example=good@fwd.example", "addr": "203.0.113.9"},
     refused_client("203.0.113.9")),
    ("VERP", {"sender": "list-bounces-anna-b=example.org@list.example"},
     refused("list-bounces-anna-b=example.org@list.example")),
    ("VERP of another list", {"sender": "list-b-anna=example.org@list.example"}, None),
    ("a login", {"login": "hijacked", "sender": "x@y.example"}, refused("x@y.example")),
    ("a login, null sender", {"login": "hijacked", "sender": ""}, refused("<>")),
    ("another login", {"login": "anna", "addr": ON_A_LIST}, None),
    ("a listed sender who logged in",
     {"login": "anna", "sender": "x@spam.example"}, refused("x@spam.example")),
    ("from an exempt network",
     {"addr": "198.51.100.7", "sender": "x@spam.example"}, refused("x@spam.example")),
    ("an exempt sender that is listed",
     {"sender": "foe@friend.example"}, refused("foe@friend.example")),
    ("listed though its network is exempt", {"addr": "198.51.100.66"}, refused_client("198.51.100.66")),
    ("to an exempt recipient",
     {"sender": "x@spam.example", "recipients": ["postmaster@e.f"]}, None),
    ("put off", {"sender": "a@mail.slow.example"}, put_off("a@mail.slow.example")),
    ("put off, though on a DNS list",
     {"sender": "a@slow.example", "addr": ON_A_LIST}, put_off("a@slow.example")),
    ("put off from an exempt network, logged in",
     {"sender": "a@slow.example", "addr": "198.51.100.7", "login": "anna"}, put_off("a@slow.example")),
    ("a login that is put off", {"login": "hasty", "sender": "a@b.example"}, put_off("a@b.example")),
    ("blocked in a domain that is put off", {"sender": "x@slow.example"}, refused("x@slow.example")),
    ("allowed in a domain that is put off", {"sender": "good@slow.example"}, None),
    ("put off in a blocked network", {"addr": "203.0.113.66"},
     refused_client("203.0.113.66").replace("554 5.7.1", "451 4.7.1")),
    ("a client put off, the sender blocked", {"addr": "203.0.113.66", "sender": "x@spam.example"},
     refused("x@spam.example")),
    ("a client put off, to an exempt recipient",
     {"addr": "203.0.113.66", "recipients": ["postmaster@e.f"]}, None),
    ("on a DNS list, and not allowed", {"addr": ON_A_LIST},
     f"554 5.7.1 Service unavailable; Client host [{ON_A_LIST}] blocked using bl"),
    ("on a DNS list, but allowed", {"addr": "192.0.2.2"}, None),
    ("allowed client, listed sender",
     {"addr": "192.0.2.2", "sender": "x@spam.example"}, None),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_reply(world, row):
    _, mail, reply = row
    attempt = world.send(**mail)
    if reply is None:
        assert attempt.accepted, attempt.replies
    else:
        assert attempt.stage == "rcpt" and attempt.reply == reply


def test_smtputf8_sender(world):
    """An address in letters of any script, listed as it is written."""
    attempt = world.send(sender="M\u00dcLLER@mail.example", mail_parameters=" SMTPUTF8")
    assert attempt.reply == refused("m\\xC3\\xBCller@mail.example")


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="fail2ban is not installed")
def test_fail2ban_knows_who_was_refused(world):
    """By its own postfix filter, which takes the addresses from Postfix's log: clients and
    hosts that are listed, not those whose sender is."""
    for mail in (
        {"addr": "203.0.113.40"},
        {"addr": "192.0.2.78", "helo": "relay.bad.example"},
        {"addr": "192.0.2.79", "sender": "x@spam.example"},
    ):
        assert not world.send(**mail).accepted
    log = world.postfix.log
    for client in ("203.0.113.40", "192.0.2.78", "192.0.2.79"):
        log.wait_for(re.escape(f"[{client}]: 554"))
    text = log.path.read_text().replace("postfix-rblmilter-test/", "postfix/")
    (world.dir / "mail.log").write_text(text)
    run = subprocess.run(
        ["fail2ban-regex", "-o", "ip", world.dir / "mail.log", "postfix[mode=rbl]"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = set(run.stdout.split())
    assert {"203.0.113.40", "192.0.2.78"} <= found, run
    assert "192.0.2.79" not in found, run
