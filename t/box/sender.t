#!/usr/bin/python3
"""Envelope senders on the real daemon: lists, exceptions, DNS verification, front hosts (SPEC 2, 6)."""
import json
import os
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import House
from tap import Tap

tap = Tap()
OFF = "[dns]\nhost_lookup = off\n"
RAT = {"rat": "ALL ACCEPT\n"}
ZONE = """
good.test MX 10 mx.good.test
mx.good.test A 192.0.2.1
six.test MX 10 mx.six.test
mx.six.test AAAA 2001:db8::1
alias.test CNAME good.test
null.test MX 0 .
null.test A 192.0.2.1
onlya.test A 192.0.2.1
onlyaaaa.test AAAA 2001:db8::1
text.test TXT nothing
half.test A 192.0.2.1
half.test/AAAA !drop
unknown.test/A !servfail
unknown.test/MX !nodata
unknown.test TXT x
nowhere.test MX 10 loop.test
nowhere.test MX 20 gone.test
loop.test A 127.0.0.1
loop.test A 0.0.0.0
loop.test AAAA ::1
loop.test AAAA ::
somewhere.test MX 10 loop.test
somewhere.test MX 20 fail.test
mixed.test MX 10 both.test
both.test A 127.0.0.1
both.test A 192.0.2.1
fail.test !servfail
drop.test !drop
empty.test MX 10 gone.test
empty.test MX 20 text.test
doubt.test MX 10 gone.test
doubt.test MX 20 fail.test
backup.test MX 10 fail.test
backup.test MX 20 mx.good.test
xn--mller-kva.test MX 10 mx.good.test
"""
VERIFY = """
[policy DEFAULT]
verify_sender = yes
[policy A]
no_mx = accept_a
[group A]
senders = 10.0.0.0/8
policy = A
[listener in]
rat = rat
groups = A
"""
GONE = "553 5.1.8 Domain of sender address <{}> does not exist"
NO_MX = "553 5.1.8 Domain of sender address <{}> does not accept mail"
LATER = "451 4.1.8 Domain of sender address <{}> does not resolve"
MALFORMED = "553 5.5.4 Domain required for sender address"
REASONS = {
    None: "accepted",
    GONE: "envelope sender domain does not exist",
    NO_MX: "envelope sender domain does not accept mail",
    LATER: "envelope sender domain could not be resolved",
    MALFORMED: "envelope sender domain missing",
}


def dns_conf(dns, *more):
    return OFF + f"servers = 127.0.0.1:{dns.port}\ntimeout = 500ms\ntries = 1\n" + "".join(more)


def line_of(house, text):
    with open(house.path, encoding="utf-8") as file:
        return file.read().split("\n").index(text) + 1


def said(mta, sender):
    return mta.mail(f"<{sender}>").line


@tap.part
def five_outcomes():
    """NXDOMAIN, no data, SERVFAIL, time-out and found, of MX and of what it names."""
    rows = [  # sender, answer, answer with accept_a where it differs
        ("a@good.test", None), ("a@GOOD.test.", None), ("a@six.test", None), ("a@alias.test", None),
        ("a@backup.test", None), ("a@m\u00fcller.test", None), ("a@xn--mller-kva.test", None),
        ("a@gone.test", GONE), ("a@null.test", GONE), ("a@text.test", GONE), ("a@empty.test", GONE),
        ("a@onlya.test", NO_MX, None), ("a@onlyaaaa.test", NO_MX, None), ("a@half.test", NO_MX, None),
        ("a@unknown.test", NO_MX, LATER),
        ("a@nowhere.test", GONE), ("a@loop.test", GONE), ("a@somewhere.test", LATER), ("a@mixed.test", None),
        ("a@fail.test", LATER), ("a@drop.test", LATER), ("a@doubt.test", LATER),
        ("", None), ("a@[192.0.2.1]", None), ("a@[IPv6:2001:db8::1]", None),
        ("a", MALFORMED), ("a@", MALFORMED), ("a@good", MALFORMED),
    ]
    with DnsServer(ZONE) as dns, House(dns_conf(dns) + VERIFY, RAT) as it:
        for ip, which in (("192.0.2.1", 1), ("10.0.0.1", -1)):
            for row in rows:
                with it.session(ip) as mta:
                    before = len(it.lines)
                    wanted = row[which]
                    reply = said(mta, row[0])
                    shown = row[0].lower().rstrip(".").replace("m\u00fcller", "xn--mller-kva")
                    tap.eq(reply, wanted.format(shown) if wanted else "continue", f"{ip}: <{row[0]}>")
                    tap.eq(it.wait_log(event="mail", after=before)["detail"], REASONS[wanted],
                           f"{ip}: <{row[0]}>: the reason in the log")
        asked = dns.count("good.test", "MX")
        with it.session("192.0.2.1") as mta:
            tap.eq([said(mta, "b@good.test"), dns.count("good.test", "MX")], ["continue", asked],
                   "the second time it is known")
        tap.eq([dns.count(name) for name in ("good", "a")], [0, 0], "a partial sender asks nobody")


@tap.part
def at_the_deadline():
    """Dead name servers: 451 inside the deadline, all sessions at once."""
    def one(it, number, answers):
        with it.session(f"192.0.2.{number}") as mta:
            began = time.monotonic()
            answers.append((said(mta, "a@drop.test"), time.monotonic() - began))

    with DnsServer(ZONE) as dns:
        conf = OFF + f"servers = 127.0.0.1:{dns.port}\ntimeout = 20s\n"
        with House(conf + VERIFY, RAT, gatehouse={"command_deadline": "1s"}) as it:
            answers = []
            threads = [threading.Thread(target=one, args=(it, n, answers)) for n in range(30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            tap.eq({line for line, _ in answers}, {LATER.format("a@drop.test")}, "451 for all 30")
            tap.ok(all(0.9 < took < 5 for _, took in answers), "at the deadline, side by side",
                   max(took for _, took in answers))
            tap.eq(dns.count("drop.test", "MX"), 1, "asked once")


EXCEPTIONS = """
admin@spam.test  ALLOW
@spam.test       REJECT
@.spam.test      REJECT 550 "5.7.27 None of these"
root@            REJECT 450 "later"
@gone.test       ALLOW
"""
LISTS = """
[exceptions]
file = exceptions
[addresslist secret]
addresses = boss@, @bank.test
    @.bank.test
[addresslist more]
kind = full
addresses_file = more
[policy P]
use_exceptions = yes
tls = preferred
tls_required_senders = secret
[policy Q]
tls = preferred
tls_required_senders = more
max_sender_recipients = 1
sender_rate_exempt = secret
verify_sender = yes
use_exceptions = yes
[group P]
policy = P
senders = 192.0.2.1
[group Q]
policy = Q
senders = 192.0.2.2
[listener in]
rat = rat
groups = P, Q
default_domain = bank.test
"""
STARTTLS = "530 5.7.0 Must issue a STARTTLS command first"


@tap.part
def lists_and_exceptions():
    files = {**RAT, "exceptions": EXCEPTIONS, "more": "joe@good.test\n"}
    with DnsServer(ZONE) as dns, House(dns_conf(dns) + LISTS, files) as it:
        tap.eq(it.ctl("check")[0], 0, "check has nothing against it")
        with it.session("192.0.2.1") as mta:
            tap.eq([said(mta, s) for s in ("Boss@any.test", "x@bank.test", "x@y.bank.test", "boss", "joe")],
                   [STARTTLS] * 5, "who is on the list must use TLS, as completed as well")
            tap.eq(it.wait_log(event="mail", from_="<x@y.bank.test>")["rule"].split(":")[-1],
                   str(line_of(it, "    @.bank.test")), "the log says by which line")
            tap.eq([said(mta, s) for s in ("", "x@[192.0.2.1]", "ADMIN@spam.test")], ["continue"] * 3,
                   "others need not")
            tap.eq(it.wait_log(event="mail", from_="<ADMIN@spam.test>")["detail"],
                   "envelope sender matched domain exception", "allowed by exception, in the log")
            tap.eq([said(mta, s) for s in ("x@spam.test", "x@y.spam.test", "root@any.test")],
                   ["553 5.7.1 Envelope sender rejected", "550 5.7.27 None of these", "450 4.7.1 later"],
                   "refused by exception")
            mta.macros("M", tls_version="TLSv1.3")
            tap.eq(said(mta, "boss"), "continue", "with TLS")
        with it.session("192.0.2.2") as mta:
            tap.eq([said(mta, s) for s in ("joe@good.test", "x@gone.test", "x@nowhere.test", "x@spam.test")],
                   [STARTTLS, "continue", GONE.format("x@nowhere.test"), "553 5.7.1 Envelope sender rejected"],
                   "TLS, then exceptions, then DNS")
            replies = [said(mta, "x@good.test"), mta.rcpt("<a@b.test>").line, mta.rcpt("<c@b.test>").line]
            tap.eq(replies, ["continue", "continue",
                             "452 4.7.1 Too many recipients received from the sender"], "a sender's rate")
            it.write("exceptions", "@good.test REJECT 521 \"5.7.9 changed\"\n")
            it.reload()
            tap.eq([said(mta, "x@good.test"), said(mta, "x@gone.test")],
                   ["521 5.7.9 changed", GONE.format("x@gone.test")],
                   "other exceptions with the next MAIL of the same connection")
            it.write("exceptions", "@good.test NEVER\n")
            it.reload(good=False)
            tap.eq(said(mta, "x@good.test"), "521 5.7.9 changed", "a wrong table replaces no good one")


@tap.part
def where_used():
    files = {**RAT, "exceptions": EXCEPTIONS, "more": "joe@good.test\n"}
    with House(OFF + LISTS + "[addresslist idle]\naddresses = @x.test\n", files, start=False) as it:
        _status, out, _err = it.ctl("config", "show")
        shown = {block.split("\n")[0]: [line.replace(it.path, "F") for line in block.split("\n")
                                        if line.startswith(("# used by", "# not used"))]
                 for block in out.split("\n\n")}
        tap.eq([[u.rsplit(":", 1)[0] for u in shown["[addresslist secret]"]],
                [u.rsplit(":", 1)[0] for u in shown["[addresslist more]"]], shown["[addresslist idle]"]],
               [["# used by [policy P] tls_required_senders, F", "# used by [policy Q] sender_rate_exempt, F"],
                ["# used by [policy Q] tls_required_senders, F"], ["# not used"]], "config show: where-used")
        tap.eq(int(shown["[addresslist more]"][0].rsplit(":", 1)[1]),
               line_of(it, "tls_required_senders = more"), "with its line")


WRONG = """
[addresslist a]
kind = ip
addresses = @a.test
addresses_file = lista
[addresslist b]
[exceptions]
file = exceptions
[policy P]
tls_required_senders = a
use_exceptions = yes
sender_rate_exempt = none
[listener in]
rat = rat
default_domain = not..good
recipient_delimiter = +a
trusted_hops = 192.0.2.1, mail.test
[listener two]
daemon_name = two
rat = rat
default_domain = fine.test
allow_partial_domain = no
"""


@tap.part
def mistakes():
    files = {**RAT, "lista": "@[192.0.2.1]\nu@b.test, @[192.0.2.2]\n", "exceptions": "@a ALLOW\nb REJECT\n"}
    with House(OFF + WRONG, files, start=False) as it:
        status, _out, err = it.ctl("check")
        lines = [line.replace(it.folder + "/", "") for line in err.split("\n") if line]
        tap.eq(status, 1, "check refuses")
        for wanted in (
                '[addresslist a] addresses: "@a.test" does not belong in a list of kind = ip',
                'lista:2:1: "u@b.test" does not belong in a list of kind = ip',
                "warning: [addresslist b] the list is empty", 'exceptions:2:1: "b" is not an address',
                "[policy P] sender_rate_exempt: there is no section [addresslist none]",
                "warning: [policy P] tls_required_senders: has an effect with tls = preferred only",
                '[listener in] default_domain: "not..good" is not a domain',
                '[listener in] recipient_delimiter: "+a" is wrong',
                '[listener in] trusted_hops: "mail.test" is not an address',
                "warning: [listener two] default_domain: not used with allow_partial_domain = no"):
            tap.ok(any(wanted in line for line in lines), wanted, "\n".join(lines))


@tap.part
def traced():
    def trace(it, *more, sender="a@gone.test"):
        status, out, err = it.ctl("trace", "--json", "--ip", "192.0.2.1", "--from", sender,
                                  "--to", "c@d.test", *more)
        if not out:
            raise AssertionError(err)
        mail = json.loads(out)["stages"][1]
        return status, mail["verdict"], mail["by"], mail["code"], mail["text"]

    ok = (0, "accept", "hat", None, None)
    gone = (1, "reject", "sender", 553, "Domain of sender address <a@gone.test> does not exist")
    no_mx = (1, "reject", "sender", 553, "Domain of sender address <a@gone.test> does not accept mail")
    later = (1, "tempfail", "sender", 451, "Domain of sender address <a@gone.test> does not resolve")
    with DnsServer(ZONE) as dns, House(dns_conf(dns) + VERIFY, RAT, start=False) as it:
        tap.eq(trace(it, "--offline"), ok, "offline every domain exists")
        tap.eq(trace(it), gone, "DNS is asked")
        asked = len(dns.queries)
        for word, wanted in (("ok", ok), ("nonexistent", gone), ("no_mx", no_mx), ("unresolvable", later)):
            tap.eq(trace(it, "--sender-dns", word), wanted, f"--sender-dns {word}")
        tap.eq(len(dns.queries), asked, "what is given is not asked")
        status, _out, err = it.ctl("trace", "--ip", "192.0.2.1", "--from", "a@b.test", "--to", "c@d.test",
                                   "--sender-dns", "maybe")
        tap.ok(status == 2 and "ok, nonexistent, no_mx, unresolvable" in err, "a wrong word", err)
        facts = [{"ip": "192.0.2.1", "from": "a@gone.test", "to": ["c@d.test"], "sender_dns": word}
                 for word in ("ok", "nonexistent", "unresolvable", None, "no_mx")]
        _status, out, _err = it.ctl("trace", "--offline", "-", stdin="".join(json.dumps(f) + "\n" for f in facts))
        tap.eq([json.loads(line)["verdict"] for line in out.splitlines()],
               ["accept", "reject", "tempfail", "accept", "reject"], "a batch, in order")


HOPS = """
[policy TIGHT]
max_recipients_per_hour = 1
max_connections_per_ip = 1
max_invalid_recipients_per_hour = 2
[callahead ask]
type = static
servers = 127.0.0.1:{port}
[listener in]
rat = rat
callahead = ask
default_policy = TIGHT
trusted_hops = 192.0.2.0/24
recipient_delimiter = +
[listener plain]
daemon_name = plain
rat = rat
callahead = ask
"""


@tap.part
def front_hosts_and_extensions():
    files = {"rat": "info@b.test REJECT\nb.test ACCEPT\n"}
    with smtpserver.Server(rcpt=[["^bad|^plain[+]", "550 5.1.1 no"]]) as smtp, \
            House(OFF + HOPS.format(port=smtp.port), files) as it:
        with it.session("192.0.2.1") as first, it.session("192.0.2.1") as mta:
            tap.eq([first.greeting.line, mta.greeting.line], ["continue"] * 2, "no limit of connections")
            tap.eq(it.wait_log(event="connect", count=2)["trusted"], "yes", "the log says so")
            said(mta, "")
            tap.eq([mta.rcpt(f"<{to}@b.test>").line for to in ("u", "u+one", "u+two", "U+Two")],
                   ["continue"] * 4, "no rate of the host")
            tap.eq(smtp.stats()["rcpt"], 1, "u+tag is remembered as u")
            tap.eq([mta.rcpt(f"<{to}@b.test>").line for to in ("bad+one", "bad+two", "bad")],
                   ["550 5.1.1 User unknown"] * 3, "unknown under all of its names")
            tap.eq(smtp.stats()["rcpt"], 4, "each is asked for: the host might know one of them")
            tap.eq([mta.rcpt(f"<{to}@b.test>").line for to in ("plain+x", "plain", "plain+x")],
                   ["550 5.1.1 User unknown", "continue", "550 5.1.1 User unknown"],
                   "an extension that the host does not know makes nobody unknown")
            tap.eq(mta.rcpt("<info+x@b.test>").line, "550 5.1.0 Address rejected", "the table sees info@")
            tap.eq(mta.rcpt("<info@c.test>").line, "550 5.1.0 Address rejected", "no harvest protection")
        for listener, wanted in (("in", "info@b.test"), ("plain", "b.test")):
            found = json.loads(it.ctl("rat", "lookup", "--json", listener, "info+x@b.test")[1])
            tap.eq((found["address"], found["entry"]), ("info+x@b.test", wanted), f"rat lookup {listener} agrees")
        with it.session("198.51.100.1") as first, it.session("198.51.100.1") as mta:
            tap.eq([first.greeting.line, mta.greeting.line],
                   ["continue", "421 4.4.5 Too many connections from your host"], "others have limits")
        it.wait_log(event="close", count=4)
        with it.session("198.51.100.1") as mta:
            said(mta, "")
            tap.eq([mta.rcpt(f"<{to}@b.test>").line for to in ("u+three", "u")],
                   ["continue", "452 4.7.1 Too many recipients received this hour"], "all of them")
        asked = smtp.stats()["rcpt"]
        with it.session("198.51.100.2", macros={"daemon_name": "plain"}) as mta:
            said(mta, "")
            tap.eq([mta.rcpt("<u+new@b.test>").line, smtp.stats()["rcpt"]], ["continue", asked + 1],
                   "without a delimiter it is another recipient")


tap.done()
