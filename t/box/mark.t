#!/usr/bin/python3
"""The header field for later filters, and the removal of forged ones (SPEC 11)."""
import os
import struct
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milter_client as protocol
from house import House
from tap import Tap

tap = Tap()
ADD, CHANGE = 0x01, 0x10  # actions: add and change header fields
CONF = """
[dns]
host_lookup = off
[reputation]
source = file:scores
[policy HALF]
virus_scan = no
[policy SMALL]
max_message_size = 1K
[group HALF]
policy = HALF
senders = 192.0.2.1
[group SMALL]
policy = SMALL
senders = 192.0.2.2
[group SCORED]
policy = ACCEPTED
senders = SBRS[-10:-1]
[listener in]
rat = rat
groups = HALF SMALL SCORED
[listener text]
daemon_name = text
hat = hat
rat = rat
"""
FILES = {
    "rat": "example.com ACCEPT\n",
    "scores": "192.0.2.3 -2.5\n",
    "hat": '$UNSCANNED ACCEPT { spam_check = "off" }\n192.0.2.4 $UNSCANNED\nALL: ACCEPT\n',
}
MARK = "group=None policy=ACCEPTED score=none spam_scan=yes virus_scan=yes"


def house(header="X-Gatehouse", conf=CONF, **more):
    return House(conf, FILES, gatehouse={**({"header": header} if header else {}), **more})


def changes(mta):
    """(what is done to the header, the answer) at the end of a message"""
    mta.send(b"E")
    done = []
    while True:
        kind, data = mta.receive()
        if kind in protocol.FINAL:
            return done, protocol.Reply(kind, data).line
        number, rest = struct.unpack(">I", data[:4])[0], data[4:]
        name, value = rest.split(b"\0")[:2]
        done.append((kind.decode(), number, name.decode(), value.decode()))


def begin(mta, *names, body=b"text\r\n"):
    mta.mail("<a@b.test>")
    mta.rcpt("<u@example.com>")
    for name in names:
        mta.header(name, " anything")
    mta.end_of_headers()
    mta.body(body)


def message(mta, *names, **more):
    begin(mta, *names, **more)
    return changes(mta)


@tap.part
def negotiation():
    with house(None) as it, it.dial() as mta:
        mta.negotiate()
        tap.eq((mta.actions & (ADD | CHANGE), mta.steps & protocol.NO_HEADERS), (0, protocol.NO_HEADERS),
               "without the key headers are neither seen nor changed")
        mta.connect("192.0.2.9")
        tap.eq(message(mta, "X-Gatehouse"), ([], "continue"), "... and a message is left alone")
    with house() as it:
        with it.dial() as mta:
            mta.negotiate()
            tap.eq(mta.actions, protocol.SET_MACROS | ADD | CHANGE, "with it header fields are added and changed")
            tap.eq(mta.steps & (protocol.NO_HEADERS | protocol.NR_HEADER), protocol.NR_HEADER,
                   "... and seen, without replies")
            tap.ok(mta.steps & protocol.NO_EOH, "... but not their end")
        with it.dial() as mta:
            mta.negotiate(actions=0x1F, steps=0x7F)
            mta.connect("192.0.2.9")
            tap.eq(mta.mail("<a@b.test>").line + mta.rcpt("<u@example.com>").line, "continue" * 2, "an old MTA")
            tap.eq(mta.header("X-Gatehouse", "x").line, "continue", "... has its reply to each field")
            tap.eq(mta.body(b"x").line, "continue", "... and to the body")
            tap.eq(changes(mta)[0], [("m", 1, "X-Gatehouse", ""), ("i", 0, "X-Gatehouse", MARK)],
                   "... and is told to change them")
        for version in (2, 3, 4):  # milter_protocol of Postfix
            with it.dial() as mta:
                mta.negotiate(version=version, actions=0x3F, steps=0x7F)
                mta.connect("192.0.2.9")
                tap.eq(message(mta, "X-Gatehouse")[0][-1][0], "i", f"an MTA of protocol {version}")
        with it.dial() as mta:
            mta.negotiate(actions=protocol.SET_MACROS)
            mta.connect("192.0.2.9")
            tap.eq(message(mta), ([], "451 4.3.0 Temporary local problem"),
                   "an MTA that lets nothing be changed does not let unmarked messages through")
        it.wait_log(event="header")


@tap.part
def marks():
    with house() as it:
        for ip, daemon, wanted in (
                ("192.0.2.9", "", MARK),
                ("192.0.2.1", "", "group=HALF policy=HALF score=none spam_scan=yes virus_scan=no"),
                ("192.0.2.3", "", "group=SCORED policy=ACCEPTED score=-2.5 spam_scan=yes virus_scan=yes"),
                ("192.0.2.4", "text", "group=None policy=UNSCANNED score=none spam_scan=no virus_scan=yes"),
                ("192.0.2.5", "text", "group=None policy=DEFAULT score=none spam_scan=yes virus_scan=yes")):
            with it.session(ip, macros={"daemon_name": daemon}) as mta:
                tap.eq(message(mta), ([("i", 0, "X-Gatehouse", wanted)], "continue"), f"the mark of {ip}")
    with house("X-Our-Word") as it, it.session("192.0.2.9") as mta:
        tap.eq(message(mta, "X-Gatehouse", "x-our-word")[0],
               [("m", 1, "X-Our-Word", ""), ("i", 0, "X-Our-Word", MARK)], "another name")


@tap.part
def forged():
    with house() as it, it.session("192.0.2.9") as mta:
        ours = ("i", 0, "X-Gatehouse", MARK)

        def out(*numbers):
            return [("m", n, "X-Gatehouse", "") for n in numbers] + [ours], "continue"

        tap.eq(message(mta, "Subject", "X-Gatehouses", "X-Gatehous", "Gatehouse"), out(), "others stay")
        tap.eq(message(mta, "X-Gatehouse"), out(1), "a copy is taken out")
        tap.eq(message(mta, "x-gatehouse", "Subject", "X-GATEHOUSE", "X-Gatehouse "), out(3, 2, 1),
               "several, in any case, from the last one on")
        begin(mta, "X-Gatehouse", "X-Gatehouse")
        mta.abort()
        tap.eq(message(mta, "Subject"), out(), "those of an aborted message are forgotten")
        begin(mta, "X-Gatehouse", "X-Gatehouse")
        tap.eq(message(mta, "X-Gatehouse"), out(1), "... also without a word of the MTA")
        tap.eq(message(mta, *["X-Gatehouse"] * 100), out(*range(100, 0, -1)), "a hundred copies")
        tap.eq(message(mta, *["X-Gatehouse"] * 101),
               ([], "554 5.6.0 Too many header fields reserved for this host"), "one more is refused")
        it.wait_log(event="eom", forged="101", detail="too_many_marks")
    with house() as it, it.session("192.0.2.2") as mta:
        tap.eq(message(mta, "X-Gatehouse", body=b"x" * 1025), ([], "552 5.3.4 Message size exceeds limit"),
               "nothing is done to a message that is refused")


@tap.part
def monitor():
    with house(mode="monitor") as it, it.session("192.0.2.2") as mta:
        mark = MARK.replace("None", "SMALL").replace("ACCEPTED", "SMALL")
        mta.mail("<a@b.test>")
        tap.eq(mta.rcpt("<u@other.test>").line, "continue", "monitor: a recipient that would be refused")
        mta.header("X-Gatehouse", "x")
        mta.body(b"x" * 2000)
        tap.eq(changes(mta), ([("m", 1, "X-Gatehouse", ""), ("i", 0, "X-Gatehouse", mark)], "continue"),
               "... its message is marked, whatever would be said to it")
        it.wait_log(event="eom", would="reject", verdict="accept", recipients="0")
        done, answer = message(mta, *["X-Gatehouse"] * 500)
        tap.eq((answer, len(done), done[0], done[-1][:2]), ("continue", 101, ("m", 100, "X-Gatehouse", ""), ("i", 0)),
               "... of too many copies a hundred are taken out")


@tap.part
def reloaded():
    """A session keeps what it began with."""
    with house(None) as it:
        with it.session("192.0.2.9") as before:
            it.configure(CONF, header="X-Gatehouse")
            it.reload()
            tap.eq(message(before, "X-Gatehouse"), ([], "continue"), "a session from before a reload")
            with it.session("192.0.2.9") as after:
                tap.eq(message(after)[0], [("i", 0, "X-Gatehouse", MARK)], "one after it")
                it.configure(CONF, header="X-Other")
                it.reload()
                tap.eq(message(after)[0], [("i", 0, "X-Gatehouse", MARK)], "... keeps its field")
        for name in ("Subject", "X-", "X-a b", "x-gatehouse", "X-" + "a" * 63):
            it.configure(CONF, header=name)
            _status, _out, err = it.ctl("check")
            tap.ok(f'[gatehouse] header: "{name}' in err and "allowed: X-" in err, f"header = {name}", err)


tap.done()
