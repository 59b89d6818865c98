# SPDX-License-Identifier: BSD-2-Clause
"""What the hosts of a farm count together: hits, marks of wrong refusals, what senders do;
and what is found on one is decided on all. The truth is what each host was sent."""

import re
import time

import pytest

from harness.conf import conf_text, dnsbl
from harness.dns import NameServer, listed
from harness.milterclient import MilterClient
from harness.postgres import Farm, programs, wait_until

pytestmark = pytest.mark.skipif(programs() is None, reason="there is no PostgreSQL")


@pytest.fixture
def folder(session_dir):
    path = session_dir / f"farm-rules-{time.monotonic_ns()}"
    path.mkdir()
    return path


def done(result):
    assert result.status == 0, result
    return result


def started(farm, more=lambda number: {}):
    """All hosts, each with what more gives of its number in its conf file."""
    for number, host in enumerate(farm):
        host.more = more(number)
        host.start()
    for host in farm:
        host.wait_sync()
    farm.wait(lambda h: len(h.status()["hosts"]) == len(farm.hosts), "not all see all")
    return farm.hosts


# --- hits ---


def farm_hits(host, entry):
    shown = host.rblctl("show", entry, "--json").json
    return shown.get("farm_hits"), shown["rows"][0]["hits"] if shown["rows"] else None


def test_show_has_the_hits_of_all_hosts(folder):
    with Farm(folder, hosts=3, keep_local=["here"]) as farm:
        one, two, three = farm
        done(one.rblctl("add", "anna@bad.example", "--wait"))
        done(one.rblctl("add", "b@bad.example", "--source", "here"))
        for host, mails in ((one, 1), (two, 2), (three, 4)):
            for _ in range(mails):
                host.mail("anna@bad.example")
        one.mail("b@bad.example")
        for host, own in ((one, 1), (two, 2), (three, 4)):
            want = ({"hits": 7, "hosts": 3}, own)
            wait_until(
                lambda: (lambda f, o: f and ({k: f[k] for k in ("hits", "hosts")}, o) == want)(
                    *farm_hits(host, "anna@bad.example")),
                lambda: f"{host.name}: {farm_hits(host, 'anna@bad.example')}, not {want}",
            )  # fmt: skip
        assert "farm hits 7 on 3 hosts" in done(two.rblctl("show", "anna@bad.example")).out
        # what stays on a host is not told
        assert farm.postgres.sql("SELECT DISTINCT entry FROM farm.hit") == [["anna@bad.example"]]
        # the server forgets them, as after a failover: they are told again
        farm.postgres.kill()
        assert farm_hits(one, "anna@bad.example") == (None, 1)
        assert "farm hits -" in one.rblctl("show", "anna@bad.example").out
        farm.postgres.start()
        wait_until(lambda: farm.postgres.sql("SELECT node, hits FROM farm.hit ORDER BY 1")
                   == [["mx1", "1"], ["mx2", "2"], ["mx3", "4"]],
                   lambda: farm.postgres.sql("SELECT * FROM farm.hit"))  # fmt: skip


def test_a_server_that_takes_no_hits_harms_nothing(folder):
    with Farm(folder, hosts=2) as farm:
        one, two = farm
        farm.postgres.sql("DROP FUNCTION farm.tell_hits; DROP TABLE farm.hit")
        done(one.rblctl("add", "anna@bad.example", "--wait"))
        two.mail("anna@bad.example")
        wait_until(lambda: "farm: hits:" in two.daemon.log.text(), "nothing is logged")
        assert "2 of 2 hosts have it" in done(two.rblctl("add", "b.example", "--wait")).out
        assert two.rblctl("show", "anna@bad.example", "--json").json["farm_hits"] is None


# --- why, of another host's id ---


def refused_id(host, sender="anna@bad.example"):
    """The id in the reply to a mail that is refused there."""
    reply = host.mail(sender)
    assert "is rbl blacklisted" in reply, reply
    return re.search(r"\[([0-9A-Z-]{14})\]", reply).group(1)


def refused_by_list(host, client):
    """The id in the reply to a client that a DNS list has."""
    with MilterClient(host.milter_socket) as mta:
        reply = mta.negotiate().envelope(addr=client)
    assert reply.text.startswith("554"), reply
    return re.search(r"\[([0-9A-Z-]{14})\]", reply.text).group(1)


def with_ids(nodes):
    return lambda number: {"reply": {"id": True}, "journal": {"node": nodes[number]}}


def test_why_names_the_host(folder):
    with Farm(folder, start=False) as farm:
        one, two, three = started(farm, with_ids([4, 5, 5]))
        done(one.rblctl("add", "anna@bad.example", "--wait"))
        own, twos = refused_id(one), refused_id(two)
        assert done(one.rblctl("why", own)).out.count(own)
        asked = two.rblctl("why", own)
        assert asked.status == 1 and f"{own}: this id is of mx1: ask there" in asked.out
        document = two.rblctl("why", own, "--json")
        assert document.status == 1
        assert (document.json["node"], document.json["hosts"]) == (4, ["mx1"])
        marked = two.rblctl("false", own)
        assert marked.status == 1 and "this id is of mx1: mark it there" in marked.err
        # two hosts of one number
        assert "this id is of mx2 or mx3: ask there" in one.rblctl("why", twos).out
        assert "not here; this id may be of mx2: ask there" in three.rblctl("why", twos).out
        assert "mx2 and mx3 both have node 5" in one.rblctl("doctor").out
        # what the farm knew holds while it is away
        farm.postgres.stop()
        assert "this id is of mx1: ask there" in two.rblctl("why", own).out
        farm.postgres.start()
        # another number, by a reload; nobody's
        one.more["journal"]["node"] = 9
        (one.dir / "rblmilter.conf").write_text(conf_text(one.dir, one.milter_socket, farm=one.farm, **one.more))
        done(one.rblctl("reload"))
        wait_until(lambda: "it is a decision of node 4" in three.rblctl("why", own).out,
                   lambda: three.rblctl("why", own).out)  # fmt: skip


# --- marks of wrong refusals ---


def test_marks_count_on_all_hosts(folder):
    """Each refuses by one list alone; what is marked on one is a proposal on all."""
    clients = [f"192.0.2.{20 + i}" for i in range(3)]
    (folder / "dns").mkdir()
    dns = NameServer(folder / "dns", [rule for c in clients for rule in listed(c, "zen.test")])
    zen = {"servers": dns.address, "lists": [dnsbl("zen", "zen.test", weight=9)]}
    try:
        with Farm(folder, hosts=3, start=False) as farm:
            hosts = started(farm, lambda n: {**with_ids([1, 2, 3])(n), **zen})
            ids = [refused_by_list(h, c) for h, c in zip(hosts, clients)]

            def marks(host):
                (row,) = [r for r in host.rblctl("dnsbl", "--json").json["lists"] if r["list"] == "zen"]
                return [row[k] for k in ("refused_alone", "false", "refused_alone_here", "false_here")], row

            farm.wait(lambda h: marks(h)[0] == [3, 0, 1, 0], lambda: [marks(h) for h in hosts], 90)
            assert all(marks(h)[1]["proposal"] is None for h in hosts)
            done(hosts[0].rblctl("false", ids[0]))
            done(hosts[1].rblctl("false", ids[1]))
            here = [1, 1, 0]
            farm.wait(lambda h: marks(h)[0] == [3, 2, 1, here[hosts.index(h)]], lambda: [marks(h) for h in hosts])
            assert set(marks(hosts[2])[1]["proposal"]["ids"]) == set(ids[:2])
            shown = hosts[2].rblctl("dnsbl").out
            assert "it should not refuse alone: of 3 that it did, 2 are marked" in shown
            # the others' marks stay known while the database is away, and come back from a new one
            farm.postgres.kill()
            assert marks(hosts[2])[0] == [3, 2, 1, 0]
            farm.postgres.start()
            farm.postgres.empty()
            farm.wait(lambda h: h.in_sync(), "not in sync")
            done(hosts[0].rblctl("false", ids[0], "--undo"))
            farm.wait(lambda h: marks(h)[0][:2] == [3, 1], lambda: [marks(h) for h in hosts])
            # a host that is forgotten counts no more
            hosts[1].stop()
            done(hosts[0].rblctl("farm", "forget", "mx2"))
            wait_until(lambda: marks(hosts[2])[0] == [2, 0, 1, 0], lambda: marks(hosts[2]))
    finally:
        dns.stop()
