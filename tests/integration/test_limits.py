# SPDX-License-Identifier: BSD-2-Clause
"""Out of descriptors: mail is let through or deferred, never refused."""

import contextlib
import resource
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import connect
from harness.dns import listed
from harness.rblctl import Rblctl
from harness.smtp import Smtp

CLIENT = "192.0.2.1"


def few_files(count=80):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@pytest.mark.parametrize("on_error,kinds", [("accept", {"accept", "continue"}), ("tempfail", {"tempfail", "continue"})])
def test_more_sessions_than_descriptors(lab, on_error, kinds):
    """Those that find no place are told so at once; those that have one are judged, and
    when the crowd has gone, all are again."""
    dns = lab.dns(listed(CLIENT, "bl.test", txt="why"))
    daemon = lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test")], milter={"on_error": on_error}, preexec=few_files
    )
    seen = set()
    crowd = [lab.milter(negotiate=False) for _ in range(90)]
    answered = []
    for client in crowd:
        client.sock.settimeout(0.1)
        try:
            client.negotiate()
            seen.add(client.connect("198.51.100.9").kind)
            answered.append(client)
        except (TimeoutError, ConnectionError, OSError):
            pass  # not accepted: Postfix takes its milter_default_action
    assert seen <= kinds and kinds & seen
    assert len(answered) >= 10, "most are served"
    for client in crowd:
        client.close()
    daemon.log.wait_for(r"descriptors|not judged|Too many open files")
    deadline = time.monotonic() + 20
    while True:
        reply = lab.send(addr=CLIENT).reply
        assert reply.code != 554 or "blocked using bl; why" in reply
        if reply.code == 554:
            break
        assert time.monotonic() < deadline, "judged again after the crowd has gone"
        time.sleep(0.1)  # a list that could not be asked is tried again soon


@pytest.mark.parametrize("said", [b"", b"\0\0\0"])
def test_connections_that_say_nothing(lab, said):
    """700 on 256 descriptors: they are closed, and mail and rblctl go on; sessions that
    rest between two commands stay."""
    dns = lab.dns(listed(CLIENT, "bl.test"))
    daemon = lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test")], preexec=lambda: few_files(256)
    )
    ctl = Rblctl(lab.dir)
    resting = [lab.milter() for _ in range(20)]
    for client in resting[10:]:
        assert client.connect(CLIENT).kind == "continue"
    with contextlib.ExitStack() as stack:
        smtp = stack.enter_context(Smtp(lab.postfix.smtp_port))
        smtp.xclient(CLIENT)
        smtp.ehlo()
        for _ in range(700):
            stack.enter_context(connect(lab.milter_socket)).sendall(said)
        deadline = time.monotonic() + 20
        while lab.send(addr=CLIENT).reply.code != 554:
            assert time.monotonic() < deadline, "mail goes on while they stay"
        assert lab.send(addr="192.0.2.2").accepted
        assert ctl("add", "anna@listed.example").status == 0
        assert lab.send(sender="anna@listed.example").reply.code == 554
        daemon.log.wait_for("descriptors run out: closed=")
        smtp.mail()
        assert smtp.rcpt().code == 554
        for client in resting[:10]:
            assert client.connect(CLIENT).kind == "continue"
        for client in resting:
            client.helo()
            client.mail()
            assert client.rcpt().text.startswith("554")


def test_more_questions_than_max_queries(lab):
    """Those without a place wait for it, by the deadline; mail is not held up longer."""
    dns = lab.dns([{"suffix": "test", "silent": True}])
    daemon = lab.daemon(
        dns,
        lists=[dnsbl(f"l{n}", f"l{n}.test") for n in range(4)],
        resolver={"max_queries": 2, "deadline": "1s", "timeout": "1s"},
    )
    assert lab.send(addr=CLIENT).accepted
    failed = daemon.log.wait_for("accept:").partition("failed=")[2]
    assert all(f"l{n}(" in failed for n in range(4)), failed
    assert len({n for n in dns.names() if n.endswith("test")}) == 2, "no more than two at once"


@pytest.mark.parametrize("on_error,kind", [("accept", "continue"), ("tempfail", "tempfail")])
def test_who_is_turned_away_where_only_the_end_is_answered(lab, on_error, kind):
    """With nothing to ask and reject-at = "eom" no stage before it has a reply."""
    daemon = lab.daemon(milter={"on_error": on_error, "reject_at": "eom"}, preexec=few_files)
    crowd = [lab.milter() for _ in range(30)]
    kinds = []
    for client in crowd:
        # CONNECT has no reply and is done whenever a thread is free: only the reply to the
        # end says that a session has its place, and the next one comes after it.
        assert client.connect("198.51.100.9") is None
        client.helo()
        client.mail()
        assert client.rcpt() is None
        kinds.append(client.end_of_message().kind)
    assert kinds[0] == "continue" and kinds[-1] == kind
    daemon.log.wait_for("a session is not judged")
