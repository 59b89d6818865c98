#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How the rate grows and shrinks: with 1 to 64 lists, and with 1 to 1024 sessions at
once. Cached and uncached, beside the filter that does nothing."""

import functools

import benchlib
from clients import Clients

LISTS = [1, 2, 4, 8, 16, 32, 64]
AT_ONCE = [1, 4, 16, 64, 256, 1024]
LISTS_OF_SESSIONS = 8
SESSIONS_OF_LISTS = 16
SESSIONS = 2000
KNOWN = 500  # clients, of the cached ones


def daemon_with(bench, lists):
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(lists)],
                             benchlib.resolver(), name=f"lists{lists}")
    daemon.load(sessions=KNOWN, concurrent=16, last="rcpt", clients=f"19.0.0.1,{KNOWN}")
    return daemon


def row(bench, daemon, noop, clients, at_once):
    """sessions/s of the three variants, whole messages."""
    sessions = bench.scaled(max(SESSIONS, 4 * at_once) if at_once > 1 else SESSIONS // 2)
    options = {"sessions": sessions, "concurrent": at_once}

    def uncached():
        return daemon.load(clients=clients.take(sessions), **options)

    results = benchlib.interleave(bench.runs, {
        "no-op": functools.partial(noop.load, **options),
        "cached": functools.partial(daemon.load, clients=f"19.0.0.1,{KNOWN}", **options),
        "uncached": uncached})
    return {name: benchlib.median(found, "rate") for name, found in results.items()}


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600" for i in range(max(LISTS))])
    noop = bench.noop()
    clients = Clients()
    data = {"lists": {}, "sessions": {}}
    for count in LISTS:
        daemon = daemon_with(bench, count)
        data["lists"][count] = row(bench, daemon, noop, clients, SESSIONS_OF_LISTS)
        if count == LISTS_OF_SESSIONS:
            for at_once in AT_ONCE:
                data["sessions"][at_once] = row(bench, daemon, noop, clients, at_once)
        benchlib.stop(daemon.process)
    rows = [[kind.format(number)] + [round(rates[name]) for name in
                                     ("no-op", "cached", "uncached")]
            for kind, key in (("{} lists, " + f"{SESSIONS_OF_LISTS} at once", "lists"),
                              (f"{LISTS_OF_SESSIONS} lists, " + "{} at once", "sessions"))
            for number, rates in data[key].items()]
    return benchlib.Result("growth", "How the rate changes with lists and sessions",
                           ["", "no-op, sessions/s", "cached", "uncached"], rows, data=data)


if __name__ == "__main__":
    benchlib.main(run)
