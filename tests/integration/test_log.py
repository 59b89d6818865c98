# SPDX-License-Identifier: BSD-2-Clause
"""The log line of a verdict."""

import re

from harness.conf import dnsbl
from harness.dns import listed
from harness.smtp import Smtp

STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d rblmilter: "
CLIENT = "192.0.2.1"


def start(lab, **settings):
    dns = lab.dns(listed(CLIENT, "zen.test", txt="why") + listed(CLIENT, "spamcop.test"))
    return lab.daemon(
        dns,
        lists=[dnsbl("zen", "zen.test", weight=8), dnsbl("spamcop", "spamcop.test", weight=8)],
        **settings,
    )


def test_shape_of_a_refusal(lab):
    """With a threshold that both lists are needed for, so that both are in the line."""
    daemon = start(lab, verdict={"reject": 16})
    lab.send(addr=CLIENT, sender="a@b.c", recipients=["d@e.f"], helo="h")
    line = daemon.log.wait_for("reject:")
    assert re.fullmatch(
        STAMP + r"reject: client=unknown\[192\.0\.2\.1\] from=<a@b\.c> to=<d@e\.f> helo=<h> "
        r"score=16/16 lists=zen\(127\.0\.0\.2:8\),spamcop\(127\.0\.0\.2:8\) id=[0-9A-Z-]{14} \d+ms",
        line,
    ), line


def test_client_name(lab):
    daemon = start(lab)
    lab.send(addr=CLIENT, name="mail.example.org")
    assert " client=mail.example.org[192.0.2.1] " in daemon.log.wait_for("reject:")


def test_ipv6_client(lab):
    daemon = start(lab)
    lab.send(addr="2001:db8::99")
    assert " client=unknown[2001:db8::99] " in daemon.log.wait_for("accept:")


def test_login_is_shown(lab):
    daemon = start(lab, exempt={"authenticated": False})
    lab.send(addr="192.0.2.50", login="anna")
    assert " login=<anna> " in daemon.log.wait_for("accept:")


def test_one_line_for_an_accepted_message(lab):
    daemon = start(lab)
    since = daemon.log.count()
    lab.send(addr="192.0.2.50", recipients=["a@e.f", "b@e.f", "c@e.f"])
    daemon.log.wait_for("accept:", since)
    lab.send(addr=CLIENT)
    daemon.log.wait_for("reject:", since)
    assert len(daemon.log.matching("accept:", since)) == 1


def test_each_message_of_a_session_has_its_line(lab):
    daemon = start(lab)
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient("192.0.2.50")
        smtp.ehlo()
        for sender in ("a@first.example", "a@second.example", "a@third.example"):
            smtp.mail(sender)
            assert smtp.rcpt().code == 250
            assert smtp.data("Subject: test\n\nHello\n").code == 250
            daemon.log.wait_for(f"accept: .* from=<{sender}>", timeout=3)
    assert len(daemon.log.matching("accept:")) == 3


def test_queue_id_where_postfix_has_one(lab):
    """At the second recipient the mail has its id: a verdict there begins with it."""
    dns = lab.dns(listed(CLIENT, "zen.test"))
    daemon = lab.daemon(dns, lists=[dnsbl("zen", "zen.test")], exempt={"recipients": ["postmaster"]})
    with Smtp(lab.postfix.smtp_port) as smtp:
        smtp.xclient(CLIENT)
        smtp.ehlo()
        smtp.mail()
        smtp.rcpt("postmaster@e.f")
        smtp.rcpt("other@e.f")
        queued = smtp.data()
    queue_id = queued.split()[-1]
    line = daemon.log.wait_for("reject:")
    assert re.search(rf": {queue_id}: reject: client=", line), (queued, line)


def test_level_notice_hides_what_is_accepted(lab):
    daemon = start(lab, log={"level": "notice"})
    lab.send(addr="192.0.2.50")
    lab.send(addr=CLIENT)
    daemon.log.wait_for("reject:")
    assert daemon.log.matching("accept:") == []


def test_postfix_logs_the_same_refusal(lab):
    start(lab)
    mark = lab.postfix.log.mark()
    lab.send(addr=CLIENT, sender="a@b.c", recipients=["d@e.f"], helo="h.example")
    line = lab.postfix.log.wait_for("milter-reject", mark)
    assert line.endswith(
        "NOQUEUE: milter-reject: RCPT from unknown[192.0.2.1]: 554 5.7.1 Service unavailable; "
        "Client host [192.0.2.1] blocked using zen; why; from=<a@b.c> to=<d@e.f> proto=ESMTP "
        "helo=<h.example>"
    ), line


def test_key_is_never_shown(lab):
    """Not in replies, not in log lines, whatever the list's text says."""
    key = "s3cr3tk3y"
    dns = lab.dns(
        listed(CLIENT, f"{key}.zen.test", txt=f"see https://zen.test/{key}/{CLIENT}")
        + [{"name": f"2.2.0.192.{key}.zen.test", "rcode": "REFUSED"}]
    )
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("zen", "%{key}.zen.test", key=key)],
        log={"level": "debug"},
    )
    reply = lab.send(addr=CLIENT).reply
    assert reply.startswith("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen")
    assert key not in reply
    assert lab.send(addr="192.0.2.2").accepted
    daemon.log.wait_for("accept:")
    assert key not in daemon.log.text()


def test_stranger_writes_no_field_of_the_line(lab):
    """HELO, sender and recipient are a stranger's: none of them ends its brackets."""
    daemon = start(lab)
    lab.milter().envelope(
        addr=CLIENT,
        helo="h> score=0/8 client=friend[127.0.0.1] <x",
        sender="<a@b.c> exempt=network <>",
        recipient="<d@e.f> 0ms\r\nreject: <>",
    )
    line = daemon.log.wait_for(r"reject: client=unknown\[192\.0\.2\.1\]")
    fields = line.split("rblmilter: ", 1)[1].split(" ")
    names = [f.split("=")[0] for f in fields if f != "failed=spamcop(not-awaited)"]
    assert names == [
        "reject:", "client", "from", "to", "helo", "score", "lists", "id", fields[-1],
    ]  # fmt: skip
    assert line.count("<") == line.count(">") == 3
