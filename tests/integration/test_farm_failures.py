# SPDX-License-Identifier: BSD-2-Clause
"""What a farm's database, its standbys, its disk and its network can do to it, and hosts that were
cut, killed in the middle, cloned, or away for too long. The truth is what rblctl was told."""

import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chaos_lib.wallclock import WallClock
from harness.postgres import Farm, Postgres, programs
from harness.proxy import BACK, FORWARD
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(programs() is None, reason="there is no PostgreSQL")

LISTED = "is rbl blacklisted"
DAY_S = 86400


@pytest.fixture
def folder(session_dir):
    path = session_dir / f"farm-{time.monotonic_ns()}"
    path.mkdir()
    return path


@pytest.fixture
def farm(folder):
    with Farm(folder, proxied=True) as farm:
        yield farm


def done(result):
    assert result.status == 0, result
    return result


def wrong(host):
    return str(host.status()["farm"].get("wrong"))


def names(entries):
    return [e[0] for e in entries]


def waits(host, command, entry, changes=1, why="cannot be reached ("):
    """The change is done here, soon, and waits for the farm."""
    said = done(host.rblctl(command, entry)).out
    assert f"here; the farm {why}" in said and f", {changes} change" in said, said


def published(farm, entry):
    """How often the database took a change of it."""
    return int(farm.postgres.sql(f"SELECT count(*) FROM farm.change WHERE entry = '{entry}'")[0][0])


def edit(host, *statements):
    """The host's own file, while it does not run."""
    with sqlite3.connect(host.dir / "blocklist.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


# --- standbys ---


def test_synchronous_standby_is_gone(farm, folder):
    """Nothing hangs; what was changed meanwhile is sent once."""
    one, two, _ = farm
    standby = Postgres(folder / "standby", standby_of=farm.postgres.port).start()
    try:
        assert "no synchronous standby" in one.rblctl("doctor").out
        farm.postgres.configure("synchronous_standby_names = 'standby'")
        farm.postgres.reload()
        wait_until(lambda: farm.postgres.sql("SELECT sync_state FROM pg_stat_replication") == [["sync"]], "no standby")
        done(one.rblctl("add", "before.example", "--wait"))
        standby.stop("immediate")
        waits(one, "add", "a.example", why="has not answered yet")
        assert LISTED in one.mail("u@a.example")
        assert two.mail("u@good.example") == ""
        waits(two, "add", "b.example", why="")
        waits(two, "remove", "before.example", 2, why="")
        standby.start()
        assert names(farm.wait_equal(60)) == ["a.example", "b.example"]
        assert [published(farm, e) for e in ("a.example", "b.example", "before.example")] == [1, 1, 2]
        # what takes no writes is not taken for the database
        two.stop()
        two.start(database=standby.connection())
        wait_until(lambda: "read-only" in wrong(two) or "not read-write" in wrong(two), lambda: wrong(two))
        waits(two, "add", "c.example")
        two.stop()
        two.start(database=f"host=127.0.0.1,127.0.0.1 port={standby.port},{farm.postgres.port} dbname=postgres"
                           " user=rblmilter")  # fmt: skip
        assert names(farm.wait_equal()) == ["a.example", "b.example", "c.example"]
        assert "no synchronous standby" not in one.rblctl("doctor").out
    finally:
        standby.stop("immediate")


def test_two_primaries_then_one(farm, folder):
    """A standby that lacks the last changes is promoted, while the old primary goes on for one host."""
    one, two, three = farm
    done(one.rblctl("add", "a.example", "b.example", "c.example", "--wait"))
    standby = Postgres(folder / "standby", standby_of=farm.postgres.port).start()
    replayed = "SELECT pg_last_wal_replay_lsn() >= '{}'"
    lsn = farm.postgres.sql("SELECT pg_current_wal_flush_lsn()")[0][0]
    wait_until(lambda: standby.sql(replayed.format(lsn)) == [["t"]], "the standby is not there")
    farm.postgres.configure("max_wal_senders = 0")
    farm.postgres.stop()
    farm.postgres.start()
    try:
        for host in farm:
            host.wait_sync()
        done(one.rblctl("add", "lost.example", "--wait"))  # all hosts have it, the standby never
        done(two.rblctl("remove", "c.example", "--wait"))
        standby.promote()
        for host in (two, three):
            host.proxy.turn_to(standby.port)
        done(one.rblctl("add", "of-the-old.example"))
        done(one.rblctl("remove", "a.example"))
        done(two.rblctl("add", "of-the-new.example"))
        done(three.rblctl("tempfail", "b.example"))
        farm.postgres.kill()
        one.proxy.turn_to(standby.port)
        want = ["b.example", "lost.example", "of-the-new.example", "of-the-old.example"]
        wait_until(lambda: names(farm[0].entries()) == want, lambda: names(farm[0].entries()))
        assert [e[:2] for e in farm.wait_equal()] == [(e, "tempfail" if e[0] == "b" else "block") for e in want]
        for host in farm:
            assert host.rblctl("farm", "compare").status == 0
    finally:
        standby.stop("immediate")


# --- what the database refuses ---


def test_wrong_password(farm):
    one = farm[0]
    hba = farm.postgres.dir / "data" / "pg_hba.conf"
    hba.write_text("host all rblmilter 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    farm.postgres.sql("ALTER ROLE rblmilter PASSWORD 'right'")
    farm.postgres.reload()
    one.stop()
    one.start(database=farm.postgres.connection(more="password=verywrong"))
    wait_until(lambda: "password authentication failed" in wrong(one), lambda: wrong(one))
    assert "password authentication failed" in one.rblctl("doctor").out
    waits(one, "add", "a.example")
    one.stop()
    one.start(database=farm.postgres.connection(more="password=right"))
    one.wait_sync()
    assert published(farm, "a.example") == 1


def test_tls(farm):
    """No TLS on a connection that leaves the host is found; here it leaves by its name only."""
    one, data = farm[0], farm.postgres.dir / "data"
    away = f"host=db.example hostaddr=127.0.0.1 port={farm.postgres.port} dbname=postgres user=rblmilter"
    farm.postgres.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db.example", "-days", "2",
                      "-keyout", data / "server.key", "-out", data / "server.crt")  # fmt: skip
    os.chmod(data / "server.key", 0o600)
    farm.postgres.configure("ssl = on")
    farm.postgres.reload()
    assert "no TLS" not in one.rblctl("doctor").out
    shutil.copy(data / "server.crt", farm.dir / "root.crt")
    for more, found in (("sslmode=disable", True),
                        (f"sslmode=verify-full sslrootcert={farm.dir}/root.crt", False)):  # fmt: skip
        one.stop()
        one.start(database=f"{away} {more}")
        one.wait_sync()
        assert ("has no TLS" in one.rblctl("doctor").out) == found
    one.stop()
    one.start(database=f"{away.replace('db.example', 'other.example')} sslmode=verify-full sslrootcert={farm.dir}/root.crt")
    wait_until(lambda: "does not match host name" in wrong(one), lambda: wrong(one))


def test_a_row_that_is_not_taken(folder):
    """An encoding that lacks a character: the row is refused and named, its neighbours pass."""
    with Farm(folder, hosts=2, start=False) as farm:
        farm.postgres.sql("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        assert farm.postgres.init("latin").returncode == 0
        one, two = farm
        one.start(database="")
        done(one.rblctl("add", "a.example", "-r", "caf\u00e9"))
        done(one.rblctl("add", "b.example", "-r", "\u8a9e"))
        done(one.rblctl("add", "c.example"))
        one.stop()
        for host in farm:
            host.start(database=farm.postgres.connection(database="latin"))
        wait_until(lambda: names(two.entries()) == ["a.example", "c.example"], lambda: two.entries())
        assert two.entries()[0][3] == "caf\u00e9"
        assert names(one.entries()) == ["a.example", "b.example", "c.example"]
        found = one.status()["farm"]
        assert found["refused"] == 1 and found["refused_last"].startswith("b.example: "), found
        assert found["waiting"] == 0 and "LATIN1" in one.rblctl("doctor").out


def test_disk_full(farm):
    """On the tables' volume: it is named, changes wait, and are sent when there is room."""
    one, two, _ = farm
    volume = farm.dir / "volume"
    volume.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", volume]).returncode != 0:
        pytest.skip("no file system can be mounted")
    try:
        place = volume / "space"
        place.mkdir()
        os.chown(place, farm.postgres.user.pw_uid, farm.postgres.user.pw_gid)
        farm.postgres.sql(f"CREATE TABLESPACE small LOCATION '{place}'")
        farm.postgres.sql("ALTER TABLE farm.change SET TABLESPACE small")
        farm.postgres.sql("ALTER TABLE farm.entry SET TABLESPACE small")
        done(one.rblctl("add", "before.example", "--wait"))
        fill = volume / "fill"
        with open(fill, "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        said = done(one.import_hosts(2000)).out
        assert re.search(r"imported here; the farm .*, [12]\d\d\d changes wait", said), said
        wait_until(lambda: "No space left" in wrong(one), lambda: wrong(one))
        assert LISTED in one.mail("u@host7.example")
        fill.unlink()
        assert len(farm.wait_equal()) == 2001
    finally:
        farm.postgres.stop("immediate")
        subprocess.run(["umount", "-l", volume], check=True)


# --- hosts that are killed, cut, cloned ---

POINTS = [
    ("between commit and publish", [b"farm.publish"], FORWARD, 0),
    ("between publish and answer", [b"farm.publish"], BACK, 1),
    ("between answer and read-back", [b"farm.publish", b"SELECT seq, stamp"], FORWARD, 1),
]


def test_killed_in_the_middle(farm):
    """Nothing is lost, and nothing is done twice."""
    one, two, _ = farm
    for number, (label, words, way, taken) in enumerate(POINTS):
        entry = f"n{number}.example"
        one.wait_sync()
        held = one.proxy.hold_at(*words, way=way)
        done(one.rblctl("add", entry))
        assert held.wait(20), label
        if taken:
            wait_until(lambda: published(farm, entry) == 1, label)
        one.kill()
        assert published(farm, entry) == taken, label
        one.proxy.heal()
        one.proxy.drop()
        one.start()
        farm.wait(lambda h: h.lists(entry), f"{label}: not listed")
        farm.wait_equal()
        assert published(farm, entry) == 1, label


def test_killed_within_a_comparison(farm):
    one, two, three = farm
    three.stop()
    done(one.import_hosts(5500))
    done(one.rblctl("add", "a.example"))
    farm.hosts.remove(three)
    farm.wait_equal(60)
    farm.hosts.append(three)
    for file in three.dir.glob("blocklist.db*"):
        file.unlink()
    three.start(database="")
    done(three.rblctl("add", "own.example"))
    three.stop()
    held = three.proxy.hold_at(*[b"FETCH"] * 3)  # prepared, and the second batch while it takes the first
    three.start(database=farm.postgres.connection(port=three.proxy.port))
    assert held.wait(30)
    wait_until(lambda: three.count() == 5001, "no first batch")
    three.kill()
    three.proxy.heal()
    three.proxy.drop()
    done(two.rblctl("remove", "a.example"))
    three.start()
    found = names(farm.wait_equal(60))
    assert len(found) == 5501 and "own.example" in found and "a.example" not in found
    assert published(farm, "own.example") == 1


def test_a_removal_before_an_older_add(farm):
    one, two, _ = farm
    done(one.rblctl("add", "x.example", "--wait"))
    two.proxy.cut()
    wait_until(lambda: two.status()["farm"]["state"] == "not reached", two.status)
    waits(two, "add", "x.example")  # listed once more, but before the removal
    done(one.rblctl("remove", "x.example"))
    assert two.lists("x.example")
    two.proxy.heal()
    assert farm.wait_equal() == []
    done(two.rblctl("add", "x.example", "--wait"))
    assert names(farm.wait_equal()) == ["x.example"]
    # and the other way round: an add that is newer than a removal
    two.proxy.cut()
    wait_until(lambda: two.status()["farm"]["state"] == "not reached", two.status)
    waits(two, "remove", "x.example")
    done(one.rblctl("add", "x.example"))
    two.proxy.heal()
    assert names(farm.wait_equal()) == ["x.example"]


def test_a_cloned_host(farm):
    """With changes that wait, under a name of its own: each is sent, and is one change."""
    one, two, three = farm
    three.stop()
    farm.postgres.stop()
    for i in range(5):
        done(one.rblctl("add", f"n{i}.example"))
    one.stop()
    for file in three.dir.glob("blocklist.db*"):
        file.unlink()
    for file in one.dir.glob("blocklist.db*"):
        shutil.copy(file, three.dir)
    one.start()
    three.start()
    farm.postgres.start()
    farm.wait(lambda h: len(h.entries()) == 5, "not all there")
    farm.wait_equal()
    assert farm.postgres.sql("SELECT count(*) FROM farm.change") == [["5"]]
    done(three.rblctl("remove", "n0.example", "--wait"))
    assert len(farm.wait_equal()) == 4


def test_a_short_end_on_a_host_an_hour_ahead(folder):
    """Its end has come there; an add elsewhere behind it holds on all."""
    with Farm(folder, hosts=2, start=False) as farm:
        one, two = farm
        clock = WallClock(two.dir)
        clock.jump(3600)
        two.env = clock.environment()
        for host in farm:
            host.start()
            host.wait_sync()
        done(two.rblctl("add", "x.example", "-e", "5s", "-r", "short", "--wait"))
        assert one.entries()[0][3] == "short"
        done(one.rblctl("add", "x.example", "-r", "for good", "--wait"))
        time.sleep(6)
        assert [e[3:] for e in farm.wait_equal()] == [("for good", None)]
        assert abs(abs(two.status()["farm"]["clock_offset_ms"]) - 3600000) < 60000
        assert "clock" in two.rblctl("doctor").out


# --- away for longer than removals are remembered ---


def test_away_for_too_long(folder):
    """What it alone has was removed meanwhile, also what waits to be sent."""
    with Farm(folder, hosts=3, start=False) as farm:
        one, two, three = farm
        clock = WallClock(folder)
        clock.jump(-10 * DAY_S)  # ten days ago
        for host in farm:
            host.env = clock.environment()
            host.start()
            host.wait_sync()
        done(one.rblctl("add", "a.example", "b.example", "--wait"))
        three.stop()
        three.start(database="host=127.0.0.1 port=9 dbname=x user=x")
        waits(three, "add", "waits.example")
        three.stop()
        edit(three, f"UPDATE farm SET read_at = read_at - {10 * DAY_S * 1000}")
        done(one.rblctl("remove", "a.example"))
        farm.wait_away(three)
        for host in (one, two):
            host.stop()
        farm.postgres.sql("UPDATE farm.head SET keep_days = 2; UPDATE farm.change SET stored = stored - interval '10 days'")
        for host in (one, two):
            host.env = None
            host.start()
            host.wait_sync()
        done(one.rblctl("add", "c.example"))
        wait_until(lambda: farm.postgres.sql("SELECT count(*) FROM farm.entry WHERE action = 'removed'") == [["0"]],
                   "the removal is not forgotten")  # fmt: skip
        three.env = None
        three.start(database=farm.postgres.connection())
        assert names(farm.wait_equal()) == ["b.example", "c.example"]
        assert "dropped=2" in three.daemon.log.text()
        assert published(farm, "waits.example") == 0


def test_a_backup_that_is_too_old(farm, folder):
    """It would bring back what nobody remembers to have removed: no host takes it."""
    one, two, three = farm
    done(one.rblctl("add", "a.example", "b.example", "--wait"))
    farm.wait_equal()
    farm.postgres.sql("UPDATE farm.change SET stored = stored - interval '100 days'")
    farm.postgres.back_up(folder / "backup")
    farm.wait_equal()
    done(two.rblctl("remove", "b.example", "--wait"))
    for host in farm:
        host.stop()
        edit(host, "DELETE FROM gone")  # for longer than they are kept
    farm.postgres.stop()
    farm.postgres.restore(folder / "backup")
    farm.postgres.start()
    for host in farm:
        host.start()
    farm.wait(lambda h: "older than removals are remembered" in wrong(h), lambda: wrong(one))
    assert "farm init" in one.rblctl("doctor").out
    waits(one, "add", "c.example")
    assert names(two.entries()) == ["a.example"]
    farm.postgres.empty()
    assert names(farm.wait_equal()) == ["a.example", "c.example"]


def test_quiet_for_longer_than_changes_are_kept(farm):
    """That alone is no reason to refuse anything."""
    one, two, three = farm
    done(one.rblctl("add", "a.example", "--wait"))
    farm.wait_equal()
    three.stop()
    done(one.rblctl("add", "b.example"))
    farm.wait_away(three)
    edit(three, f"UPDATE farm SET read_at = read_at - {102 * DAY_S * 1000}")
    farm.postgres.sql("UPDATE farm.change SET stored = stored - interval '100 days'; SELECT farm.tidy()")
    assert farm.postgres.sql("SELECT count(*) FROM farm.change") == [["1"]]
    done(two.rblctl("farm", "compare"))
    three.start()
    assert names(farm.wait_equal()) == ["a.example", "b.example"]


def test_an_empty_database_is_filled_by_one_host(farm):
    one, two, three = farm
    done(one.import_hosts(6000))
    farm.wait(lambda h: h.count() == 6000, "not all there", 60)
    sent = [host.status()["farm"]["sent"] for host in farm]
    farm.postgres.empty()
    farm.wait(lambda h: h.status()["farm"]["compared"] >= 2, "not compared")
    for host in farm:
        host.wait_sync()
    assert farm.postgres.sql("SELECT count(*) FROM farm.entry") == [["6000"]]
    assert sum(host.status()["farm"]["sent"] for host in farm) - sum(sent) == 6000
    # who fills it is waited for, and no longer than it is there
    lock = farm.postgres.hold("SELECT pg_advisory_lock(1918004576)")
    try:
        farm.postgres.empty()
        farm.wait(lambda h: "another host fills it" in wrong(h), "they do not wait")
        waits(two, "add", "a.example")
        assert farm.postgres.sql("SELECT count(*) FROM farm.entry") == [["0"]]
    finally:
        lock.kill()
        lock.wait()
    assert len(farm.wait_equal()) == 6001


def test_compared_in_full(farm):
    """What somebody wrote to the tables by hand, with the version that was there."""
    one, two, _ = farm
    done(one.rblctl("add", "a.example", "b.example", "--wait"))
    done(two.rblctl("add", "short.example", "-e", "1h"))
    done(two.rblctl("remove", "b.example", "--wait"))
    done(two.rblctl("farm", "compare", "--full"))
    farm.postgres.sql("UPDATE farm.entry SET reason = 'by hand' WHERE entry = 'a.example'")
    done(two.rblctl("farm", "compare"))
    result = two.rblctl("farm", "compare", "--full")
    assert result.status == 1 and "a.example block manual: the farm's says something else" in result.out, result
    done(one.rblctl("add", "a.example", "--wait"))
    done(two.rblctl("farm", "compare", "--full"))


def test_taken_after_an_upgrade(farm):
    """A row that this version does not know is looked at again by another one."""
    one = farm[0]
    done(one.rblctl("add", "a.example", "--wait"))
    columns = "side, entry, source, action, reason, who, since, expires, at, id, node"
    row = "1, 'new.example', 'feed', 'greylist', '', 'x', 1, NULL, 1000000000000, 77, 'evil'"
    farm.postgres.sql(f"INSERT INTO farm.entry ({columns}) VALUES ({row}); UPDATE farm.head SET seq = seq + 1;"
                      f"INSERT INTO farm.change (seq, stamp, {columns}) SELECT seq, 5, {row} FROM farm.head;"
                      "NOTIFY rblmilter_farm")  # fmt: skip
    farm.wait(lambda h: h.status()["farm"]["refused"] == 1, lambda: str(one.status()))
    farm.postgres.sql("UPDATE farm.entry SET action = 'tempfail' WHERE entry = 'new.example'")  # what a newer one knows
    one.stop()
    one.start()
    one.wait_sync()
    assert not one.lists("new.example")
    for host in farm:
        host.stop()
        edit(host, "UPDATE farm SET program = 'older'")
        host.start()
    farm.wait(lambda h: h.lists("new.example"), "it is not taken")
    assert "equal, 0 refused" in done(one.rblctl("farm", "compare")).out
