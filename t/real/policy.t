#!/usr/bin/python3
"""Mail flow policies through a real Postfix: senders, sizes, messages, texts, greetings, reloads.

Clients differ by their loopback address, one a policy. Mail for example.com is discarded.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mmdb
from dnsserver import DnsServer
from front import Front
from tap import Tap

POLICIES = {  # name: (address, keys)
    "VERIFY": ("127.0.10.1", "verify_sender = yes"),
    "VERIFY_A": ("127.0.10.2", "verify_sender = yes\nno_mx = accept_a"),
    "EXCEPT": ("127.0.10.3", "verify_sender = yes\nuse_exceptions = yes"),
    "OWN_WORDS": (
        "127.0.10.4",
        "verify_sender = yes\nnonexistent_sender_code = 450\nnonexistent_sender_text = <$EnvelopeSender>? 100%\n"
        "malformed_sender_code = 550\nmalformed_sender_text = #5.1.7 Who is $EnvelopeSender?\n"
        "no_mx_text = <$EnvelopeSender> takes none\nunresolvable_sender_code = 421\nunresolvable_sender_text = later",
    ),
    "SMALL": ("127.0.10.5", "max_message_size = 2K"),
    "FEW": ("127.0.10.6", "max_messages_per_connection = 2\nmax_recipients_per_message = 2"),
    "REFUSED": ("127.0.10.7", "access = reject\nreject_code = 550\n"
                "reject_text = #5.7.25 $group|$HOSTNAME|$OrgID|$RemoteIP|$HATEntry|$Other|100%"),
    "EXEMPT": ("127.0.10.8", "max_sender_recipients = 1\nsender_rate_exempt = friends"),
    "FAMILY": ("127.0.11.0/24, 127.0.12.0/24", "max_recipients_per_hour = 2\nsignificant_bits = 16"),
}
IP = {name: address.split("/")[0] for name, (address, _keys) in POLICIES.items()}
CONF = """
[dns]
servers = 127.0.0.1:{port}
host_lookup = off
timeout = 10s
[reputation]
owner_source = mmdb:owners.mmdb
[exceptions]
file = exceptions.txt
[addresslist friends]
addresses = @friend.example
""" + "".join(
    f"[policy {name}]\n{keys}\n[group {name}]\npolicy = {name}\nsenders = {address}\n"
    for name, (address, keys) in POLICIES.items()
) + f"""
[policy OWNED]
max_recipients_per_hour = 2
[policy UNOWNED]
max_recipients_per_hour = 2
use_reputation = no
[group OWNED]
policy = OWNED
senders = SBO:64500
[group UNOWNED]
policy = UNOWNED
senders = SBO:64501
[listener main]
groups = {" ".join(POLICIES)} OWNED UNOWNED
reject_at = mail
rat = rat.txt
[listener whole]
groups =
allow_partial_domain = no
rat = rat.txt
[listener completed]
groups = EXEMPT
default_domain = friend.example
rat = rat.txt
[policy GREETING]
banner_code = 250
banner_text = welcomes you. No spam, 100%
banner_hostname = front.example.net
[listener greeting]
groups = FEW
default_policy = GREETING
rat = rat.txt
[policy TIGHT]
max_connections_per_ip = 1
max_recipients_per_hour = 1
max_invalid_recipients_per_hour = 1
[listener hops]
groups =
default_policy = TIGHT
trusted_hops = 127.0.20.0/24
recipient_delimiter = +
rat = rat.txt
[routes]
file = routes.txt
"""
FILES = {
    "rat.txt": "info@example.com REJECT\nexample.com ACCEPT\n",
    "routes.txt": "example.com: /dev/null\n",
    "owners.mmdb": mmdb.make({"127.0.40.0/23": mmdb.asn(64500), "127.0.42.0/24": mmdb.asn(64501)}),
    "exceptions.txt": 'good@gone.test ALLOW\n@good.test REJECT\n@.sub.test REJECT 550 "#5.7.9 not you, 100%"\n',
}
ZONE = """
good.test MX 10 mail.good.test
mail.good.test A 192.0.2.1
null.test MX 0 .
text.test TXT "no mail"
onlya.test A 192.0.2.2
dead.test MX 10 nobody.test
fail.test !servfail
refused.test !refused
xn--mller-kva.test MX 10 mail.good.test
"""
MALFORMED = "553 5.5.4 Domain required for sender address"
GONE = "553 5.1.8 Domain of sender address <{}> does not exist"
NO_MX = "553 5.1.8 Domain of sender address <{}> does not accept mail"
LATER = "451 4.1.8 Domain of sender address <{}> does not resolve"
TOO_BIG = "552 5.3.4 Message size exceeds limit"
HOST_RATE = "452 4.7.1 Too many recipients received this hour"
SENDER_RATE = "452 4.7.1 Too many recipients received from the sender"

tap = Tap()


def short(reply):
    return "250" if reply.startswith("250 ") else reply


def said(site, policy, sender, listener="main"):
    with site.client(IP.get(policy, policy), listener) as client:
        return short(client.mail(sender))


def rcpts(client, *recipients):
    return [short(client.rcpt(recipient)) for recipient in recipients]


def session(site, policy, *recipients, sender="sender@example.net", listener="main"):
    with site.client(IP.get(policy, policy), listener) as client:
        return [short(client.mail(sender))] + rcpts(client, *recipients)


def senders(site):
    for sender, wanted in (
        ("a@good.test", "250"), ("a@GOOD.test", "250"), ("", "250"), ("a@[192.0.2.1]", "250"),
        ("a@gone.test", GONE), ("a@null.test", GONE), ("a@text.test", GONE), ("a@dead.test", GONE),
        ("a@onlya.test", NO_MX), ("a@fail.test", LATER), ("a@refused.test", LATER),
        ("joe", MALFORMED), ("joe@host", MALFORMED),
    ):
        tap.eq(said(site, "VERIFY", sender), wanted.format(sender), f"verify_sender: <{sender}>")
    for sender, wanted in (("a@onlya.test", "250"), ("a@null.test", GONE), ("a@text.test", GONE)):
        tap.eq(said(site, "VERIFY_A", sender), wanted.format(sender), f"no_mx = accept_a: <{sender}>")
    with site.client(IP["VERIFY"]) as client:
        tap.eq(short(client.mail("a@m\u00fcller.test", "SMTPUTF8")), "250", "a domain of other letters")
    for sender, wanted in (
        ("a@gone.test", "450 4.1.8 <a@gone.test>? 100%"), ("joe", "550 5.1.7 Who is joe?"),
        ("a@onlya.test", "450 4.1.8 <a@onlya.test> takes none"), ("a@fail.test", "421 4.1.8 later"),
    ):
        tap.eq(said(site, "OWN_WORDS", sender), wanted, f"words of the policy: <{sender}>")
    line = site.house.wait_log(event="mail", from_="<a@dead.test>")
    tap.eq(line["detail"], "envelope sender domain does not exist", "the reason in the log")


def exceptions(site):
    for sender, wanted in (
        ("good@gone.test", "250"), ("bad@gone.test", GONE), ("a@good.test", "553 5.7.1 Envelope sender rejected"),
        ("a@x.sub.test", "550 5.7.9 not you, 100%"), ("", "250"),
    ):
        tap.eq(said(site, "EXCEPT", sender), wanted.format(sender), f"exceptions: <{sender}>")
    tap.eq(said(site, "VERIFY", "a@good.test"), "250", "a policy that does not look at them")


def partial(site):
    for sender in ("joe", "joe@host"):
        tap.eq(said(site, "127.0.30.1", sender), "250", f"partial sender <{sender}>: let through")
        tap.eq(said(site, "127.0.30.1", sender, "whole"), MALFORMED, f"<{sender}>: not where it is not allowed")
    tap.eq(session(site, "EXEMPT", *["u@example.com"] * 2, sender="joe"), ["250", "250", SENDER_RATE],
           "a sender's rate")
    tap.eq(session(site, "EXEMPT", *["u@example.com"] * 3, sender="joe@friend.example"), ["250"] * 4, "... an exempt one")
    tap.eq(session(site, "EXEMPT", *["u@example.com"] * 3, sender="joe", listener="completed"), ["250"] * 4,
           "... exempt once completed")


def body_of(size):
    """A body that arrives as so many bytes, CR LF after its last line included."""
    return ("y" * 98 + "\r\n") * (size // 100) + "z" * (size % 100 - 2)


def sizes(site):
    for size, wanted in ((2047, "250"), (2048, "250"), (2049, TOO_BIG)):
        with site.client(IP["SMALL"]) as client:
            tap.eq(short(client.mail(parameters=f"SIZE={size}")), wanted, f"announced: {size} of 2048 bytes")
        with site.client(IP["SMALL"]) as client:
            client.mail()
            client.rcpt("u@example.com")
            tap.eq(short(client.data(body_of(size))), wanted, f"arriving: {size} of 2048 bytes")
            line = site.house.wait_log(event="eom", bytes=size)
            tap.eq(line["verdict"], "accept" if wanted == "250" else "reject", "... counted so in the log")
            tap.eq(short(client.mail()), "250", "... and the session goes on")


def messages(site):
    with site.client(IP["FEW"]) as client:
        for way in ("delivered", "RSET"):
            tap.eq([short(client.mail())] + rcpts(client, "u@example.com"), ["250"] * 2, f"a message, {way}")
            reply = client.data() if way == "delivered" else client.command("RSET")
            tap.ok(reply.startswith("250"), "... ends well", reply)
        tap.eq(client.mail(), "421 4.4.5 Too many messages for this session", "the third of two")
        tap.eq(client.reply(), "", "... and hung up on")
    with site.client(IP["FEW"]) as client:
        lines = ["MAIL FROM:<a@example.net>"] + [f"RCPT TO:<{n}@example.com>" for n in range(4)]
        first = client.command("\r\n".join(lines + ["RSET"] + lines[:3] + ["RSET", lines[0]]))
        many = "452 4.5.3 Too many recipients"
        tap.eq([short(first)] + [short(client.reply()) for _ in range(10)],
               ["250"] * 3 + [many] * 2 + ["250"] * 5 + ["421 4.4.5 Too many messages for this session"],
               "pipelined: each message counts its recipients")


def counted(site):
    tap.eq(session(site, "127.0.11.1", "u@example.com"), ["250"] * 2, "significant_bits = 16")
    tap.eq(session(site, "127.0.12.1", "u@example.com", "u@example.com"), ["250", "250", HOST_RATE], "... is one client")
    tap.eq(session(site, "127.0.40.1", "u@example.com"), ["250"] * 2, "one of an owner's clients")
    tap.eq(session(site, "127.0.40.2", "u@example.com", "u@example.com"), ["250", "250", HOST_RATE],
           "... shares with his others in the /24")
    tap.eq(session(site, "127.0.41.1", "u@example.com"), ["250"] * 2, "... not with those of another")
    for n in (1, 2):
        tap.eq(session(site, f"127.0.42.{n}", "u@example.com", "u@example.com"), ["250"] * 3,
               "use_reputation = no: each of them for himself")


def hops(site):
    with site.client("127.0.20.1", "hops") as one, site.client("127.0.20.1", "hops") as two:
        tap.eq([one.banner[:4], two.banner[:4]], ["220 "] * 2, "a front host has no limit of connections")
        two.mail()
        tap.eq(rcpts(two, "a@example.com", "b@example.com", "info+x@example.com", "info+y@example.com", "c@example.com"),
               ["250", "250", "550 5.1.0 Address rejected", "550 5.1.0 Address rejected", "250"],
               "... nor of recipients, good or bad; user+tag is user")
    with site.client("127.0.21.1", "hops"), site.client("127.0.21.1", "hops") as two:
        tap.ok(two.banner.startswith("421 "), "another has", two.banner)
    tap.eq(session(site, "127.0.22.1", "info+x@example.com", "a@example.com", listener="hops"),
           ["250"] + ["550 5.7.1 Too many invalid recipients"] * 2, "... of bad recipients, too")


def texts(site):
    tap.eq(said(site, "REFUSED", "a@example.net"), "550 5.7.25 REFUSED|Unknown|None|127.0.10.7|127.0.10.7|$Other|100%",
           "variables in reject_text")
    with site.client("127.0.30.1", "greeting") as client:
        tap.eq(client.banner, "220 front.example.net ESMTP welcomes you. No spam, 100%", "banner_text, banner_hostname")
    with site.client(IP["FEW"], "greeting") as client:
        tap.eq(client.banner, "220 front.example.net ESMTP welcomes you. No spam, 100%", "... for every client")
    tap.ok("# banner_code 250 is not used: Postfix greets with 220" in site.lines, "... but with 220", site.lines)
    tap.ok("# other policies' banner_text is not used" in site.lines, "... as mta-config says", site.lines)
    with site.client("127.0.30.1") as client:
        tap.ok(client.banner.startswith("220 mx.example.com ESMTP"), "other listeners greet as ever", client.banner)


def reload(site):
    """A connection keeps its policy, a message its tables."""
    with site.client(IP["FEW"]) as client:
        tap.eq([short(client.mail())] + rcpts(client, "a@example.com"), ["250"] * 2, "a message under way")
        site.house.write("rat.txt", "info@example.com ACCEPT\n")
        site.reload(site.conf.replace("max_messages_per_connection = 2\nmax_recipients_per_message = 2",
                                      "max_messages_per_connection = 1\nmax_recipients_per_message = 1"))
        tap.eq(rcpts(client, "b@example.com", "c@example.com"), ["250", "452 4.5.3 Too many recipients"],
               "... keeps policy and table over a reload")
        tap.ok(client.data().startswith("250"), "... and is accepted")
        tap.eq(short(client.mail()), "250", "the next one keeps the policy")
        tap.eq(rcpts(client, "a@example.com", "info@example.com"), ["550 5.1.0 Address rejected", "250"], "... not the table")
    with site.client(IP["FEW"]) as client:
        tap.eq([short(client.mail())] + rcpts(client, *["info@example.com"] * 2),
               ["250", "250", "452 4.5.3 Too many recipients"], "a new connection has the new policy")


def monitor(site):
    site.house.settings["mode"] = "monitor"
    site.reload(site.conf)
    with site.client(IP["REFUSED"]) as client:
        tap.eq([short(client.mail())] + rcpts(client, "a@example.com", "b@example.com"), ["250"] * 3,
               "monitor: a refused client and refused recipients pass")
        tap.ok(client.data("y" * 3000).startswith("250"), "... and so does the message")
    line = site.house.wait_log(event="mail", would="reject")
    tap.eq((line["verdict"], line["code"], line["status"]), ("accept", "550", "5.7.25"), "... the log says what would be")


with DnsServer(ZONE) as dns, Front(tap, CONF.replace("{port}", str(dns.port)), FILES) as the_site:
    for test in (senders, exceptions, partial, sizes, messages, counted, hops, texts, reload, monitor):
        tap.note(test.__name__)
        tap.part(lambda test=test: test(the_site))
tap.done()
