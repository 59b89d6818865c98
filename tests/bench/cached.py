#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Cached answers of 8 lists against the filter that does nothing: rate and CPU."""

import benchlib

LISTS = 8
CLIENTS = 1000  # addresses that come again and again
SESSIONS = {1: 1500, 16: 3000, 64: 3000, 256: 3000}  # at once: in all
PAIRS = 3  # in the place of one run: many short ones, so that noise hits both


def fill(daemon):
    """Lets the daemon ask for every client once."""
    daemon.load(sessions=CLIENTS, concurrent=16, last="rcpt", clients=f"20.0.0.1,{CLIENTS}")


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600" for i in range(LISTS)])
    noop = bench.noop()
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver())
    fill(daemon)
    rows, data = [], {}
    for last, label in (("eom", "whole message"), ("rcpt", "to RCPT")):
        for concurrent, sessions in SESSIONS.items():
            options = {"sessions": bench.scaled(sessions), "concurrent": concurrent,
                       "clients": f"20.0.0.1,{CLIENTS}", "last": last}
            results = benchlib.interleave(bench.runs * PAIRS, {
                "rblmilter": lambda: daemon.load(**options),
                "noop": lambda: noop.load(**options)})
            ours, theirs = results["rblmilter"], results["noop"]
            rate, cpu = (benchlib.ratio(ours, theirs, key) for key in ("rate", "cpu_us"))
            rows.append([label, concurrent, round(benchlib.median(ours, "rate")),
                         round(benchlib.median(theirs, "rate")), f"{rate:.2f}",
                         round(benchlib.median(ours, "cpu_us")),
                         round(benchlib.median(theirs, "cpu_us")), f"{cpu:.2f}"])
            data[f"{last}-{concurrent}"] = {"rate": rate, "cpu": cpu}
    return benchlib.Result(
        "cached", "Cached answers of 8 lists, against a filter that does nothing",
        ["session", "at once", "rblmilter, sessions/s", "no-op, sessions/s", "ratio",
         "rblmilter, CPU µs a session", "no-op, CPU µs", "ratio"], rows, data=data)


if __name__ == "__main__":
    benchlib.main(run)
