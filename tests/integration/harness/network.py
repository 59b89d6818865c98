# SPDX-License-Identifier: BSD-2-Clause
"""A network of a test's own: a namespace in which every port is free, 192.0.2.0/24 and
2001:db8::25 are this host's, and nothing leads outside. A client there is whoever it
binds to, so an MTA without XCLIENT can be asked by anybody."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
ADDRESSES = """
link set lo up
address add 192.0.2.1/24 dev lo
address add 2001:db8::25/64 dev lo nodad
"""


def _libc(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


class OwnNetwork:
    """Between enter and leave this thread is in it, and so is what it opens or starts:
    a socket and a process stay where they were made."""

    def enter(self):
        """PermissionError where that is not allowed, as in some containers."""
        self.before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _libc("unshare", CLONE_NEWNET)
            subprocess.run(["ip", "-batch", "-"], input=ADDRESSES, text=True, check=True, timeout=20)
        except BaseException:
            self.leave()
            raise

    def leave(self):
        _libc("setns", self.before, CLONE_NEWNET)
        os.close(self.before)
