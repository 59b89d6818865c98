# SPDX-License-Identifier: BSD-2-Clause
"""The journal's files, read without the daemon: records as src/journal/record.c writes them."""

import ipaddress
import re
import sqlite3

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID = "[{0}]{{4}}-[{0}]{{4}}-[{0}]{{4}}".format(ALPHABET)
VERDICTS = ("accept", "tag", "tempfail", "reject")
OUTCOMES = ("accepted", "refused", "exempt", "by-mta")
HEAD, RECIPIENT, END, FOLDED, LATE = 1, 2, 3, 4, 5


def id_number(text):
    """An id as the files have it."""
    value = 0
    for letter in text.replace("-", ""):
        value = value * 32 + ALPHABET.index(letter)
    return value


def id_in(text):
    """The id in a reply or log line as a number; None where there is none."""
    found = re.search(ID, text)
    return id_number(found.group()) if found else None


class Octets:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        assert self.at + count <= len(self.octets), "damaged"
        self.at += count
        return self.octets[self.at - count : self.at]

    def number(self):
        value = shift = 0
        while True:
            (octet,) = self.take(1)
            value |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return value

    def signed(self):
        value = self.number()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1

    def text(self):
        end = self.octets.index(b"\0", self.at)
        text = self.octets[self.at : end].decode()
        self.at = end + 1
        return text


def answer(octets):
    a = {"list": octets.number(), "check": octets.number()}
    flags, a["state"] = octets.number(), octets.number() & 7
    a["counted"] = bool(flags & 1)
    a["weight"] = octets.signed()
    a["ttl_s"], a["age_s"], a["ms"] = octets.number(), octets.number(), octets.number()
    a["skip"] = octets.text() if flags & 64 else ""
    a["addresses"] = [str(ipaddress.ip_address(octets.take(4))) for _ in range(octets.number())]
    return a


def head(octets):
    r = {"at_ms": octets.number()}
    what, flags = octets.number(), octets.number()
    r["verdict"] = VERDICTS[what & 7]
    r["score"], r["missing"] = octets.signed(), octets.signed()
    r["thresholds"] = [octets.number() for _ in range(3)]
    r["took_ms"], r["configuration"] = octets.number(), octets.number()
    size = 4 if flags & 1 else 16 if flags & 2 else 0
    r["client"] = str(ipaddress.ip_address(octets.take(size))) if size else ""
    for name in ("client_name", "helo", "sender", "login", "exempt", "reason"):
        r[name] = octets.text()
    r["entry"] = r["entry_reason"] = ""
    r["entry_action"] = 0
    if flags & 4:
        r["entry_action"], _ = octets.number(), octets.number()
        r["entry"], r["entry_reason"], _ = octets.text(), octets.text(), octets.signed()
    r["lists"] = [answer(octets) for _ in range(octets.number())]
    return r


def decode(octets):
    """A decision's parts, put together; "heads" says how often its verdict is there."""
    octets, r = Octets(octets), {"heads": 0, "recipients": [], "ends": 0, "queue_id": ""}
    while octets.at < len(octets.octets):
        part = octets.number()
        content = Octets(octets.take(octets.number()))
        if part == HEAD:
            r.update(head(content))
            r["heads"] += 1
        elif part == RECIPIENT:
            outcome = OUTCOMES[content.number()]
            r["recipients"].append((content.text(), outcome, content.text()))
        elif part == END:
            r["end"] = content.number()
            r["ends"] += 1
            r["queue_id"] = content.text()
        else:
            assert part in (FOLDED, LATE), part
    return r


def rows(folder, query, kind="*"):
    found = []
    for path in sorted(folder.glob(f"????-??-??.{kind}.db")):
        db = sqlite3.connect(path)
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'decision'").fetchone():
            found += db.execute(query).fetchall()  # else it has just been made
        db.close()
    return found


def decisions(folder, kind="*"):
    """All that is kept: id -> decision. Fails where one has not exactly one verdict."""
    parts = {}
    for number, octets in rows(folder, "SELECT id, parts FROM decision ORDER BY id, n", kind):
        parts[number] = parts.get(number, b"") + octets
    found = {number: decode(octets) for number, octets in parts.items()}
    for number, decision in found.items():
        assert decision["heads"] == 1, (number, decision)
        assert decision["ends"] <= 1, (number, decision)
    return found


def gaps(folder):
    """Times in which decisions were not kept: (began_ms, ended_ms, dropped)."""
    return rows(folder, "SELECT began_ms, ended_ms, dropped FROM gap", "refused")
