# SPDX-License-Identifier: BSD-2-Clause
"""A real sendmail asks rblmilter, configured by the lines of docs/sendmail.md as they
stand. Clients are told apart by the address that they come from: see harness/network.py."""

import base64
import json
import re
import shutil
import tempfile

import pytest

from harness import sendmail as sendmail_module
from harness.conf import dnsbl
from harness.daemon import ROOT, binary
from harness.dns import listed
from harness.lab import Lab
from harness.network import OwnNetwork
from harness.rblctl import Rblctl
from harness.sendmail import Sendmail, documented
from harness.sink import Sink
from harness.smtp import Smtp
from test_headers import FORGED, headers_of, scores, values
from test_spellings import RECIPIENTS, SENDERS

LISTED, HALF, WAIT, ALLOWED, CLEAN = (f"192.0.2.{n}" for n in (1, 4, 6, 20, 99))
NAMED, FORGED_NAME, LOST_NAME = (f"192.0.2.{n}" for n in (30, 31, 32))
PERCENT, V6 = "192.0.2.3", "2001:db8::25"

RULES = [
    *listed(LISTED, "bl.test", txt="seen in traps"),
    *listed(V6, "bl.test", txt="seen in traps, too"),
    *listed(PERCENT, "bl.test", txt="100% sure, %s %%"),
    *listed(HALF, "half.test"),
    *listed(WAIT, "wait.test"),
    *listed(ALLOWED, "wl.test", "127.0.9.3"),
    *listed("dialup.bad.example", "name.test", txt="a dial-up name"),
    {"suffix": "bad.example.sender.test", "a": ["127.0.0.2"]},
    {"name": "bad.example.from.test", "a": ["127.0.0.2"]},
    {"name": "30.2.0.192.in-addr.arpa", "ptr": ["dialup.bad.example"]},
    {"name": "31.2.0.192.in-addr.arpa", "ptr": ["dialup.bad.example"]},
    {"name": "32.2.0.192.in-addr.arpa", "ptr": ["lost.bad.example"]},
    {"name": "dialup.bad.example", "a": [NAMED]},
    {"name": "lost.bad.example", "rcode": "SERVFAIL"},
]

SETTINGS = {
    "lists": [
        dnsbl("bl", "bl.test", weight=8, ipv6=True),
        dnsbl("half", "half.test", weight=5),
        dnsbl("wait", "wait.test", weight=6),
        dnsbl("wl", "wl.test", weight=-5),
        dnsbl("name", "name.test", check=["client-name"], weight=8),
        dnsbl("sender", "sender.test", check=["sender-domain"], weight=8),
        dnsbl("from", "from.test", check=["from-domain"], weight=8),
    ],
    "verdict": {"reject": 8, "tempfail": 6, "tag": 4},
    "exempt": {"recipients": ["postmaster", "@open.test", "@mx.test"]},
    "blocklist": {"strip_tags": True},
}

# The documents' lines, and beside them ports where another milter is asked: one that is
# not there, with each F=, and one on a unix socket.
GONE = "S=inet:1@127.0.0.1, T=C:5s;S:10s;R:30s;E:5m"
LINE, OVER_UNIX = documented("INPUT_MAIL_FILTER")
PORTS = {1001: "gone", 1002: "gone-t", 1003: "gone-r", 1004: "unix", 1005: "waits"}
LINES = [
    LINE,
    *documented("DAEMON_OPTIONS.*InputMailFilters"),
    OVER_UNIX.replace("INPUT_MAIL_FILTER(`rblmilter'", "MAIL_FILTER(`unix'"),
    LINE.replace("INPUT_MAIL_FILTER(`rblmilter'", "MAIL_FILTER(`waits'").replace(", T=", ", F=T, T="),
    f"MAIL_FILTER(`gone', `{GONE}')dnl",
    f"MAIL_FILTER(`gone-t', `{GONE}, F=T')dnl",
    f"MAIL_FILTER(`gone-r', `{GONE}, F=R')dnl",
    *(f"DAEMON_OPTIONS(`Name=P{p}, Port={p}, InputMailFilters={m}')dnl" for p, m in PORTS.items()),
    "DAEMON_OPTIONS(`Name=V6, Family=inet6, Port=1006, InputMailFilters=rblmilter')dnl",
]  # fmt: skip


@pytest.fixture(scope="module")
def network():
    why = sendmail_module.missing()
    if why:
        pytest.skip(why)
    network = OwnNetwork()
    try:
        network.enter()
    except PermissionError as error:
        pytest.skip(f"no network namespace: {error}")
    yield network
    network.leave()


@pytest.fixture(scope="module")
def own_sink(network):
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture(scope="module")
def world(session_dir, own_sink):
    sendmail = Sendmail(session_dir / "sendmail", own_sink.port, LINES)
    with Lab(tempfile.mkdtemp(prefix="t-", dir=session_dir), sendmail) as lab:
        lab.sendmail = sendmail
        lab.sink = own_sink
        lab.name_server = lab.dns(RULES, port=53)
        lab.rblctl = Rblctl(lab.dir)
        lab.only = lab.daemon(lab.name_server, **SETTINGS)
        try:
            sendmail.start()
            yield lab
        finally:
            sendmail.stop()


def session(source, port=Sendmail.smtp_port):
    smtp = Smtp(port, source=source)
    smtp.ehlo()
    return smtp


def deliver(world, source, **mail):
    attempt = world.send(source=source, recipients=["x@sink.test"], **mail)
    assert attempt.accepted, attempt.replies
    return world.sink.next_mail()


REFUSED = "554 5.7.1 Service unavailable; Client host [{}] blocked using bl; {}"

ROWS = [
    # label, client, port, sender, the reply to RCPT (None: accepted)
    ("IPv4", LISTED, 25, "a@b.example", REFUSED.format(LISTED, "seen in traps")),
    ("IPv6", V6, 1006, "a@b.example", REFUSED.format(V6, "seen in traps, too")),
    ("percent signs", PERCENT, 25, "a@b.example", REFUSED.format(PERCENT, "100% sure, %s %%")),
    ("null sender", LISTED, 25, "", REFUSED.format(LISTED, "seen in traps")),
    ("null sender of a clean client", CLEAN, 25, "", None),
    ("to come again", WAIT, 25, "a@b.example",
     "451 4.7.1 Service unavailable; Client host [192.0.2.6] blocked using wait"),
    ("name, confirmed", NAMED, 25, "a@b.example",
     "554 5.7.1 Service unavailable; Client name [dialup.bad.example] blocked using name; "
     "a dial-up name"),
    ("name, forged", FORGED_NAME, 25, "a@b.example", None),
    ("name, not to be found at the moment", LOST_NAME, 25, "a@b.example", None),
    ("sender domain", CLEAN, 25, "a@bad.example",
     "554 5.7.1 Service unavailable; Sender domain [bad.example] blocked using sender"),
]  # fmt: skip


def test_from_header(world):
    bad = "From: \"a@good.example\"\n <x@bad.example>\nSubject: x\n\nx\n"
    attempt = world.send(source=CLEAN, recipients=["x@sink.test"], message=bad)
    assert attempt.stage == "data" and attempt.reply.startswith(
        "554 5.7.1 Service unavailable; From domain [bad.example] blocked using from")


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_reply(world, row):
    _, source, port, sender, reply = row
    attempt = world.send(port=port, source=source, sender=sender, recipients=["x@sink.test"])
    if reply is None:
        assert attempt.accepted, attempt.replies
        world.sink.next_mail()
    else:
        assert (attempt.stage, attempt.reply) == ("rcpt", reply)


def test_only_a_confirmed_name_is_asked_about(world):
    before = len(world.name_server.queries())
    for source in (NAMED, FORGED_NAME, LOST_NAME):
        session(source).close()
    asked = set(world.name_server.names(".name.test")[before:])
    assert asked <= {"dialup.bad.example.name.test"}


def test_both_logs_name_the_same_message(world):
    since, mark = world.only.log.count(), world.sendmail.log.mark()
    world.send(source=NAMED, sender="a@logged.example", recipients=["x@sink.test"])
    line = world.only.log.wait_for("from=<a@logged.example>", since)
    told = re.search(r" (\w{14}): reject: client=dialup.bad.example\[192.0.2.30\] "
                     r"from=<a@logged.example> to=<x@sink.test> helo=<client.example> "
                     r"score=8/8 lists=name\(127.0.0.2:8\)", line)  # fmt: skip
    assert told, line
    world.sendmail.log.wait_for(
        rf"{told[1]}: Milter: to=<x@sink.test>, reject=554 5.7.1 Service unavailable; ", mark
    )


def test_doctor_sees_the_macros(world):
    deliver(world, CLEAN)
    assert "the MTA connects, with its macros" in world.rblctl("doctor").out


UNASKED = LINE.replace("INPUT_", "")
PORT = "DAEMON_OPTIONS(`Name=MTA, Port=smtp, InputMailFilters=other;rblmilter')dnl"

FOUND = [
    # label, lines of sendmail.mc, what doctor finds
    ("the documents' line", [LINE], "ok", "sendmail lets mail pass"),
    ("no line", [], "warning", "no filter in /etc/mail/sendmail.cf has its socket"),
    ("another port", [LINE.replace("8895", "889")], "warning", "has its socket"),
    ("not asked", [UNASKED], "warning", "not among the InputMailFilters"),
    ("asked on a port", [UNASKED, PORT], "ok", "sendmail lets mail pass"),
    ("another name asked", [UNASKED, PORT.replace("rblmilter", "rblmilter2")], "warning", "not among"),
    ("F=T", [LINE.replace(", T=", ", F=T, T=")], "warning", "sendmail defers mail (F=T)"),
    ("F=R", [LINE.replace(", T=", ", F=R, T=")], "error", "sendmail refuses mail permanently"),
]  # fmt: skip


@pytest.mark.parametrize("row", FOUND, ids=[r[0] for r in FOUND])
def test_doctor_reads_sendmail_cf(world, tmp_path, row):
    _, lines, level, what = row
    other = Sendmail(tmp_path / "sendmail", world.sink.port, lines)
    other.configure()
    no_postfix = tmp_path / "postconf"
    no_postfix.write_text("#!/bin/sh\nexit 1\n")
    no_postfix.chmod(0o755)
    rblctl = f"{binary('rblctl')} -s {world.rblctl.socket}"
    said = other.run(f"PATH={tmp_path}:$PATH {rblctl} --json doctor || :")
    findings = json.loads(said)["findings"]
    assert [f["level"] for f in findings if what in f["what"]] == [level], findings


def login(world, name):
    smtp = session(LISTED, world.sendmail.submission_port)
    word = base64.b64encode(f"\0{name}\0{name}".encode()).decode()
    assert smtp.command("AUTH PLAIN " + word).code == 235
    return smtp


def test_who_logged_in_is_not_judged_by_lists(world):
    since = world.only.log.count()
    with login(world, "bob") as smtp:
        assert smtp.mail().code == 250
        assert smtp.rcpt("x@sink.test").code == 250
    world.only.log.wait_for("accept: .* login=<bob> exempt=authenticated", since)


def test_hijacked_login_is_refused(world):
    world.rblctl("add", "user:anna", "--reason", "hijacked")
    with login(world, "anna") as smtp:
        assert smtp.mail("x@y.example").code == 250
        assert smtp.rcpt("x@sink.test") == (
            "554 5.7.1 x@y.example is rbl blacklisted - https://postmaster.example.org/rbl"
        )


def refusals(world):
    return world.rblctl("--json", "stats").json["milter"]["refused"]


def test_exempt_recipient_among_others(world):
    mark = world.sendmail.log.mark()
    before = refusals(world)
    with session(LISTED) as smtp:
        smtp.mail()
        codes = [smtp.rcpt(to + "@sink.test").code for to in ("a", "postmaster", "b")]
        assert codes == [554, 250, 554]
        assert smtp.data().code == 250
    world.sendmail.log.wait_for(" to=<postmaster@sink.test>, .*stat=Sent", mark)
    assert scores(world.sink.next_mail()) == ["8/8"]
    assert refusals(world) == before + 1, "a message, not a recipient, is counted"


def test_recipients_that_sendmail_refuses(world):
    """Sendmail 8.17 does not tell of those that its own rules refuse, though it offers to;
    the others are judged as ever."""
    before = refusals(world)
    for source, code in ((CLEAN, 250), (LISTED, 554)):
        with session(source) as smtp:
            smtp.mail(sender=f"mta{code}@refuses.example")
            codes = [smtp.rcpt(to).code for to in ("unknown@mx.test", "a@sink.test")]
            assert codes == [550, code]
        (found,) = world.rblctl("--json", "why", f"mta{code}@refuses.example").json["decisions"]
        assert [(r["recipient"], r["outcome"]) for r in found["recipients"]] == [
            ("a@sink.test", "accepted" if code == 250 else "refused")]  # fmt: skip
    assert refusals(world) == before + 1


def test_messages_of_a_session_are_told_apart(world):
    """One that is aborted, one that is refused, two that pass."""
    with session(CLEAN) as smtp:
        smtp.mail("a@bad.example")
        assert smtp.command("RSET").code == 250
        smtp.mail("first@b.example")
        assert smtp.rcpt("x@sink.test").code == 250
        assert smtp.data(FORGED).code == 250
        smtp.mail("a@bad.example")
        assert smtp.rcpt("x@sink.test").code == 554
        smtp.command("RSET")
        smtp.mail("second@b.example")
        assert smtp.rcpt("x@sink.test").code == 250
        assert smtp.data("Subject: second\n\nX-RBL-Score: in the body\n").code == 250
    assert [values(world.sink.next_mail(), "From") for _ in range(2)] == [
        ["first@b.example"], ["second@b.example"],
    ]  # fmt: skip


@pytest.mark.parametrize("row", SENDERS, ids=[r[0] for r in SENDERS])
def test_no_spelling_hides_a_sender(world, row):
    with session(CLEAN) as smtp:
        mail = smtp.command(b"MAIL FROM:" + row[1])
        rcpt = smtp.rcpt("x@sink.test")
        assert mail.code >= 500 or rcpt.code == 554, (mail, rcpt)


@pytest.mark.parametrize("row", RECIPIENTS, ids=[r[0] for r in RECIPIENTS])
def test_recipient_that_only_looks_exempt(world, row):
    with session(LISTED) as smtp:
        smtp.mail()
        assert smtp.command("RCPT TO:" + row[1]).code >= 500


def test_tagged_mail_has_our_headers_only(world):
    mail = deliver(world, HALF, message=FORGED)
    assert scores(mail) == ["5/8"]
    assert values(mail, "X-RBL-Lists") == ["half(127.0.0.2:5)"]
    assert values(mail, "X-Other") == ["stays"] and values(mail, "Subject") == ["test"]
    assert mail.endswith("\n\nX-RBL-Score: in the body\n")


def test_forged_headers_are_removed_from_clean_mail(world):
    mail = deliver(world, CLEAN, message=FORGED)
    assert values(mail, "X-RBL-Score") == values(mail, "X-RBL-Lists") == []
    assert values(mail, "X-Other") == ["stays"]


def test_allow_list_is_told_at_the_top(world):
    name, value = headers_of(deliver(world, ALLOWED))[0]
    assert name == "Authentication-Results"
    assert re.sub(r"\s+", " ", value) == "mx.test; dnswl=pass dns.zone=wl.test policy.ip=127.0.9.3"


# What a message from the listed client gets where the verdict is given earlier or later.
STAGES = [
    # reject-at, the greeting's code, the replies to MAIL, RCPT, RCPT of postmaster, DATA
    ("connect", 554, ["550 5.0.0", "550 5.0.0", "550 5.0.0", "550 5.0.0"]),
    ("helo", 220, ["554 5.7.1", "554 5.7.1", "554 5.7.1", "554 5.7.1"]),
    ("mail", 220, ["554 5.7.1", "503 5.0.0", "503 5.0.0", "503 5.0.0"]),
    ("eom", 220, ["250 2.1.0", "250 2.1.5", None, "554 5.7.1"]),
]


@pytest.mark.parametrize("row", STAGES, ids=[r[0] for r in STAGES])
def test_reject_at(world, row):
    stage, greeting, replies = row
    early = {**SETTINGS, "exempt": {**SETTINGS["exempt"], "authenticated": False}}
    world.only.reload(world.conf(world.name_server, milter={"reject_at": stage}, **early))
    try:
        with session(LISTED) as smtp:
            assert smtp.greeting.code == greeting
            steps = [
                smtp.mail, lambda: smtp.rcpt("x@sink.test"), lambda: smtp.rcpt("postmaster"), smtp.data,
            ]  # fmt: skip
            for step, reply in zip(steps, replies):
                if reply is not None:
                    assert step()[:9] == reply
    finally:
        world.only.reload(world.conf(world.name_server, **SETTINGS))


AWAY = [
    # port: F=, the replies to MAIL and RCPT
    (1001, "250", "250"),
    (1002, "451 4.3.2 ", "503"),
    (1003, "550 5.0.0 ", "550"),
]


@pytest.mark.parametrize("row", AWAY, ids=["none", "F=T", "F=R"])
def test_without_the_daemon(world, row):
    port, mail, rcpt = row
    with session(LISTED, port) as smtp:
        assert smtp.mail().startswith(mail)
        assert smtp.rcpt("x@sink.test").startswith(rcpt)


@pytest.mark.parametrize("port,code", [(25, 250), (1005, 451)], ids=["none", "F=T"])
def test_daemon_that_ends_within_a_session(world, port, code):
    with session(CLEAN, port) as smtp:
        assert smtp.mail().code == 250
        world.only.terminate()
        assert smtp.rcpt("x@sink.test").code == code
        smtp.command("RSET")
    world.only.check_clean()
    world.only = world.daemon(world.name_server, **SETTINGS)
    assert world.send(source=LISTED).reply.code == 554


def test_is_it_asked(world):
    """The documents' commands for this."""
    assert world.sendmail.run(documented("sendmail ")[0]) == "MILTER\n"
    lines = world.sendmail.run(documented("grep ")[0]).splitlines()
    assert "O InputMailFilters=rblmilter" in lines
    assert "Xrblmilter, S=inet:8895@127.0.0.1, T=C:5s;S:10s;R:30s;E:5m" in lines


def test_readme_has_the_same_line():
    assert f"    {LINE}\n" in (ROOT / "README.md").read_text()


def test_other_lines_of_the_documents(world):
    """Those for several filters, for a sendmail that cannot be asked for macros, and for a
    busy one."""
    other = "MAIL_FILTER(`opendkim', `S=inet:1@127.0.0.1')dnl"
    lines = [UNASKED, other, *documented("define"), *documented("DAEMON_OPTIONS.*Listen")]
    text = Sendmail(world.sendmail.dir / "other", world.sink.port, lines).configure()
    assert "\nO InputMailFilters=rblmilter, opendkim\n" in text
    assert "\nO DaemonPortOptions=Name=MTA, Port=smtp, Listen=200\n" in text
    assert "\nO Milter.macros.connect=j, _, {client_name}, {client_resolve}\n" in text
    assert "\nO Milter.macros.envfrom=i, {auth_type}, {auth_authen}, {mail_addr}\n" in text


def test_unix_socket(world):
    """As in the documents, but for the user and group that a systemd unit would have."""
    run = world.sendmail.dir / "run/rblmilter"
    run.mkdir()
    shutil.chown(run, "nobody", "nogroup")
    text = "\n".join(documented(r"socket(-\w+)? +="))
    assert text.count("\n") == 2
    text = text.replace("/run/rblmilter", str(run)).replace("smmsp", "nogroup")
    conf = world.conf(
        world.name_server, lists=SETTINGS["lists"], user="nobody", milter={"socket": "as documented"},
        blocklist={"database": f"{run}/blocklist.db"}, control={"socket": f"{run}/control.sock"},
    )  # fmt: skip
    conf = conf.replace('socket = "as documented"', text)
    world.daemon(conf=conf, socket=f"unix:{run}/milter.sock", folder=run)
    attempt = world.send(port=1004, source=LISTED)
    assert attempt.reply == REFUSED.format(LISTED, "seen in traps"), attempt.replies
