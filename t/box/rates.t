#!/usr/bin/python3
"""Limits of connections, rates and harvest protection in the real daemon (SPEC 4, 6, 7)."""
import contextlib
import json
import os
import re
import socket
import struct
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from house import House, wait_until
from tap import Tap

tap = Tap()
OFF = "[dns]\nhost_lookup = off\n"
RAT = {"rat": "example.com ACCEPT\nfree.example ACCEPT {bypass_rate_limit}\n"}
CONTINUE = "continue"
LISTENER_FULL = "421 4.4.5 Too many connections"
HOST_FULL = "421 4.4.5 Too many connections from your host"
HOST_RATE = "452 4.7.1 Too many recipients received this hour"
SENDER_RATE = "452 4.7.1 Too many recipients received from the sender"
ACCOUNT_RATE = "452 4.7.1 Too many recipients from this account"
NO = "550 5.1.0 Address rejected"
HARVEST = "550 5.7.1 Too many invalid recipients"
BLOCKED = "421 4.7.1 Too many invalid recipients"


def house(conf, files=None, **more):
    return House(OFF + conf, {**RAT, **(files or {})}, **more)


def come(it, ip="192.0.2.1", **macros):
    """A connection that stays open; its answer is .greeting."""
    mta = it.dial().negotiate()
    if macros:
        mta.macros("C", macros)
    mta.greeting = mta.connect(ip)
    return mta


def comes_in(it, ip="192.0.2.1", **macros):
    """Does it come in, once those who left are gone? It does not stay."""
    with come(it, ip, **macros) as mta:
        line = mta.greeting.line
        mta.quit()
    return line


def rcpts(it, *addresses, ip="192.0.2.1", sender="<a@b.test>", daemon="", auth=None):
    """Answers to MAIL and to each recipient of a message in a connection of its own."""
    with it.session(ip, macros={"daemon_name": daemon}) as mta:
        if auth:
            mta.macros("M", auth_authen=auth)
        return [mta.mail(sender).line] + [mta.rcpt(f"<{a}>").line for a in addresses]


def put(mta, addresses):
    """All RCPTs in one piece."""
    packets = b""
    for address in addresses:
        word = b"<%s>\0" % address.encode()
        packets += struct.pack(">I", len(word) + 1) + b"R" + word
    mta.raw(packets)


@tap.part
def connections():
    conf = "[listener in]\nrat = rat\nmax_connections = 5\n[policy DEFAULT]\nmax_connections_per_ip = 3\n"
    with house(conf) as it:
        held = [come(it) for _ in range(3)]
        tap.eq([m.greeting.line for m in held], [CONTINUE] * 3, "as many as an address may have")
        tap.eq(comes_in(it), HOST_FULL, "one more of the same address")
        tap.eq(comes_in(it, "::ffff:192.0.2.1"), HOST_FULL, "as a mapped address, too")
        it.wait_log(event="close", count=2)  # those two have left the listener, too
        held += [come(it, f"192.0.2.{n}") for n in (2, 3)]
        tap.eq([m.greeting.line for m in held[3:]], [CONTINUE] * 2, "others fill the listener")
        tap.eq(comes_in(it, "192.0.2.4"), LISTENER_FULL, "one more of the listener")
        line = it.wait_log(event="connect", detail="too_many_from_host")
        tap.eq((line["by"], line["policy"], line["verdict"]), ("limit", "ACCEPTED", "tempfail"), "the log")
        held[0].quit()
        held[0].close()
        wait_until(lambda: comes_in(it, "192.0.2.4") == CONTINUE, "the place of one who left")
        tap.ok(True, "who leaves makes room")
        for mta in held[1:]:
            mta.close()


@tap.part
def sessions_that_die():
    """However a session ends, what it held is given back, and only once."""
    conf = "[listener in]\nrat = rat\nmax_connections = 20\n[policy DEFAULT]\nmax_connections_per_ip = 20\n"
    with house(conf) as it:
        for round_ in range(5):
            held = [come(it) for _ in range(20)]
            tap.eq({m.greeting.line for m in held}, {CONTINUE}, f"round {round_}: all come in")
            tap.eq(comes_in(it), LISTENER_FULL, f"round {round_}: and no more")
            for n, mta in enumerate(held):
                if n % 5 > 0:
                    mta.mail("<a@b.test>")
                if n % 5 > 1:
                    put(mta, ["u@example.com"] * 3)
                if n % 5 == 3:
                    mta.raw(b"\0\0\0\x05Bx")  # in the middle of a packet
                if n % 5 == 4:
                    mta.quit()
                    with contextlib.suppress(OSError):
                        mta.quit()
                if n % 2:
                    mta.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                mta.close()
            it.wait_log(event="close", count=(round_ + 1) * 21)
        with come(it) as refused:  # counted nowhere, and gives nothing back
            tap.eq(refused.greeting.line, CONTINUE, "in the end there is room")


@tap.part
def five_hundred_sessions():
    """On one key exactly the limit comes in."""
    conf = """
[listener in]
rat = rat
max_connections = 500
[policy DEFAULT]
max_connections_per_ip = 500
max_recipients_per_hour = 777
"""
    with house(conf) as it:
        held = [come(it) for _ in range(500)]
        tap.eq({m.greeting.line for m in held}, {CONTINUE}, "500 sessions")
        tap.eq(comes_in(it), LISTENER_FULL, "and not one more")
        for mta in held:
            mta.mail("<a@b.test>")
        for n, mta in enumerate(held):
            put(mta, [f"u{n}@example.com", f"v{n}@example.com", f"w{n}@example.com"])
        answers = [mta.answer().line for mta in held for _ in range(3)]
        tap.eq((answers.count(CONTINUE), answers.count(HOST_RATE)), (777, 1500 - 777),
               "777 of 1500 recipients at once")
        for mta in held:
            mta.close()
        wait_until(lambda: comes_in(it) == CONTINUE, "they leave")


@tap.part
def rates():
    conf = """
[group ONE]
senders = 192.0.2.0/24
policy = ONE
[policy ONE]
max_recipients_per_hour = 2
[group NET]
senders = 198.51.100.0/24, 2001:db8::/32
policy = NET
[policy NET]
max_recipients_per_hour = 2
significant_bits = 24
max_recipients_per_hour_code = 550
max_recipients_per_hour_text = #5.7.606 $Group $RemoteIP 100%
[group SENDERS]
senders = 203.0.113.0/24
policy = SENDERS
[policy SENDERS]
max_sender_recipients = 2
[policy ACCOUNTS]
max_auth_recipients = 2
[listener in]
rat = rat
groups = ONE, NET, SENDERS
[listener two]
daemon_name = two
rat = rat
groups = ONE
[listener accounts]
daemon_name = accounts
type = private
groups =
default_policy = ACCOUNTS
"""
    with house(conf) as it:
        tap.eq(rcpts(it, "1@example.com"), [CONTINUE] * 2, "one less than the limit")
        tap.eq(rcpts(it, "2@example.com", "3@example.com", daemon="two"), [CONTINUE] * 2 + [HOST_RATE],
               "another listener shares the counter: the limit, and one more")
        tap.eq(rcpts(it, "3@example.com", "3@free.example", "3@no.example"),
               [CONTINUE, HOST_RATE, CONTINUE, NO], "exempt recipients and refused ones")
        line = it.wait_log(event="rcpt", detail="host_rate")
        tap.eq((line["by"], line["code"], line["status"]), ("rate", "452", "4.7.1"), "the log")
        tap.eq(rcpts(it, "1@example.com", ip="192.0.2.2"), [CONTINUE] * 2, "another host")
        words = "550 5.7.606 NET %s 100%%"
        tap.eq(rcpts(it, "1@example.com", ip="198.51.100.1"), [CONTINUE] * 2, "a /24")
        tap.eq(rcpts(it, "1@example.com", "2@example.com", ip="198.51.100.2"),
               [CONTINUE] * 2 + [words % "198.51.100.2"], "... is one client")
        tap.eq(rcpts(it, "1@example.com", ip="2001:db8::1"), [CONTINUE] * 2, "a /64")
        tap.eq(rcpts(it, "1@example.com", "2@example.com", ip="2001:db8::2"),
               [CONTINUE] * 2 + [words % "2001:db8::2"], "... is one, too")
        tap.eq(rcpts(it, "1@example.com", ip="2001:db8:0:1::1"), [CONTINUE] * 2, "and the next /64 another")
        tap.eq(rcpts(it, "1@example.com", ip="203.0.113.1", sender="<s@b.test>"), [CONTINUE] * 2,
               "a sender")
        tap.eq(rcpts(it, "1@example.com", "2@example.com", ip="203.0.113.2", sender="<S@B.test>"),
               [CONTINUE] * 2 + [SENDER_RATE], "... from elsewhere")
        tap.eq(rcpts(it, *["1@example.com"] * 4, ip="203.0.113.2", sender="<>"), [CONTINUE] * 5,
               "the null sender")
        tap.eq(rcpts(it, "1@x.test", auth="joe", ip="192.0.2.8", daemon="accounts"), [CONTINUE] * 2,
               "an account")
        tap.eq(rcpts(it, "1@x.test", "2@x.test", auth="JOE", ip="192.0.2.9", daemon="accounts"),
               [CONTINUE] * 2 + [ACCOUNT_RATE], "... from elsewhere")
        it.configure(OFF + conf.replace("max_recipients_per_hour = 2", "max_recipients_per_hour = 3", 1))
        it.reload()
        tap.eq(rcpts(it, "3@example.com", "4@example.com"), [CONTINUE] * 2 + [HOST_RATE],
               "after a reload the counter is the same, the limit new")
        it.kill()
        it.start()
        tap.eq(rcpts(it, *["3@example.com"] * 4), [CONTINUE] * 4 + [HOST_RATE],
               "after a crash counters start afresh")


@tap.part
def harvest():
    conf = """
[listener in]
rat = rat
groups = OURS
callahead = mailboxes
[callahead mailboxes]
type = static
servers = 127.0.0.1:%d
[policy DEFAULT]
max_invalid_recipients_per_hour = 5
[group STAY]
senders = 198.51.100.0/24
policy = STAY
[policy STAY]
dhap_drop = no
[group OURS]
senders = 203.0.113.1
policy = relay
[listener stay]
daemon_name = stay
rat = rat
groups = STAY
"""
    unknown = "550 5.1.1 User unknown"
    with smtpserver.Server(rcpt=[["^bad", "550 5.1.1 no such user"]]) as server:
        with house(conf % server.port) as it:
            tap.eq(rcpts(it, "good@example.com", "bad1@example.com", "x@no.example", "bad1@example.com"),
                   [CONTINUE, CONTINUE, unknown, NO, unknown], "a table's refusals and call-ahead's")
            line = it.wait_log(event="rcpt", to="<bad1@example.com>", cached="yes")
            tap.eq((line["invalid"], line["attempts"]), ("2", "3"), "the same address again counts once")
            with it.session() as first, it.session() as second:
                first.mail("<a@b.test>")
                second.mail("<a@b.test>")
                tap.eq([first.rcpt("<bad2@example.com>").line, second.rcpt("<bad3@example.com>").line],
                       [unknown] * 2, "several connections count together")
                tap.eq(second.rcpt("<bad4@example.com>").line, HARVEST, "the last one that is allowed")
                tap.eq(it.wait_log(event="rcpt", by="dhap")["said"], "no such user", "... was asked about")
                asked = server.stats()["rcpt"]
                tap.eq([m.rcpt(a).line for m in (first, second) for a in
                        ("<good@example.com>", "<new@example.com>", "<bad5@example.com>", "<postmaster>")],
                       [HARVEST] * 8, "from then on the reply tells nothing")
                tap.eq(server.stats()["rcpt"], asked, "and nobody is asked")
                tap.eq(first.mail("<a@b.test>").line, BLOCKED, "the next MAIL")
            tap.eq(rcpts(it)[:1], [BLOCKED], "MAIL of later connections")
            tap.eq(rcpts(it, "x@no.example", ip="192.0.2.2"), [CONTINUE, NO], "another client")
            with it.session() as mta:
                mta.macros("M", auth_authen="joe")
                tap.eq([mta.mail("<a@b.test>").line, mta.rcpt("<x@no.example>").line], [CONTINUE] * 2,
                       "who authenticates is exempt")
            wrong = [f"u{n}@no.example" for n in range(10)]
            tap.eq(rcpts(it, *wrong, ip="198.51.100.1", daemon="stay"),
                   [CONTINUE] + [NO] * 4 + [HARVEST] * 6, "without dhap_drop")
            tap.eq(rcpts(it, "good@example.com", ip="198.51.100.1", daemon="stay"), [CONTINUE, HARVEST],
                   "... MAIL passes and recipients hear it")
            tap.eq(rcpts(it, *wrong, ip="203.0.113.1"), [CONTINUE] * 11, "who may relay is exempt")


@tap.part
def many_harvesters_at_once():
    """One key: as many refusals name the address as the limit allows, less one."""
    conf = """
[listener in]
rat = rat
[policy DEFAULT]
max_connections_per_ip = 100
max_invalid_recipients_per_hour = 50
"""
    with house(conf) as it:
        held = [come(it) for _ in range(100)]
        for mta in held:
            mta.mail("<a@b.test>")
        for n, mta in enumerate(held):
            put(mta, [f"u{n}@no.example", "same@no.example"])
        answers = [mta.answer().line for mta in held for _ in range(2)]
        it.wait_log(event="rcpt", count=200)
        named = {line["to"] for line in it.find_log(event="rcpt", detail="rat_reject")}
        tap.eq(len(named), 49, "49 different addresses were refused as such")
        tap.eq(set(answers), {NO, HARVEST}, "and everything else as a harvest")
        for mta in held:
            mta.close()


@tap.part
def monitor():
    conf = """
[listener in]
rat = rat
max_connections = 3
[policy DEFAULT]
max_connections_per_ip = 2
max_recipients_per_hour = 1
max_invalid_recipients_per_hour = 1
"""
    with house(conf, gatehouse={"mode": "monitor"}) as it:
        held = [come(it) for _ in range(5)]
        tap.eq([m.greeting.line for m in held], [CONTINUE] * 5, "nobody is turned away")
        answers = [m.mail("<a@b.test>").line for m in held]
        for mta in held:
            answers += [mta.rcpt(f"<{a}>").line for a in ("u@example.com", "v@example.com", "u@no.example")]
        answers += [m.mail("<a@b.test>").line for m in held]
        answers += [m.rcpt("<u@example.com>").line for m in held]
        tap.eq(set(answers), {CONTINUE}, "nothing is refused")
        it.wait_log(event="rcpt", count=20)
        would = {(line["event"], line["detail"]) for line in map(dict, it.find_log(would="tempfail"))}
        tap.ok({("connect", "too_many_from_host"), ("rcpt", "host_rate"), ("mail", "harvest_blocked")}
               <= would, "the log has what would be", would)
        tap.ok(it.find_log(event="rcpt", detail="harvest", would="reject"), "... of harvesters, too")
        for mta in held:
            mta.close()


@tap.part
def counter():
    """gatehousectl counter show and reset."""
    conf = """
[listener in]
rat = rat
groups = NETS
[policy DEFAULT]
max_recipients_per_hour = 2
max_sender_recipients = 3
max_auth_recipients = 10
sender_rate_period = 10m
[group NETS]
senders = 198.51.100.0/24, 2001:db8::/32
policy = NETS
[policy NETS]
significant_bits = 24
"""
    with house(conf) as it:
        def show(key, *options):
            return it.ctl("counter", "show", *options, key)

        tap.eq(show("192.0.2.1"), (1, "", "nothing is counted for 192.0.2.1\n"), "nothing yet")
        rcpts(it, *["u@example.com"] * 3, "x@no.example", "x@no.example", "y@no.example", sender="<S@B.test>")
        rcpts(it, "u@example.com", ip="198.51.100.7")
        rcpts(it, "u@example.com", ip="2001:db8::7", auth="Joe")
        with come(it) as mta:
            status, out, err = show("192.0.2.1")
            tap.eq((status, err), (0, ""), "show")
            rows = [re.split("  +", line.strip()) for line in out.splitlines()]
            tap.eq([row[:4] for row in rows],
                   [["KIND", "KEY", "COUNT", "ASKED"], ["connections", "192.0.2.1", "1", "-"],
                    ["host", "192.0.2.1/32", "2", "3"], ["invalid", "192.0.2.1/32", "2", "3"]], "... a client")
            tap.eq([row[4] if row[4:] in (["LEFT"], ["-"]) else bool(re.fullmatch(r"1 h|5\d min", row[4])) for row in rows],
                   ["LEFT", "-", True, True], "... and for how long")
            seen = [json.loads(line) for line in show("192.0.2.1", "--json")[1].splitlines()]
            tap.eq([(s["kind"], s["key"], s["count"], s.get("asked")) for s in seen],
                   [("connections", "192.0.2.1", 1, None), ("host", "192.0.2.1/32", 2, 3),
                    ("invalid", "192.0.2.1/32", 2, 3)], "... as JSON")
            tap.ok(show("in")[1].splitlines()[1].startswith("listener  in "), "... a listener")
            mta.quit()
        def row(key):
            return show(key)[1].splitlines()[1].split()

        tap.eq(row("198.51.100.1")[:4], ["host", "198.51.100.0/24", "1", "1"], "... a network")
        tap.eq(show("198.51.100.0/24")[0], 0, "... by its name")
        tap.eq(show("198.51.100.0/25")[0], 1, "... and no other")
        tap.eq(row("2001:db8::1")[:4], ["host", "2001:db8::/64", "1", "1"], "... a /64")
        tap.ok(re.fullmatch(r"sender s@B\.Test 2 2 (10 min|9 min \d+ s)", " ".join(row("s@B.Test"))), "... a sender",
               show("s@B.Test")[1])
        tap.eq(row("joe")[:4], ["account", "joe", "1", "1"], "... an account")
        tap.eq(it.ctl("counter", "reset", "192.0.2.1"), (0, "2 reset\n", ""), "reset")
        tap.eq(show("192.0.2.1")[0], 1, "... forgets")
        tap.eq(it.ctl("counter", "reset", "192.0.2.1"), (1, "", "nothing is counted for 192.0.2.1\n"), "... once")
        tap.eq(rcpts(it, "u@example.com", "y@no.example"), [CONTINUE, CONTINUE, NO], "... and counting begins anew")
        line = it.wait_log(event="rcpt", to="<y@no.example>", count=2)
        tap.eq((line["invalid"], line["attempts"]), ("1", "1"), "... of invalid recipients, too")
        for wrong in ([], ["show"], ["reset"], ["show", "a", "b"], ["reset", "--json", "a"], ["list", "a"]):
            tap.eq(it.ctl("counter", *wrong)[0], 2, f"usage: {wrong}")
        it.stop()
        tap.eq(show("192.0.2.1")[0], 3, "without a daemon")


@tap.part
def trace():
    """A trace begins with empty counters, so that a list over a limit shows it."""
    conf = """
[listener in]
rat = rat
[policy DEFAULT]
max_recipients_per_hour = 2
max_invalid_recipients_per_hour = 2
"""
    with house(conf) as it:
        ask = ["trace", "--offline", "--ip", "192.0.2.1", "--from", "a@b.test", "--json", "--to"]
        for _ in range(2):
            _, out, _ = it.ctl(*ask, "1@example.com,2@example.com,3@example.com")
            tap.eq([(r["verdict"], r["by"]) for r in json.loads(out)["recipients"]],
                   [("accept", "rat"), ("accept", "rat"), ("tempfail", "rate")], "over the rate")
        _, out, _ = it.ctl(*ask, "1@no.example,2@no.example,1@example.com")
        tap.eq([(r["verdict"], r["by"]) for r in json.loads(out)["recipients"]],
               [("reject", "rat"), ("reject", "dhap"), ("reject", "dhap")], "over the harvest limit")
        lines = "\n".join(json.dumps({"ip": "192.0.2.1", "from": "a@b.test", "to": ["1@example.com"]})
                          for _ in range(5))
        _, out, _ = it.ctl("trace", "--offline", "-", stdin=lines)
        tap.eq([json.loads(line)["verdict"] for line in out.splitlines()], ["accept"] * 5,
               "each line of a batch begins anew")


tap.done()
