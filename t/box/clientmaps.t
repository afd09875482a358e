#!/usr/bin/python3
"""What the client files of a HAT cannot hold is told, by `check` and by `maps`; what they hold is first match."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
CONF = "[dns]\nhost_lookup = off\n[listener in]\nrat = rat\nhat = hat\n"
RAT = "example.com ACCEPT\n"
CASES = (  # HAT, lines of refused_clients and of relay_clients, words of the warning
    ("spamdomain.com REJECT (no thanks)\n198.51.100. TCPREFUSE\nALL: ACCEPT\n", [], [],
     "spamdomain.com stands ahead of addresses to refuse"),
    ("198.51.100. TCPREFUSE\nspamdomain.com REJECT\nALL: ACCEPT\n", ["198.51.100.0/24\t421 4.7.1 Access denied"], [], None),
    ("sbrs[-10:-8] REJECT\n192.0.2.4 ACCEPT\n192.0.2.1-9 TCPREFUSE\nALL: ACCEPT\n", [], [],
     "sbrs[-10:-8] stands ahead of addresses to refuse"),
    ("192.0.2.4 ACCEPT\n203.0.113.1 ACCEPT\n192.0.2.4-5 TCPREFUSE\nALL: ACCEPT\n",
     ["192.0.2.4\tDUNNO", "192.0.2.4/31\t421 4.7.1 Access denied"], [], None),
    ("spamdomain.com REJECT\n10. RELAY\nALL: ACCEPT\n", [], ["10.0.0.0/8\tOK"],
     "spamdomain.com stands ahead of addresses that may relay"),
    ("10.1.1.1 REJECT\n10.1. RELAY\n10.2. REJECT\nALL: ACCEPT\n", [], ["10.1.1.1\tDUNNO", "10.1.0.0/16\tOK"], None),
)


def lines(it, name):
    with open(os.path.join(it.folder, "maps", name), encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if not line.startswith("#")]


@tap.part
def client_files():
    for hat, refused, relay, words in CASES:
        it = House(CONF, {"rat": RAT, "hat": hat}, start=False)
        name = repr(hat.splitlines()[0])
        checked, _out, said = it.ctl("check")
        status, _out, told = it.ctl("maps", "--mta", "postfix", "--output", os.path.join(it.folder, "maps"), "--no-compile")
        tap.eq((checked, status), (0, 0), f"{name}: no error")
        for by, text in (("check", said), ("maps", told)):
            tap.eq("stands ahead" in text, words is not None, f"{name}: {by} warns where there is reason")
            tap.ok(words is None or f"hat:1: warning: [listener in] {words}" in text, f"{name}: the words of {by}", text)
        tap.eq((lines(it, "refused_clients.in"), lines(it, "relay_clients.in")), (refused, relay), f"{name}: the files")
        it.remove()


tap.done()
