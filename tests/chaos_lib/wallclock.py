# SPDX-License-Identifier: BSD-2-Clause
"""The daemon's wall clock, which can be made to jump without that of the machine."""

import pathlib
import re
import struct
import subprocess

from harness.daemon import binary

SOURCE = pathlib.Path(__file__).with_name("wallclock.c")
JUMPS = (365 * 86400, -3600, 40 * 86400, -86400)  # seconds; all beyond WALLTIME_JUMP_S


class WallClock:
    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "clock"
        self.library = pathlib.Path(folder) / "wallclock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-o", self.library, SOURCE], check=True)
        self.file.write_bytes(struct.pack("=q", 0))

    def jump(self, seconds):
        """From now on it is so far from the true time."""
        with open(self.file, "r+b") as f:
            f.write(struct.pack("=q", seconds))

    def environment(self):
        """A sanitizer's library must stand before ours."""
        needed = subprocess.run(["ldd", binary()], capture_output=True, text=True).stdout
        sanitizers = re.findall(r"=> (\S*/lib[at]san\S*)", needed)
        return {"CHAOS_CLOCK": str(self.file),
                "LD_PRELOAD": " ".join([*sanitizers, str(self.library)])}
