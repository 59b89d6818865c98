"""Free ports on loopback."""

import random
import socket


def port_of_servers():
    """None of those that the kernel gives to clients: while a server is restarted, one of
    them might get its port."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        low = int(f.read().split()[0])
    return random.SystemRandom().randrange(min(10000, low // 2), low)


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
