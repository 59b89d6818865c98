#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""End to end through Postfix: no filter, the no-op filter, rblmilter, and Postfix's own
reject_rbl_client, with 8 lists that answer at once and 8 that take 50 ms. The clients are
clean, and each is new (XCLIENT)."""

import functools

import benchlib
import postfixlib
from clients import Clients

LISTS = 8
SLOW_MS = 50
# lists, how far a session goes, at once, sessions in all
ROWS = [("fast", "end", 1, 300), ("fast", "end", 16, 600), ("fast", "rcpt", 16, 1500),
        ("fast", "rcpt", 64, 1500), ("slow", "end", 1, 20), ("slow", "end", 16, 200),
        ("slow", "rcpt", 16, 200), ("slow", "rcpt", 64, 600)]
PORTS = {("none", "fast"): 2500, ("no-op", "fast"): 2501, ("rblmilter", "fast"): 2502,
         ("reject_rbl_client", "fast"): 2503, ("rblmilter", "slow"): 2504,
         ("reject_rbl_client", "slow"): 2505}
LABELS = {"fast": "at once", "slow": f"{SLOW_MS} ms each", "end": "whole message",
          "rcpt": "to RCPT"}


def milter(filter_):
    port, host = filter_.socket.removeprefix("inet:").split("@")
    return f"smtpd_milters = inet:{host}:{port}"


def restrictions(prefix):
    lists = ", ".join(f"reject_rbl_client {prefix}{i}.test" for i in range(LISTS))
    return f"smtpd_client_restrictions = {lists}"


def start(bench):
    """One name server, the filters, and one Postfix with a port for each variant."""
    postfixlib.own_resolver(bench)
    bench.dnsd([f"fast{i}.test" for i in range(LISTS)] +
               [f"slow{i}.test,delay={SLOW_MS}" for i in range(LISTS)], port=53)
    daemons = {}
    for number, prefix in enumerate(("fast", "slow")):
        daemons[prefix] = bench.rblmilter(
            [benchlib.list_section(i, prefix=prefix) for i in range(LISTS)],
            name=prefix, socket=f"inet:{8802 + number}@127.0.0.1")
    postfixlib.Postfix(bench, {
        PORTS["none", "fast"]: [],
        PORTS["no-op", "fast"]: [milter(bench.noop("inet:8801@127.0.0.1"))],
        PORTS["rblmilter", "fast"]: [milter(daemons["fast"])],
        PORTS["rblmilter", "slow"]: [milter(daemons["slow"])],
        PORTS["reject_rbl_client", "fast"]: [restrictions("fast")],
        PORTS["reject_rbl_client", "slow"]: [restrictions("slow")]})


def run(bench):
    start(bench)
    clients = {variant: Clients() for variant in PORTS}

    def once(variant, last, concurrent, sessions):
        return postfixlib.smtp_load(PORTS[variant], sessions=sessions, last=last,
                                    concurrent=concurrent,
                                    clients=clients[variant].take(sessions))

    rows, data = [], {}
    for lists, last, concurrent, sessions in ROWS:
        results = benchlib.interleave(bench.runs, {
            name: functools.partial(once, (name, kind), last, concurrent,
                                    bench.scaled(sessions))
            for name, kind in PORTS if kind == lists or name in ("none", "no-op")})
        for name, found in results.items():
            rate = benchlib.median(found, "rate")
            against = benchlib.ratio(found, results["no-op"], "rate")
            p50, p95 = (benchlib.median(found, f"verdict_us.{p}") / 1000 for p in ("p50", "p95"))
            rows.append([LABELS[lists], LABELS[last], concurrent, name, round(rate),
                         f"{against:.2f}", f"{p50:.1f}", f"{p95:.1f}"])
            data[f"{lists}-{last}-{concurrent}-{name}"] = {
                "rate": rate, "against_noop": against, "p50_ms": p50, "p95_ms": p95}
    return benchlib.Result(
        "postfix", "End to end through Postfix, clean clients, uncached",
        ["lists answer", "session", "at once", "filter", "sessions/s", "against no-op",
         "to RCPT's reply, p50 ms", "p95 ms"], rows, data=data,
        notes=f"{postfixlib.version()}. To RCPT's reply: from the connection on, EHLO and "
              "XCLIENT included.")


if __name__ == "__main__":
    benchlib.main(run)
