# SPDX-License-Identifier: BSD-2-Clause
"""What was true when, where a change is not of one moment: between the order and its
acknowledgement both the old and the new may hold."""


class Timeline:
    def __init__(self, state):
        self.steps = [(float("-inf"), frozenset([state]))]

    def states(self):
        """What may hold now."""
        return self.steps[-1][1]

    def set(self, when, *states):
        self.steps.append((when, frozenset(states)))

    def begin(self, when, new):
        """An order is given: from now on both may hold."""
        self.set(when, *self.states(), new)

    def between(self, start, end):
        """All that may have held at some moment from start to end."""
        found = set()
        for number, (since, states) in enumerate(self.steps):
            until = self.steps[number + 1][0] if number + 1 < len(self.steps) else float("inf")
            if since <= end and until >= start:
                found |= states
        return found
