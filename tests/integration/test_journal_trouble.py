# SPDX-License-Identifier: BSD-2-Clause
"""The journal in trouble: mail goes on with right verdicts, entries are added, one line in
ten seconds says so, and when it is over decisions are kept again, with the gap noted."""

import ctypes
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

import pytest

from harness.conf import dnsbl
from harness.decisions import decisions, gaps, id_in
from harness.dns import listed
from harness.ports import free_port
from harness.rblctl import Rblctl

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from chaos_lib.wallclock import WallClock  # noqa: E402

CLIENT, CLEAN = "192.0.2.1", "198.51.100.9"
NOT_KEPT, AGAIN = "decisions are not kept", "decisions are kept again"
NOBODY = 65534


class Box:
    """A daemon and its journal's folder, maybe in a mount namespace of its own."""

    def __init__(self, lab):
        self.lab, self.folder, self.number = lab, lab.dir / "journal", 0
        self.ctl = Rblctl(lab.dir)
        self.dns = lab.dns(listed(CLIENT, "bl.test"))
        self.settings = {"lists": [dnsbl("bl", "bl.test")], "reply": {"id": True}}

    def start(self, **more):
        self.settings.update(more)
        self.daemon = self.lab.daemon(self.dns, **self.settings)
        return self

    def judge(self):
        """One that is refused, one that is not, and an entry. Returns the refusal's id."""
        self.number += 1
        with self.lab.milter() as milter:
            refused = milter.envelope(CLIENT)
        with self.lab.milter() as milter:
            assert milter.envelope(CLEAN).kind == "continue"
            assert milter.end_of_message().kind == "continue"
        assert refused.text.startswith("554 5.7.1 "), refused
        assert self.ctl("add", f"n{self.number}.example").status == 0
        return id_in(refused.text)

    def is_kept(self, number):
        """What is asked for is written first."""
        self.ctl("why", CLIENT)
        return number in decisions(self.files())

    @property
    def seen(self):
        """The folder as the daemon sees it."""
        return pathlib.Path(f"/proc/{self.daemon.pid}/root{self.folder}")

    def files(self):
        """Copies of its files: SQLite would take the way out of /proc for one of ours."""
        copies = self.lab.dir / "copies"
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        for path in self.seen.glob("*.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, copies)
        return copies


@pytest.fixture
def box(lab):
    return Box(lab)


def mounted(folder, kind, options):
    """Before the daemon starts: a file system of its own in that place."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount():
        assert libc.unshare(0x00020000) == 0  # CLONE_NEWNS
        assert libc.mount(b"none", b"/", None, (1 << 18) | (1 << 14), None) == 0  # private
        assert libc.mount(b"none", str(folder).encode(), kind, 0, options) == 0

    return mount


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


# --- each trouble: what begins it, what ends it ---


def parent_is_missing(box):
    box.folder = box.lab.dir / "not" / "there"
    box.start(journal={"directory": str(box.folder)})
    return lambda: box.folder.parent.mkdir()


def is_a_file(box):
    box.folder.write_text("notes\n")
    box.start()
    return lambda: box.folder.unlink()


def is_anothers(box):
    box.folder.mkdir(mode=0o700)
    os.chmod(box.lab.dir, 0o777)
    box.start(preexec=as_nobody)
    return lambda: os.chown(box.folder, NOBODY, NOBODY)


def is_read_only(box):
    box.folder.mkdir()
    box.start(preexec=mounted(box.folder, b"tmpfs", b"ro"))
    return lambda: subprocess.run(
        ["nsenter", "-t", str(box.daemon.pid), "-m", "mount", "-o", "remount,rw", box.folder],
        check=True)  # fmt: skip


def is_full(box):
    box.folder.mkdir()
    box.start(preexec=mounted(box.folder, b"tmpfs", b"size=8m"))
    assert box.is_kept(box.judge())
    with open(box.seen / "ballast", "wb", buffering=0) as f:
        with pytest.raises(OSError):
            while True:
                f.write(b"x" * 4096)
    return lambda: os.truncate(box.seen / "ballast", 0)


def has_too_little_left(box):
    box.start(journal={"min_free": "100000G"})
    box.settings["journal"] = {"min_free": "0"}
    return lambda: box.daemon.reload(box.lab.conf(box.dns, **box.settings))


def is_written_by_another(box):
    box.start()
    assert box.is_kept(box.judge())
    first, folder = box.daemon, box.lab.dir / "second"
    folder.mkdir()
    box.lab.milter_socket = f"inet:{free_port()}@127.0.0.1"
    box.start(socket=box.lab.milter_socket, folder=folder,
              blocklist={"database": f"{folder}/blocklist.db"},
              control={"socket": f"{folder}/control.sock"})  # fmt: skip
    box.ctl = Rblctl(folder)
    return first.terminate


def is_locked(box):
    """Somebody looks into today's file with a tool that keeps it locked."""
    box.start()
    assert box.is_kept(box.judge())
    locks = []
    for path in box.folder.glob("*.db"):
        locks.append(sqlite3.connect(path, isolation_level=None))
        locks[-1].execute("BEGIN EXCLUSIVE")
    return lambda: [lock.close() for lock in locks]


TROUBLES = [parent_is_missing, is_a_file, is_anothers, is_read_only, is_full,
            has_too_little_left, is_written_by_another, is_locked]  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda f: f.__name__)
def test_mail_goes_on(box, trouble):
    over = trouble(box)
    began = time.monotonic()
    number = box.judge()
    while not box.daemon.log.matching(NOT_KEPT):
        assert time.monotonic() < began + 20
        number = box.judge()
    line = box.daemon.log.wait_for(NOT_KEPT)
    assert str(box.folder) in line, line
    assert not box.seen.is_dir() or not box.is_kept(number)
    for _ in range(20):
        box.judge()
    over()
    box.daemon.log.wait_for(AGAIN, timeout=20)
    lines = box.daemon.log.matching(NOT_KEPT)
    assert len(lines) <= 1 + (time.monotonic() - began) / 9, lines
    number = box.judge()
    assert box.is_kept(number)
    noted = [row for row in gaps(box.files()) if row[2] > 0]
    assert len(noted) == 1 and noted[0][0] < noted[0][1], noted
    assert noted[0][2] >= 1
    assert "not kept" in box.ctl("why", CLIENT).out


def test_folder_removed_while_running(box):
    box.start()
    assert box.is_kept(box.judge())
    shutil.rmtree(box.folder)
    assert box.is_kept(box.judge())
    for path in box.folder.iterdir():
        path.unlink()
    assert box.is_kept(box.judge())


def test_damage_while_running(box):
    box.start()
    before = box.judge()
    assert box.is_kept(before)
    for path in box.folder.glob("*.refused.db*"):
        path.write_bytes(b"not a database at all " * 1000)
    for _ in range(5):
        number = box.judge()
    assert box.ctl("why", CLIENT).status in (0, 1)
    box.daemon.terminate()
    box.start()
    number = box.judge()
    assert box.is_kept(number)
    assert list(box.folder.glob("*.damaged-*"))


def test_kill9_loses_a_quarter_of_a_second(box):
    """Each id in a reply older than that is in the files, once."""
    box.start()
    told = []
    for _ in range(5):
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            with box.lab.milter() as milter:
                milter.connect(f"10.1.{len(told) % 250}.{len(told) // 250}")
                milter.helo("x.example")
                milter.mail("<x@bad.example>")
                reply = milter.rcpt()
            if reply.kind != "continue":
                told.append((time.monotonic(), id_in(reply.text)))
            elif not told:
                assert box.ctl("add", "bad.example").status == 0
        killed = time.monotonic()
        box.daemon.kill()
        kept = decisions(box.folder)
        # a commit each 250 ms; it takes a while itself where the machine is busy
        missing = [at for at, number in told if number not in kept and killed - at > 1]
        assert not missing, [killed - at for at in missing]
        told = [(at, number) for at, number in told if number in kept]
        box.start()
    assert len(told) == len({number for _, number in told})


def test_clock_that_jumps(box):
    """However far ahead: no file goes for its age by a clock that has just jumped."""
    clock = WallClock(box.lab.dir)
    box.start(env=clock.environment())
    kept = []
    for seconds in (0, 3 * 86400, -2 * 86400, 400 * 86400, -3600, 0):
        clock.jump(seconds)
        kept += [box.judge() for _ in range(3)]
    ends = time.monotonic() + 60  # new files take their time; a search waits for a second
    while missing := set(kept) - set(decisions(box.folder)):
        assert time.monotonic() < ends, missing
        time.sleep(0.2)
    text = box.ctl("--json", "why", CLIENT, "--limit", "100").json
    assert len(text["decisions"]) == len(kept)
