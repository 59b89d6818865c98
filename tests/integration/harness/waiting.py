# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for what happens."""

import time


def wait_until(what, why="it did not happen", timeout=60):
    """Until what() is true; the bound is only for a test that fails. why is what is missing,
    or says so."""
    deadline = time.monotonic() + timeout
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(why() if callable(why) else why)
        time.sleep(0.02)
