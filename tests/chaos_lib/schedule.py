# SPDX-License-Identifier: BSD-2-Clause
"""What happens when: made from the seed before anything starts."""

import random

from . import world as w
from .wallclock import JUMPS

WARM_UP = 3.0  # seconds without a fault, so that the lists have a history
BAD_CONF = ('milter { sokcet = "inet:1@127.0.0.1" }', 'list "a" {', "verdict { reject = x }",
            'include("/nowhere/at/all.conf")', 'list "x" { zone = "x.test" weight = 1000 }')


def of_lists(seed, seconds):
    """The faults, as (second, what, details) in order. Those of one list do not overlap,
    each ends, and the last seconds are quiet."""
    rng = random.Random(f"faults {seed}")
    events = []
    for name in w.NAMES:
        at = WARM_UP + rng.uniform(0, 8)
        while at < seconds - 3:
            kind = rng.choice(w.FAULTS)
            length = rng.choice((rng.uniform(0.3, 3), rng.uniform(4, 14)))
            if kind == "world":  # long enough to be found, short enough to be remembered
                length = rng.choice((length, w.FOUND_WITHIN + rng.uniform(0.2, 4)))
            end = min(at + length, seconds - 2)
            events.append((at, "fault", (name, kind)))
            events.append((end, "well", (name, kind)))
            # now a short rest, and now one that is long enough to be relied on again
            at = end + rng.choice((rng.uniform(0.5, 4), rng.uniform(0.5, 4),
                                   rng.uniform(12, 18)))  # fmt: skip
    return sorted(events)


def of_daemon(seed, seconds):
    """What is done to the daemon, in the same form."""
    rng = random.Random(f"daemon {seed}")
    events = []
    at = rng.uniform(3, 8)
    while at < seconds - 3:
        what = rng.choices(("reload", "bad-reload", "kill", "restart", "flush", "jump"),
                           (4, 3, 3, 1, 1, 2))[0]  # fmt: skip
        details = {"reload": (rng.choice(list(w.VARIANTS)),),
                   "bad-reload": (rng.choice(BAD_CONF),),
                   "jump": (rng.choice(JUMPS), rng.uniform(0.5, 3), rng.random() < 0.4),
                   }.get(what, ())  # fmt: skip
        events.append((at, what, details))
        at += rng.uniform(1, 7)
    return events


def of_admin(seed, seconds):
    """Lists that are suspended for a while, whatever else happens, in the same form."""
    rng = random.Random(f"admin {seed}")
    lists = [name for name in w.NAMES if name not in w.SOMETIMES]
    events = []
    at = WARM_UP + rng.uniform(0, 6)
    while at < seconds - 6:
        name, length = rng.choice(lists), rng.uniform(0.2, 4)
        events += [(at, "suspend", (name,)), (at + length, "resume", (name,))]
        at += length + rng.uniform(2, 9)
    return events
