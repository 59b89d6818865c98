# SPDX-License-Identifier: BSD-2-Clause
"""make install and uninstall: nothing of the administrator's is lost, and what systemd
reads is whole."""

import re
import shutil
import subprocess

import pytest

from harness.daemon import binary

NOT_PATHS = r"@(system-service|privileged|chown)\b"


@pytest.fixture
def make(tmp_path):
    """Runs a goal in the tree under test, as a packager would; the root is tmp_path."""

    def run(goal):
        command = ["make", "-s", goal, f"DESTDIR={tmp_path}"]
        subprocess.run(
            command, cwd=binary().parent, check=True, timeout=120, capture_output=True
        )

    return run


def installed(root, name):
    """The one file of this name, wherever the prefix puts it; None without one."""
    found = list(root.rglob(name))
    assert len(found) <= 1
    return found[0] if found else None


def test_a_changed_file_is_kept(tmp_path, make):
    make("install")
    conf = installed(tmp_path, "etc/rblmilter/rblmilter.conf")
    preset = installed(tmp_path, "lists.d/spamcop.conf")
    preset.write_text("# mine\n")
    conf.unlink()
    make("install")
    assert preset.read_text() == "# mine\n"
    assert conf.exists()
    make("uninstall")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [preset]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_the_unit_is_sound_and_sandboxed(tmp_path, make):
    make("install")
    unit = installed(tmp_path, "rblmilter.service")
    if unit is None:
        pytest.skip("built without systemd")
    text = unit.read_text()
    assert "@" not in re.sub(NOT_PATHS, "", text)
    assert re.search(r"^StartLimitIntervalSec=0$", text, re.M), "five failures are not the end"
    program, conf = re.search(r"^ExecStart=(/\S+) -c (/\S+)$", text, re.M).groups()
    assert (tmp_path / program[1:]).exists() and (tmp_path / conf[1:]).exists()
    # the program must be where the unit says, so check a copy that names one that is
    copy = tmp_path / "rblmilter.service"
    copy.write_text(text.replace(program, str(tmp_path / program[1:])))
    verify = ["systemd-analyze", "verify", "--man=no", copy]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    # 0 is safest, 100 is without any sandbox
    rate = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", copy]
    done = subprocess.run(rate, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]
