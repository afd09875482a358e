#!/usr/bin/python3
"""Call-ahead through the daemon: whom it asks, in whose turn, and what can never be delivered."""
import contextlib
import json
import os
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import SLOWNESS, House
from smtpserver import Server
from tap import Tap

tap = Tap()
NO_RESOURCES = "452 4.3.1 Insufficient system resources"
FAILED = "451 4.4.3 Recipient verification unavailable"
TEMPORARY = "451 4.2.1 Recipient temporarily unavailable"
UNKNOWN = "550 5.1.1 User unknown"
NEEDS_UTF8 = "553 5.6.7 Address needs SMTPUTF8"
NO_MAIL = "556 5.1.10 Domain takes no mail"
CONF = """[routes]
file = routes
[dns]
servers = 127.0.0.1:%d
host_lookup = off
[listener in]
rat = rat
callahead = c
[callahead c]
%s
"""
ZONE = """null.example MX 0 .
null.example A 192.0.2.1
both.example MX 0 .
both.example MX 10 nowhere.example
sick.example !servfail
loop.example MX 10 loopback.example
loopback.example A 127.0.0.1
spelt.example MX 10 spelling.example
spelling.example AAAA 64:ff9b::127.0.0.1
spelling.example AAAA 2002:a9fe:a9fe::1
ours.example MX 10 gate.example.org
ours.example MX 20 mail.example.org
behind.example MX 10 mail.example.org
behind.example MX 20 gate.example.org
gate.example.org A 192.0.2.80
mail.example.org A 192.0.2.81
"""
UTF8 = "J\u00f6@example.com"


@contextlib.contextmanager
def house(routes="", keys="", rat="ALL ACCEPT\n", zone=ZONE, start=True):
    with DnsServer(zone) as dns, House(CONF % (dns.port, keys), {"rat": rat, "routes": routes},
                                       {"hostname": "gate.example.org"}, start=start) as it:
        yield it


def ask(it, *recipients, ip="192.0.2.1"):
    with it.session(ip) as mta:
        mta.mail("<a@b.test>")
        return [mta.rcpt(f"<{recipient}>").line for recipient in recipients]


def two(first, second, recipient="example.com"):
    return f"{recipient}: [127.0.0.1]:{first.port}/pri=0, [127.0.0.1]:{second.port}/pri=10\n"


@tap.part
def a_host_without_resources():
    for where in ({"rcpt_default": NO_RESOURCES}, {"mail": NO_RESOURCES}, {"rcpt_default": "then-close:421 4.3.2 bye"}):
        with Server(**where) as first, Server(rcpt=[["^bad", "550 5.1.1 no"]]) as second:
            with house(two(first, second)) as it:
                tap.eq(ask(it, "good@example.com", "bad@example.com"), ["continue", UNKNOWN],
                       f"the second host is asked: {where}")
        with Server(**where) as only, house(f"example.com: [127.0.0.1]:{only.port}\n") as it:
            tap.eq(ask(it, "good@example.com"), [TEMPORARY], "... and where there is none it is the answer")
            code, out, _ = it.ctl("callahead", "--json", "good@example.com")
            told = json.loads(out)
            tap.eq((code, told["class"], told["verdict"]), (1, "temporary", "tempfail"), "... told by gatehousectl")


@tap.part
def neighbours_of_a_harvester():
    wait, answers = 2.0 + (SLOWNESS > 1), {}  # four rounds of it are within the time-out
    with Server(rcpt=[["^bad", f"delay:{wait}:550 5.1.1 no"]]) as server:
        with house(f"example.com: [127.0.0.1]:{server.port}\n") as it:

            def one(name, ip):
                began = time.monotonic()
                answers[name] = (ask(it, f"{name}@example.com", ip=ip), time.monotonic() - began)

            bad = [threading.Thread(target=one, args=(f"bad{n}", f"192.0.2.{n}")) for n in range(1, 21)]
            good = [threading.Thread(target=one, args=(f"good{n}", f"198.51.100.{n}")) for n in range(1, 4)]
            for thread in bad:
                thread.start()
            time.sleep(wait / 5)
            for thread in good:
                thread.start()
            for thread in bad + good:
                thread.join()
    took = [answers[f"good{n}"][1] for n in range(1, 4)]
    tap.ok(all(answers[f"good{n}"][0] == ["continue"] for n in range(1, 4)), "neighbours are accepted", answers)
    tap.ok(max(took) < wait * 1.5, "... after as long as one is refused", took)
    tap.ok(all(answers[f"bad{n}"][0] == [UNKNOWN] for n in range(1, 21)), "... and the others are refused", answers)
    tap.ok(server.stats()["most_open"] <= 5, "... over five connections", server.stats())


@tap.part
def what_needs_smtputf8():
    with Server(smtputf8=False) as without, Server() as offers, Server(banner="554 no") as closed:
        routes = (f"example.com: [127.0.0.1]:{without.port}\n" + two(without, offers, "some.example") +
                  two(without, closed, "doubt.example"))
        for keys in ("", "failure_action = accept\ntemporary_action = accept"):
            with house(routes, keys) as it:
                tap.eq(ask(it, UTF8, "joe@example.com"), [NEEDS_UTF8, "continue"], "no host offers it" + ", doubt is yes" * bool(keys))
                tap.eq(ask(it, "J\u00f6@some.example"), ["continue"], "one does")
                tap.eq(ask(it, "J\u00f6@doubt.example"), ["continue" if keys else FAILED], "one cannot be asked")
                line = it.wait_log(event="rcpt", detail="needs_smtputf8")
                tap.eq((line["code"], line["status"], line["cached"], line.get("invalid")), ("553", "5.6.7", "no", None),
                       "it is logged, and no harvest")
        with house(routes) as it:
            code, out, _ = it.ctl("callahead", "--json", UTF8)
            told = json.loads(out)
            tap.eq((code, told["verdict"], told["code"], told["status"], told["text"]),
                   (1, "reject", 553, "5.6.7", "Address needs SMTPUTF8"), "gatehousectl callahead says the same")
            _, out, _ = it.ctl("trace", "--json", "--ip", "192.0.2.1", "--from", "a@b.test", "--to", UTF8)
            told = json.loads(out)["recipients"][0]
            tap.eq((told["verdict"], told["code"], told["status"], told["text"], told["by"]),
                   ("reject", 553, "5.6.7", "Address needs SMTPUTF8", "callahead"), "trace says the same")


@tap.part
def domains_that_take_no_mail():
    with Server() as server:
        with house(f"routed.example: [127.0.0.1]:{server.port}\n", zone=ZONE + "routed.example MX 0 .\n") as it:
            tap.eq(ask(it, "joe@null.example", "joe@Null.Example", "joe@routed.example", "joe@both.example",
                       "joe@sick.example"),
                   [NO_MAIL, NO_MAIL, "continue", FAILED, FAILED],
                   "a null MX, unless a route leads on, and none that is not alone")
            line = it.wait_log(event="rcpt", detail="takes_no_mail")
            tap.eq((line["code"], line["status"], line["cached"], line.get("invalid")), ("556", "5.1.10", "no", None),
                   "... logged; no harvest")
            _, out, _ = it.ctl("callahead", "--json", "joe@null.example")
            told = json.loads(out)
            tap.eq((told["verdict"], told["code"], told["status"], told["text"], told["server"]),
                   ("reject", 556, "5.1.10", "Domain takes no mail", None), "... told by gatehousectl callahead")
            _, out, _ = it.ctl("trace", "--json", "--ip", "192.0.2.1", "--from", "a@b.test", "--to", "joe@null.example")
            told = json.loads(out)["recipients"][0]
            tap.eq((told["verdict"], told["code"], told["text"]), ("reject", 556, "Domain takes no mail"), "... and trace")


@tap.part
def hosts_nobody_may_lead_to():
    with house() as it:
        for domain, word in (("loop.example", "127.0.0.1"), ("spelt.example", "64:ff9b::"),
                             ("ours.example", "needs an SMTP route")):
            code, out, _ = it.ctl("callahead", "--json", f"joe@{domain}")
            told = json.loads(out)
            tap.ok(code == 1 and told["class"] == "server_ill" and word in told["text"], f"MX of {domain}", told)
        for literal in ("[127.0.0.1]", "[169.254.169.254]", "[IPv6:::ffff:127.0.0.1]", "[IPv6:64:ff9b::7f00:1]",
                        "[IPv6:2002:7f00:1::]", "[IPv6:2001:0:0:0:0:0:80ff:fffe]", "[IPv6:::127.0.0.1]"):
            code, out, _ = it.ctl("callahead", "--json", f"joe@{literal}")
            told = json.loads(out)
            tap.ok(code == 1 and told["class"] == "server_ill" and "where no mail can go" in told["text"],
                   f"a client's {literal}", told)
    with house(rat="[127.0.0.1] ACCEPT\nALL ACCEPT\n") as it:
        _, out, _ = it.ctl("callahead", "--json", "joe@[127.0.0.1]")
        told = json.loads(out)
        tap.eq(told["server"], "127.0.0.1:25", "an entry that names it: it is asked")


@tap.part
def check_tells_of_ourselves():
    rat = "ours.example ACCEPT\nbehind.example ACCEPT\nnull.example ACCEPT\nsick.example ACCEPT\n"
    with house("", rat=rat, start=False) as it:
        code, _, err = it.ctl("check")
        tap.ok(code == 0 and "rat:1:1: warning: this host is the best mail server of ours.example, so ours.example "
               "needs an SMTP route" in err, "a domain that needs a route", err)
        tap.ok(not any(domain in err for domain in ("behind", "null", "sick")), "... and none that does not", err)
        it.write("routes", "ours.example: 192.0.2.5\n")
        code, _, err = it.ctl("check")
        tap.ok(code == 0 and "ours.example" not in err, "with a route", err)
        it.write("routes", "ours.example: USEDNS\n")
        tap.ok("needs an SMTP route" in it.ctl("check")[2], "USEDNS is none")
        it.write("rat", "ours.example ACCEPT {bypass_callahead}\n.ours.example ACCEPT\nours.example REJECT\n")
        tap.ok("needs an SMTP route" not in it.ctl("check")[2], "nobody is asked about it")


tap.done()
