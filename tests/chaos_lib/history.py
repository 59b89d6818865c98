# SPDX-License-Identifier: BSD-2-Clause
"""What happened, in order, to be shown around a failure."""

import collections
import time


class History:
    def __init__(self, kept=20000):
        self.start = time.monotonic()
        self.events = collections.deque(maxlen=kept)
        self.failures = []
        self.counts = collections.Counter()

    def note(self, text, when=None):
        self.events.append(((when or time.monotonic()) - self.start, text))

    def count(self, *words):
        for word in words:
            self.counts[word] += 1

    def fail(self, text, since=None, about=()):
        """A broken promise, with what happened from `since` (time.monotonic()) on, and
        whatever happened to the entries that it is about."""
        now = time.monotonic()
        self.note(f"FAILED: {text}", now)
        since = (since or now) - self.start
        events = list(self.events)  # other threads go on
        around = [e for e in events if e[0] >= since - 8 and "session" not in e[1]]
        before = [e for e in events if e[0] < since - 8 and "session" not in e[1]]
        big = [e for e in before if "blocklist" not in e[1]][-20:]
        own = [e for e in before if any(f"{key} " in e[1] + " " for key in about)]
        self.failures.append((now - self.start, text, sorted({*big, *own, *around})))

    def show(self, most=5):
        for when, text, events in self.failures[:most]:
            print(f"\n{when:8.3f} FAILED: {text}\n  what happened:")
            for moment, event in events:
                print(f"  {moment:8.3f} {event}")
        if len(self.failures) > most:
            print(f"\nand {len(self.failures) - most} more:")
            for when, text, _ in self.failures[most:most + 40]:
                print(f"{when:8.3f} {text}")
