#!/usr/bin/python3
"""Real mail through a real Postfix before Gatehouse, to a real Postfix behind it.

The front Postfix, mx, has the maps and the settings that gatehousectl writes, one
smtpd a listener. Clients differ by their loopback address.
"""
import base64
import functools
import os
import shutil
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import self_signed
from front import Front
from house import free_port, wait_until
from postfix import Mailboxes, send
from sasl import sasldb
from tap import Tap

OUTSIDE = "127.0.0.10"
THROTTLED = "127.0.0.20"
RELAY = "127.0.0.30"
SMALL = "127.0.0.50"
BLOCKED = "127.0.0.66"
REFUSED = "127.0.0.70"
REFUSED_LATER = "127.0.0.71"
CLIENTS = {name: value for name, value in globals().items() if name.isupper()}

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
[policy TLS]
tls = required

[listener main]
{main}
groups = BLOCKED_LIST, REFUSED, THROTTLED, SMALL
rat = rat.txt
callahead = mailboxes

[listener inside]
type = private
{inside}

[listener at_mail]
{at_mail}
groups = BLOCKED_LIST
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
"""

tap = Tap()


def configuration(ports, for_mx):
    """For the maps and settings of mx, and the one the daemon has: there the services are
    known by {daemon_name} alone, and a client was added after the maps were written."""
    words = {"refused": REFUSED if for_mx else f"{REFUSED}, {REFUSED_LATER}"}
    for name, port in ports.items():
        words[name] = f"daemon_name = {name}"
        if for_mx:
            words[name] += f"\nlocal_address = 127.0.0.1\nlocal_port = {port}"
    return CONF.format(**words, **CLIENTS)


class Site(Front):
    """mx, Gatehouse and mailhost, set up as an administrator would."""

    def __init__(self):
        self.mailhost_port = free_port()
        route = f"[127.0.0.1]:{self.mailhost_port}"
        super().__init__(
            tap,
            CONF,
            {
                "rat.txt": "example.com ACCEPT\n",
                "routes.txt": f"example.com: {route}\nelsewhere.example: {route}\n"
                "nowhere.example: /dev/null\n",
            },
        )
        self.mailhost = Mailboxes(
            os.path.join(self.folder, "mailhost"),
            self.mailhost_port,
            ["alice@example.com", "bob@example.com", "carol@elsewhere.example"],
        )

    def __enter__(self):
        self.mailhost.postfix.start()
        return super().__enter__()

    def __exit__(self, *error):
        self.mailhost.postfix.stop()
        super().__exit__(*error)

    def configuration(self, for_mx=False):
        return configuration(self.ports, for_mx)

    def configure_mx(self):
        super().configure_mx()
        self.make_certificate()
        self.mx.settings(sasldb(self.mx, "mx.example.com", {"joe": "secret"}))

    def make_certificate(self):
        file = self_signed(os.path.join(self.mx.folder, "etc", "certificate.pem"), "/CN=mx.example.com")
        self.mx.settings(f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {file}")

    def send(self, source, recipient, listener="main", **more):
        return send(self.ports[listener], source, recipient, **more)


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode("utf-8")).decode("ascii")


def starts(answer, wanted, what):
    tap.ok(answer.startswith(wanted), what, f"got    {answer!r}\nwanted {wanted!r}...")


# --- the five cases of quickstart -----------------------------------------------------


def recipients(site):
    """Call-ahead decides who exists; the generated transport map delivers."""
    starts(site.send(OUTSIDE, "alice@example.com", body="first word"), "250 2.0.0", "a known user")
    line = site.house.wait_log(event="rcpt", to="<alice@example.com>", verdict="accept")
    tap.eq((line["by"], line["detail"]), ("callahead", "valid"), "... and why, in the log")
    tap.eq(line["server"], f"127.0.0.1:{site.mailhost_port}", "... says who was asked")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "first word"), "the mail arrives")
    eom = site.house.wait_log(event="eom")
    tap.ok(eom["qid"] in site.mx.log(), "the queue id in the log is that of Postfix")

    starts(site.send(OUTSIDE, "who@example.com"), "550 5.1.1 User unknown", "an unknown user")
    line = site.house.wait_log(event="rcpt", to="<who@example.com>")
    tap.eq((line["by"], line["detail"]), ("callahead", "user_unknown"), "... and why, in the log")

    starts(site.send(OUTSIDE, "a@elsewhere.example"), "554 5.7.1", "a domain not in the RAT: fence of mx")
    starts(site.send(OUTSIDE, "root@[127.0.0.1]"), "550 5.1.0 Address rejected", "... and of Gatehouse")
    line = site.house.wait_log(event="rcpt", to="<root@[127.0.0.1]>")
    tap.eq((line["by"], line["detail"]), ("rat", "rat_reject"), "... and why, in the log")


def throttled(site):
    with site.client(THROTTLED) as client:
        starts(client.mail(), "250", "a throttled client")
        starts(client.rcpt("alice@example.com"), "250", "its first recipient")
        starts(client.rcpt("bob@example.com"), "250", "its second")
        starts(client.rcpt("alice@example.com"), "452 4.5.3 Too many recipients", "one too many")
        starts(client.data("second word"), "250", "the two others get the mail")
    tap.ok(site.mailhost.wait_mail("bob@example.com", "second word"), "... at mailhost")


def null_sender(site):
    with site.client(OUTSIDE) as client:
        starts(client.mail(""), "250", "the null sender")
        starts(client.rcpt("alice@example.com"), "250", "... to a known user")
        starts(client.rcpt("who@example.com"), "550 5.1.1", "... to an unknown one")
    line = site.house.wait_log(event="rcpt", to="<alice@example.com>", from_="<>")
    tap.eq(line["verdict"], "accept", "... in the log")


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


def many_messages(site):
    """max_messages_per_connection is 10."""
    with site.client(OUTSIDE) as client:
        for _ in range(10):
            starts(client.mail(), "250", "one of ten messages")
            client.command("RSET")
        starts(client.mail(), "421 4.4.5 Too many messages", "the eleventh is one too many")
        tap.eq(client.command("NOOP"), "", "... and the connection is closed")


# --- refused clients ---------------------------------------------------------------------


def rejected_at_connect(site):
    with site.client(BLOCKED) as client:
        starts(client.banner, "554 mx.example.com", "reject at connect: the MTA's own greeting")
        starts(client.command("EHLO x.example"), "250", "... EHLO goes on")
        starts(client.mail(), "554 5.7.1 Not you, 127.0.0.66", "... our text comes at MAIL")
        starts(client.rcpt("alice@example.com"), "503", "... RCPT is out of order")
    line = site.house.wait_log(event="connect", ip=BLOCKED, listener="main")
    tap.eq((line["verdict"], line["code"], line["group"]), ("reject", "554", "BLOCKED_LIST"), "... in the log")


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


def tcp_refused(site):
    """Postfix itself refuses whom its map names; Gatehouse refuses the others."""
    for source in (REFUSED, REFUSED_LATER):
        with site.client(source) as client:
            starts(client.banner, "421 ", f"tcprefuse of {source}: 421 at once")
            tap.eq(client.command("EHLO x.example"), "", "... and hung up")
    site.mx.wait_log(rf"reject: CONNECT from .*\[{REFUSED}\]: 421 4\.7\.1 .*Access denied")
    line = site.house.wait_log(event="connect", ip=REFUSED_LATER)
    tap.eq((line["code"], line["detail"]), ("421", "tcprefused"), "... in the log of Gatehouse")


# --- relaying ---------------------------------------------------------------------------


def relaying(site):
    answer = site.send(RELAY, "carol@elsewhere.example", "inside", body="third word")
    starts(answer, "250", "a relay client sends to a foreign domain")
    tap.ok(site.mailhost.wait_mail("carol@elsewhere.example", "third word"), "... where it arrives")
    starts(site.send(RELAY, "x@nowhere.example", "inside", body="x"), "250", "... and to /dev/null")
    site.mx.wait_log(r"to=<x@nowhere\.example>, relay=none,.* status=sent \(")
    line = site.house.wait_log(event="rcpt", to="<x@nowhere.example>")
    tap.eq(line["detail"], "relay", "... the log says relay")
    answer = site.send(RELAY, "carol@elsewhere.example")
    starts(answer, "554 5.7.1", "relay on one listener is not relay on another")
    answer = site.send(OUTSIDE, "carol@elsewhere.example", "inside")
    starts(answer, "554", "who is no relay client has no business at the private listener")


PROBES = (
    "u@other.example",
    "u@x.example.com",
    "u%other.example@example.com",
    "@example.com:u@other.example",
    '"u@other.example"@example.com',
    "other.example!u@example.com",
    "u@other.example@example.com",
    "u@example.com@other.example",
    "u@[127.0.0.1]",
    "u@[192.0.2.1]",
    "u@[IPv6:2001:db8::1]",
    "u",
    '"u@other.example"',
    "u%other.example",
    "other.example!u",
    "u@mx.example.com",
    "u@localhost",
    "root@localhost.localdomain",
    "u@example.com.other.example",
)


def open_relay(site):
    before = len(site.mailhost.postfix.log())
    for probe in PROBES:
        for listener in ("main", "inside"):
            answer = site.send(OUTSIDE, probe, listener, body="relayed")
            tap.ok(answer[:1] == "5", f"no relay for <{probe}> by {listener}", repr(answer))
    tap.eq(site.mx.queued(), [], "nothing is in the queue")
    tap.ok("relayed" not in site.mailhost.postfix.log()[before:], "nothing went on")
    starts(site.send(OUTSIDE, "postmaster"), "250", "a bare postmaster is taken")


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


# --- sizes, TLS ---------------------------------------------------------------------------


def sizes(site):
    with site.client(SMALL) as client:
        starts(client.mail(parameters="SIZE=2049"), "552 5.3.4", "announced size: over the limit")
        starts(client.mail(parameters="SIZE=2048"), "250", "... just within")
        starts(client.rcpt("alice@example.com"), "250", "... a recipient")
        starts(client.data(("y" * 98 + "\r\n") * 30), "552 5.3.4", "bytes over the limit")
    line = site.house.wait_log(event="eom", verdict="reject")
    tap.eq(line["detail"], "size_received", "... in the log")
    answer = site.send(OUTSIDE, "alice@example.com", body=("y" * 98 + "\r\n") * 300 + "long word")
    starts(answer, "250", "other clients may send more")


def tls(site):
    with site.client(OUTSIDE, "secure") as client:
        starts(client.mail(), "530 5.7.0 Must issue a STARTTLS command first", "tls = required without TLS")
        starts(client.starttls(), "220", "STARTTLS")
        starts(client.mail(), "250", "... and with it")
        starts(client.rcpt("alice@example.com"), "250", "... a recipient")


# --- a daemon that dies, one that reloads ---------------------------------------------------


def killed(site):
    with site.client(OUTSIDE) as client:
        starts(client.mail(), "250", "a session")
        site.house.kill()
        starts(client.rcpt("alice@example.com"), "451 4.7.1", "kill -9 in mid-session: 451 at RCPT")
        starts(client.command("RSET"), "250", "... RSET")
        starts(client.mail(), "451 4.7.1", "... and 451 for the rest of the session")
    starts(site.send(OUTSIDE, "alice@example.com"), "451 4.7.1", "a session without the daemon")
    for source, listener in ((RELAY, "inside"), (OUTSIDE, "inside"), (OUTSIDE, "main"), (BLOCKED, "main")):
        for recipient in ("carol@elsewhere.example",) + PROBES[:4]:
            answer = site.send(source, recipient, listener, body="relayed")
            tap.ok(answer[:1] in "45", f"daemon dead: no relay from {source} to <{recipient}>", repr(answer))
    site.house.start()
    starts(site.send(OUTSIDE, "alice@example.com", body="fourth word"), "250", "after a restart, at once")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "fourth word"), "... the mail arrives")


def reload(site):
    """A session keeps the listener it began with; new ones see the new configuration."""
    with site.client(OUTSIDE) as client:
        site.house.configure(site.house.conf.replace(f"senders = {BLOCKED}", f"senders = {OUTSIDE}"))
        site.house.reload()
        starts(client.mail(), "250", "a session that was there before a reload")
        starts(client.rcpt("alice@example.com"), "250", "... goes on")
    starts(site.send(OUTSIDE, "alice@example.com"), "554", "a new one is judged by the new configuration")
    starts(site.send(BLOCKED, "alice@example.com"), "250", "... also who is not refused any more")


def mailhost_down(site):
    """Nobody can tell who exists: for a while, that is, and not for good."""
    site.mailhost.postfix.stop()
    starts(site.send(OUTSIDE, "new@example.com"), "451 4.4.3", "mailhost is down: 451")
    line = site.house.wait_log(event="rcpt", to="<new@example.com>")
    tap.eq((line["by"], line["detail"]), ("callahead", "failure"), "... in the log")
    site.mailhost.postfix.start()
    wait_until(lambda: site.send(OUTSIDE, "new@example.com").startswith("550 5.1.1"), "550 for an unknown user")
    tap.ok(True, "mailhost is back: 550 for a user it does not know")


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

with Site() as the_site:
    for part in PARTS:
        tap.note(part.__name__)
        tap.part(functools.update_wrapper(functools.partial(part, the_site), part))
tap.done()
