#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""rblctl why over 30 days of 1,000,000 decisions each, under full mail load: by id, by an
address, by a client's IP address, found and nowhere. WHY_JOURNAL=DIR takes a journal that
journal_bench has filled already, with what it printed in DIR.ids."""

import json
import os
import random
import socket
import subprocess
import time

import benchlib
from blocklist import MailLoad, Rblctl, percentile

LISTS = 8
DAYS = 30
A_DAY = 1_000_000
COMMANDS = 1000  # of each kind
WHOLE = 100  # of them by rblctl as a process of its own


class Control:
    """The control socket, as rblctl speaks to it, without the start of a process."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")

    def why(self, what):
        """Returns how many decisions there are, and how long it took in ms."""
        began = time.monotonic()
        self.socket.sendall(json.dumps({"command": "why", "what": what}).encode() + b"\n")
        answer = json.loads(self.lines.readline())
        ms = (time.monotonic() - began) * 1000
        if not answer["ok"]:
            raise RuntimeError(answer)
        return len(answer["decisions"]), ms


def journal(bench):
    """The journal's directory, filled, and samples: [(id, sender, client), …]."""
    folder = bench.path("why.journal")
    filled = os.environ.get("WHY_JOURNAL")
    if filled:
        os.symlink(filled, folder)
        with open(filled + ".ids", encoding="ascii") as ids:
            text = ids.read()
    else:
        os.mkdir(folder)
        fill = [subprocess.Popen([benchlib.program("journal_bench"), "fill", folder, str(a), str(b),
                                  str(bench.scaled(A_DAY))], stdout=subprocess.PIPE, text=True)
                for a, b in ((DAYS, DAYS // 2 + 1), (DAYS // 2, 1))]
        text = "".join(process.communicate()[0] for process in fill)
        if any(process.returncode for process in fill):
            raise RuntimeError("the journal cannot be filled")
    return folder, [line.split() for line in text.splitlines()]


def questions(samples):
    """Kind -> (what to ask for, whether it is there)."""
    return {
        "id": ([s[0] for s in samples], True),
        "id, nowhere": ([s[0][:10] + "0000" for s in samples], False),
        "sender": ([s[1] for s in samples], True),
        "sender, nowhere": ([f"nobody{n}@nowhere{n}.test" for n in range(COMMANDS)], False),
        "client": ([s[2] for s in samples], True),
        "client, nowhere": ([f"192.0.{n >> 8}.{n & 255}" for n in range(COMMANDS)], False),
        "domain": ([s[1].split("@")[1] for s in samples], True),
    }


def ask(control, words, there):
    times = []
    for word in words[:COMMANDS]:
        count, ms = control.why(word)
        if (count > 0) != there:
            raise RuntimeError(f"{word}: {count} decisions")
        times.append(ms)
    return times


def warm(folder):
    """Has the system keep all of it in memory, as far as it goes."""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            while file.read(1 << 20):
                pass


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600,ttl=3600" for i in range(LISTS)])
    folder, samples = journal(bench)
    random.Random(1).shuffle(samples)
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver(), name="why", journal="long")
    control, rblctl = Control(daemon.control), Rblctl(daemon)
    clients = {"clients": "20.0.0.1,1000"}
    calm = daemon.load(sessions=20000, concurrent=16, last="rcpt", **clients)["rate"]
    rows, data = [], {}
    warm(folder)
    with MailLoad(daemon, **clients) as mail:
        for kind, (words, there) in questions(samples).items():
            cold = ask(control, words[:20], there)
            times = ask(control, words[20:] if there else words, there)
            whole = [rblctl.run("why", word)[0] * 1000 for word in words[:WHOLE]]
            figures = [percentile(times, 50), percentile(times, 99), max(times),
                       percentile(whole, 50), percentile(whole, 99)]
            data[kind] = figures
            rows.append([kind, f"{cold[0]:.0f}", *(f"{ms:.1f}" for ms in figures)])
    data["rate"] = mail.rate() / calm
    octets = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    return benchlib.Result(
        "why", f"rblctl why over {DAYS} days",
        ["by", "first, ms", "p50, ms", "p99, ms", "longest, ms", "rblctl p50, ms",
         "rblctl p99, ms"], rows,
        f"{octets / 1e9:.1f} GB. Mail meanwhile: {data['rate']:.2f} of the rate without.", data)


if __name__ == "__main__":
    benchlib.main(run)
