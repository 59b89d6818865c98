# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: private namespaces, processes, CPU and memory of a process,
interleaved runs and their medians, tables.

A benchmark is a module with run(bench) -> Result, and ends with benchlib.main(run)."""

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.environ.get("BENCH_BUILD", os.path.dirname(os.path.dirname(HERE)))
DAEMON = os.environ.get("RBLMILTER", os.path.join(TOP, "rblmilter"))
MARK = "RBL_BENCH_NAMESPACE"


@dataclasses.dataclass
class Result:
    name: str
    title: str
    headers: list
    rows: list
    notes: str = ""
    data: dict = dataclasses.field(default_factory=dict)

    def markdown(self):
        lines = ["| " + " | ".join(self.headers) + " |", "|" + "---|" * len(self.headers)]
        lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in self.rows]
        return "\n".join(lines + (["", self.notes] if self.notes else []))


def enter_namespaces():
    """Starts the program again in a mount and a network namespace of its own: nothing but
    its own loopback is there, port 53 included, and /etc/resolv.conf can be changed."""
    if MARK not in os.environ:
        os.environ[MARK] = "1"
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
                   "--kill-child", sys.executable]
        os.execvp(command[0], command + sys.argv)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Bench:
    """One benchmark's temporary directory and processes; all end with it."""

    def __init__(self, runs=5, scale=1.0):
        self.runs = runs
        self.scale = scale
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="rblbench-"))
        os.chmod(self.dir, 0o755)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def scaled(self, count):
        return max(1, int(count * self.scale))

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, command, ready=None, **options):
        """Starts a program; with ready, waits for the line that begins so, and keeps it
        as process.ready_line."""
        if ready is not None:
            options["stdout"] = subprocess.PIPE
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, **options)
        self.stack.callback(stop, process)
        if ready is not None:
            process.ready_line = process.stdout.readline()
            if not process.ready_line.startswith(ready):
                raise RuntimeError(f"{command[0]} did not start: {process.ready_line!r}")
        return process

    def dnsd(self, zones, port=5300, address="127.0.0.1"):
        """A scripted name server. Returns its process."""
        return self.start([program("dnsd"), f"{address}:{port}", *zones], ready="ready")

    def rbldnsd(self, zones, port=5300, listed=None, listing=0):
        """A real one, with its test point in each zone; the network listed is in the first
        listing zones, too. Returns its process."""
        folder = self.path("rbldnsd")
        os.mkdir(folder, 0o755)
        for name, network in (("data", ""), ("listing", f"{listed}\n" if listed else "")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as out:
                out.write("$SOA 3600 ns.test admin.test 0 600 300 86400 3600\n"
                          f"$NS 3600 ns.test\n:127.0.0.2:listed $\n127.0.0.2\n{network}")
        files = ["listing" if nr < listing else "data" for nr in range(len(zones))]
        process = self.start(["rbldnsd", "-n", "-q", "-u", "nobody", "-b", f"127.0.0.1/{port}",
                              "-c", "0", "-w", folder,
                              *[f"{zone}:ip4set:{file}" for zone, file in zip(zones, files)]])
        time.sleep(1)  # it says nothing when it is ready
        return process

    def noop(self, socket=None):
        socket = socket or "unix:" + self.path("noop.sock")
        return Filter(self.start([program("noop"), socket], ready="ready"), socket)

    def rblmilter(self, lists, settings="", name="rblmilter", socket=None, journal=True):
        """The daemon with lists (texts of list sections), ready to answer."""
        socket = socket or "unix:" + self.path(name + ".sock")
        conf = self.path(name + ".conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(CONF.format(dir=self.dir, name=name, socket=socket,
                                  lists="\n".join(lists), settings=settings,
                                  journal=JOURNAL[journal].format(dir=self.dir, name=name)))
        log = self.stack.enter_context(open(self.path(name + ".log"), "w", encoding="utf-8"))
        process = self.start([DAEMON, "-c", conf], stderr=log,
                             stdout=log)
        daemon = Filter(process, socket, log.name)
        daemon.control = self.path(name + ".control")
        daemon.wait()
        return daemon


JOURNAL = {True: 'journal {{ directory = "{dir}/{name}.journal" min-free = "0" }}',
           "long": 'journal {{ directory = "{dir}/{name}.journal" min-free = "0" max-size = "0"'
                   ' refused = "60d" accepted = "60d" }}',
           False: 'journal {{ refused = "0" }}'}

CONF = """
user = ""
milter {{
  socket = "{socket}"
  socket-mode = "0666"
}}
blocklist {{
  database = "{dir}/{name}.db"
}}
control {{
  socket = "{dir}/{name}.control"
}}
{journal}
log {{
  target = "stderr"
  level = "warning"
}}
verdict {{
  reject = 8
  tag = 0
}}
{lists}
{settings}
"""

RESOLVER = """
resolver {{
  servers = {{ "127.0.0.1:5300" }}
  {more}
}}
"""


def resolver(more=""):
    return RESOLVER.format(more=more)


def list_section(number, check='"client"', more="", prefix="bl"):
    """Without test points, which dnsd does not have: a list that fails its tests is set
    aside and costs nothing, and nothing would be measured."""
    return (f'list "{prefix}{number}" {{\n  zone = "{prefix}{number}.test"\n'
            f"  check = {{ {check} }}\n  weight = 8\n"
            f'  test-listed = ""\n  test-unlisted = ""\n  {more}\n}}')


class Filter:
    """A running filter, and the load that is put on it."""

    def __init__(self, process, socket, log=None):
        self.process = process
        self.pid = process.pid
        self.socket = socket
        self.log = log

    def wait(self, seconds=20):
        """Until the socket accepts."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the filter ended; its log:\n{open(self.log).read()}")
            probe = subprocess.run([program("load"), "--sessions", "1", "--last", "helo",
                                    self.socket], capture_output=True)
            if probe.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("the filter does not accept")

    def wait_idle(self, seconds=120):
        """Until it does nothing any more: what it begins at its start is not measured."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = cpu_seconds(self.pid)
            time.sleep(0.5)
            if cpu_seconds(self.pid) - before < 0.01:
                return
        raise RuntimeError("the filter does not come to rest")

    def check_lists(self):
        """A list set aside is not asked: then the figures would be of something else."""
        if self.log and "state=" in (text := open(self.log, encoding="utf-8").read()):
            print(f"lists were set aside:\n{text}", file=sys.stderr)

    def load(self, **options):
        """Puts a load on it; returns what load says, with cpu_us per session and rss_mb."""
        before = cpu_seconds(self.pid)
        result = run_load("load", self.socket, **options)
        spent = cpu_seconds(self.pid) - before
        result["cpu_us"] = spent * 1e6 / result["sessions"]
        result["rss_mb"] = memory_mb(self.pid)
        self.check_lists()
        return result


def load_command(name, target, **options):
    command = [program(name)]
    for option, setting in options.items():
        command += ["--" + option.replace("_", "-")]
        command += [] if setting is True else [str(setting)]
    return command + [target]


def run_load(name, target, **options):
    """Runs load or smtpload; returns what it says."""
    done = subprocess.run(load_command(name, target, **options), capture_output=True,
                          text=True, timeout=600)
    if not done.stdout:
        raise RuntimeError(f"{name}: {done.stderr}")
    result = json.loads(done.stdout)
    if result["errors"]:
        print(f"{name}: {result['errors']} sessions of {result['sessions']} failed",
              file=sys.stderr)
    return result


def program(name):
    return os.path.join(TOP, "tests", "bench", name)


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def descendants(pid):
    """The process and all below it."""
    with contextlib.suppress(FileNotFoundError):
        yield pid
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                for child in children.read().split():
                    yield from descendants(int(child))


def cpu_seconds(pid):
    """CPU time of the process and those below it, from their CPU clocks
    (utime + stime of /proc/PID/stat count in ticks of 10 ms)."""
    return sum(time.clock_gettime((~one << 3) | 2) for one in descendants(pid))


def memory_mb(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} of {pid}")


def interleave(runs, variants):
    """Runs each variant (name -> function) in turn, runs times over; the first round warms
    up and does not count. Returns name -> list of results."""
    results = {name: [] for name in variants}
    for turn in range(runs + 1):
        for name, function in variants.items():
            result = function()
            if turn > 0:
                results[name].append(result)
    return results


def value(result, path):
    for key in path.split("."):
        result = result[key]
    return result


def median(results, path):
    return statistics.median(value(result, path) for result in results)


def ratio(results, others, path):
    """The median of the pairwise ratios: what disturbs the machine hits both of a pair."""
    return statistics.median(value(a, path) / value(b, path)
                             for a, b in zip(results, others))


def main(run):
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5, help="rounds that count (5)")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="so much of the full number of sessions (1)")
    args = parser.parse_args()
    enter_namespaces()
    with Bench(args.runs, args.scale) as bench:
        result = run(bench)
    print(f"### {result.title}\n\n{result.markdown()}\n")
    print(json.dumps(dataclasses.asdict(result)))
