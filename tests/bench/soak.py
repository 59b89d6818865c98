#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Half an hour at full rate: memory, descriptors and threads must stay flat.

    tests/bench/soak.py [--minutes 30]

Every third round clients that were seen before, else new ones; a reload each minute. It
samples between the rounds and prints a table of the first, the middle and the last samples."""

import argparse
import json
import os
import signal
import time

import benchlib
from clients import Clients

LISTS = 8
ROUND = 5_000


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def sample(daemon, began, sessions):
    return {"minute": round((time.monotonic() - began) / 60, 1), "sessions": sessions,
            "rss_mb": round(benchlib.memory_mb(daemon.pid), 1),
            "files": files_of(daemon.pid), "threads": threads_of(daemon.pid)}


def soak(bench, minutes):
    bench.dnsd([f"bl{i}.test,neg=300" for i in range(LISTS)])
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver("cache-size = 50000"))
    clients, known = Clients(), None
    began, sessions, errors, samples, reloaded = time.monotonic(), 0, 0, [], 0
    while time.monotonic() - began < minutes * 60:
        if known is None or (sessions // ROUND) % 3 < 2:
            known = clients.take(ROUND)
        result = daemon.load(sessions=ROUND, concurrent=64, clients=known)
        sessions += ROUND
        errors += result["errors"]
        samples.append(sample(daemon, began, sessions))
        if time.monotonic() - began > 60 * (reloaded + 1):
            reloaded += 1
            os.kill(daemon.pid, signal.SIGUSR1)
    return samples, errors, reloaded


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    benchlib.enter_namespaces()
    with benchlib.Bench() as bench:
        samples, errors, reloads = soak(bench, args.minutes)
    picks = [samples[i * (len(samples) - 1) // 6] for i in range(7)]
    headers = ["minute", "sessions", "rss_mb", "files", "threads"]
    result = benchlib.Result("soak", "A soak at full rate", headers,
                             [[pick[h] for h in headers] for pick in picks],
                             notes=f"{errors} sessions failed; {reloads} reloads.")
    print(f"### {result.title}\n\n{result.markdown()}\n")
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
