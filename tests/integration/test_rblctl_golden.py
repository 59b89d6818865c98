"""Every command's output, compared with one that was read by eye (golden/)."""

import pytest

from harness.conf import dnsbl
from harness.ports import free_port
from harness.rblctl import Rblctl, check_golden


@pytest.fixture
def rblctl(lab):
    return Rblctl(lab.dir)


def test_help(rblctl):
    check_golden(rblctl, "help")


def test_entries(lab, rblctl):
    lab.daemon(exempt={"networks": ["127.0.0.0/8"]})
    check_golden(rblctl, "entries")


def test_import(lab, rblctl):
    (lab.dir / "plain.txt").write_text(
        "# a feed\n"
        "bad.example\n"
        "no such thing\n"
        "192.0.2.77/24\n"
        "\n"
        "10.0.0.0/7\n"
        "!good.bad.example\n"
        "user:Anna\n"
        "host:mail.bad.example\n"
    )
    (lab.dir / "less.txt").write_text("bad.example\n")
    (lab.dir / "empty.txt").write_text("")
    (lab.dir / "access").write_text("From:bad.example REJECT\nConnect:192.0.2 REJECT\n")
    lab.daemon()
    check_golden(rblctl, "import")


def test_daemon(lab, rblctl):
    # a port of its own: a Postfix that is still busy with another test would be counted
    socket = f"inet:{free_port()}@127.0.0.1"
    lab.daemon(lab.dns(), socket=socket, lists=[dnsbl("bl", "bl.test"), dnsbl("wl", "wl.test", weight=-2)])
    check_golden(rblctl, "daemon")
