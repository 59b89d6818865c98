"""Under load lookups are left out, in the order of the lists' worth; mail is not."""

import re
import time

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl

SILENT = [{"suffix": "test", "silent": True}]


def until_mail(lab, addr):
    """A session whose questions are asked, and that waits for nothing."""
    client = lab.milter()
    client.connect(addr)
    client.helo()
    client.mail()
    return client


def failures(daemon, since=0):
    """List -> why, of the next verdict's log line."""
    line = daemon.log.wait_for(r"(accept|reject):", since)
    return dict(re.findall(r"([\w-]+)\(([\w-]+)\)", line.partition("failed=")[2]))


def test_lists_of_small_worth_are_left_out_first(lab):
    """At 8 of 10 monitor is, at 9 the smaller weight too; the strong list is asked still."""
    strong = listed("192.0.9.1", "strong.test", delay_ms=200)
    dns = lab.dns(strong + SILENT)
    daemon = lab.daemon(
        dns,
        lists=[
            dnsbl("watch", "watch.test", mode="monitor"),
            dnsbl("small", "small.test", weight=2),
            dnsbl("strong", "strong.test", weight=8),
        ],
        resolver={"max_queries": 10, "deadline": "10s", "timeout": "10s"},
    )
    for n in range(1, 4):  # 3, 6, then 8 and strong alone: 9
        until_mail(lab, f"192.0.{n}.1")
    client = until_mail(lab, "192.0.9.1")  # strong: 10, the bound
    assert client.rcpt().kind == "reply"
    assert failures(daemon) == {"watch": "not-asked", "small": "not-asked"}
    assert "1.9.0.192.strong.test" in dns.names()
    assert "1.9.0.192.small.test" not in dns.names()
    assert "1.9.0.192.watch.test" not in dns.names()


def test_what_is_cached_counts_under_load(lab):
    """A question left out is answered by the cache."""
    dns = lab.dns(listed("192.0.2.1", "small.test", txt="why") + SILENT)
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("small", "small.test", weight=2), dnsbl("strong", "strong.test", weight=8)],
        verdict={"reject": 2},
        resolver={"max_queries": 4, "deadline": "10s", "timeout": "10s"},
    )
    assert lab.send(addr="192.0.2.1").reply.code == 554
    for n in range(3, 9):
        until_mail(lab, f"192.0.{n}.1")
    since = daemon.log.count()
    assert until_mail(lab, "192.0.2.1").rcpt().kind == "reply"
    assert "small(127.0.0.2:2)" in daemon.log.wait_for("reject:", since)


def test_one_network_does_not_take_all_places(lab):
    """A flood from one /24 has 100 of 300; a client of another is asked about in full."""
    lists = [dnsbl(f"l{n}", f"l{n}.test") for n in range(4)]
    dns = lab.dns(listed("198.51.100.1", "l3.test", txt="why") + SILENT)
    daemon = lab.daemon(
        dns, lists=lists, resolver={"max_queries": 300, "deadline": "20s", "timeout": "20s"}
    )
    flood = [until_mail(lab, f"192.0.2.{n}") for n in range(1, 41)]
    assert 100 <= len(dns.names()) <= 110
    assert flood[-1].rcpt().kind == "continue", "mail is not held up"
    assert set(failures(daemon).values()) == {"not-asked"}
    assert until_mail(lab, "198.51.100.1").rcpt().kind == "reply"


def test_places_are_given_back(lab):
    """After the answers, or their deadline, the network is asked about again."""
    dns = lab.dns(SILENT)
    daemon = lab.daemon(
        dns,
        lists=[dnsbl(f"l{n}", f"l{n}.test") for n in range(20)],
        resolver={"max_queries": 300, "deadline": "2s", "timeout": "2s"},
    )
    for n in range(1, 7):  # 120 questions
        until_mail(lab, f"192.0.2.{n}").quit()
    assert len(dns.names()) == 100
    daemon.log.wait_for("list=l0 health=down")
    dns.rules(listed("192.0.2.99", "l1.test"))
    for _ in range(100):  # until the lists are taken back
        if until_mail(lab, "192.0.2.99").rcpt().kind == "reply":
            break
        time.sleep(0.1)
    else:
        raise AssertionError("not asked about again")


def test_test_points_are_asked_under_load(lab):
    """A list is not called down because we are busy."""
    point = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}
    dns = lab.dns(
        [{"name": "2.0.0.127.well.test", "type": "A", "a": ["127.0.0.2"]}]
        + [{"name": "1.0.0.127.well.test", "rcode": "NXDOMAIN"}]
        + SILENT
    )
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("well", "well.test", **point)],
        resolver={"max_queries": 2, "deadline": "10s", "timeout": "10s"},
    )
    daemon.log.wait_for("list=well health=healthy")
    for n in range(1, 5):
        until_mail(lab, f"192.0.{n}.1")
    rblctl = Rblctl(lab.dir)
    for _ in range(2):  # the first one that fails is looked at twice
        result = rblctl("--json", "dnsbl", "test", "well")
        assert result.json["health"] == "healthy", result
    assert dns.names().count("2.0.0.127.well.test") == 3
