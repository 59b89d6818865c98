# SPDX-License-Identifier: BSD-2-Clause
"""Every shipped preset loads, alone and with all others, says where it comes from, and
keeps to the rules that docs/lists.md gives."""

import pathlib
import re
import subprocess

import pytest

from harness.daemon import binary, environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "etc/lists.d").glob("*.conf"))
HEADINGS = ["Operator:", "Source:", "Limits:", "Key or registration:", "Delisting:", "Resolver:"]
REFUSES_ALONE = {"spamhaus-zen", "spamhaus-zen-dqs", "spamhaus-dbl", "spamhaus-dbl-dqs", "abusix-combined"}
BITS_ADD_UP = {"surbl"}  # one bit alone does not refuse
PAY_TO_DELIST = {"uceprotect-1", "backscatterer"}
BOUNCES_ONLY = {"backscatterer", "spameatingmonkey-backscatter"}
ALLOW = {"dnswl", "mailspike-allow", "abusix-white"}


def check(folder, text):
    conf = folder / "rblmilter.conf"
    conf.write_text(text)
    command = [binary(), "-t", "-c", conf]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, env=environment()
    )


def include(preset):
    return f'include("{preset}")\n'


def sections(preset):
    """The list sections of a preset: name -> text."""
    text = re.sub(r"#.*", "", preset.read_text())
    return {
        found[1]: found[2]
        for found in re.finditer(r'^list "([^"]+)" \{\n(.*?)^\}', text, re.M | re.S)
    }


def option(section, name, default=None):
    found = re.search(rf'^\s*{name}\s*=\s*"?([^"\n{{]*?)"?\s*$', section, re.M)
    return found[1] if found else default


def weights(section):
    return [int(w) for w in re.findall(r"\bweight\s*=\s*(-?\d+)", section)]


ALL_SECTIONS = {name: text for p in PRESETS for name, text in sections(p).items()}
by_preset = pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.stem)
by_list = pytest.mark.parametrize("name", ALL_SECTIONS)


@by_preset
def test_loads_alone_without_a_warning(tmp_path, preset):
    # of a list alone; many cannot reach the default together with no other
    done = check(tmp_path, "verdict { reject = 1 tag = 1 }\n" + include(preset))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    shown = re.findall(r'^list "?([\w-]+)"? \{', done.stdout, re.M)
    assert shown == list(sections(preset))


def test_all_load_together(tmp_path):
    done = check(tmp_path, "".join(map(include, PRESETS)))
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^list ", done.stdout, re.M)) == len(ALL_SECTIONS)


def test_a_broken_preset_is_refused(tmp_path):
    """So that the tests above can fail."""
    broken = tmp_path / "broken.conf"
    broken.write_text(PRESETS[0].read_text().replace("zone ", "zoen "))
    done = check(tmp_path, include(broken))
    assert done.returncode == 1
    assert "broken.conf:" in done.stderr and "zoen" in done.stderr


def test_a_list_that_is_off_needs_its_key_only_when_switched_on(tmp_path):
    preset = (ROOT / "etc/lists.d/spamhaus-authbl.conf").read_text()
    key = tmp_path / "spamhaus.key"
    on = preset.replace('mode     = "off"', 'mode     = "enforce"')
    on = on.replace("/etc/rblmilter/spamhaus.key", str(key))
    done = check(tmp_path, on)
    assert done.returncode == 1
    assert "spamhaus.key" in done.stderr
    key.write_text("abcdefghijklmnopqrstuvwxyz\n")
    key.chmod(0o600)
    done = check(tmp_path, on)
    assert done.returncode == 0, done.stderr
    assert "abcdefghijklmnopqrstuvwxyz" not in done.stdout + done.stderr


@by_preset
def test_says_where_it_comes_from(preset):
    comment = "\n".join(l for l in preset.read_text().split("\n") if l.startswith("#"))
    assert [h for h in HEADINGS if f"# {h}" not in comment] == []
    assert "State of November 2026" in re.sub(r"\n#\s*", " ", comment)
    assert "resolver of one's own" in re.sub(r"\n#\s*", " ", comment)


@by_preset
def test_is_installed_and_documented(preset):
    assert f"etc/lists.d/{preset.name}" in (ROOT / "etc/local.mk").read_text()
    mode = option(next(iter(sections(preset).values())), "mode")
    # as a row of a table in docs/lists.md: its name, then the mode it ships with
    row = rf"^\| {preset.stem} \| {mode} \|"
    assert re.search(row, (ROOT / "docs/lists.md").read_text(), re.M), row


@by_list
def test_weights_keep_to_the_rules(name):
    section = ALL_SECTIONS[name]
    most = max(weights(section))
    if 'codes "&' in section and name not in BITS_ADD_UP:
        most = sum(weights(section))
    if name in ALLOW:
        assert most <= 0 and min(weights(section)) >= -5
    elif name in REFUSES_ALONE:
        assert most == 8
    else:
        assert 0 < most < 8 and min(weights(section)) >= 0


@by_list
def test_modes_keep_to_the_rules(name):
    section = ALL_SECTIONS[name]
    mode = option(section, "mode")
    assert mode in ("enforce", "monitor", "off")
    if "%{key}" in section:
        assert mode == "off" and option(section, "key-file", "").endswith(".key")
    if name in PAY_TO_DELIST:
        assert mode == "monitor"
    assert (option(section, "when") == "null-sender") == (name in BOUNCES_ONLY)


@by_list
def test_an_error_code_is_never_a_listing(name):
    codes = re.search(r"error-codes\s*=\s*\{([^}]*)\}", ALL_SECTIONS[name])[1]
    assert '"127.255.255.0/24"' in codes
    # Sender Score alone lists with 127.0.0.1
    assert ('"127.0.0.1"' in codes) == (name != "senderscore")
