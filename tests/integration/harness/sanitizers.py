# SPDX-License-Identifier: BSD-2-Clause
"""What the sanitizers say in the daemon's log."""

import re

REPORT = r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion"

# The exit status does not count reports: libmilter's would be among them.
SETTINGS = {
    "ASAN_OPTIONS": "detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=0",
}

# From the begin to the end of what ThreadSanitizer says about one thing.
TSAN_REPORT = re.compile(r"^=+\nWARNING: ThreadSanitizer: .*?^SUMMARY: ThreadSanitizer: .*?\n=+$", re.M | re.S)
TSAN_COUNT = re.compile(r"^ThreadSanitizer: reported \d+ warnings$", re.M)


def in_libmilter(report):
    """Whether libmilter itself did what is reported. What our callbacks do on its threads
    is ours: the first frame behind the sanitizer's own decides."""
    accesses = re.split(r"^  (?:Location|Mutex|Thread) ", report, maxsplit=1, flags=re.M)[0]
    stacks = re.split(r"^ +#0 ", accesses, flags=re.M)[1:]
    callers = [re.search(r"\((?!libtsan)([^()+]+)\+0x", stack) for stack in stacks]
    return bool(callers) and all(c and c.group(1).startswith("libmilter.so") for c in callers)


def reports(text):
    """The lines of a log that tell of a fault of ours."""
    text = TSAN_REPORT.sub(lambda m: "" if in_libmilter(m.group()) else m.group(), text)
    text = TSAN_COUNT.sub("", text)
    return [line for line in text.splitlines() if re.search(REPORT, line)]
