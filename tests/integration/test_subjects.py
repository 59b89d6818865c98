# SPDX-License-Identifier: BSD-2-Clause
"""What is asked about a session, and what never is. Each row sends one mail of which
only one subject can be asked about, and compares what reached the name server."""

import base64
import hashlib

import pytest

from harness.conf import dnsbl
from harness.dns import listed, reversed_name

V6 = "2001:db8::25"
V6_NAME = (
    "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.cl.test"
)

LISTS = [
    dnsbl("cl", "cl.test", check=["client"], ipv6=True, weight=8),
    dnsbl("four", "four.test", check=["client"], ipv6=False, weight=1),
    dnsbl("nm", "nm.test", check=["client-name"], weight=8),
    dnsbl("he", "he.test", check=["helo"], weight=8),
    dnsbl("sd", "sd.test", check=["sender-domain"], weight=8),
    dnsbl("og", "og.test", check=["sender-domain"], organizational=True, weight=8),
    dnsbl("s1", "s1.test", check=["sender"], hash="sha1", weight=8),
    dnsbl("s2", "s2.test", check=["sender"], hash="sha256", weight=8),
    dnsbl("m5", "m5.test", check=["sender"], hash="md5", weight=8),
]

SPAMMER = "spam@hash.example"
SHA1 = hashlib.sha1(SPAMMER.encode()).hexdigest()

RULES = [
    *listed("192.0.2.1", "cl.test", "127.0.0.2", txt="seen in traps"),
    *listed(V6, "cl.test", "127.0.0.2", txt="seen in traps, too"),
    *listed("192.0.2.3", "cl.test", "127.0.0.2"),
    *listed("mail.bad.example", "nm.test", "127.0.0.2", txt="a dial-up name"),
    *listed("helo.bad.example", "he.test", "127.0.0.2", txt="a bot's greeting"),
    *listed("bad.example", "sd.test", "127.0.0.2", txt="spam domain"),
    *listed("registered.co.uk", "og.test", "127.0.0.2", txt="registered for spam"),
    *listed("xn--bcher-kva.example", "sd.test", "127.0.0.2", txt="books"),
    *listed(SHA1, "s1.test", "127.0.0.2", txt="a drop box"),
]


@pytest.fixture(scope="module")
def world(module_lab):
    module_lab.name_server = module_lab.dns(RULES)
    module_lab.daemon(module_lab.name_server, lists=LISTS)
    return module_lab


# A mail about which nothing can be asked: each row changes one thing.
SILENT = {"addr": "10.0.0.1", "name": None, "helo": "localhost", "sender": ""}

REFUSED = "554 5.7.1 Service unavailable; "


def asked(names):
    """Without the names of lists that are not the row's matter."""
    return sorted(n for n in names if not n.endswith(".four.test"))


ROWS = [
    # label, what differs, names that are asked for, the reply to RCPT (None: accepted)
    ("IPv4", {"addr": "192.0.2.1"}, ["1.2.0.192.cl.test"],
     REFUSED + "Client host [192.0.2.1] blocked using cl; seen in traps"),
    ("IPv6 by nibbles", {"addr": V6}, [V6_NAME],
     REFUSED + f"Client host [{V6}] blocked using cl; seen in traps, too"),
    ("client name, forward-confirmed", {"name": "mail.bad.example"},
     ["mail.bad.example.nm.test"],
     REFUSED + "Client name [mail.bad.example] blocked using nm; a dial-up name"),
    ("client name, case and dot", {"name": "Mail.Case.Example"},
     ["mail.case.example.nm.test"], None),
    ("client name not confirmed", {"reverse_name": "mail.bad.example"}, [], None),
    ("client name that is one label", {"name": "mailhost"}, [], None),
    ("HELO", {"helo": "helo.bad.example"}, ["helo.bad.example.he.test"],
     REFUSED + "Helo command [helo.bad.example] blocked using he; a bot's greeting"),
    ("HELO in capitals", {"helo": "HELO.Loud.Example"}, ["helo.loud.example.he.test"], None),
    ("HELO is an address literal", {"helo": "[192.0.2.77]"}, [], None),
    ("HELO is an IPv6 literal", {"helo": "[IPv6:2001:db8::1]"}, [], None),
    ("HELO is a bare address", {"helo": "192.0.2.77"}, [], None),
    ("HELO without a dot", {"helo": "workstation"}, [], None),
    ("HELO is no name", {"helo": "a..b.example"}, [], None),
    ("null sender", {"sender": ""}, [], None),
    ("sender without a domain", {"sender": "root"}, [], None),
    ("sender at an address literal", {"sender": "a@[192.0.2.77]"}, [], None),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_subject(world, row):
    _, change, names, reply = row
    before = len(world.name_server.queries(rtype="A"))
    attempt = world.send(**{**SILENT, **change})
    now = asked(world.name_server.names(rtype="A")[before:])
    assert now == sorted(names)
    if reply is None:
        assert attempt.accepted, attempt.replies
    else:
        assert (attempt.stage, attempt.reply) == ("rcpt", reply)


def sender_names(address, domain, registered):
    digest = address.encode()
    sha256 = base64.b32encode(hashlib.sha256(digest).digest()).decode().rstrip("=").lower()
    return sorted(
        ([f"{registered}.og.test"] if registered else [])
        + [
            f"{domain}.sd.test",
            f"{hashlib.sha1(digest).hexdigest()}.s1.test",
            f"{sha256}.s2.test",
            f"{hashlib.md5(digest).hexdigest()}.m5.test",
        ]
    )


SENDERS = [
    # label, MAIL FROM, address hashed, domain, registered domain, the reply to RCPT
    ("domain", "x@bad.example", "x@bad.example", "bad.example", "bad.example",
     REFUSED + "Sender domain [bad.example] blocked using sd; spam domain"),
    ("registered domain", "x@a.b.registered.co.uk", "x@a.b.registered.co.uk",
     "a.b.registered.co.uk", "registered.co.uk",
     REFUSED + "Sender domain [a.b.registered.co.uk] blocked using og; registered for spam"),
    ("a public suffix itself", "x@co.uk", "x@co.uk", "co.uk", None, None),
    ("hash", SPAMMER, SPAMMER, "hash.example", "hash.example",
     REFUSED + "Sender address [spam@hash.example] blocked using s1; a drop box"),
    ("hash of lower case, without tag", "Spam+news@Hash2.Example", "spam@hash2.example",
     "hash2.example", "hash2.example", None),
    ("hash at Gmail: without dots", "a.n.na+x@googlemail.com", "anna@gmail.com",
     "googlemail.com", "googlemail.com", None),
    ("quoted local part", '"a b"@quoted.example', "a b@quoted.example", "quoted.example",
     "quoted.example", None),
    ("quoted needlessly", '"anna"@plain.example', "anna@plain.example", "plain.example",
     "plain.example", None),
]  # fmt: skip


@pytest.mark.parametrize("row", SENDERS, ids=[r[0] for r in SENDERS])
def test_sender(world, row):
    _, sender, address, domain, registered, reply = row
    before = len(world.name_server.queries(rtype="A"))
    attempt = world.send(**{**SILENT, "sender": sender})
    now = asked(world.name_server.names(rtype="A")[before:])
    assert now == sender_names(address, domain, registered)
    if reply is None:
        assert attempt.accepted, attempt.replies
    else:
        assert (attempt.stage, attempt.reply) == ("rcpt", reply)


def test_sender_idn_is_asked_as_a_label(world):
    """SMTPUTF8: a domain and a local part in UTF-8."""
    before = len(world.name_server.queries(rtype="A"))
    attempt = world.send(
        **{**SILENT, "sender": "jürgen@Bücher.example"}, mail_parameters=" SMTPUTF8"
    )
    now = world.name_server.names(rtype="A")[before:]
    assert "xn--bcher-kva.example.sd.test" in now
    assert all(name.isascii() for name in now)
    assert attempt.stage == "rcpt"
    assert attempt.reply == REFUSED + (
        "Sender domain [xn--bcher-kva.example] blocked using sd; books"
    )


LOCAL = [
    "10.1.2.3", "172.16.0.9", "192.168.1.1", "127.0.0.5", "169.254.7.7", "100.64.0.1",
    "::1", "fe80::1", "fd00::5", "fc00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", LOCAL)
def test_local_address_is_never_asked_about(world, address):
    before = len(world.name_server.queries(rtype="A"))
    attempt = world.send(**{**SILENT, "addr": address})
    assert attempt.accepted, attempt.replies
    assert world.name_server.names(rtype="A")[before:] == []


PUBLIC = ["198.51.100.7", "203.0.113.7", "2001:db8:1::1", "172.32.0.1", "100.128.0.1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_documentation_and_public_addresses_are_asked_about(world, address):
    before = len(world.name_server.queries(rtype="A"))
    assert world.send(**{**SILENT, "addr": address}).accepted
    now = world.name_server.names(rtype="A")[before:]
    assert reversed_name(address, "cl.test") in now
    assert (":" not in address) == (reversed_name(address, "four.test") in now)


def test_ipv4_mapped_address_is_asked_as_ipv4(world):
    """Postfix unmaps, sendmail does not: so as sendmail would tell it."""
    client = world.milter()
    reply = client.envelope(addr="::ffff:192.0.2.3", sender="<>", helo="localhost")
    assert reply.kind == "reply"
    assert reply.text == "554 5.7.1 Service unavailable; Client host [192.0.2.3] blocked using cl"
    assert reversed_name("192.0.2.3", "cl.test") in world.name_server.names(rtype="A")


@pytest.mark.parametrize("address", [None, "/run/smtp.sock"])
def test_unknown_client_address_asks_nothing(world, address):
    before = len(world.name_server.queries(rtype="A"))
    client = world.milter()
    reply = client.envelope(addr=address, sender="<>", helo="localhost")
    assert reply.kind == "continue"
    assert world.name_server.names(rtype="A")[before:] == []


def test_name_longer_than_dns_allows_is_not_asked(world):
    """The zone fits no more: cut, it would be someone else's name."""
    helo = ".".join(["a" * 60] * 4) + ".example"
    before = len(world.name_server.queries(rtype="A"))
    client = world.milter()
    reply = client.envelope(addr="10.0.0.1", sender="<>", helo=helo)
    assert reply.kind == "continue"
    assert world.name_server.names(rtype="A")[before:] == []


@pytest.mark.parametrize("resolved", ["OK", "FORGED", "FAIL", "TEMP"])
def test_client_name_as_sendmail_tells_it(world, resolved):
    """There the name is told in any case, and another macro says whether it is confirmed."""
    macros = {"{client_name}": "mail.bad.example", "{client_resolve}": resolved}
    client = world.milter()
    client.connect("10.0.0.1", macros=macros)
    client.helo("localhost")
    client.mail("<>")
    assert client.rcpt().kind == ("reply" if resolved == "OK" else "continue")
