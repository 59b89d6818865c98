"""Fixtures of the integration tests. A failing test shows the daemon's log; all folders
are kept below TMPDIR only for the run."""

import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import postfix as postfix_module
from harness import rbldnsd as rbldnsd_module
from harness.conf import conf_text
from harness.daemon import Daemon
from harness.dns import NameServer
from harness.milterclient import MilterClient
from harness.sink import Sink
from harness.smtp import send_mail


@pytest.fixture(scope="session")
def session_dir():
    """A folder that other users (postfix, nobody) can read; pytest's own are private."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="rblmilter-test-"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder(session_dir, request):
    """A test's own folder."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir=session_dir))
    os.chmod(path, 0o755)
    return path


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


@pytest.fixture
def rbldnsd(folder):
    """rbldnsd(zones) starts one; see harness/rbldnsd.py."""
    why = rbldnsd_module.missing()
    if why:
        pytest.skip(why)
    started = []

    def start(zones):
        server = rbldnsd_module.Rbldnsd(folder / f"rbldnsd{len(started)}", zones)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def dns(folder):
    """dns(rules) starts the scripted name server; see tests/nameserver.py."""
    started = []

    def start(rules=(), **options):
        place = folder / f"dns{len(started)}"
        place.mkdir()
        server = NameServer(place, rules, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def milter_socket(postfix):
    """Where Postfix looks for the daemon."""
    return f"inet:{postfix.milter_port}@127.0.0.1"


@pytest.fixture
def start_daemon(folder, milter_socket):
    """start_daemon(lists=[…], verdict={…}) starts rblmilter and waits until it accepts;
    at the end it must stop cleanly. conf= gives a whole conf file instead."""
    running = []

    def start(conf=None, arguments=(), preexec=None, socket=milter_socket, wait=True, **settings):
        text = conf or conf_text(folder, socket, **settings)
        daemon = Daemon(folder, text, socket, arguments, preexec)
        running.append(daemon)
        return daemon.wait_ready() if wait else daemon

    yield start
    for daemon in running:
        if not daemon.stopped:
            daemon.terminate()
            daemon.check_clean()


@pytest.fixture
def send(postfix):
    """send(addr=…, sender=…) sends one mail through Postfix; harness/smtp.py."""

    def send(port=postfix.smtp_port, **what):
        return send_mail(port, **what)

    return send


@pytest.fixture
def milter(milter_socket):
    """milter() is a new session of the milter protocol, negotiated."""
    clients = []

    def connect(negotiate=True, socket=milter_socket):
        client = MilterClient(socket)
        clients.append(client)
        return client.negotiate() if negotiate else client

    yield connect
    for client in clients:
        client.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the daemon's log to a failure."""
    outcome = yield
    report = outcome.get_result()
    folder = getattr(item, "funcargs", {}).get("folder")
    if report.failed and folder is not None:
        for log in sorted(folder.glob("*.log")):
            report.sections.append((log.name, log.read_text(errors="replace")[-20000:]))
