# SPDX-License-Identifier: BSD-2-Clause
"""The headers that are added, and the forged ones that are removed."""

import re
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.ports import free_port

HALF, CLEAN, ALLOWED = "192.0.2.4", "192.0.2.10", "192.0.2.20"

FORGED = (
    "Subject: test\n"
    "X-RBL-Score: -100/8\n"
    "x-rbl-lists: forged(127.0.0.2:1)\n"
    "X-Other: stays\n"
    "X-RBL-SCORE: 1\n"
    "X-Rbl-Score: folded\n  away\n"
    "\n"
    "X-RBL-Score: in the body\n"
)


@pytest.fixture(scope="module")
def world(module_lab):
    rules = (
        listed(HALF, "one.test", "127.0.0.2")
        + listed(HALF, "two.test", "127.0.0.9")
        + listed(ALLOWED, "wl.test", "127.0.9.3")
        + listed(ALLOWED, "mon.test", "127.0.9.3")
    )
    module_lab.daemon(
        module_lab.dns(rules),
        lists=[
            dnsbl("one", "one.test", weight=3),
            dnsbl("two", "two.test", weight=2),
            dnsbl("wl", "wl.test", weight=-5),
            dnsbl("mon", "mon.test", weight=-5, mode="monitor"),  # changes no message
        ],
        verdict={"reject": 8, "tag": 4},
    )
    return module_lab


def headers_of(mail):
    """Header fields as (name, value), unfolded; the body is left out."""
    head = mail.partition("\n\n")[0]
    return re.findall(r"^([^\s:]+): *((?:.|\n[ \t])*)$", head, re.M)


def values(mail, name):
    return [re.sub(r"\n\s+", " ", v) for n, v in headers_of(mail) if n.lower() == name.lower()]


def deliver(world, sink, **mail):
    attempt = world.send(recipients=["x@sink.test"], **mail)
    assert attempt.accepted, attempt.replies
    return sink.next_mail()


def scores(mail):
    """Our own scores end with the decision's id, which is taken off."""
    return [re.sub(r"; id=[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$", "", value)
            for value in values(mail, "X-RBL-Score")]


def test_tagged_mail_says_why(world, sink):
    mail = deliver(world, sink, addr=HALF)
    assert scores(mail) == ["5/8"]
    assert values(mail, "X-RBL-Lists") == ["one(127.0.0.2:3), two(127.0.0.9:2)"]


def test_clean_mail_has_no_header(world, sink):
    mail = deliver(world, sink, addr=CLEAN)
    assert values(mail, "X-RBL-Score") == values(mail, "X-RBL-Lists") == []
    assert values(mail, "Authentication-Results") == []


def test_forged_headers_are_removed_from_clean_mail(world, sink):
    mail = deliver(world, sink, addr=CLEAN, message=FORGED)
    assert values(mail, "X-RBL-Score") == values(mail, "X-RBL-Lists") == []
    assert values(mail, "X-Other") == ["stays"] and values(mail, "Subject") == ["test"]
    assert mail.endswith("\n\nX-RBL-Score: in the body\n")


def test_forged_headers_are_replaced_in_tagged_mail(world, sink):
    mail = deliver(world, sink, addr=HALF, message=FORGED)
    assert scores(mail) == ["5/8"]
    assert values(mail, "X-RBL-Lists") == ["one(127.0.0.2:3), two(127.0.0.9:2)"]
    assert values(mail, "X-Other") == ["stays"]


def test_forged_headers_are_removed_where_nobody_is_asked(world, sink):
    """From exempt networks, too: who reads the header trusts it."""
    mail = deliver(world, sink, addr="127.0.0.9", message=FORGED)
    assert values(mail, "X-RBL-Score") == values(mail, "X-RBL-Lists") == []


def test_allow_list_is_told_as_rfc_8904_says(world, sink):
    mail = deliver(world, sink, addr=ALLOWED)
    assert values(mail, "Authentication-Results") == [
        "mx.test; dnswl=pass dns.zone=wl.test policy.ip=127.0.9.3"
    ]


def test_allow_list_that_answers_after_the_verdict_is_told(lab):
    """No score of it could change the verdict; but for a moment the end is held back."""
    late = [{**rule, "delay_ms": 300} for rule in listed(ALLOWED, "wl.test", "127.0.9.3")]
    late.append({"suffix": "wl.test", "rcode": "NXDOMAIN", "delay_ms": 300})
    socket = f"inet:{free_port()}@127.0.0.1"
    lab.daemon(lab.dns(late), socket=socket, lists=[dnsbl("wl", "wl.test", weight=-5)])
    waits = []
    for n in range(5):
        client = lab.milter(socket=socket)
        began = time.monotonic()
        assert client.envelope(ALLOWED if n == 4 else f"198.51.100.{n}").kind == "continue"
        waits.append(time.monotonic() - began)
    assert min(waits) < 0.3, "the verdict did not wait for it"
    added = client.end_of_message(macros={"j": "mx.test"}).added_headers()
    assert [(n, re.sub(r"\n\s+", " ", v)) for n, v in added] == [
        ("Authentication-Results", "mx.test; dnswl=pass dns.zone=wl.test policy.ip=127.0.9.3")
    ]


def test_second_message_of_a_session_keeps_its_own_headers(world, sink):
    """Counts of forged headers belong to a message, not to the session."""
    from harness.smtp import Smtp

    with Smtp(world.postfix.smtp_port) as smtp:
        smtp.xclient(HALF)
        smtp.ehlo()
        for message in (FORGED, "Subject: plain\n\nbody\n"):
            smtp.mail()
            smtp.rcpt("x@sink.test")
            assert smtp.data(message).code == 250
            mail = sink.next_mail()
            assert scores(mail) == ["5/8"]


def test_flood_of_forged_headers_costs_little(world, sink):
    """Postfix looks for each header to be removed from the first one on."""
    flood = "X-RBL-Score: 1\n" * 30000
    began = time.monotonic()
    mail = deliver(world, sink, addr=HALF, message=f"Subject: test\n{flood}\nbody\n")
    assert time.monotonic() - began < 10
    assert scores(mail)[-1] == "5/8"
    assert values(mail, "X-RBL-Lists") == ["one(127.0.0.2:3), two(127.0.0.9:2)"]
