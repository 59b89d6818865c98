# SPDX-License-Identifier: BSD-2-Clause
"""A log reader that hangs, a full pipe at standard error: no mail waits for it, and what
the log has lost is told. A reader that reads misses nothing."""

import re
import signal
import socket
import threading
import time

from harness.conf import dnsbl
from harness.dns import listed
from harness.rblctl import Rblctl

LISTED, CLEAN = "192.0.2.1", "192.0.2.50"
SESSIONS = 8
LONG = ".".join(["d" * 60] * 4)  # with these in its line a mail fills the pipe sooner
PROMPT = 5.0  # seconds; on a busy machine, with a sanitizer


def start(lab, **settings):
    dns = lab.dns(listed(LISTED, "zen.test"))
    daemon = lab.daemon(dns, lists=[dnsbl("zen", "zen.test", weight=8)], **settings)
    for addr in LISTED, CLEAN:
        lab.milter().envelope(addr)  # from here on all answers are in the cache
    daemon.log.wait_for(f"accept: .*{re.escape(CLEAN)}")
    return daemon


def send(lab, mails):
    """So many mails in a few sessions at once, each second session's from a listed client.
    Returns what was wrong, and the longest that a reply took."""
    wrong, longest = [], [0.0]

    def session(number):
        addr = LISTED if number % 2 else CLEAN
        client = lab.milter()
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(addr)
        client.helo(LONG)
        for mail in range(mails // SESSIONS):
            start = time.monotonic()
            client.mail(f"<{number}-{mail}@{LONG}>")
            reply = client.rcpt(f"<r@{LONG}>")
            longest[0] = max(longest[0], time.monotonic() - start)
            kind = reply.kind if reply else "continue"
            if kind != ("reply" if number % 2 else "continue"):
                wrong.append((number, mail, reply))
            client.abort()
        client.quit()

    def guarded(number):
        try:
            session(number)
        except OSError as error:
            wrong.append((number, error))

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong, longest[0]


def verdicts(daemon):
    return daemon.log.matching(r"(accept|reject): .* from=<\d+-\d+@")


def test_mail_does_not_wait_for_the_reader(lab):
    daemon = start(lab)
    daemon.log.hold()
    wrong, longest = send(lab, 2000)
    rest = send(lab, 2000)
    assert wrong == [] and rest[0] == []
    assert max(longest, rest[1]) < PROMPT
    told = Rblctl(lab.dir)("--json", "status").json["log_lines_lost"]
    assert told > 0
    daemon.log.go_on()
    daemon.log.wait_for("lines were lost: the log's reader was too slow")
    since = daemon.log.count()
    lab.send(addr=LISTED)
    daemon.log.wait_for("reject: .* to=<d@e.f>", since)
    lost = [int(n) for n in re.findall(r"log: (\d+) lines were lost", daemon.log.text())]
    assert sum(lost) == told
    assert len(verdicts(daemon)) + told == 4000


def test_stop_does_not_wait_for_the_reader(lab):
    daemon = start(lab)
    daemon.log.hold()
    assert send(lab, 1000)[0] == []
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.wait(20)
    seconds = time.monotonic() - begin
    daemon.log.go_on()
    daemon.terminate()
    daemon.check_clean()
    assert 0.9 < seconds < PROMPT, "the flush, and no more"


def test_reader_that_reads_misses_nothing(lab):
    daemon = start(lab)
    wrong, _ = send(lab, 5000)
    assert wrong == []
    daemon.terminate()
    daemon.check_clean()
    assert len(verdicts(daemon)) == 5000
    assert daemon.log.matching("were lost") == []
    assert daemon.log.lines[-1].endswith(" stopped")
