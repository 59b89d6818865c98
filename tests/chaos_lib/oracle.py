# SPDX-License-Identifier: BSD-2-Clause
"""Which verdicts are allowed, from what is known of the world. Where the daemon cannot
know better (an answer under way, a lie not yet found) both are."""

import itertools

from . import world as w
from .timeline import Timeline

UNHEARD = object()  # neither listed nor not
SOON = 0.3  # what was sent before a change may still be on its way


class Fault:
    """What a list's server did from `start` to `end` (both uncertain by the command's
    own time, which is in them)."""

    def __init__(self, kind, start):
        self.kind = kind
        self.start = start
        self.end = float("inf")
        self.queries = 0  # that the server had got at its end
        self.victims = 0  # clean mails that only this lie can have refused

    def lies_until(self):
        """Up to when somebody may be refused that the list never meant."""
        if self.kind in w.LYING and self.end - self.start >= w.FOUND_WITHIN:
            # Found out. What it said while it lied is not believed afterwards, either.
            return self.start + w.FOUND_WITHIN
        # Nobody could know: its answers live as long as any.
        return self.end + w.MAX_TTL + w.STALE_TTL + w.DEADLINE + SOON


class Oracle:
    def __init__(self, world, history):
        self.world = world
        self.history = history
        self.faults = {one.name: [] for one in world.lists}
        self.variant = Timeline("all")
        self.running = Timeline("down")
        self.clock = Timeline("right")
        self.entries = {}  # text -> Timeline of "none", "block", "tempfail", "allow"
        self.stalls = []  # (from, to): the machine, not the daemon, was late
        self.suspended = {one.name: Timeline(False) for one in world.lists}
        self.queries = {one.name: [(0.0, 0)] for one in world.lists}  # (when, got so far)

    # --- what happens ---

    def fault_begins(self, name, kind, when):
        self.faults[name].append(Fault(kind, when))

    def fault_ends(self, name, when):
        self.faults[name][-1].end = when
        self.faults[name][-1].queries = self.queries[name][-1][1]

    def server_got(self, name, when, queries):
        self.queries[name].append((when, queries))

    def entry(self, text):
        return self.entries.setdefault(text, Timeline("none"))

    # --- what follows ---

    def lies_about(self, one, subject, start, end):
        """The faults for which the list may name the subject, which it does not mean."""
        if subject in one.subjects:
            return []
        return [f for f in self.faults[one.name] if f.kind in w.LYING and f.start <= end
                and f.lies_until() >= start]

    def well_again(self, fault, name):
        """When a list must be heard again: checked, and quick for so many queries that
        it is waited for."""
        for when, queries in reversed(self.queries[name]):
            if queries < fault.queries + w.QUICK_AFTER:
                return max(fault.end + w.BACK_WITHIN, when + 1)
        return fault.end + w.BACK_WITHIN

    def is_well(self, one, start, end):
        """Whether it was well and quick from before the session's start to the verdict."""
        return not any(f.start <= end and self.well_again(f, one.name) >= start
                       for f in self.faults[one.name] if f.kind not in w.HARMLESS)

    def values(self, one, weight, subject, message, lies=True):
        """What the list may add to the score: numbers, UNHEARD among them."""
        start, end = message.connect_at, message.verdict_at
        values = set()
        if subject in one.subjects or (
                lies and self.lies_about(one, subject, message.open_at, end)):
            values.add(weight)
        well = self.is_well(one, start, end)
        if subject not in one.subjects or not well:
            values.add(0)
        if not well:
            values.add(UNHEARD)
        suspended = self.suspended[one.name].between(start, end)
        if suspended == {True}:
            return {0}
        # a session that began meanwhile did not query it, and does not in the middle
        return values | {0, UNHEARD} if True in suspended else values

    def stalled(self, start, end):
        return any(a <= end and b >= start for a, b in self.stalls)

    def blocklist_says(self, keys, start, end):
        """keys: the entries that would match, the most specific first. A host here is
        known by its HELO only, which anybody can say: no allow entry counts for it."""
        said = set()
        for states in itertools.product(*(self.entry(k).between(start, end) for k in keys)):
            said.add(next((s for k, s in zip(keys, states)
                           if s != "none" and (s, k[:5]) != ("allow", "host:")), "none"))
        return said

    def allowed(self, message, lies=True):
        """A set of "pass", "block" and "tempfail" (by the blocklist), "dns" (by the lists) and "later"
        (they would, but for an allow list that was not heard)."""
        if message.recipient_exempt:
            return {"pass"}
        allowed = set()
        for said in self.blocklist_says(message.keys, message.mail_at, message.verdict_at):
            if said in ("block", "tempfail"):
                allowed.add(said)
            elif said == "allow" or message.login:
                allowed.add("pass")
            else:
                allowed |= self.allowed_by_score(message, lies)
        return allowed

    def allowed_by_score(self, message, lies):
        allowed = set()
        for variant in self.variant.between(message.open_at, message.negotiated_at):
            weights = w.variant_lists(self.world, variant)
            sums = {(0, 0)}  # what is known, and what unheard allow lists may take away
            for one in self.world.lists:
                if one.name in weights:
                    subject = message.client if one.check == "client" else message.domain
                    weight = weights[one.name]
                    sums = {(score + (0 if value is UNHEARD else value),
                             missing + (min(weight, 0) if value is UNHEARD else 0))
                            for score, missing in sums
                            for value in self.values(one, weight, subject, message, lies)}
            reject = w.variant_reject(variant)
            allowed |= {"pass" if score < reject else
                        "later" if score + missing < reject else "dns"
                        for score, missing in sums}
        return allowed

    # --- the checks ---

    def judge(self, message, outcome):
        """Compares what a message got with what it may get."""
        allowed = self.allowed(message)
        self.history.count("checks")
        if len(allowed) == 1:
            self.history.count("certain")
        if outcome in allowed:
            if outcome == "dns" and "dns" not in self.allowed(message, lies=False):
                self.victim(message)
            return
        if outcome in ("pass", "later") and not {"block", "tempfail"} & allowed and self.stalled(
                message.connect_at, message.verdict_at):
            self.history.count("excused by a stall")
            return
        self.history.fail(f"{message} got {outcome}, allowed: {sorted(allowed)}",
                          message.mail_at, message.keys)

    def victim(self, message):
        """Refused by a lie: of all that may have told it, the newest is held to it."""
        subjects = {"client": message.client, "sender-domain": message.domain}
        lies = [f for one in self.world.lists if one.weight > 0
                for f in self.lies_about(one, subjects[one.check], message.open_at,
                                         message.verdict_at)]
        newest = max(lies, key=lambda fault: fault.start)
        newest.victims += 1
        if newest.victims == w.VICTIMS:
            self.history.fail(f"{w.VICTIMS} clean mails were refused by one lie ({newest.kind})")
        self.history.count("refused by a lie")

    def most_victims(self):
        return max((f.victims for faults in self.faults.values() for f in faults), default=0)
