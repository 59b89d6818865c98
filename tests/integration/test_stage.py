# SPDX-License-Identifier: BSD-2-Clause
"""reject-at: the stage at which Postfix is told."""

import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.milterclient import MilterClient
from harness.rblctl import Rblctl
from harness.smtp import Smtp

CLIENT = "192.0.2.1"
GOOD, BAD = "good.example", "bad.example"
TEXT = f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl; why"


def start(lab, stage, **settings):
    rules = (
        listed(CLIENT, "bl.test", txt="why")
        + listed("bad.example", "he.test")
        + listed("bad.example", "sd.test")
    )
    return lab.daemon(
        lab.dns(rules),
        lists=[
            dnsbl("bl", "bl.test"),
            dnsbl("he", "he.test", check=["helo"]),
            dnsbl("sd", "sd.test", check=["sender-domain"]),
        ],
        milter={"reject_at": stage},
        **settings,
    )


# reject-at, the stage at which a listed client is refused
CLIENT_ROWS = [("mail", "mail"), ("rcpt", "rcpt"), ("eom", "data")]


@pytest.mark.parametrize("stage,refused", CLIENT_ROWS)
def test_listed_client(lab, stage, refused):
    start(lab, stage)
    attempt = lab.send(addr=CLIENT)
    assert (attempt.stage, attempt.reply) == (refused, TEXT)


def test_connect(lab):
    """Postfix lets nobody in; libmilter knows no own text there. Nothing that MAIL shows
    may exempt the message then."""
    daemon = start(lab, "connect", exempt={"authenticated": False})
    with Smtp(lab.postfix.smtp_port) as smtp:
        reply = smtp.xclient(CLIENT)
        if reply.code == 220:
            reply = smtp.ehlo()
        assert reply.startswith("554 "), reply
    line = daemon.log.wait_for("reject:")
    assert " from=" not in line and " to=" not in line


def test_helo(lab):
    """Postfix answers EHLO all the same, and says the refusal at each command after it."""
    start(lab, "helo")
    attempt = lab.send(addr=CLIENT)
    assert (attempt.stage, attempt.reply) == ("mail", TEXT)


@pytest.mark.parametrize(
    "stage,refused", [("connect", "mail"), ("helo", "mail"), ("mail", "mail"), ("rcpt", "rcpt")]
)
def test_listed_helo(lab, stage, refused):
    """A fact that comes after reject-at still counts at the stages that follow."""
    start(lab, stage)
    attempt = lab.send(addr="192.0.2.50", helo="bad.example")
    assert (attempt.stage, attempt.reply) == (
        refused,
        "554 5.7.1 Service unavailable; Helo command [bad.example] blocked using he",
    )


@pytest.mark.parametrize("stage", ["connect", "helo", "mail", "rcpt", "eom"])
def test_listed_sender_domain(lab, stage):
    start(lab, stage)
    attempt = lab.send(addr="192.0.2.50", sender="x@bad.example")
    assert not attempt.accepted
    assert attempt.reply == (
        "554 5.7.1 Service unavailable; Sender domain [bad.example] blocked using sd"
    )


@pytest.mark.parametrize("stage", ["connect", "helo", "mail", "rcpt", "eom"])
def test_clean_mail_passes(lab, stage):
    start(lab, stage)
    assert lab.send(addr="192.0.2.50").accepted


def test_tempfail_at_the_end_of_message(lab):
    start(lab, "eom", verdict={"reject": 0, "tempfail": 8})
    attempt = lab.send(addr=CLIENT)
    assert (attempt.stage, attempt.reply) == ("data", TEXT.replace("554 5.7.1", "451 4.7.1"))


@pytest.mark.parametrize(
    "stage,told", [("helo", "mail"), ("mail", "mail"), ("rcpt", "rcpt"), ("eom", "data")]
)
def test_entry_that_puts_off(lab, stage, told):
    start(lab, stage)
    rblctl = Rblctl(lab.dir)
    assert rblctl("tempfail", "192.0.2.48/29", "slow.example").status == 0
    text = "451 4.7.1 Service unavailable; Client host [192.0.2.50] blocked using blocklist"
    attempt = lab.send(addr="192.0.2.50")
    assert attempt.stage == told and attempt.reply.startswith(text), attempt.reply
    attempt = lab.send(addr="192.0.2.77", sender="x@slow.example")
    assert attempt.stage == max(told, "mail", key=["mail", "rcpt", "data"].index)
    assert attempt.reply.startswith("451 4.7.1 x@slow.example is rbl blacklisted")
    assert rblctl("add", "192.0.2.50").status == 0  # nearer than the network
    assert lab.send(addr="192.0.2.50").reply == text.replace("451 4.7.1", "554 5.7.1") + (
        "; https://postmaster.example.org/rbl"
    )
    if stage == "eom":
        assert lab.send(addr="192.0.2.51", recipients=["d@e.f", "postmaster@e.f"]).accepted


def test_entry_that_puts_off_at_connect(lab):
    """Postfix answers EHLO all the same, and libmilter knows no own text there."""
    daemon = start(lab, "connect")
    assert Rblctl(lab.dir)("tempfail", "192.0.2.48/29").status == 0
    attempt = lab.send(addr="192.0.2.50")
    assert attempt.stage == "mail" and attempt.reply.startswith("451 4.7.1 "), attempt.reply
    assert " blocklist=<192.0.2.48/29> " in daemon.log.wait_for("tempfail:")


def test_exempt_recipient_saves_the_message_at_eom(lab):
    """One answer for all recipients there, and the exempt one must get the mail."""
    start(lab, "eom")
    assert lab.send(addr=CLIENT, recipients=["d@e.f", "postmaster@e.f"]).accepted
    assert lab.send(addr=CLIENT, recipients=["d@e.f"]).reply == TEXT


def test_exempt_recipient_saves_no_other_message(lab):
    """Of several in one session, each has its own recipients."""
    start(lab, "eom")
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        for recipient, reply in (("postmaster@e.f", "250"), ("d@e.f", TEXT)):
            smtp.mail()
            assert smtp.rcpt(recipient).code == 250
            assert smtp.data("Subject: test\n\nHello\n").startswith(reply)


@pytest.mark.parametrize(
    "sender,author",
    [(GOOD, GOOD), (GOOD, BAD), (BAD, GOOD)],
    ids=["clean", "author", "sender"],
)
@pytest.mark.parametrize("stage", ["connect", "rcpt"])
def test_one_deadline_a_message(lab, stage, sender, author):
    """However many stages look up what is silent; and lists that answer at a later one
    count all the same."""
    dns = lab.dns(
        [{"suffix": "quiet.test", "silent": True}]
        + listed(BAD, "sd.test")
        + listed(BAD, "fd.test")
    )
    checks = ["client", "helo", "sender-domain", "from-domain"]
    points = {"weight": 8, "test_listed": "", "test_unlisted": ""}
    daemon = lab.daemon(
        dns,
        lists=[
            dnsbl("quiet", "quiet.test", check=checks, **points),
            dnsbl("sd", "sd.test", check=["sender-domain"], **points),
            dnsbl("fd", "fd.test", check=["from-domain"], **points),
        ],
        milter={"reject_at": stage},
        exempt={"authenticated": False},
        resolver={"deadline": "2s", "timeout": "2s"},
    )
    with MilterClient(daemon.milter_socket) as mta:
        mta.negotiate()
        began = time.monotonic()
        replies = [mta.connect(), mta.helo(), mta.mail(f"<a@{sender}>")]
        if sender == GOOD:
            replies.append(mta.rcpt())
            mta.header("From", f"a@{author}")
            replies.append(mta.end_of_message())
        elif stage == "rcpt":
            replies.append(mta.rcpt())
        seconds = time.monotonic() - began
    assert replies[-1].kind == ("reply" if BAD in (sender, author) else "continue")
    assert seconds < 2.5
    if (stage, sender) != ("rcpt", BAD):
        assert seconds > 1, "else there was nothing to wait for"
