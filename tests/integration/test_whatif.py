# SPDX-License-Identifier: BSD-2-Clause
"""rblctl whatif, held against what it promises: the same sessions played again, to a
daemon that has the new file."""

import collections
import json
import os
import random
import sqlite3
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl

BL, SPAM, PBL, BOTH, GOOD, CLEAN = (f"192.0.2.{n}" for n in range(1, 7))
FRIEND, V6, BITS, DOWN = "198.51.100.7", "2001:db8:5::1", "203.0.113.9", "203.0.113.77"

RULES = (
    listed(BL, "zen.test", "127.0.0.2")
    + listed(PBL, "zen.test", "127.0.0.10")
    + listed(BOTH, "zen.test", "127.0.0.10")
    + listed(GOOD, "zen.test", "127.0.0.2")
    + listed(FRIEND, "zen.test", "127.0.0.2")
    + listed(V6, "zen.test", "127.0.0.2")
    + listed(SPAM, "spam.test")
    + listed(BOTH, "spam.test")
    + listed(GOOD, "wl.test", "127.0.9.3")
    + listed(BITS, "bits.test", "127.0.0.6")
    + listed("bad.example", "dom.test")
    + listed("dyn.example", "dom.test", "127.0.0.4")
    + listed(BL, "late.test")
    + listed(PBL, "after.test")
    + listed(CLEAN, "bounce.test")
)


def zen(**weights):
    codes = {"127.0.0.2": {"weight": weights.get("sbl", 8)},
             "127.0.0.10-127.0.0.11": {"weight": weights.get("pbl", 4)}}
    more = {k: v for k, v in weights.items() if k not in ("sbl", "pbl")}
    return dnsbl("zen", "zen.test", codes, **more)


def spam(**options):
    return dnsbl("spam", "spam.test", **{"weight": 4, **options})


def wl(weight=-5, **options):
    return dnsbl("wl", "wl.test", {"127.0.*.3": {"weight": weight}}, weight=0, **options)


def bits(two=2, four=4):
    return dnsbl("bits", "bits.test", {"&2": {"weight": two}, "&4": {"weight": four}})


def dom(**options):
    return dnsbl("dom", "dom.test", **{"check": ["sender-domain", "helo"], "weight": 8, **options})


def bounce(**options):
    return dnsbl("bounce", "bounce.test", **{"weight": 8, "when": "null-sender", **options})


def lists(**changed):
    """The lists of the file in force, with some of them changed; None: removed."""
    rows = {"zen": zen(), "spam": spam(), "wl": wl(), "bits": bits(), "dom": dom(),
            "bounce": bounce()}
    rows.update(changed)
    return [row for row in rows.values() if row is not None]


OLD = {
    "lists": lists(),
    "verdict": {"reject": 8, "tag": 4},
    "exempt": {"networks": ["127.0.0.0/8", "198.51.100.0/24"],
               "senders": ["friend@b.example"]},
}

# client, and what differs from an ordinary session
SESSIONS = [
    (BL, {}),
    (BL, {"login": "anna"}),
    (BL, {"sender": "<friend@b.example>"}),
    (BL, {"sender": "<foe@b.example>"}),
    (BL, {"recipients": ["<postmaster@e.f>"]}),
    (BL, {"recipients": ["<help@e.f>"]}),
    (BL, {"recipients": ["<postmaster@e.f>", "<d@e.f>"]}),
    (SPAM, {}),
    (SPAM, {"sender": "<x@bad.example>"}),
    (PBL, {}),
    (BOTH, {}),
    (GOOD, {}),
    (CLEAN, {}),
    (CLEAN, {"sender": "<>"}),
    (CLEAN, {"sender": "<x@bad.example>"}),
    (CLEAN, {"helo": "bad.example"}),
    (CLEAN, {"helo": "dyn.example", "sender": "<x@bad.example>"}),
    (CLEAN, {"sender": "<listed@entry.example>"}),
    (CLEAN, {"sender": "<listed+tag@entry.example>"}),
    (BL, {"sender": "<good@allowed.example>"}),
    (FRIEND, {}),
    (V6, {}),
    (BITS, {}),
    (None, {}),
    ("10.1.2.3", {}),
]  # fmt: skip


def refused(reply):
    if reply is None or reply.kind in ("continue", "accept"):
        return None
    if reply.kind == "tempfail" or reply.text.startswith("4"):
        return "tempfail"
    return "reject"


def play(lab, client, helo="client.example", sender="<sender@sender.example>",
         recipients=("<d@e.f>",), login=None):  # fmt: skip
    """One session as an MTA has it. Returns what became of the message."""
    with lab.milter() as milter:
        for step in (
            lambda: milter.connect(client),
            lambda: milter.helo(helo),
            lambda: milter.mail(sender, macros={"{auth_authen}": login} if login else None),
        ):
            verdict = refused(step())
            if verdict:
                return verdict
        verdicts = [refused(milter.rcpt(recipient)) for recipient in recipients]
        worst = next((v for v in verdicts if v), None)
        if all(verdicts):
            milter.abort()
            return worst
        milter.data()
        milter.header("Subject", "x")
        milter.end_of_headers()
        milter.body()
        reply = milter.end_of_message()
        if refused(reply):
            return refused(reply)
        if worst:
            return worst
        tagged = "X-RBL-Score" in dict(reply.added_headers())
        milter.quit()
        return "tag" if tagged else "accept"


def play_all(lab, sessions):
    return [play(lab, client, **more) for client, more in sessions]


def by_verdict(verdicts):
    found = collections.Counter(verdicts)
    return {v: found[v] for v in ("reject", "tempfail", "tag", "accept")}


def start(lab, dns, conf, sessions, entries):
    """A daemon that has all answers cached, so that no verdict is given before all lists
    were heard: what is kept then is known whole."""
    rblctl = Rblctl(lab.dir)
    daemon = lab.daemon(dns, **{**conf, "journal": {"refused": "0"}})
    if entries:
        assert rblctl("add", "listed@entry.example").status == 0
        assert rblctl("allow", "allowed.example").status == 0
    play_all(lab, sessions)
    daemon.reload(lab.conf(dns, **conf), "reloaded ")
    return daemon


class Replay:
    """Plays sessions to the old file's daemon, asks what if, and plays them again."""

    def __init__(self, lab, old, new, sessions=SESSIONS, dns=None, entries=True):
        dns = dns or lab.dns(RULES)
        rblctl = Rblctl(lab.dir)
        daemon = start(lab, dns, old, sessions, entries)
        self.before = play_all(lab, sessions)
        conf = lab.dir / "new.conf"
        conf.write_text(lab.conf(dns, **new))
        result = rblctl("--json", "whatif", "-c", conf)
        assert result.status == 0, result
        self.said = result.json
        self.table = rblctl("whatif", "-c", conf, "--since", "1h")
        daemon.terminate()
        lab.daemon(dns, **new)
        self.after = play_all(lab, sessions)

    def changes(self):
        return {(row["from"], row["to"], row["because"]): row["count"]
                for row in self.said["changed"]}  # fmt: skip

    def check_counts(self):
        said = self.said
        assert said["complete"] and said["decisions"] == len(self.before), said
        assert said["as_it_was"] == by_verdict(self.before), (said, self.before)
        pairs = collections.Counter(p for p in zip(self.before, self.after) if p[0] != p[1])
        told = collections.Counter()
        for row in said["changed"]:
            told[row["from"], row["to"]] += row["count"]
            assert 0 < len(row["ids"]) == min(3, row["count"]), row
        return pairs, told

    def check_exact(self):
        pairs, told = self.check_counts()
        assert self.said["not_known"] == 0 and self.said["unknown"] == [], self.said
        assert told == pairs, (self.said, list(zip(SESSIONS, self.before, self.after)))
        assert self.said["with_file"] == by_verdict(self.after)

    def check_bounds(self):
        """What is told as known is so, and the rest lies within its bounds."""
        order = ["accept", "tag", "tempfail", "reject"]
        pairs, told = self.check_counts()
        actual = by_verdict(self.after)
        least = collections.Counter(self.said["with_file"])
        for verdict in order:
            possible = least[verdict]
            for row in self.said["unknown"]:
                low, high = order.index(row["mildest"]), order.index(row["severest"])
                possible += row["count"] if low <= order.index(verdict) <= high else 0
            assert least[verdict] <= actual[verdict] <= possible, (verdict, self.said, actual)
        assert not told - pairs, (told, pairs)
        assert self.said["not_known"] == sum(row["count"] for row in self.said["unknown"])


def changed(**sections):
    return {**OLD, **sections}


# label, what the new file has, causes that must be named
EXACT = [
    ("the same file", changed(), []),
    ("a weight up", changed(lists=lists(spam=spam(weight=8))), ["spam 4 -> 8"]),
    ("a weight down", changed(lists=lists(dom=dom(weight=2))), ["dom 8 -> 2"]),
    ("a code's weight", changed(lists=lists(zen=zen(pbl=8))),
     ["zen 127.0.0.10-127.0.0.11 4 -> 8"]),
    ("codes", changed(lists=lists(zen=dnsbl("zen", "zen.test", weight=4))), ["zen codes"]),
    ("bits", changed(lists=lists(bits=bits(four=6))), ["bits &4 4 -> 6"]),
    ("an allow list's weight", changed(lists=lists(wl=wl(-4))), ["wl 127.0.*.3 -5 -> -4"]),
    ("an error code", changed(lists=lists(spam=spam(error_codes=["127.0.0.2"]))),
     ["spam error-codes"]),
    ("a list removed", changed(lists=lists(zen=None)), ["zen removed"]),
    ("a list off", changed(lists=lists(zen=zen(mode="off"))), ["zen enforce -> off"]),
    ("a list in monitor", changed(lists=lists(dom=dom(mode="monitor"))),
     ["dom enforce -> monitor"]),
    ("a check less", changed(lists=lists(dom=dom(check=["helo"]))), ["dom check"]),
    ("no IPv6", changed(lists=lists(zen=zen(ipv6=False))), ["zen ipv6"]),
    ("reject up", changed(verdict={"reject": 9, "tag": 4}), ["reject 8 -> 9"]),
    ("reject down", changed(verdict={"reject": 4, "tag": 0}), ["reject 8 -> 4"]),
    ("reject off", changed(verdict={"reject": 0, "tag": 4}), ["reject 8 -> 0"]),
    ("a tempfail", changed(verdict={"reject": 8, "tempfail": 4, "tag": 0}),
     ["tempfail 0 -> 4"]),
    ("no tag", changed(verdict={"reject": 8, "tag": 0}), ["tag 4 -> 0"]),
    ("a network exempt", changed(exempt={**OLD["exempt"], "networks": [
        "127.0.0.0/8", "198.51.100.0/24", "192.0.2.0/30", "2001:db8::/32"]}),
     ["exempt 192.0.2.0/30 new", "exempt 2001:db8::/32 new"]),
    ("a sender exempt", changed(exempt={**OLD["exempt"], "senders": [
        "friend@b.example", "@bad.example"]}), ["exempt sender @bad.example new"]),
    ("a recipient exempt", changed(exempt={**OLD["exempt"], "recipients": [
        "postmaster", "abuse", "help@e.f"]}), ["exempt recipient help@e.f new"]),
    ("two changes", changed(lists=lists(spam=spam(weight=3)), verdict={"reject": 7, "tag": 0}),
     ["tag 4 -> 0", "several changes together"]),
]  # fmt: skip


@pytest.mark.parametrize("row", EXACT, ids=[r[0] for r in EXACT])
def test_equals_the_replay(lab, row):
    _, new, causes = row
    replay = Replay(lab, OLD, new)
    replay.check_exact()
    found = {because for _, _, because in replay.changes()}
    assert set(causes) <= found, (causes, replay.said)
    assert bool(found) == bool(causes)
    assert replay.table.status == 0, replay.table



NETWORKS = {**OLD["exempt"], "networks": ["127.0.0.0/8"]}
NEW_LIST = dnsbl("late", "late.test", weight=8)
HELP = {**OLD["exempt"], "recipients": ["help"]}
HIDDEN = {**OLD, "journal": {"local_parts": False}}
NOT_JUDGED = "not judged then: its recipients were exempt"
EARLY = {"authenticated": False, "senders": []}

# label, the file in force, the new file, what must be told as not known
BOUNDS = [
    ("a new list", OLD, changed(lists=[*lists(), NEW_LIST]), ["late was not queried then"]),
    ("a new allow list", changed(lists=lists(wl=None)), OLD, ["wl was not queried then"]),
    ("a list that was off", changed(lists=lists(spam=spam(mode="off", weight=8))),
     changed(lists=lists(spam=spam(weight=8))), ["spam was not queried then"]),
    ("another zone", OLD, changed(lists=lists(zen=dnsbl("zen", "late.test", weight=8))),
     ["zen was queried under another zone then"]),
    ("one more check", OLD, changed(lists=lists(zen=zen(check=["client", "helo"]))),
     ["zen was not queried then"]),
    ("IPv6", changed(lists=lists(zen=zen(ipv6=False))), OLD, ["zen was not queried then"]),
    ("for all senders", OLD, changed(lists=lists(bounce=bounce(when="any"))),
     ["bounce was not queried then"]),
    ("no network exempt", OLD, changed(exempt=NETWORKS), ["zen was not queried then"]),
    ("no sender exempt", OLD, changed(exempt={**OLD["exempt"], "senders": []}), []),
    ("users who logged in", OLD, changed(exempt={**OLD["exempt"], "authenticated": False}), []),
    ("another recipient exempt", OLD, changed(exempt=HELP), [NOT_JUDGED]),
    ("at the end", OLD, changed(milter={"reject_at": "eom"}), [NOT_JUDGED]),
    ("at the end before", changed(milter={"reject_at": "eom"}), OLD, []),
    ("at MAIL", OLD, changed(milter={"reject_at": "mail"}), [NOT_JUDGED]),
    ("at MAIL before", changed(milter={"reject_at": "mail"}), OLD,
     ["refused before sender or recipient were known"]),
    ("at CONNECT before", changed(milter={"reject_at": "connect"}, exempt=EARLY),
     changed(milter={"reject_at": "connect"}, exempt=EARLY, verdict={"reject": 9, "tag": 0}),
     ["refused before sender or recipient were known"]),
    ("a weight at CONNECT", changed(milter={"reject_at": "connect"}, exempt=EARLY),
     changed(milter={"reject_at": "connect"}, exempt=EARLY, lists=lists(zen=zen(sbl=9))), []),
    ("tags", OLD, changed(blocklist={"strip_tags": True}), ["the blocklist was not queried like this then"]),
    ("hidden, a recipient more", HIDDEN, {**HIDDEN, "exempt": HELP},
     ["local parts are not kept", NOT_JUDGED]),
    ("hidden, a sender more", HIDDEN,
     {**HIDDEN, "exempt": {**OLD["exempt"], "senders": ["friend@b.example", "x@bad.example"]}},
     ["local parts are not kept"]),
    ("hidden, a weight", HIDDEN, {**HIDDEN, "lists": lists(spam=spam(weight=8))}, []),
]  # fmt: skip


@pytest.mark.parametrize("row", BOUNDS, ids=[r[0] for r in BOUNDS])
def test_bounds_of_what_is_not_known(lab, row):
    label, old, new, reasons = row
    replay = Replay(lab, old, new, entries="CONNECT" not in label)
    replay.check_bounds()
    told = {unknown["because"] for unknown in replay.said["unknown"]}
    assert told == set(reasons), json.dumps(replay.said)
    assert replay.table.status == 0, replay.table


AFTER = dnsbl("after", "after.test", weight=4, after=["zen"])
MUTE = [{"name": "1.2.0.192.zen.test", "type": "A", "a": ["127.0.0.2"]},
        {"suffix": "wl.test", "rcode": "SERVFAIL"}]  # fmt: skip


def test_a_list_that_is_asked_after_another(lab):
    old = changed(lists=[*lists(), AFTER])
    new = changed(lists=[*lists(), AFTER.replace("weight = 4", "weight = 3")])
    replay = Replay(lab, old, new)
    replay.check_exact()
    assert ("reject", "tag", "after 4 -> 3") in replay.changes()


def test_monitor_then(lab):
    """A list in monitor is asked: what it would have done is known."""
    old = changed(lists=lists(spam=spam(mode="monitor", weight=8)))
    replay = Replay(lab, old, changed(lists=lists(spam=spam(weight=8))))
    replay.check_exact()
    assert ("accept", "reject", "spam monitor -> enforce") in replay.changes()


def test_an_allow_list_that_failed(lab):
    """It may have saved the message: put off, with the new file, too."""
    old = changed(lists=lists(), verdict={"reject": 8, "tag": 0})
    new = changed(lists=lists(zen=zen(sbl=12)), verdict={"reject": 8, "tag": 0})
    sessions = [(BL, {}), (CLEAN, {})]
    replay = Replay(lab, old, new, sessions, lab.dns(MUTE))
    assert replay.before == ["tempfail", "accept"]
    replay.check_exact()
    conf = lab.dir / "more.conf"
    conf.write_text(lab.conf(**changed(lists=lists(zen=zen(sbl=14)), verdict={"reject": 8, "tag": 0})))
    said = Rblctl(lab.dir)("--json", "whatif", "-c", conf).json
    assert {(row["from"], row["to"], row["because"], row["count"]) for row in said["changed"]} == {
        ("tempfail", "reject", "zen 127.0.0.2 8 -> 14", 1),
        ("tempfail", "reject", "zen 127.0.0.2 12 -> 14", 1),
    }


def test_what_was_not_awaited(lab):
    """The verdict was given before all had answered: what they say is not known."""
    dns = lab.dns([{"suffix": "spam.test", "silent": True}, *RULES])
    slow = {"resolver": {"deadline": "500ms", "timeout": "2s"}}
    sessions = [(BL, {}), (PBL, {}), (CLEAN, {})]
    replay = Replay(lab, {**OLD, **slow}, {**changed(lists=lists(spam=spam(weight=5))), **slow},
                    sessions, dns)  # fmt: skip
    replay.check_bounds()
    assert {row["because"] for row in replay.said["unknown"]} == {"spam had not answered then"}
    assert replay.said["not_known"] == 2  # zen decides the first one by itself
    same = Rblctl(lab.dir)("--json", "whatif", "-c", lab.dir / "rblmilter.conf").json
    assert same["changed"] == [] and same["decisions"] > 3


def test_an_answer_after_the_verdict(lab):
    """What arrived while the message went on is known: a verdict without the others would
    have waited for it."""
    dns = lab.dns([*listed(BL, "spam.test", delay_ms=300), *RULES])
    lab.daemon(dns, **OLD)
    rblctl = Rblctl(lab.dir)
    with lab.milter() as milter:
        assert refused(milter.envelope(BL)) == "reject"
        while rblctl("--json", "status").json["resolver"]["open"] > 0:
            time.sleep(0.05)
        milter.quit()
    conf = lab.dir / "new.conf"
    conf.write_text(lab.conf(dns, **changed(lists=lists(zen=None))))
    said = rblctl("--json", "whatif", "-c", conf).json
    assert said["with_file"]["tag"] == 1 and said["not_known"] == 0, said
    lab.daemons[0].terminate()
    lab.daemon(dns, **changed(lists=lists(zen=None)))
    assert play(lab, BL) == "tag"


def test_a_flood_counts_whole(lab):
    """What was folded counts with the one that stands for it."""
    replay = Replay(lab, OLD, changed(lists=lists(zen=zen(sbl=7))), [(BL, {})] * 80)
    replay.check_exact()
    assert replay.said["records"] < 80
    assert replay.changes() == {("reject", "tag", "zen 127.0.0.2 8 -> 7"): 80}


def test_over_a_reload(lab):
    """Each decision is held against the file that it was made by."""
    dns = lab.dns(RULES)
    daemon = lab.daemon(dns, **OLD)
    conf = lab.dir / "new.conf"
    conf.write_text(lab.conf(dns, **changed(lists=lists(spam=spam(weight=8)))))
    assert play(lab, SPAM) == "tag"
    daemon.reload(conf.read_text(), "reloaded ")
    assert play(lab, SPAM) == "reject"
    said = Rblctl(lab.dir)("--json", "whatif", "-c", conf).json
    assert (said["as_it_was"]["tag"], said["as_it_was"]["reject"]) == (1, 1)
    assert said["with_file"]["reject"] == 2
    assert [(row["because"], row["count"]) for row in said["changed"]] == [("spam 4 -> 8", 1)]


def random_file(r, verdict_stage):
    """A file with some of the lists, in any state."""

    def some(text, share=0.15):
        return None if r.random() < share else text

    mode = lambda: r.choice(["enforce"] * 5 + ["monitor", "off"])  # noqa: E731
    rows = lists(
        zen=some(zen(sbl=r.randint(3, 9), pbl=r.randint(0, 8), mode=mode(), ipv6=r.random() < 0.8)),
        spam=some(spam(weight=r.randint(1, 8), mode=mode())),
        wl=some(wl(r.randint(-8, -1), mode=mode())),
        bits=some(bits(r.randint(0, 4), r.randint(0, 6))),
        dom=some(dom(weight=r.randint(1, 8), mode=mode(), check=r.choice(
            [["sender-domain"], ["helo"], ["sender-domain", "helo"]]))),
        bounce=some(bounce(weight=r.randint(1, 8), when=r.choice(["null-sender", "any"]))),
    )  # fmt: skip
    after = [name for name in ("zen", "spam") if any(f'list "{name}"' in row for row in rows)]
    if r.random() < 0.5:
        rows.append(dnsbl("after", "after.test", weight=r.randint(2, 6), after=after))
    return {
        "lists": rows,
        "verdict": {"reject": r.choice([0, 5, 7, 8, 8, 10]), "tempfail": r.choice([0, 0, 0, 6]),
                    "tag": r.choice([0, 3, 4])},
        "exempt": {"networks": r.sample(["127.0.0.0/8", "198.51.100.0/24", "2001:db8::/32",
                                         "192.0.2.2", "203.0.113.0/24"], r.randint(1, 4)),
                   "senders": r.sample(["friend@b.example", "@bad.example"], r.randint(0, 2)),
                   "recipients": r.sample(["postmaster", "help", "d@e.f"], r.randint(1, 2)),
                   "authenticated": r.random() < 0.8},
        "milter": {"reject_at": verdict_stage},
    }  # fmt: skip


def random_sessions(r, count):
    clients = [BL, SPAM, PBL, BOTH, GOOD, CLEAN, FRIEND, V6, BITS, "10.1.2.3", None]
    senders = ["<>", "<x@bad.example>", "<friend@b.example>", "<foe@dyn.example>",
               "<listed@entry.example>", "<good@allowed.example>", "<x@[192.0.2.1]>", "<x>"]  # fmt: skip
    recipients = ["<d@e.f>", "<postmaster@e.f>", "<help@e.f>", "<g@e.f>"]
    return [
        (r.choice(clients), {"sender": r.choice(senders),
                             "helo": r.choice(["client.example", "bad.example", "[192.0.2.1]"]),
                             "login": r.choice([None, None, None, "anna"]),
                             "recipients": r.sample(recipients, r.randint(1, 3))})
        for _ in range(count)
    ]  # fmt: skip


SEEDS = os.environ.get("WHATIF_SEEDS", "1 2 3 4 5 6 7 8").split()


@pytest.mark.parametrize("seed", SEEDS)
def test_any_two_files(lab, seed):
    r = random.Random(int(seed))
    stage = r.choice(["rcpt", "rcpt", "rcpt", "eom", "mail"])
    old, new = random_file(r, stage), random_file(r, r.choice([stage, stage, "rcpt", "eom"]))
    if r.random() < 0.3:
        old["journal"] = new["journal"] = {"local_parts": False}
    Replay(lab, old, new, random_sessions(r, 40)).check_bounds()


# --- the command ---


@pytest.fixture
def asked(lab):
    lab.name_server = lab.dns(RULES)
    lab.running = lab.daemon(lab.name_server, **OLD)
    lab.rblctl = Rblctl(lab.dir)
    lab.new = lab.dir / "new.conf"
    lab.new.write_text(lab.conf(lab.name_server, **changed(lists=lists(spam=spam(weight=8)))))
    play(lab, SPAM)
    return lab


def test_the_table(asked):
    result = asked.rblctl("whatif", "-c", asked.new, "--since", "1h")
    lines = result.out.splitlines()
    assert result.status == 0 and lines[0].startswith("replayed 1 decisions since "), result
    assert lines[2].split() == ["REJECTED", "TEMPFAIL", "TAGGED", "ACCEPTED", "NOT", "KNOWN"]
    assert lines[3].split() == ["as", "it", "was", "0", "0", "1", "0", "0"]
    assert lines[4].split() == ["with", "new.conf", "1", "0", "0", "0", "0"]
    assert lines[6].split() == ["WHAT", "COUNT", "BECAUSE", "EXAMPLES"]
    assert lines[7].split()[:6] == ["newly", "rejected", "1", "spam", "4", "->"], lines[7]
    shown = asked.rblctl("why", lines[7].split()[-1])
    assert shown.status == 0 and SPAM in shown.out, shown


def test_nothing_would_differ(asked):
    result = asked.rblctl("whatif", "-c", asked.dir / "rblmilter.conf")
    assert result.status == 0 and result.out.endswith("no verdict would differ\n"), result


def test_since(asked):
    time.sleep(2.1)
    assert asked.rblctl("--json", "whatif", "-c", asked.new, "--since", "1s").json["decisions"] == 0
    assert asked.rblctl("--json", "whatif", "-c", asked.new).json["decisions"] == 1


def test_a_file_with_errors(asked):
    """As for a reload: every error, with its line, and exit status 4."""
    asked.new.write_text('verdict { reject = "x" }\nlist "a" { }\n')
    result = asked.rblctl("whatif", "-c", asked.new)
    assert result.status == 4 and result.out == "", result
    assert f"{asked.new}:1: reject" in result.err and 'list "a" has no zone' in result.err
    gone = asked.rblctl("whatif", "-c", asked.dir / "gone.conf")
    assert gone.status == 4 and "gone.conf: cannot be read" in gone.err, gone
    assert asked.rblctl("whatif").status == 2
    assert asked.rblctl("whatif", "-c", asked.new, "--since", "x").status == 2


def test_includes_and_keys_are_the_callers(asked):
    """rblctl reads them, beside the file; no key leaves it."""
    (asked.dir / "spam.conf").write_text(spam(weight=8))
    key = asked.dir / "zen.key"
    key.write_text("s3cret\n")
    key.chmod(0o600)
    keyed = dnsbl("keyed", "%{key}.keyed.test", key_file="zen.key", mode="monitor")
    rest = [row for row in lists(spam=None)] + [keyed]
    text = asked.conf(asked.name_server, **changed(lists=rest))
    asked.new.write_text(text + 'include("spam.conf")\n')
    result = asked.rblctl("--json", "whatif", "-c", asked.new)
    assert result.status == 0, result
    assert {row["because"] for row in result.json["changed"]} == {"spam 4 -> 8"}
    assert "s3cret" not in result.out + asked.running.log.text()


# what a request must not make the daemon read
STRANGE = [
    'include("/etc/hostname")',
    'user = "${HOME}"',
    "user = ${HOME}",
    'user = "\\\\${HOME}"',
]


@pytest.mark.parametrize("text", STRANGE)
def test_a_request_reads_nothing_of_the_daemons(asked, text):
    with asked.rblctl.dial() as s:
        answer = asked.rblctl.request(s, {"command": "whatif", "configuration": text})
        assert answer["error"] == "refused" and len(answer["messages"]) == 1, answer
        assert "root" not in answer["messages"][0], answer
        key = 'list "a" { zone = "%{key}.b.example" key-file = "/etc/shadow" }'
        answer = asked.rblctl.request(s, {"command": "whatif", "configuration": key})
        assert answer["ok"], answer


def multiply(lab, count):
    """So many copies of the decision, with ids of its second."""
    path = next((lab.dir / "journal").glob("*.refused.db"))
    with sqlite3.connect(path, timeout=20) as db:
        db.execute(
            "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < ?) "
            "INSERT INTO decision (id, parts) "
            "SELECT ((id >> 24) << 24) | ((id + k.n) & 16777215), parts "
            "FROM decision, k",
            (count,),
        )
    db.close()


def test_one_at_a_time_and_it_ends_with_the_daemon(asked):
    """A million decisions take a while."""
    asked.rblctl("--json", "whatif", "-c", asked.new)  # it is written
    multiply(asked, 1000000)
    request = {"command": "whatif", "configuration": asked.new.read_text()}
    line = json.dumps(request).encode() + b"\n"
    with asked.rblctl.dial(60) as one, asked.rblctl.dial(60) as two:
        one.sendall(line)
        two.sendall(line)
        answers = [json.loads(s.makefile("rb").readline()) for s in (one, two)]
        assert sorted(a["ok"] for a in answers) == [False, True], answers
        said = next(a for a in answers if a["ok"])["whatif"]
        assert next(a for a in answers if not a["ok"])["error"] == "busy"
        assert said["complete"] and said["decisions"] == 1000001
        assert said["with_file"]["reject"] == 1000001
        one.sendall(line)
        assert play(asked, SPAM) == "tag"  # mail goes on
        asked.running.terminate()
        asked.running.check_clean()
