#!/usr/bin/python3
"""gatehousectl callahead: the dialogue, what it means, and whether it would be remembered (SPEC 14)."""
import json
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, free_port
from smtpserver import Server, make_certificate
from tap import Tap

tap = Tap()
YES, NO, USAGE = 0, 1, 2
RCPT = [["^bad", "550 5.1.1 <bad@example.com> no such user"], ["^grey", "451 4.7.1 later"],
        ["^policy", "550 5.7.1 not from there"], ["^long", "250 " + "x" * 2000],
        ["^odd", "raw:250 2.1.5 \\x1b[31mred\\x00\\xff\\r\\n"], ["^gone", "close"]]
CONF = """[listener in]
rat = rat
recipient_delimiter = +
callahead = p
[callahead p]
type = static
servers = 127.0.0.1:%d%s
"""
RAT = {"rat": "ALL ACCEPT\n"}
KEYS = ["address", "server", "verdict", "class", "code", "status", "text", "cached", "ms"]


def house(port, more=""):
    return House(CONF % (port, more), RAT, start=False)


def values(out):
    """What follows the dialogue."""
    return dict(re.split(": +", line, maxsplit=1) for line in out[out.index("address:"):].splitlines())


def spoken(out, mark):
    return [line[3:] for line in out.splitlines() if line.startswith(mark)]


@tap.part
def dialogue():
    with Server(rcpt=RCPT) as server, house(server.port) as it:
        code, out, err = it.ctl("callahead", "User+Tag@Example.com")
        tap.eq((code, err), (YES, ""), "a recipient that exists")
        tap.eq(spoken(out, "C:")[1:], ["MAIL FROM:<>", "RCPT TO:<User+Tag@example.com>"], "what was said")
        tap.eq((spoken(out, "S:")[0], spoken(out, "S:")[-2:]),
               ("220 mx.test ESMTP", ["250 2.1.0 Ok", "250 2.1.5 Ok"]), "what was heard")
        tap.ok(out.startswith(f"* 127.0.0.1:{server.port}: connecting\n"), "where", out)
        told = values(out)
        tap.eq((told["verdict"], told["class"], told["code"], told["profile"], told["remembered"]),
               ("accept", "valid", "250", "p", "for 15 min, as user@example.com"), "what it means")
        code, out, _ = it.ctl("callahead", "bad@example.com")
        told = values(out)
        tap.eq((code, told["verdict"], told["class"], told["status"], told["text"]),
               (NO, "reject", "user_unknown", "5.1.1", "<bad@example.com> no such user"), "one that does not")
        code, out, _ = it.ctl("callahead", "bad+Tag@example.com")
        tap.eq((code, values(out)["remembered"]), (NO, "for 15 min, as bad+tag@example.com"), "a no is that very address's")
        for who, verdict, kind in (("grey", "tempfail", "temporary"), ("policy", "tempfail", "policy"),
                                   ("gone", "tempfail", "server_ill")):
            code, out, _ = it.ctl("callahead", who + "@example.com")
            told = values(out)
            tap.eq((code, told["verdict"], told["class"], told["remembered"]), (NO, verdict, kind, "no"),
                   f"no verdict: {who}")
        tap.ok("closed by the server\n" in out, "... who hung up", out)
        code, out, _ = it.ctl("callahead", "odd@example.com")
        tap.ok("\x1b" not in out and "\0" not in out and "\\x1b" in out, "nothing reaches the terminal raw", out)
        code, out, _ = it.ctl("callahead", "long@example.com")
        tap.ok(code == YES and max(map(len, spoken(out, "S:"))) == 512, "a long line is cut", out)


@tap.part
def json_and_batch():
    with Server(rcpt=RCPT) as server, house(server.port) as it:
        code, out, _ = it.ctl("callahead", "--json", "bad@example.com")
        told = json.loads(out)
        tap.eq((code, list(told)), (NO, KEYS), "the object")
        tap.eq((told["code"], told["status"], told["cached"], told["server"]),
               (550, "5.1.1", False, f"127.0.0.1:{server.port}"), "... its values")
        code, out, _ = it.ctl("callahead", "-", stdin="a@example.com\nbad@example.com\n@@\na@example.com\n")
        lines = [json.loads(line) for line in out.splitlines()]
        tap.eq((code, [line.get("class") for line in lines], [line.get("cached") for line in lines]),
               (YES, ["valid", "user_unknown", None, "valid"], [False, False, None, True]), "a batch")
        tap.eq(server.stats()["connections"], 2, "... goes over one connection")
        for wrong in ([], ["a@b.c", "d@e.f"], ["--xml", "a@b.c"], ["@@"], ["--listener", "out", "a@b.c"]):
            tap.eq(it.ctl("callahead", *wrong)[0], USAGE, f"usage: {' '.join(wrong)}")


@tap.part
def which_listener():
    conf = CONF % (1, "\n[listener none]\ndaemon_name = none\nrat = rat\n")
    with House(conf, RAT, start=False) as it:
        code, _, err = it.ctl("callahead", "--listener", "none", "a@b.c")
        tap.ok(code == USAGE and "[listener none] has no call-ahead profile" in err, "one without a profile", err)
        it.configure(conf + "[listener two]\ndaemon_name = two\nrat = rat\ncallahead = p\n")
        code, _, err = it.ctl("callahead", "a@b.c")
        tap.ok(code == USAGE and "which --listener?" in err, "two that have one", err)
        code, out, _ = it.ctl("callahead", "--json", "--listener", "two", "a@b.c")
        told = json.loads(out)
        tap.eq((code, told["class"], told["code"], told["verdict"]), (NO, "server_ill", None, "tempfail"),
               "named; nobody listens there")
    with House("[listener in]\nrat = rat\n", RAT, start=False) as it:
        code, _, err = it.ctl("callahead", "a@b.c")
        tap.ok(code == USAGE and "no listener has" in err, "none at all", err)


@tap.part
def servers():
    with Server(banner="554 5.3.2 closed") as bad, Server() as good:
        with house(bad.port, f" 127.0.0.1:{good.port}") as it:
            code, out, _ = it.ctl("callahead", "a@example.com")
            tap.eq((code, values(out)["server"]), (YES, f"127.0.0.1:{good.port}"), "the next server")
            tap.eq(spoken(out, "S:")[:1], ["554 5.3.2 closed"], "... after a refusing greeting")
    with Server(banner="hang") as slow, house(slow.port, "\ntimeout = 300ms") as it:
        code, out, _ = it.ctl("callahead", "a@example.com")
        told = values(out)
        tap.eq((code, told["class"], told["text"]), (NO, "server_ill", "no answer in time"), "a silent server")
    with Server() as server:
        conf = ("[listener in]\nrat = rat\ncallahead = p\n[callahead p]\n[routes]\nfile = routes\n"
                "[dns]\nservers = 127.0.0.1:%d\ntimeout = 100ms\ntries = 1\n" % free_port())
        routes = f"example.com [127.0.0.1]:{server.port}\nnull.test /dev/null\n"
        with House(conf, {**RAT, "routes": routes}, start=False) as it:
            tap.eq(it.ctl("callahead", "a@example.com")[0], YES, "by an SMTP route")
            code, out, _ = it.ctl("callahead", "--json", "a@null.test")
            told = json.loads(out)
            tap.eq((code, told["server"], told["class"]), (YES, None, "valid"), "/dev/null takes all")


@tap.part
def tls():
    with House(CONF % (1, ""), RAT, start=False) as it:
        pair = make_certificate(it.folder)
        with Server(tls=pair) as server:
            it.configure(CONF % (server.port, "\ntls = require"))
            code, out, _ = it.ctl("callahead", "a@example.com")
            tap.eq((code, spoken(out, "C:")[1], server.stats()["tls"]), (YES, "STARTTLS", 1), "with TLS")
            tap.ok(f"* 127.0.0.1:{server.port}: TLS\n" in out, "... which is told", out)


@tap.part
def bad_settings():
    for key, value, wanted in (
        ("mail_from", "a b@example.com", "mail_from: "),
        ("mail_from", "<joe>", "mail_from: "),
        ("mail_from", "<a@b@c>", "mail_from: "),
        ("interface", "nosuchdevice0", "interface: "),
        ("interface", "192.0.2.1", "interface: "),
    ):
        with house(1, f"\n{key} = {value}") as it:
            code, out, err = it.ctl("check")
            line = re.compile(r"gatehouse\.conf:\d+: \[callahead p\] " + wanted + ".*; allowed: ")
            tap.ok(code == NO and len(line.findall(out + err)) == 1, f"check: {key} = {value}", out + err)
    for key, value in (("mail_from", "<>"), ("mail_from", "verify@example.com"), ("mail_from", "<verify@example.com>"),
                       ("interface", "127.0.0.1"), ("interface", "lo"), ("interface", "auto")):
        with house(1, f"\n{key} = {value}") as it:
            code, out, err = it.ctl("check")
            tap.eq((code, f"] {key}:" in out + err), (YES, False), f"check: {key} = {value} is fine")


tap.done()
