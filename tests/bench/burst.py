#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A burst: 200 sessions at once. Half of them have to wait 2 s for a list, the others have
nothing to wait for, and must not wait for the first."""

import functools

import benchlib
from clients import Clients

LISTS = 8
AT_ONCE = 200
SLOW_MS = 2000
KNOWN = "21.0.0.1,100"  # clients whose answers are cached
FIRST = 0x16000001  # 22.0.0.1: of those that are new


def start(bench, first_list):
    """A daemon that asks first_list and seven lists that answer at once."""
    lists = [benchlib.list_section("", prefix=first_list)]
    lists += [benchlib.list_section(i) for i in range(1, LISTS)]
    daemon = bench.rblmilter(lists, benchlib.resolver('timeout = "4s"'), name=first_list)
    daemon.load(sessions=100, concurrent=100, last="rcpt", clients=KNOWN)
    return daemon


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600" for i in range(1, LISTS)] +
               ["fast.test,neg=3600", f"slow.test,neg=3600,delay={SLOW_MS}"])

    def once(daemon, clients):
        return daemon.load(sessions=AT_ONCE, concurrent=AT_ONCE, last="rcpt",
                           clients=clients.take(AT_ONCE), clients_b=KNOWN)

    results = benchlib.interleave(bench.runs, {
        "no list slow": functools.partial(once, start(bench, "fast"), Clients(FIRST)),
        f"one list takes {SLOW_MS} ms": functools.partial(once, start(bench, "slow"),
                                                          Clients(FIRST))})
    rows, data = [], {}
    for name, found in results.items():
        waiting, idle = (benchlib.median(found, f"{group}verdict_us.p99") / 1000
                         for group in ("", "b."))
        rows.append([name, f"{waiting:.1f}", f"{idle:.1f}"])
        data[name] = {"waiting_p99_ms": waiting, "idle_p99_ms": idle}
    before, slow = data.values()
    data["ratio"] = slow["idle_p99_ms"] / before["idle_p99_ms"]
    rows.append(["ratio", f"{slow['waiting_p99_ms'] / before['waiting_p99_ms']:.1f}",
                 f"{data['ratio']:.2f}"])
    return benchlib.Result(
        "burst", f"A burst of {AT_ONCE} sessions, half of them with a list to wait for",
        ["", "those queried again, p99 ms", "those with nothing to wait for, p99 ms"], rows,
        data=data, notes="From the connection to the reply to RCPT.")


if __name__ == "__main__":
    benchlib.main(run)
