# SPDX-License-Identifier: BSD-2-Clause
"""Slow, huge, malformed and many clients of the control socket hurt neither mail nor
each other."""

import os
import pwd
import resource
import socket
import threading
import time

import pytest

from harness.rblctl import Rblctl

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def rblctl(lab):
    lab.daemon()
    return Rblctl(lab.dir)


def all_is_well(lab, rblctl, within=3):
    """rblctl and mail are served, without waiting for anybody."""
    start = time.monotonic()
    assert rblctl("add", "a.example").status == 0
    assert rblctl("show", "a.example").status == 0
    assert lab.send(sender="x@a.example").reply.startswith("554 5.7.1 ")
    assert time.monotonic() - start < within


MALFORMED = [
    b"\n", b"{\n", b"[]\n", b"1\n", b"null\n", b'"add"\n', b"{}\n", b"\x00\xff\xfe\n",
    b'{"command":1}\n', b'{"command":"add"}\n', b'{"command":"add","entries":"a"}\n',
    b'{"command":"add","entries":[]}\n', b'{"command":"add","entries":[1]}\n',
    b'{"command":"add","entries":["a.example"],"expires_s":-1}\n',
    b'{"command":"add","entries":["a.example"],"expires_s":1e3}\n',
    b'{"command":"add","entries":["a.example"],"expires_s":9223372036854775807}\n',
    b'{"command":"list","since_s":9223372036854775807}\n',
    b'{"command":"list","expiring_s":31622400001}\n',
    b'{"command":"log","since_s":9223372036854775807}\n',
    b'{"command":"add","entries":["a.example"],"force":"yes"}\n',
    b'{"command":"add","entries":["a.example"],"command":"remove"}\n',
    b'{"command":"add","entries":["a.ex\\u0000ample"]}\n',
    b'{"command":"list","kinds":["x"]}\n', b'{"command":"list","limit":-1}\n',
    b'{"command":"list","cursor":1}\n', b'{"command":"list","cursor":{"entry":1}}\n',
    b'{"command":"list","cursor":{"entry":"' + b"x" * 5000 + b'","source":""}}\n',
    b'{"command":"show"}\n', b'{"command":"show","entry":{}}\n', b'{"command":"check"}\n',
    b'{"command":"check","subject":"192.0.2.0/24"}\n',
    b'{"command":"import-rows","rows":[]}\n', b'{"command":"import-commit"}\n',
    b'{"command":"dnsbl-change","action":"suspend"}\n', b"[" * 100000 + b"\n",
]  # fmt: skip


def test_malformed(lab, rblctl):
    """Each gets an error of its own, on one connection; nothing is changed."""
    connection = rblctl.dial()
    answers = connection.makefile("rb")
    for line in MALFORMED:
        connection.sendall(line)
        answer = answers.readline()
        assert b'"ok":false' in answer and b'"error":"usage"' in answer, (line[:80], answer)
    assert rblctl("log", "--json").json["events"] == []
    all_is_well(lab, rblctl)


def test_import_rows_that_are_none(lab, rblctl):
    """They are refused one by one; a broken connection leaves no trace."""
    connection = rblctl.dial()
    assert rblctl.request(connection, {"command": "import-begin"})["ok"]
    rows = ["a.example", 1, None, {}, {"entry": 1}, {"entry": "b.example", "reason": 1}, "@@", []]
    answer = rblctl.request(connection, {"command": "import-rows", "rows": rows})
    assert [r["row"] for r in answer["refused"]] == [1, 2, 3, 4, 5, 6, 7]
    connection.close()
    assert rblctl("list", "--json").json["entries"] == []
    all_is_well(lab, rblctl)


def test_huge_line(lab, rblctl):
    connection = rblctl.dial()
    with pytest.raises(OSError):
        for _ in range(1000):
            connection.sendall(b"x" * 100000)
    all_is_well(lab, rblctl)


def test_client_that_does_not_read(lab, rblctl):
    """Answers pile up in the socket, then its own requests wait; nobody else's."""
    for n in range(30):
        assert rblctl("add", *(f"d{n}-{i}.example" for i in range(20))).status == 0
    greedy = [rblctl.dial(timeout=0.2) for _ in range(20)]
    for connection in greedy:
        try:
            for _ in range(1000):
                connection.sendall(b'{"command":"list"}\n' * 50)
        except TimeoutError:
            pass
    all_is_well(lab, rblctl)
    for connection in greedy:
        connection.close()


def test_slow_client(lab, rblctl):
    """One byte now and then keeps a connection for a minute at most, and nobody waits."""
    slow = [rblctl.dial() for _ in range(50)]
    for connection in slow:
        connection.sendall(b'{"comm')
    all_is_well(lab, rblctl)
    slow[0].sendall(b'and":"status"}\n')
    assert b'"ok":true' in slow[0].recv(65536)


def test_thousand_quiet_clients(lab, rblctl):
    quiet = [rblctl.dial() for _ in range(1000)]
    all_is_well(lab, rblctl)
    for connection in quiet:
        connection.close()
    all_is_well(lab, rblctl)


def test_thousand_quiet_clients_and_few_descriptors(lab):
    """The control socket takes a quarter of them at most: the rest is for mail."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    daemon = lab.daemon(preexec=limit)
    rblctl = Rblctl(lab.dir)
    quiet = [rblctl.dial() for _ in range(1000)]
    assert lab.send(sender="x@b.example").accepted
    all_is_well(lab, rblctl, within=20)  # who is quiet gives way, by and by
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) < 128
    for connection in quiet:
        connection.close()


def test_thousand_clients_at_once(lab, rblctl):
    """Each one's add is done."""
    failed = []

    def one(n):
        try:
            connection = rblctl.dial(timeout=60)
            answer = rblctl.request(connection, {"command": "add", "entries": [f"n{n}.example"]})
            if not (answer and answer["ok"]):
                failed.append(answer)
            connection.close()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(rblctl("list", "--json").json["entries"]) == 1000
    all_is_well(lab, rblctl)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be someone else")
def test_member_takes_only_a_share(lab, rblctl):
    """A user who may only read gets 32 connections; root comes in all the same."""
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([0])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        kept, turned_away = [], 0
        for _ in range(100):
            connection = rblctl.dial()
            connection.settimeout(0.05)
            try:
                turned_away += b"too many connections" in connection.recv(1000)
            except TimeoutError:
                kept.append(connection)
        os.write(ready[1], f"{len(kept)} {turned_away}".encode())
        os.read(done[0], 1)
        os._exit(0)
    assert os.read(ready[0], 100) == b"32 68"
    all_is_well(lab, rblctl)
    os.write(done[1], b"x")
    os.waitpid(child, 0)


def test_killed_daemon_leaves_a_stale_socket(lab, rblctl):
    lab.daemons[0].kill()
    assert rblctl.socket.exists()
    assert rblctl("status").status == 3
    lab.daemons.clear()
    lab.daemon()
    assert rblctl("status").status == 0


def test_second_daemon_does_not_take_the_socket(lab, rblctl, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    conf = lab.conf(socket=f"inet:{port}@127.0.0.1").replace("blocklist.db", "other.db")
    second = lab.daemon(conf=conf, socket=f"inet:{port}@127.0.0.1", wait=False, folder=tmp_path)
    second.process.wait(20)
    assert second.process.returncode != 0
    second.log.wait_for("another rblmilter holds it")
    second.stopped = True
    assert rblctl("status").status == 0
