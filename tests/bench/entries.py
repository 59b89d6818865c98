#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How the session rate changes with 0 to 10,000,000 entries in the sender blocklist, for
senders that are listed and for those that are not, beside the filter that does nothing."""

import functools

import benchlib
import blocklist

SIZES = [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
SESSIONS = 6000
AT_ONCE = 16


def add_up_to(bench, rblctl, have, size):
    path = bench.path("more")
    with open(path, "w", encoding="ascii") as out:
        out.writelines(blocklist.entry(n) + "\n" for n in range(have, size))
    rblctl.run("import", path, "--source", f"to-{size}", "--reason", "bulk mail")


def rates(bench, daemon, noop, size):
    options = {"sessions": bench.scaled(SESSIONS), "concurrent": AT_ONCE, "last": "rcpt"}
    variants = {"no-op": functools.partial(noop.load, sender=blocklist.CLEAN, senders=0,
                                           **options),
                "not listed": functools.partial(daemon.load, sender=blocklist.CLEAN,
                                                senders=0, **options)}
    if size > 0:
        listed = size * blocklist.ADDRESSES // 20
        variants["listed"] = functools.partial(
            daemon.load, sender=blocklist.LISTED, senders=min(100_000, listed), **options)
    found = benchlib.interleave(bench.runs, variants)
    return {name: benchlib.median(one, "rate") for name, one in found.items()}


def run(bench):
    bench.dnsd(["bl0.test"])
    noop, daemon = bench.noop(), blocklist.start(bench)
    rblctl = blocklist.Rblctl(daemon)
    data, rows, have = {}, [], 0
    for size in SIZES:
        if bench.scaled(size) > have:
            add_up_to(bench, rblctl, have, bench.scaled(size))
            have = bench.scaled(size)
        daemon.wait_idle()
        data[size] = rates(bench, daemon, noop, have)
        memory = benchlib.memory_mb(daemon.pid)
        rows.append([f"{have:,}"] + [round(data[size][name]) if name in data[size] else "-"
                                     for name in ("no-op", "not listed", "listed")]
                    + [f"{memory:.0f}"])
    return benchlib.Result("entries", "How the rate changes with entries in the blocklist",
                           ["entries", "no-op, sessions/s", "senders not listed",
                            "senders listed", "memory of the daemon, MB"], rows, data=data)


if __name__ == "__main__":
    benchlib.main(run)
