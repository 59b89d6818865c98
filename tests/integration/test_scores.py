# SPDX-License-Identifier: BSD-2-Clause
"""How the answers of several lists make one score, and which lists are asked when."""

from harness.conf import dnsbl
from harness.dns import listed


def test_dnswl_lowers_the_score(lab):
    """8 of a blocklist and -5 of an allow list: 3, below all thresholds."""
    dns = lab.dns(
        listed("192.0.2.1", "bl.test", "127.0.0.2")
        + listed("192.0.2.1", "wl.test", "127.0.9.3")
        + listed("192.0.2.2", "bl.test", "127.0.0.2")
    )
    daemon = lab.daemon(
        dns,
        lists=[
            dnsbl("bl", "bl.test", weight=8),
            dnsbl("wl", "wl.test", {"127.0.*.3": {"weight": -5, "label": "high"}}, weight=0),
        ],
    )
    assert lab.send(addr="192.0.2.1").accepted
    assert "score=3/8 lists=bl(127.0.0.2:8),wl(127.0.9.3:-5)" in daemon.log.wait_for("192.0.2.1")
    assert lab.send(addr="192.0.2.2").reply.code == 554


def test_scores_of_lists_add_up(lab):
    dns = lab.dns(
        listed("192.0.2.1", "one.test", "127.0.0.2")
        + listed("192.0.2.1", "two.test", "127.0.0.2", txt="two says so")
    )
    daemon = lab.daemon(
        dns, lists=[dnsbl("one", "one.test", weight=4), dnsbl("two", "two.test", weight=4)]
    )
    attempt = lab.send(addr="192.0.2.1")
    assert attempt.reply == (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using one"
    )
    assert "score=8/8 lists=one(127.0.0.2:4),two(127.0.0.2:4)" in daemon.log.wait_for("reject:")


def test_when_null_sender(lab):
    """A list that is asked for bounces only."""
    dns = lab.dns(listed("192.0.2.1", "bs.test", "127.0.0.2", txt="backscatter"))
    lab.daemon(dns, lists=[dnsbl("bs", "bs.test", weight=8, when="null-sender")])
    assert lab.send(addr="192.0.2.1", sender="anna@clean.example").accepted
    assert dns.names() == []
    assert lab.send(addr="192.0.2.1", sender="").reply == (
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bs; backscatter"
    )


def test_after_is_asked_only_where_the_others_have_not_decided(lab):
    """A paid list spares its queries."""
    dns = lab.dns(
        listed("192.0.2.1", "first.test", "127.0.0.2")
        + listed("192.0.2.2", "paid.test", "127.0.0.2", txt="paid")
    )
    lab.daemon(
        dns,
        lists=[
            dnsbl("first", "first.test", weight=8),
            dnsbl("paid", "paid.test", weight=8, after=["first"]),
        ],
    )
    assert lab.send(addr="192.0.2.1").reply.code == 554
    assert dns.names(".paid.test") == []
    assert lab.send(addr="192.0.2.2").reply == (
        "554 5.7.1 Service unavailable; Client host [192.0.2.2] blocked using paid; paid"
    )
