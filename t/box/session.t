#!/usr/bin/python3
"""Actions and replies of a session, byte for byte (SPEC 4, 5, 6, 7, 11)."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import milter_client as protocol
from house import House
from tap import Tap

tap = Tap()
OFF = "[dns]\nhost_lookup = off\n"
RAT = """
odd.example ACCEPT
u@literal.example REJECT 550 "5.2.1 gone away"
soft.example REJECT 450 "come back"
hard.example REJECT 521 "we take 100% no mail"
vendor.example REJECT 553 "#5.7.27 vendor's spelling"
[192.0.2.25] ACCEPT
example.com, .example.com ACCEPT
user@ ACCEPT
"""


def lines(*replies):
    return [r.line if r is not None else None for r in replies]


def house(conf, files=None, **more):
    return House(OFF + conf, {"rat": RAT, **(files or {})}, **more)


@tap.part
def negotiation():
    with house("[listener in]\nrat = rat\n") as it:
        with it.dial() as mta:
            mta.negotiate()
            tap.eq(mta.steps, protocol.NO_HELO | protocol.NO_HEADERS | protocol.NO_EOH
                   | protocol.NO_UNKNOWN | protocol.NO_DATA | protocol.NR_BODY,
                   "only connect, MAIL, RCPT, body without replies and end of message are asked for")
            tap.eq(mta.actions, protocol.SET_MACROS, "no action but the choice of macros is asked for")
            tap.eq(sorted(mta.wanted_macros), ["connect", "eom", "mail", "rcpt"], "stages with macros")
            wanted = mta.wanted_macros
            tap.ok({"{daemon_name}", "{daemon_addr}", "{daemon_port}", "{client_resolve}",
                    "{client_name}"} <= set(wanted["connect"]), "macros of connect", wanted)
            tap.ok({"{tls_version}", "{auth_authen}"} <= set(wanted["mail"]), "macros of MAIL", wanted)
            tap.ok("i" in wanted["rcpt"] and "i" in wanted["eom"], "the queue id", wanted)
        with it.dial() as mta:  # an old MTA: nothing of what it does not offer
            mta.negotiate(actions=0x3F, steps=0x7F)
            tap.eq((mta.actions, mta.wanted_macros), (0, {}), "no macros chosen where the MTA cannot")
            tap.eq(mta.steps, protocol.NO_HELO | protocol.NO_HEADERS | protocol.NO_EOH,
                   "steps of an old MTA")
            tap.eq(lines(mta.connect("192.0.2.1"), mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"),
                         mta.body(b"x"), mta.end_of_message()), ["continue"] * 5,
                   "it is served, body with replies")


@tap.part
def recipients():
    cases = [
        ("<u@example.com>", "continue"),
        ("<u@sub.example.com>", "continue"),
        ("<U@EXAMPLE.COM>", "continue"),
        ("<u@example.com.>", "continue"),
        ("u@example.com", "continue"),
        ("<@relay.test,@b.test:u@example.com>", "continue"),
        ('<"a b"@example.com>', "continue"),
        ("<user@anywhere.test>", "continue"),
        ("<u@[192.0.2.25]>", "continue"),
        ("<postmaster>", "continue"),
        ("<PostMaster>", "continue"),
        ("<u@other.test>", "550 5.1.0 Address rejected"),
        ("<u@notexample.com>", "550 5.1.0 Address rejected"),
        ("<u@[192.0.2.26]>", "550 5.1.0 Address rejected"),
        ("<u@[IPv6:2001:db8::1]>", "550 5.1.0 Address rejected"),
        ("<noone>", "550 5.1.0 Address rejected"),
        ("<u@literal.example>", "550 5.2.1 gone away"),
        ("<u@soft.example>", "450 4.1.0 come back"),
        ("<u@hard.example>", "521 5.1.0 we take 100% no mail"),
        ("<u@vendor.example>", "553 5.7.27 vendor's spelling"),
        ("<>", "501 5.1.3 Bad recipient address syntax"),
        ("", "501 5.1.3 Bad recipient address syntax"),
        ("<u@exa mple.com>", "501 5.1.3 Bad recipient address syntax"),
        ("<u@example.com", "501 5.1.3 Bad recipient address syntax"),
        ("<u@[300.1.1.1]>", "501 5.1.3 Bad recipient address syntax"),
        (b"<u\xff@example.com>", "501 5.1.3 Bad recipient address syntax"),
        (b"<u\r\nx@example.com>", "501 5.1.3 Bad recipient address syntax"),
        ("<" + "a" * 255 + "@example.com>", "continue"),
        ("<" + "a" * 256 + "@example.com>", "501 5.1.3 Bad recipient address syntax"),
    ]
    with house("[listener in]\nrat = rat\n") as it, it.session() as mta:
        mta.mail("<a@b.test>")
        for address, wanted in cases:
            tap.eq(mta.rcpt(address).line, wanted, f"RCPT {str(address)[:40]}")
        tap.eq(mta.message().line, "continue", "the message passes")
        percent = [r.data for r in [mta.mail("<a@b.test>"), mta.rcpt("<u@hard.example>")] if r.data]
        tap.eq(percent, [b"521 5.1.0 we take 100%% no mail\0"], "a percent sign is doubled for the MTA")


@tap.part
def senders():
    cases = [
        ("<>", "continue"),
        ("<a@b.test>", "continue"),
        ("a@b.test", "continue"),
        ("<joe>", "continue"),
        ("<a@[192.0.2.1]>", "continue"),
        ("<müller@bücher.test>", "continue"),
        ("<a@b..test>", "501 5.1.7 Bad sender address syntax"),
        ("", "501 5.1.7 Bad sender address syntax"),
        (b"<\x01@b.test>", "501 5.1.7 Bad sender address syntax"),
    ]
    with house("[listener in]\nrat = rat\n[policy ACCEPTED]\nmax_messages_per_connection = 100\n") as it:
        with it.session() as mta:
            for address, wanted in cases:
                tap.eq(mta.mail(address).line, wanted, f"MAIL {str(address)[:40]}")
                mta.abort()
            tap.eq(lines(mta.mail("<>"), mta.rcpt("<u@example.com>"), mta.message()),
                   ["continue"] * 3, "a bounce is delivered")


@tap.part
def refusals():
    """access = reject at the three places, tcprefuse and relay."""
    conf = """
[group CLOSED]
senders = 192.0.2.66
policy = reject
[group TAILORED]
senders = 192.0.2.67, 2001:db8::67
policy = TAILORED
[policy TAILORED]
access = reject
reject_code = 550
reject_text = 5.7.606 $RemoteIP of $group ($HATEntry, $hostname) 100% $Unknown ü
[group SHUT]
senders = 192.0.2.68
policy = tcprefuse
[group SOFT]
senders = 192.0.2.69
policy = SOFT
[policy SOFT]
access = reject
reject_code = 450
[group OURS]
senders = 192.0.2.70
policy = relay
[listener in]
rat = rat
groups = CLOSED, TAILORED, SHUT, SOFT, OURS
"""
    denied = "554 5.7.1 Access denied"
    with house(conf + "reject_at = connect\n") as it:
        for ip, wanted in (
            ("192.0.2.66", denied),
            ("192.0.2.67", "550 5.7.606 192.0.2.67 of TAILORED (192.0.2.67, Unknown) 100% $Unknown ü"),
            ("2001:db8::67", "550 5.7.606 2001:db8::67 of TAILORED (2001:db8::67, Unknown) 100% $Unknown ü"),
            ("192.0.2.68", "421 4.7.1 Access denied"),
            ("192.0.2.69", "450 4.7.1 Access denied"),
            ("192.0.2.70", "continue"),
            ("192.0.2.71", "continue"),
        ):
            with it.session(ip) as mta:
                tap.eq(mta.greeting.line, wanted, f"connect from {ip}")
        it.wait_log(event="close", count=7)
        tap.eq(len(it.find_log(event="connect", ip="192.0.2.68")), 1, "one line for a refused connection")
        with it.session("192.0.2.66") as mta:  # Postfix asks no more; others may
            tap.eq(mta.mail("<a@b.test>").line, denied, "after connect it is refused at MAIL as well")
        with it.session("192.0.2.70") as mta:
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@anywhere.test>"), mta.rcpt("<u@x y>"),
                         mta.message()),
                   ["continue", "continue", "501 5.1.3 Bad recipient address syntax", "continue"],
                   "relay: the RAT is skipped, syntax is not")
    with house(conf + "reject_at = mail\n") as it:
        with it.session("192.0.2.66") as mta:
            tap.eq(lines(mta.greeting, mta.mail("<a@b.test>"), mta.mail("<>")),
                   ["continue", denied, denied], "reject_at = mail")
            mta.macros("M", auth_authen="joe")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@anywhere.test>")), ["continue"] * 2,
                   "... until the client authenticates")
        with it.session("192.0.2.68") as mta:
            tap.eq(mta.greeting.line, "421 4.7.1 Access denied", "tcprefuse does not wait for MAIL")
    with house(conf + "reject_at = rcpt\n") as it:
        with it.session("192.0.2.66") as mta:
            tap.eq(lines(mta.greeting, mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"),
                         mta.rcpt("<not an address>")),
                   ["continue", "continue", denied, denied], "reject_at = rcpt")
            mta.abort()
            mta.macros("M", auth_authen="joe")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@anywhere.test>")), ["continue"] * 2,
                   "... until the client authenticates")
            line = it.wait_log(event="rcpt", to="<u@example.com>")
            tap.eq((line["from"], line["verdict"], line["code"], line["by"]),
                   ("<a@b.test>", "reject", "554", "hat"), "a delayed refusal is logged with the addresses")
        with it.session("192.0.2.68") as mta:
            tap.eq(lines(mta.greeting, mta.mail("<a@b.test>")), ["421 4.7.1 Access denied"] * 2,
                   "tcprefuse does not wait for RCPT")


@tap.part
def private_listener():
    conf = "[listener out]\ntype = private\n[group RELAYLIST]\nsenders = 192.0.2.10\n"
    with house(conf) as it:
        with it.session("192.0.2.10") as mta:
            tap.eq(lines(mta.greeting, mta.mail("<a@b.test>"), mta.rcpt("<u@anywhere.test>"), mta.message()),
                   ["continue"] * 4, "a relay client of a private listener")
        with it.session("192.0.2.11") as mta:
            tap.eq(mta.greeting.line, "554 5.7.1 Access denied", "anybody else")
    with house(conf.replace("private\n", "private\ndefault_policy = ACCEPTED\n")) as it:
        with it.session("192.0.2.11") as mta:
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.rcpt("<postmaster>")),
                   ["continue", "550 5.7.1 Relaying denied", "continue"], "accept is not relay")
            mta.abort()
            mta.macros("M", auth_authen="joe")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>")), ["continue"] * 2,
                   "an authenticated client is")
    with house("[listener in]\n") as it, it.session() as mta:
        tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.rcpt("<postmaster>")),
               ["continue", "550 5.1.0 Address rejected", "continue"], "a public listener without a RAT")


@tap.part
def limits():
    conf = """
[policy ACCEPTED]
max_messages_per_connection = 3
max_recipients_per_message = 2
max_message_size = 1K
[listener in]
rat = rat
"""
    large = "552 5.3.4 Message size exceeds limit"
    many = "452 4.5.3 Too many recipients"
    with house(conf) as it:
        with it.session() as mta:
            tap.eq(lines(mta.mail("<a@b.test>", "SIZE=1025"), mta.mail("<a@b.test>", "BODY=8BITMIME", "size=1025")),
                   [large] * 2, "announced: one byte too many")
            tap.eq(lines(mta.mail("<a@b.test>", "SIZE=1024")), ["continue"], "announced: just fits")
            mta.abort()
            tap.eq(lines(mta.mail("<a@b.test>", "SIZE=0"), mta.rcpt("<u@example.com>"), mta.message(b"x" * 1025)),
                   ["continue", "continue", large], "arrived: one byte too many")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.message(b"x" * 1024)),
                   ["continue"] * 3, "arrived: just fits, and the bytes before are forgotten")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.mail("<a@b.test>")),
                   ["421 4.4.5 Too many messages for this session"] * 2,
                   "the message after the last: refused MAILs have not counted, those given up have")
            line = it.wait_log(event="eom", verdict="reject")
            tap.eq((line["code"], line["by"], line["bytes"], line["recipients"]), ("552", "size", "1025", "1"),
                   "the line of a message that was too large")
        with it.session() as mta:
            for piece in (512, 512, 1):  # given up before its end
                mta.mail("<a@b.test>")
                mta.rcpt("<u@example.com>")
                mta.body(b"x" * piece)
                mta.body(b"x" * 512)
                if piece != 1:
                    mta.abort()
            tap.eq(mta.end_of_message().line, "continue", "an aborted message's bytes do not count")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            mta.rcpt("<u@example.com>")
            for _ in range(205):
                mta.body(b"12345")
            tap.eq(mta.end_of_message().line, large, "bytes of all pieces count")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            tap.eq(lines(mta.rcpt("<u@example.com>"), mta.rcpt("<u@other.test>"), mta.rcpt("<u@x y>"),
                         mta.rcpt("<u2@example.com>"), mta.rcpt("<u3@example.com>"), mta.rcpt("<postmaster>"),
                         mta.rcpt("<u@x y>")),
                   ["continue", "550 5.1.0 Address rejected", "501 5.1.3 Bad recipient address syntax",
                    "continue", many, many, many],
                   "only accepted recipients count; over the limit nothing else is looked at")
            mta.abort()
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.rcpt("<u@example.com>"),
                         mta.rcpt("<u@example.com>")), ["continue"] * 3 + [many], "the next message starts afresh")


NO_CERTIFICATE = "530 5.7.0 Valid client certificate required"
CERTIFICATES = [  # what the MTA says of it, and the reply where it is not good
    ({}, NO_CERTIFICATE),
    ({"verify": "NO", "cert_subject": "", "cert_issuer": ""}, NO_CERTIFICATE),  # Sendmail: asked for, none there
    ({"verify": "NOT"}, NO_CERTIFICATE),
    ({"verify": "FAIL", "cert_subject": "/CN=client.test", "cert_issuer": "/CN=Any"}, NO_CERTIFICATE),
    ({"verify": "", "cert_subject": "/CN=client.test"}, NO_CERTIFICATE),
    ({"verify": "OK", "cert_subject": "/CN=client.test", "cert_issuer": "/CN=CA"}, None),
    ({"cert_subject": "client.test", "cert_issuer": "CA"}, None),  # Postfix: of good ones only
    ({"cert_subject": "", "cert_issuer": "CA"}, None),
]


@tap.part
def auth_and_tls():
    conf = """
[group NOAUTH]
senders = 192.0.2.1
policy = NOAUTH
[policy NOAUTH]
auth = off
[group AUTH]
senders = 192.0.2.2
policy = AUTH
[policy AUTH]
auth = required
[group TLS]
senders = 192.0.2.3
policy = TLS
[policy TLS]
tls = required
auth = required
max_message_size = 1K
[group CERTIFIED]
senders = 192.0.2.4
policy = CERTIFIED
[policy CERTIFIED]
tls = required
tls_verify_client = yes
max_message_size = 1K
[listener in]
rat = rat
groups = NOAUTH, AUTH, TLS, CERTIFIED
"""
    needs_tls = "530 5.7.0 Must issue a STARTTLS command first"
    needs_auth = "530 5.7.0 Authentication required"
    with house(conf) as it:
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.mail("<a@b.test>").line, "continue", "auth = off, nobody tried")
            mta.abort()
            mta.macros("M", auth_type="PLAIN", auth_authen="joe")
            tap.eq(mta.mail("<a@b.test>").line, "503 5.7.0 Authentication not allowed here", "auth = off, used")
        with it.session("192.0.2.2") as mta:
            tap.eq(lines(mta.mail("<a@b.test>"), mta.mail("<>")), [needs_auth] * 2, "auth = required, not used")
            mta.macros("M", auth_type="PLAIN", auth_authen="")
            tap.eq(mta.mail("<a@b.test>").line, needs_auth, "an empty macro is no user")
            mta.macros("M", auth_type="PLAIN", auth_authen="joe")
            tap.eq(lines(mta.mail("<a@b.test>"), mta.rcpt("<u@anywhere.test>")), ["continue"] * 2,
                   "auth = required, used: may relay")
        with it.session("192.0.2.4") as mta:
            tap.eq(mta.mail("<a@b.test>", "SIZE=9999").line, needs_tls, "TLS comes before size")
            mta.macros("M", tls_version="TLSv1.3")
            size = "552 5.3.4 Message size exceeds limit"
            for certificate, wanted in CERTIFICATES:
                mta.macros("M", tls_version="TLSv1.3", **certificate)
                tap.eq(mta.mail("<a@b.test>", "SIZE=9999").line, wanted or size, f"certificate {certificate}")
            mta.macros("M", cert_subject="client.test", verify="OK")
            tap.eq(mta.mail("<a@b.test>").line, needs_tls, "a certificate is nothing without TLS")
        with it.session("192.0.2.3") as mta:
            tap.eq(mta.mail("<a@b.test>", "SIZE=9999").line, needs_auth, "auth comes before TLS")
            mta.macros("M", auth_authen="joe")
            tap.eq(mta.mail("<a@b.test>", "SIZE=9999").line, "538 5.7.11 Encryption required",
                   "auth in clear comes before TLS and size")
            mta.macros("M", auth_authen="joe", tls_version="TLSv1.3")
            tap.eq(mta.mail("<bad", "SIZE=9999").line, "552 5.3.4 Message size exceeds limit",
                   "size comes before syntax")
            tap.eq(mta.mail("<bad").line, "501 5.1.7 Bad sender address syntax", "syntax is last")


@tap.part
def several_messages():
    """What belongs to one message or session does not leak into the next."""
    with house("[listener in]\nrat = rat\n[policy ACCEPTED]\nmax_recipients_per_message = 1\n") as it:
        with it.session("192.0.2.1") as one, it.session("192.0.2.2") as two:
            one.mail("<one@b.test>")
            two.mail("<two@b.test>")
            tap.eq(lines(one.rcpt("<u1@example.com>"), two.rcpt("<u2@example.com>"), one.rcpt("<u3@example.com>")),
                   ["continue", "continue", "452 4.5.3 Too many recipients"], "two sessions at once")
            one.macros("E", {"i": "4QID1"})
            one.message()
            two.abort()
            two.macros("M", {"i": "4QID2"})
            two.mail("<three@b.test>")
            two.macros("R", {"i": "4QID2"})
            two.rcpt("<u4@example.com>")
            two.message()
        it.wait_log(event="close", count=2)
        mail = it.find_log(event="mail")
        tap.eq(len({m["mid"] for m in mail}), 3, "each MAIL has its number")
        first, second = [c["icid"] for c in it.find_log(event="connect")]
        tap.eq(int(second), int(first) + 1, "each connection has its number")
        tap.eq([(m["icid"], m["from"]) for m in mail],
               [(first, "<one@b.test>"), (second, "<two@b.test>"), (second, "<three@b.test>")], "who sent what")
        tap.eq([e.get("qid") for e in it.find_log(event="eom")], ["4QID1", "4QID2"], "queue ids")
        rcpt = it.find_log(event="rcpt", to="<u4@example.com>")[0]
        tap.eq((rcpt["from"], rcpt["qid"], rcpt["verdict"]), ("<three@b.test>", "4QID2", "accept"), "RCPT line")
        closed = {c["icid"]: c for c in it.find_log(event="close")}
        tap.eq([(c["messages"], c["accepted"], c["refused"]) for c in (closed[first], closed[second])],
               [("1", "1", "1"), ("2", "2", "0")], "counts at close")


@tap.part
def pipelining():
    """RCPTs that arrive in one piece are answered one by one, in order."""
    conf = """
[listener in]
rat = rat
[policy ACCEPTED]
max_recipients_per_message = 60
max_invalid_recipients_per_hour = unlimited
"""
    with house(conf) as it, it.session() as mta:
        mta.mail("<a@b.test>")
        packets = b""
        for at in range(100):
            word = b"<u%d@%s>\0" % (at, b"example.com" if at % 2 else b"other.test")
            packets += (len(word) + 1).to_bytes(4, "big") + b"R" + word
        mta.raw(packets)
        answers = [mta.answer().line for _ in range(100)]
        tap.eq(answers, ["550 5.1.0 Address rejected", "continue"] * 50, "a hundred RCPTs at once")
        mta.quit()
        it.wait_log(event="close")
        tap.eq([r["to"] for r in it.find_log(event="rcpt")],
               [f"<u{n}@{'example.com' if n % 2 else 'other.test'}>" for n in range(100)], "in order")


@tap.part
def clients():
    """Which address is judged."""
    conf = """
[group FOUR]
senders = 192.0.2.1
policy = reject
[group SIX]
senders = 2001:db8::/32
policy = tcprefuse
[group HERE]
senders = 127.0.0.1
policy = relay
[listener in]
rat = rat
groups = FOUR, SIX, HERE
"""
    with house(conf, at="inet") as it:
        for ip, group in (("192.0.2.1", "FOUR"), ("::ffff:192.0.2.1", "FOUR"), ("2001:DB8::1", "SIX"),
                          ("2001:db9::1", "None"), ("192.0.2.2", "None"), (None, "None"), ("127.0.0.1", "HERE"), ("::1", "None")):
            before = len(it.lines)
            with it.session(ip):
                pass
            tap.eq(it.wait_log(event="connect", after=before)["group"], group, f"client {ip}")
        with it.dial() as mta:
            mta.negotiate()
            mta.send(b"C", b"[x]\0" + b"L" + b"\0\0" + b"/run/submission\0")
            tap.eq(mta.answer().line, "continue", "a client behind a unix socket")
            tap.eq(it.wait_log(event="connect", ip="unknown", count=2)["group"], "None", "... is not the host itself")
        it.wait_log(event="close", count=8)
        tap.eq(len(it.find_log(event="connect")), len(it.find_log(event="close")), "every session was closed")


tap.done()
