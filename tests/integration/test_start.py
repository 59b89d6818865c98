# SPDX-License-Identifier: BSD-2-Clause
"""The start: nobody is let in before all is read, nor by a start that fails; and what is
root's and what is the user's."""

import os
import pathlib
import pwd
import re
import socket
import sqlite3
import stat
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import can_connect
from harness.rblctl import Rblctl
from harness.waiting import wait_until

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


def socket_of(lab, kind):
    return f"unix:{lab.dir}/milter.sock" if kind == "unix" else lab.milter_socket


def fails(daemon, message):
    daemon.process.wait(20)
    daemon.stopped = True
    daemon.log.wait_end()
    daemon.check_clean(status=1)
    daemon.log.wait_for(message)


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_slow_start_lets_nobody_in(lab, kind):
    """Another program holds the database, and the daemon waits for it."""
    where = socket_of(lab, kind)
    database = lab.dir / "blocklist.db"
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    daemon = lab.daemon(socket=where, wait=False, milter={"socket_group": ""})
    wait_until((lab.dir / "blocklist.db.lock").exists)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert not can_connect(where)
        assert not can_connect(f"unix:{lab.dir}/control.sock")
        time.sleep(0.01)
    assert daemon.process.poll() is None, daemon.log.text()
    other.execute("ROLLBACK")
    other.close()
    daemon.wait_ready()
    assert Rblctl(lab.dir)("status").status == 0, "who reaches the one reaches the other"
    assert lab.milter(socket=where).envelope("10.0.0.1").kind == "continue"


def test_a_start_that_fails_has_let_nobody_in(lab):
    (lab.dir / "blocklist.db").write_bytes(b"no database at all\n" * 1000)
    where = socket_of(lab, "unix")
    daemon = lab.daemon(
        socket=where, wait=False, milter={"socket_group": ""}, blocklist={"on_damage": "stop"}
    )
    fails(daemon, "blocklist.db: file is not a database")
    assert not (lab.dir / "milter.sock").exists()


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_a_second_daemon_touches_nothing(lab, kind):
    """It ends because of the socket, before it comes to a database."""
    where = socket_of(lab, kind)
    lab.daemon(socket=where, milter={"socket_group": ""})
    second = lab.second_daemon(where)
    fails(second, "in use")
    assert not list(lab.dir.glob("second.db*"))


def test_a_port_that_others_use_is_named(lab):
    holder = socket.socket()
    holder.bind(("127.0.0.8", 8891))
    with holder:
        daemon = lab.daemon(
            socket="inet:8891@127.0.0.8", wait=False, milter={"socket_group": ""}
        )
        fails(daemon, "Address already in use; the port is often that of OpenDKIM")


@NEEDS_ROOT
def test_sockets_are_made_by_root_and_files_by_the_user(lab):
    """The socket's folder and group are not the user's, who has all the rest."""
    nobody = pwd.getpwnam("nobody")
    private, state = lab.dir / "private", lab.dir / "state"
    private.mkdir(mode=0o711)
    state.mkdir()
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    where = f"unix:{private}/milter.sock"
    daemon = lab.daemon(
        socket=where,
        user="nobody",
        milter={"socket_group": "mail", "socket_mode": "0620"},
        blocklist={"database": f"{state}/blocklist.db"},
        control={"socket": f"{state}/control.sock"},
    )
    daemon.log.wait_for("is ready")
    assert stat.S_IMODE(os.stat(private / "milter.sock").st_mode) == 0o620
    assert (private / "milter.sock").group() == "mail"
    assert {path.owner() for path in state.iterdir()} == {"nobody"}
    for status in pathlib.Path(f"/proc/{daemon.pid}/task").glob("*/status"):
        assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", status.read_text(), re.M)
    assert lab.milter(socket=where).envelope("10.0.0.1").kind == "continue"


@NEEDS_ROOT
def test_root_is_far_while_the_parts_start(lab):
    """Nothing but the sockets is opened as root, who could read any database."""
    state = lab.dir / "state"
    state.mkdir(mode=0o700)
    daemon = lab.daemon(
        socket=socket_of(lab, "unix"),
        user="nobody",
        wait=False,
        blocklist={"database": f"{state}/blocklist.db"},
    )
    fails(daemon, f"{state}/blocklist.db.*")
    assert not list(state.iterdir())


@NEEDS_ROOT
def test_a_port_that_only_root_can_take(lab):
    nobody = pwd.getpwnam("nobody")
    state = lab.dir / "state"
    state.mkdir()
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    where = next(
        f"inet:{port}@127.0.0.1"
        for port in range(1023, 600, -1)
        if not can_connect(f"inet:{port}@127.0.0.1")
    )
    lab.daemon(
        lab.dns(),
        socket=where,
        user="nobody",
        lists=[dnsbl("bl", "bl.test")],
        blocklist={"database": f"{state}/blocklist.db"},
        control={"socket": f"{state}/control.sock"},
    )
    assert lab.milter(socket=where).envelope("10.0.0.1").kind == "continue"
