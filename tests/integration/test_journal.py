# SPDX-License-Identifier: BSD-2-Clause
"""The journal: each refusal has an id, and each decision is kept."""

import re
import sqlite3

from harness.conf import dnsbl
from harness.dns import listed

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
    assert f" id={found.group(1)} " in daemon.log.text()
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
