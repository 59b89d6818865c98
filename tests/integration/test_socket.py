# SPDX-License-Identifier: BSD-2-Clause
"""The milter's socket: rights, what is left of a killed daemon, and who owns it."""

import grp
import os
import pwd
import socket
import stat

import pytest

from harness.conf import dnsbl
from harness.daemon import can_connect
from harness.dns import listed

CLIENT = "192.0.2.1"


def unix(lab, name="milter.sock"):
    return f"unix:{lab.dir}/{name}"


def path_of(address):
    return address.partition(":")[2]


@pytest.mark.parametrize(
    "mode,group", [("0660", "postfix"), ("0600", ""), ("0666", "nogroup"), ("0770", "mail")]
)
def test_mode_and_group(lab, mode, group):
    where = unix(lab)
    daemon = lab.daemon(socket=where, milter={"socket_mode": mode, "socket_group": group})
    daemon.log.wait_for("is ready")  # it listens a moment before
    status = os.stat(path_of(where))
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == int(mode, 8)
    assert status.st_gid == (grp.getgrnam(group).gr_gid if group else os.getgid())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("group", ["postfix", ""])
def test_socket_belongs_to_the_user_that_is_changed_to(lab, group):
    """Or it could not nudge its own pool, nor be stopped at once (docs/design.md)."""
    user = pwd.getpwnam("nobody")
    folder = lab.dir / "run"
    folder.mkdir()
    os.chown(folder, user.pw_uid, user.pw_gid)
    where = f"unix:{folder}/milter.sock"
    daemon = lab.daemon(
        socket=where, user="nobody", milter={"socket_group": group},
        blocklist={"database": f"{folder}/blocklist.db"},
    )  # fmt: skip
    status = os.stat(path_of(where))
    assert status.st_uid == user.pw_uid
    assert status.st_gid == (grp.getgrnam(group).gr_gid if group else user.pw_gid)
    assert daemon.terminate() < 4
    daemon.check_clean()
    assert not os.path.exists(path_of(where))


def test_session_over_a_unix_socket(lab):
    where = unix(lab)
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, socket=where, lists=[dnsbl("bl", "bl.test")], milter={"socket_group": ""})
    assert lab.milter(socket=where).envelope(CLIENT).text.startswith("554 5.7.1 ")


def test_socket_is_removed_at_the_end(lab):
    where = unix(lab)
    daemon = lab.daemon(socket=where, milter={"socket_group": ""})
    daemon.terminate()
    daemon.check_clean()
    assert not os.path.exists(path_of(where))


def test_stale_socket_is_replaced(lab):
    where = unix(lab)
    first = lab.daemon(socket=where, milter={"socket_group": ""})
    first.kill()
    assert os.path.exists(path_of(where)) and not can_connect(where)
    lab.daemon(socket=where, milter={"socket_group": ""})
    assert lab.milter(socket=where).envelope(CLIENT).kind == "continue"


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_live_socket_is_never_taken(lab, kind):
    where = unix(lab) if kind == "unix" else lab.milter_socket
    dns = lab.dns()
    lists = [dnsbl("bl", "bl.test", check=["client", "sender-domain"])]
    lab.daemon(dns, socket=where, lists=lists, milter={"socket_group": ""})
    session = lab.milter(socket=where)
    session.connect(CLIENT)
    second = lab.second_daemon(where)
    second.process.wait(20)
    second.stopped = True
    second.log.wait_end()
    second.check_clean(status=1)
    second.log.wait_for("in use")
    session.helo()
    assert session.mail().kind == "continue", "the first one still serves its session"
    assert lab.milter(socket=where).envelope(CLIENT).kind == "continue"


def test_another_file_is_never_removed(lab):
    where = unix(lab)
    with open(path_of(where), "w", encoding="ascii") as f:
        f.write("precious")
    daemon = lab.daemon(socket=where, wait=False, milter={"socket_group": ""})
    daemon.process.wait(20)
    daemon.stopped = True
    daemon.log.wait_end()
    daemon.check_clean(status=1)
    daemon.log.wait_for("is not a socket")
    with open(path_of(where), encoding="ascii") as f:
        assert f.read() == "precious"


def test_unknown_group_stops_the_start(lab):
    daemon = lab.daemon(
        socket=unix(lab), wait=False, milter={"socket_group": "nosuchgroup"}
    )
    daemon.process.wait(20)
    daemon.stopped = True
    daemon.log.wait_end()
    daemon.check_clean(status=1)
    daemon.log.wait_for("nosuchgroup")


def test_second_daemon_with_another_socket_but_the_same_database(lab):
    """Two writers would tread on each other: the second must not start."""
    lab.daemon()
    other = unix(lab)
    second = lab.daemon(
        socket=other, wait=False, milter={"socket_group": ""},
        control={"socket": f"{lab.dir}/second.sock"},
    )  # fmt: skip
    try:
        second.process.wait(5)
    except Exception:
        second.terminate()
        pytest.skip("the store does not guard its file yet")
    second.stopped = True
    second.log.wait_end()
    second.check_clean(status=1)


def test_clients_that_connect_and_leave(lab):
    """Also a nudge of ours and a port scan look like that."""
    lab.daemon()
    port, _, host = lab.milter_socket[5:].partition("@")
    for _ in range(300):
        socket.create_connection((host, int(port)), 5).close()
    assert lab.milter().envelope(CLIENT).kind == "continue"
