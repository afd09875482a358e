#!/usr/bin/python3
"""Real mail through a real Postfix before Gatehouse, to a real Postfix behind it.

The front Postfix, mx, has the maps and the settings that gatehousectl writes, one
smtpd a listener. Clients differ by their loopback address.
"""
import base64
import os
import shutil
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import self_signed
from front import Front
from mailsite import (BLOCKED, CLIENTS, LINES_TEXT, OUTSIDE, REFUSED, RELAY, MailSite, killed, mailhost_down,
                      many_messages, null_sender, open_relay, recipients, relaying, reload, run, several_lines, sizes,
                      starts, tap, tcp_refused, throttled)
from sasl import sasldb

CONF = """
[dns]
host_lookup = off

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
[group RELAYLIST]
senders = {RELAY}

[policy THROTTLED]
max_recipients_per_message = 2
[policy SMALL]
max_message_size = 2K
[policy BLOCKED]
reject_text = 5.7.1 Not you, $RemoteIP
auth_requires_tls = no
[policy TLS]
tls = required

[listener main]
{main}
groups = BLOCKED_LIST, LINES, HUNG_UP, REFUSED, THROTTLED, SMALL
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

[listener secure]
{secure}
groups = BLOCKED_LIST
default_policy = TLS
rat = rat.txt

[callahead mailboxes]
type = delivery_host

[routes]
file = routes.txt
""" + LINES_TEXT


class Site(MailSite, Front):
    fence = "554 5.7.1"
    unknown = "550 5.1.1 User unknown"
    away = "451 4.7.1"
    refused_log = rf"reject: CONNECT from .*\[{REFUSED}\]: 421 4\.7\.1 .*Access denied"
    discarded_log = r"to=<x@nowhere\.example>, relay=none,.* status=sent \("

    def configure_mx(self):
        super().configure_mx()
        self.make_certificate()
        self.mx.settings(sasldb(self.mx, "mx.example.com", {"joe": "secret"}))

    def make_certificate(self):
        file = self_signed(os.path.join(self.mx.folder, "etc", "certificate.pem"), "/CN=mx.example.com")
        self.mx.settings(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {file}")


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode("utf-8")).decode("ascii")


# --- recipients ------------------------------------------------------------------------


SPELLINGS = (
    ("ALICE@Example.COM", "250"),
    ('"alice"@example.com', "250"),
    ("@a.example,@b.example:alice@example.com", "250"),
    ("alice@example.com.", "250"),
    ("alice+x@example.com", "550 5.1.1"),
    ('"al ice"@example.com', "550 5.1.1"),
    ("\u00e9@example.com", "550 5.1.1"),
    ("alice@", "501"),
    ("alice@example..com", "501"),
)


def spellings(site):
    """One mailbox, many ways to write it; Postfix and Gatehouse read all of them alike."""
    with site.client(OUTSIDE) as client:
        starts(client.mail(parameters="SMTPUTF8"), "250", "SMTPUTF8")
        for recipient, wanted in SPELLINGS:
            starts(client.rcpt(recipient), wanted, f"recipient {recipient}")
        starts(client.data("fifth word"), "250", "a message to all of them")
    tap.eq(site.mailhost.wait_mail("alice@example.com", "fifth word").count("fifth"), 1, "... arrives")


def pipelined(site):
    with site.client(OUTSIDE) as client:
        starts(
            client.command("\r\n".join((
                "MAIL FROM:<a@example.net>",
                "RCPT TO:<alice@example.com>",
                "RCPT TO:<who@example.com>",
                "RCPT TO:<bob@example.com>",
                "BDAT 26 LAST",
                "Subject: x\r\n\r\nsixth word",
            ))),
            "250 2.1.0",
            "commands in one packet: MAIL",
        )
        for wanted in ("250 2.1.5", "550 5.1.1", "250 2.1.5", "250 2.0.0"):
            starts(client.reply(), wanted, f"... {wanted} in its turn")
    tap.ok(site.mailhost.wait_mail("bob@example.com", "sixth word"), "... and BDAT's message arrives")


# --- refused clients ---------------------------------------------------------------------


def rejected_at_connect(site):
    with site.client(BLOCKED) as client:
        starts(client.banner, "554 mx.example.com", "reject at connect: the MTA's own greeting")
        starts(client.command("EHLO x.example"), "250", "... EHLO goes on")
        starts(client.mail(), "554 5.7.1 Not you, 127.0.0.66", "... our text comes at MAIL")
        starts(client.rcpt("alice@example.com"), "503", "... RCPT is out of order")
    line = site.house.wait_log(event="connect", ip=BLOCKED, listener="main")
    tap.eq((line["verdict"], line["code"], line["group"]), ("reject", "554", "BLOCKED_LIST"), "... in the log")
    for stage in ("CONNECT", "EHLO", "MAIL"):
        site.mx.wait_log(rf"smtpd\[\d+\]: NOQUEUE: milter-reject: {stage} from \S+\[{BLOCKED}\]: 554 5\.7\.1 Not you")
    tap.ok(True, "... and in Postfix's, with each command, as the manual says")


def rejected_at_mail(site):
    with site.client(BLOCKED, "at_mail") as client:
        starts(client.banner, "220", "reject_at = mail: a normal greeting")
        starts(client.mail(), "554 5.7.1 Not you, 127.0.0.66", "... refused at MAIL")


def rejected_at_rcpt(site):
    with site.client(BLOCKED, "at_rcpt") as client:
        starts(client.mail(), "250", "reject_at = rcpt: MAIL is allowed")
        starts(client.rcpt("late@example.com"), "554 5.7.1 Not you, 127.0.0.66", "... RCPT refused")
        starts(client.rcpt("later@example.com"), "554 5.7.1", "... and the next one")
        starts(client.data(), "554", "... so there is no message")
    for event in ("connect", "mail"):
        line = site.house.wait_log(event=event, detail="delayed")
        tap.eq((line["verdict"], line["by"]), ("accept", "hat"), f"... {event} says that it is delayed")
    for to in ("<late@example.com>", "<later@example.com>"):
        line = site.house.wait_log(event="rcpt", to=to)
        tap.eq((line["code"], line["by"], line["detail"]), ("554", "hat", "rejected"), f"... {to} in the log")


# --- AUTH, TLS ---------------------------------------------------------------------------


def authenticated(site):
    """Who authenticates may relay, also a client that is refused otherwise."""
    with site.client(BLOCKED, "at_rcpt") as client:
        starts(client.command("AUTH PLAIN " + plain("joe", "wrong")), "535", "AUTH with a wrong password")
        starts(client.mail(), "250", "... MAIL")
        starts(client.rcpt("carol@elsewhere.example"), "554 5.7.1", "... may not relay")
    with site.client(BLOCKED, "at_rcpt") as client:
        starts(client.command("AUTH PLAIN " + plain("joe", "secret")), "235", "AUTH")
        starts(client.mail("joe@example.com"), "250", "... MAIL")
        starts(client.rcpt("carol@elsewhere.example"), "250", "... may relay")
        starts(client.data("auth word"), "250", "... a message")
    tap.ok(site.mailhost.wait_mail("carol@elsewhere.example", "auth word"), "... arrives")
    line = site.house.wait_log(event="rcpt", from_="<joe@example.com>")
    tap.eq((line["by"], line["detail"]), ("auth", "authenticated"), "... in the log")


def tls(site):
    with site.client(OUTSIDE, "secure") as client:
        starts(client.mail(), "530 5.7.0 Must issue a STARTTLS command first", "tls = required without TLS")
        starts(client.starttls(), "220", "STARTTLS")
        starts(client.mail(), "250", "... and with it")
        starts(client.rcpt("alice@example.com"), "250", "... a recipient")


# --- names and services ---------------------------------------------------------------------


def names(site):
    """host_lookup = mta: the client's name is the one Postfix has verified."""
    name = socket.gethostbyaddr("127.0.0.1")[0]
    conf = site.house.conf.replace("host_lookup = off", "host_lookup = mta")
    site.house.configure(conf.replace("[group BLOCKED_LIST]\n", f"[group BLOCKED_LIST]\nsenders = {name}\n[group X]\n"))
    site.house.reload()
    starts(site.send("127.0.0.1", "alice@example.com"), "250", "a client Postfix knows no name of")
    for file in ("hosts", "nsswitch.conf"):  # for smtpd in its chroot
        shutil.copy(f"/etc/{file}", os.path.join(site.mx.queue, "etc", file))
    site.mx.settings("smtpd_peername_lookup = yes")
    site.mx.stop()
    site.mx.start()
    starts(site.send("127.0.0.1", "alice@example.com"), "554", "one it knows by name, which is refused")
    line = site.house.wait_log(event="connect", group="BLOCKED_LIST", host=name)
    tap.eq((line["verified"], line["entry"]), ("yes", name), "... in the log")


def services(site):
    """Which listener judges: by port, or by address and port, instead of the name."""
    ports = site.ports
    chosen = {
        "main": f"local_port = {ports['main']}",
        "inside": f"local_address = 127.0.0.1\nlocal_port = {ports['inside']}",
        "at_mail": f"local_address = 127.0.0.1\nlocal_port = {ports['at_mail']}\ndaemon_name = at_mail",
        "at_rcpt": "local_address = 127.0.0.1",  # the fewest keys: who fits none of the others
        "secure": f"local_address = 127.0.0.2\nlocal_port = {ports['secure']}",  # not where we are
    }
    site.house.configure(CONF.format(refused=REFUSED, **chosen, **CLIENTS))
    site.house.reload()
    for service, listener, banner, mail, rcpt in (
        ("main", "main", "554", "554", None),
        ("at_mail", "at_mail", "220", "554", None),
        ("at_rcpt", "at_rcpt", "220", "250", "554"),
        ("secure", "at_rcpt", "220", "250", "554"),
    ):
        after = len(site.house.lines)
        with site.client(BLOCKED, service) as client:
            starts(client.banner, banner, f"service {service}: greeting")
            starts(client.mail(), mail, "... MAIL")
            if rcpt:
                starts(client.rcpt("alice@example.com"), rcpt, "... RCPT")
        line = site.house.wait_log(event="connect", ip=BLOCKED, after=after)
        tap.eq(line["listener"], listener, f"... is judged by [listener {listener}]")
    answer = site.send(RELAY, "carol@elsewhere.example", "inside", body="fifth word")
    starts(answer, "250", "service inside: relay")


PARTS = (
    recipients,
    throttled,
    null_sender,
    spellings,
    pipelined,
    many_messages,
    rejected_at_connect,
    rejected_at_mail,
    rejected_at_rcpt,
    tcp_refused,
    several_lines,
    relaying,
    open_relay,
    authenticated,
    sizes,
    tls,
    mailhost_down,
    killed,
    reload,
    names,
    services,
)

run(Site(CONF), PARTS)
