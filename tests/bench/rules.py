#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What rules cost: rate and CPU with all that are shipped against `mode = "off"`, answers of 8
lists cached. Each message counts for its client; its recipients, its end, its refusal."""

import pathlib

import benchlib

LISTS = 8
CLIENTS = 1000
LISTED = "21.0.0.1"
AT_ONCE = 16
SESSIONS = 3000
PAIRS = 3  # in the place of one run, as in cached.py
RULES = pathlib.Path(__file__).resolve().parents[2] / "etc/rules.d"


def run(bench):
    listing = [f",listed={LISTED[:-1]}0/16=127.0.0.2" if i < 3 else "" for i in range(LISTS)]
    bench.dnsd([f"bl{i}.test,neg=3600,ttl=3600{listing[i]}" for i in range(LISTS)])
    lists = [benchlib.list_section(i) for i in range(LISTS)]
    rules = "".join(path.read_text() for path in sorted(RULES.glob("*.conf")))
    daemons = {mode: bench.rblmilter(
        lists, f'{benchlib.resolver()}\nautomatic {{ mode = "{mode}" traps = {{ "trap@e.f" }} }}\n'
        + rules, name=mode) for mode in ("propose", "off")}
    clean = {"clients": f"20.0.0.1,{CLIENTS}"}
    rows, data = [], {}
    for label, last, clients in (
            ("whole message", "eom", clean), ("to RCPT", "rcpt", clean),
            ("half listed, to RCPT", "rcpt", {**clean, "clients_b": f"{LISTED},{CLIENTS}"})):
        options = {"sessions": bench.scaled(SESSIONS), "concurrent": AT_ONCE, "last": last,
                   **clients}
        for daemon in daemons.values():
            daemon.load(**{**options, "sessions": 2 * CLIENTS})
        results = benchlib.interleave(bench.runs * PAIRS, {
            name: lambda name=name, options=options: daemons[name].load(**options)
            for name in daemons})
        on, off = results["propose"], results["off"]
        rate, cpu = (benchlib.ratio(on, off, key) for key in ("rate", "cpu_us"))
        rows.append([label, round(benchlib.median(on, "rate")), round(benchlib.median(off, "rate")),
                     f"{rate:.2f}", round(benchlib.median(on, "cpu_us")),
                     round(benchlib.median(off, "cpu_us")), f"{cpu:.2f}"])
        data[label] = {"rate": rate, "cpu": cpu}
    return benchlib.Result(
        "rules", "Rules: all that are shipped against none",
        ["session", "with, sessions/s", "without, sessions/s", "ratio",
         "with, CPU µs a session", "without, CPU µs", "ratio"], rows, "", data)


if __name__ == "__main__":
    benchlib.main(run)
