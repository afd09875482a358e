"""A mail server with Gatehouse before a mailbox host: the site of postfix.t and sendmail.t, and what
must be so at both.

    class Site(MailSite, Front):      # or SendmailFront
        fence = "554 5.7.1"           # ... and the others below
    run(Site(CONF), PARTS)

CONF has a place {main} in [listener main], and so on, and one for each of CLIENTS: clients differ by their
loopback address. {refused} is who is tcprefused.
"""

import functools
import os

from front import BeforeMailhost
from house import free_port, wait_until
from postfix import Mailboxes, send
from tap import Tap

OUTSIDE = "127.0.0.10"
THROTTLED = "127.0.0.20"
RELAY = "127.0.0.30"
SMALL = "127.0.0.50"
BLOCKED = "127.0.0.66"
REFUSED = "127.0.0.70"
REFUSED_LATER = "127.0.0.71"
LINES = "127.0.0.80"  # refused with LINES_TEXT
HUNG_UP = "127.0.0.81"  # ... by a 421 of two lines
LINES_TEXT = """
[group LINES]
policy = LINES
senders = {LINES}
[policy LINES]
access = reject
reject_text = 5.7.9 one, 100%\\ntwo
[group HUNG_UP]
policy = HUNG_UP
senders = {HUNG_UP}
[policy HUNG_UP]
access = reject
reject_code = 421
reject_text = go\\naway
"""
CLIENTS = {name: value for name, value in globals().items() if name.isupper() and value.startswith("127.")}

tap = Tap()


def starts(answer, wanted, what):
    tap.ok(answer.startswith(wanted), what, f"got    {answer!r}\nwanted {wanted!r}...")


class MailSite(BeforeMailhost):
    """mx, Gatehouse and mailhost, set up as an administrator would."""

    fence = None  # how mx answers for a foreign domain
    unknown = None  # ... for who@example.com, whom call-ahead does not know
    away = None  # ... without the daemon
    refused_log = None  # pattern of a client that mx refuses by its map
    discarded_log = None  # ... of mail to x@nowhere.example, which has a route to /dev/null

    def __init__(self, conf, **words):
        self.words = words
        self.mailhost_port = free_port()
        route = f"[127.0.0.1]:{self.mailhost_port}"
        super().__init__(tap, conf, {
            "rat.txt": "example.com ACCEPT\n",
            "routes.txt": f"example.com: {route}\nelsewhere.example: {route}\nnowhere.example: /dev/null\n",
        })
        self.mailhost = Mailboxes(os.path.join(self.folder, "mailhost"), self.mailhost_port,
                                  ["alice@example.com", "bob@example.com", "carol@elsewhere.example"])

    def configuration(self, for_mx=False):
        """For the maps and settings of mx, and the one the daemon has: there the services are known by
        daemon_name alone, and a client was added after the maps were written."""
        words = {"refused": REFUSED if for_mx else f"{REFUSED}, {REFUSED_LATER}"}
        for name, port in self.ports.items():
            words[name] = f"daemon_name = {name}"
            if for_mx:
                words[name] += f"\nlocal_address = 127.0.0.1\nlocal_port = {port}"
        return self.conf.format(**words, **CLIENTS, **self.words)

    def send(self, source, recipient, listener="main", **more):
        return send(self.ports[listener], source, recipient, **more)


def run(site, parts):
    with site:
        for part in parts:
            tap.note(part.__name__)
            tap.part(functools.update_wrapper(functools.partial(part, site), part))
    tap.done()


# --- recipients ------------------------------------------------------------------------


def recipients(site):
    """Call-ahead decides who exists; the generated map delivers."""
    starts(site.send(OUTSIDE, "alice@example.com", body="first word"), "250 2.0.0", "a known user")
    line = site.house.wait_log(event="rcpt", to="<alice@example.com>", verdict="accept")
    tap.eq((line["by"], line["detail"]), ("callahead", "valid"), "... and why, in the log")
    tap.eq(line["server"], f"127.0.0.1:{site.mailhost_port}", "... says who was asked")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "first word"), "the mail arrives")
    eom = site.house.wait_log(event="eom")
    tap.ok(eom["qid"] in site.mx.log(), "the queue id in the log is that of mx")
    starts(site.send(OUTSIDE, "who@example.com"), site.unknown, "an unknown user")
    line = site.house.wait_log(event="rcpt", to="<who@example.com>")
    tap.eq((line["by"], line["detail"]), ("callahead", "user_unknown"), "... and why, in the log")
    starts(site.send(OUTSIDE, "a@elsewhere.example"), site.fence, "a domain not in the RAT: fence of mx")
    answer = site.send(OUTSIDE, "root@[127.0.0.1]")
    tap.ok(answer.startswith("550 5.1.0 ") and "Address rejected" in answer, "... and of Gatehouse", answer)
    line = site.house.wait_log(event="rcpt", to="<root@[127.0.0.1]>")
    tap.eq((line["by"], line["detail"]), ("rat", "rat_reject"), "... and why, in the log")


def throttled(site):
    with site.client(THROTTLED) as client:
        starts(client.mail(), "250", "a throttled client")
        starts(client.rcpt("alice@example.com"), "250", "its first recipient")
        starts(client.rcpt("bob@example.com"), "250", "its second")
        starts(client.rcpt("alice@example.com"), "452 4.5.3 Too many recipients", "one too many")
        starts(client.data("throttled word"), "250", "the two others get the mail")
    tap.ok(site.mailhost.wait_mail("bob@example.com", "throttled word"), "... at mailhost")


def null_sender(site):
    with site.client(OUTSIDE) as client:
        starts(client.mail(""), "250", "the null sender")
        starts(client.rcpt("alice@example.com"), "250", "... to a known user")
        starts(client.rcpt("who@example.com"), "550 5.1.1", "... to an unknown one")
    line = site.house.wait_log(event="rcpt", to="<alice@example.com>", from_="<>")
    tap.eq(line["verdict"], "accept", "... in the log")


def many_messages(site):
    """max_messages_per_connection is 10."""
    with site.client(OUTSIDE) as client:
        for _ in range(10):
            starts(client.mail(), "250", "one of ten messages")
            client.command("RSET")
        starts(client.mail(), "421 4.4.5 Too many messages", "the eleventh is one too many")
        tap.eq(client.command("NOOP"), "", "... and the connection is closed")


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


# --- clients that are refused, clients that relay ------------------------------------------


def tcp_refused(site):
    """mx itself refuses whom its map names; Gatehouse refuses the others."""
    for source in (REFUSED, REFUSED_LATER):
        with site.client(source) as client:
            starts(client.banner, "421 ", f"tcprefuse of {source}: 421 at once")
            tap.eq(client.command("EHLO x.example"), "", "... and hung up")
    site.mx.wait_log(site.refused_log)
    line = site.house.wait_log(event="connect", ip=REFUSED_LATER)
    tap.eq((line["code"], line["detail"]), ("421", "tcprefused"), "... in the log of Gatehouse")


def several_lines(site):
    """Of listeners main and at_mail, which have the groups of LINES_TEXT."""
    with site.client(LINES, "at_mail") as client:
        tap.eq(client.mail(), "554-5.7.9 one, 100%\n554 5.7.9 two", "a refusal of two lines at MAIL")
        starts(client.command("NOOP"), "250", "... and the session goes on")
    with site.client(HUNG_UP, "at_mail") as client:
        tap.eq(client.mail(), "421-4.7.1 go\n421 4.7.1 away", "a 421 of two lines at MAIL")
        tap.eq(client.command("NOOP"), "", "... hangs up")
    with site.client(HUNG_UP) as client:
        starts(client.banner, "421 ", "a 421 of two lines at connect: 421 at once")
        tap.eq(client.command("EHLO x.example"), "", "... and hung up")


def relaying(site):
    answer = site.send(RELAY, "carol@elsewhere.example", "inside", body="relay word")
    starts(answer, "250", "a relay client sends to a foreign domain")
    tap.ok(site.mailhost.wait_mail("carol@elsewhere.example", "relay word"), "... where it arrives")
    starts(site.send(RELAY, "x@nowhere.example", "inside", body="x"), "250", "... and to /dev/null")
    site.mx.wait_log(site.discarded_log)
    line = site.house.wait_log(event="rcpt", to="<x@nowhere.example>")
    tap.eq(line["detail"], "relay", "... the log says relay")
    answer = site.send(RELAY, "carol@elsewhere.example")
    starts(answer, site.fence, "relay on one listener is not relay on another")
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


# --- what dies, and what reloads -------------------------------------------------------------


def mailhost_down(site):
    """Nobody can tell who exists: for a while, that is, and not for good."""
    site.mailhost.postfix.stop()
    starts(site.send(OUTSIDE, "new@example.com"), "451 4.4.3", "mailhost is down: 451")
    line = site.house.wait_log(event="rcpt", to="<new@example.com>")
    tap.eq((line["by"], line["detail"]), ("callahead", "failure"), "... in the log")
    site.mailhost.postfix.start()
    wait_until(lambda: site.send(OUTSIDE, "new@example.com").startswith("550 5.1.1"), "550 for an unknown user")
    tap.ok(True, "mailhost is back: 550 for a user it does not know")


def killed(site):
    with site.client(OUTSIDE) as client:
        starts(client.mail(), "250", "a session")
        site.house.kill()
        starts(client.rcpt("alice@example.com"), site.away, "kill -9 in mid-session: 451 at RCPT")
        client.command("RSET")
        starts(client.mail(), site.away, "... and 451 for the rest of the session")
    starts(site.send(OUTSIDE, "alice@example.com"), site.away, "a session without the daemon")
    for source, listener in ((RELAY, "inside"), (OUTSIDE, "inside"), (OUTSIDE, "main"), (BLOCKED, "main")):
        for recipient in ("carol@elsewhere.example",) + PROBES[:4]:
            answer = site.send(source, recipient, listener, body="relayed")
            tap.ok(answer[:1] in "45", f"daemon dead: no relay from {source} to <{recipient}>", repr(answer))
    site.house.start()
    starts(site.send(OUTSIDE, "alice@example.com", body="restart word"), "250", "after a restart, at once")
    tap.ok(site.mailhost.wait_mail("alice@example.com", "restart word"), "... the mail arrives")


def reload(site):
    """A session keeps the listener it began with; new ones see the new configuration."""
    with site.client(OUTSIDE) as client:
        site.house.configure(site.house.conf.replace(f"senders = {BLOCKED}", f"senders = {OUTSIDE}"))
        site.house.reload()
        starts(client.mail(), "250", "a session that was there before a reload")
        starts(client.rcpt("alice@example.com"), "250", "... goes on")
    starts(site.send(OUTSIDE, "alice@example.com"), "554", "a new one is judged by the new configuration")
    starts(site.send(BLOCKED, "alice@example.com"), "250", "... also who is not refused any more")
