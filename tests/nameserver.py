#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A name server that does what a script says, for tests.

    nameserver.py [--address 127.0.0.1] [--port 0] [--zone FILE.json] [--log FILE] [--control]

Prints "port N" (UDP and TCP) when it listens. The zone is a JSON list of rules; the
first whose name and type fit a query answers it, a query without a rule gets NXDOMAIN
without an SOA. SIGHUP reads the zone again. With --control it takes commands from
standard input, one a line, says "ok" or "error ..." to each, and ends with its input:

    rules JSON   other rules      reload   read the zone file again
    down         close the port   up       open it again

A rule is an object. Which queries it fits:
    name          this name            suffix       this name and all below it
    prefix        what begins so       type         "A", "TXT", ...
    times         only so often, then the next rules
    chance        0.15: by chance, so many of a hundred, the others by the next rules
    transport     "udp" or "tcp"
What is answered:
    a             ["127.0.0.2", ...]   txt          ["text", ...]
    ptr           ["host.test", ...]
    ttl           of each record (300)
    rcode         "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", "NOERROR"
    soa           {"ttl": 300, "minimum": 60} beside an answer without records
    cname         ["b.test", ...]: a chain from the name asked for to the records
    cname_loop    true: two CNAMEs that point at each other
    txt_size      one TXT record of so many octets
And what is done to the answer:
    delay_ms      sent so much later
    silent        never sent
    truncate      TC and no records over UDP, whole over TCP
    truncate_not  true: larger than 512 octets over UDP all the same
    wrong_id      "first": one with a wrong id, then the right one; "only"
    garbage       so many random octets after id and flags
    empty         a packet of no octets
    cut           only so many octets of the answer
    raw           these octets (hex) after the query's id
    owner         the records belong to this name instead
    question      the question section names this instead
    close         a TCP connection is closed without a word
"""

import argparse
import heapq
import json
import os
import random
import selectors
import signal
import socket
import struct
import sys
import threading
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4,
          "REFUSED": 5}
TC = 0x0200


def wire_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode("latin-1")
    return out + b"\0"


def record(owner, rtype, ttl, data):
    return owner + struct.pack("!HHIH", TYPES[rtype], 1, ttl, len(data)) + data


def text_data(text):
    octets = text.encode("latin-1", "replace")
    parts = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(part)]) + part for part in parts)


class Query:
    """The question of a packet; ValueError for what is none."""

    def __init__(self, packet):
        if len(packet) < 17 or packet[2] & 0x80:
            raise ValueError("no query")
        self.id = packet[:2]
        self.flags, _, _, _, extra = struct.unpack("!HHHHH", packet[2:12])
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
            at += packet[at] + 1
        at += 1
        self.name = ".".join(labels).lower()
        self.number = struct.unpack("!H", packet[at:at + 2])[0]
        self.type = TYPE_NAMES.get(self.number, "TYPE%d" % self.number)
        self.question = packet[12:at + 4]
        self.size = 512
        if extra and packet[at + 4:at + 7] == b"\0\0\x29":
            self.size = max(512, struct.unpack("!H", packet[at + 7:at + 9])[0])


class Zone:
    def __init__(self, rules):
        if not isinstance(rules, list):
            raise ValueError("the zone is no list of rules")
        self.rules = rules
        self.used = [0] * len(rules)

    def find(self, query, transport):
        for i, rule in enumerate(self.rules):
            if "name" in rule and rule["name"].lower() != query.name:
                continue
            suffix = rule.get("suffix", "").lower()
            if suffix and query.name != suffix and not query.name.endswith("." + suffix):
                continue
            if not query.name.startswith(rule.get("prefix", "")):
                continue
            if rule.get("type", query.type) != query.type:
                continue
            if rule.get("transport", transport) != transport:
                continue
            if "times" in rule and self.used[i] >= rule["times"]:
                continue
            if "chance" in rule and random.random() >= rule["chance"]:
                continue
            self.used[i] += 1
            return rule
        return {"rcode": "NXDOMAIN"}


def answer_records(rule, query):
    """The answer section, as a list of records."""
    ttl = rule.get("ttl", 300)
    owner = wire_name(rule["owner"]) if "owner" in rule else b"\xc0\x0c"
    records = []
    if rule.get("cname_loop"):
        there = wire_name("loop." + query.name)
        return [record(owner, "CNAME", ttl, there), record(there, "CNAME", ttl, b"\xc0\x0c")]
    for target in rule.get("cname", []):
        records.append(record(owner, "CNAME", ttl, wire_name(target)))
        owner = wire_name(target)
    if query.type == "A":
        records += [record(owner, "A", ttl, socket.inet_aton(a)) for a in rule.get("a", [])]
    if query.type == "PTR":
        records += [record(owner, "PTR", ttl, wire_name(name)) for name in rule.get("ptr", [])]
    if query.type == "TXT":
        texts = list(rule.get("txt", []))
        if "txt_size" in rule:
            texts.append("x" * rule["txt_size"])
        records += [record(owner, "TXT", ttl, text_data(text)) for text in texts]
    return records


def soa_records(rule):
    if "soa" not in rule:
        return []
    data = wire_name("ns.test") + wire_name("root.test") + struct.pack(
        "!IIIII", 1, 3600, 600, 86400, rule["soa"].get("minimum", 60))
    return [record(wire_name("test"), "SOA", rule["soa"].get("ttl", 300), data)]


def build(rule, query, transport):
    """The whole answer to a query; None for silence."""
    if rule.get("silent"):
        return None
    if rule.get("empty"):
        return b""
    flags = 0x8080 | (query.flags & 0x7900)
    if "raw" in rule:
        return query.id + bytes.fromhex(rule["raw"])
    if "garbage" in rule:
        return query.id + struct.pack("!H", flags) + random.randbytes(rule["garbage"])
    question = query.question
    if "question" in rule:
        question = wire_name(rule["question"]) + query.question[-4:]
    records = answer_records(rule, query)
    authority = [] if records else soa_records(rule)
    flags |= RCODES[rule.get("rcode", "NOERROR")]

    def packet(bits, answers, others):
        return (query.id + struct.pack("!HHHHH", bits, 1, len(answers), len(others), 0)
                + question + b"".join(answers) + b"".join(others))

    whole = packet(flags, records, authority)
    too_long = len(whole) > query.size and not rule.get("truncate_not")
    if transport == "udp" and (rule.get("truncate") or too_long):
        return packet(flags | TC, [], [])
    return whole[:rule["cut"]] if "cut" in rule else whole


def packets(rule, query, transport):
    """What is sent, in order: usually one packet."""
    whole = build(rule, query, transport)
    if whole is None:
        return []
    wrong = bytes([whole[0] ^ 0x55, whole[1] ^ 0xaa]) + whole[2:] if len(whole) > 1 else whole
    if rule.get("wrong_id") == "only":
        return [wrong]
    if rule.get("wrong_id") == "first":
        return [wrong, whole]
    return [whole]


def port_of_servers():
    """Not one that the kernel gives to those who ask: between "down" and "up" one of them
    might get it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        low = int(f.read().split()[0])
    return random.SystemRandom().randrange(min(10000, low // 2), low)


class Server:
    def __init__(self, options):
        self.options = options
        self.family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
        self.port = options.port
        self.log = open(options.log, "a", buffering=1) if options.log else None
        self.zone = Zone([])
        self.selector = selectors.DefaultSelector()
        self.later = []  # heap of (when, order, socket, packet, address)
        self.order = 0
        self.udp = self.tcp = None
        self.reload()
        self.up()

    def reload(self):
        if self.options.zone:
            with open(self.options.zone) as f:
                self.zone = Zone(json.load(f))

    def up(self):
        if self.udp:
            return
        for attempt in range(50):
            udp = socket.socket(self.family, socket.SOCK_DGRAM)
            tcp = socket.socket(self.family, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            try:
                udp.bind((self.options.address, self.port or port_of_servers()))
                tcp.bind((self.options.address, udp.getsockname()[1]))
                break
            except OSError:
                udp.close()
                tcp.close()
                if attempt == 49:
                    raise
                time.sleep(0.02)
        tcp.listen(128)
        udp.setblocking(False)
        self.port = udp.getsockname()[1]
        self.udp, self.tcp = udp, tcp
        self.selector.register(udp, selectors.EVENT_READ, self.on_udp)
        self.selector.register(tcp, selectors.EVENT_READ, self.on_tcp)

    def down(self):
        for sock in (self.udp, self.tcp):
            if sock:
                self.selector.unregister(sock)
                sock.close()
        self.udp = self.tcp = None
        self.later = []

    def note(self, query, transport, port):
        if self.log:
            self.log.write("%s %s %s %d\n" % (query.name, query.type, transport, port))

    def on_udp(self):
        for _ in range(100):
            try:
                packet, address = self.udp.recvfrom(4096)
            except OSError:
                return
            try:
                query = Query(packet)
            except (ValueError, IndexError, struct.error):
                continue
            self.note(query, "udp", address[1])
            rule = self.zone.find(query, "udp")
            when = time.monotonic() + rule.get("delay_ms", 0) / 1000
            for out in packets(rule, query, "udp"):
                if rule.get("delay_ms"):
                    self.order += 1
                    heapq.heappush(self.later, (when, self.order, out, address))
                else:
                    self.send(out, address)

    def send(self, packet, address):
        try:
            self.udp.sendto(packet, address)
        except OSError:
            pass  # the asker has gone

    def send_due(self):
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            _, _, packet, address = heapq.heappop(self.later)
            self.send(packet, address)
        return self.later[0][0] - now if self.later else None

    def on_tcp(self):
        connection, address = self.tcp.accept()
        threading.Thread(target=self.serve_tcp, args=(connection, address[1]),
                         daemon=True).start()

    def serve_tcp(self, connection, port):
        with connection, connection.makefile("rb") as stream:
            try:
                while True:
                    size = stream.read(2)
                    if len(size) < 2:
                        return
                    query = Query(stream.read(struct.unpack("!H", size)[0]))
                    self.note(query, "tcp", port)
                    rule = self.zone.find(query, "tcp")
                    time.sleep(rule.get("delay_ms", 0) / 1000)
                    if rule.get("close"):
                        return
                    for out in packets(rule, query, "tcp"):
                        connection.sendall(struct.pack("!H", len(out)) + out)
            except (OSError, ValueError, IndexError, struct.error):
                return

    def command(self, line):
        word, _, rest = line.strip().partition(" ")
        if word == "rules":
            self.zone = Zone(json.loads(rest))
        elif word in ("reload", "up", "down"):
            getattr(self, word)()
        else:
            raise ValueError("unknown command %r" % word)

    def on_control(self):
        chunk = os.read(0, 65536)
        if not chunk:
            os._exit(0)
        self.pending += chunk
        *lines, self.pending = self.pending.split(b"\n")
        for line in lines:
            try:
                self.command(line.decode())
                print("ok", flush=True)
            except (ValueError, OSError) as error:
                print("error %s" % error, flush=True)

    def on_wake(self):
        os.read(self.wake, 512)
        try:
            self.reload()
        except (ValueError, OSError) as error:
            print("nameserver: %s" % error, file=sys.stderr, flush=True)

    def run(self):
        self.pending = b""
        self.wake, wake_up = os.pipe()
        os.set_blocking(wake_up, False)
        signal.signal(signal.SIGHUP, lambda *_: os.write(wake_up, b"r"))
        self.selector.register(self.wake, selectors.EVENT_READ, self.on_wake)
        if self.options.control:
            self.selector.register(0, selectors.EVENT_READ, self.on_control)
        print("port %d" % self.port, flush=True)
        while True:
            for key, _ in self.selector.select(self.send_due()):
                if key.fileobj in (self.udp, self.tcp, self.wake, 0):  # not closed meanwhile
                    key.data()


def main():
    parser = argparse.ArgumentParser(description="A name server for tests.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--zone", help="JSON file of rules")
    parser.add_argument("--log", help='a line per query: "name type transport source-port"')
    parser.add_argument("--control", action="store_true", help="commands on standard input")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    Server(parser.parse_args()).run()


if __name__ == "__main__":
    main()
