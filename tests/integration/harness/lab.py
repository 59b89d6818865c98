# SPDX-License-Identifier: BSD-2-Clause
"""What one test works with: a folder, name servers, a daemon, and clients."""

import os
import pathlib

from .conf import conf_text
from .daemon import Daemon
from .dns import NameServer
from .milterclient import MilterClient
from .rbldnsd import Rbldnsd
from .smtp import send_mail


class Lab:
    """All that is started here is stopped at the end, and a daemon that a test left
    running must then stop cleanly."""

    def __init__(self, folder, postfix):
        self.dir = pathlib.Path(folder)
        os.chmod(self.dir, 0o755)
        self.postfix = postfix
        self.milter_socket = f"inet:{postfix.milter_port}@127.0.0.1"
        self.servers = []
        self.daemons = []
        self.clients = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.close()
        try:
            self.stop_daemons()
        finally:
            for server in self.servers:
                server.stop()

    def stop_daemons(self):
        try:
            for daemon in self.daemons:
                if not daemon.stopped:
                    daemon.terminate()
                    daemon.check_clean()
        finally:
            self.daemons = []

    def _place(self, name):
        place = self.dir / f"{name}{len(self.servers)}"
        place.mkdir()
        os.chmod(place, 0o755)
        return place

    def dns(self, rules=(), **options):
        """The scripted name server; rules as in tests/nameserver.py."""
        server = NameServer(self._place("dns"), rules, **options)
        self.servers.append(server)
        return server

    def rbldnsd(self, zones):
        server = Rbldnsd(self._place("rbldnsd"), zones)
        self.servers.append(server)
        return server

    def conf(self, dns=None, socket=None, **settings):
        """A conf file's text; dns is the name server that answers."""
        if dns is not None:
            settings["servers"] = dns.address
        return conf_text(self.dir, socket or self.milter_socket, **settings)

    def daemon(self, dns=None, conf=None, socket=None, wait=True, folder=None, **settings):
        """Starts rblmilter, with the given conf file's text or with settings as
        lab.conf() takes them, and waits until it accepts."""
        socket = socket or self.milter_socket
        options = ("arguments", "preexec", "env", "exclusive")
        process = {name: settings.pop(name) for name in options if name in settings}
        text = conf or self.conf(dns, socket, **settings)
        daemon = Daemon(folder or self.dir, text, socket, **process)
        self.daemons.append(daemon)
        return daemon.wait_ready() if wait else daemon

    def second_daemon(self, socket):
        """Another one for a socket that is taken, with all else of its own; not waited
        for."""
        return self.daemon(
            socket=socket,
            milter={"socket_group": ""},
            blocklist={"database": f"{self.dir}/second.db"},
            control={"socket": f"{self.dir}/second.sock"},
            wait=False,
            exclusive=False,
        )

    def send(self, port=None, **mail):
        """Sends one mail through Postfix; see send_mail in harness/smtp.py."""
        return send_mail(port or self.postfix.smtp_port, **mail)

    def milter(self, negotiate=True, socket=None):
        """A session of the milter protocol."""
        client = MilterClient(socket or self.milter_socket)
        self.clients.append(client)
        return client.negotiate() if negotiate else client
