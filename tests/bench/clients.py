# SPDX-License-Identifier: BSD-2-Clause
"""Client addresses that no name server was asked about before."""


class Clients:
    def __init__(self, first=0x14000001):  # 20.0.0.1
        self.next = first

    def take(self, count):
        """The first of count new addresses in a row, as text."""
        first, self.next = self.next, self.next + count
        return ".".join(str(first >> shift & 255) for shift in (24, 16, 8, 0))
