# SPDX-License-Identifier: BSD-2-Clause
"""Beyond max-queries a lookup waits for its place, those that can move the score most
first; nobody passes because we are busy."""

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl


def until_mail(lab, addr):
    """A session whose lookups are under way, and that waits for nothing."""
    client = lab.milter()
    client.connect(addr)
    client.helo()
    client.mail()
    return client


def answers(zone, *clients, **how):
    return [rule for addr in clients for rule in listed(addr, zone, **how)]


def test_a_bound_makes_wait_not_pass(lab):
    """40 listed clients at once, 4 queries at a time, each of 20 ms: all are refused."""
    clients = [f"192.0.2.{n}" for n in range(1, 41)]
    dns = lab.dns(answers("bl.test", *clients, delay_ms=20))
    lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test")], resolver={"max_queries": 4, "deadline": "10s"}
    )
    sessions = [until_mail(lab, addr) for addr in clients]
    assert [s.rcpt().kind for s in sessions] == ["reply"] * len(sessions)


def test_what_moves_the_score_most_gets_its_place_first(lab):
    """One place: the monitor list and the small one wait until the strong one was asked."""
    dns = lab.dns(
        answers("strong.test", "192.0.2.1", "192.0.2.2", delay_ms=200)
        + [{"suffix": "test", "rcode": "NXDOMAIN", "delay_ms": 200}]
    )
    lab.daemon(
        dns,
        lists=[
            dnsbl("watch", "watch.test", mode="monitor"),
            dnsbl("small", "small.test", weight=2),
            dnsbl("strong", "strong.test", weight=8),
        ],
        resolver={"max_queries": 1, "deadline": "10s"},
    )
    sessions = [until_mail(lab, f"192.0.2.{n}") for n in (1, 2)]
    assert [s.rcpt().kind for s in sessions] == ["reply", "reply"]
    names = [n for n in dns.names() if n.endswith(".test") and "2.0.192" in n]
    strong = [n for n in names if n.endswith("strong.test")]
    assert "2.2.0.192.strong.test" in strong
    later = names[names.index("2.2.0.192.strong.test") + 1 :]
    assert "1.2.0.192.small.test" in later or "1.2.0.192.small.test" not in names


def test_one_client_at_once_takes_one_query(lab):
    """Equal lookups are joined and take no place of their own."""
    dns = lab.dns(listed("192.0.2.1", "bl.test", delay_ms=300))
    lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test")], resolver={"max_queries": 2, "deadline": "10s"}
    )
    sessions = [until_mail(lab, "192.0.2.1") for _ in range(100)]
    assert [s.rcpt().kind for s in sessions] == ["reply"] * 100
    assert dns.names("1.2.0.192.bl.test", "A") == ["1.2.0.192.bl.test"]


def test_test_points_are_asked_under_load(lab):
    """A list is not called down because we are busy."""
    point = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}
    dns = lab.dns(
        [{"name": "2.0.0.127.well.test", "type": "A", "a": ["127.0.0.2"]}]
        + [{"suffix": "0.0.127.well.test", "rcode": "NXDOMAIN"}]
        + [{"suffix": "f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.well.test"}]
        + [{"suffix": "test", "silent": True}]
    )
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("well", "well.test", **point)],
        resolver={"max_queries": 2, "deadline": "10s", "timeout": "10s"},
    )
    daemon.log.wait_for("list=well state=healthy")
    for n in range(1, 5):
        until_mail(lab, f"192.0.{n}.1")
    rblctl = Rblctl(lab.dir)
    for _ in range(2):
        result = rblctl("--json", "dnsbl", "test", "well")
        assert result.json["state"] == "healthy", result
    assert dns.names().count("2.0.0.127.well.test") >= 3
