# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the integration tests and of tests/guards. A failing test shows the daemon's
log; all folders are kept below TMPDIR only for the run."""

import os
import pathlib
import shutil
import tempfile

import pytest

from . import postfix as postfix_module
from .lab import Lab
from .sink import Sink


@pytest.fixture(scope="session")
def session_dir():
    """A folder that other users (postfix, nobody) can read; pytest's own are private."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="rblmilter-test-"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def sink():
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="session")
def postfix(session_dir, sink):
    """One Postfix for all tests; its milter is whatever daemon listens at the moment."""
    why = postfix_module.missing()
    if why:
        pytest.skip(why)
    postfix = postfix_module.Postfix(session_dir / "postfix", sink.port)
    try:
        postfix.start()
        yield postfix
    finally:
        postfix.stop()


def open_lab(session_dir, postfix):
    return Lab(tempfile.mkdtemp(prefix="t-", dir=session_dir), postfix)


@pytest.fixture
def lab(session_dir, postfix):
    """A test's own name servers and daemon; see harness/lab.py."""
    with open_lab(session_dir, postfix) as lab:
        yield lab


@pytest.fixture(scope="module")
def module_lab(session_dir, postfix):
    """The same for all tests of a file, where they share one daemon. Such a file has no
    test with a daemon of its own on Postfix's socket."""
    with open_lab(session_dir, postfix) as lab:
        yield lab


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the daemon's log to a failure."""
    outcome = yield
    report = outcome.get_result()
    labs = [v for v in getattr(item, "funcargs", {}).values() if isinstance(v, Lab)]
    if report.failed and labs:
        for log in sorted(labs[0].dir.glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-20000:]))
