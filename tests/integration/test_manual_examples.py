# SPDX-License-Identifier: BSD-2-Clause
"""The manual page and the sample conf against the program: every example loads, every
option is described and has the default that the page says."""

import re
import shutil
import subprocess

import pytest

from harness.daemon import ROOT, binary, environment

PAGE = (ROOT / "man/rblmilter.conf.5").read_text()
SAMPLE = ROOT / "etc/rblmilter.conf"
LIST = ('list "x" { zone = "x.example" codes "127.0.0.2" { } }\n'
        'rule "x" { over = { "5 messages in 1h" } }\n')
DEPENDS = {("list", "test-listed"), ("list", "test-unlisted"), ("codes", "weight"),
           ("rule", "list")}  # fmt: skip
TITLED = ("list", "codes", "rule")
GIVEN = {("list", "zone"), ("rule", "over")}


def check(path):
    return subprocess.run(
        [binary(), "-t", "-c", path],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
    )


def plain(text):
    return text.replace(r"\(dq", '"').replace(r"\&", "").replace(r"\e", "\\")


def examples():
    return [plain(e) for e in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", PAGE, re.M | re.S)]


def options(text):
    """(section, option): value of what -t prints, or of a file of one option a line."""
    found, sections = {}, []
    for line in text.splitlines():
        line = line.strip()
        if line.endswith("{"):
            sections.append(line.split()[0])
        elif line == "}":
            sections.pop()
        elif match := re.match(r"([a-z0-9-]+) = (.*)", line):
            found[(sections[-1] if sections else "", match[1])] = match[2]
    return found


def described():
    """(section, option): default, as the page says it."""
    found, section = {}, None
    for line in PAGE.splitlines():
        if match := re.match(r"\.Ss (.*)", line):
            section = "" if "outside" in match[1] else match[1]
        elif match := re.match(r"\.It Ic ([a-z0-9-]+)(?: = (.*))?$", line):
            found[(section, match[1])] = plain(match[2] or "")
    return found


def defaults(tmp_path):
    conf = tmp_path / "defaults.conf"
    conf.write_text(LIST)
    result = check(conf)
    assert result.returncode == 0, result.stderr
    return options(result.stdout)


@pytest.fixture
def etc(tmp_path):
    """What examples expect below /etc/rblmilter."""
    for folder in ("lists.d", "rules.d"):
        shutil.copytree(ROOT / "etc" / folder, tmp_path / folder)
    key = tmp_path / "spamhaus.key"
    key.write_text("abcdefghijklmnopqrstuvwxyz\n")
    key.chmod(0o640)
    return tmp_path


@pytest.mark.parametrize("example", examples(), ids=lambda e: e.split("\n")[0])
def test_example_loads(etc, example):
    conf = etc / "example.conf"
    conf.write_text(example.replace("/etc/rblmilter", str(etc)))
    result = check(conf)
    assert (result.returncode, result.stderr) == (0, "")


def test_every_option_has_an_example(tmp_path):
    text = "\n".join(examples())
    missing = [o for s, o in defaults(tmp_path) if not re.search(rf"\b{o}\s*\+?=", text)]
    assert missing == []


def test_defaults_are_as_described(tmp_path):
    told, real = described(), defaults(tmp_path)
    assert told.keys() == real.keys()
    for option in DEPENDS | GIVEN:
        del told[option], real[option]
    assert told == real


def test_sample_loads_with_the_defaults(etc):
    conf = etc / "rblmilter.conf"
    shutil.copy(SAMPLE, conf)
    result = check(conf)
    assert (result.returncode, result.stderr) == (0, "")
    real = {o: v for o, v in defaults(etc).items() if o[0] not in TITLED}
    assert {o: v for o, v in options(result.stdout).items() if o[0] not in TITLED} == real


def test_what_the_sample_comments_out(etc):
    """With all its comments on options taken away it says the defaults, and all lists
    that it names are there."""
    text = SAMPLE.read_text()
    text = re.sub(r"^( *)#(?=[a-z-]+ = |include)", r"\1", text, flags=re.M)
    conf = etc / "uncommented.conf"
    conf.write_text(text)
    result = check(conf)
    assert (result.returncode, result.stderr) == (0, "")
    real = {o: v for o, v in defaults(etc).items() if o[0] not in TITLED}
    said = {o: v for o, v in options(text).items() if o[0] not in TITLED}
    assert said == real


@pytest.mark.parametrize("section", ["list", "rule"])
def test_the_sample_section(etc, section):
    """The section in comments names every option of a list, and of a rule."""
    block = re.search(rf'^#{section} "example" \{{\n(.*?)^#\}}', SAMPLE.read_text(), re.M | re.S)
    text = re.sub(r"^#", "", block[0], flags=re.M)
    (etc / "example.key").write_text("abc\n")
    (etc / "example.key").chmod(0o640)
    conf = etc / "list.conf"
    conf.write_text(text.replace("/etc/rblmilter", str(etc)))
    result = check(conf)
    assert (result.returncode, result.stderr) == (0, "")
    names = {o for s, o in defaults(etc) if s == section}
    assert names <= set(re.findall(r"([a-z0-9-]+) = ", text))


@pytest.mark.parametrize("preset", sorted((ROOT / "etc/lists.d").glob("*.conf")),
                         ids=lambda p: p.stem)
def test_preset_loads(tmp_path, preset):
    conf = tmp_path / "rblmilter.conf"
    conf.write_text(f'verdict {{ reject = 1 tag = 1 }}\ninclude("{preset}")\n')
    result = check(conf)
    assert (result.returncode, result.stderr) == (0, "")
