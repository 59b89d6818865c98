# SPDX-License-Identifier: BSD-2-Clause
"""What is remembered, for how long, and what is asked only once."""

import subprocess
import threading
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import binary
from harness.dns import listed, reversed_name

ONE = dnsbl("bl", "bl.test", weight=8)
CLIENT = "192.0.2.1"
NAME = reversed_name(CLIENT, "bl.test")

REMEMBERED, FORGOTTEN = True, False

# label, rule, bounds in the resolver section, whether a mail 1.3 s later asks again
TTLS = [
    ("a listing by its TTL", {"a": ["127.0.0.2"], "ttl": 300}, {}, REMEMBERED),
    ("TTL 0 raised to min-ttl", {"a": ["127.0.0.2"], "ttl": 0}, {}, REMEMBERED),
    ("TTL 1 without min-ttl", {"a": ["127.0.0.2"], "ttl": 1}, {"min_ttl": "0s"}, FORGOTTEN),
    ("a long TTL cut to max-ttl", {"a": ["127.0.0.2"], "ttl": 300},
     {"min_ttl": "0s", "max_ttl": "1s"}, FORGOTTEN),
    ("NXDOMAIN by the SOA's minimum",
     {"rcode": "NXDOMAIN", "soa": {"ttl": 300, "minimum": 300}}, {}, REMEMBERED),
    ("NXDOMAIN, SOA minimum 1",
     {"rcode": "NXDOMAIN", "soa": {"ttl": 300, "minimum": 1}}, {"min_ttl": "0s"}, FORGOTTEN),
    ("NXDOMAIN, TTL of the SOA 1",
     {"rcode": "NXDOMAIN", "soa": {"ttl": 1, "minimum": 300}}, {"min_ttl": "0s"}, FORGOTTEN),
    ("NXDOMAIN cut to negative-ttl",
     {"rcode": "NXDOMAIN", "soa": {"ttl": 300, "minimum": 300}},
     {"min_ttl": "0s", "negative_ttl": "1s"}, FORGOTTEN),
    ("no data by the SOA", {"rcode": "NOERROR", "soa": {"ttl": 300, "minimum": 300}}, {},
     REMEMBERED),
]  # fmt: skip


@pytest.mark.parametrize("row", TTLS, ids=[r[0] for r in TTLS])
def test_ttl(lab, row):
    _, rule, bounds, remembered = row
    dns = lab.dns([{"name": NAME, "type": "A", **rule}])
    lab.daemon(dns, lists=[ONE], resolver=bounds)
    first = lab.send(addr=CLIENT)
    second = lab.send(addr=CLIENT)
    asked = time.monotonic()
    assert first.reply.code == second.reply.code == (554 if "a" in rule else 250)
    assert len(dns.queries(rtype="A")) == 1, "the second mail came within the TTL"
    time.sleep(max(0, asked + 1.3 - time.monotonic()))  # the TTL has to pass
    lab.send(addr=CLIENT)
    assert len(dns.queries(rtype="A")) == (1 if remembered else 2)


def test_same_question_under_way_is_joined(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", delay_ms=700))
    lab.daemon(dns, lists=[ONE])
    replies = []
    senders = [
        threading.Thread(target=lambda: replies.append(lab.send(addr=CLIENT).reply.code))
        for _ in range(8)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert replies == [554] * 8
    assert len(dns.queries(rtype="A")) == 1


def test_one_name_is_asked_once_for_all_subjects(lab):
    """Client name, HELO and sender domain are often the same."""
    dns = lab.dns()
    checks = ["client-name", "helo", "sender-domain"]
    lab.daemon(dns, lists=[dnsbl("dn", "dn.test", check=checks)])
    assert lab.send(name="mail.one.example", helo="mail.one.example", sender="a@mail.one.example").accepted
    assert dns.names() == ["mail.one.example.dn.test"]


def test_flush_cache(lab):
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[ONE])
    assert lab.send(addr=CLIENT).reply.code == 554
    dns.rules([])
    assert lab.send(addr=CLIENT).reply.code == 554
    done = subprocess.run(
        [binary("rblctl"), "-s", lab.dir / "control.sock", "flush-cache"], capture_output=True, text=True
    )
    assert done.returncode == 0, done
    assert lab.send(addr=CLIENT).accepted


def test_stale_answer_serves_while_the_list_is_down(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", ttl=1))
    daemon = lab.daemon(
        dns,
        lists=[ONE],
        resolver={"min_ttl": "0s", "timeout": "200ms", "deadline": "1s", "stale_ttl": "1h"},
    )
    assert lab.send(addr=CLIENT).reply.code == 554
    dns.down()
    time.sleep(1.2)  # the TTL has to pass
    assert lab.send(addr=CLIENT).reply.code == 554
    assert "lists=bl(127.0.0.2:8:stale)" in daemon.log.wait_for("stale")
