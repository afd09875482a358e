#!/usr/bin/python3
"""Real mail through a real Sendmail before Gatehouse, to a Postfix behind it.

What Sendmail does otherwise than Postfix (postfix.t) is in gatehoused(8), SENDMAIL.
Clients differ by their loopback address.
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import Authority, self_signed
from dnsserver import DnsServer
from front import SendmailFront
from mailsite import (BLOCKED, LINES_TEXT, OUTSIDE, REFUSED, MailSite, killed, mailhost_down, many_messages,
                      null_sender, open_relay, recipients, relaying, reload, run, several_lines, sizes, starts, tap,
                      tcp_refused, throttled)

RATE = "127.0.0.40"
SENDER = "127.0.0.60"
HARVEST = "127.0.0.61"
CERTIFIED = "127.0.0.62"
MORE_CLIENTS = {"RATE": RATE, "SENDER": SENDER, "HARVEST": HARVEST, "CERTIFIED": CERTIFIED}

CONF = """
[dns]
host_lookup = off
servers = 127.0.0.1:{dns}

[group BLOCKED_LIST]
senders = {BLOCKED}
[group REFUSED]
policy = tcprefuse
senders = {refused}
[group THROTTLED]
policy = THROTTLED
senders = {THROTTLED}
[group SMALL]
policy = SMALL
senders = {SMALL}
[group RATE]
policy = RATE
senders = {RATE}
[group SENDER]
policy = SENDER
senders = {SENDER}
[group HARVEST]
policy = HARVEST
senders = {HARVEST}
[group CERTIFIED]
policy = CERTIFIED
senders = {CERTIFIED}
[group RELAYLIST]
senders = {RELAY}

[policy ACCEPTED]
banner_text = No spam, (please), 100%; dnl
[policy THROTTLED]
max_recipients_per_message = 2
[policy SMALL]
max_message_size = 2K
[policy RATE]
max_recipients_per_hour = 3
max_sender_recipients = 2
[policy SENDER]
verify_sender = yes
[policy HARVEST]
max_invalid_recipients_per_hour = 2
[policy CERTIFIED]
tls = required
tls_verify_client = yes
[policy BLOCKED]
reject_text = 5.7.1 Not you, $RemoteIP

[listener main]
{main}
groups = BLOCKED_LIST, LINES, HUNG_UP, REFUSED, THROTTLED, SMALL, RATE, SENDER, HARVEST, CERTIFIED
rat = rat.txt
callahead = mailboxes

[listener inside]
type = private
{inside}

[listener at_mail]
{at_mail}
groups = BLOCKED_LIST, LINES, HUNG_UP
reject_at = mail
rat = rat.txt

[listener at_rcpt]
{at_rcpt}
groups = BLOCKED_LIST
reject_at = rcpt
rat = rat.txt

[callahead mailboxes]
type = delivery_host

[routes]
file = routes.txt
""" + LINES_TEXT
ZONE = "good.example MX 10 mail.good.example\nmail.good.example A 192.0.2.1\nslow.example !servfail\n"


class Site(MailSite, SendmailFront):
    fence = "550 5.7.1"
    unknown = "550 5.1.1 <who@example.com>... User unknown"
    away = "451 4.3.2"
    refused_log = rf"ruleset=check_relay, .*arg2={REFUSED}, .*reject=421 4\.7\.1 .*Access denied"
    discarded_log = r"to=<x@nowhere\.example>,.* mailer=devnull,.* stat=Sent"

    def configure_mx(self):
        self.make_certificates()
        super().configure_mx()
        tap.ok("dnl Policies use TLS: confSERVER_CERT" in self.lines, "mta-config asks for a certificate", self.lines)

    def make_certificates(self):
        paths = {name: os.path.join(self.mx.folder, "etc", name + ".pem") for name in ("server", "ca", "good", "self")}
        authority = Authority(paths["ca"])
        self.certificates = {
            "none": None,
            "self-signed": self_signed(paths["self"], "/CN=client.example"),
            "good": authority.issue(paths["good"], "/CN=client.example"),
        }
        os.chmod(self_signed(paths["server"], "/CN=mx.example.com"), 0o600)
        for what, name in (("SERVER_CERT", "server"), ("SERVER_KEY", "server"), ("CACERT", "ca")):
            self.mx.lines(f"define(`conf{what}', `{paths[name]}')dnl")
        self.mx.lines(f"define(`confCACERT_PATH', `{os.path.dirname(paths['ca'])}')dnl")


SPELLINGS = (
    ("ALICE@Example.COM", "250"),
    ('"alice"@example.com', "250"),
    ("alice@example.com.", "250"),
    ("alice+x@example.com", "550 5.1.1"),
    ('"al ice"@example.com', "550 5.1.1"),
    ("alice@", "5"),
    ("alice@example..com", "5"),
    ("alice@example.com>", "553"),
)


def spellings(site):
    """One mailbox, many ways to write it."""
    with site.client(OUTSIDE) as client:
        starts(client.mail(), "250", "a session")
        for recipient, wanted in SPELLINGS:
            starts(client.rcpt(recipient), wanted, f"recipient {recipient}")
        starts(client.data("third word"), "250", "a message to all of them")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "third word"), "... arrives")


def pipelined(site):
    with site.client(OUTSIDE) as client:
        first = client.command("\r\n".join((
            "MAIL FROM:<a@example.net>", "RCPT TO:<alice@example.com>", "RCPT TO:<who@example.com>", "DATA")))
        starts(first, "250 2.1.0", "commands in one packet: MAIL")
        for wanted in ("250 2.1.5", "550 5.1.1", "354"):
            starts(client.reply(), wanted, f"... {wanted} in its turn")
        starts(client.command("Subject: x\r\n\r\nfourth word\r\n."), "250 2.0.0", "... and the message")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "fourth word"), "... arrives")


# --- refused clients -----------------------------------------------------------------


def rejected(site):
    """Sendmail keeps a reply at connect to itself, and gives its own at MAIL."""
    with site.client(BLOCKED) as client:
        starts(client.banner, "554 mx.example.com ESMTP not accepting messages", "reject at connect: 554")
        starts(client.command("EHLO x.example"), "250", "... EHLO goes on")
        starts(client.mail(), "550 5.0.0 Command rejected", "... MAIL is refused, in Sendmail's words")
        starts(client.rcpt("alice@example.com"), "550 5.0.0", "... and RCPT")
    line = site.house.wait_log(event="connect", ip=BLOCKED, listener="main")
    tap.eq((line["verdict"], line["code"], line["group"]), ("reject", "554", "BLOCKED_LIST"), "... in the log")
    with site.client(BLOCKED, "at_mail") as client:
        starts(client.banner, "220", "reject_at = mail: a normal greeting")
        starts(client.mail(), f"554 5.7.1 Not you, {BLOCKED}", "... refused at MAIL, in our words")
    with site.client(BLOCKED, "at_rcpt") as client:
        starts(client.mail(), "250", "reject_at = rcpt: MAIL is allowed")
        for _ in range(2):
            starts(client.rcpt("late@example.com"), f"554 5.7.1 Not you, {BLOCKED}", "... each RCPT refused")
        starts(client.data(), "503", "... so there is no message")
    line = site.house.wait_log(event="rcpt", to="<late@example.com>")
    tap.eq((line["code"], line["by"], line["detail"]), ("554", "hat", "rejected"), "... in the log")


def greeting(site):
    """One for all services, as all public listeners have it."""
    for listener in ("main", "inside"):
        with site.client(OUTSIDE, listener) as client:
            wanted = {"main": "220 mx.example.com ESMTP No spam, (please), 100%; dnl", "inside": "554 mx.example.com"}
            starts(client.banner, wanted[listener], f"greeting at {listener}")


# --- certificates, rates, senders ---------------------------------------------------------


def certificates(site):
    with site.client(CERTIFIED) as client:
        starts(client.mail(), "530 5.7.0 Must issue a STARTTLS command first", "tls = required without TLS")
    for kind, wanted in (("none", "530"), ("self-signed", "530"), ("good", "250")):
        with site.client(CERTIFIED) as client:
            client.starttls(certificate=site.certificates[kind])
            answer = wanted + (" 5.7.0 Valid client certificate required" if wanted == "530" else "")
            starts(client.mail(), answer, f"client certificate: {kind}")


def rcpts(site, source, *recipients_, sender="sender@example.net"):
    """The replies to MAIL and to each RCPT, in a session of its own."""
    with site.client(source) as client:
        return [answer if answer[:1] != "2" else "250" for answer in
                [client.mail(sender)] + [client.rcpt(one) for one in recipients_]]


def rates(site):
    sender_rate = "452 4.7.1 Too many recipients received from the sender"
    tap.eq(rcpts(site, RATE, *["alice@example.com"] * 3, sender="joe@example.net"),
           ["250"] * 3 + [sender_rate], "the rate of a sender")
    host_rate = "452 4.7.1 Too many recipients received this hour"
    tap.eq(rcpts(site, RATE, *["alice@example.com"] * 2, sender="other@example.net"),
           ["250"] * 2 + [host_rate], "the rate of a host")


def senders(site):
    for sender, wanted in (
        ("a@good.example", "250"),
        ("a@none.example", "553 5.1.8 <a@none.example>... Domain of sender address <a@none.example> does not exist"),
        ("a@slow.example", "451 4.1.8 Domain of sender address <a@slow.example> does not resolve"),
        ("joe", "553 5.5.4 <joe>... Domain required for sender address"),
        ("", "250"),
    ):
        tap.eq(rcpts(site, SENDER, sender=sender), [wanted], f"verify_sender = yes: <{sender}>")
    starts(rcpts(site, OUTSIDE, sender="a@none.example")[0], "250", "without it Sendmail does not ask either")


def harvest(site):
    no, many = "550 5.1.1 ", "550 5.7.1 "
    with site.client(HARVEST) as client:
        client.mail()
        for who, wanted in (("x1", no), ("x1", no), ("x2", many), ("alice", many)):
            starts(client.rcpt(f"{who}@example.com"), wanted, f"a harvester asks for {who}")
        client.command("RSET")
        starts(client.mail(), "421 4.7.1 Too many invalid recipients", "... and is hung up on")


PARTS = (
    recipients,
    throttled,
    null_sender,
    spellings,
    pipelined,
    many_messages,
    rejected,
    greeting,
    tcp_refused,
    several_lines,
    relaying,
    open_relay,
    sizes,
    certificates,
    rates,
    senders,
    harvest,
    mailhost_down,
    killed,
    reload,
)

with DnsServer(ZONE) as names:
    run(Site(CONF, dns=names.port, **MORE_CLIENTS), PARTS)
