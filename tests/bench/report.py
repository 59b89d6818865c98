#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the benchmarks, and writes their tables and plots into docs/performance.md, each
between the marks <!-- begin NAME --> and <!-- end NAME -->."""

import argparse
import json
import os
import re
import subprocess
import sys

import benchlib
import svgplot

NAMES = ["cached", "delayed", "uncached_rspamd", "postfix", "burst", "memory", "growth",
         "entries", "blocklist"]
DOCS = os.path.join(os.path.dirname(os.path.dirname(benchlib.HERE)), "docs")


def run(name, args):
    """Runs one benchmark; returns its result, or None when it failed."""
    print(f"{name} …", file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, os.path.join(benchlib.HERE, name + ".py"),
                           "--runs", str(args.runs), "--scale", str(args.scale)],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return None
    result = json.loads(done.stdout.splitlines()[-1])
    return benchlib.Result(**result)


def machine():
    """One line on where this ran."""
    def first(path, pattern):
        with open(path, encoding="utf-8") as lines:
            found = re.search(pattern, lines.read())
        return found.group(1) if found else "unknown"

    memory = int(first("/proc/meminfo", r"MemTotal:\s+(\d+)")) / 1024 / 1024
    system = first("/etc/os-release", r'PRETTY_NAME="(.*)"')
    packages = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}, ", "libmilter1.0.1",
         "libc-ares2", "libsqlite3-0", "postfix", "rspamd"], capture_output=True, text=True)
    return (f"{os.cpu_count()} cores ({first('/proc/cpuinfo', r'model name.*: (.*)')}), "
            f"{memory:.0f} GiB of memory, {system}, Linux {os.uname().release}; "
            f"{packages.stdout.rstrip(', ')}.")


def plots(result):
    """The plots of a result: file name -> SVG."""
    out = {}
    if result.name == "entries":
        series = {name: [(max(1, int(x)), rates[name]) for x, rates in result.data.items()
                         if name in rates] for name in ("no-op", "not listed", "listed")}
        out["performance-entries.svg"] = svgplot.plot(
            "Sessions a second by entries", "entries", "sessions/s", series)
    if result.name != "growth":
        return out
    for key, label in (("lists", "lists"), ("sessions", "sessions at once")):
        series = {name: [(int(x), rates[name]) for x, rates in result.data[key].items()]
                  for name in ("no-op", "cached", "uncached")}
        out[f"performance-{key}.svg"] = svgplot.plot(
            f"Sessions a second by {label}", label, "sessions/s", series)
    return out


def replace(text, name, content):
    """Puts content between the marks of name; without marks they come at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{content}\n{end}"
    if begin not in text:
        return f"{text.rstrip()}\n\n{block}\n"
    return text[:text.index(begin)] + block + text[text.index(end) + len(end):]


def write(results):
    path = os.path.join(DOCS, "performance.md")
    with open(path, encoding="utf-8") as page:
        text = page.read()
    text = replace(text, "machine", machine())
    for result in results:
        text = replace(text, result.name, f"### {result.title}\n\n{result.markdown()}")
        for name, svg in plots(result).items():
            with open(os.path.join(DOCS, name), "w", encoding="utf-8") as out:
                out.write(svg)
    with open(path, "w", encoding="utf-8") as page:
        page.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; none: all")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    args = parser.parse_args()
    results = [run(name, args) for name in args.names or NAMES]
    for result in filter(None, results):
        print(f"### {result.title}\n\n{result.markdown()}\n")
    if args.write:
        write([result for result in results if result])
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
