# SPDX-License-Identifier: BSD-2-Clause
"""See harness/fixtures.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness.fixtures import *  # noqa: F401, F403
