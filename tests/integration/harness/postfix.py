# SPDX-License-Identifier: BSD-2-Clause
"""A Postfix of our own: its configuration, queue and log are below one folder, and it
touches nothing of an installed one. Needs root, as Postfix's master does."""

import os
import pathlib
import shutil
import signal
import subprocess

from .lines import LogFile
from .ports import free_port, wait_for_port

# XCLIENT lets a test be any client; mail goes nowhere but for sink.test, whose mail is
# handed to the test (harness/sink.py).
MAIN_CF = """
compatibility_level = 3.7
multi_instance_name = postfix-rblmilter-test
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.test
mydestination = mx.test
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = all
alias_maps =
local_recipient_maps =
local_transport = discard:
default_transport = discard:
transport_maps = inline:{{ {{ sink.test = smtp:[127.0.0.1]:{sink_port} }}, {{ bounce.test = local: }} }}
smtp_dns_support_level = disabled
smtp_host_lookup = native
in_flow_delay = 0
max_idle = 1h
smtpd_client_connection_count_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_relay_restrictions = check_client_access static:OK, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ unknown@mx.test = 550 5.1.1 no such user }} }}, check_client_access static:OK, reject
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtputf8_enable = yes
biff = no
smtpd_milters = inet:127.0.0.1:{milter_port}
milter_default_action = tempfail
milter_connect_timeout = 5s
"""

MASTER_CF = """
127.0.0.1:{smtp_port} inet n - n - 500 smtpd
127.0.0.1:{plain_port} inet n - n - 500 smtpd
  -o smtpd_milters=
127.0.0.1:{lenient_port} inet n - n - 500 smtpd
  -o milter_default_action=accept
127.0.0.1:{access_port} inet n - n - 500 smtpd
  -o smtpd_milters=
  -o smtpd_sender_restrictions=check_sender_access,texthash:{dir}/access
127.0.0.1:{two_milters_port} inet n - n - 500 smtpd
  -o smtpd_milters=inet:127.0.0.1:{milter_port},inet:127.0.0.1:{other_milter_port}
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
"""


class Postfix:
    """One running Postfix. `milter_port` is where it looks for the daemon; mail sent to
    plain_port meets no milter, and on lenient_port a milter that fails is left out; at
    two_milters_port one at other_milter_port comes behind ours; at access_port there is none, but the sender table that a test has put into dir/access.
    (A port for each, as a reload soon after the start can block master and postlogd on
    each other permanently.)"""

    def __init__(self, folder, sink_port):
        self.dir = pathlib.Path(folder)
        self.smtp_port = free_port()
        self.plain_port = free_port()
        self.lenient_port = free_port()
        self.access_port = free_port()
        self.two_milters_port = free_port()
        self.other_milter_port = free_port()
        self.milter_port = free_port()
        self.sink_port = sink_port
        self.log = LogFile(self.dir / "maillog")

    def start(self):
        self.dir.mkdir()
        for name in ("queue", "data"):
            (self.dir / name).mkdir()
        shutil.chown(self.dir / "data", "postfix", "postfix")
        ports = {name: port for name, port in vars(self).items() if name.endswith("_port")}
        (self.dir / "master.cf").write_text(MASTER_CF.format(dir=self.dir, **ports))
        (self.dir / "main.cf").write_text(MAIN_CF.format(dir=self.dir, **ports))
        self._command("start")
        self._wait_until_up()

    def stop(self):
        try:
            subprocess.run(["postfix", "-c", self.dir, "stop"], capture_output=True, timeout=20)
        except subprocess.TimeoutExpired:
            pid = int((self.dir / "queue/pid/master.pid").read_text())
            os.kill(pid, signal.SIGKILL)

    def _command(self, *words):
        done = subprocess.run(
            ["postfix", "-c", self.dir, *words], capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise AssertionError(f"postfix {words}: {done.stdout}{done.stderr}{self.log_text()}")

    def log_text(self):
        path = self.log.path
        return path.read_text(errors="replace") if path.exists() else ""

    def _wait_until_up(self):
        wait_for_port(
            self.smtp_port,
            lambda late: "Postfix does not listen\n" + self.log_text() if late else None,
        )


def missing():
    """Why Postfix cannot be run here, or None."""
    if os.geteuid() != 0:
        return "Postfix's master must be started by root"
    if shutil.which("postfix") is None:
        return "postfix is not installed"
    return None
