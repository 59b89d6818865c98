# SPDX-License-Identifier: BSD-2-Clause
"""rblctl doctor: each thing that may be wrong around the daemon is found, and only that."""

import datetime
import os
import pathlib
import resource
import shutil
import subprocess
import time

import pytest

from harness.conf import dnsbl
from harness.dns import listed, reversed_name
from harness.rblctl import Rblctl

POINTS = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}
MACROS = {"{client_name}": "unknown"}


def well(zone):
    """Rules of a list as RFC 5782 has it."""
    point6 = reversed_name("2001:db8::1", "x")  # its shape: 32 nibbles
    nibbles = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20
    assert point6.count(".") == nibbles.count(".") + 1
    return listed("127.0.0.2", zone) + [{"name": f"{nibbles}.{zone}", "type": "A", "a": ["127.0.0.2"]}]


class Examination:
    def __init__(self, result):
        assert result.status in (0, 1), result
        self.status = result.status
        self.rows = result.json["findings"]
        self.result = result

    def wrong(self):
        return [row for row in self.rows if row["level"] != "ok"]

    def find(self, level, *parts):
        """The one finding of that level with these words; each that is wrong has advice."""
        found = [r for r in self.rows if r["level"] == level and all(p in r["what"] for p in parts)]
        assert len(found) == 1, self.result
        assert level == "ok" or found[0]["advice"]
        assert self.status == (1 if self.wrong() else 0)
        return found[0]

    def only(self, level, *parts):
        row = self.find(level, *parts)
        assert self.wrong() == [row], self.result


class Surgery:
    """A lab around which nothing is wrong, unless a test says otherwise."""

    def __init__(self, lab):
        self.lab = lab
        self.rblctl = Rblctl(lab.dir)
        self.bin = lab.dir / "bin"
        self.bin.mkdir()
        port = lab.postfix.milter_port
        self.postconf(f"smtpd_milters = {{ inet:127.0.0.1:{port}, default_action=accept }}")

    def postconf(self, *lines):
        """What Postfix's configuration says."""
        script = self.bin / "postconf"
        script.write_text('#!/bin/sh\ncase $1 in -Px) exit;; esac\ncat <<END\n' + "\n".join(lines) + "\nEND\n")
        script.chmod(0o755)

    def daemon(self, dns, messages=1, macros=MACROS, addr="192.0.2.99", **settings):
        """The daemon, and some mail for it."""
        settings.setdefault("lists", [dnsbl("bl", "bl.test", **POINTS)])
        reply = settings.setdefault("reply", {})
        reply.setdefault("url", "https://rbl.example.net/")
        daemon = self.lab.daemon(dns, **settings)
        os.chmod(daemon.conf, 0o644)
        if messages:
            client = self.lab.milter(socket=settings.get("socket"))
            client.connect(addr, macros=macros)
            client.helo()
            for _ in range(messages):
                client.mail()
                client.rcpt()
        return daemon

    def __call__(self, *arguments):
        env = {"PATH": f"{self.bin}:{os.environ['PATH']}"}
        return self.rblctl(*arguments, "doctor", env=env)

    def examine(self):
        return Examination(self("--json"))


@pytest.fixture
def doctor(lab):
    return Surgery(lab)


@pytest.fixture
def dns(lab):
    return lab.dns(well("bl.test"))


def test_nothing_is_wrong(doctor, dns):
    doctor.daemon(dns)
    examination = doctor.examine()
    assert examination.status == 0 and not examination.wrong(), examination.result
    assert len(examination.rows) >= 6
    table = doctor()
    assert table.status == 0 and table.out.startswith("LEVEL"), table


# --- the resolver ---


def test_public_resolver(doctor, dns):
    """It is never asked here: the first server answers all."""
    doctor.daemon(dns, resolver={"servers": [dns.address, "8.8.8.8"]})
    doctor.examine().only("error", "resolver.servers", "8.8.8.8:53")


def test_public_resolver_of_a_list(doctor, dns):
    lists = [dnsbl("bl", "bl.test", servers=[dns.address, "9.9.9.9"], **POINTS)]
    doctor.daemon(dns, lists=lists)
    doctor.examine().only("error", "bl: 9.9.9.9:53 is a public resolver")


@pytest.mark.parametrize("end", ["com", "invalid"])
def test_resolver_that_invents_names(doctor, lab, end):
    dns = lab.dns(well("bl.test") + [{"suffix": end, "type": "A", "a": ["10.1.2.3"]}])
    doctor.daemon(dns)
    doctor.examine().only("error", "invents answers: 10.1.2.3", f".{end},")


def test_resolver_that_does_not_answer(doctor, dns):
    doctor.daemon(dns, resolver={"deadline": "600ms", "timeout": "300ms"})
    dns.down()
    doctor.examine().find("error", "the resolver does not answer")


@pytest.mark.parametrize("rule,words", [
    ({"a": ["127.0.0.2"], "wrong_id": "first"}, "had an id that was never sent"),
    ({"empty": True, "times": 30}, "were no answers at all"),
])  # fmt: skip
def test_stray_packets(doctor, lab, rule, words):
    """Some are nothing to tell; many are."""
    dns = lab.dns(well("bl.test") + [{"suffix": "far.test", **rule}])
    lists = [dnsbl("bl", "bl.test", **POINTS),
             dnsbl("far", "far.test", weight=1, test_listed="", test_unlisted="")]  # fmt: skip
    doctor.daemon(dns, lists=lists, resolver={"deadline": "600ms", "timeout": "300ms"})
    doctor.lab.send(addr="198.51.100.1")
    assert [row for row in doctor.examine().wrong() if words in row["what"]] == []
    for n in range(2, 32):
        doctor.lab.send(addr=f"198.51.100.{n}")
    doctor.examine().find("warning", words)


def test_max_queries_were_hit(doctor, lab):
    dns = lab.dns(well("bl.test") + [{"suffix": "a.test", "silent": True}, {"suffix": "b.test", "silent": True}])
    lists = [dnsbl("bl", "bl.test", **POINTS), dnsbl("a", "a.test"), dnsbl("b", "b.test")]
    doctor.daemon(dns, lists=lists, resolver={"max_queries": 1, "deadline": "500ms", "timeout": "500ms"})
    end = time.monotonic() + 10
    while not doctor.examine().wrong() and time.monotonic() < end:
        time.sleep(0.05)  # the lookup may end just after its mail
    doctor.examine().find("warning", "lookups waited for a place", "max-queries = 1")


# --- the lists ---


def key_list(**options):
    return dnsbl("abusix", "%{key}.mail.test", key="0123456789abcdef", **POINTS, **options)


def test_key_not_accepted(doctor, lab):
    """Not listed, whatever is asked: only the test point shows it."""
    daemon = doctor.daemon(lab.dns(), lists=[key_list()])
    os.chmod(daemon.conf, 0o640)
    examination = doctor.examine()
    row = examination.find("error", "list abusix: its key is not accepted")
    assert "key" in row["advice"]
    assert "0123456789abcdef" not in examination.result.out
    assert len(examination.wrong()) == 1


def test_empty_list(doctor, lab):
    doctor.daemon(lab.dns())
    row = doctor.examine().find("error", "list bl is empty", "127.0.0.2")
    assert "zone" in row["advice"]


@pytest.mark.parametrize("key,advice", [(False, "resolver of your own"), (True, "account")])
def test_blocked_list(doctor, lab, key, advice):
    dns = lab.dns([{"suffix": "test", "type": "A", "a": ["127.255.255.254"]}])
    daemon = doctor.daemon(dns, lists=[key_list() if key else dnsbl("bl", "bl.test", **POINTS)])
    os.chmod(daemon.conf, 0o640)
    examination = doctor.examine()
    row = examination.find("error", "refuses our queries", "127.255.255.254")
    assert advice in row["advice"]
    assert len(examination.wrong()) == 1


def test_lying_list(doctor, lab):
    doctor.daemon(lab.dns([{"suffix": "test", "type": "A", "a": ["127.0.0.2"]}]))
    doctor.examine().only("error", "list bl lists what it must not")


def test_silent_list(doctor, lab):
    dns = lab.dns([{"suffix": "test", "silent": True}])
    doctor.daemon(dns, resolver={"deadline": "600ms", "timeout": "600ms"})
    doctor.examine().only("error", "list bl does not answer")


def test_slow_list(doctor, lab):
    dns = lab.dns(well("bl.test") + [{"suffix": "bl.test", "rcode": "NXDOMAIN", "delay_ms": 1500}])
    doctor.daemon(dns)
    assert doctor.rblctl("dnsbl", "test", "bl").status == 0
    doctor.examine().find("warning", "list bl is slow")


def test_suspended_list(doctor, dns):
    doctor.daemon(dns)
    assert doctor.rblctl("dnsbl", "suspend", "bl").status == 0
    doctor.examine().only("warning", "list bl is suspended")


def test_no_list(doctor, dns):
    doctor.daemon(dns, lists=[])
    doctor.examine().only("warning", "no DNS list is configured")


@pytest.mark.parametrize("ipv6", [True, False])
def test_list_without_ipv6(doctor, lab, ipv6):
    doctor.daemon(lab.dns(listed("127.0.0.2", "bl.test")), lists=[dnsbl("bl", "bl.test", ipv6=ipv6, **POINTS)])
    examination = doctor.examine()
    if ipv6:
        examination.only("warning", "list bl is queried for IPv6 clients")
    else:
        assert examination.status == 0, examination.result


@pytest.mark.parametrize(
    "zones,count",
    [
        (["zen.spamhaus.org", "xbl.spamhaus.org"], 1),
        (["pbl.spamhaus.org", "zen.spamhaus.org"], 1),
        (["k.combined.mail.abusix.zone", "k.black.mail.abusix.zone", "k.dynamic.mail.abusix.zone"], 2),
        (["k.white.mail.abusix.zone", "list.dnswl.org"], 1),
        (["bl.mailspike.net", "rep.mailspike.net"], 1),
        (["zen.spamhaus.org", "bl.spamcop.net", "bl.mailspike.net"], 0),
    ],
)  # fmt: skip
def test_lists_that_hold_one_another(doctor, lab, zones, count):
    lists = [dnsbl(f"l{i}", zone, weight=-1 if "w" in zone else 4) for i, zone in enumerate(zones)]
    doctor.daemon(lab.dns(), lists=lists)
    examination = doctor.examine()
    assert [r["what"] for r in examination.wrong() if "counts twice" not in r["what"]] == []
    assert len(examination.wrong()) == count, examination.result


def test_twins_in_monitor_do_no_harm(doctor, lab):
    lists = [dnsbl("zen", "zen.spamhaus.org"), dnsbl("xbl", "xbl.spamhaus.org", mode="monitor")]
    doctor.daemon(lab.dns(), lists=lists)
    assert doctor.examine().status == 0


@pytest.mark.parametrize("messages", [10, 50])
def test_list_that_is_never_asked(doctor, lab, messages):
    lists = [dnsbl("bl", "bl.test"), dnsbl("names", "names.test", check=["client-name"])]
    doctor.daemon(lab.dns(), lists=lists, messages=messages)
    examination = doctor.examine()
    if messages == 50:
        examination.only("warning", "list names was never queried in 50 messages")
    else:
        assert examination.status == 0, examination.result


# --- files and sockets ---


def test_conf_file_that_all_can_write(doctor, dns):
    daemon = doctor.daemon(dns)
    os.chmod(daemon.conf, 0o666)
    doctor.examine().only("error", "rblmilter.conf can be written by everybody")


@pytest.mark.parametrize("mode,wrong", [(0o644, True), (0o640, False)])
def test_key_file_that_all_can_read(doctor, lab, mode, wrong):
    key = lab.dir / "key"
    key.write_text("0123456789abcdef\n")
    os.chmod(key, 0o640)  # else it would not start
    lists = [dnsbl("bl", "%{key}.bl.test", key_file=str(key))]
    doctor.daemon(lab.dns(), lists=lists)
    os.chmod(key, mode)
    examination = doctor.examine()
    if wrong:
        examination.only("warning", "everybody can read the key of list bl", "/key:")
    else:
        assert examination.status == 0, examination.result


def test_key_in_a_conf_file_that_all_can_read(doctor, lab):
    lists = [dnsbl("bl", "%{key}.bl.test", key="0123456789abcdef")]
    doctor.daemon(lab.dns(), lists=lists)
    doctor.examine().only("warning", "everybody can read the key of list bl", "rblmilter.conf:")


def test_control_socket_that_all_can_reach(doctor, dns, lab):
    doctor.daemon(dns)
    os.chmod(lab.dir / "control.sock", 0o666)
    doctor.examine().only("warning", "control.sock", "outside of the daemon's group")


def test_database_of_another(doctor, dns, lab):
    doctor.daemon(dns)
    os.chown(lab.dir / "blocklist.db", 65534, -1)
    doctor.examine().only("error", "blocklist.db belongs to uid 65534")


def test_database_that_all_can_read(doctor, dns, lab):
    doctor.daemon(dns)
    os.chmod(lab.dir / "blocklist.db", 0o644)
    doctor.examine().only("warning", "blocklist.db: everybody can read")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_folder_of_the_database_that_cannot_be_written(doctor, dns, lab):
    folder = lab.dir / "db"
    folder.mkdir()
    shutil.chown(folder, "nobody")
    doctor.daemon(dns, user="nobody", blocklist={"database": f"{folder}/blocklist.db"})
    shutil.chown(folder, "root")
    doctor.examine().find("error", "/db: the daemon cannot write there")


@pytest.mark.parametrize("case,level,what", [
    ("no group", "warning", "only the daemon's own user and group"),
    ("closed folder", "warning", "the MTA may not pass this folder"),
    ("gone", "error", "nobody can connect"),
    ("open", None, None),
])  # fmt: skip
def test_milter_socket(doctor, dns, lab, case, level, what):
    folder = lab.dir / "milter"
    folder.mkdir()
    os.chmod(folder, 0o755)
    socket = f"unix:{folder}/milter.sock"
    mode = "0660" if case == "no group" else "0666"
    doctor.postconf("smtpd_milters = { unix:milter/milter.sock, default_action=accept }")
    doctor.daemon(dns, socket=socket, milter={"socket": socket, "socket_mode": mode, "socket_group": ""})
    if case == "closed folder":
        os.chmod(folder, 0o700)
    if case == "gone":
        os.unlink(folder / "milter.sock")
    examination = doctor.examine()
    if level is not None:
        examination.find(level, what)
    else:
        assert examination.status == 0, examination.result


# --- what the daemon knows of itself ---


def few_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))


def test_descriptors(doctor, dns, lab):
    doctor.daemon(dns, preexec=few_files)
    crowd = [lab.milter(negotiate=False) for _ in range(35)]
    for client in crowd[:25]:
        client.negotiate()
        client.connect("192.0.2.1", macros=MACROS)
    for client in crowd:
        client.close()
    examination = doctor.examine()
    examination.find("warning", "may have 80 descriptors only")
    examination.find("warning", "sessions were not judged")


def test_macros_that_do_not_arrive(doctor, dns):
    doctor.daemon(dns, macros={})
    doctor.examine().only("warning", "macros do not arrive: 1 of 1 sessions")


def test_no_mta(doctor, dns):
    doctor.daemon(dns, messages=0)
    doctor.examine().only("warning", "no MTA has connected")


def test_reply_url_of_the_example(doctor, dns):
    doctor.daemon(dns, reply={"url": "https://postmaster.example.org/rbl"})
    doctor.examine().only("warning", "https://postmaster.example.org/rbl")


def test_backups_that_fail(doctor, dns, lab):
    """Something stands where today's is made, and the last good one is old."""
    doctor.daemon(dns).log.wait_for("blocklist: backup=")
    lab.stop_daemons()
    today = lab.dir / datetime.date.today().strftime("blocklist.db.backup-%Y%m%d")
    old = today.rename(lab.dir / "blocklist.db.backup-20200101")
    os.utime(old, (1577836800, 1577836800))
    pathlib.Path(f"{today}.part").mkdir()
    doctor.daemon(dns).log.wait_for("blocklist: backup: ")
    doctor.examine().only("warning", "last backup of the blocklist is", "days old")


def test_blocklist_that_cannot_be_changed(doctor, dns, lab):
    doctor.daemon(dns)
    (lab.dir / "blocklist.db").rename(lab.dir / "away.db")
    assert doctor.rblctl("add", "bad.example").status == 4
    doctor.examine().only("error", "blocklist: ", "blocklist.db is gone")


JUMP = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *ts)
{
    long rc = syscall(SYS_clock_gettime, id, ts);
    if (rc == 0 && id == CLOCK_REALTIME && access(JUMPED, F_OK) == 0)
        ts->tv_sec += 30 * 86400;
    return (int)rc;
}
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a compiler")
def test_clock_that_jumps(doctor, dns, lab):
    source, shim, jumped = lab.dir / "jump.c", lab.dir / "jump.so", lab.dir / "jumped"
    source.write_text(JUMP)
    define = f'-DJUMPED="{jumped}"'
    subprocess.run(["cc", "-shared", "-fPIC", define, "-o", shim, source], check=True)
    asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    daemon = doctor.daemon(dns, env={"LD_PRELOAD": str(shim), "ASAN_OPTIONS": asan})
    jumped.touch()
    daemon.log.wait_for("clock=jumped-forward")
    doctor.examine().only("warning", "blocklist: the clock jumped forward")
    assert doctor.rblctl("reload").status == 0
    assert not [r for r in doctor.examine().wrong() if "clock" in r["what"]]


# --- Postfix's configuration ---


@pytest.mark.parametrize(
    "lines,level,what",
    [
        (["smtpd_milters = inet:127.0.0.1:PORT", "milter_default_action = accept"], None, None),
        (["smtpd_milters = inet:localhost:PORT, inet:127.0.0.1:1", "milter_default_action = tempfail"],
         "warning", "does this to mail: tempfail (milter_default_action)"),
        (["smtpd_milters = { inet:127.0.0.1:PORT, default_action = reject }", "milter_default_action = accept"],
         "error", "does this to mail: reject (default_action)"),
        (["smtpd_milters = { inet:127.0.0.1:1, default_action=accept } inet:127.0.0.1:PORT",
          "milter_default_action = quarantine"], "warning", "quarantine (milter_default_action)"),
        (["smtpd_milters = inet:127.0.0.1:PORT1", "milter_default_action = accept"],
         "warning", "Postfix does not use this milter"),
        (["smtpd_milters =", "milter_default_action = tempfail", "smtp/inet/smtpd_milters = inet:127.0.0.1:PORT",
          "smtp/inet/milter_default_action = accept"], "warning", "tempfail"),
        (["smtpd_milters = { inet:127.0.0.1:PORT, default_action=accept }", "non_smtpd_milters = inet:127.0.0.1:PORT"],
         "warning", "non_smtpd_milters"),
    ],
)  # fmt: skip
def test_postfix(doctor, dns, lab, lines, level, what):
    doctor.daemon(dns)
    doctor.postconf(*(line.replace("PORT", str(lab.postfix.milter_port)) for line in lines))
    examination = doctor.examine()
    if level is not None:
        examination.only(level, what)
    else:
        assert examination.status == 0, examination.result
