#!/usr/bin/python3
"""Servers asked by LMTP (SPEC 8): what check says of them, recipients, and where LMTP is not spoken."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[listener in]
rat = rat
callahead = store
[callahead store]
type = static
servers = {servers}
"""
RAT = {"rat": "ALL ACCEPT\n"}


@tap.part
def mistakes():
    for servers, wanted in (
        ("lmtp:store.example:25", "port 25"),
        ("lmtp:", "is not a port"),
        ("lmtp:store.example:70000", "70000"),
        ("lmtp:/run/dovecot/lmtp", "is wrong"),
        ("127.0.0.1, lmtp:127.0.0.1:25", "port 25"),
    ):
        with House(CONF.format(servers=servers), RAT, start=False) as house:
            status, _, err = house.ctl("check")
            tap.ok(status == 1 and wanted in err and "[callahead store] servers: " in err, f"refused: {servers}", err)
    for servers in ("lmtp:127.0.0.1", "LMTP:[::1]:2003, lmtp:127.0.0.1:24", "[lmtp]:25"):
        with House(CONF.format(servers=servers), RAT, start=False) as house:
            tap.eq(house.ctl("check")[0], 0, f"taken: {servers}")


@tap.part
def recipients():
    with Server(lmtp=True, rcpt=[["^bad", "550 5.1.1 <bad@example.com> User doesn't exist"]]) as store, \
         House(CONF.format(servers=f"lmtp:127.0.0.1:{store.port}"), RAT) as house, house.session() as mta:
        tap.eq(mta.mail("<a@example.net>").line, "continue", "MAIL")
        tap.eq(mta.rcpt("<good@example.com>").line, "continue", "a user")
        tap.eq(mta.rcpt("<bad@example.com>").line, "550 5.1.1 User unknown", "nobody")
        line = house.wait_log(event="rcpt", to="<bad@example.com>")
        tap.eq((line["detail"], line["server"]), ("user_unknown", f"127.0.0.1:{store.port}"), "... in the log")
        tap.eq([line.split(" ")[0] for line in store.lines], ["LHLO", "MAIL", "RCPT", "RCPT"], "... and what was said")


@tap.part
def tool():
    with Server(lmtp=True) as store, \
         House(CONF.format(servers=f"lmtp:127.0.0.1:{store.port}"), RAT, start=False) as house:
        status, out, err = house.ctl("callahead", "good@example.com")
        tap.eq((status, err), (0, ""), "gatehousectl callahead")
        tap.ok("C: LHLO " in out and "C: EHLO" not in out, "... shows LHLO", out)


@tap.part
def the_other_protocol():
    """Nobody is unknown because of it."""
    for lmtp, prefix in ((True, ""), (False, "lmtp:")):
        with Server(lmtp=lmtp) as store, \
             House(CONF.format(servers=f"{prefix}127.0.0.1:{store.port}"), RAT) as house, house.session() as mta:
            mta.mail("<a@example.net>")
            tap.ok(mta.rcpt("<good@example.com>").line.startswith("451 4.4.3 "), f"lmtp: {lmtp}, asked as {prefix or 'smtp'}")
            tap.eq(store.stats()["rcpt"], 0, "... no recipient was named")


tap.done()
