# SPDX-License-Identifier: BSD-2-Clause
"""What changes on the sender blocklist holds from the next message on; what it counts."""

import json
import time

from harness.rblctl import Rblctl
from harness.smtp import Smtp

REFUSED = "554 5.7.1 x@new.example is rbl blacklisted - https://postmaster.example.org/rbl"


def test_from_one_message_to_the_next(lab):
    """Listed, removed, ended: each holds from the next message on, also in a session that
    is open, and a listing outlives a restart."""
    daemon = lab.daemon()
    rblctl = Rblctl(lab.dir)

    def replies(smtp):
        reply = (smtp.mail("x@new.example"), smtp.rcpt())[1]
        smtp.command("RSET")
        return reply

    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient("192.0.2.99")
        smtp.ehlo()
        assert replies(smtp).code == 250
        rblctl("add", "new.example")
        assert replies(smtp) == REFUSED
        rblctl("remove", "new.example")
        assert replies(smtp).code == 250
        rblctl("add", "new.example", "--expires", "2s")
        assert replies(smtp) == REFUSED
        time.sleep(2.1)
        assert replies(smtp).code == 250
    rblctl("add", "new.example")
    daemon.terminate()
    lab.daemon()
    assert lab.send(sender="x@new.example").reply == REFUSED


def test_put_off(lab):
    """From refused to deferred and back, by one source; what the log and the counters say."""
    daemon = lab.daemon()
    rblctl = Rblctl(lab.dir)
    put_off = REFUSED.replace("554 5.7.1", "451 4.7.1")

    def reply():
        return lab.send(sender="x@new.example").reply

    assert rblctl("add", "new.example").out == "new.example: listed\n"
    assert reply() == REFUSED
    assert rblctl("tempfail", "new.example", "-r", "slow").out == "new.example: deferred (was blocked)\n"
    assert reply() == put_off
    line = daemon.log.wait_for("tempfail: .* from=<x@new.example>")
    assert ' blocklist=<new.example> reason="slow" ' in line
    check = rblctl("check", "x@new.example")
    assert check.status == 1 and "x@new.example: tempfail (by the blocklist)" in check.out
    assert "451 4.7.1 x@new.example is rbl blacklisted" in check.out
    assert [r["action"] for r in rblctl("--json", "list").json["entries"]] == ["tempfail"]
    stats = rblctl("--json", "stats").json["milter"]
    assert (stats["refused"], stats["deferred"], stats["by the blocklist"]) == (1, 1, 1)
    other = rblctl("add", "new.example", "--source", "feed")
    assert other.out == "new.example: listed\n"
    assert reply() == REFUSED
    assert "of another source" in rblctl("tempfail", "new.example", "-r", "again").err
    rblctl("remove", "new.example", "--source", "feed")
    daemon.terminate()
    lab.daemon()
    assert reply() == put_off
    assert rblctl("add", "new.example").out == "new.example: listed (was deferred)\n"
    assert reply() == REFUSED
    rblctl("tempfail", "new.example", "-e", "2s")
    assert reply() == put_off
    time.sleep(2.1)
    assert lab.send(sender="x@new.example").accepted
    rblctl("tempfail", "new.example")
    assert reply() == put_off
    assert rblctl("remove", "new.example").status == 0
    assert lab.send(sender="x@new.example").accepted
    events = rblctl("--json", "log", "new.example").json["events"]
    assert ("change", "tempfail") in [(e["change"], e["action"]) for e in events]
    assert any(e["before"]["action"] == "block" for e in events if e["before"] is not None)


def test_counted_once_a_message(lab):
    """However many recipients are refused, it is one message that was hit."""
    daemon = lab.daemon()
    rblctl = Rblctl(lab.dir)
    rblctl("add", "x@spam.example", "-r", "bulk")
    for _ in range(2):
        with Smtp(lab.postfix.smtp_port) as smtp:
            smtp.xclient("192.0.2.99")
            smtp.ehlo()
            smtp.mail("x@spam.example")
            assert [smtp.rcpt(f"{n}@e.f").code for n in range(3)] == [554] * 3
    line = daemon.log.wait_for("reject:.* to=<2@e.f>")
    assert ' blocklist=<x@spam.example> reason="bulk" ' in line
    stats = rblctl("--json", "stats").json["milter"]
    assert (stats["messages"], stats["refused"], stats["by the blocklist"]) == (2, 2, 2)
    deadline = time.monotonic() + 10  # hits are written once a second
    while rblctl("--json", "show", "x@spam.example").json["rows"][0]["hits"] != 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_reply_template(lab):
    """All that a reply may name; the URL carries it percent-encoded."""
    lab.daemon(
        reply={
            "blocklist": "%{class}|%{what}|%{list}|%{reason}|%{key}|%{since}|%{client}|%{url}",
            "url": "https://x.example/?who=%{what}&why=%{reason}",
        }
    )
    rblctl = Rblctl(lab.dir)
    rblctl("add", "spam.example", "-r", "bulk & 100% more")
    shown = json.loads(rblctl("--json", "show", "spam.example").out)["rows"][0]["since"]
    since = time.strftime("%Y-%m-%d", time.localtime(shown))
    assert lab.send(sender="a&b@spam.example").reply == (
        "554 5.7.1 Sender address|a&b@spam.example|blocklist|bulk & 100% more|spam.example"
        f"|{since}|192.0.2.99|https://x.example/?who=a%26b%40spam.example"
        "&why=bulk%20%26%20100%25%20more"
    )


def refused(ctl, *words):
    done = ctl("add", *words)
    assert done.status != 0, done
    assert ctl("show", words[0]).status != 0
    return done.err


def test_what_is_in_use_asks_for_force(lab):
    """Own users' domain after one mail; others' by senders, or clients, on three days."""
    today = int(time.time() // 86400)
    rows = {
        "domains": [
            ["mail.partner.example", 0b111, today, 0, 0b11111, 0, today, "bob"],
            ["wave.example", 0b1, today, 0, (1 << 63) - 1, 0, today, "x"],
            ["few.example", 0b111, today, 0, 0b1111, 0, today, "x"],
        ],
        "clients": [[f"192.0.2.{n}", 0b111, today, 0] for n in (1, 2, 3)],
    }
    (lab.dir / "dnsbl-witnesses.json").write_text(json.dumps(rows))
    lab.daemon()
    ctl = Rblctl(lab.dir)
    assert lab.send(sender="anna@ours.example", login="anna").accepted
    said = refused(ctl, "ours.example")
    assert "users who log in here have sent as it" in said and "anna@ours.example" in said
    said = refused(ctl, "partner.example")
    assert "at least 5 of its senders" in said and "bob@mail.partner.example" in said
    assert "3 clients in it" in refused(ctl, "192.0.2.0/24")
    # what is no more than it seems
    for entry in ("anna@ours.example", "wave.example", "few.example", "192.0.2.1"):
        assert ctl("add", entry).status == 0, entry
    assert ctl("allow", "partner.example").status == 0
    assert ctl("add", "ours.example", "192.0.2.0/24", "--force").status == 0
    # of an import each row is held against the table alone
    assert ctl("import", "-", stdin="partner.example\n").status == 0
