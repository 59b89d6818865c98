# SPDX-License-Identifier: BSD-2-Clause
"""systemd's watchdog: fed while mail is answered, or waits no longer than it may, and not
when it hangs."""

import os
import shutil
import socket
import subprocess
import time

import pytest

from harness.conf import dnsbl
from harness.daemon import binary
from harness.dns import listed

LISTED = "192.0.2.1"
FED_EVERY = 0.25  # seconds, half of WATCHDOG_USEC
STUCK = 10  # seconds beyond the deadline (src/rblmilter.c)

# A refusal hangs as long as the file is there.
HANG = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
int smfi_setreply(void *ctx, char *rcode, char *xcode, char *message)
{
    int (*real)(void *, char *, char *, char *) = dlsym(RTLD_NEXT, "smfi_setreply");
    while (access(HANGS, F_OK) == 0)
        usleep(10000);
    return real(ctx, rcode, xcode, message);
}
"""


@pytest.fixture(autouse=True)
def with_systemd():
    if b"WATCHDOG=1" not in binary().read_bytes():
        pytest.skip("built without systemd")


class Watchdog:
    """systemd's end of the notify socket."""

    def __init__(self, folder):
        self.path = folder / "notify.sock"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        self.env = {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(FED_EVERY * 2e6))}

    def fed_within(self, seconds):
        """Whether it is fed within that time from now on; what came before is left out."""
        self.sock.setblocking(False)
        try:
            while self.sock.recv(4096):
                pass
        except BlockingIOError:
            pass
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                if b"WATCHDOG=1" in self.sock.recv(4096):
                    return True
            except socket.timeout:
                pass
        return False


def test_fed_while_a_verdict_waits(lab):
    watchdog = Watchdog(lab.dir)
    dns = lab.dns([{"suffix": "slow.test", "rcode": "NXDOMAIN", "delay_ms": 4000}])
    lab.daemon(dns, lists=[dnsbl("slow", "slow.test", weight=8)], env=watchdog.env)
    client = lab.milter()
    client.connect(LISTED)
    client.mail()
    client.send(b"R", b"<d@e.f>\0")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert watchdog.fed_within(2)
    assert client.read_reply().kind == "continue"


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler")
def test_not_fed_while_callbacks_hang(lab):
    """Others that connect meanwhile, and get as far as RCPT, are no sign of life."""
    watchdog = Watchdog(lab.dir)
    source, shim, hangs = lab.dir / "hang.c", lab.dir / "hang.so", lab.dir / "hangs"
    source.write_text(HANG)
    subprocess.run(["cc", "-shared", "-fPIC", f'-DHANGS="{hangs}"', "-o", shim, source], check=True)
    asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    daemon = lab.daemon(
        lab.dns(listed(LISTED, "zen.test")),
        lists=[dnsbl("zen", "zen.test", weight=8)],
        resolver={"deadline": "1s"},
        env={**watchdog.env, "LD_PRELOAD": str(shim), "ASAN_OPTIONS": asan},
    )
    assert lab.milter().envelope(LISTED).kind == "reply"
    assert watchdog.fed_within(5)

    hangs.touch()
    waiting = []

    def refuse_one():
        client = lab.milter()
        client.connect(LISTED)
        client.helo()
        client.mail()
        client.send(b"R", b"<d@e.f>\0")
        waiting.append(client)

    refuse_one()
    assert watchdog.fed_within(5), "not at once"
    deadline = time.monotonic() + STUCK + 20
    while not daemon.log.matching("callbacks hang"):
        assert time.monotonic() < deadline
        refuse_one()
        watchdog.fed_within(1)  # its queue is short
    assert not watchdog.fed_within(2)

    hangs.unlink()
    assert watchdog.fed_within(5)
    for client in waiting:
        assert client.read_reply().kind == "reply"
    assert len(daemon.log.matching("callbacks hang")) == 1
