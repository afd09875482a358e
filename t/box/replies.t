#!/usr/bin/python3
"""Replies of several lines: wherever a text can be written, over the milter protocol and in trace."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House
from tap import Tap

tap = Tap()
OFF = "[dns]\nhost_lookup = off\n"
CONF = OFF + r"""
[policy NO]
access = reject
reject_text = #5.7.9 one $RemoteIP\ntwo 100%\nthree
[policy GO]
access = reject
reject_code = 421
reject_text = go\naway
[policy HARVEST]
max_invalid_recipients_per_hour = 1
dhap_text = enough\nis enough
[group NO]
policy = NO
senders = 192.0.2.1
[group GO]
policy = GO
senders = 192.0.2.2
[group HARVEST]
policy = HARVEST
senders = 192.0.2.3
[listener in]
groups = NO GO HARVEST
rat = rat
[listener at-mail]
daemon_name = mail
reject_at = mail
groups = NO GO
rat = rat
"""
RAT = r"""a@example.com REJECT 550 "5.1.1 moved\nto \"b\""
example.com ACCEPT
"""


@tap.part
def spoken():
    with House(CONF, {"rat": RAT}) as it:
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.greeting.line, "554 5.7.9 one 192.0.2.1\ntwo 100%\nthree", "refused at connect")
            tap.eq(mta.mail("<a@b.example>").line, mta.greeting.line, "... and at MAIL again")
        with it.session("192.0.2.2") as mta:
            tap.eq(mta.greeting.line, "421 4.7.1 go away", "a 421 at connect is one line")
            tap.eq(mta.mail("<a@b.example>").line, "421 4.7.1 go\naway", "at MAIL it has two")
        with it.session("192.0.2.2", macros={"daemon_name": "mail"}) as mta:
            tap.eq(mta.greeting.line, "continue", "reject_at = mail")
            tap.eq(mta.mail("<a@b.example>").line, "421 4.7.1 go\naway", "... says it at MAIL")
        with it.session("192.0.2.3") as mta:
            mta.mail("<a@b.example>")
            tap.eq(mta.rcpt("<a@example.org>").line, "550 5.7.1 enough\nis enough", "DHAP at RCPT")
        with it.session("192.0.2.4") as mta:
            mta.mail("<a@b.example>")
            tap.eq(mta.rcpt("<a@example.com>").line, '550 5.1.1 moved\nto "b"', "a rule of the recipient table")


@tap.part
def traced():
    with House(CONF, {"rat": RAT}, start=False) as it:
        question = ["trace", "--offline", "--listener", "in", "--ip", "192.0.2.1", "--from", "a@b.example", "--to", "x@example.com"]
        status, out, err = it.ctl(*question, "--json")
        stage = json.loads(out)["stages"][0]
        tap.eq((status, err, stage["code"], stage["status"], stage["text"]),
               (1, "", 554, "5.7.9", "one 192.0.2.1\ntwo 100%\nthree"), "trace --json")
        out = it.ctl(*question)[1]
        tap.ok("554-5.7.9 one 192.0.2.1\n" in out and " 554-5.7.9 two 100%\n" in out and " 554 5.7.9 three\n" in out, "trace", out)
        status, out, _err = it.ctl("config", "show")
        tap.ok(status == 0 and "\nreject_text = #5.7.9 one $RemoteIP\\ntwo 100%\\nthree\n" in out, "config show", out)
        status, out, _err = it.ctl("rat", "export", "in")
        tap.ok(status == 0 and r'550 "5.1.1 moved\nto \"b\""' in out, "rat export", out)


@tap.part
def in_a_hat_file():
    text = r"""$NO
    REJECT {
        smtp_banner_text = "one\ntwo \"three\""
    }
192.0.2.1
    $NO
192.0.2.5
    REJECT { smtp_banner_code = 550 smtp_banner_text = "5.7.3 a\nb" }
ALL
    $ACCEPTED
"""
    conf = OFF + "[listener in]\nhat = hat\nrat = rat\n"
    with House(conf, {"rat": RAT, "hat": text}) as it:
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.greeting.line, '554 5.7.1 one\ntwo "three"', "of a policy")
        with it.session("192.0.2.5") as mta:
            tap.eq(mta.greeting.line, "550 5.7.3 a\nb", "of an action")
        status, out, _err = it.ctl("hat", "export", "in")
        tap.ok(status == 0 and r'smtp_banner_text = "one\ntwo \"three\""' in out, "hat export", out)
        it.write("hat", out)
        tap.eq(it.ctl("hat", "export", "in")[1], out, "... reads as the same table")
        it.configure(CONF)
        out = it.ctl("hat", "export", "in")[1]
        tap.ok(r'smtp_banner_text = "#5.7.9 one $RemoteIP\ntwo 100%\nthree"' in out, "a policy of the configuration", out)


@tap.part
def too_much():
    lines = r"\n".join(str(n) for n in range(21))
    conf = OFF + f"[policy A]\nreject_text = {lines}\n[listener in]\nrat = rat\n"
    with House(conf, {"rat": f'example.com REJECT 550 "{lines}"\n'}, start=False) as it:
        status, _out, err = it.ctl("check")
        tap.eq((status, err.count("the text has 21 lines; allowed: at most 20")), (1, 2), "21 lines")
        it.configure(OFF + r"[policy A]" + "\n" + r"reject_text = 4.7.1 a\nb" + "\n[listener in]\nrat = rat\n")
        it.write("rat", "")
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and "the status 4.7.1 does not fit the code 554" in err, "the status of all lines", err)


@tap.part
def unreadable_senders():
    with DnsServer("good.test MX 10 mx.good.test\nmx.good.test A 192.0.2.1\n") as dns:
        conf = OFF + f"servers = 127.0.0.1:{dns.port}\n" + r"""
[policy DEFAULT]
verify_sender = yes
malformed_sender_code = 450
malformed_sender_text = whose mail is\n<$EnvelopeSender>?
[listener in]
rat = rat
"""
        with House(conf, {"rat": RAT}) as it:
            with it.session("192.0.2.4") as mta:
                tap.eq(mta.mail("<a@b..c>").line, "450 4.5.4 whose mail is\n<a@b..c>?", "a@b..c")
                tap.eq(mta.mail("<a@good.test>").line, "continue", "a good one")
            it.configure(conf.replace("verify_sender = yes", ""))
            it.reload()
            with it.session("192.0.2.4") as mta:
                tap.eq(mta.mail("<a@b..c>").line, "501 5.1.7 Bad sender address syntax", "... where none is verified")


tap.done()
