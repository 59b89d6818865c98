# SPDX-License-Identifier: BSD-2-Clause
"""A PostgreSQL of our own, in a folder of its own, on loopback; and a farm of daemons on it.
As root the server runs as nobody, as it does not start as root."""

import atexit
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from .conf import conf_text
from .daemon import Daemon, binary, environment
from .milterclient import MilterClient
from .ports import free_port
from .proxy import Proxy
from .rblctl import Rblctl
from .waiting import wait_until


def programs():
    """The folder of initdb and pg_ctl; None where there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return pathlib.Path(found[-1]).parent if found else None


class Postgres:
    fresh = None

    def __init__(self, folder, standby_of=None):
        """standby_of: the port, perhaps a proxy's, of the server that this one follows."""
        self.dir = pathlib.Path(folder)
        self.dir.mkdir(parents=True)
        self.port = free_port()
        self.user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o700)
        if standby_of is None:
            self.new_data()
            self.configure("listen_addresses = '127.0.0.1'", f"port = {self.port}", "fsync = off",
                           "unix_socket_directories = ''", "max_connections = 60",
                           "shared_buffers = 64MB")  # fmt: skip
        else:
            self.run("pg_basebackup", "-D", self.dir / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d",
                     f"host=127.0.0.1 port={standby_of} user=owner application_name={self.dir.name}")  # fmt: skip
            self.configure(f"port = {self.port}", "wal_retrieve_retry_interval = 500ms")

    def new_data(self):
        """initdb once; others get a copy."""
        if Postgres.fresh is None:
            self.run("initdb", "-D", self.dir / "data", "-A", "trust", "-U", "owner", "--no-sync",
                     "--locale=C.UTF-8", "-E", "UTF8")  # fmt: skip
            Postgres.fresh = tempfile.mkdtemp(prefix="rblmilter-postgres-")
            atexit.register(shutil.rmtree, Postgres.fresh, ignore_errors=True)
            shutil.copytree(self.dir / "data", pathlib.Path(Postgres.fresh) / "data")
        else:
            self.restore(pathlib.Path(Postgres.fresh) / "data")

    def configure(self, *lines):
        with open(self.dir / "data" / "postgresql.conf", "a") as conf:
            conf.write("\n".join(lines) + "\n")

    def reload(self):
        self.run("pg_ctl", "-D", self.dir / "data", "reload")

    def promote(self):
        self.run("pg_ctl", "-D", self.dir / "data", "-w", "promote")

    def run(self, program, *arguments, check=True):
        """A program of PostgreSQL's, or another one, as the server's user."""
        drop = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        return subprocess.run(
            [shutil.which(program, path=f"{programs()}:{os.environ['PATH']}"), *arguments], check=check, capture_output=True, text=True, cwd=self.dir,
            timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"}, **drop,
        )  # fmt: skip

    def start(self):
        self.run("pg_ctl", "-D", self.dir / "data", "-w", "-l", self.dir / "log", "start")
        return self

    def stop(self, mode="fast"):
        self.run("pg_ctl", "-D", self.dir / "data", "-w", "-m", mode, "stop", check=False)

    def pids(self):
        """The server's, and of all its children."""
        try:
            first = int((self.dir / "data" / "postmaster.pid").read_text().split()[0])
            tasks = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text()
        except (OSError, IndexError, ValueError):
            return []
        return [first, *map(int, tasks.split())]

    def kill(self):
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), "the server does not die")

    def freeze(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in reversed(self.pids()):
            os.kill(pid, signal.SIGCONT)

    def connection(self, user="rblmilter", more="", port=None, database="postgres"):
        return f"host=127.0.0.1 port={port or self.port} dbname={database} user={user} {more}".strip()

    def sql(self, text, user="owner"):
        """Rows as lists of texts."""
        done = subprocess.run(
            [programs() / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.connection(user),
             "-c", text], capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def hold(self, text):
        """A session that stays after that, until it is killed."""
        session = subprocess.Popen([programs() / "psql", "-XAtq", "-d", self.connection("owner")],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        session.stdin.write(text + ";\n\\echo held\n")
        session.stdin.flush()
        while session.stdout.readline().strip() != "held":
            assert session.poll() is None
        return session

    def init(self, database="postgres"):
        return subprocess.run([binary("rblctl"), "farm", "init", self.connection("owner", database=database)],
                              capture_output=True, text=True, env=environment(), timeout=60)  # fmt: skip

    def back_up(self, place):
        """The state now, for restore: the server is stopped for it."""
        self.stop()
        shutil.copytree(self.dir / "data", place, symlinks=True)
        self.start()

    def restore(self, place):
        """The server must not run."""
        shutil.rmtree(self.dir / "data", ignore_errors=True)
        shutil.copytree(place, self.dir / "data", symlinks=True)
        if self.user:
            for path in [self.dir / "data", *(self.dir / "data").rglob("*")]:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir / "data", 0o700)

    def empty(self):
        """Tables are locked one by one: a host that writes meanwhile can win by a deadlock."""
        for tries in range(9, -1, -1):
            try:
                self.sql("DROP SCHEMA farm CASCADE")
                break
            except AssertionError as error:
                if "deadlock" not in str(error) or tries == 0:
                    raise
        assert self.init().returncode == 0


class Host:
    """A daemon of the farm, in a folder of its own."""

    def __init__(self, folder, name, database, keep_local=()):
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir()
        self.name = name
        self.port = free_port()
        self.milter_socket = f"inet:{self.port}@127.0.0.1"
        self.farm = {"database": database, "node": name, "keep_local": list(keep_local)}
        self.more = {}  # for conf_text
        self.rblctl = Rblctl(self.dir)
        self.daemon = None
        self.env = None
        self.proxy = None

    def start(self, wait=True, **changes):
        self.farm.update(changes)
        text = conf_text(self.dir, self.milter_socket, farm=self.farm, **self.more)
        self.daemon = Daemon(self.dir, text, self.milter_socket, env=self.env)
        return self.daemon.wait_ready() if wait else self.daemon

    def stop(self):
        if self.daemon is not None and not self.daemon.stopped:
            self.daemon.terminate()
            self.daemon.check_clean()

    def kill(self):
        self.daemon.kill()

    def mail(self, sender):
        """The reply to a mail of that sender, "" where it is accepted."""
        client = MilterClient(self.milter_socket).negotiate()
        try:
            reply = client.envelope(sender=f"<{sender}>")
            return reply.text if reply.kind == "reply" else ""
        finally:
            client.close()

    def lists(self, entry):
        return self.rblctl("show", entry).status == 0

    def import_hosts(self, count):
        """host0.example and so on, from the source feed."""
        feed = self.dir / "feed"
        feed.write_text("".join(f"host{i}.example\n" for i in range(count)))
        return self.rblctl("import", str(feed), "--source", "feed")

    def count(self):
        return self.rblctl("status", "--json").json["blocklist"]["entries"]

    def entries(self):
        """All that stands, with action, source, reason and end; sorted."""
        rows = [json_row for json_row in self.rblctl("list", "--json").json["entries"]]
        return sorted((r["entry"], r["action"], r["source"], r["reason"], r["expires"]) for r in rows)

    def status(self):
        return self.rblctl("farm", "--json").json

    def in_sync(self):
        found = self.rblctl("farm", "--json")
        return found.status in (0, 1) and found.json["farm"]["state"] == "reached" and found.json["farm"]["waiting"] == 0

    def wait_sync(self, timeout=30):
        wait_until(self.in_sync, lambda: f"{self.name} is not in sync: {self.status()}", timeout)


class Farm:
    """proxied: each host reaches the database through a proxy of its own (host.proxy)."""

    def __init__(self, folder, hosts=3, keep_local=(), start=True, proxied=False):
        self.dir = pathlib.Path(folder)
        os.chmod(self.dir, 0o755)
        self.postgres = Postgres(self.dir / "postgres").start()
        done = self.postgres.init()
        assert done.returncode == 0, done.stderr
        names = [f"mx{i + 1}" for i in range(hosts)]
        self.hosts = [Host(self.dir, n, self.postgres.connection(), keep_local) for n in names]
        for host in self.hosts if proxied else ():
            host.proxy = Proxy(self.postgres.port)
            host.farm["database"] = self.postgres.connection(port=host.proxy.port)
        if start:
            for host in self.hosts:
                host.start()
            for host in self.hosts:
                host.wait_sync()
            self.wait(lambda h: len(h.status()["hosts"]) == hosts, "not all see all")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in self.hosts:  # shown where a test fails
            print(f"--- {host.name}\n{host.daemon.log.text() if host.daemon else ''}")
            print(host.rblctl("farm", "--json").out)
        print("--- PostgreSQL\n" + (self.postgres.dir / "log").read_text()[-4000:])
        try:
            for host in self.hosts:
                host.stop()
        finally:
            for host in self.hosts:
                if host.proxy is not None:
                    host.proxy.close()
            self.postgres.thaw()
            self.postgres.stop("immediate")

    def __iter__(self):
        return iter(self.hosts)

    def __getitem__(self, index):
        return self.hosts[index]

    def wait(self, what, why, timeout=30):
        """Until it is so on each host."""
        for host in self.hosts:
            wait_until(lambda: what(host), f"{why}, on {host.name}", timeout)

    def wait_away(self, *away):
        """Until all but these have sent and read all."""
        for host in self.hosts:
            if host not in away:
                host.wait_sync()

    def wait_equal(self, timeout=30):
        """Until all hosts have the same, and nothing waits; returns it."""
        for host in self.hosts:
            host.wait_sync(timeout)
        wait_until(
            lambda: all(h.entries() == self.hosts[0].entries() for h in self.hosts),
            lambda: f"not equal: {[h.entries() for h in self.hosts]}",
            timeout,
        )
        return self.hosts[0].entries()
