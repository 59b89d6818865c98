#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Memory: with 100,000 cached answers, with 1,000 and 10,000 open sessions, and whether it
grows over 200,000 sessions. Once, not five times: it does not vary as time does."""

import json

import benchlib
from clients import Clients

LISTS = 8
CACHED = 100_000
OPEN = 1_000
MANY, MANY_ACTIVE = 10_000, 1_000
GROWTH, GROWTH_STEPS, GROWTH_CACHE = 200_000, 10, 20_000


def daemon_with(bench, name, more=""):
    return bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                           benchlib.resolver(more), name=name)


def hold(bench, daemon, sessions, clients):
    """Opens sessions that stay, up to MAIL. Returns their process."""
    process = bench.start(
        benchlib.load_command("load", daemon.socket, sessions=sessions, hold=True,
                              last="mail", clients=clients.take(sessions)),
        ready="{")
    said = json.loads(process.ready_line)
    if said["errors"]:
        raise RuntimeError(f"{said['errors']} sessions of {sessions} did not open")
    return process


def let_go(process):
    process.stdin.close()
    process.wait(60)


def cached(bench):
    daemon = daemon_with(bench, "cached")
    start = benchlib.memory_mb(daemon.pid)
    daemon.load(sessions=CACHED // LISTS, concurrent=16, last="rcpt",
                clients=Clients().take(CACHED // LISTS))
    return [("after the start", start),
            (f"{CACHED:,} cached answers", benchlib.memory_mb(daemon.pid))]


def opened(bench):
    daemon = daemon_with(bench, "open")
    clients = Clients()
    some = hold(bench, daemon, OPEN, clients)
    few_mb = benchlib.memory_mb(daemon.pid)
    let_go(some)
    many = hold(bench, daemon, MANY - MANY_ACTIVE, clients)
    sessions = bench.scaled(20_000)
    daemon.load(sessions=sessions, concurrent=MANY_ACTIVE, clients=clients.take(sessions))
    many_mb = benchlib.memory_mb(daemon.pid, "VmHWM")
    let_go(many)
    return [(f"{OPEN:,} open sessions", few_mb),
            (f"{MANY:,} open sessions, {MANY_ACTIVE:,} of them active", many_mb)]


def growth(bench):
    """Every client is new, so the cache is full and turning over from the first step on."""
    daemon = daemon_with(bench, "growth", f"cache-size = {GROWTH_CACHE}")
    clients = Clients()
    count = bench.scaled(GROWTH // GROWTH_STEPS)
    memory = []
    for _ in range(GROWTH_STEPS):
        daemon.load(sessions=count, concurrent=16, clients=clients.take(count))
        memory.append(benchlib.memory_mb(daemon.pid))
    return [(f"after {count * (n + 1):,} sessions", memory[n])
            for n in (0, GROWTH_STEPS // 2 - 1, GROWTH_STEPS - 1)]


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600" for i in range(LISTS)])
    found = cached(bench) + opened(bench) + growth(bench)
    return benchlib.Result(
        "memory", "Memory of the daemon", ["with", "resident, MB"],
        [[label, f"{mb:.1f}"] for label, mb in found],
        data={label: mb for label, mb in found})


if __name__ == "__main__":
    benchlib.main(run)
