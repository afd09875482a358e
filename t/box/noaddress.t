#!/usr/bin/python3
"""A client for which the MTA gives no address: only ALL matches it, in the daemon and in its tools."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House
from tap import Tap

tap = Tap()
CONF = """
[group OURS]
policy = RELAYED
senders = 127.0.0.1, ::1, 0.0.0.0/0, ::/0, mail.friend.test
unverified = no_ptr, ptr_tempfail, ptr_mismatch
[policy ACCEPTED]
max_connections_per_ip = 2
max_recipients_per_hour = 3
[listener in]
rat = rat
groups = OURS
trusted_hops = 0.0.0.0/0, ::/0
"""
UNKNOWN = b"localhost\0U"
LOCAL = b"localhost\0L" + b"\0\0" + b"/run/somewhere.sock\0"
REJECTED = "550 5.1.0 Address rejected"
HOST_FULL = "421 4.4.5 Too many connections from your host"
HOST_RATE = "452 4.7.1 Too many recipients received this hour"


def come(it, data, **macros):
    mta = it.dial().negotiate()
    if macros:
        mta.macros("C", macros)
    mta.send(b"C", data)
    mta.greeting = mta.answer().line
    return mta


@tap.part
def the_daemon():
    with DnsServer("1.0.0.127.in-addr.arpa PTR mail.friend.test\nmail.friend.test A 127.0.0.1\n") as dns:
        for host_lookup in ("own", "mta"):
            conf = CONF + f"[dns]\nservers = 127.0.0.1:{dns.port}\nhost_lookup = {host_lookup}\n"
            with House(conf, {"rat": "example.com ACCEPT\n"}) as it:
                for family, data in (("unknown", UNKNOWN), ("a local socket", LOCAL)):
                    before = len(it.lines)
                    with come(it, data, client_name="mail.friend.test", client_resolve="OK") as mta:
                        tap.eq([mta.greeting, mta.mail("<a@b.test>").line, mta.rcpt("<u@elsewhere.test>").line],
                               ["continue", "continue", REJECTED], f"{host_lookup}: {family} may not relay")
                        mta.quit()
                    line = it.wait_log(event="connect", after=before)
                    tap.eq([line.get(key) for key in ("ip", "host", "group", "entry", "policy", "why", "trusted")],
                           ["unknown", "", "None", "ALL", "ACCEPTED", "not_looked_up", None],
                           f"{host_lookup}: {family} in the log")
                    it.wait_log(event="close", after=before)
                    it.ctl("counter", "reset", "unknown")
                tap.eq(dns.count("1.0.0.127.in-addr.arpa"), 0, f"{host_lookup}: nobody asks for its name")


@tap.part
def counted_for_itself():
    with House(CONF + "[dns]\nhost_lookup = off\n", {"rat": "example.com ACCEPT\n"}) as it:
        held = [come(it, UNKNOWN), come(it, LOCAL)]
        tap.eq([mta.greeting for mta in held], ["continue"] * 2, "as many as an address may have")
        with come(it, UNKNOWN) as mta:
            tap.eq(mta.greeting, HOST_FULL, "one more")
        with it.session("127.0.0.1") as mta:
            tap.eq(mta.greeting.line, "continue", "the host itself is another client")
        held[0].mail("<a@b.test>")
        held[1].mail("<a@b.test>")
        tap.eq([mta.rcpt("<u@example.com>").line for mta in held * 2], ["continue"] * 3 + [HOST_RATE],
               "one rate for all of them")
        with it.session("127.0.0.1") as mta:
            mta.mail("<a@b.test>")
            tap.eq([mta.rcpt("<u@example.com>").line for _ in range(5)], ["continue"] * 5, "and for nobody else")
        status, out, _ = it.ctl("counter", "show", "--json", "unknown")
        seen = [json.loads(line) for line in out.splitlines()]
        tap.eq((status, [(s["kind"], s["key"], s["count"]) for s in seen]),
               (0, [("connections", "unknown", 2), ("host", "unknown", 3)]), "counter show")
        tap.eq(it.ctl("counter", "reset", "unknown")[0], 0, "counter reset")
        tap.eq(held[0].rcpt("<v@example.com>").line, "continue", "... lets it in again")
        for mta in held:
            mta.close()


@tap.part
def the_tools():
    facts = {"from": "a@b.test", "to": ["u@elsewhere.test"]}
    with House(CONF + "[dns]\nhost_lookup = off\n", {"rat": "example.com ACCEPT\n"}) as it:
        def trace(ip, *more):
            status, out, err = it.ctl("trace", "--ip", ip, "--from", "a@b.test", "--to", "u@elsewhere.test",
                                      "--offline", "--json", *more)
            return (json.loads(out)["group"], json.loads(out)["entry"], status) if out else (status, err)

        def match(ip, *more):
            status, out, err = it.ctl("hat", "match", "--json", "in", ip, *more)
            answer = json.loads(out) if out else err
            return [answer[key] for key in ("ip", "group", "entry", "access")] if status == 0 else (status, err)

        tap.eq(trace("unknown"), (None, "ALL", 1), "trace")
        tap.eq(trace("unknown", "--host", "mail.friend.test", "--score", "5"), (None, "ALL", 1), "... with facts")
        tap.eq(trace("127.0.0.1"), ("OURS", "127.0.0.1", 0), "... of the host itself")
        tap.ok("connect  unknown " in it.ctl("trace", "--ip", "unknown", "--from", "a@b.test", "--to", "u@example.com",
                                   "--offline")[1], "... in words")
        status, out, _ = it.ctl("trace", "-", "--offline", stdin=json.dumps({"ip": "unknown", **facts}) + "\n")
        tap.eq((status, json.loads(out)["entry"]), (0, "ALL"), "trace of a batch")
        tap.eq(match("unknown"), ["unknown", None, "ALL", "accept"], "hat match")
        tap.eq(match("unknown", "mail.friend.test"), ["unknown", None, "ALL", "accept"], "... with a name")
        tap.eq(match("unknown", "none"), ["unknown", None, "ALL", "accept"], "... without one")
        tap.eq(it.ctl("hat", "match", "in", "unknow")[0], 2, "any other word is an error")
        tap.ok("IPv4, IPv6, or unknown" in it.ctl("trace", "--ip", "unknow", "--from", "a@b", "--to", "u@c")[2],
               "... that says what is allowed")

        it.ctl("hat", "block", "0.0.0.0/0")
        it.ctl("hat", "block", "::/0")
        with come(it, UNKNOWN) as mta:
            tap.eq((mta.greeting, match("unknown")[2], trace("unknown")[1]), ("continue", "ALL", "ALL"),
                   "a block of all addresses is none of it")
        tap.eq(match("127.0.0.1")[2:], ["0.0.0.0/0", "reject"], "... but of the host itself")
        it.ctl("hat", "block", "ALL")
        with come(it, UNKNOWN) as mta:
            tap.eq((mta.greeting, match("unknown")[3]), ("554 5.7.1 Access denied", "reject"),
                   "a block of everybody is")


tap.done()
