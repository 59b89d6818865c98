# SPDX-License-Identifier: BSD-2-Clause
"""What the answers of a list mean: codes, weights, errors, modes. Each row is a list of
its own under one daemon, asked about one client of its own."""

import re

import pytest

from harness.conf import dnsbl
from harness.dns import listed

REJECT = "reject"
ACCEPT = "accept"
TAG = "tag"

# label, options of the list, codes sections, answer, verdict, lists= of the log line or
# failed= where the answer is an error ("" neither)
ROWS = [
    ("no section: any code", {"weight": 8}, {}, ["127.0.0.9"], REJECT, "(127.0.0.9:8)"),
    ("no section: 127.9.8.7", {"weight": 8}, {}, ["127.9.8.7"], REJECT, "(127.9.8.7:8)"),
    ("one address", {}, {"127.0.0.2": {"weight": 8}}, ["127.0.0.2"], REJECT, "(127.0.0.2:8)"),
    ("a code that no section names", {"weight": 8}, {"127.0.0.2": {"weight": 8}},
     ["127.0.0.3"], ACCEPT, ""),
    ("two addresses", {}, {"127.0.0.2, 127.0.0.9": {"weight": 8}}, ["127.0.0.9"], REJECT,
     "(127.0.0.9:8)"),
    ("range, first", {}, {"127.0.0.4-127.0.0.7": {"weight": 8}}, ["127.0.0.4"], REJECT,
     "(127.0.0.4:8)"),
    ("range, last", {}, {"127.0.0.4-127.0.0.7": {"weight": 8}}, ["127.0.0.7"], REJECT,
     "(127.0.0.7:8)"),
    ("range, beyond", {}, {"127.0.0.4-127.0.0.7": {"weight": 8}}, ["127.0.0.8"], ACCEPT, ""),
    ("free octet", {}, {"127.0.*.3": {"weight": 8}}, ["127.0.15.3"], REJECT,
     "(127.0.15.3:8)"),
    ("free octet, other last", {}, {"127.0.*.3": {"weight": 8}}, ["127.0.15.2"], ACCEPT, ""),
    ("bit set", {}, {"&8": {"weight": 8}}, ["127.0.0.72"], REJECT, "(127.0.0.72:8)"),
    ("bit not set", {}, {"&8": {"weight": 8}}, ["127.0.0.64"], ACCEPT, ""),
    ("bits add up", {}, {"&16": {"weight": 4}, "&64": {"weight": 5}}, ["127.0.0.80"],
     REJECT, "(127.0.0.80:9)"),
    ("weight of the list", {"weight": 8}, {"127.0.0.4": {"label": "XBL"}}, ["127.0.0.4"],
     REJECT, "(127.0.0.4:8)"),
    ("weight of the section", {"weight": 8}, {"127.0.0.10": {"weight": 4}},
     ["127.0.0.10"], TAG, "(127.0.0.10:4)"),
    ("several codes: the heaviest", {},
     {"127.0.0.2": {"weight": 3}, "127.0.0.4": {"weight": 5}}, ["127.0.0.2", "127.0.0.4"],
     TAG, "(127.0.0.4:5)"),
    ("several codes never add up", {"weight": 5}, {}, ["127.0.0.2", "127.0.0.3"], TAG,
     "(127.0.0.2:5)"),
    ("monitor: weight 0", {"weight": 8, "mode": "monitor"}, {}, ["127.0.0.2"], ACCEPT,
     "(127.0.0.2:0)"),
    ("off: not asked", {"weight": 8, "mode": "off"}, {}, ["127.0.0.2"], ACCEPT, ""),
    ("127.255.255.254 is no listing", {"weight": 8}, {}, ["127.255.255.254"], ACCEPT,
     "failed=error"),
    ("127.255.255.x whatever a section says", {"weight": 8, "error_codes": []},
     {"127.0.0.2-127.255.255.255": {"weight": 8}}, ["127.255.255.254"], ACCEPT,
     "failed=error"),
    ("an error beside a code", {"weight": 8}, {}, ["127.0.0.2", "127.255.255.254"], ACCEPT,
     "failed=error"),
    ("the list's own error code", {"weight": 8, "error_codes": ["127.0.0.255"]}, {},
     ["127.0.0.255"], ACCEPT, "failed=error"),
    ("127.0.0.1 is no listing", {"weight": 8}, {}, ["127.0.0.1"], ACCEPT, "failed=error"),
    ("127.0.0.1 without error codes", {"weight": 8, "error_codes": []}, {}, ["127.0.0.1"],
     ACCEPT, "failed=error"),
    ("127.0.0.1 where a section names it", {"weight": 8, "error_codes": []},
     {"127.0.0.1": {"weight": 8}}, ["127.0.0.1"], REJECT, "(127.0.0.1:8)"),
    ("127.0.0.1 in a bit", {"weight": 8}, {"&8": {"weight": 8}}, ["127.0.0.1"], ACCEPT,
     "failed=error"),
    ("outside 127/8: a parked domain", {"weight": 8}, {}, ["192.0.2.200"], ACCEPT,
     "failed=foreign"),
    ("outside beside a code", {"weight": 8}, {}, ["127.0.0.2", "10.1.1.1"], ACCEPT,
     "failed=foreign"),
    ("0.0.0.0", {"weight": 8}, {}, ["0.0.0.0"], ACCEPT, "failed=foreign"),
]  # fmt: skip


def client(number):
    return f"198.51.100.{number}"


@pytest.fixture(scope="module")
def world(module_lab):
    """List number n is asked about all clients, but answers only about client(n)."""
    rules, lists = [], []
    for n, (_, options, codes, answer, _, _) in enumerate(ROWS):
        rules += listed(client(n), f"l{n}.test", *answer)
        options = dict(options)
        options.setdefault("weight", 1)
        lists.append(dnsbl(f"l{n}", f"l{n}.test", codes, **options))
    module_lab.name_server = module_lab.dns(rules)
    module_lab.running = module_lab.daemon(
        module_lab.name_server, lists=lists, verdict={"reject": 8, "tag": 4}
    )
    return module_lab


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[r[0] for r in ROWS])
def test_code(world, number):
    _, _, _, _, verdict, shown = ROWS[number]
    name = f"l{number}"
    if ROWS[number][1].get("mode") == "monitor":  # not waited for: now it is cached
        world.send(addr=client(number), sender="", helo="localhost")
        world.running.log.wait_for(rf"\[{client(number)}\]")
    since = world.running.log.count()
    attempt = world.send(addr=client(number), sender="", helo="localhost")
    line = world.running.log.wait_for(rf"\[{client(number)}\]", since)
    assert f"{verdict}: client=" in line, line
    if verdict == REJECT:
        assert attempt.reply == (
            f"554 5.7.1 Service unavailable; Client host [{client(number)}] "
            f"blocked using {name}"
        )
    else:
        assert attempt.accepted, attempt.replies
    if shown.startswith("failed="):
        # an answer from outside 127/8 sets the list aside at once
        why = "(foreign|lying)" if shown == "failed=foreign" else shown[7:]
        assert re.search(rf"failed={name}\({why}\)", line) and "lists=" not in line, line
    elif shown:
        assert f"lists={name}{shown} " in line, line
    else:
        # a list in monitor, which is not awaited, may answer later
        assert "lists=" not in line and f"{name}(" not in line, line
    if ROWS[number][1].get("mode") == "off":
        assert world.name_server.names(f".{name}.test") == []
