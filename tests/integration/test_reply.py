# SPDX-License-Identifier: BSD-2-Clause
"""Reply texts: templates, and that nothing of a stranger's text can break a reply."""

import re

import pytest

from harness.conf import dnsbl
from harness.dns import listed, reversed_name

STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d rblmilter: "
CLIENT = "192.0.2.1"
NAME = reversed_name(CLIENT, "bl.test")
DEFAULT = f"554 5.7.1 Service unavailable; Client host [{CLIENT}] blocked using bl"


# label, reply section, options of the list, mail, the whole reply to RCPT
TEMPLATES = [
    ("the default", {}, {}, {}, DEFAULT + "; why"),
    ("all lists", {"list": "no: %{what} is on %{list}"}, {}, {},
     f"554 5.7.1 no: {CLIENT} is on bl"),
    ("one list", {"list": "not this"}, {"reply": "this: %{list}"}, {}, "554 5.7.1 this: bl"),
    ("one class", {"list": "not this", "client": "class: %{class}"}, {}, {},
     "554 5.7.1 class: Client host"),
    ("another class", {"list": "this", "helo": "not this"}, {}, {}, "554 5.7.1 this"),
    ("a list before a class", {"client": "not this"}, {"reply": "this"}, {}, "554 5.7.1 this"),
    ("all variables",
     {"list": "%{class}|%{what}|%{list}|%{reason}|%{code}|%{label}|%{client}|%{helo}|%{sender}"},
     {}, {"helo": "h.example", "sender": "s@b.example"},
     f"554 5.7.1 Client host|{CLIENT}|bl|why|127.0.0.2|spam|{CLIENT}|h.example|s@b.example"),
    ("URL with the subject in it",
     {"list": "see %{url}", "url": "https://x.example/?ip=%{what}&from=%{sender}"},
     {}, {"sender": "a&b=c@d.example"},
     f"554 5.7.1 see https://x.example/?ip={CLIENT}&from=a%26b%3Dc%40d.example"),
    ("percent signs", {"list": "100%% of %{what}"}, {}, {}, f"554 5.7.1 100% of {CLIENT}"),
]  # fmt: skip


@pytest.mark.parametrize("row", TEMPLATES, ids=[r[0] for r in TEMPLATES])
def test_reply_template(lab, row):
    _, reply, options, mail, want = row
    dns = lab.dns(listed(CLIENT, "bl.test", txt="why"))
    lab.daemon(
        dns,
        lists=[dnsbl("bl", "bl.test", {"127.0.0.2": {"label": "spam", "weight": 8}}, **options)],
        reply=reply,
    )
    assert lab.send(addr=CLIENT, **mail).reply == want


@pytest.mark.parametrize(
    "check,what",
    [
        ("client", f"Client host [{CLIENT}]"),
        ("client-name", "Client name [name.bad.example]"),
        ("helo", "Helo command [helo.bad.example]"),
        ("sender-domain", "Sender domain [from.bad.example]"),
    ],
)
def test_class_and_subject(lab, check, what):
    dns = lab.dns(
        listed(CLIENT, "bl.test") + [{"suffix": "bad.example.bl.test", "a": ["127.0.0.2"]}]
    )
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", check=[check])])
    attempt = lab.send(
        addr=CLIENT, name="name.bad.example", helo="helo.bad.example", sender="x@from.bad.example"
    )
    assert attempt.reply == f"554 5.7.1 Service unavailable; {what} blocked using bl"


# label, the TXT record's strings, what the reply shows of it
REASONS = [
    ("plain", ["listed, see https://bl.test/?192.0.2.1"],
     "; listed, see https://bl.test/?192.0.2.1"),
    ("percent signs", ["100% %s %n %{list} %%"], "; 100% %s %n %{list} %%"),
    ("line end", ["a\r\n250 2.0.0 Ok"], "; a\\x0D\\x0A250 2.0.0 Ok"),
    ("control characters", ["a\x00b\x1b[31mc\x7f"], None),
    ("8-bit", ["caf\xe9"], "; caf\\xE9"),
    ("UTF-8", ["caf\xc3\xa9"], "; caf\\xC3\\xA9"),
    ("empty", [""], ""),
    ("only spaces", ["   "], None),
]  # fmt: skip


@pytest.mark.parametrize("row", REASONS, ids=[r[0] for r in REASONS])
def test_reason_of_a_stranger(lab, row):
    _, txt, shown = row
    dns = lab.dns([{"name": NAME, "type": "TXT", "txt": txt}] + listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")])
    reply = lab.send(addr=CLIENT).reply
    assert reply.startswith(DEFAULT)
    assert re.fullmatch(r"[ -~]+", reply), ascii(reply)
    if shown is not None:
        assert reply == DEFAULT + shown


@pytest.mark.parametrize("size", [400, 600, 2000, 60000])
def test_huge_reason_is_cut_to_an_smtp_line(lab, size):
    dns = lab.dns([{"name": NAME, "type": "TXT", "txt_size": size}] + listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")])
    reply = lab.send(addr=CLIENT).reply
    assert reply.startswith(DEFAULT + "; xxxxx")
    assert len(reply) + 2 <= 512, "RFC 5321, 4.5.3.1.5"


def test_reply_of_nothing_but_percent_signs(lab):
    """More of them than libmilter takes, doubled: the reply must not be Postfix's own."""
    dns = lab.dns([{"name": NAME, "type": "TXT", "txt": ["%" * 900]}] + listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", reply="%{reason}")])
    assert re.fullmatch(r"554 5\.7\.1 %{480,}", lab.send(addr=CLIENT).reply)


def test_percent_signs_do_not_push_the_id_out(lab):
    dns = lab.dns([{"name": NAME, "type": "TXT", "txt": ["%" * 900]}] + listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", reply="%{reason}")], reply={"id": True})
    reply = lab.send(addr=CLIENT).reply
    assert re.fullmatch(r"554 5\.7\.1 %{450,} \[\w{4}-\w{4}-\w{4}\]", reply), reply


def test_huge_reason_of_percent_signs(lab):
    """They are doubled on their way to Postfix: the limit of libmilter must hold then."""
    dns = lab.dns([{"name": NAME, "type": "TXT", "txt": ["%" * 2000]}] + listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test")])
    reply = lab.send(addr=CLIENT).reply
    assert reply.startswith(DEFAULT + "; %%%%%")
    assert len(reply) + 2 <= 512


# What a client may say; each as HELO and as sender, by the milter protocol, so that no
# MTA cleans it before.
STRANGE = [
    ("line end", b"a\r\n250 Ok.example"),
    ("percent signs", b"%s%n%{list}%%.example"),
    ("8-bit", b"\xff\xfe\x80.example"),
    ("escape sequence", b"\x1b]0;title\x07.example"),
    ("angle brackets", b"x> score=0/8 lists=<.example"),
    ("spaces and quotes", b'a" b\' c.example'),
    ("backslashes", b"a\\.b\\046c.example"),
    ("very long", b"x" * 5000 + b".example"),
    ("empty", b""),
    ("only a NUL", b"\x00"),
]


@pytest.mark.parametrize("row", STRANGE, ids=[r[0] for r in STRANGE])
def test_strange_helo_and_sender(lab, row):
    dns = lab.dns(listed(CLIENT, "bl.test"))
    daemon = lab.daemon(
        dns,
        lists=[dnsbl("bl", "bl.test", reply="%{helo} %{sender} %{what} %{url}")],
        reply={"url": "https://x.example/%{helo}/%{sender}"},
    )
    client = lab.milter()
    client.connect(CLIENT)
    client.helo(row[1])
    client.mail(b"<x@" + row[1] + b">")
    since = daemon.log.count()
    reply = client.rcpt(b"<y@" + row[1] + b">")
    assert reply.kind == "reply" and reply.text.startswith("554 5.7.1 ")
    wire = reply.text.replace("%%", "%")
    assert re.fullmatch(r"[ -~]+", wire), ascii(wire)
    assert wire.count("%") * 2 == reply.text.count("%"), "every percent sign is doubled"
    assert len(wire) + 2 <= 512
    line = daemon.log.wait_for("reject:", since)
    assert re.fullmatch(r"[ -~]+", line), ascii(line)
    for other in daemon.log.matching("", since):
        assert re.match(STAMP, other), "a line was broken: " + ascii(other)
    assert len(daemon.log.matching("client=", since)) == 1, "one verdict, one line"
    pattern = r"reject: client=unknown\[192\.0\.2\.1\]( from=<[^<> ]*>)? to=<[^<> ]*> helo=<[^<> ]*> score=8/8 lists="
    assert re.search(pattern, line), line


def test_template_that_is_longer_than_a_line(lab):
    dns = lab.dns(listed(CLIENT, "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", reply="y" * 700)])
    reply = lab.send(addr=CLIENT).reply
    assert reply.startswith("554 5.7.1 yyyy") and len(reply) + 2 <= 512
