# SPDX-License-Identifier: BSD-2-Clause
"""What waits, and how long: lists that are slow or silent permanently, TXT records, daily
limits, reloads. As in test_rows.py: what sets a guard off, and what it must catch all the
same; the truth is what the scripted name servers were told, and what they were asked."""

import itertools
import json
import threading
import time

from harness.dns import reversed_name
from harness.rblctl import Rblctl
from harness.waiting import wait_until
from test_rows import QUICK, bl, clean, deliver, is_refused, listed
from traffic import client_rules, hashed, send_all

NONE = {"test_listed": "", "test_unlisted": ""}
SLOW_S = 1.3


def slow(rules):
    return [{**rule, "delay_ms": int(SLOW_S * 1000)} for rule in rules]


def waits(mails):
    return [m.ended - m.began for m in mails]


def clients(first, count):
    return [({"addr": clean(n)}, False) for n in range(first, first + count)]


def test_a_list_that_is_slow_is_not_waited_for_until_it_is_quick(lab):
    """Row 10: it answers, each time after more than a second."""
    other = client_rules("other.test")[-2:]  # an honest one beside it
    dns = lab.dns(client_rules("bl.test") + other)
    lists = [bl(), bl("other", "other.test", **NONE)]
    lab.daemon(dns, lists=lists, resolver={**QUICK, "timeout": "3s", "deadline": "9s"})
    send_all(lab, clients(0, 8))
    late = [{"suffix": "113.0.203.bl.test", "rcode": "NXDOMAIN"}, {"suffix": "19.198.bl.test"}]
    dns.rules(slow(late) + client_rules("bl.test") + other)
    first = send_all(lab, clients(10, 16), threads=16)
    assert min(waits(first)) > SLOW_S, "it might have listed them"
    then = send_all(lab, clients(30, 16) + [({"addr": listed(1)}, True)])
    assert max(waits(then[:16])) < SLOW_S, "none can have waited for its answer"
    assert then[-1].refused, "the other list goes on"
    dns.rules([{"suffix": "19.198.bl.test", "a": ["127.0.0.2"]}] + client_rules("bl.test") + other)
    wait_until(lambda: is_refused(deliver(lab, addr=next(fresh))))


fresh = (f"198.19.{n // 250}.{n % 250 + 1}" for n in range(10000))


def test_a_list_that_takes_half_a_second_is_waited_for(lab):
    """Row 10: it has been as slow for ever, and it lists."""
    dns = lab.dns([{**rule, "delay_ms": 500} for rule in client_rules("bl.test")])
    lab.daemon(dns, lists=[bl()], resolver={**QUICK, "timeout": "3s", "deadline": "9s"})
    mails = [({"addr": listed(n)}, True) for n in range(60)]
    assert all(m.refused for m in send_all(lab, mails, threads=20))


def test_a_health_check_that_loses_packets(lab):
    """Row 10: a quick list is not down for two lost ones, but for its silence."""
    dns = lab.dns(client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[bl()], resolver={**QUICK, "timeout": "1s", "deadline": "9s"})
    send_all(lab, clients(0, 200))
    point = "2.0.0.127.bl.test"
    checked = len(dns.names(point))
    dns.rules([{"name": point, "silent": True, "times": 2}] + client_rules("bl.test"))
    Rblctl(lab.dir)("dnsbl", "test", "bl")
    wait_until(lambda: len(dns.names(point)) >= checked + 3)
    assert is_refused(deliver(lab, addr=listed(1)))
    assert not daemon.log.matching("list=bl state=(?!healthy)")
    dns.rules([{"suffix": "bl.test", "silent": True}])
    Rblctl(lab.dir)("dnsbl", "test", "bl")
    daemon.log.wait_for("list=bl state=down was=healthy")


def hash_list(**more):
    return bl(check=["sender"], hash="sha1", **NONE, **more)


def senders(first, count, word="good"):
    return [({"sender": f"<{word}{n}@sender.example>"}, word == "bad")
            for n in range(first, first + count)]  # fmt: skip


def test_a_hash_list_that_falls_silent(lab):
    """Row 10: it has no test points, so only mail can tell."""
    rules = [{"name": hashed(f"bad{n}") + ".bl.test", "a": ["127.0.0.2"]} for n in range(200)]
    dns = lab.dns(rules)
    lab.daemon(dns, lists=[hash_list()], resolver={**QUICK, "timeout": "1s", "deadline": "3s"})
    assert all(m.refused for m in send_all(lab, senders(0, 8, "bad")))
    dns.rules([{"suffix": "bl.test", "silent": True}])
    first = send_all(lab, senders(0, 16), threads=16)
    assert min(waits(first)) > 1
    then = send_all(lab, senders(100, 40))
    assert max(waits(then)) < 1, "not even one attempt was waited for"
    dns.rules(rules)
    more = iter(range(8, 200))
    wait_until(lambda: is_refused(deliver(lab, sender=f"<bad{next(more)}@sender.example>")))


def test_a_name_that_failed_is_not_waited_for_again(lab):
    """Row 10: one name that nobody can answer for, in a list that answers."""
    choke = hashed("bad1") + ".bl.test"
    dns = lab.dns([{"name": choke, "silent": True},
                   {"name": hashed("bad2") + ".bl.test", "a": ["127.0.0.2"]}])  # fmt: skip
    lab.daemon(dns, lists=[hash_list()], resolver=QUICK)

    def is_remembered():
        """A mail about it, while others are answered, has sent nothing."""
        asked = len(dns.names(choke))
        waiting = threading.Thread(target=deliver, args=(lab,),
                                   kwargs=senders(1, 1, "bad")[0][0])
        waiting.start()
        while waiting.is_alive():
            send_all(lab, senders(int(time.monotonic() * 1000), 1))
        return len(dns.names(choke)) == asked

    assert not is_remembered()
    assert not is_remembered(), "one failure alone is none of the name's own"
    wait_until(is_remembered)
    queries = len(dns.names(choke))
    again = send_all(lab, senders(1, 1, "bad") * 3 + senders(2, 1, "bad"))
    assert len(dns.names(choke)) == queries, "remembered"
    assert [m.refused for m in again] == [False, False, False, True]


def txt_rules(**txt):
    return [{"suffix": "bl.test", "type": "TXT", **txt}] + client_rules("bl.test")


def refusals(lab, first, count):
    """One after the other: the texts, and how long the longest took."""
    texts, most = [], 0.0
    for n in range(first, first + count):
        began = time.monotonic()
        texts.append(deliver(lab, addr=listed(n)).text)
        most = max(most, time.monotonic() - began)
    assert all(text.startswith("554") for text in texts), texts
    return texts, most


def test_txt_that_is_never_answered(lab):
    """Row 11: each refusal waited for the deadline, for ever."""
    dns = lab.dns(txt_rules(silent=True))
    lab.daemon(dns, lists=[bl()], resolver={**QUICK, "timeout": "9s", "deadline": "9s"})
    _, most = refusals(lab, 0, 4)  # the third may end just after its mail
    assert most < 8, "half a second, not the deadline"
    queries = dns.names("bl.test", "TXT")
    assert 3 <= len(queries) <= 4
    refusals(lab, 10, 20)
    assert dns.names("bl.test", "TXT") == queries, "three were enough"


def test_txt_that_fails_now_and_then(lab):
    """Row 11: one is lost, the next answered, and so on: it is asked for each refusal."""
    dns = lab.dns(txt_rules(txt=["why"]))
    lab.daemon(dns, lists=[bl()], resolver={**QUICK, "timeout": "9s", "deadline": "9s"})
    for n in range(5):
        dns.rules(txt_rules(silent=True))
        refusals(lab, 10 * n, 1)
        dns.rules(txt_rules(txt=["why"]))
        texts, _ = refusals(lab, 10 * n + 5, 1)
        assert texts[0].endswith("; why")


def asked(dns):
    """Queries about clients, not those of health checks."""
    return [n for n in dns.names("bl.test") if not n.endswith((".127.bl.test", "f.f.f.f.0.0.0.0"
            ".0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test"))]  # fmt: skip


def addresses(net, count):
    return [({"addr": f"203.{net}.{n // 200}.{n % 200}"}, False) for n in range(count)]


def test_many_sessions_of_one_client_are_one_query(lab):
    """Row 15: 120 at once, and a limit of 100."""
    late = {"suffix": "113.0.203.bl.test", "rcode": "NXDOMAIN", "delay_ms": 700}
    dns = lab.dns([late] + client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[bl(daily_limit=100)],
                        resolver={**QUICK, "timeout": "3s", "deadline": "9s"})  # fmt: skip
    sessions = [lab.milter() for _ in range(120)]
    for session in sessions:
        session.connect(clean(1))
    for session in sessions:
        session.helo()
        session.mail()
        assert session.rcpt().kind == "continue"
    assert len(asked(dns)) == 1
    send_all(lab, addresses(1, 70))
    assert len(asked(dns)) == 71
    assert not daemon.log.matching("used=80%"), "71 are"
    send_all(lab, addresses(2, 60))
    assert len(asked(dns)) == 100, "and no more"
    daemon.log.wait_for("used=100%")


def saved_use(lab):
    """Of the daily limit, in the file that a kill leaves."""
    path = lab.dir / "dnsbl-state.json"
    return json.loads(path.read_text())["bl"]["quota-used"] if path.exists() else 0


def test_a_limit_survives_kill(lab):
    """Row 15: in the middle of traffic, and not more than 50 packets are forgotten."""
    dns = lab.dns(client_rules("bl.test"))
    settings = {"lists": [bl(daily_limit=200)], "resolver": QUICK}
    daemon = lab.daemon(dns, **settings)
    mails = iter(addresses(1, 2000))
    while len(asked(dns)) < 150:
        send_all(lab, [next(mails)], threads=1)
        wait_until(lambda: len(asked(dns)) - saved_use(lab) <= 50, "they are not saved")
    daemon.kill()
    lab.daemons.remove(daemon)
    daemon = lab.daemon(dns, **settings)
    mails = iter(addresses(2, 6000))
    while not daemon.log.matching("used=100%"):
        send_all(lab, list(itertools.islice(mails, 20)))
    wait_until(lambda: len(asked(dns)) >= 200, "the limit was used up earlier")
    assert len(asked(dns)) <= 250


def test_reload_each_second_with_a_slow_health_check(lab):
    """Row 18: the health check under way goes on; a mail waits for one at most."""
    points = slow([r for r in client_rules("bl.test") if "name" in r]
                  + [{"name": "1.0.0.127.bl.test", "rcode": "NXDOMAIN"}])  # fmt: skip
    dns = lab.dns(points + client_rules("bl.test")[2:])
    daemon = lab.daemon(dns, lists=[bl()], resolver={**QUICK, "timeout": "3s", "deadline": "9s"})
    began = time.monotonic()
    mails = []
    for second in range(1, 5):
        while time.monotonic() < began + second:
            some = [({"addr": next(fresh_clean)}, False) for _ in range(3)]
            mails += send_all(lab, [({"addr": next(fresh_listed)}, True)] + some)
        daemon.reload()
    assert [m.refused for m in mails] == [m.listed for m in mails]
    assert len(dns.names("2.0.0.127.bl.test")) == 1, "one check, from the start on"
    assert max(waits([m for m in mails if m.began > began + 2])) < SLOW_S, "none waited for another"


def test_a_list_taken_out_untested_is_not_waited_for(lab):
    """Row 18: who waits for its health check goes on without it, and with the others."""
    silent = [{"suffix": "127.bl.test", "silent": True}, {"suffix": "f.f.f.f" + ".0" * 20 + ".bl.test", "silent": True}]
    dns = lab.dns(silent + client_rules("bl.test")[2:] + client_rules("two.test"))
    lists = [bl(), bl("two", "two.test")]
    settings = {"resolver": {"timeout": "2s", "deadline": "18s", "min_ttl": "0s"}}
    daemon = lab.daemon(dns, lists=lists, **settings)
    began, replies = time.monotonic(), []
    only_bl = "198.18.77.1"
    dns.rules(silent + client_rules("bl.test")[2:] + client_rules("two.test")[:2])
    waiting = threading.Thread(target=lambda: replies.append(deliver(lab, addr=only_bl)))
    waiting.start()
    wait_until(lambda: dns.names(reversed_name(only_bl, "bl.test"), "A"))
    daemon.reload(lab.conf(dns, lists=lists[1:], **settings))
    waiting.join()
    assert replies[0].kind == "continue" and time.monotonic() - began < 15, "before the deadline"
    dns.rules(client_rules("two.test"))
    assert is_refused(deliver(lab, addr=listed(1)))
    daemon.reload(lab.conf(dns, lists=lists, **settings))
    dns.rules(client_rules("bl.test"))
    wait_until(lambda: "using bl" in deliver(lab, addr=next(fresh_listed)).text)


fresh_clean = (f"203.{n // 62500 + 5}.{n // 250 % 250}.{n % 250 + 1}" for n in range(10**6))
fresh_listed = (f"198.18.{n // 250 + 100}.{n % 250 + 1}" for n in range(10000))
