# SPDX-License-Identifier: BSD-2-Clause
"""rblctl's output beyond what golden/ shows: long lists, terminals, completion, and the
manual's examples."""

import contextlib
import csv
import io
import json
import os
import pathlib
import pty
import re
import shlex
import signal
import sqlite3
import subprocess
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import binary
from harness.rblctl import Rblctl

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANY = 1700  # several pages


@pytest.fixture
def rblctl(lab):
    lab.daemon(lab.dns(), lists=[dnsbl("spamcop", "bl.test")])
    return Rblctl(lab.dir)


@pytest.fixture
def full(lab, rblctl):
    """A list of several pages; the longest entries come last."""
    (lab.dir / "many.txt").write_text(
        "".join(f"{'x' * (n // 100)}{n:04}.example\n" for n in range(MANY))
    )
    assert rblctl("import", "many.txt", "--source", "feed").status == 0
    return rblctl


def entries(result):
    return [row["entry"] for row in result.json["entries"]]


def test_long_list_is_aligned(full):
    """Each row stands below its headings, or further right where a page is wider."""
    lines = full("list", "--sort", "entry").out.splitlines()
    assert len(lines) == 1 + MANY
    columns = [line.index(" block ") for line in lines[1:]]
    assert columns[0] == lines[0].index(" ACTION") and columns == sorted(columns)


def test_long_list_is_one_document(full):
    found = entries(full("list", "--json"))
    assert len(found) == len(set(found)) == MANY


@pytest.mark.parametrize("sort", ["entry", "since"])
def test_limit_over_pages(full, sort):
    for limit in (1, 499, 500, 501, 1200):
        assert len(entries(full("list", "--json", "--limit", str(limit), "--sort", sort))) == limit


def test_list_into_a_closed_pipe(full):
    """rblctl list | head"""
    command = f"{binary('rblctl')} -s {full.socket} list | head -2"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert result.stdout.count("\n") == 2 and result.stderr == ""


def test_full_disk_is_told(full):
    with open("/dev/full", "w") as out:
        result = subprocess.run(
            [binary("rblctl"), "-s", full.socket, "export"],
            stdout=out, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert result.returncode == 4 and "No space left" in result.stderr


def test_export_reads_back(full, lab):
    """What csv and json say can be imported again and is then unchanged."""
    full("add", "a.example", "-r", 'a, "b"', "--expires", "30d", "--source", "x")
    full("allow", "user:anna", "-r", "c")
    before = full("list", "--json", "--sort", "entry", "-o", "entry").out
    for form in ("csv", "json"):
        (lab.dir / f"all.{form}").write_text(full("export", "--format", form).out)
        counts = full("import", f"all.{form}", "--format", form, "--json").json
        assert (counts["unchanged"], counts["bad"]) == (MANY + 2, 0), counts
    assert full("list", "--json", "--sort", "entry", "-o", "entry").out == before
    assert len(list(csv.reader(io.StringIO((lab.dir / "all.csv").read_text())))) == MANY + 3
    assert len(json.loads((lab.dir / "all.json").read_text())) == MANY + 2


def test_import_that_is_cut_off_leaves_nothing(lab, rblctl):
    process = subprocess.Popen(
        [binary("rblctl"), "-s", rblctl.socket, "import", "-"], stdin=subprocess.PIPE
    )
    process.stdin.write("".join(f"d{n}.example\n" for n in range(5000)).encode())
    process.stdin.flush()
    process.kill()
    process.wait()
    process.stdin.close()
    assert entries(rblctl("list", "--json")) == []
    assert rblctl("log", "--json").json["events"] == []


def on_terminal(rblctl, *arguments):
    """Both outputs of a run with a terminal, and the exit status."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [binary("rblctl"), "-s", rblctl.socket, *arguments],
        stdin=subprocess.DEVNULL, stdout=child, stderr=child, cwd=rblctl.dir,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm"},
    )  # fmt: skip
    os.close(child)
    out = b""
    try:
        while chunk := os.read(parent, 65536):
            out += chunk
    except OSError:
        pass  # the other end is closed
    os.close(parent)
    return out.decode(), process.wait()


def test_colour_only_on_a_terminal(rblctl):
    rblctl("add", "a.example")
    assert "\x1b" not in rblctl("list").out
    assert "\x1b[31m" in on_terminal(rblctl, "list")[0]


def test_terminal_sees_no_control_characters(rblctl):
    """C1 controls and what only looks like a text are shown as what they are."""
    rblctl("add", "a.example", "-r", "fine \u00fc", "--source", "x")
    assert "fine \u00fc" in on_terminal(rblctl, "list")[0]
    for text in ("\u009b31m", "\x1b[2J", "a\nb", "\u202egnp"):
        rblctl("add", "b.example", "-r", text)
        for command in (["list"], ["show", "b.example"], ["--json", "list"], ["log"]):
            out, _ = on_terminal(rblctl, *command)
            out = re.sub(r"\x1b\[\d*m", "", out)  # our own colours
            assert "\u009b" not in out and "\x1b" not in out, out


def test_progress_only_on_a_terminal(lab, rblctl):
    (lab.dir / "one.txt").write_text("a.example\n")
    assert "making" not in rblctl("import", "one.txt").err
    assert "making the change" in on_terminal(rblctl, "import", "one.txt")[0]


# label, what is typed, some of what must be offered, what must not
COMPLETIONS = [
    ("commands", ["rblctl", "re"], {"remove", "reload"}, {"add"}),
    ("options", ["rblctl", "add", "--"], {"--reason", "--expires", "--force"}, {"--kind"}),
    ("kinds", ["rblctl", "list", "--kind", ""], {"address", "user"}, {"add"}),
    ("formats", ["rblctl", "import", "--format", ""], {"rspamd", "csv"}, set()),
    ("no import format for export", ["rblctl", "export", "--format", ""], {"csv"}, {"rspamd"}),
    ("dnsbl", ["rblctl", "dnsbl", ""], {"suspend", "resume", "test", "try"}, set()),
    ("after an option", ["rblctl", "-s", "x", "sta"], {"status", "stats"}, set()),
]  # fmt: skip


@pytest.mark.parametrize("row", COMPLETIONS, ids=[r[0] for r in COMPLETIONS])
def test_completion(row):
    _, words, offered, not_offered = row
    script = (
        f"PATH={shlex.quote(str(binary('rblctl').parent))}:$PATH;"
        f"source {shlex.quote(str(ROOT / 'etc/completion/rblctl'))};"
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1};"
        '_rblctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    found = set(result.stdout.split())
    assert offered <= found and not found & not_offered, found


def manual_examples():
    text = (ROOT / "man/rblctl.8").read_text()
    examples = re.findall(r"^(?:\.Dl )?\$ (rblctl .*)$", text, re.M)
    return [e.replace(r"\(dq", '"').replace(r"\(aq", "'") for e in examples]


def test_manual_examples(lab, rblctl):
    """Each is run as it stands, in the manual's order."""
    (lab.dir / "feed.txt").write_text("a.example\n")
    (lab.dir / "new.conf").write_text(
        'verdict { reject = 10 }\nrule "bulk" { over = { "500 recipients in 1h" } }\n'
    )
    assert len(manual_examples()) >= 15
    for example in manual_examples():
        if example.startswith("rblctl watch"):
            continue  # it does not end; test_rules.py runs it
        command, _, target = example.partition(" > ")
        result = rblctl(*shlex.split(command)[1:])
        if "this daemon has no" in result.err:
            continue  # rblctl is ahead of it
        assert result.status in (0, 1), (example, result)
        if target:
            json.loads(result.out)


def test_no_label_stands_twice(rblctl):
    """What a value is, is told by its label alone."""
    for section in rblctl("status").out.split("\n\n"):
        labels = [line[:20].strip() for line in section.splitlines()]
        assert len(labels) == len(set(labels)), section


def test_import_of_what_comes_late(lab, rblctl):
    """The daemon is asked for nothing before there are rows: a connection that is quiet is
    closed (here: by a restart)."""
    process = subprocess.Popen(
        [binary("rblctl"), "-s", rblctl.socket, "import", "-", "--source", "late"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(0.3)
    lab.daemons[0].terminate()
    lab.daemon(lab.dns(), lists=[dnsbl("spamcop", "bl.test")])
    out, _ = process.communicate("late.example\n", timeout=20)
    assert process.returncode == 0 and out.startswith("1 row, 1 added")


def has_socket(pid):
    folder = f"/proc/{pid}/fd"
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # closed since
            if os.readlink(f"{folder}/{fd}").startswith("socket:"):
                return True
    return False


def test_import_whose_connection_ends(lab, rblctl):
    """It is told what happened, and nothing is there."""
    process = subprocess.Popen(
        [binary("rblctl"), "-s", rblctl.socket, "import", "-", "--source", "late"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdin.write("".join(f"d{n}.example\n" for n in range(200000)))
    process.stdin.close()  # it is read whole first
    while not has_socket(process.pid):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGSTOP)
    lab.daemons[0].terminate()
    lab.daemon(lab.dns(), lists=[dnsbl("spamcop", "bl.test")])
    os.kill(process.pid, signal.SIGCONT)
    err = process.stderr.read()
    process.wait(20)
    assert process.returncode == 3 and "has closed the connection" in err
    assert entries(rblctl("list", "--json")) == []


HIDDEN = {
    "right to left override": "\u202e", "isolate": "\u2066", "no width": "\u200b",
    "joiner": "\u200d", "byte order mark": "\ufeff", "C1": "\u009b", "tag": "\U000e0061",
}  # fmt: skip


@pytest.mark.parametrize("label", HIDDEN)
def test_hidden_characters_do_not_come_in(rblctl, label):
    """Of an entry, a login, a reason: each way in names the character."""
    hidden = HIDDEN[label]
    name = f"U+{ord(hidden):04X}"
    entry = f"an{hidden}na@a.example"
    for arguments in (
        ["add", entry], ["allow", f"user:an{hidden}na"],
        ["add", "a.example", "-r", f"bulk{hidden} mail"],
    ):  # fmt: skip
        run = rblctl(*arguments)
        assert run.status != 0 and name in run.err and hidden not in run.err, run
    rows = json.dumps([
        {"entry": entry}, {"entry": "b.example", "reason": f"bulk{hidden}"},
        {"entry": "c.example", "reason": "bulk"},
    ])  # fmt: skip
    run = rblctl("import", "-", "--format", "json", stdin=rows)
    assert run.err.count(name) == 2 and hidden not in run.err, run
    with rblctl.dial() as connection:
        for request in (
            {"command": "add", "entries": [entry]},
            {"command": "add", "entries": ["a.example"], "reason": hidden},
        ):
            answer = rblctl.request(connection, request)
            assert answer["ok"] is False and name in answer["text"]
    assert entries(rblctl("list", "--json")) == ["c.example"]


def test_hidden_characters_that_are_there_are_shown(lab, rblctl):
    """Listed by an older version: seen for what they are, found, exported and removed."""
    entry, reason = "an\u202ena@a.example", "bulk\u200b mail\u009b31m"
    database = sqlite3.connect(lab.dir / "blocklist.db", isolation_level=None)
    database.execute(
        "INSERT INTO listing (entry, kind, allow, source, reason, who, since)"
        " VALUES (?, 0, 0, 'manual', ?, 'anna', 1700000000)",
        (entry, reason),
    )
    database.close()
    lab.daemons[0].terminate()
    lab.daemon(lab.dns(), lists=[dnsbl("spamcop", "bl.test")])
    shown = "an\\xE2\\x80\\xAEna@a.example"
    for arguments in (["list"], ["show", entry], ["check", entry]):
        out = rblctl(*arguments).out
        assert shown in out and "\\xC2\\x9B" in out, out
        assert not set(out) & set("\u202e\u200b\u009b")
    for arguments in (
        ["list", "--json"], ["show", entry, "--json"], ["export", "--format", "json"],
    ):  # fmt: skip
        run = rblctl(*arguments)
        assert "\\u202e" in run.out.lower() and run.out.isascii(), run
        assert entry in json.dumps(run.json, ensure_ascii=False)
    run = rblctl("export", "--format", "csv")
    assert "a.example" not in run.out and "1 entries left out" in run.err, run
    assert rblctl("remove", entry).status == 0
    assert entries(rblctl("list", "--json")) == []
    assert shown in rblctl("log").out
