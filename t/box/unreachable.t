#!/usr/bin/python3
"""check warns of rows that an earlier one makes unreachable, with the places of both."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, SLOWNESS
from tap import Tap

tap = Tap()
OFF = "[dns]\nhost_lookup = off\n"
N = int(1000000 / SLOWNESS)


def warnings(it, word="never reached"):
    """What check says of them, without the folder's name."""
    status, _out, err = it.ctl("check")
    tap.eq(status, 0, "check passes")
    return [line.replace(it.folder + "/", "") for line in err.splitlines() if word in line]


@tap.part
def every_table():
    conf = OFF + """[exceptions]
file = exceptions
[policy DEFAULT]
use_exceptions = yes
[group A]
policy = reject
senders = 192.0.2.0/24 .example.com
    SBRS[-10:0]
[group B]
policy = accept
senders = 192.0.2.7
    mail.example.com,
    SBRS[-2:-1] 192.0.3.1
senders_file = more
[group C]
policy = relay
senders = 10.0.0.1
[reputation]
source = file:scores
[listener in]
groups = A B C
default_policy = BLOCKED
rat = rat
[listener two]
local_port = 26
hat = hat
rat = rat
"""
    files = {"rat": "example.com ACCEPT\njoe@example.com REJECT\n.example.org ACCEPT\nb.example.org ACCEPT\n",
             "exceptions": "@example.net ALLOW\n\nsue@example.net REJECT\n",
             "more": "# more\n192.0.2.8\n192.0.3.2 ALL\n", "scores": "",
             "hat": "X: 198.51.100. REJECT\nY:\n  198.51.100.1-9\n  $ACCEPTED\nALL REJECT\n"}
    with House(conf, files, start=False) as it:
        with open(it.path, encoding="utf-8") as file:
            first = file.read().split("\n").index("[group A]") + 1
        tap.eq(warnings(it), [
            "exceptions:3:1: warning: sue@example.net is never reached: @example.net comes first, exceptions:1",
            f"gatehouse.conf:{first+6}: warning: [group B] senders: 192.0.2.7 is never reached: 192.0.2.0/24 comes first, gatehouse.conf:{first+2}",
            f"gatehouse.conf:{first+7}: warning: [group B] senders: mail.example.com is never reached: .example.com comes first, gatehouse.conf:{first+2}",
            f"gatehouse.conf:{first+8}: warning: [group B] senders: SBRS[-2:-1] is never reached: SBRS[-10:0] comes first, gatehouse.conf:{first+3}",
            f"more:2:1: warning: 192.0.2.8 is never reached: 192.0.2.0/24 comes first, gatehouse.conf:{first+2}",
            f"gatehouse.conf:{first+10}: warning: [group C] is never reached: ALL comes first, more:3",
            f"gatehouse.conf:{first+17}: warning: [listener in] default_policy: is never reached: a group has ALL among its senders",
            "rat:2:1: warning: joe@example.com is never reached: example.com comes first, rat:1",
            "rat:4:1: warning: b.example.org is never reached: .example.org comes first, rat:3",
            "hat:3:3: warning: 198.51.100.1-9 is never reached: 198.51.100. comes first, hat:1",
        ], "all of them")


@tap.part
def nothing_to_say():
    conf = OFF + "[listener in]\nhat = hat\nrat = rat\n"
    files = {"rat": "joe@example.com REJECT\nexample.com ACCEPT\nALL REJECT\n",
             "hat": "192.0.2.7 ACCEPT\n192.0.2. REJECT\nmail.example.com ACCEPT\n.example.com REJECT\nALL ACCEPT\n"}
    with House(conf, files, start=False) as it:
        tap.eq(warnings(it, "warning"), [], "the special ahead of the general")


@tap.part
def as_imported():
    conf = OFF + "[listener in]\nhat = hat\nrat = rat\n"
    with House(conf, {"rat": "example.com ACCEPT\n", "hat": "192.0.2.1 REJECT\nALL ACCEPT\n"}, start=False) as it:
        _status, _out, err = it.ctl("hat", "import", "in", "-", stdin="10. REJECT\n10.1. ACCEPT\nALL ACCEPT\n")
        tap.eq(err, "stdin:2:1: warning: 10.1. is never reached: 10. comes first, stdin:1\n", "both places are those of the import")


@tap.part
def any_size():
    """As many as there are, first the special, then the general, then the special again."""
    conf = OFF + "[listener in]\nhat = hat\nrat = rat\n"
    third = N // 3
    users = "".join(f"u{i}@d{i % 1000}.test REJECT\n" for i in range(third))
    hosts = "".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255} REJECT\n" for i in range(third))
    names = "".join(f"h{i}.test REJECT\n" for i in range(third))
    files = {"rat": users + ".test ACCEPT\n" + users, "hat": hosts + "10. ACCEPT\n" + names + ".test ACCEPT\n" + hosts + "ALL ACCEPT\n"}
    with House(conf, files, start=False) as it:
        told = warnings(it)
        tap.eq(len(told), 202, "a hundred of each table, and how many more there are")
        tap.eq([line for line in told if "more rows" in line],
               [f"hat: warning: {third - 100} more rows are never reached", f"rat: warning: {third - 100} more rows are never reached"], "so many")


tap.done()
