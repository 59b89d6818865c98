# SPDX-License-Identifier: BSD-2-Clause
"""SIGTERM: what is open is answered, and the end comes within the deadline."""

import collections
import os
import signal
import socket
import threading
import time

from harness.conf import dnsbl
from harness.milterclient import MilterClient
from harness.rblctl import Rblctl
from harness.waiting import wait_until

CLIENT = "192.0.2.1"
AT_ONCE = 10  # seconds: long before DEADLINE, on a busy machine, too
DEADLINE = 20


SILENT = [{"suffix": "bl.test", "silent": True}]


def silent_world(lab, deadline=f"{DEADLINE}s", dns=None):
    return lab.daemon(
        dns or lab.dns(SILENT), lists=[dnsbl("bl", "bl.test")], resolver={"timeout": "9s", "deadline": deadline}
    )


def test_idle_daemon_stops_at_once(lab):
    daemon = silent_world(lab)
    assert daemon.terminate() < AT_ONCE
    daemon.check_clean()
    daemon.log.wait_for("stopped")


def test_idle_sessions_do_not_delay_the_end(lab):
    daemon = silent_world(lab)
    for _ in range(20):
        lab.milter().connect(CLIENT)
    assert daemon.terminate() < AT_ONCE
    daemon.check_clean()


def test_waiting_sessions_get_their_answer(lab):
    daemon = silent_world(lab, "8s")
    rblctl = Rblctl(lab.dir)
    replies = []

    def session(number):
        client = lab.milter()
        client.connect(f"198.51.100.{number}")
        client.helo()
        client.mail()
        replies.append(client.rcpt().kind)

    def waiting():
        return rblctl("--json", "status").json["sessions"]["waiting"]

    threads = [threading.Thread(target=session, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    wait_until(lambda: waiting() == 10, "they do not wait")
    seconds = daemon.terminate(60)
    for thread in threads:
        thread.join()
    assert replies == ["continue"] * 10
    assert seconds < DEADLINE
    daemon.check_clean()


def test_running_check_is_told(lab):
    """It ends at once, and says so; it does not wait for its own deadline."""
    dns = lab.dns(SILENT)
    daemon = silent_world(lab, dns=dns)
    check = Rblctl(lab.dir).dial(timeout=30)
    check.sendall(b'{"command":"check","subject":"192.0.2.1"}\n')
    wait_until(lambda: "1.2.0.192.bl.test" in dns.names(), "nothing is looked up")
    assert daemon.terminate() < AT_ONCE
    assert b"the daemon stops" in check.makefile("rb").readline()
    daemon.check_clean()


def test_sigint_and_sighup(lab):
    """libmilter owns HUP: it stops; in the foreground Ctrl-C does, too."""
    for number in (signal.SIGINT, signal.SIGHUP):
        daemon = silent_world(lab)
        start = time.monotonic()
        daemon.process.send_signal(number)
        daemon.process.wait(60)
        assert time.monotonic() - start < 5 + AT_ONCE
        daemon.terminate()
        daemon.check_clean()


def test_restart_on_the_same_port(lab):
    for _ in range(3):
        daemon = silent_world(lab)
        lab.milter().connect("10.0.0.1")
        daemon.terminate()
        daemon.check_clean()


def test_kill_9_and_restart(lab):
    daemon = silent_world(lab)
    lab.milter().connect(CLIENT)
    daemon.kill()
    silent_world(lab)
    assert lab.send(addr="10.0.0.1").accepted


def test_what_is_listed_does_not_pass_at_the_end(lab):
    """Sessions and messages without a pause until the daemon is gone: what is not judged
    any more is to come again, and is not let through."""
    daemon = lab.daemon(lab.dns(), control={"socket": f"{lab.dir}/control.sock"})
    assert Rblctl(lab.dir)("add", "listed@sender.example").status == 0
    replies = collections.Counter()

    def session():
        try:
            with MilterClient(lab.milter_socket) as client:
                client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.negotiate().connect(CLIENT)
                client.helo()
                while True:
                    client.mail("<listed@sender.example>")
                    replies[client.rcpt().kind] += 1
                    client.abort()
        except OSError:
            pass

    threads = [threading.Thread(target=session) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: replies["reply"] > 100)
    daemon.terminate()
    for thread in threads:
        thread.join()
    daemon.check_clean()
    assert set(replies) <= {"reply", "tempfail", "shutdown"}


STOPS = int(os.environ.get("STOPS", "60"))


class Load:
    """Sessions that send message after message, each on a connection of its own or on the
    last one's, for as long as somebody listens."""

    def __init__(self, lab, sessions):
        self.lab = lab
        self.kinds = collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(sessions)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        try:
            while True:
                with MilterClient(self.lab.milter_socket, timeout=10) as client:
                    client.negotiate().connect(f"198.51.100.{number}")
                    client.helo()
                    for _ in range(10):
                        client.mail()
                        self.kinds[client.rcpt().kind] += 1
                        client.abort()
        except TimeoutError:
            self.kinds["no reply"] += 1
        except OSError:
            pass  # the end

    def join(self):
        for thread in self.threads:
            thread.join()


class Additions:
    """Entries that an admin adds one after the other, for as long as it is acknowledged."""

    def __init__(self, rblctl, name):
        self.rblctl = rblctl
        self.name = name
        self.acknowledged = []
        self.longest = 0  # seconds
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            entry = f"{self.name}-{len(self.acknowledged)}@sender.example"
            began = time.monotonic()
            if self.rblctl("add", entry).status != 0:
                return
            self.longest = max(self.longest, time.monotonic() - began)
            self.acknowledged.append(entry)


def test_stops_under_load(lab):
    """STOPS=200 in the environment for more of them."""
    dns = lab.dns()
    rblctl = Rblctl(lab.dir)
    acknowledged = []
    seconds = []
    for number in range(STOPS):
        daemon = lab.daemon(
            dns,
            lists=[dnsbl("bl", "bl.test")],
            control={"socket": f"{lab.dir}/control.sock"},
            env={"TSAN_OPTIONS": "exitcode=0 atexit_sleep_ms=0"},  # it sleeps a second at the end
        )
        assert set(acknowledged) <= set(rblctl("export").out.split())
        load = Load(lab, 64)
        additions = Additions(rblctl, f"stop{number}")
        wait_until(lambda: load.kinds["continue"] >= 64 and additions.acknowledged)
        time.sleep(0.05)
        seconds.append(daemon.terminate())
        additions.thread.join()
        # nothing is waited for: it takes as long as what was done just before lets expect
        assert seconds[-1] < max(1, 10 * additions.longest), additions.longest
        load.join()
        daemon.check_clean()
        assert "callbacks under way" not in daemon.log.text()
        assert load.kinds["continue"] >= 64
        assert set(load.kinds) <= {"continue", "tempfail", "shutdown"}
        assert additions.acknowledged
        acknowledged = additions.acknowledged
    seconds.sort()
    print(f"{STOPS} stops: median {seconds[STOPS // 2]:.3f} s, longest {seconds[-1]:.3f} s")
