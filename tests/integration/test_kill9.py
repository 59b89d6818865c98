# SPDX-License-Identifier: BSD-2-Clause
"""What was acknowledged survives SIGKILL: tests/kill9 in short."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from kill9_lib.run import run


def test_no_acknowledged_change_is_lost_and_none_is_half_there():
    failure, summary = run(seed=1, times=40)
    assert failure is None, summary
    print(summary)
