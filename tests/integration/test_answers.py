# SPDX-License-Identifier: BSD-2-Clause
"""What name servers do to the daemon: nothing of it may refuse a mail or stop it."""

import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed, reversed_name
from harness.rblctl import Rblctl

ONE = dnsbl("bl", "bl.test", weight=8)
CLIENT = "192.0.2.1"
NAME = reversed_name(CLIENT, "bl.test")
REFUSED = f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl"

# label, the rule for the A question, failed= of the log line (None: not looked at)
HARMLESS = [
    ("NXDOMAIN", {"rcode": "NXDOMAIN"}, ""),
    ("no data", {"rcode": "NOERROR", "soa": {}}, ""),
    ("SERVFAIL", {"rcode": "SERVFAIL"}, "servfail"),
    ("REFUSED", {"rcode": "REFUSED"}, "error"),
    ("silence", {"silent": True}, "timeout"),
    ("an answer too late", {"a": ["127.0.0.2"], "delay_ms": 4000}, "timeout"),
    ("wrong id only", {"a": ["127.0.0.2"], "wrong_id": "only"}, "timeout"),
    ("garbage", {"garbage": 200}, None),
    ("empty packet", {"empty": True}, None),
    ("cut in the header", {"a": ["127.0.0.2"], "cut": 7}, None),
    ("cut in the question", {"a": ["127.0.0.2"], "cut": 20}, None),
    ("cut in the record", {"a": ["127.0.0.2"], "cut": 45}, None),
    ("another question", {"a": ["127.0.0.2"], "question": "other.test"}, None),
    ("records of another name", {"a": ["127.0.0.2"], "owner": "other.test"}, None),
    ("CNAMEs in a circle", {"cname_loop": True}, None),
    ("a CNAME without an end", {"cname": ["gone.test"]}, None),
    ("FORMERR", {"rcode": "FORMERR"}, None),
    ("NOTIMP", {"rcode": "NOTIMP"}, None),
]  # fmt: skip


@pytest.mark.parametrize("row", HARMLESS, ids=[r[0] for r in HARMLESS])
def test_answer_lists_nobody(lab, row):
    """The mail passes within the deadline, and the daemon still knows a good answer."""
    _, rule, failed = row
    dns = lab.dns([{"name": NAME, **rule}] + listed("192.0.2.2", "bl.test", txt="still here"))
    daemon = lab.daemon(
        dns,
        lists=[ONE],
        resolver={"timeout": "300ms", "attempts": 2, "deadline": "1s"},
    )
    start = time.monotonic()
    assert lab.send(addr=CLIENT).accepted
    assert time.monotonic() - start < 10, "the deadline is a second"
    line = daemon.log.wait_for(rf"accept: .*\[{CLIENT}\]")
    if failed == "":
        assert "failed=" not in line, line
    elif failed is not None:
        assert f"failed=bl({failed})" in line or "failed=bl(no-answer)" in line, line
    assert lab.send(addr="192.0.2.2").reply == (
        "554 5.7.1 Service unavailable; Client host [192.0.2.2] blocked using bl; still here"
    )


# label, the rule: each lists the client
LISTING = [
    ("wrong id, then the right one", {"a": ["127.0.0.2"], "wrong_id": "first"}),
    ("a CNAME to the answer", {"cname": ["real.test"], "a": ["127.0.0.2"]}),
    ("a chain of CNAMEs", {"cname": ["b.test", "c.test"], "a": ["127.0.0.2"]}),
    ("TTL 0", {"a": ["127.0.0.2"], "ttl": 0}),
    ("truncated over UDP", {"a": ["127.0.0.2"], "truncate": True}),
    ("many addresses", {"a": [f"127.0.0.{n}" for n in range(2, 200)]}),
    ("many addresses in one UDP packet",
     {"a": [f"127.0.0.{n}" for n in range(2, 60)], "truncate_not": True}),
    ("slow, but in time", {"a": ["127.0.0.2"], "delay_ms": 500}),
]  # fmt: skip


@pytest.mark.parametrize("row", LISTING, ids=[r[0] for r in LISTING])
def test_answer_lists(lab, row):
    dns = lab.dns([{"name": NAME, "type": "A", **row[1]}])
    lab.daemon(dns, lists=[ONE])
    assert lab.send(addr=CLIENT).reply == REFUSED


def test_truncated_answer_is_fetched_by_tcp(lab):
    dns = lab.dns([{"name": NAME, "type": "A", "a": ["127.0.0.2"], "truncate": True}])
    lab.daemon(dns, lists=[ONE])
    assert lab.send(addr=CLIENT).reply == REFUSED
    assert {query[2] for query in dns.queries(rtype="A")} == {"udp", "tcp"}


# label, the rule for the A question, what of rblctl stats goes up
COUNTED = [
    ("NXDOMAIN", {"rcode": "NXDOMAIN"}, ("answers", "none")),
    ("SERVFAIL", {"rcode": "SERVFAIL"}, ("answers", "servfail")),
    ("REFUSED", {"rcode": "REFUSED"}, ("answers", "refused")),
    ("silence", {"silent": True}, ("answers", "timeout")),
    ("records of another name", {"a": ["127.0.0.2"], "owner": "other.test"}, ("answers", "invalid")),
    ("a CNAME", {"cname": ["real.test"], "a": ["127.0.0.2"]}, ("resolver", "by a CNAME")),
    ("a wrong id", {"a": ["127.0.0.2"], "wrong_id": "only"}, ("stray packets", "wrong id")),
    ("garbage", {"empty": True}, ("stray packets", "garbage")),
    ("another question", {"a": ["127.0.0.2"], "question": "other.test"},
     ("stray packets", "unexpected")),
]  # fmt: skip


# What comes with it: a question that only strays answer has no answer, and what was found
# is asked for its text, too.
ALONG = {
    "stray packets": [("answers", "timeout")],
    "resolver": [("answers", "found"), ("answers", "none")],
}


@pytest.mark.parametrize("row", COUNTED, ids=[r[0] for r in COUNTED])
def test_answer_is_counted(lab, row):
    """Each by its own name, and nothing by another's: strays are beside the answers."""
    _, rule, (section, name) = row
    dns = lab.dns([{"name": NAME, **rule}])
    lab.daemon(
        dns,
        lists=[ONE],
        resolver={"timeout": "300ms", "attempts": 2, "deadline": "1s"},
    )
    rblctl = Rblctl(lab.dir)
    before = rblctl("stats", "--json").json
    lab.send(addr=CLIENT)
    stats = rblctl("stats", "--json").json
    assert stats[section][name] > before[section][name], stats
    for other in ("answers", "stray packets"):
        for key, count in stats[other].items():
            if (other, key) != (section, name) and (other, key) not in ALONG.get(section, []):
                assert count == before[other][key], (other, key, stats)


def test_servfail_is_not_remembered(lab):
    """A passing trouble of the name server costs the list nothing: it is queried again."""
    dns = lab.dns(
        [{"name": NAME, "type": "A", "rcode": "SERVFAIL", "times": 1}]
        + listed(CLIENT, "bl.test", txt="the second time")
    )
    lab.daemon(dns, lists=[ONE])
    assert lab.send(addr=CLIENT).reply == REFUSED + "; the second time"


def test_lost_packet_is_asked_again(lab):
    dns = lab.dns(
        [{"name": NAME, "type": "A", "silent": True, "times": 1}]
        + listed(CLIENT, "bl.test", txt="the second time")
    )
    lab.daemon(dns, lists=[ONE], resolver={"timeout": "300ms", "deadline": "3s"})
    assert lab.send(addr=CLIENT).reply == REFUSED + "; the second time"


def test_second_server_is_asked_when_the_first_is_dead(lab):
    dead, alive = lab.dns(), lab.dns(listed(CLIENT, "bl.test", txt="alive"))
    dead.down()
    lab.daemon(
        lists=[ONE],
        resolver={"servers": [dead.address, alive.address], "timeout": "500ms"},
    )
    assert lab.send(addr=CLIENT).reply == REFUSED + "; alive"


def test_list_with_servers_of_its_own(lab):
    common = lab.dns(listed(CLIENT, "one.test", "127.0.0.2"))
    own = lab.dns(listed(CLIENT, "two.test", "127.0.0.3"))
    daemon = lab.daemon(
        common,
        lists=[
            dnsbl("one", "one.test", weight=4),
            dnsbl("two", "two.test", weight=4, servers=[own.address]),
        ],
    )
    lab.send(addr=CLIENT)
    assert "lists=one(127.0.0.2:4),two(127.0.0.3:4)" in daemon.log.wait_for("reject:")
    assert common.names(".two.test") == [] and own.names(".one.test") == []


def test_ipv6_server(lab):
    dns = lab.dns(listed(CLIENT, "bl.test"), address="::1")
    lab.daemon(dns, lists=[ONE])
    assert lab.send(addr=CLIENT).reply == REFUSED


def test_source_ports_vary(lab):
    """One port for ever would be easy to answer in the server's place."""
    dns = lab.dns()
    lab.daemon(dns, lists=[ONE])
    for n in range(20):
        assert lab.send(addr=f"198.51.100.{n}").accepted
    assert len({query[3] for query in dns.queries(rtype="A")}) >= 3


def test_rbldnsd(lab):
    """A real list: addresses, nibbles, names, and TXT reasons."""
    server = lab.rbldnsd(
        [
            ("v4.test", "ip4set", ":127.0.0.2:$ is listed, see https://v4.test/$\n192.0.2.0/24\n"),
            ("v6.test", "ip6trie", ":127.0.0.3:network of a spammer\n2001:db8:bad::/48\n"),
            ("dn.test", "dnset", ":127.0.0.4:$ is advertised in spam\n.bad.example\n"),
        ]
    )
    lab.daemon(
        server,
        lists=[
            dnsbl("v4", "v4.test", weight=8),
            dnsbl("v6", "v6.test", weight=8),
            dnsbl("dn", "dn.test", weight=8, check=["sender-domain"]),
        ],
    )
    for mail, reply in (
        ({"addr": "192.0.2.7"},
         "Client host [192.0.2.7] blocked using v4; 192.0.2.7 is listed, see https://v4.test/192.0.2.7"),
        ({"addr": "2001:db8:bad::7"},
         "Client host [2001:db8:bad::7] blocked using v6; network of a spammer"),
        ({"addr": "198.51.100.1", "sender": "x@sub.bad.example"},
         "Sender domain [sub.bad.example] blocked using dn; bad.example is advertised in spam"),
    ):  # fmt: skip
        assert lab.send(**mail).reply == "554 5.7.1 Service unavailable; " + reply
    assert lab.send(addr="198.51.100.1").accepted
