# SPDX-License-Identifier: BSD-2-Clause
"""Exemptions that are switched off."""

from harness.conf import dnsbl
from harness.dns import listed


def test_authenticated_user_is_judged_where_told_so(lab):
    dns = lab.dns(listed("192.0.2.1", "bl.test"))
    daemon = lab.daemon(
        dns, lists=[dnsbl("bl", "bl.test", weight=8)], exempt={"authenticated": False}
    )
    assert lab.send(addr="192.0.2.1", login="anna").reply.code == 554
    assert " login=<anna> " in daemon.log.wait_for("reject:")


def test_postmaster_is_judged_where_no_recipient_is_exempt(lab):
    dns = lab.dns(listed("192.0.2.1", "bl.test"))
    lab.daemon(dns, lists=[dnsbl("bl", "bl.test", weight=8)], exempt={"recipients": []})
    assert lab.send(addr="192.0.2.1", recipients=["postmaster@e.f"]).reply.code == 554
