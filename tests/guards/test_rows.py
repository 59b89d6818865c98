# SPDX-License-Identifier: BSD-2-Clause
"""What is believed: answers in hand, stale, foreign and unnamed ones, IPv6, and who is
exempt. Each guard is shown what an ordinary day has for it, and what it must catch all the
same. The truth is what the scripted name servers were told. Row: of the table of guards
that issue 8 works through."""

import threading
import time

import pytest
from harness.conf import dnsbl
from harness.dns import reversed_name
from harness.rblctl import Rblctl
from harness.waiting import wait_until
from traffic import NAMES, POINTS, client_rules, send_all

QUICK = {"timeout": "300ms", "deadline": "1s", "min_ttl": "0s"}


def listed(n):
    return f"198.18.1.{n}"


def clean(n):
    return f"203.0.113.{n}"


def bl(name="bl", zone="bl.test", **options):
    return dnsbl(name, zone, **{"weight": 8, **POINTS, **options})


def is_refused(reply):
    return reply.text.startswith("554")


def deliver(lab, **mail):
    client = lab.milter()
    reply = client.envelope(**mail)
    client.quit()
    return reply


# what becomes of the list between connect and RCPT, how the log says it, what counts
IN_HAND = [
    ("down", {"silent": True}, True),
    ("blocked", {"a": ["127.255.255.254"]}, True),
    ("empty", {"rcode": "NXDOMAIN"}, True),
    ("lying", {"a": ["203.0.113.9"]}, False),
]


@pytest.mark.parametrize("state,rule,counts", IN_HAND, ids=[case[0] for case in IN_HAND])
def test_an_answer_in_hand_counts_unless_the_list_lied(lab, state, rule, counts):
    """Row 6: it arrived at connect, and the list goes down before RCPT."""
    dns = lab.dns(client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK, health={"interval": "1s"})
    sessions = [lab.milter() for _ in range(10)]
    for n, session in enumerate(sessions):
        session.connect(listed(n))
    wait_until(lambda: len(dns.names("18.198.bl.test", "A")) >= 10)
    deliver(lab, addr=clean(1))  # answered after them
    dns.rules([{"suffix": "bl.test", **rule}])
    send_all(lab, [({"addr": clean(n)}, False) for n in range(10, 16)])
    daemon.log.wait_for(f"list=bl state={state} was=healthy")
    for session in sessions:
        session.helo()
        reply = session.mail()
        if reply is None or reply.kind == "continue":
            reply = session.rcpt()
        assert is_refused(reply) == counts, reply


def test_its_own_deadline_finds_the_stale_answer(lab):
    """Row 8: a quick list's own deadline ends a wait before the resolver's does."""
    known, unknown = listed(1), listed(2)
    dns = lab.dns([{"suffix": "18.198.bl.test", "a": ["127.0.0.2"], "ttl": 1}]
                  + client_rules("bl.test"))  # fmt: skip
    lab.daemon(dns, lists=[bl()], resolver={**QUICK, "deadline": "9s", "stale_ttl": "1h"})
    assert is_refused(deliver(lab, addr=known))
    came = time.monotonic()
    send_all(lab, [({"addr": clean(n)}, False) for n in range(100)])
    quiet = [{"name": reversed_name(addr, "bl.test"), "silent": True} for addr in (known, unknown)]
    dns.rules(quiet + client_rules("bl.test"))
    wait_until(lambda: time.monotonic() > came + 1.1)  # its TTL
    asked = len(dns.names(reversed_name(known, "bl.test"), "A"))
    mails = send_all(lab, [({"addr": known}, True), ({"addr": unknown}, True)])
    assert len(dns.names(reversed_name(known, "bl.test"), "A")) > asked, "it was asked again"
    assert mails[0].refused and not mails[1].refused, "only what it said before counts"
    assert max(m.ended - m.began for m in mails) < 8, "not the resolver's deadline"


def test_a_question_that_is_dead_is_sent_anew(lab):
    """Row 8: who joins one after its last attempt has an answer of its own."""
    name = reversed_name(listed(1), "bl.test")
    dns = lab.dns([{"name": name, "silent": True}] + client_rules("bl.test"))
    lab.daemon(dns, lists=[bl()], resolver={**QUICK, "attempts": 1, "deadline": "15s"})
    first = []
    waiting = threading.Thread(target=lambda: first.append(deliver(lab, addr=listed(1))))
    began = time.monotonic()
    waiting.start()
    wait_until(lambda: dns.names(name, "A"))
    sent, quiet_since = 0, time.monotonic()
    while time.monotonic() < quiet_since + 1:  # three attempts' time without another
        if len(dns.names(name, "A")) > sent:
            sent, quiet_since = len(dns.names(name, "A")), time.monotonic()
        time.sleep(0.02)
    dns.rules(client_rules("bl.test"))
    assert is_refused(deliver(lab, addr=listed(1)))
    waiting.join()
    assert is_refused(first[0]), "and so has who waited"
    assert time.monotonic() - began < 14, "before the deadline"
    assert len(dns.names(name, "A")) == sent + 1


def six(n, who):
    return f"2a00:{who}::{n + 1:x}"


ALL_IPV6 = [{"suffix": f"{nibble}.bl.test", "a": ["127.0.0.2"]} for nibble in "02"]
ONLY_IPV4 = [rule for rule in client_rules("bl.test") if "a.2.bl" not in str(rule)
             and "f.f.f" not in str(rule)]  # fmt: skip


def test_ipv6_that_lies_from_the_start(lab):
    """Row 9: every IPv6 name is listed, IPv4 is as it must be."""
    dns = lab.dns(ONLY_IPV4 + ALL_IPV6)
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    mails = [({"addr": six(n, 2)}, False) for n in range(15)]
    mails += [({"addr": listed(n)}, True) for n in range(15)]
    mails += [({"addr": clean(n)}, False) for n in range(15)]
    assert [m.refused for m in send_all(lab, mails)] == [m[1] for m in mails]
    assert "for=ipv6" in daemon.log.wait_for("list=bl state=lying")


def test_ipv6_that_begins_to_lie_and_is_mended(lab):
    """Row 9: what it costs is bounded, IPv4 goes on, and IPv6 counts again afterwards."""
    dns = lab.dns(client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[bl()], resolver=QUICK)
    both = [({"addr": six(n, 1 + n % 2)}, n % 2 == 0) for n in range(30)]
    assert [m.refused for m in send_all(lab, both)] == [m[1] for m in both]
    dns.rules(ONLY_IPV4 + ALL_IPV6)
    during = send_all(lab, [({"addr": six(n, 2)}, False) for n in range(1000, 1200)])
    assert sum(m.refused for m in during) <= 60
    assert "for=ipv6" in daemon.log.wait_for("list=bl state=lying was=healthy")
    mails = [({"addr": six(n, 2)}, False) for n in range(2000, 2015)]
    mails += [({"addr": listed(n)}, True) for n in range(15)]
    assert [m.refused for m in send_all(lab, mails)] == [m[1] for m in mails]
    dns.rules(client_rules("bl.test"))
    wait_until(lambda: is_refused(deliver(lab, addr=six(3000, 1))))
    assert not is_refused(deliver(lab, addr=six(3001, 2)))


def test_a_list_without_ipv6_points_is_believed(lab):
    """Row 9: few lists have any."""
    dns = lab.dns([rule for rule in client_rules("bl.test") if "f.f.f" not in str(rule)])
    lab.daemon(dns, lists=[bl()], resolver=QUICK)
    both = [({"addr": six(n, 1 + n % 2)}, n % 2 == 0) for n in range(30)]
    assert [m.refused for m in send_all(lab, both)] == [m[1] for m in both]


def codes_list(**more):
    return bl(codes={"127.0.0.2": {"weight": 8}}, **more)


def doctor(lab, words):
    rows = Rblctl(lab.dir)("doctor", "--json").json["findings"]
    return [row for row in rows if words in row["what"]]


def test_a_list_that_changes_its_codes(lab):
    """Row 12: it answers, and nothing of it counts: that is said."""
    dns = lab.dns(client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[codes_list()], resolver=QUICK, health={"interval": "1s"})
    assert is_refused(deliver(lab, addr=listed(1)))
    dns.rules([{**rule, "a": ["127.0.0.4"]} for rule in client_rules("bl.test")])
    mails = [({"addr": listed(n)}, True) for n in range(2, 52)]
    assert not any(m.refused for m in send_all(lab, mails)), "no section names it"
    line = daemon.log.wait_for("list=bl state=empty was=healthy")
    assert "127.0.0.4" in line and "no codes section names" in line
    assert doctor(lab, "list bl is empty")
    said = doctor(lab, "answers that no codes section names, such as 127.0.0.4")
    assert said and "list bl gave" in said[0]["what"]
    dns.rules(client_rules("bl.test"))
    wait_until(lambda: is_refused(deliver(lab, addr=listed(60))))


def test_a_code_more_is_no_change(lab):
    """Row 12: the list has a new kind of listings beside the old ones."""
    new = {"suffix": "113.0.203.bl.test", "a": ["127.0.0.4"]}
    dns = lab.dns([new] + client_rules("bl.test"))
    daemon = lab.daemon(dns, lists=[codes_list()], resolver=QUICK, health={"interval": "1s"})
    mails = [({"addr": (listed if n % 2 else clean)(n)}, n % 2 == 1) for n in range(60)]
    checks = len(dns.names("2.0.0.127.bl.test"))
    assert [m.refused for m in send_all(lab, mails)] == [m[1] for m in mails]
    wait_until(lambda: len(dns.names("2.0.0.127.bl.test")) > checks)
    assert not daemon.log.matching("list=bl state=(?!healthy)")
    assert "list bl gave 30 answers" in doctor(lab, "no codes section names")[0]["what"]


def strangers(first, count):
    """Every fifth mail is of a stranger whose name has an odd answer."""
    for n in range(first, first + count):
        kind = "odd" if n % 5 == 0 else "bad" if n % 2 else "good"
        yield {"sender": f"<x@m{n}.{kind}.example>"}, kind == "bad"


def test_foreign_answers_about_names_of_strangers(lab):
    """Row 14: the owner of such a name can have the list say so; it counts for nothing."""
    odd = {"suffix": "odd.example.bl.test", "a": ["203.0.113.9"]}
    well = [{"name": "test.bl.test", "a": ["127.0.0.2"]},
            {"suffix": "bad.example.bl.test", "a": ["127.0.0.2"]}]  # fmt: skip
    dns = lab.dns([odd] + well)
    lists = [bl(check=["sender-domain"], **NAMES)]
    daemon = lab.daemon(dns, lists=lists, resolver=QUICK)
    mails = send_all(lab, list(strangers(0, 150)))
    assert [m.refused for m in mails] == [m.listed for m in mails]
    assert not daemon.log.matching("list=bl state=(?!healthy)")
    dns.rules([{"suffix": "bl.test", "a": ["203.0.113.9"]}])  # parked: all is foreign
    assert not any(m.refused for m in send_all(lab, list(strangers(1000, 20))))
    daemon.log.wait_for("list=bl state=lying was=healthy why=.*203.0.113.9")


LOGIN = {"{auth_authen}": "anna"}
SAVED = {"login": ("x@other.example", LOGIN), "exempt sender": ("x@friend.example", None),
         "allowed sender": ("x@allowed.example", None)}  # fmt: skip


@pytest.mark.parametrize("stage", ["connect", "helo"])
def test_who_is_exempt_by_MAIL_is_not_refused_before(lab, stage):
    """Row 16: others are, at MAIL."""
    dns = lab.dns(client_rules("bl.test"))
    lab.daemon(
        dns, lists=[bl()], resolver=QUICK, milter={"reject_at": stage},
        exempt={"authenticated": True, "senders": ["@friend.example"]},
    )  # fmt: skip
    assert Rblctl(lab.dir)("allow", "allowed.example").status == 0
    for n, (who, (sender, macros)) in enumerate([*SAVED.items(), ("nobody", ("x@y.example", None))]):
        with lab.milter() as session:
            for reply in (session.connect(listed(n)), session.helo()):
                assert reply is None or reply.kind == "continue", who
            reply = session.mail(f"<{sender}>", macros=macros)
            assert is_refused(reply) == (who == "nobody"), who
            if who != "nobody":
                assert session.rcpt().kind == "continue", who


@pytest.mark.parametrize("stage", ["connect", "helo"])
def test_where_MAIL_can_exempt_nobody_it_is_not_waited_for(lab, stage):
    """Row 16: reject-at means what it says there."""
    dns = lab.dns(client_rules("bl.test"))
    lab.daemon(dns, lists=[bl()], resolver=QUICK, milter={"reject_at": stage},
               exempt={"authenticated": False})  # fmt: skip
    session = lab.milter()
    reply = session.connect(listed(1))
    if stage == "helo":
        assert reply is None or reply.kind == "continue"
        reply = session.helo()
    assert reply.kind in ("reject", "reply"), reply


def test_stages_share_a_deadline(lab):
    """Row 16: silent lists of the client, its HELO and the sender cost the connection's
    and the message's, not one each."""
    dns = lab.dns([{"suffix": "test", "silent": True}])
    lists = [bl(check=[check], name=f"l{i}", zone=f"l{i}.test", test_listed="", test_unlisted="")
             for i, check in enumerate(("client", "helo", "sender-domain"))]  # fmt: skip
    lab.daemon(dns, lists=lists, resolver={**QUICK, "deadline": "2s"},
               milter={"reject_at": "connect"}, exempt={"authenticated": False})  # fmt: skip
    began = time.monotonic()
    assert deliver(lab, addr=listed(1)).kind == "continue"
    assert time.monotonic() - began < 3 * 2
