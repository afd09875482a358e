#!/usr/bin/python3
"""Hosts that are left alone for now: named in status and metrics, with until when and why."""
import json
import os
import re
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House, free_port, wait_until
from ldappeer import LdapPeer
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """
[dns]
servers = 127.0.0.1:%(dns)d
host_lookup = off
[group LISTED]
policy = reject
senders = dnslist[bad.test], dnslist[good.test]
[listener in]
groups = LISTED
rat = rat
callahead = p
ldap_accept = d
[callahead p]
type = static
servers = 127.0.0.1:%(smtp)d
[ldap d]
uri = ldap://127.0.0.1:%(ldap)d
base_dn = dc=test
accept_query = (mail={a})
ldap_error = accept
"""
RAT = {"rat": "example.com ACCEPT\nfree.example ACCEPT {bypass_ldap}\n"}
ZONE = "2.0.0.127.good.test A 127.0.0.2\n"
MANY = 230
SAMPLE = re.compile(r'gatehouse_(\w+_paused)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (\d+)')


def paused(it):
    return json.loads(it.ctl("status", "--json")[1])["paused"]


def samples(it, name):
    """{labels: value}"""
    out = it.ctl("stats", "--prometheus")[1]
    return {match[2]: int(match[3]) for match in SAMPLE.finditer(out) if match[1] == name}


def rcpts(it, *addresses):
    with it.session() as mta:
        for i in range(0, len(addresses), 40):
            mta.mail("<a@b.test>")
            for address in addresses[i:i + 40]:
                mta.rcpt(f"<{address}>")
            mta.abort()


@tap.part
def each_sort():
    with Server(banner="554 5.3.2 \"not\" now") as smtp, DnsServer(ZONE) as dns:
        ldap = free_port()
        with House(CONF % {"dns": dns.port, "smtp": smtp.port, "ldap": ldap}, RAT) as it:
            def again(look, wanted):
                """Pauses end; each failure makes the next one longer."""
                rcpts(it, "joe@example.com")
                found = look()
                return found if len(found) == wanted else None

            told = wait_until(lambda: again(lambda: {one["kind"]: one for one in paused(it)}, 3), "all are left alone")
            now = time.time()
            tap.eq({kind: (one["host"], one["profile"]) for kind, one in told.items()},
                   {"callahead": (f"127.0.0.1:{smtp.port}", None), "ldap": (f"ldap://127.0.0.1:{ldap}", "d"),
                    "dnslist": ("bad.test", None)}, "status --json: the hosts by name")
            tap.ok('"not" now' in told["callahead"]["cause"] and told["ldap"]["cause"] and
                   "127.0.0.2, which every list must have" in told["dnslist"]["cause"], "... why", told)
            tap.ok(all(isinstance(one["until"], int) and -5 < one["until"] - now <= 33 for one in told.values()),
                   "... until when", told)
            row = rf"(?m)^ldap +ldap://127\.0\.0\.1:{ldap} +d +20\d\d-\S+ \d\d:\d\d:\d\d"
            out = wait_until(lambda: again(lambda: re.findall(row, it.ctl("status")[1]), 1) and it.ctl("status")[1], "a row")
            tap.ok(re.search(r"(?m)^\npaused:\nKIND +HOST +PROFILE +UNTIL +CAUSE$", out), "status: a table", out)
            for name, label in (("dnslist_paused", 'zone="bad.test"'), ("callahead_host_paused", f'host="127.0.0.1:{smtp.port}"'),
                                ("directory_host_paused", f'host="ldap://127.0.0.1:{ldap}",profile="d"')):
                tap.eq(wait_until(lambda name=name: again(lambda: samples(it, name), 1), name), {label: 1}, f"metrics: {name}")
            out = it.ctl("stats", "--prometheus")[1]
            for name in ("callahead_host_paused", "directory_host_paused", "dnslist_paused"):
                tap.eq(out.count(f"# TYPE gatehouse_{name} gauge\n"), 1, f"... {name} has its type")


@tap.part
def no_more_than_are_borne():
    """Very many hosts: two hundred by name, the others as one."""
    port = free_port()
    routes = "".join(f"d{i}.test: [127.0.1.{i + 1}]:{port}\n" for i in range(MANY))
    rat = "".join(f"d{i}.test ACCEPT\n" for i in range(MANY))
    conf = "[dns]\nhost_lookup = off\n[listener in]\nrat = rat\ncallahead = p\n[callahead p]\n[routes]\nfile = routes\n" \
           "[policy ACCEPTED]\nmax_messages_per_connection = 1000\n"
    with House(conf, {"rat": rat, "routes": routes}) as it:
        def all_of_them():
            rcpts(it, *[f"u@d{i}.test" for i in range(MANY)])
            return json.loads(it.ctl("status", "--json")[1])["callahead_servers_paused"] == MANY

        wait_until(all_of_them, "all of them are in a pause", patience=120)
        found = samples(it, "callahead_host_paused")
        tap.ok(len(found) == 201 and found.get('host="other"', 0) > 0 and sum(found.values()) <= MANY,
               "two hundred and the rest", str(found)[:500])
        tap.ok(all(re.fullmatch(r'host="(127\.0\.1\.\d+:\d+|other)"', label) for label in found), "... by their names", found)
        tap.ok(1 <= len(paused(it)) <= 200, "status: no more either", len(paused(it)))


@tap.part
def odd_names():
    """What is in a label ends neither it nor the line."""
    conf = CONF.replace("ldap://127.0.0.1:%(ldap)d", 'ldapi://%%2Fnowhere%%2Fa"b\\c') % {"dns": free_port(), "smtp": free_port()}
    with House(conf, RAT) as it:
        found = wait_until(lambda: rcpts(it, "joe@example.com") or samples(it, "directory_host_paused"), "a pause")
        tap.eq(found, {r'host="ldapi://%2Fnowhere%2Fa\"b\\c",profile="d"': 1}, "escaped")


@tap.part
def the_cause_of_a_pause():
    """The second question in a row says what the first one did."""
    port = free_port()
    conf = CONF % {"dns": free_port(), "smtp": free_port(), "ldap": port} + "routing_query = (mail={a})\n"
    with House(conf, RAT, start=False) as it:
        status, out, _err = it.ctl("ldap", "test", "--json", "d", "joe@example.com")
        told = json.loads(out)
        tap.eq((status, told["accept"], told["routing"]), (1, "error", "error"), "ldap test: two queries, nobody there")
        tap.ok(told["accept_text"] and "is paused after a failure" in told["routing_text"] and
               told["routing_text"].endswith(f"ldap://127.0.0.1:{port}: {told['accept_text']}"),
               "the second has the cause of the first", told)
        _status, out, _err = it.ctl("callahead", "-", stdin="joe@example.com\njim@example.com\n")
        first, second = [json.loads(line)["text"] for line in out.splitlines()]
        tap.eq(second, f"server paused: {first}", "callahead: the same")
    with LdapPeer("unavailable") as peer, House(CONF % {"dns": free_port(), "smtp": free_port(), "ldap": peer.port}
                                                + "routing_query = (mail={a})\n", RAT, start=False) as it:
        told = json.loads(it.ctl("ldap", "test", "--json", "d", "joe@example.com")[1])
        tap.ok("unavailable" in told["routing_text"].lower(), "a directory that refuses: the cause, too", told)


tap.done()
