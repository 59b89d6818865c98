# SPDX-License-Identifier: BSD-2-Clause
"""Log lines that a test can wait for, so that no test sleeps."""

import re
import threading
import time


class Lines:
    """The lines of a stream, read by a thread of its own; a copy goes to a file."""

    def __init__(self, stream, copy_to):
        self.lines = []
        self.changed = threading.Condition()
        self.ended = False
        self._reading = threading.Event()
        self._reading.set()
        self._stream = stream
        self._copy = open(copy_to, "w", encoding="utf-8")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for raw in self._stream:
            self._reading.wait()
            line = raw.decode("utf-8", "backslashreplace").rstrip("\n")
            self._copy.write(line + "\n")
            self._copy.flush()
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()
        self._copy.close()

    def hold(self):
        """Reads no more until go_on: who writes soon finds the pipe full."""
        self._reading.clear()

    def go_on(self):
        self._reading.set()

    def count(self):
        with self.changed:
            return len(self.lines)

    def text(self):
        with self.changed:
            return "\n".join(self.lines)

    def matching(self, pattern, since=0):
        with self.changed:
            return [line for line in self.lines[since:] if re.search(pattern, line)]

    def wait_for(self, pattern, since=0, timeout=60):
        """The first line that matches, from line number `since` on."""
        deadline = time.monotonic() + timeout
        with self.changed:
            seen = since
            while True:
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(
                        f"no line matches {pattern!r}; log:\n" + "\n".join(self.lines)
                    )
                self.changed.wait(left)

    def wait_end(self, timeout=10):
        self._thread.join(timeout)


class LogFile:
    """A log file that another program writes, Postfix's maillog."""

    def __init__(self, path):
        self.path = path

    def _read(self, since):
        try:
            with open(self.path, "rb") as f:
                f.seek(since)
                return f.read().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ""

    def mark(self):
        """Where the log ends now: what wait_for starts from."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def wait_for(self, pattern, since=0, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            text = self._read(since)
            for line in text.splitlines():
                if re.search(pattern, line):
                    return line
            if time.monotonic() > deadline:
                raise AssertionError(f"no line matches {pattern!r}; log:\n{text}")
            time.sleep(0.005)
