# SPDX-License-Identifier: BSD-2-Clause
"""One list on three hosts: what is done on one holds on all, and the database may do what it
likes meanwhile. The truth is what rblctl was told to do."""

import re
import sqlite3
import time

import pytest

from harness.postgres import Farm, programs
from harness.waiting import wait_until

pytestmark = pytest.mark.skipif(programs() is None, reason="there is no PostgreSQL")

LISTED = "is rbl blacklisted"


@pytest.fixture
def folder(session_dir, tmp_path_factory):
    path = session_dir / f"farm-{time.monotonic_ns()}"
    path.mkdir()
    return path


@pytest.fixture
def farm(folder):
    with Farm(folder) as farm:
        yield farm


def done(result):
    assert result.status == 0, result
    return result


# --- what is done on one holds on all ---


def test_add_and_remove(farm):
    one, two, three = farm
    said = done(one.rblctl("add", "anna@bad.example", "-r", "bulk", "--wait")).out
    assert "listed; 3 of 3 hosts have it" in said
    for host in farm:
        assert LISTED in host.mail("anna@bad.example")
    assert "@mx1" in done(three.rblctl("show", "anna@bad.example")).out
    assert "removed; 3 of 3 hosts have it" in done(two.rblctl("remove", "anna@bad.example", "--wait")).out
    for host in farm:
        assert host.mail("anna@bad.example") == ""
    assert "@mx2 remove" in done(three.rblctl("log")).out


def test_actions_sources_and_ends(farm):
    one, two, three = farm
    done(one.rblctl("add", "x.example", "--source", "a"))
    done(two.rblctl("add", "x.example", "--source", "b"))
    done(three.rblctl("tempfail", "slow.example"))
    done(three.rblctl("allow", "good@x.example"))
    done(one.rblctl("add", "short.example", "-e", "3s"))
    farm.wait_equal()
    farm.wait(lambda h: "451" in h.mail("u@slow.example"), "not put off")
    assert all(h.mail("good@x.example") == "" for h in farm)
    done(three.rblctl("remove", "x.example", "--source", "a", "--wait"))
    assert [(e[0], e[2]) for e in farm.wait_equal() if e[0] == "x.example"] == [("x.example", "b")]
    farm.wait(lambda h: not h.lists("short.example"), "it has not ended")
    done(two.rblctl("add", "short.example", "--wait"))
    assert all(h.lists("short.example") for h in farm)
    # the other way round: a tempfail of the same source in the place of the block
    done(three.rblctl("tempfail", "x.example", "--source", "b", "--wait"))
    assert all("451" in h.mail("u@x.example") for h in farm)


def test_import_with_replace(farm):
    one, two, _ = farm
    file = one.dir / "feed"
    done(one.import_hosts(3000))
    farm.wait(lambda h: h.count() == 3000, "not all there", 60)
    file.write_text("".join(f"host{i}.example\n" for i in range(2500)) + "new.example\n")
    assert "imported" in done(two.rblctl("import", str(file), "--source", "feed", "--replace")).out.splitlines()[-1]
    file.write_text("one.example\ntwo.example\n")
    said = done(one.rblctl("import", str(file), "--source", "few")).out
    assert re.search(r"^imported; \d of 3 hosts ha(ve|s) it$", said, re.M), said
    done(one.rblctl("remove", "--since", "1h", "--source", "few", "--wait"))
    farm.wait(lambda h: h.count() == 2501, "not replaced", 60)
    assert len(farm.wait_equal()) == 2501


def test_keep_local(folder):
    with Farm(folder, hosts=2, keep_local=["fail2ban"]) as farm:
        one, two = farm
        done(one.rblctl("add", "192.0.2.7", "--source", "fail2ban"))
        done(one.rblctl("add", "192.0.2.8", "--wait"))
        assert two.lists("192.0.2.8") and not two.lists("192.0.2.7")
        assert farm.postgres.sql("SELECT count(*) FROM farm.change WHERE source = 'fail2ban'") == [["0"]]
        # what is kept back is no difference; a removal of all takes it, too
        assert done(one.rblctl("farm", "compare")).status == 0
        done(two.rblctl("add", "192.0.2.7", "--wait"))
        done(two.rblctl("remove", "192.0.2.7", "--wait"))
        assert not one.lists("192.0.2.7")


def test_an_old_list_joins(folder):
    """A host that was alone brings what it has, and takes what the farm has."""
    with Farm(folder, hosts=3) as farm:
        one, two, three = farm
        three.stop()
        assert one.rblctl("add", "of-the-farm.example", "--wait").status == 5  # one of them is away
        two.stop()
        two.start(database="", node="")
        done(two.rblctl("add", "while-alone.example"))
        two.stop()
        two.start(database=farm.postgres.connection(), node="mx2")
        three.start()
        assert [e[0] for e in farm.wait_equal()] == ["of-the-farm.example", "while-alone.example"]


def test_a_new_host_has_nothing_to_send(folder, tmp_path):
    """More rows than are compared at once: what was just taken is not taken for its own."""
    rows = tmp_path / "rows"
    rows.write_text("".join(f"user{n}@domain{n % 97}.example\n" for n in range(12000)))
    with Farm(folder, hosts=2, start=False) as farm:
        one, two = farm
        one.start()
        done(one.rblctl("import", str(rows), "--source", "feed"))
        one.wait_sync()
        two.start()
        two.wait_sync()
        assert len(two.entries()) == 12000
        assert two.status()["farm"]["sent"] == 0


# --- commands ---


def test_farm_table_and_forget(farm):
    one, two, three = farm
    assert one.rblctl("farm").status == 0, one.rblctl("farm")
    three.stop()
    farm.postgres.sql("UPDATE farm.beat SET seen = seen - interval '1 hour' WHERE name = 'mx3'")
    wait_until(lambda: one.rblctl("farm").status == 1, lambda: one.rblctl("farm").out)
    assert [h["host"] for h in one.status()["hosts"] if h["state"] == "away"] == ["mx3"]
    result = one.rblctl("add", "a.example", "--wait")
    assert result.status == 5 and "2 of 3 hosts have it" in result.out
    assert "mx3 is away" in one.rblctl("doctor").out
    done(two.rblctl("farm", "forget", "mx3"))
    assert two.rblctl("farm", "forget", "mx3").status != 0
    wait_until(lambda: one.rblctl("farm").status == 0, lambda: one.rblctl("farm").out)
    three.start()
    farm.wait_equal()


def test_init_twice_and_newer(farm):
    again = farm.postgres.init()
    assert again.returncode == 0 and "nothing was changed" in again.stdout
    farm.postgres.sql("UPDATE farm.head SET schema = 7")
    newer = farm.postgres.init()
    assert newer.returncode == 4 and "newer" in newer.stderr
    farm[0].stop()
    farm[0].start()
    wait_until(lambda: "newer than this rblmilter" in str(farm[0].status()["farm"].get("wrong")), farm[0].status)
    assert "cannot be reached" in done(farm[0].rblctl("add", "a.example")).out


def test_no_password_is_shown(farm):
    one = farm[0]
    one.stop()
    one.start(database=farm.postgres.connection(more="password=verysecret"))
    one.wait_sync()
    shown = [one.rblctl(*c).out for c in (["farm"], ["status"], ["doctor"], ["farm", "--json"])]
    assert "verysecret" not in "".join(shown) + one.daemon.log.text()


def test_two_hosts_of_one_name(farm):
    one, two, _ = farm
    two.stop()
    two.start(node="mx1")
    done(two.rblctl("add", "b.example"))
    done(one.rblctl("add", "a.example"))
    wait_until(lambda: "two hosts of the farm have the name mx1" in one.rblctl("doctor").out
               or "two hosts of the farm have the name mx1" in two.rblctl("doctor").out, "not found")  # fmt: skip
    farm.wait_equal()


def test_wrong_rights(farm):
    one = farm[0]
    for text in ("INSERT INTO farm.entry SELECT * FROM farm.entry", "DELETE FROM farm.change", "TRUNCATE farm.entry",
                 "UPDATE farm.head SET seq = 0"):  # fmt: skip
        with pytest.raises(AssertionError, match="permission denied"):
            farm.postgres.sql(text, user="rblmilter")
    farm.postgres.sql("CREATE ROLE stranger LOGIN")
    one.stop()
    one.start(database=farm.postgres.connection("stranger"))
    wait_until(lambda: "permission denied" in str(one.status()["farm"].get("wrong")), one.status)
    assert "permission denied" in one.rblctl("doctor").out


# --- the database is away ---


def add_while_away(host, entry):
    began = time.monotonic()
    result = done(host.rblctl("add", entry))
    assert time.monotonic() - began < 5
    assert "here; the farm " in result.out and "wait" in result.out
    assert LISTED in host.mail(f"u@{entry}")


def test_absent_at_the_start(folder):
    with Farm(folder, start=False) as farm:
        farm.postgres.stop()
        for host in farm:
            host.start()
            add_while_away(host, f"{host.name}.example")
        farm.postgres.start()
        assert [e[0] for e in farm.wait_equal()] == ["mx1.example", "mx2.example", "mx3.example"]


def test_killed_and_restarted(farm):
    one, two, three = farm
    done(one.rblctl("add", "before.example", "--wait"))
    farm.postgres.kill()
    wait_until(lambda: one.status()["farm"]["state"] == "not reached", one.status)
    add_while_away(one, "a.example")
    done(two.rblctl("remove", "before.example"))
    add_while_away(three, "c.example")
    farm.postgres.start()
    assert [e[0] for e in farm.wait_equal()] == ["a.example", "c.example"]
    farm.postgres.stop()
    farm.postgres.start()
    done(three.rblctl("add", "d.example"))
    assert [e[0] for e in farm.wait_equal()] == ["a.example", "c.example", "d.example"]


def test_stopped_but_not_gone(farm):
    """The server's processes stand still: all connections stay open, nothing answers."""
    one, two, _ = farm
    farm.postgres.freeze()
    try:
        add_while_away(one, "a.example")
        wait_until(lambda: one.status()["farm"]["state"] == "not reached", one.status)
        assert one.mail("nobody@good.example") == ""
        began = time.monotonic()
        two.stop()
        assert time.monotonic() - began < 15
    finally:
        farm.postgres.thaw()
    two.start()
    assert [e[0] for e in farm.wait_equal()] == ["a.example"]


def test_a_killed_host_loses_nothing(farm):
    one, two, _ = farm
    farm.postgres.stop()
    for i in range(20):
        done(one.rblctl("add", f"n{i}.example"))
    one.kill()
    farm.postgres.start()
    one.start()
    assert len(farm.wait_equal()) == 20
    assert farm.postgres.sql("SELECT count(*) FROM farm.change") == [["20"]]


# --- the database forgets, or lies ---


def test_emptied(farm):
    one, two, _ = farm
    done(one.rblctl("add", "a.example", "b.example", "--wait"))
    done(two.rblctl("remove", "b.example", "--wait"))
    farm.postgres.empty()
    farm.wait(lambda h: "repaired" in h.daemon.log.text() or "compared" in h.daemon.log.text(), "not compared")
    wait_until(lambda: farm.postgres.sql("SELECT count(*) FROM farm.entry WHERE action = 'block'") == [["1"]],
               "the database is not filled again")  # fmt: skip
    assert [e[0] for e in farm.wait_equal()] == ["a.example"]
    # the removal is in it, too: who comes with an old copy brings nothing back
    assert farm.postgres.sql("SELECT entry FROM farm.entry WHERE action = 'removed'") == [["b.example"]]


def test_an_older_backup(farm, folder):
    one, two, three = farm
    done(one.rblctl("add", "old.example", "removed.example", "--wait"))
    for host in farm:
        host.wait_sync()
    farm.postgres.back_up(folder / "backup")
    done(one.rblctl("add", "lost.example"))
    done(two.rblctl("remove", "removed.example"))
    done(three.rblctl("tempfail", "old.example"))
    farm.wait_equal()
    farm.postgres.stop()
    farm.postgres.restore(folder / "backup")
    farm.postgres.start()
    done(three.rblctl("add", "new.example"))
    want = [("lost.example", "block"), ("new.example", "block"), ("old.example", "tempfail")]
    wait_until(lambda: len(farm.postgres.sql("SELECT 1 FROM farm.entry WHERE action <> 'removed'")) == 3,
               "the database was not repaired")  # fmt: skip
    assert [e[:2] for e in farm.wait_equal()] == want
    assert any("repaired" in h.daemon.log.text() for h in farm)


def test_a_host_with_an_old_backup(farm):
    """A host's own file set back: it takes what it missed, and brings back nothing."""
    one, two, three = farm
    done(one.rblctl("add", "a.example", "b.example", "--wait"))
    three.stop()
    copy = {file.name: file.read_bytes() for file in three.dir.glob("blocklist.db*")}
    three.start()
    three.wait_sync()
    done(two.rblctl("remove", "a.example", "--wait"))
    done(three.rblctl("add", "c.example", "--wait"))
    three.stop()
    for file in three.dir.glob("blocklist.db*"):
        file.unlink()
    for name, data in copy.items():
        (three.dir / name).write_bytes(data)
    three.start()
    assert [e[0] for e in farm.wait_equal()] == ["b.example", "c.example"]


def test_a_host_away(farm):
    one, two, three = farm
    done(one.rblctl("add", "a.example", "b.example", "--wait"))
    three.stop()
    done(one.rblctl("remove", "a.example"))
    done(two.rblctl("add", "c.example"))
    three.start(database="host=127.0.0.1 port=9 dbname=x user=x")
    done(three.rblctl("add", "d.example"))
    done(three.rblctl("remove", "b.example"))
    three.stop()
    three.start(database=farm.postgres.connection())
    assert [e[0] for e in farm.wait_equal()] == ["c.example", "d.example"]


HOSTILE = [
    ("unknown action", dict(action="'drop'")),
    ("too long a source of blanks", dict(source="'a b'")),
    ("a pattern", dict(entry="'10.0.0.*'")),
    ("a control character", dict(reason="E'x\\x1b[2J'")),
    ("a login of lines", dict(who="E'a\\nb'")),
    ("a time of no clock", dict(since="9223372036854775807")),
    ("an end of no clock", dict(expires="-5")),
    ("an age of no clock", dict(at="9223372036854775807")),
    ("a negative id", dict(id="-1")),
    ("not the one form", dict(entry="'UPPER.example.'")),
]


def test_hostile_rows(farm):
    """Each is refused and counted; its neighbours pass; no host is harmed."""
    one = farm[0]
    done(one.rblctl("add", "a.example", "--wait"))
    for number, (_, change) in enumerate(HOSTILE):
        row = dict(side="1", entry=f"'bad{number}.example'", source="'feed'", action="'block'", reason="''",
                   who="'x'", since="1", expires="NULL", at=str(10**12 + number), id=str(number + 1))  # fmt: skip
        good = dict(row, entry=f"'good{number}.example'", id=str(1000 + number))
        row.update(change)
        for values in (row, good):
            names = ", ".join(values)
            listed = ", ".join(values.values())
            farm.postgres.sql(
                f"INSERT INTO farm.entry ({names}, node) VALUES ({listed}, 'evil'); UPDATE farm.head SET seq = seq + 1;"
                f"INSERT INTO farm.change (seq, stamp, {names}, node) SELECT seq, 5, {listed}, 'evil' FROM farm.head"
            )
    count = len(HOSTILE)
    farm.wait(lambda h: h.status()["farm"]["refused"] == count, lambda: str(one.status()), 30)
    names = [f"good{i}.example" for i in range(count)]
    assert [e[0] for e in farm.wait_equal()] == sorted(["a.example", *names])
    assert one.rblctl("farm").status == 1
    assert "rows of the farm were refused" in one.rblctl("doctor").out
    # digests agree all the same
    assert "equal" in done(one.rblctl("farm", "compare")).out


def test_a_clock_a_day_ahead(farm):
    """What is dated so far ahead that the database refuses it gets a new age."""
    one = farm[0]
    done(one.rblctl("add", "a.example", "--wait"))
    one.stop()
    with sqlite3.connect(one.dir / "blocklist.db") as db:
        db.execute("UPDATE farm SET last_at = last_at + 400 * 86400000")
    db.close()
    one.start()
    one.wait_sync()
    done(one.rblctl("add", "b.example"))
    done(one.rblctl("remove", "a.example"))
    assert [e[0] for e in farm.wait_equal()] == ["b.example"]
    assert "clock=ahead" in one.daemon.log.text()
