# SPDX-License-Identifier: BSD-2-Clause
"""Free ports on loopback."""

import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from nameserver import port_of_servers


def free_port():
    """A port that is free for TCP and UDP at this moment."""
    for _ in range(100):
        port = port_of_servers()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM
        ) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def wait_for_port(port, why):
    """Until somebody listens there. After a try without result why(late) says what is wrong, or
    None to go on; late: ten seconds are over."""
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            reason = why(time.monotonic() > deadline)
            if reason:
                raise AssertionError(reason)
            time.sleep(0.02)
