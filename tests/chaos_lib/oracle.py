"""Which verdicts are allowed, from what is known of the world. Where the daemon cannot
know better (an answer under way, a lie not yet found) both are."""

import itertools

from . import world as w
from .timeline import Timeline

SOON = 0.3  # what was sent before a change may still be on its way


class Fault:
    """What a list's server did from `start` to `end` (both uncertain by the command's
    own time, which is in them)."""

    def __init__(self, kind, start):
        self.kind = kind
        self.start = start
        self.end = float("inf")

    def lies_until(self):
        """Up to when somebody may be refused that the list never meant."""
        if self.kind == "world" and self.end - self.start >= w.FOUND_WITHIN:
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
        self.entries = {}  # text -> Timeline of "none", "block", "allow"
        self.stalls = []  # (from, to): the machine, not the daemon, was late
        self.fresh_clean = []  # when clients were judged that nobody had asked about before
        self.last_fresh = None

    # --- what happens ---

    def fault_begins(self, name, kind, when):
        self.faults[name].append(Fault(kind, when))

    def fault_ends(self, name, when):
        self.faults[name][-1].end = when

    def entry(self, text):
        return self.entries.setdefault(text, Timeline("none"))

    def fresh_client(self, message):
        if message.client == self.last_fresh or message.keys or message.login:
            return
        self.last_fresh = message.client
        self.fresh_clean.append(message.verdict_at)

    # --- what follows ---

    def may_count(self, one, subject, start, end):
        """Whether the list's weight may be in a verdict given in this time."""
        if subject in one.subjects:
            return True
        return any(f.kind in w.LYING and f.start <= end and f.lies_until() >= start
                   for f in self.faults[one.name])

    def must_count(self, one, subject, start, end):
        """Whether it must: it lists the subject, and was well and quick from before the
        session's start to the verdict."""
        if subject not in one.subjects:
            return False
        return not any(f.start <= end and self.well_again(f) >= start
                       for f in self.faults[one.name] if f.kind not in w.HARMLESS)

    def well_again(self, fault):
        if fault.kind not in w.LYING:
            return fault.end + w.BACK_WITHIN
        # Perhaps found by how many it listed: then it is back when so many others were
        # not (surge.h: a window of fifty, and the one that was begun before).
        since = [t for t in self.fresh_clean if t > fault.end + w.BACK_WITHIN]
        return since[120] if len(since) > 120 else float("inf")

    def stalled(self, start, end):
        return any(a <= end and b >= start for a, b in self.stalls)

    def blocklist_says(self, keys, start, end):
        """keys: the entries that would match, the most specific first."""
        said = set()
        for states in itertools.product(*(self.entry(k).between(start, end) for k in keys)):
            said.add(next((s for s in states if s != "none"), "none"))
        return said

    def score_range(self, message, variant):
        least = most = 0
        weights = w.variant_lists(self.world, variant)
        for one in self.world.lists:
            if one.name not in weights:
                continue
            subject = message.client if one.check == "client" else message.domain
            weight = weights[one.name]
            may = self.may_count(one, subject, message.mail_at, message.verdict_at)
            must = self.must_count(one, subject, message.connect_at, message.verdict_at)
            if weight > 0:
                most += weight if may else 0
                least += weight if must else 0
            else:
                least += weight if may else 0
                most += weight if must else 0
        return least, most

    def allowed(self, message):
        """A set of "pass", "block" (by the blocklist) and "dns" (by the lists)."""
        if message.recipient_exempt:
            return {"pass"}
        allowed = set()
        for said in self.blocklist_says(message.keys, message.mail_at, message.verdict_at):
            if said == "block":
                allowed.add("block")
            elif said == "allow" or message.login:
                allowed.add("pass")
            else:
                allowed |= self.allowed_by_score(message)
        return allowed

    def allowed_by_score(self, message):
        allowed = set()
        for variant in self.variant.between(message.open_at, message.negotiated_at):
            least, most = self.score_range(message, variant)
            reject = w.variant_reject(variant)
            if most >= reject:
                allowed.add("dns")
            if least < reject:
                allowed.add("pass")
        return allowed

    # --- the checks ---

    def judge(self, message, outcome):
        """Compares what a message got with what it may get."""
        allowed = self.allowed(message)
        self.history.count("checks")
        if len(allowed) == 1:
            self.history.count("certain")
        if outcome in allowed:
            return
        if outcome == "pass" and "block" not in allowed and self.stalled(
                message.connect_at, message.verdict_at):
            self.history.count("excused by a stall")
            return
        self.history.fail(f"{message} got {outcome}, allowed: {sorted(allowed)}",
                          message.mail_at, message.keys)
