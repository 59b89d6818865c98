# SPDX-License-Identifier: BSD-2-Clause
"""The unit file's sandbox, tried: the daemon runs under it in a container with a systemd of
its own, answers an MTA and rblctl, reloads, restarts and stops."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from harness.daemon import binary

END = "\nthe end\n"
TOP = pathlib.Path(__file__).resolve().parents[2]

CONF = """
milter { socket = "inet:8895@127.0.0.1" }
resolver { servers = { "127.0.0.1:5300" } }
list "bl" { zone = "bl.test" }
log { target = "stderr" }
"""

ZONE = '[{"name":"2.0.0.127.bl.test","a":["127.0.0.2"]},{"name":"1.2.0.192.bl.test","a":["127.0.0.2"]}]'

INSIDE = r"""
set -eux
cd /t
export PYTHONPATH=/t/tests/integration PYTHONDONTWRITEBYTECODE=1
systemd-sysusers /t/rblmilter.sysusers
python3 nameserver.py --port 5300 --zone zone.json &
systemctl start rblmilter
systemctl is-active rblmilter
./rblctl status
python3 session.py 192.0.2.1 reply
python3 session.py 192.0.2.2 continue
./rblctl add anna@listed.example --reason test
systemctl reload rblmilter
python3 session.py 192.0.2.1 reply
systemctl restart rblmilter
./rblctl show anna@listed.example
python3 session.py 192.0.2.1 reply
systemctl stop rblmilter
test "$(systemctl show -p Result rblmilter)" = Result=success
journalctl -u rblmilter | grep -c ' reject: client='
echo passed
"""

SESSION = """
import sys
from harness.milterclient import MilterClient

with MilterClient("inet:8895@127.0.0.1") as client:
    client.negotiate()
    client.connect(sys.argv[1])
    client.command(b"H", b"h.example\\0")
    client.command(b"M", b"<a@b.example>\\0")
    reply = client.command(b"R", b"<c@d.example>\\0")
    print(reply)
    assert reply.kind == sys.argv[2]
"""

TEST_UNIT = """
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'bash /t/inside.sh >/t/log 2>&1; journalctl -u rblmilter >>/t/log; echo the end >>/t/log'
"""


def is_sanitized(program):
    return b"__asan_init" in program.read_bytes()


def wait_for_end(container, log):
    """What the container's test said, up to its end."""
    deadline = time.monotonic() + 60
    said = ""
    while time.monotonic() < deadline and container.poll() is None and END not in said:
        time.sleep(0.1)
        said = log.read_text() if log.exists() else ""
    return said


@pytest.mark.skipif(
    shutil.which("systemd-nspawn") is None or os.geteuid() != 0, reason="no systemd-nspawn"
)
def test_the_daemon_runs_in_its_sandbox(tmp_path):
    tree = binary().parent
    if is_sanitized(tree / "rblmilter") and (tree.parent / "plain/rblmilter").exists():
        tree = tree.parent / "plain"
    if is_sanitized(tree / "rblmilter"):
        pytest.skip("a sanitizer needs what the sandbox forbids")
    unit = tree / "etc/systemd/rblmilter.service"
    if not unit.exists():
        pytest.skip("built without systemd")
    inside = tmp_path / "t"
    shutil.copytree(TOP / "tests/integration/harness", inside / "tests/integration/harness")
    for source in (tree / "rblmilter", tree / "rblctl", TOP / "tests/nameserver.py"):
        shutil.copy(source, inside)
    shutil.copy(TOP / "etc/sysusers.d/rblmilter.conf", inside / "rblmilter.sysusers")
    for name, text in (("rblmilter.conf", CONF), ("zone.json", ZONE), ("inside.sh", INSIDE),
                       ("session.py", SESSION), ("test.service", TEST_UNIT)):  # fmt: skip
        (inside / name).write_text(text)
    text = re.sub(r"^ExecStart=.*$", "ExecStart=/t/rblmilter -c /t/rblmilter.conf",
                  unit.read_text(), flags=re.M)  # fmt: skip
    (inside / "rblmilter.service").write_text(text)
    boot = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--directory=/",
            "--volatile=yes", "--private-network", f"--machine=rblmilter-{os.getpid()}",
            f"--bind={inside}:/t",
            f"--bind-ro={inside}/rblmilter.service:/etc/systemd/system/rblmilter.service",
            f"--bind-ro={inside}/test.service:/etc/systemd/system/test.service",
            "--boot", "systemd.firstboot=no", "systemd.unit=test.service",
            "systemd.mask=systemd-networkd-wait-online.service"]  # fmt: skip
    log = inside / "log"
    with open(tmp_path / "console", "wb") as console:
        container = subprocess.Popen(boot, stdin=subprocess.DEVNULL, stdout=console,
                                     stderr=console)  # fmt: skip
    try:
        said = wait_for_end(container, log)
    finally:
        container.kill()  # and so all in it
        container.wait()
    assert "\npassed\n" in said, said + (tmp_path / "console").read_text()[-2000:]
