# SPDX-License-Identifier: BSD-2-Clause
"""A private Postfix for the benchmarks: its own queue, configuration and port."""

import os
import pwd
import subprocess

import benchlib

MAIN = """
compatibility_level = 3.7
queue_directory = {dir}/queue
data_directory = {dir}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log
maillog_file_prefixes = /tmp, /var
multi_instance_name = postfix-bench
myhostname = mx.bench.test
mydestination = bench.test
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
local_transport = discard:
mynetworks =
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_delay_reject = yes
smtpd_peername_lookup = no
in_flow_delay = 0
default_process_limit = 400
max_use = 1000
milter_connect_timeout = 30s
"""

MASTER = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
local unix - n n - - local
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """services: port -> list of main.cf settings of that smtpd, which stand beside each
    other in one Postfix, so that what is compared runs in the same one."""

    def __init__(self, bench, services):
        self.dir = bench.path("postfix")
        for name in ("", "queue", "data", "etc"):
            os.makedirs(os.path.join(self.dir, name), mode=0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.dir, "data"), owner.pw_uid, owner.pw_gid)
        etc = os.path.join(self.dir, "etc")
        with open(os.path.join(etc, "main.cf"), "w", encoding="utf-8") as out:
            out.write(MAIN.format(dir=self.dir))
        with open(os.path.join(etc, "master.cf"), "w", encoding="utf-8") as out:
            out.write(MASTER)
            for port, settings in services.items():
                out.write(f"127.0.0.1:{port} inet n - n - - smtpd\n")
                for setting in settings:
                    out.write(f"  -o {{ {setting} }}\n")
        self.command("check")
        self.command("start")
        bench.stack.callback(self.command, "stop")

    def command(self, *words):
        done = subprocess.run(["postfix", "-c", os.path.join(self.dir, "etc"), *words],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"postfix {words}: {done.stderr}")


def own_resolver(bench, address="127.0.0.1"):
    """Lets every program here ask the name server at address, port 53."""
    path = bench.path("resolv.conf")
    with open(path, "w", encoding="utf-8") as out:
        out.write(f"nameserver {address}\noptions timeout:10 attempts:1\n")
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)


def smtp_load(port, **options):
    return benchlib.run_load("smtpload", f"inet:{port}@127.0.0.1", **options)


def version():
    return "Postfix " + subprocess.run(["postconf", "-h", "mail_version"],
                                       capture_output=True, text=True).stdout.strip()
