# SPDX-License-Identifier: BSD-2-Clause
"""A list that lied is taken back when it is well, but not what it said meanwhile: that is
in the cache, and in sessions that are still open."""

import pytest

from harness.conf import dnsbl

TRUTH = [{"name": "2.0.0.127.bl.test", "a": ["127.0.0.2"]},
         {"suffix": "bl.test", "rcode": "NXDOMAIN"}]  # fmt: skip

# what the list does, which state it is put into, and whether a client who is asked about
# at the beginning is refused
FALSE = [
    ("lists everybody", {"a": ["127.0.0.2"], "ttl": 3600}, "lying", True),
    ("error code", {"a": ["127.255.255.254"], "ttl": 3600}, "blocked", False),
]

CLIENT = "192.0.2.77"


def refused(client):
    reply = client.envelope(CLIENT)
    return reply.text.startswith("554 5.7.1 ")


@pytest.mark.parametrize("row", FALSE, ids=[row[0] for row in FALSE])
def test_old_lies(lab, row):
    _, rule, state, at_first = row
    dns = lab.dns(TRUTH)
    lists = [dnsbl("bl", "bl.test", weight=8, test_listed="127.0.0.2",
                   test_unlisted="127.0.0.1")]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists, health={"interval": "1s"})
    daemon.log.wait_for("list=bl state=healthy")
    dns.rules([{"suffix": "bl.test", **rule}])
    during = lab.milter()
    assert refused(during) is at_first
    daemon.log.wait_for(f"list=bl state={state}")
    assert not refused(lab.milter())
    dns.rules(TRUTH)
    daemon.log.wait_for(f"list=bl state=healthy was={state}")
    during.abort()
    during.mail()
    assert during.rcpt().kind == "continue"
    assert not refused(lab.milter())
    asked = dns.names("77.2.0.192.bl.test", "A")
    # again: what was cached is not believed, and an error is not cached at all
    assert len(asked) == 2 if at_first else len(asked) >= 2
    # then no server answers, when only what is remembered counts
    dns.down()
    assert not refused(lab.milter())
    daemon.log.wait_for("resolver: server=.* state=away")
    assert not refused(lab.milter())


def test_empty_list(lab):
    """What an empty list did not list is queried again, too."""
    listed = {"name": "77.2.0.192.bl.test", "a": ["127.0.0.2"]}
    dns = lab.dns([listed, *TRUTH])
    lists = [dnsbl("bl", "bl.test", weight=8, test_listed="127.0.0.2",
                   test_unlisted="127.0.0.1")]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists, health={"interval": "1s"})
    daemon.log.wait_for("list=bl state=healthy")
    dns.rules([{"suffix": "bl.test", "rcode": "NXDOMAIN",
                "soa": {"ttl": 3600, "minimum": 3600}}])  # fmt: skip
    assert not refused(lab.milter())
    daemon.log.wait_for("list=bl state=empty")
    dns.rules([listed, *TRUTH])
    daemon.log.wait_for("list=bl state=healthy was=empty")
    assert refused(lab.milter())


def test_refusing_list_is_not_called_down(lab):
    """Its test points were answered a moment ago; that does not hide that it says no."""
    dns = lab.dns(TRUTH)
    lists = [dnsbl("bl", "bl.test", weight=8, test_listed="127.0.0.2",
                   test_unlisted="127.0.0.1")]  # fmt: skip
    daemon = lab.daemon(dns, lists=lists, health={"interval": "1s"},
                        resolver={"min_ttl": "0s", "max_ttl": "1s"})  # fmt: skip
    daemon.log.wait_for("list=bl state=healthy")
    dns.rules([{"suffix": "bl.test", "rcode": "REFUSED"}])
    line = daemon.log.wait_for("list=bl state=(blocked|down)")
    assert "state=blocked" in line and "REFUSED" in line
