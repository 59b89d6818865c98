# SPDX-License-Identifier: BSD-2-Clause
"""An ordinary day sets off no guard: each daily event with each kind of list
(docs/health.md). While it lasts, and for a second after it, listed mails may pass, a second's
worth at most; a clean one is never refused; before and after it all is as it must be."""

import os
import pathlib
import statistics
import time

import pytest
from chaos_lib.wallclock import WallClock
from harness.rblctl import Rblctl
from traffic import RESOLVER, Kind, Traffic

KINDS = ["block", "allow", "name", "hash", "ipv6", "after", "monitor"]
# What a verdict may wait in an event: less than the deadline, but where no server answers for
# as long as that; a busy machine adds some.
MOST_MS = {"restart, 2 s": 4000, "resolver later than the daemon": 4500,
           "second server public": 4500}  # fmt: skip
SETTLED = 1.0  # seconds after an event until all is as before


class Two:
    """Two servers as one address for resolver.servers."""

    def __init__(self, *servers):
        self.address = '", "'.join(server.address for server in servers)


def nothing(_):
    pass


def closed(seconds):
    def event(world):
        world.dns.down()
        time.sleep(seconds)
        world.dns.up()

    return event


def says(seconds, **answer):
    def event(world):
        world.dns.rules([{"suffix": "test", **answer}])
        time.sleep(seconds)
        world.dns.rules(world.kind.rules())

    return event


def lost_packet(world):
    lost = {"suffix": "bl.test", "silent": True, "times": 1}
    world.dns.rules([lost] + world.kind.rules())
    time.sleep(0.5)
    world.dns.rules(world.kind.rules())


def odd_answer(world):
    """One wrong answer of the list in question; the check is asked for, so that it is met."""
    world.dns.rules([world.kind.odd_answer()] + world.kind.rules())
    world.rblctl("dnsbl", "test", world.kind.own)
    time.sleep(0.2)
    world.dns.rules(world.kind.rules())


def alone(**answer):
    """The list in question fails for a second, the others do not."""

    def event(world):
        world.dns.rules([{"suffix": world.kind.zone, **answer}] + world.kind.rules())
        time.sleep(1)
        world.dns.rules(world.kind.rules())

    return event


def other_suspended(world):
    world.rblctl("dnsbl", "suspend", "other")
    time.sleep(0.5)
    world.rblctl("dnsbl", "resume", "other")


def only(listed):
    def event(world):
        world.traffic.share = (listed,)
        world.traffic.pause = 0
        time.sleep(1.5)
        world.traffic.share = (True, False)
        world.traffic.pause = 0.03

    return event


def reload_twice(world):
    world.daemon.reload()
    world.daemon.reload()


def clock_step(world):
    world.clock.jump(3600)  # beyond two hours libmilter itself ends open sessions
    time.sleep(0.3)
    world.clock.jump(0)


def first_silent_second_public(world):
    world.dns.rules([{"silent": True}])
    time.sleep(3)
    world.dns.rules(world.kind.rules())


EVENTS = {
    "restart, 0.1 s": closed(0.1),
    "restart, 2 s": closed(2),
    "resolver later than the daemon": nothing,
    "one lost packet": lost_packet,
    "REFUSED for 0.2 s": says(0.2, rcode="REFUSED"),
    "SERVFAIL for 0.2 s": says(0.2, rcode="SERVFAIL"),
    "one odd answer": odd_answer,
    "another list suspended": other_suspended,
    "wave": only(True),
    "quiet": only(False),
    "reload twice": reload_twice,
    "clock step": clock_step,
    "second server public": first_silent_second_public,
}
ALLOW_LIST = {
    "it alone REFUSED": alone(rcode="REFUSED"),
    "it alone SERVFAIL": alone(rcode="SERVFAIL"),
    "it alone loses 15 %": alone(silent=True, chance=0.15),
}
EVERY_EVENT = {**EVENTS, **ALLOW_LIST}
CELLS = [(event, kind) for event in EVENTS for kind in KINDS]
CELLS += [(event, "allow") for event in ALLOW_LIST]


class World:
    def __init__(self, lab, kind, event):
        self.lab, self.kind = lab, kind
        self.dns = lab.dns(kind.rules())
        self.clock = WallClock(lab.dir)
        servers = self.dns
        if event == "second server public":
            servers = Two(self.dns, lab.dns([{"suffix": "test", "a": ["127.255.255.254"]}]))
        if event == "resolver later than the daemon":
            self.dns.down()
        text = lab.conf(servers, lists=kind.lists(), resolver=dict(RESOLVER))
        self.daemon = lab.daemon(conf=text.replace('\\"', '"'), env=self.clock.environment())
        self.rblctl = Rblctl(lab.dir)
        self.traffic = None


def judge(mails, began, ended):
    """The numbers of a cell. Listed mail that is put off has not passed, but waits."""
    open_until = ended + SETTLED
    passed = [m for m in mails if m.listed and not m.refused and not m.put_off]
    put_off = [m for m in mails if m.put_off]
    during = [m.ended - m.began for m in mails if m.ended >= began and m.began < open_until]
    late = [m.ended for m in passed if m.ended >= began]

    def settled(which):
        return sum(m.began >= open_until or m.ended < began for m in which)

    return {
        "mails": len(mails),
        "refused": sum(not m.listed and m.refused for m in mails),
        "put_off": len(put_off),
        "put_off_settled": settled(put_off),
        "passed": len(passed),
        "passed_settled": settled(passed),
        "seconds": max([0.0] + [t - ended for t in late]),
        "median": 1000 * statistics.median([0.0] + during),
        "ms": 1000 * max([0.0] + during),
        "second": listed_in_a_second(mails, began, open_until),
    }


def listed_in_a_second(mails, began, open_until):
    """How many listed mails an ordinary second has: before the event, or after it."""
    listed = [m.began for m in mails if m.listed]
    return max(sum(start <= t < start + 1 for t in listed) for start in (began - 1, open_until))


def note(event, kind, cell):
    """For the table of docs/health.md."""
    folder = pathlib.Path(os.environ.get("GUARDS_TABLE", "build/check"))
    if folder.is_dir():
        with open(folder / "guards.txt", "a") as table:
            table.write(
                f"{event} | {kind} | {cell['passed']} | {cell['refused']} | {cell['put_off']} | "
                f"{cell['seconds']:.1f} | {cell['median']:.0f} | {cell['ms']:.0f}\n"
            )


@pytest.mark.parametrize("event,kind", CELLS, ids=[f"{event}-{kind}" for event, kind in CELLS])
def test_cell(lab, event, kind):
    world = World(lab, Kind(kind), event)
    world.traffic = Traffic(lab, world.kind)
    if event == "resolver later than the daemon":
        began = time.monotonic() - 60
        time.sleep(2)
        world.dns.up()
    else:
        time.sleep(1)
        began = time.monotonic()
        EVERY_EVENT[event](world)
    ended = time.monotonic()
    time.sleep(SETTLED + 1)
    cell = judge(world.traffic.stop(), began, ended)
    note(event, kind, cell)
    assert cell["mails"] > 20, cell
    assert cell["refused"] == 0, cell
    assert cell["passed_settled"] == 0 and cell["put_off_settled"] == 0, cell
    assert cell["passed"] <= cell["second"] and cell["seconds"] <= SETTLED, cell
    assert cell["ms"] < MOST_MS.get(event, 2900), cell
