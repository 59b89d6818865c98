# SPDX-License-Identifier: BSD-2-Clause
"""sendmail's access table: what is imported answers as sendmail's own rules do over the same
table, which `sendmail -bt` is asked for. Only what was refused may be missing."""

import random
import re
import subprocess

import pytest

from harness.sendmail import PACKAGES, missing
from test_import_tables import SEED, entries, imported, name_action, network_action, rblctl  # noqa: F401

PROGRAMS = PACKAGES / "usr/libexec/sendmail"
CF = PACKAGES / "usr/share/sendmail/cf"

MC = """include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.test')dnl
define(`confDONT_BLAME_SENDMAIL', `MapInUnsafeDirPath')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`access_db', `hash -T<TMPF> {folder}/access', `skip')dnl
MAILER(`smtp')dnl
LOCAL_RULESETS
Sclient
R$+ $$| $+\t$@ $>Basic_check_relay $1 $| $2
"""

LABELS = ("a", "b", "c")
NETWORKS = ("192", "192.0", "192.0.2", "192.0.2.1", "192.0.2.128", "192.1", "IPv6:2001:db8", "IPv6:2001:db8:1")
VALUES = {"REJECT": "block", "ERROR:5.7.1:\"550 no\"": "block", "550 no": "block",
          "ERROR:4.7.1:\"450 wait\"": "tempfail", "450 wait": "tempfail", "OK": "allow", "RELAY": "allow"}


@pytest.fixture(autouse=True)
def sendmail():
    why = missing()
    if why:
        pytest.skip(why)


def run(*command, **options):
    return subprocess.run(command, capture_output=True, encoding="utf-8", **options).stdout


def refusal(text):
    """Of '$# error $@ 4 . 7 . 1 $: "450 wait"'."""
    return "tempfail" if re.search(r'\$: "?4\d\d ', text) else "block"


def real(folder, table, questions):
    """What sendmail says to each (rule set, text): block, tempfail, allow or None."""
    (folder / "access.mc").write_text(MC.format(cf=CF, folder=folder))
    (folder / "access.cf").write_text(run("m4", f"-D_CF_DIR_={CF}/", str(folder / "access.mc")))
    # The status of both is that of a key that is there twice, of the last refusal
    run(PROGRAMS / "makemap", "-C", folder / "access.cf", "hash", folder / "access", input=table)
    out = run(
        "unshare", "-nu", "sh", "-c", 'hostname mx.test; exec "$0" -bt -C "$1"',
        PROGRAMS / "sendmail", folder / "access.cf",
        input="".join(f"{ruleset} {text}\n" for ruleset, text in questions),
    )
    assert "TMPF" not in out, out  # it could not open the table
    said = []
    for part in out.split("\n> ")[1:]:
        last = re.findall(r"returns: (.*)", part)
        if last:
            said.append(refusal(last[-1]) if last[-1].startswith("$# error") else
                        "allow" if re.fullmatch(r"(\$# )?(OK|RELAY)", last[-1].strip()) else None)
    assert len(said) == len(questions), out
    return said


def refusing(action):
    """That nothing was found and that a client may go on are one here."""
    return action if action in ("block", "tempfail") else None


def names():
    return [".".join(random.choices(LABELS, k=random.randint(1, 3))) + ".example" for _ in range(40)]


def random_table(tags, keys, values):
    return "".join(f"{random.choice(tags)}{key}\t{random.choice(values)}\n" for key in keys)


@pytest.mark.parametrize("turn", range(3))
def test_networks(lab, rblctl, turn):  # noqa: F811
    random.seed(SEED + turn)
    keys = random.choices(NETWORKS, k=7)
    table = random_table(("Connect:", ""), keys, [*VALUES, "SKIP"])
    addresses = [f"192.{a}.{b}.{c}" for a in (0, 1, 2) for b in (2, 3) for c in (1, 2, 128)]
    addresses += ["193.0.2.1", "2001:db8:1:2:3:4:5:6", "2001:db8:2:2:3:4:5:6", "2001:db9:1:2:3:4:5:6"]
    questions = [("client", "x.test $| " + ("IPv6:" if ":" in a else "") + a) for a in addresses]
    (lab.dir / "access.txt").write_text(table)
    imported(rblctl, "access.txt", "--format", "sendmail")
    listed = {e: does for e, does in entries(rblctl).items() if ":" in e or e[0].isdigit()}
    # that nothing was found reads as OK, which lets a client go on: no entry says it
    found = real(lab.dir, table, [*questions, ("client", "x.test $| 10.9.9.9")])
    assert found.pop() == "allow"
    for address, said in zip(addresses, found):
        ours = network_action(listed, address)
        assert refusing(ours) == refusing(said), (address, table)
    assert "block" in found and "allow" in found, table


@pytest.mark.parametrize("skips", (False, True))
def test_names(lab, rblctl, skips):  # noqa: F811
    random.seed(SEED)
    tagged = random_table(("Connect:", "From:"), names(), [*VALUES, "SKIP"] if skips else [*VALUES])
    table = tagged + random_table(("",), names()[:8], ["REJECT", "OK"] if skips else ["REJECT"])
    asked = sorted({f"x.{name}" for name in names()} | set(names()))
    (lab.dir / "access.txt").write_text(table)
    refused = imported(rblctl, "access.txt", "--format", "sendmail")
    listed = entries(rblctl)
    senders = real(lab.dir, table, [("Basic_check_mail", f"u@{name}") for name in asked])
    clients = real(lab.dir, table, [("client", f"{name} $| 10.9.9.9") for name in asked])
    for name, sender, client in zip(asked, senders, clients):
        ours = name_action(listed, name, "")
        assert ours == sender or (skips and refused and ours is None), (name, sender, table)
        ours = name_action(listed, name, "host:")
        assert refusing(ours) == refusing(client) or (skips and refused and ours is None), (name, client, table)
    assert {"block", "allow"} <= set(senders) and {"block", "allow"} <= set(clients)
