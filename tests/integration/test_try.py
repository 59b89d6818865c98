# SPDX-License-Identifier: BSD-2-Clause
"""rblctl dnsbl try: what a zone that is not configured says of the last hour's clients."""

import concurrent.futures

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl

ACCEPTED, REFUSED, CLEAN, SIX = "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::7"
POINT6 = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20


def well(zone, delay_ms=0):
    more = {"delay_ms": delay_ms} if delay_ms else {}
    return listed("127.0.0.2", zone, **more) + [
        {"name": f"{POINT6}.{zone}", "type": "A", "a": ["127.0.0.2"]}
    ]


def message(lab, addr):
    client = lab.milter()
    client.connect(addr)
    client.helo()
    client.mail()
    kind = client.rcpt().kind
    client.quit()
    return kind


@pytest.fixture
def trial(lab):
    """Starts a daemon that refuses one of four clients; returns what tries a zone."""

    def start(rules, clients=(ACCEPTED, REFUSED, CLEAN, SIX), **settings):
        dns = lab.dns(listed(REFUSED, "bl.test", txt="why") + rules)
        lab.daemon(dns, lists=[dnsbl("bl", "bl.test")], **settings)
        kinds = [message(lab, addr) for addr in clients]
        assert kinds.count("reply") == (1 if REFUSED in clients else 0)
        rblctl = Rblctl(lab.dir)

        def try_zone(zone="new.test"):
            result = rblctl("--json", "dnsbl", "try", zone)
            assert result.status == 0, result
            return result.json

        try_zone.dns = dns
        try_zone.rblctl = rblctl
        return try_zone

    return start


def test_what_it_would_have_listed(trial, lab):
    codes = listed(ACCEPTED, "new.test", "127.0.0.3", "127.0.0.2") + listed(REFUSED, "new.test")
    new = trial(well("new.test") + codes)
    found = new()
    assert found["clients"] == {
        "last hour": 4, "asked": 4, "of them IPv6": 1, "listed": 2, "errors": 0, "unanswered": 0,
    }  # fmt: skip
    assert found["listed clients were"] == {"accepted": 1, "tagged": 0, "deferred": 0, "refused": 1}
    assert found["codes"] == {"127.0.0.2": 2, "127.0.0.3": 1}
    assert found["test points"] == found["IPv6 test points"] == "healthy"
    assert "lists 1 of the clients that were let through (25%" in found["judgement"]
    assert found["let through, e.g."] == ACCEPTED
    text = new.rblctl("dnsbl", "try", "new.test").out
    assert "judgement" in text and "127.0.0.3" in text


def test_a_client_counts_once_with_its_last_verdict(trial, lab):
    new = trial(well("new.test") + listed(ACCEPTED, "new.test"), clients=[ACCEPTED] * 3)
    assert new()["clients"]["asked"] == 1
    assert new.rblctl("add", ACCEPTED).status == 0
    assert message(lab, ACCEPTED) == "reply"
    assert new()["listed clients were"]["refused"] == 1


def test_clients_that_lists_do_not_decide_about_are_left_out(trial, lab):
    new = trial(well("new.test"), exempt={"networks": [f"{CLEAN}/32"]})
    assert new()["clients"]["last hour"] == 3
    assert new.rblctl("allow", "192.0.2.4").status == 0
    message(lab, "192.0.2.4")
    message(lab, "10.0.0.9")
    assert new()["clients"]["last hour"] == 3


@pytest.mark.parametrize(
    "rules,health,judgement,asked",
    [
        ([{"suffix": "new.test", "type": "A", "a": ["127.0.0.2"]}], "lying", "do not use it", 0),
        ([{"suffix": "new.test", "type": "A", "a": ["10.0.0.1"]}], "lying", "outside 127.0.0.0/8", 0),
        ([{"suffix": "new.test", "type": "A", "a": ["127.255.255.254"]}], "blocked", "refuses our queries", 0),
        ([{"suffix": "new.test", "rcode": "REFUSED"}], "blocked", "refuses our queries", 0),
        ([{"suffix": "new.test", "rcode": "SERVFAIL"}], "down", "does not answer", 0),
        ([], "empty", "dead, without its key, or a list of names", 4),
        (listed(ACCEPTED, "new.test"), "empty", "lists 1 of the clients", 4),
        (well("new.test"), "healthy", "would have changed nothing", 4),
        (well("new.test") + listed(REFUSED, "new.test"), "healthy", "all that it lists was refused", 4),
        (well("new.test") + sum((listed(a, "new.test") for a in (ACCEPTED, CLEAN, SIX)), []),
         "healthy", "dangerous: it lists 75%", 4),
        (well("new.test") + listed(CLEAN, "new.test", "127.255.255.255"), "healthy", "refuses 25% of the queries", 4),
        (well("new.test") + [{"name": "3.2.0.192.new.test", "rcode": "SERVFAIL"}],
         "healthy", "leaves 25% of the queries", 4),
        (well("new.test", 700) + [{"suffix": "new.test", "delay_ms": 700, "rcode": "NXDOMAIN"}],
         "healthy", "it is slow", 4),
    ],
)  # fmt: skip
def test_judgement(trial, rules, health, judgement, asked):
    found = trial(rules)()
    assert found["test points"] == health, found
    assert judgement in found["judgement"], found
    assert found["clients"]["asked"] == asked, found


def test_no_client(trial):
    assert "no client to try it on" in trial(well("new.test"), clients=[])()["judgement"]


@pytest.mark.parametrize(
    "zone,why", [("no zone", "is no zone"), ("com", "is no zone"), ("bl.njabl.org", "is dead (NJABL)")]
)
def test_zones_that_are_not_tried(trial, zone, why):
    new = trial([])
    result = new.rblctl("dnsbl", "try", zone)
    assert result.status == 4 and why in result.err, result
    assert not new.dns.names("njabl.org")


def test_many_are_asked_at_a_pace(trial, lab):
    """50 at once, 200 a second: 120 take half a second."""
    new = trial(well("new.test"), clients=[])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        kinds = list(pool.map(lambda n: message(lab, f"198.51.100.{n}"), range(120)))
    assert kinds == ["continue"] * 120
    found = new()
    assert found["clients"]["asked"] == 120
    assert 500 <= found["took_ms"] < 5000, found


def test_one_at_a_time(trial):
    new = trial([{"suffix": "slow.test", "silent": True}])
    with new.rblctl.dial() as first:
        first.sendall(b'{"command":"dnsbl-try","zone":"slow.test"}\n')
        for _ in range(100):
            result = new.rblctl("dnsbl", "try", "new.test")
            if result.status != 0:
                break
        assert result.status == 4 and "another zone is being tried" in result.err
        assert b'"down"' in first.makefile("rb").readline()
    assert new()["clients"]["asked"] == 4
