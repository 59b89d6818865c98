# SPDX-License-Identifier: BSD-2-Clause
"""Conf files for the daemon, built from Python values: a test says only what it is
about."""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def value_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    return "{ " + ", ".join(value_text(v) for v in value) + " }"


def option_lines(options):
    """reject_at="rcpt" becomes reject-at = "rcpt"."""
    return [f"{name.replace('_', '-')} = {value_text(v)}" for name, v in options.items()]


def block(head, lines):
    return head + " {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def dnsbl(name, zone, codes=None, **options):
    """A list section. `codes` maps an expression to its options. Without test points,
    unless given: what is tested is not whether the list is well."""
    options.setdefault("test_listed", "")
    options.setdefault("test_unlisted", "")
    lines = option_lines({"zone": zone, **options})
    for expression, what in (codes or {}).items():
        inner = " ".join(option_lines(what))
        lines.append(f"codes {quoted(expression)} {{ {inner} }}")
    return block(f"list {quoted(name)}", lines)


def conf_text(folder, milter_socket, lists=(), servers=None, user="", extra="", **sections):
    """A whole conf file. Sections given by name win over what a test needs at least."""
    settings = {
        "milter": {"socket": milter_socket},
        "resolver": {"timeout": "1s", "attempts": 2, "deadline": "3s"},
        "verdict": {"reject": 8, "tag": 0},
        "blocklist": {"database": f"{folder}/blocklist.db"},
        "journal": {"directory": f"{folder}/journal", "min_free": "0"},
        "reply": {"id": False},
        "log": {"target": "stderr", "level": "info"},
        "control": {"socket": f"{folder}/control.sock"},
    }
    if servers is not None:
        settings["resolver"]["servers"] = [servers]
    for name, options in sections.items():
        settings.setdefault(name, {}).update(options)
    text = f"user = {quoted(user)}\n"
    text += "".join(block(name, option_lines(o)) for name, o in settings.items())
    return text + "".join(lists) + extra
