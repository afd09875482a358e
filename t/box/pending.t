#!/usr/bin/python3
"""Connections that are being classified: one client's silent name servers hold up nobody else."""
import os
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import SLOWNESS, House, wait_until
from milter_client import connect_data
from tap import Tap

tap = Tap()
ZONE = """
1.2.0.192.in-addr.arpa !drop
2.2.0.192.in-addr.arpa PTR mail.other.test
mail.other.test A 192.0.2.2
*.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa !drop
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.other.test
mail.other.test AAAA 2001:db8:0:f::1
"""
CONF = """
[listener in]
rat = rat
max_connections = 300
[policy DEFAULT]
max_connections_per_ip = 300
[dns]
servers = 127.0.0.1:%d
timeout = 30s
"""
FULL = "421 4.4.5 Too many connections from your host"
DEADLINE = 6 * min(SLOWNESS, 3)  # long enough to look around, not longer than a client waits
SOON = 2 * SLOWNESS


def house(dns, conf=CONF, deadline=SOON, **more):
    return House(conf % dns.port, {"rat": "ALL ACCEPT\n"},
                 gatehouse={"command_deadline": f"{deadline * 1000:.0f}ms", **more})


def begin(it, ip):
    """A connection whose answer is not awaited."""
    mta = it.dial().negotiate()
    mta.send(b"C", connect_data(ip))
    return mta


def greeting(it, ip):
    with it.session(ip) as mta:
        return mta.greeting.line


@tap.part
def one_client_and_the_others():
    with DnsServer(ZONE) as dns, house(dns, deadline=DEADLINE) as it:
        crowd = [begin(it, "192.0.2.1") for _ in range(300)]
        began = time.monotonic()
        it.wait_log(event="connect", detail="too_many_pending", count=280)
        took = time.monotonic() - began
        tap.ok(took < DEADLINE, "all but 20 are answered at once", f"{took:.3f} s")
        tap.eq([greeting(it, "192.0.2.2"), greeting(it, "2001:db8:0:f::1")], ["continue"] * 2, "others get in meanwhile")
        tap.eq((greeting(it, "192.0.2.1"), it.ctl("counter", "show", "192.0.2.1")[1]),
               (FULL, "KIND     KEY        COUNT\npending  192.0.2.1     20\n"), "one more of that client does not")
        tap.eq(len(it.find_log(event="connect", verdict="accept", ip="192.0.2.1")), 0, "... while the 20 still wait")
        lines = [mta.answer().line for mta in crowd]
        tap.eq((lines.count(FULL), lines.count("continue")), (280, 20), "20 wait for their name")
        tap.ok(it.wait_log(event="connect", verdict="accept", ip="192.0.2.1", why="ptr_tempfail", count=20),
               "... which does not come")
        tap.eq(it.ctl("counter", "show", "192.0.2.1")[1], "KIND         KEY        COUNT\nconnections  192.0.2.1     20\n",
               "then none of them waits any more")
        for mta in crowd:
            mta.close()


@tap.part
def an_ipv6_client_has_a_network():
    with DnsServer(ZONE) as dns, house(dns) as it:
        crowd = [begin(it, f"2001:db8::{n:x}") for n in range(1, 26)]
        it.wait_log(event="connect", detail="too_many_pending", count=5)
        tap.eq(sorted(mta.answer().line for mta in crowd), [FULL] * 5 + ["continue"] * 20,
               "25 addresses of one /64 are one client")
        for mta in crowd:
            mta.close()


@tap.part
def who_hangs_up_gives_back():
    """MTAs that go away in the middle: every place comes back, and only once."""
    with DnsServer(ZONE) as dns, house(dns) as it:
        for round_ in range(2):
            crowd = [begin(it, "192.0.2.1") for _ in range(20)]
            wait_until(lambda: it.ctl("counter", "show", "192.0.2.1")[1] == "KIND     KEY        COUNT\npending  192.0.2.1     20\n", "20 wait")
            tap.eq(greeting(it, "192.0.2.1"), FULL, f"round {round_}: 20 wait, one more is refused")
            for mta in crowd:
                mta.close()
            it.wait_log(event="close", count=(round_ + 1) * 21)
            tap.eq(it.ctl("counter", "show", "192.0.2.1"), (1, "", "nothing is counted for 192.0.2.1\n"), f"round {round_}: nothing is left of them")


@tap.part
def our_own_front_host():
    conf = CONF.replace("[listener in]\n", "[listener in]\ntrusted_hops = 192.0.2.0/24\nmax_pending_per_ip = 1\n")
    with DnsServer(ZONE) as dns, house(dns, conf) as it:
        crowd = [begin(it, "192.0.2.1") for _ in range(30)]
        tap.eq({mta.answer().line for mta in crowd}, {"continue"}, "brings the mail of many")
        for mta in crowd:
            mta.close()


@tap.part
def monitor():
    conf = CONF.replace("[listener in]\n", "[listener in]\nmax_pending_per_ip = 2\n")
    with DnsServer(ZONE) as dns, house(dns, conf, mode="monitor") as it:
        crowd = [begin(it, "192.0.2.1") for _ in range(5)]
        tap.eq({mta.answer().line for mta in crowd}, {"continue"}, "nobody is refused")
        tap.ok(it.wait_log(detail="too_many_pending", would="tempfail", count=3), "the log says who would be")
        for mta in crowd:
            mta.close()


@tap.part
def a_stop_in_between():
    with DnsServer(ZONE) as dns, house(dns) as it:
        crowd = [begin(it, "192.0.2.1") for _ in range(25)]
        it.wait_log(event="connect", detail="too_many_pending", count=5)
        it.stop()  # raises where the daemon does not end well
        tap.ok(True, "the daemon stops well while clients are being looked up")
        for mta in crowd:
            mta.close()


tap.done()
