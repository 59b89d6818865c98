# SPDX-License-Identifier: BSD-2-Clause
"""Lists that have many clients, all of a sudden or always: the liar is found after few
mails, and nobody else is disabled (docs/health.md). With GUARDS_FULL=1 in the environment
so many clients as in the traffic that once disabled honest lists; else some less."""

import json
import os
import pwd
import time

import pytest
from harness.conf import dnsbl
from harness.rblctl import Rblctl
from traffic import NAMES, POINTS, RESOLVER, Kind, send_all

DAY = 86400
FULL = os.environ.get("GUARDS_FULL") == "1"
NEIGHBOURS = (4000, 5000) if FULL else (1000, 1500)  # before, after
WAVES = (3000, 6000) if FULL else (700, 700)  # before, each
NOBODY = pwd.getpwnam("nobody")
MEMBER = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": [0]}  # may ask


def clients(first, count, listed_of_100):
    """So many of a hundred are in 198.18.0.0/16, which the lists have."""
    kind = Kind("block")
    return [(kind.mail(n, n % 100 < listed_of_100), n % 100 < listed_of_100)
            for n in range(first, first + count)]  # fmt: skip


def refused_share(mails):
    listed = [m for m in mails if m.listed]
    return sum(m.refused for m in listed) / len(listed)


def show(what, mails):
    """For who runs it with -s, or reads why it failed."""
    listed = [m for m in mails if m.listed]
    print(f"{what}: {sum(m.refused for m in listed)} of {len(listed)} listed ones refused")


def zone_rules(*zones):
    return [rule for zone in zones for rule in (
        {"name": f"2.0.0.127.{zone}", "a": ["127.0.0.2"]},
        {"suffix": f"18.198.{zone}", "a": ["127.0.0.2"]})]  # fmt: skip


def test_a_suspended_neighbour(lab):
    """Two lists with the same data; one is suspended, and the other goes on alone."""
    dns = lab.dns(zone_rules("one.test", "two.test"))
    lists = [dnsbl(name, f"{name}.test", weight=8, **POINTS) for name in ("one", "two")]
    lab.daemon(dns, lists=lists, resolver=RESOLVER)
    before, more = NEIGHBOURS
    assert refused_share(send_all(lab, clients(0, before, 50))) == 1
    assert Rblctl(lab.dir)("dnsbl", "suspend", "one").status == 0
    after = send_all(lab, clients(before, more, 50))
    show(f"a suspended neighbour, {before} + {more}", after)
    assert refused_share(after) >= 0.99
    assert not any(m.refused for m in after if not m.listed)


@pytest.mark.parametrize("before", [50, 0], ids=["an ordinary day", "a quiet night"])
def test_waves(lab, before):
    """8 lists, then listed clients with 5, 2 and no clean ones of a hundred between."""
    names = [f"l{n}" for n in range(8)]
    dns = lab.dns(zone_rules(*(f"{name}.test" for name in names)))
    lists = [dnsbl(name, f"{name}.test", weight=8, **POINTS) for name in names]
    daemon = lab.daemon(dns, lists=lists, resolver=RESOLVER)
    first, each = WAVES
    send_all(lab, clients(0, first, before))
    for i, share in enumerate((95, 98, 100)):
        wave = send_all(lab, clients(10000 * (i + 1), each, share))
        show(f"a wave of {each}, {100 - share} % clean, {before} % listed before", wave)
        assert refused_share(wave) >= 0.99, share
        assert not any(m.refused for m in wave if not m.listed), share
    assert not daemon.log.matching("list=l. state=(?!healthy)")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be someone else")
def test_what_is_checked_by_who_may_only_ask(lab):
    """260 listed addresses, and three that time out: nothing of it counts as mail."""
    silent = [{"suffix": "113.0.203.bl.test", "silent": True}]
    dns = lab.dns(silent + zone_rules("bl.test"))
    lists = [dnsbl("bl", "bl.test", weight=8, daily_limit=50, **POINTS)]
    resolver = {**RESOLVER, "timeout": "300ms", "deadline": "1s"}
    daemon = lab.daemon(dns, lists=lists, resolver=resolver)
    rblctl = Rblctl(lab.dir)
    for n in range(26):
        result = rblctl("check", *(f"198.18.{100 + n}.{k}" for k in range(10)), **MEMBER)
        assert result.status == 1 and result.out.count("127.0.0.2") >= 10, result
    assert len(dns.names("18.198.bl.test", "A")) == 260, "the list was asked"
    rblctl("check", "203.0.113.1", "203.0.113.2", "203.0.113.3", **MEMBER)
    mails = send_all(lab, clients(0, 20, 100))  # 40 packets, with the TXT records
    assert refused_share(mails) == 1
    assert not daemon.log.matching("list=bl state=(?!healthy)")


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
