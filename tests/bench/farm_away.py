#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a farm costs a mail: sessions of a daemon whose farm's database is away, against those
of one without a farm section."""

import os
import subprocess

import benchlib

PAIRS = 3  # in the place of one run: many short ones, so that noise hits both
SESSIONS = {1: 1500, 16: 3000, 64: 3000}  # at once: in all
AWAY = 'farm { database = "host=127.0.0.1 port=9 dbname=none"  node = "mx1" }'  # refused there


def run(bench):
    alone = bench.rblmilter([], benchlib.resolver(), name="alone")
    away = bench.rblmilter([], benchlib.resolver() + AWAY, name="away")
    away.log = None  # it says that the farm is not reached
    for daemon in (alone, away):
        subprocess.run([os.path.join(benchlib.TOP, "rblctl"), "-s", daemon.control, "add", "listed.example"],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    rows, data = [], {}
    for concurrent, sessions in SESSIONS.items():
        options = {"sessions": bench.scaled(sessions), "concurrent": concurrent, "last": "rcpt",
                   "clients": "20.0.0.1,1000"}
        results = benchlib.interleave(bench.runs * PAIRS, {
            "away": lambda: away.load(**options), "alone": lambda: alone.load(**options)})
        rate, cpu = (benchlib.ratio(results["away"], results["alone"], key) for key in ("rate", "cpu_us"))
        rows.append([concurrent, round(benchlib.median(results["away"], "rate")),
                     round(benchlib.median(results["alone"], "rate")), f"{rate:.2f}", f"{cpu:.2f}"])
        data[f"away-{concurrent}"] = {"rate": rate, "cpu": cpu}
    return benchlib.Result(
        "farm-away", "A farm whose database is away, against no farm section",
        ["at once", "away, sessions/s", "no farm, sessions/s", "ratio", "ratio of CPU"], rows, data=data)


if __name__ == "__main__":
    benchlib.main(run)
