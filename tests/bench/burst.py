#!/usr/bin/python3
"""A burst: 200 sessions at once. Half of them have to wait 2 s for a list, the others have
nothing to wait for, and must not wait for the first."""

import functools

import benchlib
from clients import Clients

LISTS = 8
AT_ONCE = 200
SLOW_MS = 2000
KNOWN = "21.0.0.1,100"  # clients whose answers are cached
FAST_FIRST = 0x16000001  # 22.0.0.1
SLOW_FIRST = 0x17000001  # 23.0.0.1


def run(bench):
    bench.dnsd([f"bl{i}.test,neg=3600" for i in range(1, LISTS)] +
               [f"bl0.test,neg=3600,slow=23.0.0.0/8={SLOW_MS}"])
    daemon = bench.rblmilter([benchlib.list_section(i) for i in range(LISTS)],
                             benchlib.resolver('timeout = "4s"'))
    daemon.load(sessions=100, concurrent=8, last="rcpt", clients=KNOWN)

    def once(clients):
        return daemon.load(sessions=AT_ONCE, concurrent=AT_ONCE, last="rcpt",
                           clients=clients.take(AT_ONCE), clients_b=KNOWN)

    results = benchlib.interleave(bench.runs, {
        "no list slow": functools.partial(once, Clients(FAST_FIRST)),
        f"one list takes {SLOW_MS} ms": functools.partial(once, Clients(SLOW_FIRST))})
    rows, data = [], {}
    for name, found in results.items():
        waiting, idle = (benchlib.median(found, f"{group}verdict_us.p99") / 1000
                         for group in ("", "b."))
        rows.append([name, f"{waiting:.1f}", f"{idle:.1f}"])
        data[name] = {"waiting_p99_ms": waiting, "idle_p99_ms": idle}
    before, slow = data.values()
    data["ratio"] = slow["idle_p99_ms"] / before["idle_p99_ms"]
    rows.append(["ratio", f"{slow['waiting_p99_ms'] / before['waiting_p99_ms']:.1f}",
                 f"{data['ratio']:.2f}"])
    return benchlib.Result(
        "burst", f"A burst of {AT_ONCE} sessions, half of them with a list to wait for",
        ["", "those asked anew, p99 ms", "those with nothing to wait for, p99 ms"], rows,
        data=data, notes="From the connection to the reply to RCPT.")


if __name__ == "__main__":
    benchlib.main(run)
