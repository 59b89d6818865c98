# SPDX-License-Identifier: BSD-2-Clause
"""rblctl check: what would become of a message, and the exit status for it."""

import re

import pytest

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl, check_golden

LISTS = [
    dnsbl("bl", "bl.test", codes={"127.0.0.2": {"label": "SBL", "weight": 8}}),
    dnsbl("wl", "wl.test", weight=-5),
    dnsbl("dn", "dn.test", weight=3, check=["sender-domain", "helo"]),
]


@pytest.fixture
def rblctl(lab):
    dns = lab.dns(
        listed("192.0.2.1", "bl.test", txt="seen in spam, see https://bl.test/192.0.2.1")
        + listed("192.0.2.2", "wl.test")
        + [{"name": "bad.example.dn.test", "a": ["127.0.0.4"]}]
        + [{"name": "192.0.2.66", "a": []}]
        + listed("192.0.2.3", "bl.test", txt="evil\x1b[31m text \x9b31m"),
    )
    lab.daemon(dns, lists=LISTS, exempt={"networks": ["203.0.113.0/24"]})
    rblctl = Rblctl(lab.dir)
    assert rblctl("add", "anna.a@domain.xyz", "-r", "bulk mail").status == 0
    assert rblctl("allow", "198.51.100.7", "-r", "ours").status == 0
    return rblctl


def same_ms(text):
    """How long an answer took, and is good for, is not the same each time: N, in the columns
    TTL and MS, however wide they are."""
    text = re.sub(r" FROM +TTL +MS ", " FROM TTL MS ", text)
    return re.sub(r" DNS +\d+ +\d+ ", " DNS    N  N ", text)


def test_golden(rblctl):
    check_golden(rblctl, "check", same_ms)


# label, arguments, exit status, verdict
CASES = [
    ("nothing listed", ["192.0.2.9"], 0, "accept"),
    ("client on a DNS list", ["192.0.2.1"], 1, "reject"),
    ("below the threshold", ["x@bad.example"], 1, "accept"),
    ("a domain", ["bad.example"], 1, "accept"),
    ("a host, as HELO", ["host:bad.example"], 1, "accept"),
    ("on an allow list only", ["192.0.2.2"], 0, "accept"),
    ("our own list", ["anna.a@domain.xyz"], 1, "reject"),
    ("our own list, other spelling", ["<Anna.A@DOMAIN.xyz>"], 1, "reject"),
    ("sender by option", ["192.0.2.9", "--sender", "anna.a@domain.xyz"], 1, "reject"),
    ("HELO by option", ["192.0.2.9", "--helo", "bad.example"], 1, "accept"),
    ("an allow entry", ["198.51.100.7"], 0, "accept"),
    ("null sender", ["192.0.2.9", "--sender", "<>"], 0, "accept"),
    ("a login that nobody listed", ["user:anna"], 0, "accept"),
]  # fmt: skip


@pytest.mark.parametrize("row", CASES, ids=[r[0] for r in CASES])
def test_verdict(rblctl, row):
    _, arguments, status, verdict = row
    result = rblctl("check", "--json", *arguments)
    assert result.status == status, result
    assert result.json["checks"][0]["verdict"] == verdict, result


def test_several_subjects(rblctl):
    result = rblctl("check", "--json", "192.0.2.9", "192.0.2.1", "anna.a@domain.xyz")
    assert result.status == 1
    assert [c["listed"] for c in result.json["checks"]] == [False, True, True]


def test_row_has_all(rblctl):
    rows = rblctl("check", "--json", "192.0.2.1").json["checks"][0]["rows"]
    row = next(r for r in rows if r["list"] == "bl")
    assert row.pop("ms") < 3000
    assert {k: row[k] for k in ("subject", "what", "state", "code", "label", "weight")} == {
        "subject": "client", "what": "192.0.2.1", "state": "listed", "code": "127.0.0.2",
        "label": "SBL", "weight": 8,
    }  # fmt: skip
    assert row["url"] == "https://bl.test/192.0.2.1"


def test_strangers_text_is_cleaned(rblctl):
    """A TXT record cannot reach the terminal as it is."""
    for arguments in (["check", "192.0.2.3"], ["--json", "check", "192.0.2.3"]):
        out = rblctl(*arguments).out
        assert "evil" in out and "\x1b" not in out and "\x9b" not in out


@pytest.mark.parametrize("shift", range(4))
def test_reason_cut_within_a_character(rblctl, shift):
    """The entry is named, with as much of its reason as there is room for."""
    reason = "x" * shift + "\U0001f4a9" * 240
    assert rblctl("add", "long.example", "-r", reason).status == 0
    run = rblctl("check", "long.example")
    assert run.status == 1 and "reject (by the blocklist)" in run.out, run.out
    (row,) = rblctl("--json", "check", "long.example").json["checks"][0]["blocklist"]
    assert row["entry"] == "long.example"
    assert len(row["reason"]) > 100 and reason.startswith(row["reason"])


def test_check_after_remove(rblctl):
    assert rblctl("remove", "anna.a@domain.xyz").status == 0
    assert rblctl("check", "anna.a@domain.xyz").status == 0
