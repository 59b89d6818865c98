# SPDX-License-Identifier: BSD-2-Clause
"""From: and Reply-To: as subjects of lists and of the sender blocklist, judged at the end of
the message."""

import hashlib
import subprocess

import pytest

from harness.conf import dnsbl
from harness.daemon import binary, environment
from harness.dns import listed
from harness.rblctl import Rblctl
from harness.smtp import Smtp

BAD = "bad.example"


def message(*fields):
    return "\n".join(fields) + "\nSubject: x\n\nHello\n"


def domain_list(name="dbl", zone="dbl.test", check=("from-domain",), **options):
    return dnsbl(name, zone, check=list(check), **options)


def listing(domain=BAD, zone="dbl.test", **more):
    return [{"name": f"{domain}.{zone}", "a": ["127.0.0.2"], **more}]


# label, the header fields, whether it is refused
FROMS = [
    ("plain", ["From: a@bad.example"], True),
    ("with a name", ["From: Anna <a@bad.example>"], True),
    ("folded", ["From: Anna", "\t<a@bad.example>"], True),
    ("second of two", ["From: a@good.example, b@bad.example"], True),
    ("second field", ["From: a@good.example", "From: b@bad.example"], True),
    ("in the name only", ["From: \"b@bad.example\" <a@good.example>"], False),
    ("in a comment only", ["From: a@good.example (b@bad.example)"], False),
    ("an encoded name", ["From: =?utf-8?q?b=40bad.example?= <a@good.example>"], False),
    ("Reply-To is not From", ["From: a@good.example", "Reply-To: b@bad.example"], False),
    ("another domain", ["From: a@good.example"], False),
    ("empty", ["From:"], False),
    ("none", ["To: x@y.example"], False),
]  # fmt: skip


def test_from_domain(lab):
    dns = lab.dns(listing(txt=["why"]))
    lab.daemon(dns, lists=[domain_list()])
    for label, fields, refused in FROMS:
        attempt = lab.send(message=message(*fields))
        assert attempt.stage == "data", (label, attempt.replies)
        if refused:
            assert attempt.reply == (
                "554 5.7.1 Service unavailable; From domain [bad.example] "
                "blocked using dbl; why"
            ), label
        else:
            assert attempt.accepted, (label, attempt.reply)


def test_other_checks_name_what_they_are_about(lab):
    """Reply-To, its domain, and the hash of a From: address."""
    digest = hashlib.sha1(b"anna@hashed.example").hexdigest()
    dns = lab.dns(listing("reply.example", "r.test") + [
        {"name": f"{digest}.h.test", "a": ["127.0.0.2"]}])
    lab.daemon(dns, lists=[
        domain_list("r", "r.test", ["reply-to-domain"]),
        domain_list("h", "h.test", ["from", "reply-to"], hash="sha1")])
    reply = lab.send(message=message("From: a@b.example", "Reply-To: c@reply.example")).reply
    assert "Reply-To domain [reply.example] blocked using r" in reply
    reply = lab.send(message=message("From: Anna@hashed.example")).reply
    assert "From address [Anna@hashed.example] blocked using h" in reply
    reply = lab.send(message=message("From: a@b.example", "Reply-To: <anna@hashed.example>")).reply
    assert "Reply-To address [anna@hashed.example] blocked using h" in reply
    assert lab.send(message=message("From: a@b.example")).accepted


def test_adds_to_the_score_of_the_client(lab):
    client = "192.0.2.1"
    dns = lab.dns(listed(client, "bl.test") + listing())
    daemon = lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=5), domain_list(weight=5)])
    assert lab.send(addr=client, message=message("From: a@good.example")).accepted
    attempt = lab.send(addr=client, message=message("From: a@bad.example"))
    assert attempt.stage == "data" and attempt.reply.code == 554
    assert lab.send(message=message("From: a@bad.example")).accepted
    assert "score=10/8" in daemon.log.text()
    (decision,) = Rblctl(lab.dir)("--json", "why", client, "--verdict", "reject").json["decisions"]
    rows = {row["list"]: row for row in decision["lists"]}
    assert rows["dbl"]["what"] == BAD and rows["dbl"]["weight"] == 5
    assert rows["bl"]["weight"] == 5 and decision["score"] == 10


def test_monitor_exempt_and_allowed(lab):
    dns = lab.dns(listing() + listing("watched.example", "mon.test"))
    lab.daemon(dns, lists=[domain_list(), domain_list("mon", "mon.test", mode="monitor")],
               exempt={"networks": ["198.51.100.0/24"]})  # fmt: skip
    bad = message("From: a@bad.example")
    assert lab.send(message=message("From: a@watched.example")).accepted
    assert lab.send(addr="198.51.100.1", message=bad).accepted
    assert Rblctl(lab.dir)("allow", "friend@x.example").status == 0
    assert lab.send(sender="friend@x.example", message=bad).accepted
    with Smtp(lab.postfix.smtp_port) as smtp:  # one reply for all: an exempt one saves it
        smtp.xclient("192.0.2.9")
        smtp.ehlo()
        smtp.mail("s@x.example")
        assert smtp.rcpt("b@c.example").code == smtp.rcpt("postmaster@c.example").code == 250
        assert smtp.data(bad).code == 250
    assert lab.send(message=bad).reply.code == 554


def test_allow_list_that_is_not_heard_puts_off(lab):
    dns = lab.dns(listing() + [{"suffix": "wl.test", "silent": True}])
    lab.daemon(dns, lists=[domain_list(), domain_list("wl", "wl.test", weight=-8)])
    attempt = lab.send(message=message("From: a@bad.example"))
    assert attempt.stage == "data" and attempt.reply.code == 451


def test_two_messages_of_one_session(lab):
    dns = lab.dns(listing())
    lab.daemon(dns, lists=[domain_list()])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient("192.0.2.9")
        smtp.ehlo()
        for fields, code in ((["From: a@bad.example"], 554), (["To: x@y.example"], 250),
                             (["From: a@bad.example"], 554)):  # fmt: skip
            smtp.mail("s@x.example")
            assert smtp.rcpt("b@c.example").code == 250
            assert smtp.data(message(*fields)).code == code


def test_header_from_of_the_blocklist(lab):
    lab.daemon(lab.dns(), blocklist={"header_from": True}, reply={"url": "https://x.example"})
    ctl = Rblctl(lab.dir)
    assert ctl("add", "anna@spam.example", BAD).status == 0
    reply = lab.send(message=message("From: Anna <Anna@spam.example>")).reply
    assert reply == "554 5.7.1 Anna@spam.example is rbl blacklisted - https://x.example"
    assert lab.send(message=message("From: x@sub.bad.example")).reply.code == 554
    assert lab.send(message=message("From: bert@spam.example")).accepted
    # a From: may block, never allow
    assert ctl("allow", "good.example").status == 0
    assert ctl("add", "192.0.2.77").status == 0
    assert lab.send(addr="192.0.2.77", message=message("From: a@good.example")).reply.code == 554
    assert lab.send(sender="a@good.example", message=message("From: x@bad.example")).accepted


def test_off_by_default(lab):
    """No list looks at headers: they are not asked for, and From: is not looked up."""
    lab.daemon(lab.dns())
    assert Rblctl(lab.dir)("add", BAD).status == 0
    assert lab.send(message=message("From: x@bad.example")).accepted
    assert lab.milter().steps & 0x20  # SMFIP_NOHDRS


ERRORS = [
    ({"check": ["from"]}, "expected hash"),
    ({"check": ["from-domain", "sender"], "hash": "sha1"}, "hash is of addresses"),
    ({"check": ["from-domain"], "after": ["dbl"]}, "expected no after"),
]


@pytest.mark.parametrize("options,error", ERRORS, ids=[e for _, e in ERRORS])
def test_what_cannot_be(lab, options, error):
    conf = lab.dir / "bad.conf"
    conf.write_text(lab.conf(lists=[domain_list(), dnsbl("x", "x.test", **options)]))
    done = subprocess.run([binary(), "-t", "-c", conf], capture_output=True, text=True,
                          env=environment(), timeout=60)  # fmt: skip
    assert done.returncode == 1 and error in done.stderr
