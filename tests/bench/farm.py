#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A farm's speed, on a PostgreSQL of its own: how soon a change is in force on all daemons (soon), a
million changes caught up with (behind), a new host filled (new). The engine and all daemons are on this
one machine.

  tests/bench/farm.py [--hosts 12] [--rate 100] [--seconds 20] [--rows 1000000] [--fsync] [soon] [behind] [new]
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness.postgres import Farm, Host  # noqa: E402
from harness.waiting import wait_until  # noqa: E402


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


class Adder:
    """A connection to a daemon's control socket, for one change at a time."""

    def __init__(self, host):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(host.rblctl.socket))
        self.file = self.sock.makefile("rb")

    def add(self, entry):
        self.sock.sendall(json.dumps({"command": "add", "entries": [entry]}).encode() + b"\n")
        answer = json.loads(self.file.readline())
        assert answer["ok"], answer


def latencies(farm, rate, seconds):
    """Adds at that rate on all hosts in turn. The time from before the request until the row is in each
    host's own database, seen every 2 ms; of the last host of each change."""
    begun, seen, count = {}, {}, rate * seconds
    readers = [sqlite3.connect(f"file:{h.dir}/blocklist.db?mode=ro", uri=True, check_same_thread=False) for h in farm]
    last = [r.execute("SELECT coalesce(max(id), 0) FROM listing").fetchone()[0] for r in readers]
    stopping = threading.Event()

    def look():
        while not stopping.is_set():
            for i, reader in enumerate(readers):
                for row, entry in reader.execute("SELECT id, entry FROM listing WHERE id > ?", (last[i],)):
                    last[i] = max(last[i], row)
                    seen.setdefault(entry, []).append(time.monotonic())
            time.sleep(0.002)

    looker = threading.Thread(target=look)
    looker.start()
    free = [Adder(h) for _ in range(8) for h in farm]
    lock = threading.Lock()

    def add(adder, entry):
        adder.add(entry)
        with lock:
            free.append(adder)

    start = time.monotonic()
    threads = []
    for i in range(count):
        time.sleep(max(0, start + i / rate - time.monotonic()))
        while not free:
            time.sleep(0.001)
        with lock:
            adder = free.pop(0)
        entry = f"user{i}@domain{i % 7}.example"
        begun[entry] = time.monotonic()
        threads.append(threading.Thread(target=add, args=(adder, entry)))
        threads[-1].start()
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    hosts = len(readers)
    wait_until(lambda: sum(len(s) for s in list(seen.values())) == count * hosts, "not all have all", 60)
    stopping.set()
    looker.join()
    all_ms = sorted((max(seen[e]) - begun[e]) * 1000 for e in begun)
    print(f"{hosts} hosts, {count / took:.0f} changes/s: in force on all, ms: p50 {percentile(all_ms, .5):.0f}, "
          f"p99 {percentile(all_ms, .99):.0f}, largest {all_ms[-1]:.0f}; load {os.getloadavg()[0]:.1f}")  # fmt: skip


def fill(postgres, rows):
    """Changes of another host, as publish takes them."""
    for first in range(0, rows, 50000):
        postgres.sql(
            "SELECT max(farm.publish('filler', part)) FROM (SELECT jsonb_agg(jsonb_build_object('side', 1, 'entry',"
            " 'user' || n || '@domain' || n % 1000 || '.example', 'source', 'bench', 'action', 'block', 'reason',"
            " 'seen in bulk mail 20', 'who', 'bench@filler', 'since', 1700000000, 'at', 1700000000000 + n, 'id',"
            f" (random() * 9e18)::bigint)) AS part FROM generate_series({first}, {min(rows, first + 50000) - 1}) n"
            " GROUP BY n / 500) parts"
        )


def memory_mib(host):
    for line in pathlib.Path(f"/proc/{host.daemon.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024


def cpu_s(host):
    fields = pathlib.Path(f"/proc/{host.daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(host, rows, what):
    """Until all rows are there, to a quarter of a second: to ask costs time as well."""
    began = time.monotonic()
    host.start()
    print(f"{what}: process {host.daemon.pid}", flush=True)
    while (host.count() or 0) < rows or not host.in_sync():
        assert time.monotonic() < began + 1800, f"{host.count()} rows"
        time.sleep(0.25)
    print(f"{what}: {rows:,} rows in {time.monotonic() - began:.1f} s, {cpu_s(host):.1f} s of CPU, "
          f"{memory_mib(host):.0f} MiB at most; load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--fsync", action="store_true", help="the engine's; the daemons' own is on")
    parser.add_argument("parts", nargs="*", default=["soon", "behind", "new"])
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="rblmilter-farm-")
    try:
        with Farm(folder, hosts=arguments.hosts if "soon" in arguments.parts else 1) as farm:
            if arguments.fsync:
                farm.postgres.sql("ALTER SYSTEM SET fsync = on")
                farm.postgres.sql("SELECT pg_reload_conf()")
            if "soon" in arguments.parts:
                latencies(farm, arguments.rate, arguments.seconds)
            for host in farm.hosts[1:]:
                host.stop()
            own = len(farm[0].entries())
            farm[0].stop()
            if {"behind", "new"} & set(arguments.parts):
                fill(farm.postgres, arguments.rows)
            if "behind" in arguments.parts:
                timed(farm[0], own + arguments.rows, "changes caught up with")
            if "new" in arguments.parts:
                farm[0].stop()
                farm.hosts.append(Host(folder, "new", farm.postgres.connection()))
                timed(farm.hosts[-1], own + arguments.rows, "a new host")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
