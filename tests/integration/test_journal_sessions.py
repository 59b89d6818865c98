# SPDX-License-Identifier: BSD-2-Clause
"""Sessions with every kind of verdict, against what zones and entries make of them: each
decision is kept once, and says why. JOURNAL_FULL=1: 20,000 of them."""

import os
import random
import threading
import time

from harness.conf import dnsbl
from harness.decisions import decisions, id_in
from harness.rblctl import Rblctl

SESSIONS = 20000 if os.environ.get("JOURNAL_FULL") == "1" else 2000
THREADS = 8
WEIGHTS = (8, 6, 4, -8)  # of the lists l0 to l3
LISTS = [dnsbl(f"l{i}", f"l{i}.test", weight=w) for i, w in enumerate(WEIGHTS)]
LISTS.append(dnsbl("names", "names.test", check=["sender-domain"], weight=9))


def rules():
    """A client 40+M.x.y.1 is on the lists whose bits M has; each in a network of its own, so
    that none is one of a flood."""
    found = [{"suffix": f"{40 + m}.l{i}.test", "type": "A", "a": ["127.0.0.2"]}
             for m in range(16) for i in range(4) if m >> i & 1]  # fmt: skip
    return [*found, {"name": "spam.example.names.test", "type": "A", "a": ["127.0.0.2"]}]


# sender -> what decides about it; None: the score
SENDERS = {"a@good.example": None, "b@spam.example": None, "c@blocked.example": "block",
           "d@allowed.example": "allow", "e@exempt.example": "sender"}  # fmt: skip
RECIPIENTS = (["x@here.example"], ["postmaster@here.example"],
              ["x@here.example", "abuse@here.example"], ["postmaster@here.example", "y@here.example"])  # fmt: skip


def expected(mask, sender, login):
    """(verdict, score, exempt, entry)"""
    decided = SENDERS[sender]
    if decided == "block":
        return "reject", 0, "", "blocked.example"
    if decided == "allow":
        return "accept", 0, "", "allowed.example"
    if login:
        return "accept", 0, "authenticated", ""
    if decided == "sender":
        return "accept", 0, "sender", ""
    score = sum(w for i, w in enumerate(WEIGHTS) if mask >> i & 1)
    score += 9 if "spam" in sender else 0
    names = ((8, "reject"), (6, "tempfail"), (4, "tag"))
    return next((name for at, name in names if score >= at), "accept"), score, "", ""


class Sessions:
    """All of them, from some threads; what each was told."""

    def __init__(self, lab):
        self.lab, self.next, self.lock, self.told, self.errors = lab, 0, threading.Lock(), [], []

    def run(self):
        threads = [threading.Thread(target=self._some, args=[seed]) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.errors, self.errors[:3]
        return self.told

    def _some(self, seed):
        chance = random.Random(seed)
        try:
            while True:
                with self.lock:
                    number, self.next = self.next, self.next + 1
                if number >= SESSIONS:
                    return
                self._one(number, chance)
        except Exception as error:  # noqa: BLE001: told by the main thread
            self.errors.append(repr(error))

    def _one(self, number, chance):
        mask, sender = chance.randrange(16), chance.choice(list(SENDERS))
        login = "anna" if chance.random() < 0.2 else ""
        recipients = chance.choice(RECIPIENTS)
        client = f"{40 + mask}.{number >> 8}.{number & 255}.1"
        helo = f"h{number}.client.example"
        milter = self.lab.milter()
        milter.connect(client)
        milter.helo(helo)
        milter.mail(f"<{sender}>", macros={"{auth_authen}": login} if login else None)
        replies = [milter.rcpt(f"<{to}>") for to in recipients]
        end = None
        if any(reply.kind == "continue" for reply in replies):
            end = milter.end_of_message(macros={"i": f"Q{number}"})
        milter.quit()
        with self.lock:
            self.told.append((client, helo, sender, login, recipients, replies, end, mask, number))


def check(decision, told):
    client, helo, sender, login, recipients, replies, end, mask, number = told
    verdict, score, exempt, entry = expected(mask, sender, login)
    judged = [to for to in recipients if not to.startswith(("postmaster", "abuse"))]
    if not judged:  # nobody asked for a verdict
        verdict, score, exempt, entry = "accept", 0, "recipient", ""
    where = (told, decision)
    rows = [row for row in decision["lists"] if row["counted"]]
    if decision["missing"] < 0 or any(row["skip"] or row["state"] > 1 for row in rows):
        # a busy machine: a list was not heard in time, or just looked at; the record says so
        heard, least = decision["score"], decision["score"] + decision["missing"]
        verdict = ("reject" if least >= 8 else "tempfail" if heard >= 6
                   else "tag" if heard >= 4 else "accept")  # fmt: skip
        score = heard
    refused = verdict in ("reject", "tempfail")
    for to, reply in zip(recipients, replies):
        is_refused = reply.kind != "continue"
        assert is_refused == (refused and to in judged), where
        if is_refused:
            assert reply.text.startswith("554 5.7.1" if verdict == "reject" else "451 4.7.1"), where
    assert (decision["verdict"], decision["exempt"], decision["entry"]) == (verdict, exempt, entry), where
    # nothing is waited for that can only confirm a verdict: the score is of what was heard
    assert decision["score"] == score or len(rows) < len(decision["lists"]), where
    assert (decision["client"], decision["sender"], decision["login"]) == (client, sender, login), where
    outcomes = ["refused" if r.kind != "continue" else "exempt" if to not in judged else "accepted"
                for to, r in zip(recipients, replies)]  # fmt: skip
    assert decision["recipients"] == [(to, o, "") for to, o in zip(recipients, outcomes)], where
    assert decision["queue_id"] == (f"Q{number}" if end is not None else ""), where
    assert decision["ends"] == 1, where
    assert sum(row["weight"] for row in rows) == decision["score"], where


def test_every_decision_is_kept_once_and_explains_itself(lab):
    lab.daemon(lab.dns(rules()), lists=LISTS, reply={"id": True},
               verdict={"reject": 8, "tempfail": 6, "tag": 4},
               exempt={"senders": ["e@exempt.example"], "networks": []})  # fmt: skip
    ctl = Rblctl(lab.dir)
    assert ctl("add", "blocked.example").status == 0
    assert ctl("allow", "allowed.example").status == 0
    started = time.time()
    told = Sessions(lab).run()
    assert ctl("why", "10.0.0.1").status in (0, 1)  # what is queued is on disk then
    kept = decisions(lab.dir / "journal")
    by_helo = {decision["helo"]: (number, decision) for number, decision in kept.items()}
    assert len(by_helo) == len(kept)
    seen = set()
    for one in told:
        number, decision = by_helo.get(one[1], (None, None))
        # whoever has only exempt recipients has no verdict before the end of the message
        assert decision is not None, one
        check(decision, one)
        ids = {id_in(reply.text) for reply in one[5] if reply.kind != "continue"}
        assert ids <= {number} and not ids & seen, (one, ids)
        assert started - 1 <= decision["at_ms"] / 1000 <= time.time() + 1
        seen |= ids
    assert len(kept) == SESSIONS
