#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The sender blocklist with 10,000,000 entries: session rate beside the filter that does
nothing, import beside the sqlite3 shell, rblctl under full mail load, memory and start."""

import contextlib
import functools
import os
import statistics
import subprocess
import threading
import time

import benchlib

ENTRIES = 10_000_000
ADDRESSES = 12  # of 20 entries; the others: domains, IP addresses, hosts
LISTED = "user%n@d%n.listed.test"
CLEAN = "user%n@d%n.clean.test"
SENDERS = 100_000  # different listed ones that come
STRIDE = 2_654_435_761  # a prime: the entries come in no order
COMMANDS = 100  # of each kind, under load

SHELL = """
.bail on
PRAGMA journal_mode = WAL;
CREATE TABLE listing (entry TEXT NOT NULL, allow TEXT NOT NULL, source TEXT NOT NULL,
  reason TEXT NOT NULL, UNIQUE (entry, allow, source));
.mode csv
.import {rows} listing
"""


def entry(n):
    """The n-th entry; the kinds are mixed."""
    group, place = divmod(n, 20)
    if place < ADDRESSES:
        number = group * ADDRESSES + place
        return f"user{number}@d{number}.listed.test"
    if place < 16:
        return f"domain{n}.test"
    if place < 18:
        return f"{60 + (n >> 24)}.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    return f"host:mx{n}.host.test"


def write_files(bench, count):
    plain, rows = bench.path("entries"), bench.path("rows.csv")
    with open(plain, "w", encoding="ascii") as out, open(rows, "w", encoding="ascii") as csv:
        for n in range(count):
            text = entry(n * STRIDE % count)
            out.write(text + "\n")
            csv.write(f"{text},0,feed,bulk mail\n")
    return plain, rows


class Rblctl:
    def __init__(self, daemon):
        self.command = [os.path.join(benchlib.TOP, "rblctl"), "-s", daemon.control]

    def run(self, *words, output=subprocess.DEVNULL, watch=False):
        """Runs a command; returns its seconds and, if watched, its most memory in MB."""
        began = time.monotonic()
        process = subprocess.Popen([*self.command, *words], stdout=output,
                                   stderr=subprocess.PIPE)
        memory = 0.0
        while watch and process.poll() is None:  # its rusage would count Python's fork
            with contextlib.suppress(RuntimeError, FileNotFoundError):
                memory = benchlib.memory_mb(process.pid, "VmHWM")
            time.sleep(0.005)
        said = process.communicate()[1]
        seconds = time.monotonic() - began
        if process.returncode not in (0, 1):
            raise RuntimeError(f"rblctl {words}: {said.decode()}")
        return seconds, memory


class MailLoad:
    """Full mail load in the background, for as long as the with block lasts."""

    def __init__(self, daemon, **options):
        self.daemon, self.options = daemon, options
        self.going, self.rates = True, []

    def __enter__(self):
        self.thread = threading.Thread(target=self.repeat)
        self.thread.start()
        return self

    def repeat(self):
        while self.going:
            self.rates.append(self.daemon.load(sessions=1500, concurrent=16, last="rcpt",
                                               **self.options)["rate"])

    def __exit__(self, *exc):
        self.going = False
        self.thread.join()

    def rate(self):
        return statistics.median(self.rates)


def percentile(values, percent):
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def measure_import(bench, daemon, rblctl, plain, rows, count):
    """Rows: import, beside the sqlite3 shell; and mail meanwhile."""
    calm = daemon.load(sessions=bench.scaled(20000), concurrent=16, last="rcpt",
                       sender=CLEAN, senders=0)["rate"]
    with MailLoad(daemon, sender=CLEAN, senders=0) as mail:
        under_load, _ = rblctl.run("import", plain, "--source", "first", "--reason",
                                    "bulk mail")
    rblctl.run("import", "/dev/null", "--source", "first", "--replace", "--force")
    ours, _ = rblctl.run("import", plain, "--source", "feed", "--reason", "bulk mail")
    database = bench.path("shell.db")
    began = time.monotonic()
    subprocess.run(["sqlite3", database], input=SHELL.format(rows=rows), text=True,
                   check=True, stdout=subprocess.DEVNULL)
    shell = time.monotonic() - began
    os.remove(database)
    return [["import, entries/s", round(count / ours)],
            ["sqlite3 shell, the same rows and key, rows/s", round(count / shell)],
            ["import against the shell", f"{shell / ours:.2f}"],
            ["import under full mail load, entries/s", round(count / under_load)],
            ["mail rate meanwhile, against before", f"{mail.rate() / calm:.2f}"]]


def measure_sessions(bench, daemon, noop, count):
    rows, data = [], {}
    for label, sender, senders in (("not listed", CLEAN, 0),
                                   ("listed", LISTED, min(SENDERS, count // 2))):
        options = {"sessions": bench.scaled(6000), "concurrent": 16, "last": "rcpt",
                   "sender": sender, "senders": senders}
        found = benchlib.interleave(bench.runs, {
            "ours": functools.partial(daemon.load, **options),
            "noop": functools.partial(noop.load, **options)})
        wanted = "reject" if label == "listed" else "continue"
        if any(one["verdicts"][wanted] != one["sessions"] for one in found["ours"]):
            raise RuntimeError(f"{label}: {found['ours'][0]['verdicts']}")
        for key, what in (("rate", "session rate"), ("cpu_us", "CPU a session")):
            ratio = benchlib.ratio(found["ours"], found["noop"], key)
            rows.append([f"senders {label}: {what}, against no-op", f"{ratio:.2f}"])
            data[f"{label}-{key}"] = ratio
    return rows, data


def measure_commands(daemon, rblctl):
    """p99 of add, show and check under full mail load."""
    rows = []
    commands = {"add": lambda n: ["add", f"new{n}@added.test", "--reason", "bench"],
                "show": lambda n: ["show", f"user{n}@d{n}.listed.test"],
                "check": lambda n: ["check", "198.51.100.1", "--sender",
                                    f"user{n}@d{n}.listed.test"]}
    with MailLoad(daemon, sender=CLEAN, senders=0):
        for name, words in commands.items():
            took = [rblctl.run(*words(n))[0] * 1000 for n in range(COMMANDS)]
            rows.append([f"{name} under full mail load, p50 / p99 ms",
                         f"{percentile(took, 50):.1f} / {percentile(took, 99):.1f}"])
    return rows


def measure_listing(rblctl):
    took, _ = rblctl.run("list", "--kind", "domain", "--limit", "50")
    _, whole_mb = rblctl.run("list", "--kind", "domain", watch=True)
    part, _ = rblctl.run("list", "domain1*", "--limit", "50")
    export_s, export_mb = rblctl.run("export", watch=True)
    return [["list with a kind, first page, ms", f"{took * 1000:.0f}"],
            ["list with a pattern, first page, ms", f"{part * 1000:.0f}"],
            ["export, s", f"{export_s:.1f}"],
            ["memory of rblctl: whole list of a kind / export, MB", f"{whole_mb:.1f} / {export_mb:.1f}"]]


def start(bench):
    return bench.rblmilter([benchlib.list_section(0)], benchlib.resolver(), name="big")


def measure_start(bench, daemon):
    """A stop and a new start on the same database: until a listed sender is refused."""
    benchlib.stop(daemon.process)
    began = time.monotonic()
    again = start(bench)
    probe = again.load(sessions=1, last="rcpt", sender=LISTED)
    seconds = time.monotonic() - began
    if probe["verdicts"]["reject"] != 1:
        raise RuntimeError(f"not refused after the start: {probe['verdicts']}")
    return again, ["first right verdict after the start, s", f"{seconds:.2f}"]


def run(bench):
    count = bench.scaled(ENTRIES)
    bench.dnsd(["bl0.test"])
    noop, daemon = bench.noop(), start(bench)
    rblctl = Rblctl(daemon)
    plain, rows_file = write_files(bench, count)
    rows = [["entries", f"{count:,}"]]
    rows += measure_import(bench, daemon, rblctl, plain, rows_file, count)
    daemon, row = measure_start(bench, daemon)
    rows.append(row)
    daemon.wait_idle()
    sessions, data = measure_sessions(bench, daemon, noop, count)
    rows += sessions + measure_commands(daemon, rblctl) + measure_listing(rblctl)
    rows.append(["memory of the daemon, MB", f"{benchlib.memory_mb(daemon.pid):.0f}"])
    return benchlib.Result("blocklist", f"The sender blocklist with {count:,} entries",
                           ["", ""], rows, data={**data, **dict(map(tuple, rows))})


if __name__ == "__main__":
    benchlib.main(run)
