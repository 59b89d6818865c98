# SPDX-License-Identifier: BSD-2-Clause
"""What the hosts of a farm count together: hits, marks of wrong refusals, what senders do;
and what is found on one is decided on all. The truth is what each host was sent."""

import json
import re
import subprocess
import time

import pytest

from harness.conf import conf_text, dnsbl
from harness.daemon import binary, environment
from harness.dns import NameServer, listed
from harness.milterclient import MilterClient
from harness.postgres import Farm, programs
from harness.waiting import wait_until
from test_rules import LOGINS, rule

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
        assert asked.status == 1 and f"{own}: this id is of mx1: look it up there" in asked.out
        document = two.rblctl("why", own, "--json")
        assert document.status == 1
        assert (document.json["node"], document.json["hosts"]) == (4, ["mx1"])
        marked = two.rblctl("false", own)
        assert marked.status == 1 and "this id is of mx1: mark it there" in marked.err
        # two hosts of one number
        assert "this id is of mx2 or mx3: look it up there" in one.rblctl("why", twos).out
        assert "not here; this id may be of mx2: look it up there" in three.rblctl("why", twos).out
        assert "mx2 and mx3 both have node 5" in one.rblctl("doctor").out
        # what the farm knew holds while it is away
        farm.postgres.stop()
        assert "this id is of mx1: look it up there" in two.rblctl("why", own).out
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

            for host, id in zip(hosts, ids):  # what it refused is told with the next mark
                done(host.rblctl("false", id))
                done(host.rblctl("false", id, "--undo"))
            farm.wait(lambda h: marks(h)[0] == [3, 0, 1, 0], lambda: [marks(h) for h in hosts])
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


# --- what senders do, on all hosts together ---


def watched(farm, *rules, mode="enforce", **automatic):
    """Hosts with rules, which have watched for 40 days; before their start."""
    for host in farm:
        host.more = {"automatic": {"mode": mode, **automatic}, "extra": "".join(rules),
                     "exempt": {"networks": ["127.0.0.0/8"]}}  # fmt: skip
        conf = host.dir / "aged.conf"
        conf.write_text(conf_text(host.dir, host.milter_socket, farm=host.farm, **host.more))
        subprocess.run([binary("tests/integration/rules_aged"), conf, host.dir, *LOGINS],
                       check=True, env=environment())  # fmt: skip
    return started(farm, lambda number: farm[number].more)


def send(host, count, login="anna", client="192.0.2.9", sender="<s@away.example>", unknown=0):
    """One message to that many recipients; how many were taken."""
    with MilterClient(host.milter_socket) as mta:
        mta.negotiate()
        mta.connect(client, macros={"{client_name}": "unknown"})
        mta.helo()
        mta.mail(sender, macros={"{auth_authen}": login} if login else {"i": "Q"})
        kinds = [mta.rcpt(f"<r{i}@e.f>", macros={"{rcpt_mailer}": "smtp", "{rcpt_host}": "x",
                                                  "{rcpt_addr}": "x"}).kind for i in range(count)]  # fmt: skip
        for i in range(unknown):
            mta.rcpt(f"<u{i}@e.f>", macros={"{rcpt_mailer}": "error", "{rcpt_host}": "5.1.1", "{rcpt_addr}": "x"})
        if "continue" in kinds:
            mta.end_of_message()
    return kinds.count("continue")


def told(farm, key="user:anna"):
    """What the server has of a key: {node: {(count, span): value}}."""
    rows = farm.postgres.sql(f"SELECT node, body FROM farm.count WHERE key = '{key}'")
    return {node: {(w[0], w[1]): w[2] for w in json.loads(body)["windows"]} for node, body in rows}


def heard_by_all(farm, hosts, wanted):
    """Until all hosts have told that many recipients; and then a while, for what is heard to count."""
    wait_until(lambda: {n: w[("recipients", 3600)] for n, w in told(farm).items()} == wanted,
               lambda: f"{told(farm)}, not {wanted}")  # fmt: skip
    time.sleep(18)  # a round, and what settles


def findings(host):
    return host.rblctl("proposals", "--all", "--json").json


BULK = {"over": ["40 recipients in 1h"], "for": ["1h"], "action": ["tempfail"]}


def test_counts_add_up_and_one_host_acts(folder):
    with Farm(folder, hosts=3, start=False) as farm:
        one, two, three = watched(farm, rule("bulk", **BULK))
        for host in farm:
            assert send(host, 12) == 12
        send(one, 30, login="bert")  # of one host alone: 30 are no 40
        heard_by_all(farm, [one, two, three], {"mx1": 12, "mx2": 12, "mx3": 12})
        assert all(findings(h) == [] for h in farm)
        (usage,) = two.rblctl("usage", "user:anna", "--json").json
        assert usage["hosts"] == 3
        assert {(c["value"], c["farm"]) for c in usage["counts"] if c["count"] == "recipients"} == {(12, 36)}
        assert re.search(r"FARM\n.*recipients in 1h +12 +40 +bulk +36\n", two.rblctl("usage", "user:anna").out)
        sent = 36
        for _ in range(8):  # one after the other: the 40th is over the limit, on whichever host acts
            for host in farm:
                sent += send(host, 1)
            if any(h.lists("user:anna") for h in farm):
                break
        farm.wait(lambda h: h.lists("user:anna"), "not listed")
        assert 40 <= sent <= 60, sent
        farm.wait(lambda h: len(findings(h)) == 1, "not seen on all")
        found = [findings(h)[0] for h in farm]
        assert all(f["by_rule"] and f["entry"] == "user:anna" for f in found), found
        assert re.fullmatch(r"40 recipients in 1h: 4\d, on 3 hosts", found[0]["because"]), found
        assert len({f["host"] for f in found}) == 1  # who acted
        farm.wait(lambda h: findings(h)[0]["evidence"].get("decisions"), "no evidence")  # is some moments later
        assert all(send(h, 1) == 0 for h in farm)  # put off everywhere
        assert all(not h.lists("user:bert") for h in farm)
        assert sum("rule=bulk listed=user:anna" in h.daemon.log.text() for h in farm) == 1


def claim(farm, node, kind, key, body):
    """A row as another host, or somebody, would write it."""
    farm.postgres.sql(
        "INSERT INTO farm.count VALUES ('{}', '{}', '{}', clock_timestamp(), '{}') ON CONFLICT (node, kind, key)"
        " DO UPDATE SET stored = excluded.stored, body = excluded.body".format(node, kind, key, body))  # fmt: skip


def test_what_a_server_may_make_of_it(folder):
    """It claims what it likes: nothing is found that this host's own count does not support."""
    with Farm(folder, hosts=1, start=False) as farm:
        (one,) = watched(farm, rule("bulk", over=["100 recipients in 1h"]))
        send(one, 5, login="anna")  # one in 20
        send(one, 10, login="bert")  # one in 10
        send(one, 30, login="carl")
        huge = json.dumps({"first": 1, "last": 1, "windows": [["recipients", 3600, 4294967295]]})
        unseen = json.dumps({"first": 1, "last": 1, "windows": [["recipients", 3600, None]]})
        bad = ["", "x", "[]", "{}", '{"windows": 5}', '{"windows": [[]]}', '{"windows": [["recipients"]]}',
               '{"windows": [["recipients", -3600, 50]]}', '{"windows": [["recipients", 3600, -50]]}',
               '{"windows": [["recipients", 3600, 1e300]]}', '{"windows": [["recipients", 3600, 4294967296]]}',
               '{"windows": [["recipients", 3600, "50"]]}', '{"windows": [["networks", 3600, 9, [4096]]]}',
               '{"windows": [["networks", 3600, 9, "zz"]]}', json.dumps({"windows": [["x", 1, 1]] * 25}),
               "[" * 5000]  # fmt: skip
        end = time.monotonic() + 25
        while time.monotonic() < end:
            for login in ("anna", "bert", "nobody"):
                claim(farm, "liar", "login", f"user:{login}", huge)
            claim(farm, "other", "login", "user:carl", huge)
            claim(farm, "third", "login", "user:carl", unseen)
            for i, text in enumerate(bad):
                claim(farm, f"liar{i}", "login", "user:dora", text)
            for kind, key in (("sender", "user:dora"), ("nonsense", "user:dora"), ("login", "dora"), ("client", "x y")):
                claim(farm, "liar", kind, key, huge)
            time.sleep(3)
        send(one, 1, login="anna")
        send(one, 1, login="carl")  # one host has not seen all of it: then nobody knows
        send(one, 30, login="dora")
        assert findings(one) == []
        send(one, 1, login="bert")
        (finding,) = findings(one)
        assert finding["entry"] == "user:bert" and "on 2 hosts" in finding["because"]
        # while the server is away this host goes on with its own counts alone
        farm.postgres.stop()
        time.sleep(16)
        send(one, 60, login="anna")
        assert [f["entry"] for f in findings(one)] == ["user:bert"]
        send(one, 34, login="anna")
        assert {f["entry"] for f in findings(one)} == {"user:bert", "user:anna"}


AWAY = "203.0.113.5"  # where user:u1, whose habits each host knows (rules_aged.c), was never


def strangers_of(host):
    """This host's count, and the farm's."""
    (usage,) = host.rblctl("usage", "user:u1", "--json").json
    return [(c["value"], c["farm"]) for c in usage["counts"] if c["count"] == "strangers"]


def strangers_add_up(farm):
    """Five on each of two hosts are ten, of which nothing is found; of the twelfth one host finds it."""
    assert [strangers_of(h) for h in farm] == [[(5, 10)], [(5, 10)]]
    assert all(findings(h) == [] for h in farm)
    written = 6
    while not any(h.lists("user:u1") for h in farm) and written < 12:
        written += 1
        for host in farm:  # to one more; who was written to before is no stranger
            send(host, written, login="u1", client=AWAY)
    farm.wait(lambda h: h.lists("user:u1"), lambda: [strangers_of(h) for h in farm])
    farm.wait(lambda h: len(findings(h)) == 1, lambda: [findings(h) for h in farm])
    found = [findings(h)[0] for h in farm]
    assert all((f["rule"], f["entry"], f["by_rule"]) == ("strangers", "user:u1", True) for f in found), found
    assert re.fullmatch(r"12 strangers in 24h: 1[23], on 2 hosts", found[0]["because"]), found
    assert len({f["host"] for f in found}) == 1  # who acted
    assert sum("rule=strangers listed=user:u1" in h.daemon.log.text() for h in farm) == 1


def test_shares_distinct_counts_and_strangers_of_all_hosts(folder):
    """The same network on two hosts is one; what one host has accepted counts in another's share;
    whom a login does not know each host knows by itself, and their numbers are added."""
    with Farm(folder, hosts=2, start=False) as farm:
        one, two = watched(
            farm,
            rule("nets", over=["8 networks in 1h"], mode="propose"),
            rule("dirty", over=["8 unknown in 1h"], share="50", mode="propose"),
            rule("bulk", over=["900 recipients in 1h"], mode="propose"),
            rule("strangers", over=["12 strangers in 24h"], action=["tempfail"]),
        )
        nets = [f"192.0.{i}.9" for i in range(1, 9)]
        for host, own in ((one, nets[:4]), (two, nets[1:5])):
            for client in own:
                send(host, 1, client=client)  # anna: 5 networks in all
        for host, own in ((one, nets[:4]), (two, nets[4:7])):
            for client in own:
                send(host, 1, login="bert", client=client)  # 7
        for host in farm:
            send(host, 1, login="carl", unknown=4)  # dirty
        send(two, 40, login="dora", unknown=3)  # clean, as a whole
        send(one, 1, login="dora", unknown=4)
        for host in farm:
            send(host, 6, login="u1", client=AWAY)  # r0, whom it knows, and five whom it does not
        for login in ("anna", "bert", "carl", "dora", "u1"):
            wait_until(lambda: len(told(farm, f"user:{login}")) == 2, lambda: told(farm, f"user:{login}"))
        time.sleep(18)
        strangers_add_up(farm)
        send(one, 1, login="bert", client=nets[7])
        send(two, 1, login="bert", client=nets[7])  # one of them acts
        for host in farm:
            send(host, 0, login="carl", unknown=1)
            send(host, 0, login="dora", unknown=1)
            send(host, 1, login="anna", client=nets[1])
        found = {(f["rule"], f["entry"], f["because"]) for h in farm for f in findings(h) if f["rule"] != "strangers"}
        assert {f[:2] for f in found} == {("nets", "user:bert"), ("dirty", "user:carl")}, found
        assert ("nets", "user:bert", "8 networks in 1h: 8, on 2 hosts") in found


# --- proposals ---

FIVE = {"over": ["5 recipients in 1h"], "for": ["1h"], "action": ["tempfail"]}


def seen(host, *options):
    result = host.rblctl("proposals", *options, "--json")
    rows = result.json if result.status == 0 else []  # just started, its database is not open yet
    return sorted((p["rule"], p["entry"], p["state"], p["host"]) for p in rows)


def proposal(host, entry):
    (one,) = [p for p in host.rblctl("proposals", "--json").json if p["entry"] == entry]
    return one


def test_proposals_are_seen_and_decided_on_all(folder):
    with Farm(folder, hosts=3, start=False) as farm:
        one, two, three = watched(farm, rule("five", **FIVE), mode="propose")
        send(one, 5)
        send(two, 5, login="bert")
        send(three, 5, login="carl")
        wanted = [("five", f"user:{who}", "open", f"mx{i}") for i, who in enumerate(["anna", "bert", "carl"], 1)]
        farm.wait(lambda h: seen(h) == wanted, lambda: [seen(h) for h in farm])
        # the evidence came with it; who sees it there proposes it no more
        assert proposal(three, "user:anna")["evidence"]["decisions"][0]["client"] == "192.0.2.9"
        table = two.rblctl("proposals").out
        assert "HOST" in table and re.search(r"user:anna .* mx1\n", table)
        send(two, 7, login="anna")
        assert seen(two) == wanted
        # accepted on another host: an entry on all, of that person
        done(two.rblctl("proposals", "accept", str(proposal(two, "user:anna")["no"])))
        farm.wait(lambda h: h.lists("user:anna"), "not listed")
        farm.wait(lambda h: ("five", "user:anna", "listed", "mx1") in seen(h, "--all"), lambda: [seen(h, "--all") for h in farm])
        # dismissed on another host: no host proposes it again
        done(three.rblctl("proposals", "dismiss", str(proposal(three, "user:bert")["no"]), "--reason", "is fine"))
        farm.wait(lambda h: seen(h) == wanted[2:], lambda: [seen(h) for h in farm])
        (row,) = [p for p in one.rblctl("proposals", "--all", "--json").json if p["entry"] == "user:bert"]
        assert row["who"].endswith("@mx3") and row["reason"] == "is fine"
        for host in farm:
            send(host, 6, login="bert")
        time.sleep(6)
        assert all(seen(h) == wanted[2:] for h in farm)
        assert one.rblctl("proposals", "accept", str(row["no"])).status == 1
        # what the others had counted of who was listed does not count again
        usage = {h.name: [c["value"] for u in h.rblctl("usage", "user:anna", "--json").json for c in u["counts"]] for h in farm}
        assert not any(sum(v) for v in usage.values()), usage


def test_proposals_while_the_server_is_away(folder):
    with Farm(folder, hosts=2, start=False) as farm:
        one, two = watched(farm, rule("five", **FIVE), rule("four", over=["4 recipients in 1h"]), mode="propose")
        send(one, 4, login="dora")
        farm.wait(lambda h: seen(h) == [("four", "user:dora", "open", "mx1")], lambda: [seen(h) for h in farm])
        send(two, 4, login="emil")
        farm.wait(lambda h: len(seen(h)) == 2, lambda: [seen(h) for h in farm])
        farm.postgres.stop()
        done(one.rblctl("proposals", "accept", str(proposal(one, "user:emil")["no"])))
        done(two.rblctl("proposals", "dismiss", str(proposal(two, "user:emil")["no"])))
        send(one, 5)
        send(two, 5)  # both propose the same
        send(two, 5, login="bert")
        done(one.rblctl("proposals", "dismiss", str(proposal(one, "user:dora")["no"])))
        done(two.rblctl("proposals", "accept", str(proposal(two, "user:dora")["no"])))
        assert {s[3] for s in seen(one)} == {"mx1"}
        farm.postgres.start()
        # one of each is left, the same on both; whose entry was made is listed
        farm.wait(lambda h: h.in_sync(), "not in sync")
        wait_until(lambda: seen(one, "--all") == seen(two, "--all") and len(seen(one, "--all")) == 6,
                   lambda: [seen(h, "--all") for h in farm])  # fmt: skip
        states = {s[:3] for s in seen(one, "--all")}
        assert states == {("four", "user:dora", "listed"), ("four", "user:emil", "listed"),
                          ("four", "user:bert", "open"), ("five", "user:bert", "open"),
                          ("four", "user:anna", "open"), ("five", "user:anna", "open")}  # fmt: skip
        assert all(h.lists("user:dora") and h.lists("user:emil") for h in farm)
        # the server forgets all of it, and is told again
        before = seen(one, "--all")
        farm.postgres.empty()
        wait_until(lambda: farm.postgres.sql("SELECT count(*) FROM farm.finding") == [["6"]],
                   lambda: farm.postgres.sql("SELECT * FROM farm.finding"))  # fmt: skip
        # an own database that is lost is filled again
        two.stop()
        for file in two.dir.glob("rules.db*"):
            file.unlink()
        two.start()
        wait_until(lambda: seen(two, "--all") == before, lambda: seen(two, "--all"))
        # rows that nobody of us has written
        columns = "id, seq, node, at, rule, entry, key, because, state, by_rule, block, for_s, expires, held, evidence, who, reason, decided_at"
        now = int(time.time())
        good = ["5", "1001", "'x'", str(now), "'five'", "'user:eve'", "'user:eve'", "'b'", "'open'", "true", "true",
                "0", "0", "''", "'{}'", "''", "''", "0"]  # fmt: skip
        bad = {3: str(now + 10**6), 4: "E'a\\nb'", 5: "'x y'", 6: "E'\\x01'", 11: "-1", 14: "'nonsense'",
               15: "E'\\x1b'", 17: str(now + 10**6), 12: "-5"}  # fmt: skip
        for i, (column, value) in enumerate(bad.items()):
            row = [*good]
            row[0], row[1], row[column] = str(100 + i), str(2000 + i), value
            if column not in (4, 5):
                row[4] = f"'r{i}'"
            farm.postgres.sql(f"INSERT INTO farm.finding ({columns}) VALUES ({', '.join(row)})")
        row = [*good]
        row[1], row[4] = "3000", "'good'"
        farm.postgres.sql(f"INSERT INTO farm.finding ({columns}) VALUES ({', '.join(row)}); UPDATE farm.head SET findings = 3000")
        wanted = sorted([*before, ("good", "user:eve", "open", "x")])
        wait_until(lambda: all(seen(h, "--all") == wanted for h in farm),
                   lambda: f"{[seen(h, '--all') for h in farm]}, not {wanted}")  # fmt: skip
