# SPDX-License-Identifier: BSD-2-Clause
"""When the verdict is given: as soon as nothing can change it, and in time."""

import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed, reversed_name
from harness.smtp import Smtp

CLIENT = "192.0.2.1"
SOON = 0.8  # seconds, also on a busy machine
DEADLINE = {"timeout": "5s", "deadline": "2s"}


def silent(zone):
    return {"suffix": zone, "silent": True}


def timed(lab, **mail):
    start = time.monotonic()
    attempt = lab.send(**mail)
    return attempt, time.monotonic() - start


def test_enough_score_waits_for_nobody(lab):
    dns = lab.dns([silent("slow.test")] + listed(CLIENT, "fast.test"))
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("slow", "slow.test", weight=8), dnsbl("fast", "fast.test", weight=8)],
        resolver=DEADLINE,
    )
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.reply.code == 554 and seconds < SOON
    assert "failed=slow(not-awaited)" in daemon.log.wait_for("reject:")


def test_a_list_that_can_change_nothing_is_not_waited_for(lab):
    dns = lab.dns([silent("slow.test")])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test", weight=3)], resolver=DEADLINE,
               verdict={"reject": 8, "tag": 4})  # fmt: skip
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.accepted and seconds < SOON


def test_monitored_list_is_not_waited_for(lab):
    dns = lab.dns([silent("slow.test")])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test", weight=8, mode="monitor")], resolver=DEADLINE)
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.accepted and seconds < SOON


def test_allow_list_that_could_save_the_mail_is_waited_for(lab):
    dns = lab.dns(
        listed(CLIENT, "bl.test") + listed(CLIENT, "wl.test", "127.0.9.3", delay_ms=1000)
    )
    lab.daemon(
        dns,
        lists=[dnsbl("bl", "bl.test", weight=8), dnsbl("wl", "wl.test", weight=-5)],
        resolver=DEADLINE,
    )
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.accepted and seconds > 0.9


def test_deadline(lab):
    dns = lab.dns([silent("slow.test")])
    daemon = lab.daemon(dns, lists=[dnsbl("slow", "slow.test", weight=8)], resolver=DEADLINE)
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.accepted and 1.8 < seconds < 2 + SOON
    line = daemon.log.wait_for("accept:")
    # the question's own time ends as soon, counted from when it was asked
    assert "failed=slow(no-answer)" in line or "failed=slow(timeout)" in line


def test_deadline_is_for_all_lists_together(lab):
    dns = lab.dns([silent("test")])
    lists = [dnsbl(f"l{n}", f"l{n}.test", weight=8) for n in range(8)]
    lab.daemon(dns, lists=lists, resolver=DEADLINE)
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.accepted and seconds < 2 + SOON


def test_slow_reason_never_delays_past_the_deadline(lab):
    dns = lab.dns(
        [{"name": reversed_name(CLIENT, "bl.test"), "type": "TXT", "silent": True}]
        + listed(CLIENT, "bl.test")
    )
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=8)], resolver=DEADLINE)
    attempt, seconds = timed(lab, addr=CLIENT)
    assert attempt.reply == f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl"
    assert seconds < 2 + SOON


def test_reason_is_asked_only_for_what_is_refused(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", txt="a reason") + listed("192.0.2.2", "wl.test"))
    lab.daemon(
        dns,
        lists=[dnsbl("bl", "bl.test", weight=4), dnsbl("wl", "wl.test", weight=-8)],
        verdict={"reject": 8, "tag": 4},
    )
    assert lab.send(addr=CLIENT).accepted
    assert lab.send(addr="192.0.2.2").accepted
    assert dns.queries(rtype="TXT") == []


def test_answers_come_while_the_client_talks(lab):
    """Lists are asked from CONNECT on, so RCPT has nothing left to wait for."""
    dns = lab.dns(listed(CLIENT, "bl.test", delay_ms=2000))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=8)])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        assert smtp.mail().code == 250
        time.sleep(2.2)
        assert dns.names("bl.test", "A"), "before RCPT"
        start = time.monotonic()
        assert smtp.rcpt().code == 554
        assert time.monotonic() - start < 2, "it did not wait for an answer from then on"


# label, thresholds, score of the client, the reply's beginning
THRESHOLDS = [
    ("reject reached", {"reject": 8, "tempfail": 4}, 8, "554 5.7.1 Service unavailable; Client host"),
    ("tempfail reached", {"reject": 8, "tempfail": 4}, 4, "451 4.7.1 Service unavailable; Client host"),
    ("below both", {"reject": 8, "tempfail": 4}, 3, "250 "),
    ("reject off", {"reject": 0}, 50, "250 "),
    ("reject off, tempfail on", {"reject": 0, "tempfail": 4}, 50, "451 4.7.1 Service"),
    ("negative score", {"reject": 8, "tag": 1}, -8, "250 "),
]  # fmt: skip


@pytest.mark.parametrize("row", THRESHOLDS, ids=[r[0] for r in THRESHOLDS])
def test_threshold(lab, row):
    _, verdict, score, reply = row
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=score)], verdict=verdict)
    assert lab.send(addr=CLIENT).reply.startswith(reply)


def test_every_recipient_gets_the_same_verdict(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", txt="why"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=8)])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        smtp.mail()
        replies = {smtp.rcpt(f"user{n}@e.f") for n in range(5)}
    assert replies == {
        f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl; why"
    }


def test_second_message_of_a_session_is_judged_anew(lab):
    dns = lab.dns(listed("bad.example", "sd.test"))
    lab.daemon(dns, lists=[dnsbl("sd", "sd.test", weight=8, check=["sender-domain"])])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        smtp.mail("a@bad.example")
        assert smtp.rcpt().code == 554
        smtp.command("RSET")
        smtp.mail("a@good.example")
        assert smtp.rcpt().code == 250
        assert smtp.data().code == 250
        smtp.mail("b@bad.example")
        assert smtp.rcpt().code == 554


def test_second_helo_is_judged_anew(lab):
    dns = lab.dns(listed("bad.example", "he.test"))
    lab.daemon(dns, lists=[dnsbl("he", "he.test", weight=8, check=["helo"])])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo("bad.example")
        smtp.mail()
        assert smtp.rcpt().code == 554
        smtp.command("RSET")
        smtp.ehlo("good.example")
        smtp.mail()
        assert smtp.rcpt().code == 250
