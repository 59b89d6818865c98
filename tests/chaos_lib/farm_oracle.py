# SPDX-License-Identifier: BSD-2-Clause
"""What the rows of an entry can be, from what the hosts were told and what they acknowledged.

An owned entry is changed on one host at a time; another one may go on only once it lists what
was listed last. So its changes have one order, whatever clocks and network do. A change
without an answer, as its daemon was killed, was done or was not. A contested entry is changed
anywhere at any time: of each row the last word of one of the hosts counts."""

import threading

OF_A_SECOND = 1.5  # an end is right to the second, and the machine is busy


def side_of(action):
    return "allow" if action == "allow" else "block"


class Row:
    def __init__(self, action, tag, ends=None):
        self.action, self.tag = action, tag
        self.ends = ends  # (not before, not after), time.monotonic()

    def later(self, seconds):
        if self.ends is not None:
            self.ends = (self.ends[0] + min(seconds, 0), self.ends[1] + max(seconds, 0))

    def __repr__(self):
        return f"{self.action} {self.tag}" + (" with an end" if self.ends else "")


def rows_match(state, seen, since, until):
    """Whether a host that shows `seen`, asked between these times, has that state."""
    for key in state.keys() | seen.keys():
        row = state.get(key)
        if row is None:
            return False
        if key not in seen:
            if row.ends is None or until < row.ends[0]:
                return False
        elif seen[key] != (row.action, row.tag) or (row.ends is not None and since > row.ends[1]):
            return False
    return True


class Owned:
    def __init__(self, name, owner):
        self.name, self.owner = name, owner
        self.lock = threading.Lock()
        self.states = [{}]
        self.last = None  # the key listed last, where that was the last change, for good

    def change(self, source, row, acknowledged):
        """row: None for a removal; source: None for one of all sources."""
        new = []
        for state in self.states:
            after = dict(state)
            if row is not None:
                after[(source, side_of(row.action))] = row
            else:
                after = {key: r for key, r in state.items() if source is not None and key[0] != source}
            new.append(after)
        if not acknowledged:
            new += self.states
        self.states = new[:1] if all(n == new[0] for n in new) else new
        listed = row is not None and row.ends is None and acknowledged
        self.last = (source, side_of(row.action)) if listed else None

    def seen(self, rows, since, until):
        """Takes what the owner shows; False where it cannot be."""
        fits = [s for s in self.states if rows_match(s, rows, since, until)]
        if fits:
            self.states = fits
        return bool(fits)

    def may_pass_on(self):
        return self.last is not None and len(self.states) == 1

    def pass_on(self, host, later_s):
        """To a host at which ends come so much later, as its clock is behind the other's; or not,
        where the other had ended it before the farm heard of it."""
        self.owner = host
        for row in self.states[0].values():
            row.later(later_s)

    def fits_at_end(self, rows, now):
        return any(rows_match(state, rows, now, now) for state in self.states)

    def expected(self):
        return " or ".join(str(state) for state in self.states)


NOTHING = "nothing"  # a host has not said a word of a row
REMOVED = "removed"


class Contested:
    def __init__(self, name, hosts):
        self.name = name
        self.locks = [threading.Lock() for _ in range(hosts)]
        self.words = [{} for _ in range(hosts)]  # by host: key -> what it may have said last

    def change(self, host, keys, word, acknowledged):
        """word: (action, tag) or REMOVED, of each of the keys."""
        words = self.words[host]
        for key in keys:
            words[key] = [word] + ([] if acknowledged else words.get(key, [NOTHING]))

    def fits_at_end(self, rows, _now):
        for key in KEYS:
            words = [words[key] for words in self.words if key in words]
            if key in rows:
                fits = any(rows[key] in w for w in words)
            else:
                fits = any(REMOVED in w for w in words) or all(NOTHING in w for w in words)
            if not fits:
                return False
        return not rows.keys() - set(KEYS)

    def expected(self):
        return f"of each row one of the last words {self.words}"


SOURCES = ("manual", "a", "b")
KEYS = [(source, side) for source in SOURCES for side in ("block", "allow")]
