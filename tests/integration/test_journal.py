# SPDX-License-Identifier: BSD-2-Clause
"""The journal: each refusal has an id, and each decision is kept."""

import re
import sqlite3
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl
from harness.smtp import Smtp
from test_rblctl_rights import MEMBER

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LETTER = f"[{ALPHABET}]"
ID = f"{LETTER}{{4}}-{LETTER}{{4}}-{LETTER}{{4}}"
CLIENT = "192.0.2.1"


def number(text):
    """An id as the files have it."""
    value = 0
    for letter in text.replace("-", ""):
        value = value * 32 + ALPHABET.index(letter)
    return value


def kept_ids(folder, kind):
    ids = []
    for path in sorted((folder / "journal").glob(f"*.{kind}.db")):
        with sqlite3.connect(path) as db:
            ids += [row[0] for row in db.execute("SELECT DISTINCT id FROM decision")]
    return ids


def test_id_in_reply_log_and_file(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", txt="why"))
    daemon = lab.daemon(dns, lists=[dnsbl("bl", "bl.test")], reply={"id": True})
    reply = lab.send(addr=CLIENT).reply
    found = re.fullmatch(
        r"554 5\.7\.1 Service unavailable; Client host \[192\.0\.2\.1\] "
        rf"blocked using bl; why \[({ID})\]",
        reply,
    )
    assert found, reply
    daemon.log.wait_for(f" id={found.group(1)} ")
    lab.send(addr="192.0.2.99")
    daemon.terminate()
    accepted = re.findall(rf"accept: .* id=({ID}) ", daemon.log.text())
    assert kept_ids(lab.dir, "refused") == [number(found.group(1))]
    assert kept_ids(lab.dir, "accepted") == [number(text) for text in accepted]


def test_long_text_never_cuts_the_id(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", txt="x" * 700))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")], reply={"id": True})
    reply = lab.send(addr=CLIENT).reply
    assert re.search(rf" \[{ID}\]$", reply) and len(reply) + 2 <= 512, (len(reply), reply)


def test_off_means_no_id(lab):
    dns = lab.dns(listed(CLIENT, "bl.test", txt="why"))
    daemon = lab.daemon(dns, lists=[dnsbl("bl", "bl.test")], reply={"id": True},
                        journal={"refused": "0"})
    assert lab.send(addr=CLIENT).reply.endswith("blocked using bl; why")
    assert " id=" not in daemon.log.text()
    daemon.terminate()
    assert not (lab.dir / "journal").exists()


# --- rblctl why, rblctl false ---

SENDER = "anna.a@domain.xyz"
TO = "info@kunde.example"


@pytest.fixture
def refused(lab):
    """A daemon that refused one mail of CLIENT, and accepted one of 192.0.2.7."""
    dns = lab.dns(listed(CLIENT, "zen.test", txt="see https://zen.test/?ip=192.0.2.1")
                  + listed(CLIENT, "cop.test"))
    lab.daemon(
        dns,
        lists=[dnsbl("zen", "zen.test", weight=6), dnsbl("cop", "cop.test", weight=4),
               dnsbl("wl", "wl.test", weight=-8),
               dnsbl("dbl", "dbl.test", check=["sender-domain"])],
        reply={"id": True},
    )
    reply = lab.send(addr=CLIENT, sender=SENDER, recipients=[TO]).reply
    lab.refused = re.search(rf"\[({ID})\]", reply).group(1)
    lab.send(addr="192.0.2.7", sender=SENDER)
    lab.ctl = Rblctl(lab.dir)
    return lab


def test_why_in_full(refused):
    result = refused.ctl("why", refused.refused)
    assert result.status == 0
    for pattern in [rf"id +{refused.refused}", r"rejected +2\d{3}-.* at rcpt: score 10, refused from 8",
                    rf"client +{CLIENT}, no confirmed name", rf"sender +{SENDER}",
                    rf"to +{TO} refused", r"zen +192\.0\.2\.1 +127\.0\.0\.2 +6 DNS .* listed +decided: without it 4",
                    r"cop +192\.0\.2\.1 +127\.0\.0\.2 +4 DNS .* decided: without it 6", r"wl +192\.0\.2\.1 +not listed +0",
                    r"dbl +domain\.xyz +(not listed|no answer)", r"reason +see https://zen",
                    r"now +the same message would be rejected \(score 10\)",
                    rf"if wrong +rblctl false {refused.refused} --reason",
                    r"delisting +https://zen\.test/\?ip=192\.0\.2\.1"]:  # fmt: skip
        assert re.search(pattern, result.out), (pattern, result)


def test_why_as_json(refused):
    (decision,) = refused.ctl("--json", "why", refused.refused).json["decisions"]
    assert {k: decision[k] for k in ["id", "verdict", "score", "client", "sender", "login",
                                     "queue_id", "entry", "exempt"]} == {
        "id": refused.refused, "verdict": "reject", "score": 10, "client": CLIENT,
        "sender": SENDER, "login": "", "queue_id": "", "entry": "", "exempt": ""}  # fmt: skip
    assert abs(decision["at_ms"] / 1000 - time.time()) < 60
    assert [(r["recipient"], r["outcome"]) for r in decision["recipients"]] == [(TO, "refused")]
    rows = {row["list"]: row for row in decision["lists"]}
    assert rows["zen"]["state"] == "listed" and rows["zen"]["addresses"] == ["127.0.0.2"]
    assert rows["zen"]["weight"] == 6 and rows["zen"]["source"] == "dns"
    assert rows["zen"]["subject"] == "client" and 0 < rows["zen"]["ttl_s"] <= 300
    assert rows["wl"]["state"] == "none"
    assert rows["dbl"]["state"] in ("none", "failed")  # it could change nothing


def test_what_comes_after_the_verdict(lab):
    """A list that was not waited for: its answer is added when the message ends."""
    dns = lab.dns(listed(CLIENT, "quick.test") + listed(CLIENT, "slow.test", delay_ms=400))
    lab.daemon(dns, lists=[dnsbl("quick", "quick.test"), dnsbl("slow", "slow.test")])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        smtp.mail(SENDER)
        assert smtp.rcpt(TO).code == 554
        ctl = Rblctl(lab.dir)
        while ctl("--json", "status").json["resolver"]["open"] > 0:
            time.sleep(0.05)
        (open_one,) = ctl("--json", "why", CLIENT).json["decisions"]
        assert open_one["end"] == "still open"
        smtp.quit()
    (decision,) = ctl("--json", "why", CLIENT).json["decisions"]
    rows = {row["list"]: row for row in decision["lists"]}
    assert rows["quick"]["weight"] == 8 and rows["slow"]["weight"] == 0
    assert rows["slow"]["state"] == "listed" and "after the verdict" in rows["slow"]["note"]


# what is asked for, the decisions that there are: R the refused one, A the accepted one
WAYS = [
    (["{id}"], "R"),
    (["{lower}"], "R"),
    (["{plain}"], "R"),
    ([SENDER], "RA"),
    (["Anna.A@Domain.XYZ"], "RA"),
    ([TO], "R"),
    (["domain.xyz"], "RA"),
    (["@kunde.example"], "R"),
    ([CLIENT], "R"),
    (["192.0.2.0/24"], "RA"),
    (["192.0.0.0/16"], "RA"),
    (["192.0.2.0/30"], "R"),
    ([SENDER, "--verdict", "accept"], "A"),
    ([SENDER, "--list", "cop"], "R"),
    ([SENDER, "--list", "wl"], ""),
    ([SENDER, "--to", TO], "R"),
    ([SENDER, "--to", "kunde.example"], "R"),
    ([SENDER, "--limit", "1"], "A"),
    ([CLIENT, "--since", "1h"], "R"),
    (["nobody@domain.xyz"], ""),
    (["user:anna"], ""),
    (["4cQ1aB"], ""),
    (["xyz.example"], ""),
]


@pytest.mark.parametrize("words,want", WAYS, ids=[" ".join(w) for w, _ in WAYS])
def test_ways_to_find(refused, words, want):
    words = [w.format(id=refused.refused, lower=refused.refused.lower(),
                      plain=refused.refused.replace("-", " ")) for w in words]  # fmt: skip
    result = refused.ctl("--json", "why", *words)
    got = ["R" if d["id"] == refused.refused else "A" for d in result.json["decisions"]]
    assert sorted(got) == sorted(want)
    assert result.status == (0 if want else 1)


@pytest.mark.parametrize("words", [["192.0.0.0/15"], ["2001:db8::/32"], ["x", "--verdict", "no"],
                                   ["x y"], ["x", "--limit", "5000"]])  # fmt: skip
def test_bad_requests(refused, words):
    result = refused.ctl("why", *words)
    assert result.status == 2 and "expected" in result.err, result


def test_id_misread_and_of_another_node(refused):
    last = "A" if refused.refused[-1] != "A" else "B"
    result = refused.ctl("why", refused.refused[:-1] + last)
    assert result.status == 1 and refused.refused in result.out
    other = refused.refused[:7] + "G" + refused.refused[8:]  # the node's letter: 0 -> 32
    result = refused.ctl("--json", "why", other)
    assert result.status == 1 and result.json["node"] == 32


def test_entry_exemption_and_tag(lab):
    dns = lab.dns(listed("192.0.2.4", "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=5)], reply={"id": True},
               verdict={"tag": 4}, exempt={"networks": ["198.51.100.0/24"]})  # fmt: skip
    ctl = Rblctl(lab.dir)
    ctl("add", "bad.example", "--reason", "ticket 7")
    lab.send(addr="192.0.2.9", sender="x@mail.bad.example")
    ctl("tempfail", "slow.example", "--reason", "ticket 8")
    lab.send(addr="192.0.2.9", sender="x@slow.example")
    lab.send(addr="192.0.2.4", sender="tagged@good.example")
    lab.send(addr="198.51.100.3", sender="own@good.example")
    (blocked,) = ctl("--json", "why", "x@mail.bad.example").json["decisions"]
    assert (blocked["verdict"], blocked["entry"], blocked["entry_action"],
            blocked["entry_reason"]) == ("reject", "bad.example", "block", "ticket 7")
    (late,) = ctl("--json", "why", "x@slow.example").json["decisions"]
    assert (late["verdict"], late["entry"], late["entry_action"],
            late["entry_reason"]) == ("tempfail", "slow.example", "tempfail", "ticket 8")
    (tagged,) = ctl("--json", "why", "tagged@good.example").json["decisions"]
    assert (tagged["verdict"], tagged["score"]) == ("tag", 5)
    (own,) = ctl("--json", "why", "198.51.100.3").json["decisions"]
    assert (own["verdict"], own["exempt"], own["lists"]) == ("accept", "network", [])
    assert "bad.example" in ctl("why", "bad.example").out  # by the entry that decided


def test_recipients_of_one_message(lab):
    """Exempt ones before and after the refusal; a queue id; how it ended."""
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")])
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        smtp.mail(SENDER)
        codes = [smtp.rcpt(to).code
                 for to in ("postmaster@a.example", "b@a.example", "abuse@a.example")]
        assert codes == [250, 554, 250]
        assert smtp.data("Subject: x\n\nx\n").code == 250
    (decision,) = Rblctl(lab.dir)("--json", "why", CLIENT).json["decisions"]
    assert [(r["recipient"], r["outcome"]) for r in decision["recipients"]] == [
        ("postmaster@a.example", "exempt"), ("b@a.example", "refused"),
        ("abuse@a.example", "exempt")]  # fmt: skip
    assert decision["end"] == "end of message" and decision["queue_id"]
    (same,) = Rblctl(lab.dir)("--json", "why", decision["queue_id"]).json["decisions"]
    assert same["id"] == decision["id"]


def test_recipients_that_the_mta_refuses(lab):
    """They are shown with the MTA's status, and judged by nobody."""
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")])
    ctl = Rblctl(lab.dir)
    for client, code in ((CLIENT, 554), ("192.0.2.7", 250)):
        with Smtp(lab.postfix.smtp_port) as smtp:
            smtp.xclient(client)
            smtp.ehlo()
            smtp.mail(SENDER)
            codes = [smtp.rcpt(to).code for to in ("unknown@mx.test", TO, "unknown@mx.test", "y@z.test")]
            assert codes == [550, code, 550, code]
        (decision,) = ctl("--json", "why", client).json["decisions"]
        outcome = "refused" if code == 554 else "accepted"
        assert [(r["recipient"], r["outcome"]) for r in decision["recipients"]] == [
            ("unknown@mx.test", "refused by the MTA"), (TO, outcome),
            ("unknown@mx.test", "refused by the MTA"), ("y@z.test", outcome)]  # fmt: skip
        assert "refused by the MTA 5.1.1" in re.sub(r"[()\s]+", " ", ctl("why", decision["id"]).out)
    assert ctl("--json", "stats").json["milter"]["refused"] == 1
    with Smtp(lab.postfix.smtp_port) as smtp:  # of nobody else: there is no verdict
        smtp.xclient("192.0.2.8")
        smtp.ehlo()
        smtp.mail(SENDER)
        assert smtp.rcpt("unknown@mx.test").code == 550
    assert ctl("--json", "why", "192.0.2.8").json["decisions"] == []


def test_false_marks_and_lets_in(refused):
    ctl = refused.ctl
    assert refused.send(addr=CLIENT).reply.code == 554
    result = ctl("false", refused.refused, "--reason", "ticket 4713", "--allow", "7d",
                 env={"SUDO_USER": "anna"})  # fmt: skip
    assert result.status == 0 and "allowed: 192.0.2.1" in result.out
    assert refused.send(addr=CLIENT).accepted
    (decision,) = ctl("--json", "why", refused.refused).json["decisions"]
    assert decision["false"]["reason"] == "ticket 4713"
    assert decision["false"]["login"] == "root (sudo: anna)"
    shown = ctl("--json", "show", CLIENT).json
    assert '"source": "false"' in ctl("--json", "show", CLIENT).out, shown
    assert ctl("false", refused.refused, "--undo").status == 0
    (decision,) = ctl("--json", "why", refused.refused).json["decisions"]
    assert decision["false"] is None


def test_false_refuses(refused):
    (accepted,) = refused.ctl("--json", "why", "192.0.2.7").json["decisions"]
    assert refused.ctl("false", accepted["id"]).status == 4
    assert refused.ctl("false", "7K3M-9QFT-2XWD").status != 0
    assert refused.ctl("false", "nonsense").status == 2
    # one that cannot be marked leaves the others as they were
    assert refused.ctl("false", refused.refused, "7K3M-9QFT-2XWD", "--allow", "7d").status != 0
    (decision,) = refused.ctl("--json", "why", refused.refused).json["decisions"]
    assert decision["false"] is None and '"source": "false"' not in refused.ctl("--json", "list").out


def test_who_sees_local_parts(lab):
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")], control={"local_parts": "write"})
    lab.send(addr=CLIENT, sender=SENDER, recipients=[TO])
    (whole,) = Rblctl(lab.dir)("--json", "why", CLIENT).json["decisions"]
    assert (whole["sender"], whole["recipients"][0]["recipient"]) == (SENDER, TO)
    out = Rblctl(lab.dir)("--json", "why", CLIENT, **MEMBER).out
    assert "*@domain.xyz" in out and "*@kunde.example" in out
    assert "anna" not in out and "info@" not in out


def test_wrong_refusals_count_for_the_list(lab):
    """zen alone refused; with cop each was needed. One of few marked is enough to say so."""
    alone, both = "192.0.2.20", "192.0.2.21"
    dns = lab.dns(listed(alone, "zen.test") + listed(both, "one.test") + listed(both, "two.test"))
    lab.daemon(dns, lists=[dnsbl("zen", "zen.test", weight=9), dnsbl("one", "one.test", weight=4),
                           dnsbl("two", "two.test", weight=4)], reply={"id": True})  # fmt: skip
    ctl = Rblctl(lab.dir)
    ids = {client: re.search(rf"\[({ID})\]", lab.send(addr=client).reply).group(1)
           for client in (alone, both)}
    assert ctl("false", ids[both]).status == 0
    rows = {row["list"]: row for row in ctl("--json", "dnsbl").json["lists"]}
    assert [(rows[n]["refused_alone"], rows[n]["false"], rows[n]["proposal"])
            for n in ("zen", "one", "two")] == [(1, 0, None), (0, 0, None), (0, 0, None)]
    assert ctl("false", ids[alone]).status == 0
    shown = ctl("dnsbl").out
    assert "zen: weight 9 -> 7, it should not refuse alone: of 1 that it did, 1 are marked" in shown
    assert f"rblctl why {ids[alone]}\n" in shown
    where, line = re.search(r"^    (\S+):(\d+): weight = 7$", shown, re.M).groups()
    conf = open(where, encoding="utf-8").read().splitlines()
    assert re.search(r"weight\s*=\s*9", conf[int(line) - 1])
    assert ctl("false", ids[alone], "--undo").status == 0
    assert "should not refuse alone" not in ctl("dnsbl").out
