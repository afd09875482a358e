#!/usr/bin/env python3
"""A name server that does as a script says, for tests.

It plays the resolver that Gatehouse asks: UDP and TCP on one free port of the
loopback address, no recursion, aliases followed inside its own names.

The script is text, one line each, '#' begins a comment:

    mail.example.com A 192.0.2.1        a record; types A AAAA MX PTR TXT CNAME
    mail.example.com 30 A 192.0.2.2     with a time to live (default 60)
    example.com MX 10 mail.example.com
    null.example MX 0 .
    example.com TXT "one string" "and another"
    many.example A 10.0.0.1-100         a hundred records
    9.2.0.192.in-addr.arpa PTR mail.example.com
    *.example.net A 192.0.2.3           every name below that stands nowhere else
    bad.example !servfail               how to answer any question for the name
    bad.example/AAAA !drop              ... a question for one type
    *.bad.example !drop                 ... and about names below
    slow.example !nxdomain soa=5        several words

    !nxdomain !nodata !servfail !refused    that answer
    !drop         no answer at all
    !delay=MS     the answer comes late
    !garbage      a header with the right number, then noise
    !loop         a compression pointer to itself
    !cut          the answer breaks off in the middle of its last record
    !referral     name servers instead of an answer
    !truncated    over UDP nothing but the flag; the answer over TCP
    !soa=N        life of a negative answer (default 60); !soa=none leaves it out

A name that stands nowhere does not exist; one that stands there without the
type asked for (or above one that stands there) has no data.

In Python:

    with DnsServer("a.example A 192.0.2.1") as server:
        ... server.port ... server.queries ... server.set_zone(text)

As a process: prints "port N", then reads scripts from standard input: lines up
to one with a single dot replace the script, and "ok" is printed. It ends with
its standard input. --log FILE gets a line "udp NAME TYPE" for every question,
written before the answer is sent.
"""

import argparse
import ipaddress
import os
import shlex
import socket
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"noerror": 0, "servfail": 2, "nxdomain": 3, "refused": 5}
UDP_MAX = 512
ALIASES_MAX = 20


def pack_name(name):
    name = name.rstrip(".")
    if not name:
        return b"\0"
    packed = b""
    for label in name.split("."):
        raw = label.encode("latin-1")
        packed += bytes([len(raw)]) + raw
    return packed + b"\0"


def pack_data(rrtype, words):
    if rrtype == "A":
        return ipaddress.IPv4Address(words[0]).packed
    if rrtype == "AAAA":
        return ipaddress.IPv6Address(words[0]).packed
    if rrtype == "MX":
        return struct.pack(">H", int(words[0])) + pack_name(words[1])
    if rrtype == "TXT":
        return b"".join(bytes([len(w)]) + w.encode("latin-1") for w in words)
    return pack_name(words[0])


def pack_record(name, rrtype, ttl, data):
    return pack_name(name) + struct.pack(">HHIH", TYPES[rrtype], 1, ttl, len(data)) + data


def expand_range(address):
    first, _, last = address.partition("-")
    if not last:
        return [address]
    base, _, low = first.rpartition(".")
    return [f"{base}.{n}" for n in range(int(low), int(last) + 1)]


class Zone:
    """What the script says: records and tricks by lower-case name."""

    def __init__(self, text):
        self.records = {}  # name -> [(type, ttl, data, target or None)]
        self.tricks = {}  # (name, type or None) -> {word: value}
        for line in text.splitlines():
            line = line.strip()
            if line and not line.startswith("#"):
                self.add_line(line)

    def add_line(self, line):
        words = shlex.split(line, posix=True)
        name = words[0].lower().rstrip(".")
        if words[1].startswith("!"):
            name, _, rrtype = name.partition("/")
            tricks = self.tricks.setdefault((name, rrtype.upper() or None), {})
            for word in words[1:]:
                key, _, value = word.lstrip("!").partition("=")
                tricks[key] = value
            return
        ttl = 60
        if words[1].isdigit():
            ttl = int(words.pop(1))
        rrtype, data = words[1].upper(), words[2:]
        variants = [[a] for a in expand_range(data[0])] if rrtype == "A" else [data]
        for words in variants:
            target = words[0].lower().rstrip(".") if rrtype == "CNAME" else None
            self.records.setdefault(name, []).append((rrtype, ttl, pack_data(rrtype, words), target))

    def owner_of(self, name, known):
        """The name in `known` that speaks for it: its own, or the next wildcard."""
        rest = name
        while rest and name not in known:
            _, _, rest = rest.partition(".")
            if "*." + rest in known:
                return "*." + rest
        return name

    def tricks_for(self, name, rrtype):
        name = self.owner_of(name, {key[0] for key in self.tricks})
        return {**self.tricks.get((name, None), {}), **self.tricks.get((name, rrtype), {})}

    def exists(self, name):
        names = {*self.records, *(key[0] for key in self.tricks)}
        if self.owner_of(name, names) in names:
            return True
        return any(other.endswith("." + name) for other in names)

    def find(self, name, rrtype):
        """Answer records, packed, and whether the last name exists."""
        answers = []
        for _ in range(ALIASES_MAX):
            here = self.records.get(self.owner_of(name, self.records), [])
            found = [r for r in here if r[0] == rrtype]
            aliases = [r for r in here if r[0] == "CNAME" and rrtype != "CNAME"]
            for kind, ttl, data, _target in found or aliases:
                answers.append(pack_record(name, kind, ttl, data))
            if found or not aliases:
                return answers, self.exists(name)
            name = aliases[0][3]
        return answers, True


def unpack_question(packet):
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    rrtype = struct.unpack_from(">H", packet, at + 1)[0]
    return ".".join(labels).lower(), TYPE_NAMES.get(rrtype, str(rrtype)), packet[12 : at + 5]


def build_message(packet, question, rcode, answers, authority, flags=0):
    header = struct.pack(
        ">HHHHHH",
        struct.unpack_from(">H", packet)[0],
        0x8180 | flags | rcode,
        1,
        len(answers),
        len(authority),
        0,
    )
    return header + question + b"".join(answers) + b"".join(authority)


def soa_record(life):
    data = pack_name("ns.test") + pack_name("root.test") + struct.pack(">5I", 1, 2, 3, 4, int(life))
    return pack_record("", "SOA", int(life), data)


class DnsServer:
    def __init__(self, zone="", log=None):
        self.zone = Zone(zone)
        self.queries = []  # ("udp", name, type)
        self.log = open(log, "a", buffering=1, encoding="latin-1") if log else None
        self.lock = threading.Lock()
        self.stopping = False
        self.bind()
        self.threads = [
            threading.Thread(target=serve, daemon=True) for serve in (self.serve_udp, self.serve_tcp)
        ]
        for thread in self.threads:
            thread.start()

    def bind(self):
        """The same free port for both; somebody else may have the TCP one."""
        for attempt in range(50):
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                self.tcp.bind(("127.0.0.1", self.port))
                self.tcp.listen(50)
                return
            except OSError:
                self.udp.close()
                self.tcp.close()
        raise OSError("no port is free for both UDP and TCP")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def stop(self):
        """close() alone wakes nobody: a thread that still waits for a number that
        another socket is given next takes what is meant for that one."""
        self.stopping = True
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # UDP: "not connected", and yet it wakes
                pass
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def set_zone(self, text):
        self.zone = Zone(text)

    def count(self, name, rrtype=None):
        with self.lock:
            return sum(q[1] == name and rrtype in (None, q[2]) for q in self.queries)

    def note(self, how, name, rrtype):
        with self.lock:
            self.queries.append((how, name, rrtype))
            if self.log:
                self.log.write(f"{how} {name} {rrtype}\n")

    def answer(self, packet, how):
        """(reply or None, delay in seconds)"""
        name, rrtype, question = unpack_question(packet)
        self.note(how, name, rrtype)
        zone = self.zone
        tricks = zone.tricks_for(name, rrtype)
        delay = int(tricks.get("delay", 0)) / 1000
        if "drop" in tricks:
            return None, 0
        return self.build(zone, tricks, packet, how, name, rrtype, question), delay

    def build(self, zone, tricks, packet, how, name, rrtype, question):
        answers, exists = zone.find(name, rrtype)
        rcode = 0 if exists else RCODES["nxdomain"]
        for word in RCODES:
            if word in tricks:
                answers, rcode = [], RCODES[word]
        if "nodata" in tricks:
            answers, rcode = [], 0
        soa = tricks.get("soa", "60")
        negative = rcode in (0, RCODES["nxdomain"]) and soa != "none"
        wanted = any(r[8:] for r in answers) and rcode == 0
        authority = [] if wanted or not negative else [soa_record(soa)]
        if "referral" in tricks:
            answers, rcode = [], 0
            authority = [pack_record("test", "NS", 60, pack_name("ns.test"))]
        if "loop" in tricks:
            at = 12 + len(question)
            answers = [struct.pack(">HHHIH", 0xC000 | at, TYPES["A"], 1, 60, 4) + b"\1\2\3\4"]
        message = build_message(packet, question, rcode, answers, authority)
        if "garbage" in tricks:
            return message[:12] + question + bytes(range(255, 128, -1))
        if "cut" in tricks:
            return message[:-3]
        if how == "udp" and ("truncated" in tricks or len(message) > UDP_MAX):
            return build_message(packet, question, rcode, [], [], flags=0x0200)
        return message

    def serve_udp(self):
        while not self.stopping:
            try:
                packet, peer = self.udp.recvfrom(4096)
                reply, delay = self.answer(packet, "udp")
                if reply is None:
                    continue
                if delay:
                    timer = threading.Timer(delay, self.send_late, (reply, peer))
                    timer.daemon = True
                    timer.start()
                else:
                    self.udp.sendto(reply, peer)
            except (OSError, IndexError, struct.error):
                pass

    def send_late(self, reply, peer):
        try:
            self.udp.sendto(reply, peer)
        except OSError:
            pass

    def serve_tcp(self):
        while True:
            try:
                connection, _peer = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_stream, args=(connection,), daemon=True).start()

    def serve_stream(self, connection):
        with connection, connection.makefile("rb") as stream:
            try:
                while len(size := stream.read(2)) == 2:
                    packet = stream.read(struct.unpack(">H", size)[0])
                    reply, delay = self.answer(packet, "tcp")
                    if reply is None:
                        continue
                    threading.Event().wait(delay)
                    connection.sendall(struct.pack(">H", len(reply)) + reply)
            except (OSError, IndexError, struct.error):
                pass


def main():
    parser = argparse.ArgumentParser(description="scripted name server for tests")
    parser.add_argument("--zone", help="file with the script", default=None)
    parser.add_argument("--log", help="file that gets a line for every question")
    options = parser.parse_args()
    text = ""
    if options.zone:
        with open(options.zone, encoding="latin-1") as file:
            text = file.read()
    server = DnsServer(text, options.log)
    print("port", server.port, flush=True)
    lines = []
    for line in sys.stdin:
        if line.strip() != ".":
            lines.append(line)
            continue
        server.set_zone("".join(lines))
        lines = []
        print("ok", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
