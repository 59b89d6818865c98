# SPDX-License-Identifier: BSD-2-Clause
"""Who is not asked about, and in which order the rules stand."""

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.smtp import Smtp

CLIENT = "192.0.2.1"
ONE = dnsbl("bl", "bl.test", weight=8)

LISTED = listed(CLIENT, "bl.test") + listed("198.51.100.7", "bl.test") + listed(
    "2001:db8:5::1", "bl.test"
)

EXEMPT = {
    "networks": ["127.0.0.0/8", "198.51.100.0/24", "2001:db8:5::/48"],
    "recipients": ["postmaster", "help@a.example", "@open.example"],
    "senders": ["friend@b.example", "@partner.example"],
}

# label, mail, exempt= of the log line (None: refused)
ROWS = [
    ("listed and not exempt", {}, None),
    ("network", {"addr": "198.51.100.7"}, "network"),
    ("network, IPv6", {"addr": "2001:db8:5::1"}, "network"),
    ("login", {"login": "anna"}, "authenticated"),
    ("recipient by local part", {"recipients": ["postmaster@any.example"]}, "recipient"),
    ("local part in capitals", {"recipients": ["PostMaster@any.example"]}, "recipient"),
    ("recipient by address", {"recipients": ["help@a.example"]}, "recipient"),
    ("the same local part elsewhere", {"recipients": ["help@c.example"]}, None),
    ("recipient by domain", {"recipients": ["x@open.example"]}, "recipient"),
    ("below that domain", {"recipients": ["x@sub.open.example"]}, None),
    ("sender by address", {"sender": "friend@b.example"}, "sender"),
    ("sender in capitals", {"sender": "Friend@B.Example"}, "sender"),
    ("sender by domain", {"sender": "x@partner.example"}, "sender"),
    ("another sender there", {"sender": "foe@b.example"}, None),
    ("the null sender", {"sender": ""}, None),
]


@pytest.fixture(scope="module")
def world(module_lab):
    module_lab.name_server = module_lab.dns(LISTED)
    module_lab.running = module_lab.daemon(
        module_lab.name_server, lists=[ONE], exempt=EXEMPT
    )
    return module_lab


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_exempt(world, row):
    _, mail, why = row
    since = world.running.log.count()
    attempt = world.send(**{"addr": CLIENT, **mail})
    if why is None:
        assert attempt.reply.startswith("554 5.7.1 Service unavailable; Client host [")
        return
    assert attempt.accepted, attempt.replies
    assert f" exempt={why} " in world.running.log.wait_for("accept:", since)


def test_both_kinds_of_recipients_in_one_message(world):
    """The exempt one is served, the other refused, whichever comes first."""
    for order in (["postmaster@e.f", "d@e.f"], ["d@e.f", "postmaster@e.f"]):
        with Smtp(world.postfix.smtp_port) as smtp:
            smtp.xclient(CLIENT)
            smtp.ehlo()
            smtp.mail()
            replies = {to: smtp.rcpt(to) for to in order}
            assert replies["postmaster@e.f"] == "250 2.1.5 Ok"
            assert replies["d@e.f"] == (
                f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl"
            )
            assert smtp.data().code == 250


def test_exempt_client_costs_no_question(world):
    before = len(world.name_server.queries())
    assert world.send(addr="198.51.100.200").accepted
    assert world.name_server.queries()[before:] == []
