# SPDX-License-Identifier: BSD-2-Clause
"""SIGUSR1: a good file takes effect, a bad one changes nothing, running sessions keep
theirs."""

import subprocess
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import binary
from harness.dns import listed

CLIENT = "192.0.2.1"
GOOD, BAD = "reloaded ", "reload of .* failed"


@pytest.fixture
def world(lab):
    lab.name_server = lab.dns(listed(CLIENT, "one.test", txt="one") + listed(CLIENT, "two.test", txt="two"))
    lab.one = lab.conf(lab.name_server, lists=[dnsbl("one", "one.test")])
    lab.two = lab.conf(lab.name_server, lists=[dnsbl("two", "two.test")])
    lab.none = lab.conf(lab.name_server)
    lab.running = lab.daemon(conf=lab.one)
    return lab


def refused_by(lab):
    reply = lab.send(addr=CLIENT).reply
    return reply.split("blocked using ")[1].split(";")[0] if reply.code == 554 else None


def test_new_lists_take_effect(world):
    assert refused_by(world) == "one"
    world.running.reload(world.two, GOOD)
    assert refused_by(world) == "two"
    world.running.reload(world.none, GOOD)
    assert refused_by(world) is None
    world.running.reload(world.one, GOOD)
    assert refused_by(world) == "one"


def test_rblctl_reload(world):
    """By the control socket, which says what was wrong."""
    rblctl = [binary("rblctl"), "-s", world.dir / "control.sock", "reload"]
    world.running.conf.write_text(world.two)
    assert subprocess.run(rblctl, capture_output=True).returncode == 0
    assert refused_by(world) == "two"
    world.running.conf.write_text(world.two + "nonsense = 1\n")
    done = subprocess.run(rblctl, capture_output=True, text=True)
    assert done.returncode == 4, done
    assert "nonsense" in done.stderr + done.stdout
    assert refused_by(world) == "two"


BROKEN = [
    ("unknown name", "nonsense = 1\n", "nonsense"),
    ("open brace", 'list "x" {\n', ""),
    ("open string", 'user = "x\n', ""),
    ("bad span", 'health { interval = "5 sec" }\n', "interval"),
    ("include that is not there", 'include("missing.conf")\n', "missing.conf"),
    ("include of a directory", 'include("{dir}")\n', ""),
    ("include with an error", 'include("{dir}/broken.conf")\n', "broken.conf"),
    ("include of itself", 'include("{dir}/rblmilter.conf")\n', ""),
    ("binary", "\x01\x02\xff\n", ""),
    ("empty list", 'list "x" { }\n', "zone"),
]


@pytest.mark.parametrize("row", BROKEN, ids=[r[0] for r in BROKEN])
def test_bad_file_changes_nothing_however_often(world, row):
    """Nothing of a broken file may stay in libconfuse's lexer, which has global state."""
    (world.dir / "broken.conf").write_text("verdict { reject = many }\n")
    text = world.one + row[1].replace("{dir}", str(world.dir))
    since = world.running.log.count()
    for _ in range(13):
        world.running.reload(text, BAD)
    assert row[2] in world.running.log.text()[since:]
    assert refused_by(world) == "one"
    (world.dir / "good.conf").write_text(dnsbl("two", "two.test"))
    good = world.none + f'include("{world.dir}/good.conf")\n'
    world.running.reload(good, GOOD)
    assert refused_by(world) == "two"


def test_vanished_file_changes_nothing(world):
    world.running.conf.unlink()
    world.running.reload(wait_for=BAD)
    assert refused_by(world) == "one"


def test_running_session_keeps_its_configuration(world):
    # a list that is taken out before its first check is not waited for
    world.running.log.wait_for("list=one state=healthy")
    client = world.milter()
    client.connect(CLIENT)
    client.helo()
    world.running.reload(world.none, GOOD)
    client.mail()
    reply = client.rcpt()
    assert reply.kind == "reply" and "blocked using one; one" in reply.text
    assert refused_by(world) is None


def test_a_list_taken_out_is_tested_no_more(world):
    points = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}
    one, two = dnsbl("one", "one.test", **points), dnsbl("two", "two.test", **points)
    health = {"interval": "1s"}
    world.running.reload(world.conf(world.name_server, lists=[one, two], health=health), GOOD)
    world.running.log.wait_for("list=two state=")
    world.running.reload(world.conf(world.name_server, lists=[one], health=health), GOOD)
    time.sleep(0.5)  # a test under way
    before = len(world.name_server.names("two.test")), len(world.name_server.names("one.test"))
    time.sleep(2.5)
    assert len(world.name_server.names("two.test")) == before[0]
    assert len(world.name_server.names("one.test")) > before[1]


def test_reload_under_load(world):
    """Sessions go on while the configuration changes under them."""
    for n in range(30):
        world.running.reload(world.two if n % 2 else world.one, GOOD)
        assert refused_by(world) == ("two" if n % 2 else "one")


def test_log_level_changes(world):
    assert world.send(addr="192.0.2.50").accepted
    world.running.log.wait_for("accept:")
    quiet = world.conf(world.name_server, log={"level": "notice"})
    world.running.reload(quiet, GOOD)
    since = world.running.log.count()
    assert world.send(addr="192.0.2.51").accepted
    world.running.reload(world.one, "load")
    assert world.running.log.matching("accept:", since) == []
