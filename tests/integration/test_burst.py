# SPDX-License-Identifier: BSD-2-Clause
"""A burst of sessions, half of them waiting for a slow list: those that could be answered
at once must not queue behind them (pitfalls.md, A1)."""

import threading
import time

from harness.conf import dnsbl
from harness.dns import listed

SESSIONS = 200
WAIT = 2.0  # seconds that the slow list takes
SLOW = {"suffix": "51.198.slow.test", "rcode": "NXDOMAIN"}


def test_waiting_sessions_hold_up_nobody(lab):
    dns = lab.dns(
        [dict(SLOW, delay_ms=int(WAIT * 1000))]
        + listed("203.0.113.1", "slow.test", "127.0.0.3")
    )
    lab.daemon(
        dns,
        lists=[dnsbl("slow", "slow.test", weight=8)],
        resolver={"timeout": "5s", "deadline": "5s"},
    )
    lab.milter().envelope("203.0.113.1")  # so that the quick half is in the cache
    gate = threading.Barrier(SESSIONS)
    quick, waiting, wrong = [], [], []

    def session(number):
        slow = number % 2 == 0
        client = lab.milter()
        gate.wait()
        start = time.monotonic()
        reply = client.envelope(f"198.51.{number // 100}.{number % 100 + 1}" if slow else "203.0.113.1")
        seconds = time.monotonic() - start
        (waiting if slow else quick).append(seconds)
        if reply.kind != ("continue" if slow else "reply"):
            wrong.append((number, reply))

    threads = [threading.Thread(target=session, args=(n,)) for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(quick) == len(waiting) == SESSIONS // 2
    assert max(quick) < WAIT, "none waited for the slow ones"
    assert max(waiting) < WAIT * SESSIONS / 20, "nor they one for the other"
    assert min(waiting) > WAIT * 0.9, "they did wait"


def test_burst_through_postfix(lab):
    """The same with real SMTP sessions, fewer of them."""
    dns = lab.dns([dict(SLOW, delay_ms=1500)])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test", weight=8)])
    attempts = {}

    def session(number):
        slow = number % 2 == 0
        attempts[number] = lab.send(addr=f"198.51.100.{number + 1}" if slow else "10.0.0.1")

    start = time.monotonic()
    threads = [threading.Thread(target=session, args=(n,)) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 15
    for number, attempt in attempts.items():
        assert attempt.accepted, (number, attempt.replies)
