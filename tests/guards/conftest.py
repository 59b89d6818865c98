# SPDX-License-Identifier: BSD-2-Clause
"""The harness, and its fixtures, are those of the integration tests."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(TESTS / "integration"), str(TESTS)]

from harness.fixtures import *  # noqa: F401, F403
