# SPDX-License-Identifier: BSD-2-Clause
"""The world that the daemon lives in: the lists and what they truly list, the faults that
their servers may have, the clients, and the conf files."""

from harness.conf import conf_text, dnsbl
from harness.dns import listed, reversed_name

# All times in seconds. The daemon's are short, so that a minute holds many of them.
INTERVAL = 2
DEADLINE = 2
MAX_TTL = 20
STALE_TTL = 3
# A list that begins to list everybody is found by its test point at the next interval
# (a tenth of jitter), and checked a second time half a second later.
FOUND_WITHIN = INTERVAL * 1.1 + 0.5 + DEADLINE + 1
# A list is back: a check that failed ends, the next one comes within the interval.
BACK_WITHIN = DEADLINE + INTERVAL * 1.1 + DEADLINE + 1
QUICK_AFTER = 40  # queries, checks among them: twenty quick answers, and it is waited for
REJECT = 8
VICTIMS = 100  # of one lie: sixty (docs/health.md), and what 16 sessions have under way

OLD_LIES_TTL = 60  # beyond max-ttl: the daemon keeps them as long as it keeps anything


class List:
    def __init__(self, name, weight, check="client", listed_codes=("127.0.0.2",)):
        self.name = name
        self.zone = f"{name}.test"
        self.weight = weight
        self.check = check
        self.codes = listed_codes
        self.subjects = set()
        self.points = ("127.0.0.2", "127.0.0.1") if check == "client" else ("TEST", "INVALID")

    def query_name(self, subject):
        return (reversed_name(subject, self.zone) if self.check == "client"
                else f"{subject}.{self.zone}".lower())

    def truth(self):
        rules = []
        for subject in [self.points[0], *sorted(self.subjects)]:
            rules += listed(subject.lower(), self.zone, *self.codes, txt="as it is", ttl=2)
        return [*rules, {"suffix": self.zone, "rcode": "NXDOMAIN",
                         "soa": {"ttl": 2, "minimum": 2}}]

    def rules(self, fault):
        """What its name server does under a fault."""
        everybody = {"suffix": self.zone}
        truth = self.truth()
        if fault == "slow":
            return [{**rule, "delay_ms": 700} for rule in truth]
        if fault == "late":
            return [{**rule, "delay_ms": 40} for rule in truth]
        if fault == "tcp":
            return [{**rule, "truncate": True} for rule in truth]
        if fault == "half-deaf":  # two questions are lost
            return [{**everybody, "silent": True, "times": 2}, *truth]
        if fault == "sly":  # lists the world, but for its test point
            point = self.query_name(self.points[1])
            return [{"name": point, "rcode": "NXDOMAIN"},
                    {**everybody, "a": ["127.0.0.2"], "txt": ["you"], "ttl": OLD_LIES_TTL}]
        return {
            "none": truth,
            "world": [{**everybody, "a": ["127.0.0.2"], "txt": ["you"], "ttl": OLD_LIES_TTL}],
            "foreign": [{**everybody, "a": ["192.0.2.66"], "ttl": 2}],
            "mixed": [{**everybody, "a": ["127.0.0.2", "198.51.100.9"], "ttl": 2}],
            "blocked": [{**everybody, "a": ["127.255.255.254"], "ttl": 2}],
            "blocked-mixed": [{**everybody, "a": ["127.0.0.2", "127.255.255.255"], "ttl": 2}],
            "refused": [{**everybody, "rcode": "REFUSED"}],
            "servfail": [{**everybody, "rcode": "SERVFAIL"}],
            "empty": [{**everybody, "rcode": "NXDOMAIN", "soa": {"ttl": 2, "minimum": 2}}],
            "silent": [{**everybody, "silent": True}],
            "garbage": [{**everybody, "garbage": 40}],
            "wrong-id": [{**everybody, "a": ["127.0.0.2"], "wrong_id": "only"}],
            "cut": [{**everybody, "a": ["127.0.0.2"], "cut": 30}],
            "other-name": [{**everybody, "a": ["127.0.0.2"], "question": "other.test"}],
        }[fault]


HARMLESS = ("none", "late", "tcp")  # the list answers, and in time
LYING = ("world", "sly")  # it lists whom it should not, in a way that only shows by and by
FAULTS = ("slow", "late", "tcp", "half-deaf", "sly", "world", "world", "world",
          "world", "world", "foreign",
          "mixed", "blocked", "blocked-mixed", "refused", "servfail", "empty", "silent",
          "garbage", "wrong-id", "cut", "other-name", "down")  # fmt: skip


NAMES = ("a", "b", "half1", "half2", "dom", "white")


class World:
    def __init__(self):
        self.lists = [
            List("a", 8),
            List("b", 8, listed_codes=("127.0.0.4", "127.0.0.10")),
            List("half1", 4),
            List("half2", 4),
            List("dom", 8, check="sender-domain"),
            List("white", -20),
        ]
        self.by_name = {one.name: one for one in self.lists}
        self.clean = [f"198.18.0.{i}" for i in range(1, 61)]
        self.clean_domains = [f"fine{i}.example" for i in range(20)]
        self._list_some()

    def _list_some(self):
        """Clients on one list, on two, on the allow list as well."""
        sets = {1: "a", 2: "b", 3: "half1", 4: "half1 half2", 5: "a b", 6: "a white",
                7: "white", 8: "half2 b"}  # fmt: skip
        self.dirty = []
        for octet, names in sets.items():
            for i in range(1, 9):
                address = f"198.18.{octet}.{i}"
                self.dirty.append(address)
                for name in names.split():
                    self.by_name[name].subjects.add(address)
        self.dirty_domains = [f"bad{i}.example" for i in range(10)]
        self.by_name["dom"].subjects.update(self.dirty_domains)


VARIANTS = {
    "all": {},
    "without-b": {"leave_out": "b"},
    "a-monitor": {"monitor": "a"},
    "high": {"reject": 16},
}


SOMETIMES = ("b",)  # not in each of them


def variant_lists(world, variant):
    """name -> weight of the lists that count under a conf file's variant."""
    options = VARIANTS[variant]
    return {one.name: one.weight for one in world.lists
            if one.name not in (options.get("leave_out"), options.get("monitor"))}


def variant_reject(variant):
    return VARIANTS[variant].get("reject", REJECT)


def variant_conf(world, variant, folder, milter_socket, servers):
    """The conf file's text; servers is name -> address."""
    options = VARIANTS[variant]
    lists = []
    for one in world.lists:
        if one.name == options.get("leave_out"):
            continue
        mode = "monitor" if one.name == options.get("monitor") else "enforce"
        lists.append(dnsbl(one.name, one.zone, check=[one.check], weight=one.weight,
                           servers=[servers[one.name]], mode=mode,
                           test_listed=one.points[0], test_unlisted=one.points[1]))
    return conf_text(
        folder, milter_socket, lists=lists,
        resolver={"servers": [servers["a"]], "timeout": "400ms", "attempts": 2,
                  "deadline": f"{DEADLINE}s", "min_ttl": "1s", "max_ttl": f"{MAX_TTL}s",
                  "negative_ttl": "3s", "stale_ttl": f"{STALE_TTL}s"},
        health={"interval": f"{INTERVAL}s"},
        verdict={"reject": variant_reject(variant), "tag": 4},
    )  # fmt: skip
