# SPDX-License-Identifier: BSD-2-Clause
"""A sendmail of our own: Debian's packages, unpacked below build/check/sendmail but not
installed. In a mount namespace folders of ours are its /etc, /run, /usr/share and /var, so
that the lines of docs/sendmail.md can be tried as they stand. Needs root, and to be started
in an OwnNetwork, for the ports."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

from .daemon import ROOT
from .lines import LogFile
from .ports import wait_for_port

PACKAGES = ROOT / "build/check/sendmail"
PROGRAMS = "/usr/libexec/sendmail"

# Mail goes to the test (harness/sink.py), whoever it is for; logins are checked by Logins.
SENDMAIL_MC = """
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
define(`confDOMAIN_NAME', `mx.test')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink_port}')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`no_default_msa')dnl
{lines}
MAILER(`smtp')dnl
LOCAL_RULE_0
Runknown < @ $* > $*	$#error $@ 5.1.1 $: "550 no such user"
"""

ETC = {
    "passwd": "root:x:0:0::/root:/bin/sh\nmail:x:8:8::/var/mail:/bin/false\n"
    "smmta:x:65001:65001::/:/bin/false\nsmmsp:x:65002:65002::/:/bin/false\n",
    "group": "root:x:0:\nmail:x:8:\nsmmta:x:65001:\nsmmsp:x:65002:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
    "services": "smtp 25/tcp\nsubmission 587/tcp\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "resolv.conf": "nameserver 127.0.0.1\n",
    "sasl2/Sendmail.conf": "pwcheck_method: saslauthd\nsaslauthd_path: /run/logins\n",
    "mail/local-host-names": "",
}

INSIDE = """
for device in null zero random urandom; do
    : >>"$OURS/dev/$device"
    mount --bind "/dev/$device" "$OURS/dev/$device"
done
for folder in etc run var; do mount --bind "$OURS/$folder" "/$folder"; done
for folder in share libexec; do mount --bind "$PACKAGES/usr/$folder" "/usr/$folder"; done
mount --rbind "$OURS/dev" /dev
exec "$0" "$@"
"""


def documented(start):
    """The lines of the examples in docs/sendmail.md that begin so (a regular expression)."""
    text = (ROOT / "docs/sendmail.md").read_text()
    return [m[0].strip() for m in re.finditer(rf"^ {{4,}}{start}.*$", text, re.M)]


class Syslog:
    """What would be /dev/log: keeps what is said, one line each."""

    def __init__(self, path, copy_to):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.copy = open(copy_to, "wb", buffering=0)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while line := self.socket.recv(65536):
            self.copy.write(line.rstrip(b"\n\0") + b"\n")


class Logins:
    """What would be saslauthd: a login is right whose password is its name."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection, connection.makefile("rb") as words:
                login, password, _, _ = (
                    words.read(int.from_bytes(words.read(2), "big")) for _ in range(4)
                )
                answer = b"OK" if login == password else b"NO"
                connection.sendall(len(answer).to_bytes(2, "big") + answer)


class Sendmail:
    """One sendmail, with the given lines in its sendmail.mc. The milter's port is that of
    the documents."""

    smtp_port, submission_port, milter_port = 25, 587, 8895

    def __init__(self, folder, sink_port, lines):
        self.dir = pathlib.Path(folder)
        self.mc = SENDMAIL_MC.format(sink_port=sink_port, lines="\n".join(lines))
        self.log = LogFile(self.dir / "maillog")
        self.process = None

    def configure(self):
        """Makes its folders, and sendmail.cf of sendmail.mc; returns that file's text."""
        for name in ("dev", "run/sendmail/mta", "var/spool/mqueue", "var/lib/sendmail/host_status"):
            (self.dir / name).mkdir(parents=True)
        (self.dir / "var/run").symlink_to("/run")
        for name, text in {**ETC, "mail/sendmail.mc": self.mc}.items():
            path = self.dir / "etc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.run("m4 /etc/mail/sendmail.mc >/etc/mail/sendmail.cf")
        return (self.dir / "etc/mail/sendmail.cf").read_text()

    def start(self):
        self.configure()
        Syslog(self.dir / "dev/log", self.log.path)
        Logins(self.dir / "run/logins")
        with open(self.dir / "said", "wb") as said:
            self.process = subprocess.Popen(
                self._inside(f"exec {PROGRAMS}/sendmail -bD"), stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        self._wait_until_up()

    def run(self, script):
        """Runs a shell's script where it sees what sendmail sees; returns its output."""
        done = subprocess.run(
            self._inside(script), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def _inside(self, script):
        return [
            "unshare", "--mount", "env", f"OURS={self.dir}", f"PACKAGES={PACKAGES}",
            f"PATH={PROGRAMS}:{os.environ['PATH']}", "sh", "-ec", INSIDE, "sh", "-ec", script,
        ]  # fmt: skip

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)

    def _wait_until_up(self):
        def why(late):
            ended = self.process.poll() is not None
            return "sendmail does not listen\n" + (self.dir / "said").read_text() if late or ended else None

        wait_for_port(self.smtp_port, why)


def missing():
    """Why sendmail cannot be run here, or None."""
    if os.geteuid() != 0:
        return "sendmail must be started by root"
    if not (PACKAGES / PROGRAMS[1:] / "sendmail").exists():
        return f"sendmail is not unpacked in {PACKAGES}, as ./check.sh integration does"
    if shutil.which("m4") is None or shutil.which("ip") is None:
        return "m4 and ip are not installed"
    return None
