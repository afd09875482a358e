#!/usr/bin/python3
"""Which listener serves a connection, by the macros of the MTA (SPEC 4)."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
CONF = """
[dns]
host_lookup = off
[listener named]
daemon_name = inside
rat = rat
[listener addressed]
local_address = 192.0.2.25
rat = rat
[listener six]
local_address = 2001:db8::25
rat = rat
[listener port]
local_port = 587
rat = rat
[listener both]
daemon_name = inside
local_port = 587
rat = rat
[listener all-three]
daemon_name = inside
local_address = 192.0.2.25
local_port = 587
type = private
default_policy = RELAYED
"""
FALLBACK = "[listener fallback]\nrat = rat\n"
CASES = [
    ({"daemon_name": "inside"}, "named"),
    ({"daemon_name": "INSIDE"}, "fallback"),
    ({"daemon_name": "inside "}, "fallback"),
    ({"daemon_name": "x"}, "fallback"),
    ({}, "fallback"),
    ({"daemon_name": "", "daemon_addr": "", "daemon_port": ""}, "fallback"),
    ({"daemon_addr": "192.0.2.25"}, "addressed"),
    ({"daemon_addr": "192.0.2.2"}, "fallback"),
    ({"daemon_addr": "::ffff:192.0.2.25"}, "addressed"),
    ({"daemon_addr": "IPv6:::ffff:192.0.2.25"}, "addressed"),
    ({"daemon_addr": "2001:db8::25"}, "six"),
    ({"daemon_addr": "IPv6:2001:db8::25"}, "six"),
    ({"daemon_addr": "IPv6:2001:DB8:0:0:0:0:0:25"}, "six"),
    ({"daemon_addr": "junk"}, "fallback"),
    ({"if_addr": "192.0.2.25"}, "addressed"),
    ({"if_addr": "192.0.2.25", "daemon_addr": "192.0.2.2"}, "fallback"),
    ({"daemon_port": "587"}, "port"),
    ({"daemon_port": "0587"}, "port"),
    ({"daemon_port": "58"}, "fallback"),
    ({"daemon_port": "66123"}, "fallback"),
    ({"daemon_port": "-1"}, "fallback"),
    ({"daemon_port": "0"}, "fallback"),
    ({"daemon_port": "submission"}, "fallback"),
    ({"daemon_name": "inside", "daemon_addr": "192.0.2.25"}, "named"),  # file order
    ({"daemon_addr": "192.0.2.25", "daemon_port": "587"}, "addressed"),
    ({"daemon_name": "inside", "daemon_port": "587"}, "both"),
    ({"daemon_name": "inside", "daemon_port": "587", "daemon_addr": "192.0.2.25"}, "all-three"),
    ({"daemon_name": "x" * 5000}, "fallback"),
    ({"daemon_name": b"\xff\x01\n"}, "fallback"),
]


def serves(it, macros):
    before = len(it.lines)
    with it.session(macros=macros) as mta:
        line = it.wait_log(event="connect", after=before)
        return line["listener"], mta.greeting.line, mta.mail("<a@b.test>").line, mta.rcpt("<u@other.test>").line


@tap.part
def with_a_fallback():
    with House(CONF + FALLBACK, {"rat": "example.com ACCEPT\n"}) as it:
        for macros, wanted in CASES:
            last = "continue" if wanted == "all-three" else "550 5.1.0 Address rejected"
            tap.eq(serves(it, macros), (wanted, "continue", "continue", last), f"{str(macros)[:70]}")


@tap.part
def without_a_fallback():
    with House(CONF, {"rat": "example.com ACCEPT\n"}) as it:
        nothing = "451 4.3.5 Service not configured"
        with it.session(macros={"daemon_name": "x"}) as mta:
            tap.eq(mta.greeting.line, nothing, "no listener: tempfail")
            tap.eq(mta.mail("<a@b.test>").line, nothing, "... and it stays so")
        line = it.wait_log(event="connect")
        tap.eq((line["listener"], line["verdict"], line["by"], line["ip"]), ("", "tempfail", "listener", "192.0.2.1"),
               "... and is logged")
        it.wait_log(event="close")
        tap.eq(serves(it, {"daemon_name": "inside"})[0], "named", "others are served")


@tap.part
def sockets():
    for kind in ("unix", "inet", "inet6"):
        with House("[listener in]\nrat = rat\n[dns]\nhost_lookup = off\n", {"rat": "ALL ACCEPT\n"}, at=kind) as it:
            tap.eq(serves(it, {})[1:], ("continue",) * 3, f"served over {kind}")


tap.done()
