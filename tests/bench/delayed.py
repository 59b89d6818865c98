#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""8 lists that each take 50 ms, every client new: how long a verdict takes, beside
Postfix's reject_rbl_client, which asks the lists one after another."""

import functools

import benchlib
import postfixlib
from clients import Clients

LISTS = 8
DELAY_MS = 50
SESSIONS = {1: 60, 64: 5000}  # at once: in all
POSTFIX_SESSIONS = {1: 10, 64: 640}
POSTFIX_PORT = 2500


def run(bench):
    zones = [f"bl{i}.test" for i in range(LISTS)]
    postfixlib.own_resolver(bench)
    bench.dnsd([f"{zone},delay={DELAY_MS}" for zone in zones], port=53)
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)])
    lists = ", ".join(f"reject_rbl_client {zone}" for zone in zones)
    postfixlib.Postfix(bench, {POSTFIX_PORT: [f"smtpd_client_restrictions = {lists}"]})
    clients = Clients()

    def ours(concurrent, sessions):
        return daemon.load(sessions=sessions, concurrent=concurrent, last="rcpt",
                           clients=clients.take(sessions))

    def theirs(concurrent, sessions):
        return postfixlib.smtp_load(POSTFIX_PORT, sessions=sessions, concurrent=concurrent,
                                    last="rcpt", clients=clients.take(sessions))

    rows, data = [], {}
    for concurrent in SESSIONS:
        results = benchlib.interleave(bench.runs, {
            "rblmilter": functools.partial(ours, concurrent,
                                           bench.scaled(SESSIONS[concurrent])),
            "reject_rbl_client": functools.partial(theirs, concurrent,
                                                   POSTFIX_SESSIONS[concurrent])})
        for name, found in results.items():
            p50, p99 = (benchlib.median(found, f"verdict_us.{p}") / 1000
                        for p in ("p50", "p99"))
            rate = benchlib.median(found, "rate")
            rows.append([concurrent, name, f"{p50:.1f}", f"{p99:.1f}", round(rate)])
            data[f"{concurrent}-{name}"] = {"p50_ms": p50, "p99_ms": p99, "rate": rate}
    return benchlib.Result(
        "delayed", f"{LISTS} lists that each take {DELAY_MS} ms, every client new",
        ["at once", "who asks", "verdict, p50 ms", "p99 ms", "sessions/s"], rows, data=data,
        notes="From the connection to the reply to RCPT: of rblmilter as its MTA sees it, "
              "of reject_rbl_client as its SMTP client does (EHLO and XCLIENT included).")


if __name__ == "__main__":
    benchlib.main(run)
