#!/usr/bin/python3
"""What call-ahead remembers: over restarts, for a server that is away, and of one that is ill (SPEC 8)."""
import json
import os
import re
import stat
import sys
import zlib
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, wait_until
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[listener in]
rat = rat
callahead = p
[callahead p]
type = static
servers = 127.0.0.1:%d%s
"""
RAT = {"rat": "example.com ACCEPT\nother.test ACCEPT\n"}
NO = "550 5.1.1 no such user"
PICKY = {"rcpt": [["^[uw]@", "250 2.1.5 Ok"]], "rcpt_default": NO}


def house(port, more=""):
    return House(CONF % (port, more), RAT)


def rcpt(it, *addresses):
    """The first word of each answer."""
    with it.session() as mta:
        mta.mail("<a@example.net>")
        return [mta.rcpt(f"<{address}>").line.split(" ")[0] for address in addresses]


def state_path(it, name="callahead"):
    return os.path.join(it.run, "state", name)


def cached(it, address):
    """Was the last answer about it from memory?"""
    return it.wait_log(event="rcpt", to=f"<{address}>")["cached"]


def listed(it):
    status, out, err = it.ctl("cache", "list", "--json")
    assert status == 0, err
    return {(entry["address"], entry["class"]) for entry in map(json.loads, out.splitlines())}


def domains(it):
    return json.loads(it.ctl("status", "--json")[1])["callahead_domains"]


def age(it, seconds):
    """Everything in the file was heard so long before."""
    with open(state_path(it), encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    for i, line in enumerate(lines):
        words = line.split(" ")
        if words[0] in ("yes", "no", "all"):
            words[2:4] = [str(int(word) - seconds) for word in words[2:4]]
            lines[i] = " ".join(words)
    text = "".join(lines[:-1]).encode()
    assert lines[-1].startswith("end ")
    with open(state_path(it), "r+b") as file:
        file.truncate()
        file.write(text + b"end %d %08x\n" % (len(text), zlib.crc32(text)))


@tap.part
def over_restarts():
    with Server(**PICKY) as server, house(server.port) as it:
        tap.eq(rcpt(it, "u@example.com", "bad@example.com"), ["continue", "550"], "a user and a stranger")
        it.stop()
        mode = stat.S_IMODE(os.stat(state_path(it)).st_mode), stat.S_IMODE(os.stat(state_path(it, "callahead.key")).st_mode)
        tap.eq(mode, (0o600, 0o600), "written when the daemon stops, for nobody else to read")
        with open(state_path(it), encoding="utf-8") as file:
            text = file.read()
        tap.ok("u@example" not in text and not re.search(r"\bbad\b", text) and " example.com\n" in text,
               "... with the domain, without addresses", text)
        server.forget()
        it.start()
        tap.eq(listed(it), {("*@example.com", "valid"), ("*@example.com", "user_unknown")}, "cache list after the restart")
        tap.eq(rcpt(it, "U@Example.com", "bad@example.com"), ["continue", "550"], "the same answers")
        tap.eq((cached(it, "U@example.com"), server.stats()["connections"]), ("yes", 0), "... and nobody was asked")
        tap.eq(listed(it), {("u@example.com", "valid"), ("bad@example.com", "user_unknown")}, "they are known by name again")
        it.kill()
        it.start()
        tap.eq((rcpt(it, "u@example.com"), server.stats()["connections"]), (["continue"], 0), "after kill -9: what was written before")
        status, out, _ = it.ctl("cache", "flush", "u@example.com")
        tap.eq((status, out), (0, "1 forgotten\n"), "flushed by its name")
        it.stop()
        it.start()
        tap.eq((rcpt(it, "u@example.com"), server.stats()["connections"]), (["continue"], 1), "... stays flushed")


@tap.part
def not_trusted():
    with Server(**PICKY) as server, house(server.port) as it:
        rcpt(it, "u@example.com")
        for what, spoil in (("damaged", lambda data: data[:-30] + b"x" + data[-29:]),
                            ("cut", lambda data: data[:-5]), ("empty", lambda data: b""),
                            ("noise", lambda data: os.urandom(5000))):
            it.stop()
            with open(state_path(it), "r+b") as file:
                data = spoil(file.read())
                file.seek(0)
                file.truncate()
                file.write(data)
            it.start()
            it.wait_log(event="state")
            server.forget()
            tap.eq((rcpt(it, "u@example.com"), server.stats()["rcpt"]), (["continue"], 1), f"{what}: asked anew")
        it.stop()
        age(it, 10 * 86400)
        it.start()
        tap.eq(listed(it), set(), "too old: forgotten")
        it.stop()
        it.configure(CONF % (server.port, "\ncache_entries = 500"))
        it.start()
        server.forget()
        tap.eq((rcpt(it, "u@example.com"), server.stats()["rcpt"]), (["continue"], 1), "of another profile: asked anew")


@tap.part
def renewed():
    with Server(**PICKY) as server, house(server.port) as it:
        rcpt(it, "u@example.com", "w@example.com", "bad@example.com")
        it.stop()
        age(it, 700)  # of 900
        it.start()
        server.change({**PICKY, "rcpt": [["^u@", "delay:1:250 2.1.5 Ok"]]})
        server.forget()
        tap.eq(rcpt(it, "u@example.com", "bad@example.com"), ["continue", "550"], "shortly before the end of its time")
        tap.eq(cached(it, "u@example.com"), "yes", "... from memory")
        wait_until(lambda: json.loads(it.ctl("status", "--json")[1])["callahead_refreshed"] == 1, "it is renewed")
        tap.eq(server.recipients, {"u@example.com": 1}, "asked for in the background: those in use, and no strangers")
        it.stop()
        age(it, 700)
        it.start()
        tap.eq((rcpt(it, "u@example.com"), cached(it, "u@example.com")), (["continue"], "yes"),
               "700 s later it is still known")


@tap.part
def server_away():
    with Server(**PICKY) as server, house(server.port) as it:
        tap.eq(rcpt(it, "u@example.com", "bad@example.com"), ["continue", "550"], "a user and a stranger")
        it.stop()
        age(it, 3600)
        it.start()
        server.change({"banner": "close"})
        tap.eq(rcpt(it, "u@example.com", "bad@example.com", "new@example.com"), ["continue", "451", "451"],
               "an hour later, the server away: the user is accepted, others wait")
        told = json.loads(it.ctl("status", "--json")[1])
        tap.eq(told["callahead_stale"], 1, "... which is counted")
        it.configure(CONF % (server.port, "\nserve_stale = 30m"))
        it.reload()
        tap.eq(rcpt(it, "u@example.com"), ["451"], "not for longer than serve_stale")


@tap.part
def server_ill():
    with Server(**PICKY) as server, house(server.port, "\nmax_recipients_per_session = 1") as it:
        tap.eq(rcpt(it, "u@example.com"), ["continue"], "a user")
        it.stop()
        age(it, 3600)
        it.start()
        tap.eq(rcpt(it, "w@example.com"), ["continue"], "another one")
        server.change({"rcpt_default": NO})
        server.forget()
        tap.eq(rcpt(it, "u@example.com"), ["continue"], "a server that refuses everybody: who was good still is")
        tap.eq((server.recipients, server.stats()["connections"]), ({"u@example.com": 2, "w@example.com": 1}, 3),
               "... asked again on a fresh connection, and then for another one who was good")
        line = it.wait_log(event="callahead_ill")
        tap.ok("example.com" in line["detail"], "... it is found ill", line)
        tap.eq(domains(it), ["example.com p ill"], "... which status tells")
        tap.eq(rcpt(it, "new@example.com", "bad@other.test"), ["451", "550"],
               "its refusals do not count; those of another domain do")
        tap.eq(len(it.find_log(event="callahead_ill")), 1, "... it is logged once")
        server.change(PICKY)
        tap.eq(rcpt(it, "u@example.com"), ["continue"], "well again")
        it.wait_log(event="callahead_well")
        tap.eq((domains(it), rcpt(it, "new@example.com")), ([], ["550"]), "... its refusals count")
        server.change({"rcpt": [["^w@", "250 2.1.5 Ok"]], "rcpt_default": NO})
        it.stop()
        age(it, 3600)
        it.start()
        tap.eq(rcpt(it, "w@example.com", "u@example.com"), ["continue", "550"], "a user who has left")
        tap.eq(domains(it), [], "... is no illness")


@tap.part
def catch_all():
    with Server() as server, house(server.port, "\nprobe_random = yes") as it:
        tap.eq(rcpt(it, "a@example.com", "b@example.com"), ["continue"] * 2, "a server that takes all")
        wait_until(lambda: domains(it) == ["example.com p catch_all"], "it is recognised")
        tap.eq(server.stats()["rcpt"], 3, "by one random address")
        strange = set(server.recipients) - {"a@example.com", "b@example.com"}
        local = strange.pop().split("@")[0]
        tap.ok(len(local) >= 16 and local.isalnum() and local[0].isalpha(), "... that nobody guesses", local)
        rcpt(it, "c@example.com")
        tap.eq(server.stats()["rcpt"], 4, "once a day")
        it.stop()
        it.start()
        tap.eq(domains(it), ["example.com p catch_all"], "known over a restart")
        rcpt(it, "d@example.com")
        tap.eq(server.stats()["rcpt"], 5, "... and not asked again")


tap.done()
