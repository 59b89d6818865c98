# SPDX-License-Identifier: BSD-2-Clause
"""Files of other programs: what is imported answers as the program itself does, or the line
was refused. Postfix is asked by postmap(1), rbldnsd by DNS."""

import contextlib
import ipaddress
import os
import pathlib
import random
import re
import socket
import struct
import subprocess

import pytest

from harness.daemon import binary, environment
from harness.rblctl import Rblctl
from harness.rbldnsd import Rbldnsd
from harness.smtp import Smtp

SEED = 20261125


@pytest.fixture
def rblctl(lab):
    lab.daemon(exempt={"networks": ["127.0.0.0/8"]})
    return Rblctl(lab.dir)


def imported(rblctl, name, *options):
    """Imports, and returns the numbers of the refused lines."""
    result = rblctl("import", name, "--source", "t", *options)
    assert result.status in (0, 4), result
    return {int(n) for n in re.findall(rf"{re.escape(name)}:(\d+): ", result.err)}


def entries(rblctl):
    rows = rblctl("list", "--json").json["entries"]
    return {row["entry"]: row["action"] for row in rows}


def bits(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    return "".join(f"{byte:08b}" for byte in packed)


def network_action(table, address):
    """The nearest network decides."""
    best, action = -1, None
    mine = bits(address)
    for entry, does in table.items():
        base, _, prefix = entry.partition("/")
        theirs = bits(base)
        length = int(prefix) if prefix else len(theirs)
        if len(theirs) == len(mine) and theirs[:length] == mine[:length] and length > best:
            best, action = length, does
    return action


def name_action(table, name, prefix):
    while name:
        if prefix + name in table:
            return table[prefix + name]
        name = name.partition(".")[2]
    return None


def postmap(lab, kind, name, keys):
    (lab.dir / "main.cf").write_text("compatibility_level = 3.7\n")
    process = subprocess.run(
        ["postmap", "-c", str(lab.dir), "-q", "-", f"{kind}:{lab.dir / name}"],
        input="".join(f"{key}\n" for key in keys),
        capture_output=True,
        encoding="utf-8",
    )
    return dict(line.split("\t", 1) for line in process.stdout.splitlines())


def meaning(value):
    means = {"REJECT": "block", "DEFER": "tempfail", "450": "tempfail", "OK": "allow"}
    return means.get(value.split()[0]) if value else None


def outcome(lines):
    """As text, numbered lines for a failed test."""
    return "\n".join(f"{n}: {line}" for n, line in enumerate(lines, 1))


def random_network(rng):
    octets = [rng.choice([11, 198]), rng.choice([51, 52]), rng.randrange(4), rng.randrange(256)]
    number = int.from_bytes(bytes(octets), "big")
    prefix = rng.choice([14, 15, 16, 22, 23, 24, 25, 28, 31, 32])
    number &= 0xFFFFFFFF << (32 - prefix)
    text = ".".join(str(b) for b in (number & 0xFFFFFFFF).to_bytes(4, "big"))
    return text if prefix == 32 else f"{text}/{prefix}"


def random_address(rng):
    return f"{rng.choice([11, 198])}.{rng.choice([51, 52])}.{rng.randrange(4)}.{rng.randrange(256)}"


@pytest.mark.parametrize("number", range(3))
def test_cidr_tables(lab, rblctl, number):
    rng = random.Random(SEED + number)
    lines, depth = [], 0
    for _ in range(60):
        kind = rng.random()
        if kind < 0.05 and depth < 2:
            lines.append(f"if {rng.choice(['', '!'])}{random_network(rng)}")
            depth += 1
        elif kind < 0.12 and depth > 0:
            lines.append("endif")
            depth -= 1
        else:
            mark = "!" if rng.random() < 0.03 else ""
            lines.append(f"{mark}{random_network(rng)} {rng.choice(['REJECT', '450', 'OK', 'DUNNO'])}")
    lines += ["endif"] * depth + ["2001:db8:1::/48 DUNNO", "2001:db8::/32 REJECT"]
    (lab.dir / "t.cidr").write_text("\n".join(lines) + "\n")
    refused = imported(rblctl, "t.cidr", "--format", "postfix")
    table = entries(rblctl)
    # with the number of the line as its result Postfix says which one decided
    numbered = [
        line if line.startswith(("if", "endif")) else f"{line} {n}" for n, line in enumerate(lines, 1)
    ]
    (lab.dir / "numbered").write_text("\n".join(numbered) + "\n")
    keys = {random_address(rng) for _ in range(1200)} | {"2001:db8::1", "2001:db8:1::1"}
    said = postmap(lab, "cidr", "numbered", sorted(keys))
    compared = 0
    for key in keys:
        value = said.get(key)
        line = int(value.split()[1]) if value else None
        want = None if line in refused else meaning(value)
        assert network_action(table, key) == want, (key, value, outcome(lines))
        compared += want is not None
    assert compared > 100


@pytest.mark.parametrize("table", ["client", "sender", "helo"])
def test_indexed_tables(lab, rblctl, table):
    """Postfix is asked key by key, as access(5) says that it looks a name up."""
    rng = random.Random(f"{SEED}{table}")
    labels = ["a", "b", "mail", "x"]
    tops = ["one.example", "two.example", "three.example"]

    def name():
        return ".".join([*rng.choices(labels, k=rng.randrange(3)), rng.choice(tops)])

    keys = {name(): None for _ in range(25)}
    if table == "client":
        keys |= dict.fromkeys(["11.51", "198.52.1", "11.51.3", "11.51.3.7", "198.52.1.9"])
    if table == "sender":
        keys |= dict.fromkeys(f"anna@{name()}" for _ in range(10))
    lines = [f"{key} {rng.choice(['REJECT', 'DEFER', 'OK', 'DUNNO'])}" for key in keys]
    (lab.dir / "t").write_text("\n".join(lines) + "\n")
    numbered = "\n".join(f"{line} {n}" for n, line in enumerate(lines, 1)) + "\n"
    (lab.dir / "numbered").write_text(numbered)
    refused = imported(rblctl, "t", "--format", "postfix", "--table", table)
    listed = entries(rblctl)
    subjects = {name() for _ in range(1000)}
    subjects |= {random_address(rng) for _ in range(1000)} if table == "client" else set()
    subjects |= {f"anna@{name()}" for _ in range(500)} if table == "sender" else set()
    steps = {subject: lookups(subject) for subject in subjects}
    said = postmap(lab, "texthash", "numbered", sorted({k for s in steps.values() for k in s}))
    for subject, walk in steps.items():
        value = next((said[key] for key in walk if key in said), None)
        line = int(value.split()[1]) if value else None
        got = found(listed, subject, "" if table == "sender" else "host:")
        # a refused exception: the names above it are refused, too
        want = None if line in refused else meaning(value)
        assert got == want, (subject, value, got, sorted(refused), outcome(lines))


def lookups(subject):
    if re.fullmatch(r"[\d.]+", subject):
        parts = subject.split(".")
        return [".".join(parts[:n]) for n in range(4, 0, -1)]
    domain = subject.rpartition("@")[2]
    parts = domain.split(".")
    above = [".".join(parts[n:]) for n in range(len(parts))]
    return ([subject] if "@" in subject else []) + above


def found(listed, subject, prefix):
    if re.fullmatch(r"[\d.]+", subject):
        return network_action({k: v for k, v in listed.items() if k[0].isdigit()}, subject)
    if "@" in subject and subject in listed:
        return listed[subject]
    return name_action(listed, subject.rpartition("@")[2], prefix)


@contextlib.contextmanager
def rbldnsd(lab, kind):
    """The real one, with t.zone."""
    server = Rbldnsd(lab.dir, [("bl.test", kind, (lab.dir / "t.zone").read_text())])
    try:
        yield server
    finally:
        server.stop()


def records(server, name, number):
    """How many records of that type there are, and the answer from the first one's data on."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", server.port))
        s.send(b"\0\7\0\0\0\1\0\0\0\0\0\0" + labels + struct.pack(">xHH", number, 1))
        answer = s.recv(1500)
    at = 12 + len(labels) + 1 + 4 + 2 + 8 + 2  # header, question, name, type to TTL, length
    return struct.unpack(">H", answer[6:8])[0], answer[at:]


def is_listed(server, name):
    return records(server, name, 1)[0] > 0


def txt_record(server, name):
    """The first TXT record's first string."""
    count, data = records(server, name, 16)
    return data[1 : 1 + data[0]].decode() if count > 0 else ""


@pytest.mark.parametrize("kind", ["ip4set", "ip4trie"])
def test_rbldnsd_addresses(lab, rblctl, kind):
    rng = random.Random(f"{SEED}{kind}")
    networks = list(dict.fromkeys(random_network(rng) for _ in range(80)))
    lines = [rng.choice(["", "", "!"]) + network for network in networks]
    if kind == "ip4set":
        lines += ["198.51.2.10-20", "!198.51.2.12-14", "11.52.0.250-11.52.1.7"]
    (lab.dir / "t.zone").write_text(f"$DATASET {kind}:x @\n" + "\n".join(lines) + "\n")
    refused = imported(rblctl, "t.zone", "--format", "rbldnsd")
    table = entries(rblctl)
    with rbldnsd(lab, "combined") as server:
        for address in {random_address(rng) for _ in range(1000)}:
            name = ".".join(reversed(address.split("."))) + ".bl.test"
            got, want = network_action(table, address), is_listed(server, name)
            assert (got == "block") == want, (address, got, want, sorted(refused), outcome(lines))
    assert table


def random_ipv6(rng):
    groups = [0x2001, 0xDB8, rng.randrange(2), rng.choice([0, 0xFF00]), 0, 0, 0, rng.randrange(4)]
    return ":".join(f"{group:x}" for group in groups)


def test_rbldnsd_ipv6(lab, rblctl):
    rng = random.Random(f"{SEED}ip6trie")
    drawn = (f"{random_ipv6(rng)}/{rng.choice([32, 48, 56, 64, 126, 128])}" for _ in range(40))
    networks = {str(ipaddress.ip_network(network, strict=False)) for network in drawn}
    lines = [rng.choice(["", "", "!"]) + network for network in sorted(networks)]
    (lab.dir / "t.zone").write_text("$DATASET ip6trie:x @\n" + "\n".join(lines) + "\n")
    refused = imported(rblctl, "t.zone", "--format", "rbldnsd")
    table = entries(rblctl)
    with rbldnsd(lab, "combined") as server:
        for address in {random_ipv6(rng) for _ in range(500)}:
            nibbles = socket.inet_pton(socket.AF_INET6, address).hex()
            name = ".".join(reversed(nibbles)) + ".bl.test"
            got, want = network_action(table, address), is_listed(server, name)
            assert (got == "block") == want, (address, got, want, sorted(refused), outcome(lines))
    assert table


def test_rbldnsd_texts(lab, rblctl):
    """The reason of an entry is the text that rbldnsd gives for it."""
    lines = ["$1 https://x.example/?ip=", ":127.0.0.2:listed, see $1$", "192.0.2.1",
             "192.0.2.2 :127.0.0.3:own $$5, $1", "192.0.2.3 its own", ":2:other $", "192.0.2.4",
             "192.0.2.5 :9:", "192.0.2.6 :9"]  # fmt: skip
    (lab.dir / "t.zone").write_text("\n".join(lines) + "\n")
    assert imported(rblctl, "t.zone", "--format", "rbldnsd") == set()
    rows = {row["entry"]: row["reason"] for row in rblctl("list", "--json").json["entries"]}
    with rbldnsd(lab, "ip4set") as server:
        for n in range(1, 7):
            want = txt_record(server, f"{n}.2.0.192.bl.test")
            assert rows[f"192.0.2.{n}"] == want, n


def test_rbldnsd_names(lab, rblctl):
    lines = [":2:listed", ".a.example", "*.b.example", "c.example", "d.example", "*.d.example"]
    lines += [".e.example", "!good.e.example", ".f.a.example"]
    (lab.dir / "t.zone").write_text("\n".join(lines) + "\n")
    assert imported(rblctl, "t.zone", "--format", "rbldnsd") == {3, 4, 7}
    table = entries(rblctl)
    with rbldnsd(lab, "dnset") as server:
        for top in "abcde":
            for below in ("", "x.", "y.x.", "good.", "f.", "x.f."):
                name = f"{below}{top}.example"
                got, want = name_action(table, name, ""), is_listed(server, f"{name}.bl.test")
                assert (got == "block") == (want and top not in "bce"), (name, got, want)


def test_clients_of_a_table(lab, rblctl):
    """What --table client makes, and what the summary says."""
    (lab.dir / "t").write_text("mail.friend.example OK\ndynamic.isp.example REJECT\n203.0.113 OK\n")
    said = rblctl("import", "t", "--format", "postfix", "--table", "client")
    assert "names: 2 taken as hosts" in said.out, said
    want = {"host:mail.friend.example": "allow", "host:dynamic.isp.example": "block"}
    assert entries(rblctl) == {**want, "203.0.113.0/24": "allow"}
    said = rblctl("import", "t", "--format", "postfix", "--source", "other")
    assert "--table client" in said.err and "0 taken as hosts" in said.out, said


ACTIONS = {
    "a.example": "tempfail", "x@c.example": "tempfail", "192.0.2.0/24": "tempfail",
    "b.example": "block", "user:otto": "tempfail", "~y@d.example": "block",
}  # fmt: skip


@pytest.fixture
def mixed(rblctl):
    assert rblctl("tempfail", "a.example").status == 0
    assert rblctl("tempfail", "x@c.example", "192.0.2.0/24", "user:otto", "-r", "slow down").status == 0
    assert rblctl("add", "b.example", "~y@d.example", "-r", "bulk").status == 0
    # a block of another source decides, whatever the order of the two
    for source in ("a", "z"):
        assert rblctl("tempfail", "b.example", "--source", source).status == 0
    return rblctl


@pytest.mark.parametrize("name", ["plain", "csv", "json", "postfix", "rbldnsd"])
def test_there_and_back(lab, mixed, name):
    """What is exported, imported again elsewhere: the same actions, or left out."""
    said = mixed("export", "--format", name)
    assert said.status == 0, said
    cannot = {"postfix": {"user:otto"}, "rbldnsd": set(ACTIONS) - {"b.example"}}.get(name, set())
    assert (f"{len(cannot)} entries left out" in said.err) == bool(cannot), said
    (lab.dir / "t").write_text(said.out)
    assert mixed("remove", *ACTIONS).status == 0
    assert mixed("import", "t", "--format", name).status == 0
    got = {entry: mixed("--json", "check", entry).json["checks"][0] for entry in ("x@b.example", "y@a.example")}
    assert [c["verdict"] for c in got.values()] == ["reject", "accept" if name == "rbldnsd" else "tempfail"]
    rows = mixed("list", "--json").json["entries"]
    pairs = {(row["entry"], row["action"]) for row in rows} - {("b.example", "tempfail")}
    assert pairs == {(k, v) for k, v in ACTIONS.items() if k not in cannot}


def test_postfix_puts_off(lab, mixed):
    """Postfix itself, by the exported table, and without the daemon."""
    (lab.postfix.dir / "access").write_text(mixed("export", "--format", "postfix").out)
    for sender, start in (
        ("x@a.example", "451 4.7.1 <x@a.example>: Sender address rejected: Try again later"),
        ("x@c.example", "451 4.7.1 <x@c.example>: Sender address rejected: slow down"),
        ("x@b.example", "554 5.7.1 <x@b.example>: Sender address rejected: bulk"),
        ("~y@d.example", "554 5.7.1 <~y@d.example>: Sender address rejected: bulk"),
    ):
        with Smtp(lab.postfix.access_port) as smtp:
            smtp.ehlo()
            smtp.mail(sender)
            assert smtp.rcpt() == start


def test_replace_by_a_wrong_file(lab, rblctl):
    (lab.dir / "good").write_text("".join(f"d{n}.example\n" for n in range(120)))
    (lab.dir / "cut").write_text("".join(f"d{n}.example\n" for n in range(70)))
    (lab.dir / "page").write_text("<html>\n<p>\nno feed, write to\nfeed.example\n")
    assert rblctl("import", "good", "--source", "feed").status == 0
    for name in ("cut", "page"):
        said = rblctl("import", name, "--source", "feed", "--replace")
        assert said.status == 4 and "--force" in said.err, said
        assert len(entries(rblctl)) == 120
    assert rblctl("import", "cut", "--source", "feed", "--replace", "--force").status == 0
    assert len(entries(rblctl)) == 70


def test_standard_input_is_read_whole_first(lab, rblctl):
    """The daemon hears nothing before the pipe has ended."""
    process = subprocess.Popen(
        [binary("rblctl"), "-s", rblctl.socket, "import", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    )
    process.stdin.write("".join(f"d{n}.example\n" for n in range(20000)))
    process.stdin.flush()
    # more than a pipe holds: most of it was read, and still there is no connection
    links = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{process.pid}/fd").iterdir()]
    assert not [link for link in links if link.startswith("socket:")], links
    out, _ = process.communicate("last.example\n", timeout=30)
    assert process.returncode == 0 and out.startswith("20001 rows, 20001 added"), out
