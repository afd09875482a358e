#!/usr/bin/python3
"""Real mail through a real Sendmail before Gatehouse, to a Postfix behind it.

What Sendmail does otherwise than Postfix (postfix.t) is in gatehoused(8), SENDMAIL.
Clients differ by their loopback address.
"""
import functools
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import Authority, self_signed
from dnsserver import DnsServer
from house import House, free_port, wait_until
from postfix import Client, Mailboxes, send
from sendmail import Sendmail
from tap import Tap

OUTSIDE = "127.0.0.10"
THROTTLED = "127.0.0.20"
RELAY = "127.0.0.30"
RATE = "127.0.0.40"
SMALL = "127.0.0.50"
SENDER = "127.0.0.60"
HARVEST = "127.0.0.61"
CERTIFIED = "127.0.0.62"
BLOCKED = "127.0.0.66"
REFUSED = "127.0.0.70"
REFUSED_LATER = "127.0.0.71"
CLIENTS = {name: value for name, value in globals().items() if name.isupper()}

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
groups = BLOCKED_LIST, REFUSED, THROTTLED, SMALL, RATE, SENDER, HARVEST, CERTIFIED
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

[callahead mailboxes]
type = delivery_host

[routes]
file = routes.txt
"""
LISTENERS = ("main", "inside", "at_mail", "at_rcpt")
ZONE = "good.example MX 10 mail.good.example\nmail.good.example A 192.0.2.1\nslow.example !servfail\n"

tap = Tap()


def configuration(site, for_mx):
    """For the maps and settings of mx, and the one the daemon has: there a client was added
    after the maps were written."""
    words = {"refused": REFUSED if for_mx else f"{REFUSED}, {REFUSED_LATER}", "dns": site.dns.port}
    for name, port in site.ports.items():
        words[name] = f"daemon_name = {name}"
        if for_mx:
            words[name] += f"\nlocal_address = 127.0.0.1\nlocal_port = {port}"
    return CONF.format(**words, **CLIENTS)


class Site:
    """mx, Gatehouse and mailhost."""

    def __init__(self):
        self.ports = {name: free_port() for name in LISTENERS}
        self.mailhost_port = free_port()
        route = f"[127.0.0.1]:{self.mailhost_port}"
        self.dns = DnsServer(ZONE)
        self.house = House(
            start=False,
            files={
                "rat.txt": "example.com ACCEPT\n",
                "routes.txt": f"example.com: {route}\nelsewhere.example: {route}\n"
                "nowhere.example: /dev/null\n",
            },
        )
        self.folder = self.house.folder
        self.mailhost = Mailboxes(
            os.path.join(self.folder, "mailhost"),
            self.mailhost_port,
            ["alice@example.com", "bob@example.com", "carol@elsewhere.example"],
        )
        self.mx = Sendmail(os.path.join(self.folder, "mx"), "mx.example.com")

    def __enter__(self):
        try:
            self.mailhost.postfix.start()
            self.configure_mx()
            self.house.start()
            self.mx.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error):
        if error[0] is not None or tap.failed:
            tap.note(self.mx.log()[-4000:])
        self.mx.stop()
        self.mailhost.postfix.stop()
        self.house.__exit__(*error)

    def ctl(self, *arguments):
        status, out, err = self.house.ctl(*arguments)
        if not tap.eq(status, 0, f"gatehousectl {' '.join(arguments[:3])}"):
            tap.note(err)
        return out

    def configure_mx(self):
        maps = os.path.join(self.folder, "maps")
        common = ("--mta", "sendmail", "--output", maps)
        self.house.configure(configuration(self, for_mx=True), socket="unix:" + self.house.address)
        self.ctl("maps", *common, "--compiler", self.mx.makemap)
        lines = self.ctl("mta-config", *common)
        tap.ok("dnl Policies ask for TLS: confSERVER_CERT" in lines, "mta-config asks for a certificate", lines)
        self.make_certificates()
        self.mx.settings(lines)
        self.house.configure(configuration(self, for_mx=False))

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

    def client(self, source, listener="main"):
        return Client(self.ports[listener], source)

    def send(self, source, recipient, listener="main", **more):
        return send(self.ports[listener], source, recipient, **more)


def starts(answer, wanted, what):
    tap.ok(answer.startswith(wanted), what, f"got    {answer!r}\nwanted {wanted!r}...")


def recipients(site):
    """Call-ahead decides who exists; the mailertable delivers."""
    starts(site.send(OUTSIDE, "alice@example.com", body="first word"), "250 2.0.0", "a known user")
    line = site.house.wait_log(event="rcpt", to="<alice@example.com>", verdict="accept")
    tap.eq((line["by"], line["detail"]), ("callahead", "valid"), "... and why, in the log")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "first word"), "the mail arrives")
    eom = site.house.wait_log(event="eom")
    tap.ok(eom["qid"] in site.mx.log(), "the queue id in the log is that of Sendmail")
    answer = site.send(OUTSIDE, "who@example.com")
    starts(answer, "550 5.1.1 <who@example.com>... User unknown", "an unknown user: 550 with the address ahead")
    starts(site.send(OUTSIDE, "a@elsewhere.example"), "550 5.7.1", "a domain not in the RAT: fence of mx")
    starts(site.send(OUTSIDE, "root@[127.0.0.1]"), "550 5.1.0", "... and of Gatehouse")
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


def many_messages(site):
    """max_messages_per_connection is 10."""
    with site.client(OUTSIDE) as client:
        for _ in range(10):
            starts(client.mail(), "250", "one of ten messages")
            client.command("RSET")
        starts(client.mail(), "421 4.4.5 Too many messages", "the eleventh is one too many")
        tap.eq(client.command("NOOP"), "", "... and the connection is closed")


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


def tcp_refused(site):
    """Sendmail itself refuses whom its map names; Gatehouse refuses the others."""
    for source in (REFUSED, REFUSED_LATER):
        with site.client(source) as client:
            starts(client.banner, "421 ", f"tcprefuse of {source}: 421 at once")
            tap.eq(client.command("EHLO x.example"), "", "... and hung up")
    site.mx.wait_log(rf"ruleset=check_relay, .*arg2={REFUSED}, .*reject=421 4\.7\.1 .*Access denied")
    line = site.house.wait_log(event="connect", ip=REFUSED_LATER)
    tap.eq((line["code"], line["detail"]), ("421", "tcprefused"), "... in the log of Gatehouse")


# --- relaying ------------------------------------------------------------------------


def relaying(site):
    answer = site.send(RELAY, "carol@elsewhere.example", "inside", body="fifth word")
    starts(answer, "250", "a relay client sends to a foreign domain")
    tap.ok(site.mailhost.wait_mail("carol@elsewhere.example", "fifth word"), "... where it arrives")
    line = site.house.wait_log(event="rcpt", to="<carol@elsewhere.example>")
    tap.eq(line["detail"], "relay", "... the log says relay")
    starts(site.send(RELAY, "x@nowhere.example", "inside", body="x"), "250", "... and to /dev/null")
    site.mx.wait_log(r"to=<x@nowhere\.example>,.* mailer=devnull,.* stat=Sent")
    starts(site.send(RELAY, "carol@elsewhere.example"), "550 5.7.1", "relay on one listener is not relay on another")
    starts(site.send(OUTSIDE, "alice@example.com", "inside"), "554",
           "who is no relay client has no business at the private listener")


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
    "u@example.com.other.example",
)


def open_relay(site):
    for probe in PROBES:
        for listener in ("main", "inside"):
            answer = site.send(OUTSIDE, probe, listener, body="relayed")
            tap.ok(answer[:1] == "5", f"no relay for <{probe}> by {listener}", repr(answer))
    tap.eq(site.mx.queued(), [], "nothing is in the queue")
    starts(site.send(OUTSIDE, "postmaster"), "250", "a bare postmaster is taken")


# --- sizes, rates, senders ------------------------------------------------------------


def sizes(site):
    with site.client(SMALL) as client:
        starts(client.mail(parameters="SIZE=2049"), "552 5.3.4", "announced size: over the limit")
        starts(client.mail(parameters="SIZE=2048"), "250", "... just within")
        starts(client.rcpt("alice@example.com"), "250", "... a recipient")
        starts(client.data(("y" * 98 + "\r\n") * 30), "552 5.3.4", "bytes over the limit")


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


# --- a daemon that dies, one that reloads ----------------------------------------------


def killed(site):
    with site.client(OUTSIDE) as client:
        starts(client.mail(), "250", "a session")
        site.house.kill()
        starts(client.rcpt("alice@example.com"), "451 4.3.2", "kill -9 in mid-session: 451 at RCPT")
        client.command("RSET")
        starts(client.mail(), "451 4.3.2", "... and 451 for the rest of the session")
    starts(site.send(OUTSIDE, "alice@example.com"), "451 4.3.2", "a session without the daemon")
    for source, listener in ((RELAY, "inside"), (OUTSIDE, "inside"), (OUTSIDE, "main"), (BLOCKED, "main")):
        for recipient in ("carol@elsewhere.example",) + PROBES[:4]:
            answer = site.send(source, recipient, listener, body="relayed")
            tap.ok(answer[:1] in "45", f"daemon dead: no relay from {source} to <{recipient}>", repr(answer))
    site.house.start()
    starts(site.send(OUTSIDE, "alice@example.com", body="sixth word"), "250", "after a restart, at once")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "sixth word"), "... the mail arrives")


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
    site.mailhost.postfix.stop()
    starts(site.send(OUTSIDE, "new@example.com"), "451 4.4.3", "mailhost is down: 451")
    site.mailhost.postfix.start()
    wait_until(lambda: site.send(OUTSIDE, "new@example.com").startswith("550 5.1.1"), "550 for an unknown user")
    tap.ok(True, "mailhost is back: 550 for a user it does not know")


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

with Site() as the_site:
    for part in PARTS:
        tap.note(part.__name__)
        tap.part(functools.update_wrapper(functools.partial(part, the_site), part))
tap.done()
