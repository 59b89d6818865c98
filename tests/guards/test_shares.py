# SPDX-License-Identifier: BSD-2-Clause
"""Lists that have many clients, all of a sudden or always: the liar is found after few
mails, and nobody else is disabled (docs/health.md)."""

import json
import time

import pytest
from harness.conf import dnsbl
from harness.rblctl import Rblctl
from traffic import NAMES, POINTS, RESOLVER, Kind, send_all

DAY = 86400


def clients(first, count, listed_of_100):
    """So many of a hundred are in 198.18.0.0/16, which the lists have."""
    kind = Kind("block")
    return [(kind.mail(n, n % 100 < listed_of_100), n % 100 < listed_of_100)
            for n in range(first, first + count)]  # fmt: skip


def refused_share(mails):
    listed = [m for m in mails if m.listed]
    return sum(m.refused for m in listed) / len(listed)


def zone_rules(*zones):
    return [rule for zone in zones for rule in (
        {"name": f"2.0.0.127.{zone}", "a": ["127.0.0.2"]},
        {"suffix": f"18.198.{zone}", "a": ["127.0.0.2"]})]  # fmt: skip


def test_a_suspended_neighbour(lab):
    """Two lists with the same data; one is suspended, and the other goes on alone."""
    dns = lab.dns(zone_rules("one.test", "two.test"))
    lists = [dnsbl(name, f"{name}.test", weight=8, **POINTS) for name in ("one", "two")]
    lab.daemon(dns, lists=lists, resolver=RESOLVER)
    assert refused_share(send_all(lab, clients(0, 1000, 50))) == 1
    assert Rblctl(lab.dir)("dnsbl", "suspend", "one").status == 0
    after = send_all(lab, clients(1000, 1500, 50))
    assert refused_share(after) >= 0.99
    assert not any(m.refused for m in after if not m.listed)


@pytest.mark.parametrize("before", [50, 0], ids=["an ordinary day", "a quiet night"])
def test_waves(lab, before):
    """8 lists, then listed clients with 5, 2 and no clean ones of a hundred between."""
    names = [f"l{n}" for n in range(8)]
    dns = lab.dns(zone_rules(*(f"{name}.test" for name in names)))
    lists = [dnsbl(name, f"{name}.test", weight=8, **POINTS) for name in names]
    daemon = lab.daemon(dns, lists=lists, resolver=RESOLVER)
    send_all(lab, clients(0, 700, before))
    for i, share in enumerate((95, 98, 100)):
        wave = send_all(lab, clients(10000 * (i + 1), 700, share))
        assert refused_share(wave) >= 0.99, share
        assert not any(m.refused for m in wave if not m.listed), share
    assert not daemon.log.matching("list=l. state=(?!healthy)")


def regulars(lab):
    """What the daemon has learned of 40 clients and sender domains."""
    today = int(time.time()) // DAY
    rows = [[f"203.0.113.{n}", 7, today, 0] for n in range(1, 41)]
    domains = [[f"m{n}.regular.example", 7, today, 0] for n in range(1, 41)]
    text = json.dumps({"clients": rows, "domains": domains})
    (lab.dir / "dnsbl-witnesses.json").write_text(text)


LIARS = [
    ("clients, a fresh host", {}, False, 60),
    ("clients, with regulars", {"test_reserved": False}, True, 20),
    ("names, a fresh host", {"check": ["sender-domain"], **NAMES}, False, 60),
    ("names, with regulars", {"check": ["sender-domain"], "test_reserved": False, **NAMES},
     True, 20),
]  # fmt: skip


@pytest.mark.parametrize("case", LIARS, ids=[case[0] for case in LIARS])
def test_a_liar_beside_an_honest_list(lab, case):
    """It lists all but its negative test point; the honest list beside it goes on."""
    _, options, known, most = case
    names = "check" in options
    if known:
        regulars(lab)
    honest = zone_rules("honest.test")
    point = {"name": ("test" if names else "2.0.0.127") + ".liar.test", "a": ["127.0.0.2"]}
    dns = lab.dns(honest + [point])
    lists = [dnsbl("honest", "honest.test", weight=8, **POINTS),
             dnsbl("liar", "liar.test", weight=8, **{**POINTS, **options})]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists, resolver=RESOLVER)

    def mails(first, count):
        return [({**mail, "sender": f"<x@d{i + first}.example>"}, listed)
                for i, (mail, listed) in enumerate(clients(first, count, 50))]  # fmt: skip

    send_all(lab, mails(0, 300))
    well = {"name": ("invalid" if names else "1.0.0.127") + ".liar.test"}
    dns.rules(honest + [point, well, {"suffix": "liar.test", "a": ["127.0.0.2"]}])
    during = send_all(lab, mails(1000, 600))
    assert sum(m.refused and not m.listed for m in during) <= most
    assert refused_share(during) >= 0.99
    line = daemon.log.wait_for("list=liar state=lying was=healthy")
    assert ("regular" if known else "reserved") in line
    assert not daemon.log.matching("list=honest state=(?!healthy)")
    later = send_all(lab, mails(3000, 100))
    assert not any(m.refused for m in later if not m.listed)
