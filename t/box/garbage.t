#!/usr/bin/python3
"""An MTA that has lost its mind, or somebody else on the milter socket (SPEC 15, hostile input)."""
import os
import random
import re
import socket
import struct
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, wait_until
from milter_client import Closed
from tap import Tap

tap = Tap()
CONF = "[dns]\nhost_lookup = off\n[policy ACCEPTED]\nmax_recipients_per_message = 1000\n[listener in]\nrat = rat\n"
RAT = {"rat": "example.com ACCEPT\n"}
OPTNEG = b"\0\0\0\x0dO" + struct.pack(">III", 6, 0x1FF, 0x1FFFFF)
SEED = 20221210


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


CONNECT = packet(b"C", b"[192.0.2.1]\0" + b"4" + struct.pack(">H", 4000) + b"192.0.2.1\0")
MAIL = packet(b"M", b"<a@b.test>\0")
RCPT = packet(b"R", b"<u@example.com>\0")
START = OPTNEG + CONNECT


def noise(size):
    return bytes(random.getrandbits(8) for _ in range(size))


def stuffed(command, data):
    return START + packet(command, data)


CASES = {
    "nothing": b"",
    "one byte": b"\0",
    "half a length": b"\0\0",
    "a length without a packet": b"\0\0\0\x0d",
    "half a packet": OPTNEG[:9],
    "a packet of no bytes": b"\0\0\0\0",
    "a length of 4 GB": b"\xff\xff\xff\xffO" + noise(100),
    "a length of 2 GB": b"\x7f\xff\xff\xffO" + noise(100),
    "a length of 1 MB": b"\0\x10\0\0O" + noise(100),
    "an SMTP client": b"EHLO example.com\r\nMAIL FROM:<a@b.test>\r\n",
    "an HTTP client": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(5000),
    "noise": noise(5000),
    "noise after the negotiation": OPTNEG + noise(5000),
    "noise after connect": START + noise(5000),
    "a short negotiation": packet(b"O", b"\0\0\0\x06"),
    "an empty negotiation": packet(b"O"),
    "version 0": packet(b"O", struct.pack(">III", 0, 0, 0)),
    "version 4294967295": packet(b"O", b"\xff" * 12),
    "a negotiation with much behind it": packet(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF) + noise(60000)),
    "negotiating twice": OPTNEG + OPTNEG,
    "connect before the negotiation": CONNECT + OPTNEG,
    "connecting twice": START + CONNECT,
    "connecting twice, after MAIL": START + MAIL + CONNECT,
    "MAIL before connect": OPTNEG + MAIL,
    "RCPT before MAIL": START + RCPT,
    "MAIL twice": START + MAIL + MAIL,
    "body before MAIL": START + packet(b"B", b"x" * 100),
    "end of message at once": START + packet(b"E"),
    "end of message after MAIL": START + MAIL + packet(b"E"),
    "end of message twice": START + MAIL + RCPT + packet(b"E") + packet(b"E"),
    "aborts": START + packet(b"A") * 10 + MAIL + packet(b"A") * 10,
    "data after quit": START + packet(b"Q") + MAIL + RCPT,
    "an unknown command": START + packet(b"z", b"what"),
    "all commands": START + b"".join(packet(bytes([c])) for c in range(256)),
    "connect without data": OPTNEG + packet(b"C"),
    "connect without a family": OPTNEG + packet(b"C", b"host\0"),
    "connect without an end": OPTNEG + packet(b"C", b"host"),
    "connect with half a port": OPTNEG + packet(b"C", b"host\0" + b"4\0"),
    "connect without an address": OPTNEG + packet(b"C", b"host\0" + b"4\0\x19"),
    "connect with an address without an end": OPTNEG + packet(b"C", b"host\0" + b"4\0\x19192.0.2.1"),
    "connect with a wrong address": OPTNEG + packet(b"C", b"host\0" + b"4\0\x19999.0.2.1\0"),
    "connect with a wrong IPv6 address": OPTNEG + packet(b"C", b"host\0" + b"6\0\x19:::::\0"),
    "connect from an unknown family": OPTNEG + packet(b"C", b"host\0" + b"X\0\x19192.0.2.1\0"),
    "connect with a long unix path": OPTNEG + packet(b"C", b"host\0" + b"L\0\0" + b"/x" * 1000 + b"\0"),
    "connect with a long host": OPTNEG + packet(b"C", b"h" * 60000 + b"\0" + b"4\0\x19192.0.2.1\0"),
    "MAIL without data": stuffed(b"M", b""),
    "MAIL without an end": stuffed(b"M", b"<a@b.test>"),
    "MAIL of an empty word": stuffed(b"M", b"\0"),
    "MAIL of 60 KB": stuffed(b"M", b"<" + b"a" * 60000 + b"@b.test>\0"),
    "MAIL of 30,000 words": stuffed(b"M", b"<a@b.test>\0" + b"x\0" * 30000),
    "MAIL with odd sizes": stuffed(b"M", b"<a@b.test>\0SIZE=\0SIZE=-1\0SIZE=1e9\0SIZE=99999999999999999999999\0"),
    "MAIL of control bytes": stuffed(b"M", bytes(range(1, 128)) + b"\0"),
    "RCPT without data": START + MAIL + packet(b"R"),
    "RCPT of an empty word": START + MAIL + packet(b"R", b"\0"),
    "RCPT of empty words": START + MAIL + packet(b"R", b"\0" * 60000),
    "RCPT of 60 KB": START + MAIL + packet(b"R", b"<" + b"a" * 60000 + b">\0"),
    "RCPT of 60 KB of comments": START + MAIL + packet(b"R", b"(" * 60000 + b"\0"),
    "RCPT of 60 KB of routes": START + MAIL + packet(b"R", b"<" + b"@a," * 20000 + b"@a:u@example.com>\0"),
    "RCPT of noise": START + MAIL + packet(b"R", noise(3000).replace(b"\0", b"") + b"\0"),
    "RCPT of broken UTF-8": START + MAIL + packet(b"R", b"<\xc3@\xff\xfe.example.com>\0"),
    "RCPT of format strings": START + MAIL + packet(b"R", b"<%s%n%p%99999d@example.com>\0"),
    "RCPT of log injection": START + MAIL + packet(b"R", b"<u@x>\n2026-01-01 info event=rcpt verdict=forged\0"),
    "macros of nothing": START + packet(b"D"),
    "macros for no command": START + packet(b"D", b"z{a}\0b\0"),
    "macros without values": START + packet(b"D", b"M{auth_authen}"),
    "macros without end": START + packet(b"D", b"M{auth_authen}\0joe"),
    "a macro without its value": START + packet(b"D", b"M{auth_authen}\0") + MAIL + RCPT,
    "three strings of macros": START + packet(b"D", b"M{a}\0b\0{c}\0") + MAIL + packet(b"D", b"R{x}\0") + RCPT,
    "macros of 60 KB": START + packet(b"D", b"M{auth_authen}\0" + b"j" * 60000 + b"\0") + MAIL,
    "20,000 macros": START + packet(b"D", b"M" + b"i\0x\0" * 16000) + MAIL,
    "a header": START + MAIL + packet(b"L", b"From\0x\0"),
    "a header without a value": START + MAIL + packet(b"L", b"From"),
    "a megabyte of body": START + MAIL + RCPT + packet(b"B", b"x" * 65000) * 16 + packet(b"E"),
    "macros for connect, then nothing": OPTNEG + packet(b"D", b"C{daemon_name}\0in\0"),
}


def is_sane(it):
    """A proper session, from connect to end."""
    with it.session() as mta:
        said = [mta.greeting, mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.rcpt("<u@x.test>"), mta.message()]
        return [r.line for r in said] == ["continue"] * 3 + ["550 5.1.0 Address rejected", "continue"]


def throw(it, data, ending):
    with it.dial() as mta:
        try:
            mta.raw(data)
            if ending == "rst":
                mta.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif ending == "read":
                mta.socket.shutdown(socket.SHUT_WR)
                mta.is_closed()
        except (Closed, OSError):
            pass


def descriptors(it):
    return len(os.listdir(f"/proc/{it.pid}/fd"))


def all_closed(it):
    """Every connect line has its close line."""
    return len(it.find_log(event="connect")) == len(it.find_log(event="close"))


@tap.part
def one_by_one():
    random.seed(SEED)
    with House(CONF, RAT) as it, it.session("192.0.2.99") as bystander:
        tap.ok(is_sane(it), "sane before")
        wait_until(lambda: descriptors(it) > 0, "descriptors")
        before = descriptors(it)
        bystander.mail("<a@b.test>")
        for name, data in CASES.items():
            for ending in ("close", "read"):
                throw(it, data, ending)
            tap.ok(it.alive() and bystander.rcpt("<postmaster>").line == "continue", f"{name}: lives, others are served")
        for data in CASES.values():
            throw(it, data, "rst")
        tap.ok(is_sane(it), "sane after all of it")
        wait_until(lambda: descriptors(it) <= before, f"descriptors fall back to {before}")
        tap.ok(True, "no descriptor is lost")
        bystander.quit()
        wait_until(lambda: all_closed(it), "a close line for each connect line")
        tap.ok(True, "no session is lost")
        odd = [line for line in it.lines if not re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (info|warning|error) (icid|event)=", line)]
        tap.eq(odd, [], "every line of the log is one of ours")
        tap.eq([line for line in it.find_log() if line.get("verdict") == "forged"], [], "nobody writes lines but us")
        tap.ok(max(map(len, it.lines)) < 5000, "lines are bounded", max(map(len, it.lines)))
        stopped = it.stop()
        tap.note(f"stopped in {stopped:.2f} s")
        tap.ok(any("stopped with 0 sessions open" in line for line in it.lines), "no session is open at the end", it.lines[-3:])


@tap.part
def wrong_and_answered():
    """What a client can bring about through a sane MTA gets an answer, not a cut."""
    syntax = "501 5.1.3 Bad recipient address syntax"
    with House(CONF, RAT) as it, it.session() as mta:
        mta.mail("<a@b.test>")
        for name, address in (
            ("60 KB", b"<" + b"a" * 60000 + b"@example.com>"),
            ("60 KB of brackets", b"<" * 60000),
            ("60 KB of backslashes", b'<"' + b"\\" * 60000 + b'"@example.com>'),
            ("broken UTF-8", b"<\xc3\x28@example.com>"),
            ("control bytes", b"<\x1b[2J@example.com>"),
            ("CR LF", b"<u@example.com>\r\nDATA"),
        ):
            tap.eq(mta.rcpt(address).line, syntax, f"RCPT of {name}")
        tap.eq(mta.rcpt(b"<%s%n%x@example.com>").line, "continue", "RCPT of format strings")
        tap.eq(mta.message().line, "continue", "... and the message passes")
        mta.macros("M", auth_authen=b"joe\r\n\x1b[0m" + b"x" * 3000)
        tap.eq(mta.mail("<a@b.test>").line, "continue", "an odd user")


@tap.part
def random_sessions():
    """Sane packets in any order, some of them bent; a session may end, the daemon must not."""
    random.seed(SEED)
    pieces = [CONNECT, MAIL, RCPT, packet(b"A"), packet(b"B", b"xyz"), packet(b"E"), packet(b"T"), packet(b"N"),
              packet(b"H", b"helo\0"), packet(b"L", b"a\0b\0"), packet(b"D", b"R{i}\0x\0"), packet(b"U", b"what\0"),
              packet(b"D", b"M{auth_authen}\0joe\0"), packet(b"R", b"<u@x.test>\0"), packet(b"K"), packet(b"Q")]
    with House(CONF, RAT) as it:
        for _ in range(300):
            data = OPTNEG + (CONNECT if random.random() < 0.8 else b"")
            data += b"".join(random.choice(pieces) for _ in range(random.randrange(30)))
            if random.random() < 0.3:
                at = random.randrange(len(data))
                data = data[:at] + noise(random.randrange(1, 5)) + data[at + random.randrange(5):]
            throw(it, data, random.choice(("close", "read", "rst")))
        tap.ok(it.alive() and is_sane(it), "300 random sessions")
        wait_until(lambda: all_closed(it), "a close line for each connect line")
        it.stop()
        tap.ok(any("stopped with 0 sessions open" in line for line in it.lines), "no session is open at the end", it.lines[-3:])


@tap.part
def macros_that_are_no_pairs():
    """libmilter would look for the value of the last one behind the end of its list."""
    with House(CONF, RAT) as it:
        for n in range(200):
            names = b"".join(b"{macro%d}\0" % i for i in range(2 * (n % 10) + 1))
            with it.dial() as mta:
                mta.raw(START + packet(b"D", b"M" + names) + MAIL + packet(b"D", b"R" + names) + RCPT)
                mta.socket.shutdown(socket.SHUT_WR)
                mta.is_closed()
            if not it.alive():
                break
        tap.ok(it.alive() and is_sane(it), "macros that are no pairs")


@tap.part
def many_connections():
    """More connections than descriptors: it recovers."""
    with House(CONF, RAT) as it:
        held = []
        for _ in range(300):
            mta = it.dial()
            mta.raw(OPTNEG)
            held.append(mta)
        tap.ok(is_sane(it), "300 connections that say nothing: others are served")
        for mta in held:
            mta.close()
        tap.ok(is_sane(it), "... and afterwards")


tap.done()
