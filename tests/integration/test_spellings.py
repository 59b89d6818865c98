# SPDX-License-Identifier: BSD-2-Clause
"""No way of writing an address makes us and the MTA read two of it: Postfix takes what
RFC 822 allowed, comments and all."""

import pytest

from harness.conf import dnsbl
from harness.smtp import Smtp


@pytest.fixture(scope="module")
def world(module_lab):
    dns = module_lab.dns([{"suffix": "bad.example.bl.test", "a": ["127.0.0.2"]}])
    module_lab.daemon(
        dns,
        lists=[dnsbl("bl", "bl.test", check=["sender-domain"])],
        exempt={"recipients": ["postmaster", "@open.test", "@mx.test"]},
    )
    return module_lab


def replies(world, sender, recipient="<d@e.f>"):
    with Smtp(world.postfix.smtp_port) as smtp:
        smtp.xclient("192.0.2.1")
        smtp.ehlo()
        mail = smtp.command(b"MAIL FROM:" + sender)
        return mail, smtp.command(b"RCPT TO:" + recipient.encode())


SENDERS = [
    ("plain", b"<x@from.bad.example>"),
    ("without <>", b"x@from.bad.example"),
    ("space before >", b"<x@from.bad.example >"),
    ("space behind <", b"< x@from.bad.example>"),
    ("spaces around the at", b"<x @ from.bad.example>"),
    ("comment behind", b"<x@from.bad.example (a comment)>"),
    ("comment before the domain", b"<x@(a comment)from.bad.example>"),
    ("an address in a comment", b"<x@from.bad.example (y@good.example)>"),
    ("an address in a comment without end", b"<x@from.bad.example (y@good.example>"),
    ("dot at the end", b"<x@from.bad.example.>"),
    ("route", b"<@a.example,@b.example:x@from.bad.example>"),
    ("quoted local part", b'<"x y@good.example"@from.bad.example>'),
    ("a phrase before it", b"good@good.example <x@from.bad.example>"),
    ("percent", b"<x%from.bad.example>"),
    ("percent, at the MTA", b"<x%from.bad.example@mx.test>"),
    ("bang", b"<from.bad.example!x>"),
    ("local part of 64", b"<" + b"x" * 64 + b"@from.bad.example>"),
    ("local part of 400", b"<" + b"x" * 400 + b"@from.bad.example>"),
    ("local part of 1200", b"<" + b"x" * 1200 + b"@from.bad.example>"),
]


@pytest.mark.parametrize("row", SENDERS, ids=[r[0] for r in SENDERS])
def test_sender(world, row):
    mail, rcpt = replies(world, row[1])
    assert mail.code >= 500 or rcpt.code == 554, (mail, rcpt)


RECIPIENTS = [
    ("the local part in a comment", "<victim@e.f (postmaster)>"),
    ("the domain in a comment without end", "<victim@e.f (@open.test>"),
    ("the domain behind a space", "<victim@e.f @open.test>"),
    ("a route through the domain", "<@open.test:victim@e.f>"),
    ("in quotes without end", '<"postmaster>@e.f'),
    ("group", "<postmaster:victim@e.f;>"),
    ("by way of the domain", "<victim%e.f@mx.test>"),
    ("bang, by way of the domain", "<e.f!victim@mx.test>"),
    ("two", "<postmaster,victim@e.f>"),
]


@pytest.mark.parametrize("row", RECIPIENTS, ids=[r[0] for r in RECIPIENTS])
def test_recipient_that_only_looks_exempt(world, row):
    mail, rcpt = replies(world, b"<x@from.bad.example>", row[1])
    assert rcpt.code >= 500, (mail, rcpt)


def test_exempt_recipients_are(world):
    for recipient in ("<postmaster>", "<PostMaster@e.f>", '<"postmaster"@e.f>', "<x@open.test>"):
        mail, rcpt = replies(world, b"<x@from.bad.example>", recipient)
        assert (mail.code, rcpt.code) == (250, 250), (recipient, mail, rcpt)
