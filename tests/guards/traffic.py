# SPDX-License-Identifier: BSD-2-Clause
"""Mail around an event, and what became of it. The truth is what the scripted name servers
list; the daemon is never asked what it believes."""

import hashlib
import threading
import time

from harness.conf import dnsbl

POINTS = {"test_listed": "127.0.0.2", "test_unlisted": "127.0.0.1"}
NAMES = {"test_listed": "test", "test_unlisted": "invalid"}
POINT6 = "2.0.0.0.0.0.f.7.f.f.f.f" + ".0" * 20
RESOLVER = {"timeout": "1s", "deadline": "3s", "min_ttl": "0s"}


def hashed(local):
    return hashlib.sha1(f"{local}@sender.example".encode()).hexdigest()


def sender(n, listed):
    """The n-th address whose hash begins with 0, as all that are listed do, or not."""
    k = 0
    while (hashed(f"s{n}-{k}")[0] == "0") != listed:
        k += 1
    return f"<s{n}-{k}@sender.example>"


def client_rules(zone):
    """198.18.0.0/16 and 2a00:1::/32 are listed, and the test points."""
    return [
        {"name": f"2.0.0.127.{zone}", "a": ["127.0.0.2"]},
        {"name": f"{POINT6}.{zone}", "a": ["127.0.0.2"]},
        {"suffix": f"18.198.{zone}", "a": ["127.0.0.2"]},
        {"suffix": f"1.0.0.0.0.0.a.2.{zone}", "a": ["127.0.0.2"]},
    ]


class Kind:
    """A kind of list: its conf sections, its rules, and how a listed and a clean mail
    look."""

    def __init__(self, name):
        self.name = name
        self.ipv6 = name == "ipv6"
        self.own = {"allow": "wl", "monitor": "mon"}.get(name, "bl")  # the list in question
        self.zone = f"{self.own}.test"

    def odd_answer(self):
        """A rule for one wrong answer to one of its test points, or, where it has none,
        to the next mail's query."""
        if self.name == "hash":
            return {"suffix": self.zone, "a": ["203.0.113.9"], "times": 1}
        point = {"name": "test", "ipv6": POINT6}.get(self.name, "2.0.0.127")
        return {"name": f"{point}.{self.zone}", "rcode": "NXDOMAIN", "times": 1}

    def lists(self):
        bl = dnsbl("bl", "bl.test", weight=8, **POINTS)
        sections = {
            "name": [dnsbl("bl", "bl.test", check=["sender-domain"], weight=8, **NAMES)],
            "hash": [dnsbl("bl", "bl.test", check=["sender"], hash="sha1", weight=8)],
            "after": [dnsbl("one", "one.test", weight=8, **POINTS),
                      dnsbl("bl", "bl.test", weight=8, after=["one"], **POINTS)],
            "monitor": [bl, dnsbl("mon", "mon.test", mode="monitor", **POINTS)],
            "allow": [dnsbl("bl", "bl.test", weight=4, **POINTS),
                      dnsbl("two", "two.test", weight=4, **POINTS),
                      dnsbl("wl", "wl.test", weight=-8, **POINTS)],
        }  # fmt: skip
        return sections.get(self.name, [bl]) + [dnsbl("other", "other.test", weight=1, **POINTS)]

    def rules(self):
        rules = client_rules("bl.test") + client_rules("mon.test") + client_rules("other.test")
        rules += client_rules("two.test")
        for zone in ("one.test", "wl.test"):
            rules.append({"name": f"2.0.0.127.{zone}", "a": ["127.0.0.2"]})
        # known to all three: good clients of the allow list
        rules += [{"suffix": f"19.198.{zone}.test", "a": ["127.0.0.2"]} for zone in ("bl", "two", "wl")]
        rules += [{"name": "test.bl.test", "a": ["127.0.0.2"]},
                  {"suffix": "bad.example.bl.test", "a": ["127.0.0.2"]}]  # fmt: skip
        if self.name == "hash":
            rules.append({"prefix": "0", "suffix": "bl.test", "a": ["127.0.0.2"]})
        return rules

    def mail(self, n, listed):
        """What envelope() takes, of the n-th mail: never the same twice."""
        if self.name == "name":
            return {"sender": f"<x@m{n}.{'bad' if listed else 'good'}.example>"}
        if self.name == "hash":
            return {"sender": sender(n, listed)}
        if self.ipv6:
            return {"addr": f"2a00:{1 if listed else 2}::{n + 1:x}"}
        clean = "198.19" if self.name == "allow" else "203.0"
        return {"addr": f"{'198.18' if listed else clean}.{n // 250 % 250}.{n % 250 + 1}"}


class Mail:
    def __init__(self, listed, began, ended, reply):
        self.listed = listed
        self.began, self.ended = began, ended
        self.refused = reply.text.startswith("554")
        self.put_off = reply.text.startswith("451") or reply.kind == "tempfail"


def send(lab, mail, listed):
    """One mail; mail is what envelope() takes."""
    client = lab.milter()
    began = time.monotonic()
    reply = client.envelope(**mail)
    sent = Mail(listed, began, time.monotonic(), reply)
    client.quit()
    return sent


def send_all(lab, mails, threads=8):
    """Sends mails, (arguments of envelope(), listed), and returns what became of each, in
    order."""
    done, errors = [None] * len(mails), []

    def run(first):
        try:
            for i in range(first, len(mails), threads):
                done[i] = send(lab, *mails[i])
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=run, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors, errors
    return done


class Traffic:
    """Threads that send, listed and clean in turn, until they are stopped."""

    def __init__(self, lab, kind, threads=4, pause=0.03):
        self.lab, self.kind, self.pause = lab, kind, pause
        self.share = (True, False)  # listed, clean: what is sent in turn
        self.mails, self.errors = [], []
        self.lock = threading.Lock()
        self.next = 0
        self.stopping = False
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _take(self):
        with self.lock:
            self.next += 1
            return self.next

    def _run(self):
        try:
            while not self.stopping:
                n = self._take()
                listed = self.share[n // len(self.threads) % len(self.share)]
                self.send(n, listed)
                time.sleep(self.pause)
        except Exception as error:  # shown by stop()
            self.errors.append(error)

    def send(self, n, listed):
        mail = send(self.lab, self.kind.mail(n, listed), listed)
        with self.lock:
            self.mails.append(mail)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors
        return self.mails
