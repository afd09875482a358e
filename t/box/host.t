#!/usr/bin/python3
"""The client's host name and its three unverified classes (SPEC 4, [dns] host_lookup)."""
import os
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House
from tap import Tap

tap = Tap()
CONF = """
[group NAMED]
senders = mail.friend.test
policy = NAMED
[policy NAMED]
access = reject
reject_text = named $hostname $hatentry
[group BELOW]
senders = .friend.test
policy = BELOW
[policy BELOW]
access = reject
reject_text = below $hostname $hatentry
[group NOPTR]
unverified = no_ptr
policy = NOPTR
[policy NOPTR]
access = reject
reject_text = no_ptr $hostname $hatentry
[group TEMP]
unverified = ptr_tempfail
policy = TEMP
[policy TEMP]
access = reject
reject_code = 450
reject_text = tempfail $hostname $hatentry
[group MISMATCH]
unverified = ptr_mismatch
policy = MISMATCH
[policy MISMATCH]
access = reject
reject_text = mismatch $hostname $hatentry
[listener in]
rat = rat
groups = NAMED, BELOW, NOPTR, TEMP, MISMATCH
[dns]
"""
ZONE = """
1.2.0.192.in-addr.arpa PTR mail.friend.test
mail.friend.test A 192.0.2.1
2.2.0.192.in-addr.arpa PTR MX7.Friend.Test
mx7.friend.test A 192.0.2.99
mx7.friend.test A 192.0.2.2
3.2.0.192.in-addr.arpa PTR mail.friend.test
4.2.0.192.in-addr.arpa !servfail
5.2.0.192.in-addr.arpa PTR gone.friend.test
6.2.0.192.in-addr.arpa PTR broken.friend.test
broken.friend.test !servfail
7.2.0.192.in-addr.arpa PTR wrong.friend.test
7.2.0.192.in-addr.arpa PTR right.other.test
wrong.friend.test A 192.0.2.99
right.other.test A 192.0.2.7
8.2.0.192.in-addr.arpa TXT "no PTR here"
9.2.0.192.in-addr.arpa !drop
10.2.0.192.in-addr.arpa PTR mail.friend.test
10.2.0.192.in-addr.arpa !garbage
11.2.0.192.in-addr.arpa PTR alias.friend.test
alias.friend.test CNAME real.friend.test
real.friend.test A 192.0.2.11
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.friend.test
mail.friend.test AAAA 2001:db8::1
"""
NO_NAME = "554 5.7.1 no_ptr None nx.domain"
TEMP = "450 4.7.1 tempfail Unknown serv.fail"
MISMATCH = "554 5.7.1 mismatch None not.double.verified"
OWN = [
    ("192.0.2.1", "554 5.7.1 named mail.friend.test mail.friend.test", "yes"),
    ("::ffff:192.0.2.1", "554 5.7.1 named mail.friend.test mail.friend.test", "yes"),
    ("2001:db8::1", "554 5.7.1 named mail.friend.test mail.friend.test", "yes"),
    ("192.0.2.2", "554 5.7.1 below mx7.friend.test .friend.test", "yes"),
    ("192.0.2.3", MISMATCH, "no"),
    ("192.0.2.4", TEMP, "no"),
    ("192.0.2.5", MISMATCH, "no"),
    ("192.0.2.6", TEMP, "no"),
    ("192.0.2.7", "continue", "yes"),
    ("192.0.2.8", NO_NAME, "no"),
    ("192.0.2.9", TEMP, "no"),
    ("192.0.2.10", TEMP, "no"),
    ("192.0.2.11", "554 5.7.1 below alias.friend.test .friend.test", "yes"),
    ("192.0.2.12", NO_NAME, "no"),
    ("2001:db8::2", NO_NAME, "no"),
]
BY_MTA = [
    ("OK", "mail.friend.test", "554 5.7.1 named mail.friend.test mail.friend.test"),
    ("OK", "Mail.Friend.TEST.", "554 5.7.1 named mail.friend.test mail.friend.test"),
    ("OK", "other.test", "continue"),
    ("OK", "no name at all", NO_NAME),
    ("OK", "", NO_NAME),
    ("OK", "bücher.friend.test", NO_NAME),
    ("OK", "mail.friend.test\u200b", NO_NAME),
    ("OK", "[192.0.2.1]", NO_NAME),
    ("OK", "192.0.2.1", NO_NAME),
    ("OK", "-.friend.test", NO_NAME),
    ("OK", "a..friend.test", NO_NAME),
    ("OK", ".friend.test", NO_NAME),
    ("OK", "x" * 64 + ".friend.test", NO_NAME),
    ("OK", "x." * 130 + "friend.test", NO_NAME),
    ("OK", "xn--bcher-kva.friend.test", "554 5.7.1 below xn--bcher-kva.friend.test .friend.test"),
    ("FAIL", "unknown", NO_NAME),
    ("TEMP", "unknown", TEMP),
    ("FORGED", "mail.friend.test", MISMATCH),
    ("", "mail.friend.test", "continue"),
    ("nonsense", "mail.friend.test", "continue"),
]


@tap.part
def looked_up_here():
    with DnsServer(ZONE) as dns:
        with House(CONF + f"servers = 127.0.0.1:{dns.port}\ntimeout = 500ms\ntries = 2\n",
                   {"rat": "ALL ACCEPT\n"}) as it:
            for ip, wanted, verified in OWN:
                before = len(it.lines)
                with it.session(ip, host="mail.friend.test") as mta:  # what the MTA believes is not asked
                    tap.eq(mta.greeting.line, wanted, f"own: {ip}")
                    tap.eq(it.wait_log(event="connect", after=before)["verified"], verified, f"own: {ip} in the log")
            asked = dns.count("1.2.0.192.in-addr.arpa")
            with it.session("192.0.2.1"):
                tap.eq(dns.count("1.2.0.192.in-addr.arpa"), asked, "the second time it is known")


SEVERAL = """
[group BAD]
policy = BAD
senders = .other.example
[policy BAD]
access = reject
reject_text = bad $hostname $hatentry
[group GOOD]
policy = GOOD
senders = mail.partner.example
[policy GOOD]
access = reject
reject_text = good $hostname $hatentry
[group ADDRESS]
policy = ADDRESS
senders = 192.0.2.48
[policy ADDRESS]
access = reject
reject_text = address $hostname $hatentry
[listener in]
rat = rat
groups = BAD, GOOD, ADDRESS
[dns]
"""
BAD = "554 5.7.1 bad a.other.example .other.example"
GOOD = "554 5.7.1 good mail.partner.example mail.partner.example"
# Last octet, names in the order of the answer, the reply, the name in the log.
NAMES = [
    (41, ["b.partner.example", "a.other.example"], BAD, "a.other.example"),
    (42, ["a.other.example", "b.partner.example"], BAD, "a.other.example"),
    (43, ["z.other.example", "mail.partner.example", "A.Other.Example.", "a.other.example"], BAD, "a.other.example"),
    (44, ["z.partner.example", "mail.partner.example", "a.partner.example"], GOOD, "mail.partner.example"),
    (45, ["a.partner.example", "z.partner.example", "mail.partner.example"], GOOD, "mail.partner.example"),
    (46, ["z.partner.example", "b.partner.example"], "continue", "b.partner.example"),
    (47, ["forged.other.example", "z.partner.example"], "continue", "z.partner.example"),  # no name of its
    (48, ["z.partner.example", "b.partner.example"], "554 5.7.1 address b.partner.example 192.0.2.48",
     "b.partner.example"),
    (49, ["forged.other.example", "a.forged.example"], "continue", "a.forged.example"),
    (50, ["ill.other.example", "mail.partner.example"], GOOD, "mail.partner.example"),
    (51, ["ill.other.example", "b.partner.example"], "continue", "b.partner.example"),
    (52, ["ill.other.example", "a.forged.example"], "continue", '""'),
    (53, ['"no name"', "a.other.example"], BAD, "a.other.example"),
]


def names_zone():
    """Every name leads to every client, but the forged and the ill ones."""
    lines = ["forged.other.example A 192.0.2.200", "a.forged.example A 192.0.2.200", "ill.other.example !servfail"]
    for last, names, _reply, _shown in NAMES:
        lines += [f"{last}.2.0.192.in-addr.arpa PTR {name}" for name in names]
    own = {name.lower().rstrip(".") for _last, names, *_ in NAMES for name in names}
    lines += [f"{name} A 192.0.2.{last}" for name in sorted(own) for last, *_ in NAMES
              if "forged" not in name and "ill" not in name and " " not in name]
    return "\n".join(lines)


@tap.part
def several_names():
    with DnsServer(names_zone()) as dns:
        with House(SEVERAL + f"servers = 127.0.0.1:{dns.port}\n", {"rat": "ALL ACCEPT\n"}) as it:
            for last, names, reply, shown in NAMES:
                before = len(it.lines)
                with it.session(f"192.0.2.{last}") as mta:
                    tap.eq(mta.greeting.line, reply, f"names: {', '.join(names)}")
                line = it.wait_log(event="connect", after=before)
                tap.eq(line["host"], shown.strip('"'), "... the name that matched is shown, else the first")
                doubt = any("ill" in name for name in names) and shown != '""'
                tap.eq(line.get("failed"), "host" if doubt else None, "... and whether others could not be asked")
            tap.eq(it.wait_log(event="connect", ip="192.0.2.49")["why"], "ptr_mismatch", "none leads back")
            tap.eq(it.wait_log(event="connect", ip="192.0.2.52")["why"], "ptr_tempfail",
                   "none leads back, one could not be asked")


@tap.part
def dead_server():
    """No name server at all: inside the deadline, and mail goes on."""
    with DnsServer("") as dns:
        port = dns.port
    with House(CONF + f"servers = 127.0.0.1:{port}\ntimeout = 20s\n", {"rat": "ALL ACCEPT\n"},
               gatehouse={"command_deadline": "1s"}) as it:
        began = time.monotonic()
        with it.session("192.0.2.1") as mta:
            took = time.monotonic() - began
            tap.eq(mta.greeting.line, TEMP, "a dead name server is ptr_tempfail")
            tap.ok(took < 15, "inside the deadline", f"{took:.3f} s")
    with DnsServer("1.2.0.192.in-addr.arpa !drop") as dns:
        with House(CONF + f"servers = 127.0.0.1:{dns.port}\ntimeout = 20s\n", {"rat": "ALL ACCEPT\n"},
                   gatehouse={"command_deadline": "1s"}) as it:
            began = time.monotonic()
            with it.session("192.0.2.1") as mta:
                took = time.monotonic() - began
                tap.eq(mta.greeting.line, TEMP, "a silent name server is ptr_tempfail")
                tap.ok(0.9 < took < 15, "at the deadline", f"{took:.3f} s")


@tap.part
def told_by_the_mta():
    with House(CONF + "host_lookup = mta\nservers = 127.0.0.1:1\n", {"rat": "ALL ACCEPT\n"}) as it:
        for resolve, name, wanted in BY_MTA:
            before = len(it.lines)
            with it.session(macros={"client_resolve": resolve, "client_name": name}) as mta:
                tap.eq(mta.greeting.line, wanted, f"mta: {resolve} {name}")
            if wanted == NO_NAME:
                line = it.wait_log(event="connect", after=before)
                tap.eq((line["host"], line["why"]), ("", "no_ptr" if resolve == "FAIL" else "no_host_name"),
                       f"mta: {resolve} {name} in the log")
        with it.session() as mta:
            tap.eq(mta.greeting.line, "continue", "mta: an MTA that says nothing puts nobody into a class")


@tap.part
def not_looked_up():
    with House(CONF + "host_lookup = off\n", {"rat": "ALL ACCEPT\n"}) as it:
        with it.session(macros={"client_resolve": "FAIL", "client_name": "mail.friend.test"}) as mta:
            tap.eq(mta.greeting.line, "continue", "off: no name and no class")
        tap.eq(it.wait_log(event="connect")["why"], "not_looked_up", "off: the log says so")


tap.done()
