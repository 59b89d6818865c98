#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the journal costs: rate and CPU with it against the same daemon without, answers of 8
lists cached and uncached, and how large a decision is with its index."""

import glob
import os
import sqlite3
import time

import benchlib
from clients import Clients

LISTS = 8
CLIENTS = 1000
LISTED = "21.0.0.1"
AT_ONCE = 16
SESSIONS = 3000
PAIRS = 3  # in the place of one run, as in cached.py
STORED = 200_000


def variants(bench, daemons, options):
    """options: a function of the daemon's name -> options of a load."""
    results = benchlib.interleave(bench.runs * PAIRS, {
        name: lambda name=name: daemons[name].load(**options(name)) for name in daemons})
    on, off = results["on"], results["off"]
    rate, cpu = (benchlib.ratio(on, off, key) for key in ("rate", "cpu_us"))
    return rate, cpu, [round(benchlib.median(on, "rate")), round(benchlib.median(off, "rate")),
                       f"{rate:.2f}", round(benchlib.median(on, "cpu_us")),
                       round(benchlib.median(off, "cpu_us")), f"{cpu:.2f}"]


def file_size(pattern):
    return sum(os.path.getsize(path) for path in glob.glob(pattern))


def stored(bench, folder, daemon, clients):
    """Octets of a decision, its index included; and what it takes to remove its day."""
    daemon.load(sessions=bench.scaled(STORED), concurrent=AT_ONCE, last="eom",
                clients=clients.take(bench.scaled(STORED)), senders=0)
    benchlib.stop(daemon.process)  # all is in the files, and the logs are gone
    count = octets = 0
    for path in glob.glob(folder + "/*.accepted.db"):
        db = sqlite3.connect(path)
        count += db.execute("SELECT count(DISTINCT id) FROM decision").fetchone()[0]
        db.close()
        octets += file_size(path + "*")
    began = time.monotonic()
    for path in glob.glob(folder + "/*.accepted.db*"):
        os.unlink(path)
    return count, octets / count, (time.monotonic() - began) * 1000


def run(bench):
    listing = [f",listed={LISTED[:-1]}0/16=127.0.0.2" if i < 3 else "" for i in range(LISTS)]
    bench.dnsd([f"bl{i}.test,neg=3600,ttl=3600{listing[i]}" for i in range(LISTS)])
    lists = [benchlib.list_section(i) for i in range(LISTS)]
    daemons = {name: bench.rblmilter(lists, benchlib.resolver(), name=name, journal=name == "on")
               for name in ("on", "off")}
    fresh = {name: Clients(0x18000001) for name in daemons}
    clean = {"clients": f"20.0.0.1,{CLIENTS}"}
    half = {**clean, "clients_b": f"{LISTED},{CLIENTS}"}
    count = bench.scaled(SESSIONS)
    rows, data = [], {}
    for label, last, clients in (("cached, whole message", "eom", clean),
                                 ("cached, half listed, to RCPT", "rcpt", half)):
        common = {"sessions": count, "concurrent": AT_ONCE, "last": last, **clients}
        for daemon in daemons.values():
            daemon.load(**{**common, "sessions": 2 * CLIENTS})
        rate, cpu, cells = variants(bench, daemons, lambda _, common=common: common)
        rows.append([label, *cells])
        data[label] = {"rate": rate, "cpu": cpu}
    rate, cpu, cells = variants(bench, daemons, lambda name: {
        "sessions": count, "concurrent": AT_ONCE, "last": "eom", "clients": fresh[name].take(count)})
    rows.append(["uncached, whole message", *cells])
    data["uncached"] = {"rate": rate, "cpu": cpu}
    kept, octets, unlink_ms = stored(bench, bench.path("on.journal"), daemons["on"], fresh["on"])
    data["stored"] = {"decisions": kept, "octets": octets, "unlink_ms": unlink_ms}
    return benchlib.Result(
        "journal", "The journal: with it against without",
        ["session", "with, sessions/s", "without, sessions/s", "ratio",
         "with, CPU µs a session", "without, CPU µs", "ratio"], rows,
        f"{kept:,} decisions of {LISTS} lists: {octets:.0f} octets each with the index; their "
        f"day is removed in {unlink_ms:.0f} ms.", data)


if __name__ == "__main__":
    benchlib.main(run)
