#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every client is new: 8 lists on a local rbldnsd, rspamd (only its RBL module) and
rblmilter side by side: rate and CPU of whole messages, with clean clients, and with every
other one listed by three lists."""

import functools
import itertools

import benchlib
import rspamdlib
from clients import Clients

LISTS = 8
SESSIONS = {1: 800, 16: 2000, 64: 2000}  # at once: in all
LISTED = "30.0.0.0/8"  # by the first three lists
TURNS = 2  # in the place of one run: more short ones, so that noise hits all


def run(bench):
    zones = [f"bl{i}.test" for i in range(LISTS)]
    bench.rbldnsd(zones, listed=LISTED, listing=3)
    rspamd = rspamdlib.start(bench, zones)
    rspamd2 = rspamdlib.start(bench, zones, workers=2)
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver())
    filters = {"rblmilter": daemon, "rspamd": rspamd, "rspamd with 2": rspamd2}
    clean = {name: Clients() for name in filters}
    listed = {name: Clients(0x1e000001) for name in filters}
    rows, data = [], {}

    def once(name, count, concurrent, half):
        others = {"clients_b": listed[name].take(count)} if half else {}
        return filters[name].load(sessions=count, concurrent=concurrent,
                                  clients=clean[name].take(count), **others)

    for half, concurrent in itertools.product((False, True), SESSIONS):
        count = bench.scaled(SESSIONS[concurrent])
        results = benchlib.interleave(bench.runs * TURNS, {
            name: functools.partial(once, name, count, concurrent, half) for name in filters})
        ours = results.pop("rblmilter")
        row = ["half listed" if half else "clean", concurrent,
               round(benchlib.median(ours, "rate")), round(benchlib.median(ours, "cpu_us"))]
        for name, theirs in results.items():
            rate, cpu = (benchlib.ratio(ours, theirs, key) for key in ("rate", "cpu_us"))
            row += [round(benchlib.median(theirs, "rate")), f"{rate:.2f}",
                    round(benchlib.median(theirs, "cpu_us")), f"{cpu:.2f}"]
            data[f"{name}-{'half' if half else 'clean'}-{concurrent}"] = {"rate": rate, "cpu": cpu}
        rows.append(row)
    headers = ["clients", "at once", "rblmilter, sessions/s", "CPU µs a session"]
    for name in ("rspamd", "rspamd, 2 workers"):
        headers += [f"{name}, sessions/s", "ratio", "CPU µs", "ratio"]
    return benchlib.Result(
        "uncached_rspamd", "Uncached, 8 lists on a local rbldnsd, against rspamd",
        headers, rows, data=data,
        notes=f"{rspamdlib.version()}, with its RBL module alone; its milter worker scans "
              "by itself, one process as it is shipped, and two.")


if __name__ == "__main__":
    benchlib.main(run)
