# SPDX-License-Identifier: BSD-2-Clause
"""What befalls a farm and when: made from the seed before anything starts."""

import random

WARM_UP = 2.0
# what is done to the database: how often, for how long
DATABASE = (("kill", 3, (0, 6)), ("restart", 2, (0, 3)), ("freeze", 3, (1, 13)), ("failover", 3, (0, 9)),
            ("split", 2, (1, 6)), ("empty", 2, (0, 0)))  # fmt: skip
# to one host, or its network
HOSTS = (("kill-host", 4, (0, 4)), ("stop-host", 1, (0, 3)), ("cut", 3, (1, 10)), ("delay", 2, (2, 6)),
         ("halve", 3, (0, 2)), ("drop", 2, (0, 0)))  # fmt: skip


def draw(rng, kinds, seconds, more):
    """(second, what, how long, …) in order; a pause of 2 to 8 s behind the end of each."""
    events, at = [], WARM_UP + rng.uniform(0, 4)
    while at < seconds - 2:
        what, _, (least, most) = rng.choices(kinds, [kind[1] for kind in kinds])[0]
        length = rng.uniform(least, most)
        events.append((at, what, length, *more(rng)))
        at += length + rng.uniform(2, 8)
    return events


def of_database(seed, seconds, hosts):
    return draw(random.Random(f"database {seed}"), DATABASE, seconds, lambda rng: [rng.randrange(1, 1 << hosts)])


def of_hosts(seed, seconds, hosts):
    return draw(random.Random(f"hosts {seed}"), HOSTS, seconds, lambda rng: [rng.randrange(hosts), rng.uniform(0.05, 0.7)])
