# SPDX-License-Identifier: BSD-2-Clause
"""Lists that die, lag or lie hurt no mail (docs/health.md)."""

import re
import statistics
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl
from harness.waiting import wait_until

CLIENT = "192.0.2.1"  # listed where a test says so
CLEAN = "198.51.100.7"
QUICK = {"timeout": "300ms", "deadline": "1s", "min_ttl": "0s"}
DEADLINE = 1.0  # seconds, of QUICK
POINTS = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}


def points(zone, code="127.0.0.2"):
    """The test points of a list that is well."""
    return listed("127.0.0.2", zone, code)


def well(zone, *clients):
    return points(zone) + [r for c in clients for r in listed(c, zone)]


def bl(name="bl", zone="bl.test", **options):
    return dnsbl(name, zone, **{"weight": 8, **POINTS, **options})


def deliver(lab, addr=CLIENT):
    """One mail by the milter protocol alone: the reply, and the seconds to it."""
    start = time.monotonic()
    client = lab.milter()
    reply = client.envelope(addr)
    client.quit()
    return reply, time.monotonic() - start


def quickest(lab, addr=CLIENT):
    """The same of three, one after the other: who does not wait is seen on a busy machine,
    too."""
    return min((deliver(lab, addr) for _ in range(3)), key=lambda result: result[1])


def wait_refused(lab, clients):
    """Until one of these is: the list counts."""
    end = time.monotonic() + 20
    for addr in clients:
        if deliver(lab, addr)[0].text.startswith("554"):
            return
        assert time.monotonic() < end
        time.sleep(0.1)
    raise AssertionError("none is refused")


def row(lab, name="bl"):
    rows = Rblctl(lab.dir)("--json", "dnsbl").json["lists"]
    return next(r for r in rows if r["list"] == name)


def wait_health(lab, want, name="bl"):
    """Until rblctl shows that health."""
    wait_until(lambda: row(lab, name)["health"] == want, lambda: row(lab, name))


# label, what the zone says to all, the list, the state, its reason, what the record says
SET_ASIDE = [
    ("lists the world", {"a": ["127.0.0.2"]}, {}, "lying", "lists 127.0.0.1", "lying"),
    ("a parked zone", {"a": ["192.0.2.80"]}, {}, "lying", "outside 127.0.0.0/8", "lying"),
    ("says no by a code", {"a": ["127.255.255.254"]}, {}, "blocked", "127.255.255.254", "blocked"),
    ("says no by REFUSED", {"rcode": "REFUSED"}, {}, "blocked", "REFUSED", "blocked"),
    ("emptied, or a wrong key", {"rcode": "NXDOMAIN"}, {}, "empty", "does not list 127.0.0.2", "empty"),
    ("silent", {"silent": True}, {}, "down", "timeout", "down"),
    ("SERVFAIL", {"rcode": "SERVFAIL"}, {}, "down", "servfail", "down"),
]  # fmt: skip


@pytest.mark.parametrize("case", SET_ASIDE, ids=[c[0] for c in SET_ASIDE])
def test_sick_from_the_start(lab, case):
    """It counts in no verdict, not even the very first; one line says why."""
    _, rule, options, health, why, reason = case
    dns = lab.dns([{"suffix": "bl.test", **rule}])
    daemon = lab.daemon(dns, lists=[bl(**options)], resolver=QUICK)
    assert deliver(lab)[0].kind == "continue"
    line = daemon.log.wait_for(f"list=bl state={health}")
    assert f"was=unchecked why=" in line and why in line
    shown = row(lab)
    assert shown["state"] == health and why in shown["why"] and shown["since"] > 0
    reply, seconds = quickest(lab)
    assert reply.kind == "continue" and seconds < DEADLINE, "set aside: nobody waits for it"
    daemon.log.wait_for(f"accept:.*failed=bl.{reason}.")


def test_allow_list_that_allows_the_world(lab):
    dns = lab.dns([{"suffix": "wl.test", "a": ["127.0.10.3"]}] + well("bl.test", CLIENT))
    wl = bl("wl", "wl.test", codes={"127.0.*.3": {"weight": -8}})
    daemon = lab.daemon(dns, lists=[bl(), wl], resolver=QUICK)
    assert deliver(lab)[0].text.startswith("554 5.7.1")
    daemon.log.wait_for("list=wl state=lying")
    assert "failed=wl(lying)" in daemon.log.wait_for("reject:")


def test_ipv6_and_names_have_points_of_their_own(lab):
    dns = lab.dns(listed("::ffff:127.0.0.2", "v6.test") + listed("test", "dn.test", "127.0.1.2"))
    daemon = lab.daemon(
        dns,
        lists=[
            bl("v6", "v6.test", test_listed="::FFFF:7F00:2", test_unlisted="::FFFF:7F00:1"),
            bl("dn", "dn.test", check=["helo"], test_listed="test", test_unlisted="invalid"),
        ],
        resolver=QUICK,
    )
    deliver(lab)
    for name in ("v6", "dn"):
        assert "was=" not in daemon.log.wait_for(f"list={name} state=healthy")
    assert "invalid.dn.test" in dns.names()


def test_dies_and_comes_back(lab):
    """After its first few seconds a dead list costs a message nothing; soon after its
    return it counts again. The server answers about everything else."""
    dns = lab.dns(well("bl.test", CLIENT))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    assert deliver(lab)[0].text.startswith("554")
    dns.rules([{"suffix": "bl.test", "silent": True}])
    waits = [deliver(lab, f"198.51.100.{n}")[1] for n in range(3)]
    daemon.log.wait_for("list=bl state=down was=healthy")
    assert max(waits) < 10 * DEADLINE
    later = [deliver(lab, f"198.51.100.{n}")[1] for n in range(10, 20)]
    assert statistics.median(later) < DEADLINE, "nobody waits"
    time.sleep(1.5)  # checked meanwhile, without result
    others = [f"198.51.101.{n}" for n in range(200)]  # none is remembered
    dns.rules(well("bl.test", *others))
    wait_refused(lab, others)
    daemon.log.wait_for("list=bl state=healthy was=down")


def test_a_lost_packet_loses_no_listing(lab):
    """What is lost is sent again after the time in which the list nearly always answers,
    200 ms at least."""
    lost = [{"name": "1.2.0.192.bl.test", "type": "A", "silent": True, "times": 1}]
    dns = lab.dns(lost + well("bl.test", CLIENT))
    lab.daemon(dns, lists=[bl()], resolver={"timeout": "9s", "deadline": "9s"})
    for n in range(60):
        deliver(lab, f"198.51.100.{n}")
    reply, waited = deliver(lab)
    assert reply.text.startswith("554"), reply
    assert 0.15 < waited < 9, "not after the time of an attempt"


def test_a_quick_list_is_not_waited_for_to_the_deadline(lab):
    """Its own deadline, from how long it takes as a rule, gives it up much sooner."""
    dns = lab.dns([{"name": "1.2.0.192.bl.test", "silent": True}] + well("bl.test"))
    lab.daemon(
        dns, lists=[bl()], resolver={"timeout": "1s", "attempts": 4, "deadline": "8s"}
    )
    for n in range(60):
        deliver(lab, f"198.51.100.{n}")
    reply, waited = deliver(lab)
    assert reply.kind == "continue" and 1.8 < waited < 4


def test_all_resolvers_dead(lab):
    """Verdicts at once, by what is remembered, marked as stale; the others pass."""
    dns = lab.dns(points("bl.test") + listed(CLIENT, "bl.test", ttl=1))
    daemon = lab.daemon(dns, lists=[bl()], resolver={**QUICK, "stale_ttl": "1h"})
    assert deliver(lab)[0].text.startswith("554")
    time.sleep(1.1)  # the TTL has to pass
    dns.down()
    deliver(lab, "198.51.100.1")
    daemon.log.wait_for("resolver: server=.* state=away")
    time.sleep(1.1)  # away for longer than the deadline
    assert row(lab)["state"] == "healthy", "the servers are away, the list is not"
    reply, seconds = quickest(lab)
    assert reply.text.startswith("554") and seconds < DEADLINE
    assert "lists=bl(127.0.0.2:8:stale)" in daemon.log.wait_for("stale")
    reply, seconds = quickest(lab, CLEAN)
    assert reply.kind == "continue" and seconds < DEADLINE
    dns.up()
    daemon.log.wait_for("resolver: server=.* state=back")
    assert deliver(lab)[0].text.startswith("554")


def test_turns_to_lie_between_the_checks(lab):
    """One answer from outside 127/8 counts for nothing; its test points decide."""
    dns = lab.dns(well("bl.test", CLIENT) + listed(CLEAN, "bl.test", "203.0.113.9", times=1))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    assert deliver(lab, CLEAN)[0].kind == "continue"
    assert deliver(lab)[0].text.startswith("554")
    assert not daemon.log.matching("list=bl state=lying")
    dns.rules([{"suffix": "bl.test", "a": ["203.0.113.9"]}])
    assert deliver(lab, "198.51.100.8")[0].kind == "continue"
    daemon.log.wait_for("list=bl state=lying was=healthy why=.*203.0.113.9")
    assert deliver(lab, "198.51.100.9")[0].kind == "continue"


def test_says_no_between_the_checks(lab):
    dns = lab.dns(well("bl.test", CLIENT))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    assert deliver(lab)[0].text.startswith("554")
    dns.rules([{"suffix": "bl.test", "a": ["127.255.255.255"]}])
    for n in range(4):
        assert deliver(lab, f"198.51.100.{n}")[0].kind == "continue"
    daemon.log.wait_for("list=bl state=blocked was=healthy")


def test_lists_the_world_but_its_test_point(lab):
    """Its test points stay right, and yet it suddenly lists everybody: reserved addresses
    bear witness on a host that has no regular clients yet."""
    dns = lab.dns(well("bl.test"))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    for n in range(250):
        deliver(lab, f"198.18.{n // 200}.{n % 200}")
    dns.rules(points("bl.test") + [{"name": "1.0.0.127.bl.test"}]
              + [{"suffix": "bl.test", "a": ["127.0.0.2"]}])  # fmt: skip
    refused = sum(deliver(lab, f"198.19.0.{n}")[0].kind != "continue" for n in range(200))
    assert refused <= 60
    line = daemon.log.wait_for("list=bl state=lying was=healthy")
    assert "of 8 reserved addresses" in line
    assert deliver(lab, "198.19.9.9")[0].kind == "continue"
    daemon.log.wait_for(r"198\.19\.9\.9.*failed=bl.lying.")
    Rblctl(lab.dir)("dnsbl", "test", "bl")
    assert row(lab)["state"] == "lying", "right test points are no proof then"
    dns.rules(well("bl.test", CLIENT))
    wait_health(lab, "healthy")
    assert deliver(lab)[0].text.startswith("554")


def test_a_wave_of_listed_clients_disables_nobody(lab):
    """Nothing but listed clients for a while: each suspicion is settled by a check."""
    wave = [f"198.19.{n // 200}.{n % 200}" for n in range(400)]
    dns = lab.dns(well("bl.test", *wave))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    passed = sum(not deliver(lab, addr)[0].text.startswith("554") for addr in wave)
    assert passed == 0
    assert not daemon.log.matching("list=bl state=(?!healthy)")


def test_an_allow_list_that_is_not_heard_refuses_nobody(lab):
    """What it could have saved is put off, until it is heard or an admin suspends it."""
    dns = lab.dns([{"suffix": "wl.test", "silent": True}]
                  + well("one.test", CLIENT) + well("two.test", CLIENT))  # fmt: skip
    lists = [bl("one", "one.test", weight=4), bl("two", "two.test", weight=4),
             bl("wl", "wl.test", weight=-8)]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists, resolver=QUICK)
    for n in range(3):
        assert deliver(lab)[0].text.startswith("451 4.7.1")
    assert "unheard=-8" in daemon.log.wait_for("tempfail:")
    wait_health(lab, "down", "wl")
    reply, seconds = quickest(lab)
    assert reply.text.startswith("451 4.7.1") and seconds < DEADLINE
    Rblctl(lab.dir)("dnsbl", "suspend", "wl")
    assert deliver(lab)[0].text.startswith("554 5.7.1")


def test_what_an_admin_looks_at_changes_nothing(lab):
    """check asks past statistics, events, quota and cache."""
    dns = lab.dns([{"suffix": "bl.test", "a": ["127.0.0.2"]}])
    dns.rules(points("bl.test") + [{"name": "1.0.0.127.bl.test"},
              {"suffix": "silent.bl.test", "silent": True}]
              + [{"suffix": "2.0.192.bl.test", "a": ["127.0.0.2"]}])  # fmt: skip
    daemon = lab.daemon(dns, lists=[bl(daily_limit=50)], resolver=QUICK)
    rblctl = Rblctl(lab.dir)
    deliver(lab, CLEAN)
    wait_health(lab, "healthy")
    before = wait_counts(lab, "bl", queries=1)
    for n in range(60):
        assert rblctl("check", f"192.0.2.{n + 1}").status == 1
    after = row(lab)
    for name in ("queries", "hits", "errors", "asked_today", "state", "since"):
        assert after[name] == before[name], name
    assert not daemon.log.matching("list=bl state=(?!healthy)")
    assert deliver(lab)[0].text.startswith("554"), "the limit is not used up"


def test_admin_sets_a_list_aside(lab):
    dns = lab.dns(well("bl.test", CLIENT))
    # resume waits for the health check, no longer than the deadline
    settings = {"lists": [bl()], "resolver": {**QUICK, "deadline": "20s"}}
    daemon = lab.daemon(dns, **settings)
    rblctl = Rblctl(lab.dir)
    assert deliver(lab)[0].text.startswith("554")
    assert rblctl("dnsbl", "suspend", "bl").status == 0
    line = daemon.log.wait_for("list=bl state=suspended was=healthy")
    assert 'why="suspended by root"' in line
    result = rblctl("dnsbl", "test", "bl")
    assert result.status == 4 and "rblctl dnsbl resume" in result.err
    assert deliver(lab)[0].kind == "continue"
    assert "failed=bl(suspended)" in daemon.log.wait_for("accept:")
    assert re.search(r"bl +enforce +suspended", rblctl("dnsbl").out)
    daemon.terminate()
    lab.daemon(dns, **settings)
    assert row(lab)["health"] == "suspended"
    assert deliver(lab)[0].kind == "continue"
    assert rblctl("--json", "dnsbl", "resume", "bl").json["health"] == "healthy"
    assert deliver(lab)[0].text.startswith("554")
    assert rblctl("dnsbl", "suspend", "nobody").status != 0


def test_kill_does_not_forget_a_suspension(lab):
    dns = lab.dns(well("bl.test", CLIENT))
    settings = {"lists": [bl()], "resolver": QUICK}
    daemon = lab.daemon(dns, **settings)
    Rblctl(lab.dir)("dnsbl", "suspend", "bl")
    daemon.kill()
    lab.daemons.remove(daemon)
    lab.daemon(dns, **settings)
    assert row(lab)["health"] == "suspended"


def test_strangers_names_do_not_set_a_list_aside(lab):
    """They choose the names, also such as no server can answer for."""
    dns = lab.dns(
        [{"suffix": "choke.sd.test", "rcode": "SERVFAIL"},
         {"name": "test.sd.test", "a": ["127.0.0.2"], "delay_ms": 300},
         {"name": "bad.example.sd.test", "a": ["127.0.0.2"]}]
    )  # fmt: skip
    lab.daemon(
        dns,
        lists=[bl("sd", "sd.test", check=["sender-domain"], test_listed="test",
                  test_unlisted="invalid")],
        resolver=QUICK,
    )  # fmt: skip
    wait_health(lab, "healthy", "sd")
    for n in range(5):
        assert lab.milter().envelope(sender=f"<x@a{n}.choke>").kind == "continue"
    assert lab.milter().envelope(sender="<x@bad.example>").text.startswith("554")


def test_after(lab):
    """A far list is asked only where the ones before have not decided."""
    dns = lab.dns(well("bl.test", CLIENT) + well("far.test", CLEAN))
    lab.daemon(dns, lists=[bl(), bl("far", "far.test", after=["bl"])], resolver=QUICK)
    assert "using bl" in deliver(lab)[0].text
    assert deliver(lab, CLEAN)[0].text.startswith("554")
    asked = dns.names("7.100.51.198.far.test", "A") + dns.names("1.2.0.192.far.test", "A")
    assert asked == ["7.100.51.198.far.test"]


def test_after_in_each_message_of_a_session(lab):
    """What the first message did not need, or had already, the second is queried again."""
    dns = lab.dns(well("bl.test") + well("far.test", CLIENT))
    lab.daemon(dns, lists=[bl(), bl("far", "far.test", after=["bl"])], resolver=QUICK)
    client = lab.milter()
    client.connect(CLIENT)
    client.helo()
    for _ in range(3):
        client.mail()
        assert client.rcpt().text.startswith("554")
        client.abort()


def test_after_a_list_that_is_dead(lab):
    dns = lab.dns([{"suffix": "bl.test", "silent": True}] + well("far.test", CLIENT))
    lab.daemon(dns, lists=[bl(), bl("far", "far.test", after=["bl"])], resolver=QUICK)
    deliver(lab, CLEAN)
    wait_health(lab, "down")
    reply, seconds = quickest(lab)
    assert reply.text.startswith("554") and seconds < DEADLINE


@pytest.mark.parametrize("on_limit", ["off", "cache-only"])
def test_daily_limit(lab, on_limit):
    dns = lab.dns(well("bl.test", CLIENT, CLEAN))
    daemon = lab.daemon(
        dns, lists=[bl(daily_limit=5, on_limit=on_limit, reply="no")], resolver=QUICK
    )
    assert deliver(lab)[0].text.startswith("554")  # an A and a TXT record: two
    for n in range(3):
        deliver(lab, f"203.0.113.{n}")
    daemon.log.wait_for("list=bl daily-limit=5 used=80%$")
    remembered = deliver(lab)[0]
    assert remembered.kind == ("continue" if on_limit == "off" else "reply")
    assert deliver(lab, CLEAN)[0].kind == "continue", "never asked: not known"
    assert "failed=bl(limit)" in daemon.log.wait_for(re.escape(f"[{CLEAN}]"))
    asked = [n for n in dns.names("bl.test") if re.match(r"1.2.0.192|\d+.113.0.203", n)]
    assert len(asked) == 5
    assert len(daemon.log.matching("used=80%")) == 1
    then = "off" if on_limit == "off" else "not queried, what is cached counts"
    assert len(daemon.log.matching(f'used=100% then="{then} until 00:00 UTC"')) == 1
    assert row(lab)["asked_today"] == 5 and row(lab)["daily_limit"] == 5


def test_reload_keeps_the_state(lab):
    dns = lab.dns([{"suffix": "bl.test", "a": ["127.0.0.2"]}])
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    deliver(lab)
    wait_health(lab, "lying")
    since = row(lab)["since"]
    daemon.reload()
    assert row(lab)["health"] == "lying" and row(lab)["since"] == since
    assert deliver(lab)[0].kind == "continue"


def wait_counts(lab, name, **want):
    """A message's counts are whole when it is over."""
    wait_until(lambda: want.items() <= row(lab, name).items(), lambda: row(lab, name))
    return row(lab, name)


def test_counts_that_rblctl_shows(lab):
    dns = lab.dns(well("bl.test", CLIENT, "192.0.2.2") + well("two.test", "192.0.2.2"))
    lab.daemon(dns, lists=[bl(), bl("two", "two.test", weight=3)], resolver=QUICK)
    for addr in (CLIENT, CLIENT, "192.0.2.2", CLEAN):
        deliver(lab, addr)
    # CLIENT's answers: one from the cache; their TXT records are questions as well
    shown = wait_counts(lab, "bl", hits=3, unique_hits=2, decided_alone=3)
    assert shown["errors"] == 0 and shown["cached_percent"] > 0
    assert 0 < shown["p50_ms"] <= shown["p95_ms"] <= shown["p99_ms"] < 1000
    wait_counts(lab, "two", hits=1, unique_hits=0, decided_alone=0)


def test_who_answers_after_the_verdict_is_counted_too(lab):
    """What a list alone had is not what it said first: a slow one in monitor has it too."""
    late = [
        {**rule, "delay_ms": 1500}
        for addr in (CLIENT, CLEAN)
        for rule in listed(addr, "mon.test")
    ]
    dns = lab.dns(points("mon.test") + late + well("bl.test", CLIENT))
    lab.daemon(
        dns,
        lists=[bl(), bl("mon", "mon.test", mode="monitor")],
        resolver={"timeout": "9s", "deadline": "9s"},
    )
    clients = [lab.milter() for _ in range(2)]
    began = time.monotonic()
    assert clients[0].envelope(CLIENT).kind == "reply"
    assert clients[1].envelope(CLEAN).kind == "continue"
    assert time.monotonic() - began < 1.5, "nobody waited for it"
    wait_counts(lab, "mon", hits=2)
    for client in clients:
        client.quit()
    wait_counts(lab, "mon", hits=2, unique_hits=1)
    wait_counts(lab, "bl", hits=1, unique_hits=0, decided_alone=1)


def test_an_admins_word_outlives_a_kill(lab):
    """What was acknowledged holds after kill -9, however soon that is."""
    dns = lab.dns(listed("127.0.0.2", "bl.test") + listed("192.0.2.1", "bl.test"))
    lists = [dnsbl("bl", "bl.test", weight=8, test_listed="127.0.0.2",
                   test_unlisted="127.0.0.1")]  # fmt: skip
    rblctl = Rblctl(lab.dir)
    for action, state in (("suspend", "suspended"), ("resume", "healthy")):
        daemon = lab.daemon(dns, lists=lists)
        assert rblctl("dnsbl", action, "bl").status == 0
        daemon.kill()
        daemon = lab.daemon(dns, lists=lists)
        is_refused = lab.milter().envelope("192.0.2.1").kind == "reply"
        assert is_refused is (state == "healthy")
        daemon.terminate()


def test_a_list_that_lied_is_not_believed_at_the_next_start(lab):
    """Its test points are right: witnesses must clear it, before it refuses anybody."""
    points = listed("127.0.0.2", "bl.test") + [
        {"name": "1.0.0.127.bl.test", "rcode": "NXDOMAIN"}]  # fmt: skip
    dns = lab.dns([*points, {"suffix": "bl.test", "a": ["127.0.0.2"]}])
    lists = [dnsbl("bl", "bl.test", weight=8, test_listed="127.0.0.2",
                   test_unlisted="127.0.0.1")]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists)
    for n in range(30):
        lab.milter().envelope(f"192.0.2.{n}")
    daemon.log.wait_for("list=bl state=lying")
    daemon.terminate()
    daemon = lab.daemon(dns, lists=lists)
    for n in range(100, 105):
        assert lab.milter().envelope(f"192.0.2.{n}").kind == "continue"
    daemon.terminate()
    dns.rules([*points, {"suffix": "bl.test", "rcode": "NXDOMAIN"}, *listed("192.0.2.9", "bl.test")])
    daemon = lab.daemon(dns, lists=lists)
    daemon.log.wait_for("list=bl state=healthy")
