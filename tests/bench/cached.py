#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Cached answers of 8 lists against the filter that does nothing: rate and CPU, with clean
clients, and with every other one listed by three lists, as on an ordinary day."""

import benchlib

LISTS = 8
CLIENTS = 1000  # addresses that come again and again
SESSIONS = {1: 1500, 16: 3000, 64: 3000, 256: 3000}  # at once: in all
LISTED = "21.0.0.1"  # where those begin that are
PAIRS = 3  # in the place of one run: many short ones, so that noise hits both


def fill(daemon, options):
    """Lets the daemon ask for every client once, and for the reasons of a refusal."""
    daemon.load(**{**options, "sessions": 2 * CLIENTS, "concurrent": 16, "last": "rcpt"})


def measure(bench, daemon, noop, last, concurrent, sessions, clients):
    options = {"sessions": bench.scaled(sessions), "concurrent": concurrent, "last": last,
               **clients}
    results = benchlib.interleave(bench.runs * PAIRS, {
        "rblmilter": lambda: daemon.load(**options), "noop": lambda: noop.load(**options)})
    ours, theirs = results["rblmilter"], results["noop"]
    rate, cpu = (benchlib.ratio(ours, theirs, key) for key in ("rate", "cpu_us"))
    return rate, cpu, [round(benchlib.median(ours, "rate")),
                       round(benchlib.median(theirs, "rate")), f"{rate:.2f}",
                       round(benchlib.median(ours, "cpu_us")),
                       round(benchlib.median(theirs, "cpu_us")), f"{cpu:.2f}"]


def run(bench):
    listing = [f",listed={LISTED[:-1]}0/16=127.0.0.2" if i < 3 else "" for i in range(LISTS)]
    bench.dnsd([f"bl{i}.test,neg=3600,ttl=3600{listing[i]}" for i in range(LISTS)])
    noop = bench.noop()
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver())
    clean = {"clients": f"20.0.0.1,{CLIENTS}"}
    half = {"clients": f"20.0.0.1,{CLIENTS}", "clients_b": f"{LISTED},{CLIENTS}"}
    rows, data = [], {}
    for last, label, clients in (("eom", "whole message", clean), ("rcpt", "to RCPT", clean),
                                 ("eom", "whole message, half listed", half),
                                 ("rcpt", "to RCPT, half listed", half)):
        fill(daemon, clients)
        for concurrent, sessions in SESSIONS.items():
            rate, cpu, cells = measure(bench, daemon, noop, last, concurrent, sessions, clients)
            rows.append([label, concurrent, *cells])
            data[f"{label}, {concurrent}"] = {"rate": rate, "cpu": cpu}
    return benchlib.Result(
        "cached", "Cached answers of 8 lists, against a filter that does nothing",
        ["session", "at once", "rblmilter, sessions/s", "no-op, sessions/s", "ratio",
         "rblmilter, CPU µs a session", "no-op, CPU µs", "ratio"], rows, data=data)


if __name__ == "__main__":
    benchlib.main(run)
