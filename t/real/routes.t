#!/usr/bin/python3
"""Mail goes where its route says, through Postfix and through Sendmail (SPEC 3.4, 10).

In a network of its own: mailbox hosts on port 25 of loopback addresses, and NSD on port 53.
"""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ownhost
from certificates import self_signed
from front import Front, SendmailFront
from house import wait_until
from nsd import Nsd
from sink import Sinks
from tap import Tap

CLIENT = "127.0.0.10"
CONF = f"""
[dns]
host_lookup = off
[group RELAYLIST]
senders = {CLIENT}
[listener inside]
type = private
[routes]
file = routes.txt
[auth smart]
user = joe
password_file = password.txt
"""

# Where mailbox hosts listen. Nobody listens at 127.0.0.98 and 127.0.0.99.
SINKS = {
    "high": ("127.0.0.21", 2525),
    "plain": ("127.0.0.22", 25),
    "mx": ("127.0.0.23", 2525),
    "mx25": ("127.0.0.24", 25),
    "six": ("::1", 2525),
    "default": ("127.0.0.30", 2525),
    "grey": ("127.0.0.31", 2525),
    "wrong": ("127.0.0.40", 25),  # whom nobody should ask
    "wrong_high": ("127.0.0.40", 2525),
    "secure": ("127.0.0.50", 2525),
    "bare": ("127.0.0.52", 2525),  # without TLS
    "strict": ("127.0.0.53", 2525),
}
ROUTES = """\
high.test: [127.0.0.21]:2525
plain.test: 127.0.0.22
six.test: [::1]:2525
host.test: [a.hosts.test]:2525
mx.test: hub.hosts.test:2525
list.test: [127.0.0.99]:2525/pri=10, [127.0.0.21]:2525/pri=20
order.test: [127.0.0.40]:2525/pri=20, [127.0.0.21]:2525/pri=10
grey.test: [127.0.0.31]:2525/pri=10, [127.0.0.21]:2525/pri=20
gone.test: [gone.hosts.test]:2525/pri=10, [127.0.0.21]:2525/pri=20
down.test: [127.0.0.98]:2525/pri=10, [127.0.0.99]:2525/pri=20
.below.test: [127.0.0.21]:2525
deep.below.test: 127.0.0.22
usedns.test: USEDNS
.usedns.test: USEDNS
hole.test: /dev/null
b\u00fccher.test: [127.0.0.21]:2525
tls.test: [127.0.0.50]:2525 tls=encrypt
bare.test: [127.0.0.52]:2525 tls=encrypt
auth.test: [127.0.0.51]:2525 auth=smart
strict.test: [127.0.0.53]:2525 auth=smart
named.test: [auth.hosts.test]:2525 auth=smart
next.test: [127.0.0.99]:2525/pri=10, [127.0.0.51]:2525/pri=20 auth=smart
nextbare.test: [127.0.0.99]:2525/pri=10, [127.0.0.52]:2525/pri=20 tls=encrypt
ALL: [127.0.0.30]:2525
"""
# By MX, wherever a route forbids it, mail would go to "wrong".
HOSTS = """\
a A 127.0.0.21
a MX 10 wrong
hub MX 10 b
hub A 127.0.0.40
b A 127.0.0.23
c A 127.0.0.24
wrong A 127.0.0.40
auth A 127.0.0.51
"""
MX = {"usedns.test": "@ MX 10 c.hosts.test.\na MX 10 c.hosts.test.\n", "hosts.test": HOSTS}
MX.update({f"{name}.test": "@ MX 10 wrong.hosts.test.\n" for name in ("down", "high", "list", "hole", "other")})
MX["later.test"] = "@ MX 10 c.hosts.test.\n"

CASES = (  # recipient's domain, who gets the mail, what the route is
    ("high.test", ["high"], "[address]:port"),
    ("plain.test", ["plain"], "an address, port 25"),
    ("six.test", ["six"], "an IPv6 address with a port"),
    ("host.test", ["high"], "[name]:port is not asked for MX"),
    ("mx.test", ["mx"], "name:port is"),
    ("list.test", ["high"], "the second host where the first is down"),
    ("order.test", ["high"], "priority comes before the order of writing"),
    ("grey.test", ["high"], "the second host where the first says 450"),
    ("gone.test", ["high"], "the second host where the first does not exist"),
    ("x.below.test", ["high"], "below a suffix"),
    ("x.y.below.test", ["high"], "far below it"),
    ("below.test", ["default"], "... which does not mean itself"),
    ("deep.below.test", ["plain"], "an exact key beats the suffix"),
    ("x.deep.below.test", ["high"], "... and means nothing below"),
    ("usedns.test", ["mx25"], "USEDNS: by MX"),
    ("a.usedns.test", ["mx25"], "... below a suffix, by the recipient's own MX"),
    ("xn--bcher-kva.test", ["high"], "an internationalised name"),
    ("HIGH.Test", ["high"], "upper case"),
    ("other.test", ["default"], "ALL, and no MX"),
)

tap = Tap()


def send(front, domain, word):
    with front.client(CLIENT, "inside") as client:
        client.mail("sender@example.net")
        answer = client.rcpt(f"user@{domain}")
        return client.data(word) if answer.startswith("250") else answer


def deliver(front, sinks, name):
    for domain, _, _ in CASES:
        answer = send(front, domain, f"{name} {domain} word")
        tap.ok(answer.startswith("250"), f"{name} takes mail for {domain}", repr(answer))
    for domain, wanted, what in CASES:
        word = f"{name} {domain} word"
        try:
            wait_until(lambda word=word: sinks.where(word), f"mail for {domain}")
        except TimeoutError as error:
            tap.note(error)
        tap.eq(sinks.where(word), wanted, f"{name}, {what}: {domain}")


def missing(front, _sinks, name):
    """What is said of hosts that do not exist."""
    status, _, said = front.house.ctl("maps", "--mta", name.lower(), "--output", front.maps, "--check",
                                      "--no-compile")
    lines = [line for line in said.splitlines() if "not in DNS" in line]
    tap.eq((status, len(lines), "gone.test: gone.hosts.test is" in lines[0]), (0, 1, True),
           f"{name}: a warning of the host that does not exist")


def discarded(front, sinks, name):
    send(front, "hole.test", f"{name} hole word")
    front.mx.wait_log(r"to=<user@hole\.test>.*(status=sent|stat=Sent)")
    tap.eq(sinks.where(f"{name} hole word"), [], f"{name}, /dev/null: gone")


def all_down(front, sinks, name):
    """Queued, not bounced, and never by MX."""
    send(front, "down.test", f"{name} down word")
    front.mx.wait_log(r"to=<user@down\.test>.*(status=deferred|stat=Deferred)")
    tap.eq(len(front.mx.queued()), 1, f"{name}, all hosts down: the mail waits in the queue")
    tap.eq(sinks.where(f"{name} down word"), [], "... and goes to nobody")
    tap.ok("bounced" not in front.mx.log() and "DSN:" not in front.mx.log(), "... and nothing bounces")


def secured(front, sinks, name):
    send(front, "tls.test", f"{name} tls word")
    wait_until(lambda: sinks.where(f"{name} tls word"), "mail by TLS")
    tap.ok(sinks.mail(f"{name} tls word").tls, f"{name}, tls=encrypt: the connection is encrypted")
    for domain in ("bare.test", "nextbare.test"):
        send(front, domain, f"{name} {domain} word")
        front.mx.wait_log(rf"to=<user@{domain}>.*(status=deferred|stat=Deferred|stat=.*TLS)")
        tap.eq(sinks.where(f"{name} {domain} word"), [], f"... and nothing is sent where that cannot be: {domain}")


def authenticated(front, sinks, name):
    for domain in ("auth.test", "named.test", "next.test"):
        word = f"{name} {domain} word"
        send(front, domain, word)
        wait_until(lambda word=word: sinks.where(word), "mail with AUTH")
        mail = sinks.mail(word)
        tap.eq((sinks.where(word), mail.tls, mail.user), (["auth"], True, "joe"),
               f"{name}, auth=: a server that demands it gets the mail, in TLS: {domain}")
    send(front, "strict.test", f"{name} strict word")
    front.mx.wait_log(r"to=<user@strict\.test>.*(status=deferred|stat=Deferred|stat=.*TLS)")
    tap.eq(sinks.where(f"{name} strict word"), [], "... and a server without TLS nothing")
    secret = [file for file in os.listdir(front.maps) if file.startswith(("sasl_passwd", "authinfo"))]
    tap.eq([os.stat(os.path.join(front.maps, file)).st_mode & 0o777 for file in secret], [0o600] * 2,
           "... the files with passwords are their owner's")


def no_default(front, sinks, name):
    """ALL with nothing: by MX again. Postfix remembers the default for half a minute."""
    routes = ROUTES.replace("ALL: [127.0.0.30]:2525", "ALL:")
    front.house.write("routes.txt", routes)
    front.write_maps()
    front.mx.stop()
    front.mx.start()
    send(front, "later.test", f"{name} later word")
    wait_until(lambda: sinks.where(f"{name} later word"), "mail by MX")
    tap.eq(sinks.where(f"{name} later word"), ["mx25"], f"{name}, ALL empty: by MX")


class PostfixHere(Front):
    def __init__(self, tap_, conf, files):
        settings = "smtp_dns_support_level = enabled\ninet_protocols = all\n"
        super().__init__(tap_, conf, files, settings)
        os.chmod(os.path.join(self.folder, "password.txt"), 0o600)


class SendmailHere(SendmailFront):
    def __init__(self, tap_, conf, files):
        super().__init__(tap_, conf, files)
        self.mx.write("nsswitch.conf", "hosts: files dns\n")
        self.mx.write("service.switch", "hosts files dns\n")
        os.chmod(os.path.join(self.folder, "password.txt"), 0o600)


def run(name, kind, sinks):
    files = {"routes.txt": ROUTES, "password.txt": "secret word\n"}
    with kind(tap, CONF, files) as front:
        for part in (missing, deliver, discarded, all_down, secured, authenticated, no_default):
            tap.note(part.__name__)
            tap.part(lambda part=part: part(front, sinks, name))


def main():
    with tempfile.TemporaryDirectory(prefix="gatehouse-routes-") as folder:
        ownhost.enter(folder)
        certificate = self_signed(os.path.join(folder, "pem"), "/CN=sink")
        with Nsd(MX, port=53), Sinks() as sinks:
            for name, (address, port) in SINKS.items():
                settings = {"secure": {"certificate": certificate}, "grey": {"refusal": "450 4.2.0 later"}}
                sinks.listen(name, address, port, **settings.get(name, {}))
            sinks.listen("auth", "127.0.0.51", 2525, certificate=certificate, accounts={"joe": "secret word"})
            run("Postfix", PostfixHere, sinks)
            run("Sendmail", SendmailHere, sinks)
    tap.done()


main()
