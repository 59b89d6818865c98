# SPDX-License-Identifier: BSD-2-Clause
"""The harness itself: a Postfix that answers, and a name server."""

import socket

from harness import sanitizers
from harness.dns import listed
from harness.smtp import Smtp

QUESTION = (
    b"\x12\x34\x01\0\0\1\0\0\0\0\0\0"
    + b"".join(bytes([len(label)]) + label for label in b"1.2.0.192.bl.test".split(b"."))
    + b"\0\0\1\0\1"
)


def test_postfix_is_any_client_for_us(postfix):
    """XCLIENT and the discard transport, without a milter."""
    with Smtp(postfix.plain_port) as smtp:
        assert smtp.greeting.startswith("220 mx.test")
        assert smtp.xclient("192.0.2.7", "mail.example", login="anna").code == 220
        assert smtp.ehlo().code == 250
        assert smtp.mail() == "250 2.1.0 Ok"
        assert smtp.rcpt() == "250 2.1.5 Ok"
        mark = postfix.log.mark()
        assert smtp.data().code == 250
        postfix.log.wait_for("relay=none.*status=sent|discard.*status=sent", mark)


def test_sink_keeps_what_is_delivered(lab, sink):
    attempt = lab.send(port=lab.postfix.plain_port, recipients=["x@sink.test"], message="Subject: kept\n\nbody\n")
    assert attempt.accepted, attempt.replies
    mail = sink.next_mail()
    assert "Subject: kept\n" in mail and mail.endswith("\n\nbody\n")


def test_without_the_daemon_mail_is_deferred(lab):
    """So a test that forgot its daemon fails."""
    attempt = lab.send()
    assert attempt.reply.startswith("451 4.7.1"), attempt.replies


def test_rbldnsd_answers(lab):
    server = lab.rbldnsd([("bl.test", "ip4set", ":127.0.0.2:listed $\n192.0.2.0/24\n")])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", server.port))
        s.send(QUESTION)
        answer = s.recv(512)
    assert answer[:2] == b"\x12\x34" and answer.endswith(bytes([127, 0, 0, 2]))


def test_scripted_name_server_answers_and_logs(lab):
    server = lab.dns(listed("192.0.2.1", "bl.test", "127.0.0.2"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", server.port))
        s.send(QUESTION)
        answer = s.recv(512)
        port = s.getsockname()[1]
    assert answer.endswith(bytes([127, 0, 0, 2]))
    assert server.queries() == [("1.2.0.192.bl.test", "A", "udp", port)]


RACE = """==================
WARNING: ThreadSanitizer: data race (pid=1)
  Atomic read of size 1 at 0x7f95dab2ecb0 by thread T21:
    #0 pthread_mutex_unlock ../x.inc:4338 (libtsan.so.2+0x43b02)
    #1 <null> <null> ({reader}+0x8f1f)

  Previous write of size 1 at 0x7f95dab2ecb0 by thread T20:
    #0 pthread_mutex_destroy ../x.cpp:1312 (libtsan.so.2+0x42191)
    #1 <null> <null> ({writer}+0x89d5)
    #2 run_milter ../../src/rblmilter.c:121 (rblmilter+0xd6dc)

  Thread T21 (tid=2, running) created by thread T16 at:
    #0 pthread_create ../x.cpp:1001 (libtsan.so.2+0x5e686)
    #1 mi_pool_controller_init <null> ({starter}+0x960b)

SUMMARY: ThreadSanitizer: data race (/lib/libmilter.so.1.0.1+0x8f1f)
==================
"""
MILTER = "libmilter.so.1.0.1"


def test_what_libmilter_does_to_itself_is_no_report():
    theirs = RACE.format(reader=MILTER, writer=MILTER, starter=MILTER)
    log = f"a line\n{theirs}another\n{theirs}ThreadSanitizer: reported 2 warnings\n"
    assert sanitizers.reports(log) == []
    for place in ("reader", "writer"):
        ours = RACE.format(**{"reader": MILTER, "writer": MILTER, "starter": MILTER, place: "rblmilter"})
        assert len(sanitizers.reports(theirs + ours + theirs)) == 2, place
    assert sanitizers.reports("a.c:3:9: runtime error: signed integer overflow\n")
