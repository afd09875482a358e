#!/usr/bin/python3
"""A directory server that does as it is told, for tests.

What it does with a connection is its mood:

    good            as the table below
    silent          accepts, never says anything
    rst, close      at once
    garbage         bytes that are no BER
    huge            announces a message of 256 MB
    half, drip      the answer to the bind stops in the middle; comes a byte each 0.2 s (these
                    also to a handshake of TLS, and to StartTLS)
    bad_bind        invalid credentials
    wrong_kind, wrong_id   the bind is answered by something else; under another number
    bind            binds, never answers a search
    close_at_search, rst_at_search, half_at_search, cut_at_search (closes in the middle of the
    answer), drip_at_search, garbage_at_search, notice (says that it hangs up)
    unavailable     refuses every search (52)
    babble          answers to searches nobody asked for, without end

and with a search, by what the value in its filter, the first one, begins with:

    joe, route      an entry; of route with mailHost one.example,two.example:26 and mailHost
                    three.example
    ahead           both mailHost and callAhead
    moved           mailRoutingAddress joe@there.example; movedhost with mailHost, too
    pair, crowd     two mailRoutingAddress, 400 of them
    slow            an entry, once the gate is open
    never           nothing at all
    busy, time      refused (51), time limit exceeded (3)
    limit, limited  size limit exceeded (4), without and with an entry
    gone            no such object (32)
    elsewhere       a reference to itself, and success; storm 10,000 of them
    parts           the references of Active Directory to its DNS zones, and success
    referral        a referral to itself (10)
    many            10,000 entries
    endless         entries without end
    nul, long       a host with a NUL in it, hosts of 4,000 bytes
    nuladdress, twolines, longaddress   the same of mailRoutingAddress, with a newline in it
    (others)        what LdapPeer.entries has for the whole value, {attribute: [values]}; else
                    success without an entry

In Python:

    with LdapPeer("silent", entries={"a@b.example": {"mailHost": ["c.example"]}}) as peer:
        ... peer.uri, peer.counts, peer.asked (values of filters, in order), peer.wanted (attributes
        of the last search), peer.command("open")

As a process: prints "port N", then reads commands, one a line: "mood NAME", "open" and "shut" the
gate, "drop" all connections, "count NAME" (connections, open, binds, searches, waiting, most_waiting, abandoned, unbinds);
each is answered by a line, a number or "ok". It ends with its standard input.
"""
import os
import socket
import struct
import sys
import threading
import time

COUNTS = ("connections", "open", "binds", "searches", "waiting", "most_waiting", "abandoned",
          "unbinds")
BIND, UNBIND, SEARCH, ABANDON, START_TLS = 0x60, 0x42, 0x63, 0x50, 0x77
BIND_ANSWER, ENTRY, END, REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
EQUALITY = 0xA3
ADDRESSES = {
    "moved": [b"joe@there.example"], "movedhost": [b"joe@there.example"],
    "pair": [b"joe@there.example", b"\"a,b\"@there.example"],
    "crowd": [b"member%d@there.example" % i for i in range(400)],
    "nuladdress": [b"joe\0@there.example"], "twolines": [b"joe@there.example\njoe@b.example"],
    "longaddress": [b"x" * 3000 + b"@there.example"],
}
CODES = {"busy": 51, "time": 3, "limit": 4, "gone": 32, "referral": 10}


def tlv(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x84" + struct.pack(">I", len(body))
    return bytes([tag]) + size + body


def message(number, tag, *parts):
    return tlv(0x30, tlv(2, struct.pack(">I", number)), tlv(tag, *parts))


def result(number, tag, code):
    referral = (tlv(0xA3, tlv(4, b"ldap://127.0.0.1:1/")),) if code == 10 else ()
    return message(number, tag, tlv(10, bytes([code])), tlv(4), tlv(4, b"said by the peer"),
                   *referral)


def entry(number, **attributes):
    return message(number, ENTRY, tlv(4, b"cn=x"), tlv(0x30, *[
        tlv(0x30, tlv(4, name.encode()), tlv(0x31, *[tlv(4, value) for value in values]))
        for name, values in attributes.items()]))


def cut_off(data):
    """The first element as (tag, body, rest), or None where it is not all there."""
    if len(data) < 2:
        return None
    at, size = 2, data[1]
    if size & 0x80:
        at, size = 2 + (size & 0x7F), int.from_bytes(data[2:2 + (size & 0x7F)], "big")
    if len(data) < at + size:
        return None
    return data[0], data[at:at + size], data[at + size:]


def elements(data):
    while data:
        tag, body, data = cut_off(data)
        yield tag, body


def first_value(tag, body):
    """Of a filter: that of its first equality match."""
    if tag == EQUALITY:
        return list(elements(body))[1][1].decode("utf-8", "replace")
    if tag in (0xA0, 0xA1, 0xA2):
        for inner in elements(body):
            if (value := first_value(*inner)) is not None:
                return value
    return None


class Connection:
    def __init__(self, peer, sock):
        self.peer, self.sock = peer, sock
        self.lock = threading.Lock()

    @property
    def mood(self):
        return self.peer.mood

    def send(self, data):
        with self.lock:
            self.sock.sendall(data)

    def drip(self, data):
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(0.2)

    def hang_up(self):
        if self.mood.startswith("rst"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise OSError  # whoever serves it closes it

    def talk(self):
        data = b""
        if self.mood in ("rst", "close"):
            self.hang_up()
        while True:
            more = self.sock.recv(65536)
            if not more:
                return
            data += more
            if data[0] != 0x30 and self.mood != "silent":  # a handshake of TLS
                self.answer_bind(1)
                return
            while self.mood != "silent" and (found := cut_off(data)):
                data = found[2]
                self.answer(found[1])

    def answer(self, request):
        (_, number), (tag, body) = list(elements(request))[:2]
        number = int.from_bytes(number, "big")
        self.peer.note({BIND: "binds", SEARCH: "searches", ABANDON: "abandoned",
                        UNBIND: "unbinds"}.get(tag))
        if tag in (BIND, START_TLS):
            self.answer_bind(number)
        elif tag == SEARCH:
            self.answer_search(number, body)

    def answer_bind(self, number):
        good = result(number, BIND_ANSWER, 0)
        if self.mood == "garbage":
            self.send(bytes(range(256)) * 16)
        elif self.mood == "huge":
            self.send(b"\x30\x84\x10\x00\x00\x00\x02\x01\x01")
        elif self.mood == "half":
            self.send(good[:6])
        elif self.mood == "drip":
            self.drip(good)
        elif self.mood == "bad_bind":
            self.send(result(number, BIND_ANSWER, 49))
        elif self.mood == "wrong_kind":
            self.send(result(number, END, 0))
        elif self.mood == "wrong_id":
            self.send(result(number + 1000, BIND_ANSWER, 0))
        else:
            self.send(good)

    def answer_search(self, number, body):
        whole = entry(number) + result(number, END, 0)
        if self.mood in ("close_at_search", "rst_at_search"):
            self.hang_up()
        elif self.mood == "half_at_search":
            self.send(whole[:6])
        elif self.mood == "cut_at_search":
            self.send(whole[:6])
            self.hang_up()
        elif self.mood == "drip_at_search":
            self.drip(whole)
        elif self.mood == "garbage_at_search":
            self.send(bytes(range(256)) * 16)
        elif self.mood == "notice":
            self.send(message(0, EXTENDED, tlv(10, b"\x34"), tlv(4), tlv(4),
                              tlv(0x8A, b"1.3.6.1.4.1.1466.20036")))
        elif self.mood == "unavailable":
            self.send(result(number, END, 52))
        elif self.mood == "babble":
            while True:
                self.send(entry(number + 1000) * 100)
                time.sleep(0.01)
        elif self.mood != "bind":
            fields = list(elements(body))
            self.peer.wanted = [name.decode() for _, name in elements(fields[7][1])]
            self.by_value(number, first_value(*fields[6]) or "")

    def by_value(self, number, value):
        self.peer.asked.append(value)
        word = value.split("@")[0].rstrip("0123456789")
        if word == "slow":
            threading.Thread(target=self.answer_late, args=(number,), daemon=True).start()
        elif word == "endless":
            while True:
                self.send(entry(number) * 100)
                time.sleep(0.01)
        elif word != "never":
            self.send(b"".join(self.entries(number, word, value)) +
                      result(number, END, 4 if word == "limited" else CODES.get(word, 0)))

    def entries(self, number, word, value):
        hosts = [b"one.example,two.example:26", b"three.example"]
        if word in ("joe", "limited"):
            yield entry(number)
        elif word == "route":
            yield entry(number, mailHost=hosts)
        elif word == "ahead":
            yield entry(number, mailHost=hosts, callAhead=[b"four.example"])
        elif word in ADDRESSES:
            more = {"mailHost": hosts} if word == "movedhost" else {}
            yield entry(number, mailRoutingAddress=ADDRESSES[word], **more)
        elif value in self.peer.entries:
            yield entry(number, **{name: [one.encode() for one in values]
                                   for name, values in self.peer.entries[value].items()})
        elif word == "many":
            yield from (entry(number) for _ in range(10000))
        elif word == "nul":
            yield entry(number, mailHost=[b"one.example\0two"])
        elif word == "long":
            yield entry(number, mailHost=[b"one.example"] * 400)
        elif word in ("elsewhere", "storm"):
            yield message(number, REFERENCE, tlv(4, self.peer.uri.encode() + b"/")) * (10000 if word == "storm" else 1)
        elif word == "parts":
            for part in ("DC=ForestDnsZones", "DC=DomainDnsZones", "CN=Configuration"):
                uri = "%s/%s,DC=test" % (self.peer.uri, part)
                yield message(number, REFERENCE, tlv(4, uri.encode()))

    def answer_late(self, number):
        self.peer.note("waiting")
        self.peer.gate.wait()
        self.peer.note("waiting", -1)
        try:
            self.send(entry(number) + result(number, END, 0))
        except OSError:
            pass


class LdapPeer:
    def __init__(self, mood="good", port=0, entries=()):
        self.mood, self.entries, self.wanted = mood, dict(entries), []
        self.lock = threading.Lock()
        self.counts = dict.fromkeys(COUNTS, 0)
        self.asked = []
        self.gate = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", port), backlog=200)
        self.port = self.socket.getsockname()[1]
        self.uri = "ldap://127.0.0.1:%d" % self.port
        self.open = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.socket.close()
        self.drop_all()

    def drop_all(self):
        with self.lock:
            for sock in self.open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def note(self, name, by=1):
        if name is None:
            return
        with self.lock:
            self.counts[name] += by
            self.counts["most_waiting"] = max(self.counts["most_waiting"], self.counts["waiting"])

    def accept(self):
        while True:
            try:
                sock = self.socket.accept()[0]
            except OSError:
                return
            self.note("connections")
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        self.note("open")
        with self.lock:
            self.open.add(sock)
        try:
            Connection(self, sock).talk()
        except (OSError, ValueError, TypeError, IndexError):  # hung up, or spoke no LDAP
            pass
        with self.lock:
            self.open.discard(sock)
            sock.close()
        self.note("open", -1)

    def command(self, line):
        words = line.split()
        if words[0] == "count":
            with self.lock:
                return str(self.counts[words[1]])
        if words[0] == "mood":
            self.mood = words[1]
        elif words[0] == "open":
            self.gate.set()
        elif words[0] == "shut":
            self.gate.clear()
        elif words[0] == "drop":
            self.drop_all()
        else:
            raise ValueError(line)
        return "ok"


def main():
    peer = LdapPeer()
    print("port %d" % peer.port, flush=True)
    for line in sys.stdin:
        print(peer.command(line), flush=True)
    os._exit(0)  # not waiting for those at the gate


if __name__ == "__main__":
    main()
