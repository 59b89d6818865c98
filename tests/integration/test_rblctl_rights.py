# SPDX-License-Identifier: BSD-2-Clause
"""Who may do what over the control socket (design.md, 7)."""

import concurrent.futures
import os
import pwd
import resource
import time

import pytest

from harness.conf import dnsbl
from harness.rblctl import Rblctl

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be someone else")

NOBODY = pwd.getpwnam("nobody")
STRANGER = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
# the daemon of these tests runs as root, so its group is 0
MEMBER = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": [0]}

READ = [
    ("list",), ("show", "a.example"), ("check", "a.example"), ("export",), ("log",),
    ("dnsbl",), ("status",), ("stats",), ("why", "a.example"),
    ("whatif", "-c", "rblmilter.conf"),
]  # fmt: skip
WRITE = [
    ("add", "b.example"), ("allow", "b.example"), ("tempfail", "b.example"), ("remove", "a.example"),
    ("import", "-"), ("reload",), ("flush-cache",), ("dnsbl", "suspend", "bl"),
    ("dnsbl", "try", "new.test"), ("false", "7K3M-9QFT-2XWD"),
]  # fmt: skip


@pytest.fixture
def rblctl(lab):
    lab.daemon()
    rblctl = Rblctl(lab.dir)
    assert rblctl("add", "a.example").status == 0
    return rblctl


@pytest.mark.parametrize("command", READ, ids=" ".join)
def test_member_may_read(rblctl, command):
    result = rblctl(*command, **MEMBER)
    assert result.status in (0, 1), result
    assert "root" not in result.err, result


@pytest.mark.parametrize("command", WRITE, ids=" ".join)
def test_member_may_not_write(rblctl, command):
    before = rblctl("list", "--json").out, rblctl("log", "--json").out
    result = rblctl(*command, stdin="c.example\n", **MEMBER)
    assert result.status == 4 and "for root and the daemon's own user only" in result.err, result
    assert (rblctl("list", "--json").out, rblctl("log", "--json").out) == before


def test_stranger_cannot_connect(rblctl):
    result = rblctl("status", **STRANGER)
    assert result.status == 4 and "permission denied" in result.err, result


@pytest.mark.parametrize("command", READ + WRITE, ids=" ".join)
def test_stranger_is_turned_away(rblctl, command):
    """Also where the socket's mode would let everybody in."""
    os.chmod(rblctl.socket, 0o666)
    result = rblctl(*command, stdin="c.example\n", **STRANGER)
    assert result.status == 4 and result.out == "", result
    assert "only root, the daemon's user and members of its group may read" in result.err
    assert rblctl("list", "--json").json["entries"][0]["entry"] == "a.example"


def test_socket_mode_and_owner(rblctl):
    st = os.stat(rblctl.socket)
    assert (st.st_mode & 0o777, st.st_uid, st.st_gid) == (0o660, 0, 0)


def test_sudo_is_recorded_as_a_claim(rblctl):
    assert rblctl("add", "b.example", env={"SUDO_USER": "anna"}).status == 0
    event = rblctl("log", "b.example", "--json").json["events"][0]
    assert event["who"] == "root (sudo: anna)" and event["uid"] == 0


def test_claim_gives_no_right(rblctl):
    result = rblctl("add", "b.example", env={"SUDO_USER": "root"}, **MEMBER)
    assert result.status == 4


def test_claim_cannot_break_a_line(rblctl):
    """A login of a stranger's making is cleaned and cut before it is kept."""
    rblctl("add", "b.example", env={"SUDO_USER": "x\n\x1b[31m" + "y" * 500})
    who = rblctl("log", "b.example", "--json").json["events"][0]["who"]
    assert who.isprintable() and len(who) < 200


def test_daemon_of_another_user(lab):
    """root may write what is not its own; a stranger's socket is the daemon's."""
    os.chown(lab.dir, NOBODY.pw_uid, NOBODY.pw_gid)
    lab.daemon(user="nobody")
    rblctl = Rblctl(lab.dir)
    assert rblctl("add", "a.example").status == 0
    assert rblctl("remove", "a.example", **STRANGER).status == 0  # here the owner
    st = os.stat(rblctl.socket)
    assert (st.st_uid, st.st_gid) == (NOBODY.pw_uid, NOBODY.pw_gid)


def test_member_cannot_take_all_workers(lab):
    """Of one who may only read, four commands run at a time; root's come in between."""
    dns = lab.dns([{"suffix": "slow.test", "delay_ms": 1500}])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test")])
    rblctl = Rblctl(lab.dir)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        checks = [pool.submit(rblctl, "check", f"192.0.2.{n}", **MEMBER) for n in range(12)]
        time.sleep(0.5)
        assert rblctl("check", "198.51.100.1").status == 0
        assert not all(check.done() for check in checks), "it did not wait for all of them"
        assert {check.result().status for check in checks} == {0}
    assert time.monotonic() - began > 4


def test_readers_do_not_hold_up_root(lab):
    """Three users who may only read have more commands than may run at a time; root's, a
    look or a change, wait for none of them."""
    dns = lab.dns([{"suffix": "slow.test", "delay_ms": 2500}])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test")])
    rblctl = Rblctl(lab.dir)
    with concurrent.futures.ThreadPoolExecutor(15) as pool:
        checks = [
            pool.submit(rblctl, "check", f"192.0.2.{n}", **{**MEMBER, "user": 60001 + n % 3})
            for n in range(15)
        ]
        time.sleep(1)
        assert rblctl("add", "b.example").status == 0
        assert rblctl("list").status == 0
        assert not any(check.done() for check in checks), "root's were done before all of them"
        assert {check.result().status for check in checks} == {0}


def test_readers_do_not_take_all_places(lab):
    """A quarter is kept for those who may write, however many users read."""
    lab.daemon(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
    rblctl = Rblctl(lab.dir)
    ready, done = os.pipe(), os.pipe()
    children = []
    for uid in 60001, 60002, 60003:
        child = os.fork()
        if child == 0:
            os.setgroups([0])
            os.setgid(NOBODY.pw_gid)
            os.setuid(uid)
            connections = [rblctl.dial() for _ in range(30)]
            os.write(ready[1], b"x")
            os.read(done[0], 1)
            os._exit(len(connections) != 30)
        children.append(child)
    for _ in children:
        assert os.read(ready[0], 1) == b"x"
    roots = [rblctl.dial() for _ in range(10)]
    for connection in roots:
        assert rblctl.request(connection, {"command": "status"})["ok"]
    for connection in roots:  # none of them had to give way to another
        assert rblctl.request(connection, {"command": "status"})["ok"]
    for child in children:
        os.write(done[1], b"x")
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def test_dns_budget_of_who_may_only_read(rblctl):
    """60 checks at once, then one waits for its turn; a doctor counts as ten, which is
    too long to wait. Who may write has as many as they like."""
    many = [f"192.0.2.{n}" for n in range(64)]
    result = rblctl("check", *many, **MEMBER)
    assert result.status == 0 and result.out.count(": accept") == 64, result
    result = rblctl("doctor", **MEMBER)
    assert result.status == 4 and "DNS budget is used up: try again in" in result.err, result
    assert rblctl("show", "a.example", **MEMBER).status == 0
    assert rblctl("check", *many).status == 0
