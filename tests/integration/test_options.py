# SPDX-License-Identifier: BSD-2-Clause
"""rblmilter's options: -t, -V, -c, -d, -p; and the user it becomes."""

import os
import pathlib
import pwd
import re
import signal
import subprocess
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import binary, can_connect, environment


def run(*arguments, **options):
    return subprocess.run(
        [binary(), *arguments], capture_output=True, text=True, timeout=30,
        env=environment(), **options
    )  # fmt: skip


def test_versions():
    done = run("-V")
    assert done.returncode == 0
    for word in ("rblmilter", "libmilter", "c-ares", "libconfuse", "SQLite"):
        assert re.search(rf"^{word} \d", done.stdout, re.M), done.stdout


@pytest.mark.parametrize("arguments", [["-x"], ["-c"], ["extra"], ["-t", "extra"]])
def test_usage(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_check_prints_what_reads_back_the_same(lab):
    conf = lab.dir / "a.conf"
    conf.write_text(lab.conf(lists=[dnsbl("bl", "bl.test", {"127.0.0.2-127.0.0.9": {"label": "x"}})]))
    first = run("-t", "-c", conf)
    assert first.returncode == 0, first.stderr
    again = lab.dir / "b.conf"
    again.write_text(first.stdout)
    second = run("-t", "-c", again)
    assert (second.returncode, second.stdout) == (0, first.stdout)


def test_check_hides_keys(lab):
    key_file = lab.dir / "zen.key"
    key_file.write_text("filekey1234\n")
    key_file.chmod(0o600)
    conf = lab.dir / "a.conf"
    conf.write_text(
        lab.conf(
            lists=[
                dnsbl("one", "%{key}.one.test", key="secret1234"),
                dnsbl("two", "%{key}.two.test", key_file=str(key_file)),
            ]
        )
    )
    done = run("-t", "-c", conf)
    assert done.returncode == 0, done.stderr
    assert "secret1234" not in done.stdout + done.stderr
    assert "filekey1234" not in done.stdout + done.stderr
    assert "***" in done.stdout


# label, text of the file, what the message must name
ERRORS = [
    ("unknown name", 'user = ""\nnope = 1\n', r"a\.conf:2: .*nope"),
    ("bad span", 'user = ""\n\nresolver { timeout = "5 sec" }\n', r"a\.conf:3: .*5 sec.*expected"),
    ("bad network", 'exempt { networks = { "192.0.2.0/33" } }\n', r"a\.conf:1: .*192\.0\.2\.0/33"),
    ("list without a zone", 'list "x" {\n  weight = 1\n}\n', r"a\.conf:\d: .*zone"),
    ("two lists of one name", 'list "x" { zone = "x.test" }\nlist "x" { zone = "y.test" }\n',
     r'a\.conf:2: .*"?x"?'),
    ("missing brace", 'milter {\n  reject-at = "rcpt"\n', r"a\.conf:"),
    ("bad stage", 'milter { reject-at = "never" }\n', r"a\.conf:1: .*never.*expected"),
    ("bad code", 'list "x" {\n  zone = "x.test"\n  codes "128.0.0.1" { }\n}\n', r"a\.conf:\d: .*128\.0\.0\.1"),
    ("bad template", 'reply { list = "%{nope}" }\n', r"a\.conf:1: .*nope"),
    ("several at once", 'resolver { timeout = "x" }\nhealth { interval = "y" }\n',
     r"(?s)a\.conf:1: .*a\.conf:2: "),
]  # fmt: skip


@pytest.mark.parametrize("row", ERRORS, ids=[r[0] for r in ERRORS])
def test_error_is_reported_with_its_location(lab, row):
    conf = lab.dir / "a.conf"
    conf.write_text(row[1])
    done = run("-t", "-c", conf)
    assert done.returncode == 1 and done.stdout == ""
    assert re.search(row[2], done.stderr), done.stderr


def test_dead_zone_is_warned_about(lab):
    conf = lab.dir / "a.conf"
    conf.write_text('list "sorbs" { zone = "dnsbl.sorbs.net" }\n')
    done = run("-t", "-c", conf)
    assert done.returncode == 0
    assert re.search(r"a\.conf:1: warning: .*SORBS is dead", done.stderr), done.stderr


def test_key_file_that_others_can_read(lab):
    key_file = lab.dir / "zen.key"
    key_file.write_text("secret1234\n")
    key_file.chmod(0o644)
    conf = lab.dir / "a.conf"
    conf.write_text(f'list "z" {{ zone = "%{{key}}.z.test"  key-file = "{key_file}" }}\n')
    done = run("-t", "-c", conf)
    assert done.returncode == 1
    assert "zen.key" in done.stderr and "secret1234" not in done.stderr


def test_missing_file():
    done = run("-t", "-c", "/nonexistent/rblmilter.conf")
    assert done.returncode == 1 and "/nonexistent/rblmilter.conf" in done.stderr
    done = run("-c", "/nonexistent/rblmilter.conf")
    assert done.returncode == 1 and "/nonexistent/rblmilter.conf" in done.stderr


def test_error_stops_the_start(lab):
    conf = lab.dir / "a.conf"
    conf.write_text(lab.conf() + "nope = 1\n")
    done = run("-c", conf)
    assert done.returncode == 1 and "nope" in done.stderr


def wait_gone(pid, timeout=10):
    deadline = time.monotonic() + timeout
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline, "the daemon does not end"
        time.sleep(0.02)


def test_detached_with_a_pid_file(lab):
    """The command returns when the daemon answers; the pid file leads to it."""
    conf, pidfile = lab.dir / "a.conf", lab.dir / "pid"
    conf.write_text(lab.conf(log={"target": "auto"}))
    done = run("-c", conf, "-d", "-p", pidfile)
    assert done.returncode == 0, done.stderr
    pid = int(pidfile.read_text())
    try:
        assert can_connect(lab.milter_socket)
        assert lab.milter().envelope("10.0.0.1").kind == "continue"
        assert os.getsid(pid) != os.getsid(0) and os.readlink(f"/proc/{pid}/cwd") == "/"
        second = run("-c", conf, "-p", pidfile)
        assert second.returncode == 1 and "another rblmilter" in second.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_gone(pid)
    assert not pidfile.exists()


def test_detached_that_fails_says_so(lab):
    lab.daemon()
    conf = lab.dir / "a.conf"
    conf.write_text(lab.conf(control={"socket": f"{lab.dir}/other.sock"}))
    assert run("-c", conf, "-d").returncode == 1


def test_becomes_its_user(lab):
    if os.geteuid() != 0:
        pytest.skip("only root can become another")
    nobody = pwd.getpwnam("nobody")
    state = pathlib.Path(lab.dir) / "state"
    state.mkdir()
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    daemon = lab.daemon(
        user="nobody",
        blocklist={"database": f"{state}/blocklist.db"},
        control={"socket": f"{state}/control.sock"},
    )
    daemon.log.wait_for("is ready")  # the socket is opened while still root
    status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
    assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", status, re.M), status
    assert re.search(rf"^Gid:(\s+{nobody.pw_gid}){{4}}$", status, re.M), status
    assert re.search(rf"^Groups:(\s+{nobody.pw_gid})?\s*$", status, re.M), status
    assert re.search(r"^CapEff:\s+0+$", status, re.M), status
    assert lab.milter().envelope("10.0.0.1").kind == "continue"


def test_unknown_user_stops_the_start(lab):
    conf = lab.dir / "a.conf"
    conf.write_text(lab.conf(user="nosuchuser"))
    done = run("-c", conf)
    assert done.returncode == 1 and "nosuchuser" in done.stderr
