#!/usr/bin/python3
"""Limits of connections, rates and harvest protection through a real Postfix (SPEC 4, 6, 7).

Clients differ by their loopback address. Nothing is delivered.
"""
import base64
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front
from house import wait_until
from sasl import sasldb
from tap import Tap

CROWD, RATE, NET, SENDER, HARVEST, STAY, ACCOUNT, WORDS = (f"127.0.{n}.1" for n in range(10, 18))
CONF = f"""
[dns]
host_lookup = off
[policy DEFAULT]
auth_requires_tls = no
max_connections_per_ip = 100
sender_rate_period = 1d
[policy CROWD]
max_connections_per_ip = 2
[group CROWD]
senders = {CROWD}
policy = CROWD
[policy RATE]
max_recipients_per_hour = 3
max_recipients_per_hour_code = 450
max_recipients_per_hour_text = Enough of $RemoteIP, 100%
[group RATE]
senders = {RATE}
policy = RATE
[policy NET]
max_recipients_per_hour = 2
significant_bits = 24
[group NET]
senders = 127.0.12.0/24
policy = NET
[policy SENDER]
max_sender_recipients = 2
[policy WORDS]
max_sender_recipients = 2
max_sender_recipients_code = 550
max_sender_recipients_text = #5.7.30 $remoteip, that is enough
max_auth_recipients = 1
max_auth_recipients_code = 450
max_auth_recipients_text = Enough of $Group
[group WORDS]
senders = {WORDS}
policy = WORDS
[policy NET6]
max_recipients_per_hour = 2
significant_bits6 = 48
[group NET6]
senders = 2001:db8::/32
policy = NET6
[group SENDER]
senders = {SENDER}
policy = SENDER
[policy HARVEST]
max_invalid_recipients_per_hour = 3
[group HARVEST]
senders = {HARVEST}
policy = HARVEST
[policy STAY]
max_invalid_recipients_per_hour = 3
dhap_drop = no
dhap_code = 450
dhap_text = 4.7.99 No more guesses, $RemoteIP
[group STAY]
senders = {STAY}
policy = STAY
[policy ACCOUNT]
max_auth_recipients = 2
[group ACCOUNT]
senders = {ACCOUNT}
policy = ACCOUNT
[listener main]
groups = CROWD, RATE, NET, NET6, SENDER, WORDS, HARVEST, STAY, ACCOUNT
rat = rat.txt
max_connections = 5
[listener second]
groups = RATE
rat = rat.txt
"""
RAT = "wrong.example REJECT\nexample.com ACCEPT\nfree.example ACCEPT {bypass_rate_limit}\n"

tap = Tap()


SETTINGS = """
relay_domains = example.com, free.example, wrong.example
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 100
smtpd_authorized_xclient_hosts = 127.0.0.1
inet_protocols = all
"""


class Site(Front):
    def configure_mx(self):
        super().configure_mx()
        self.mx.settings(sasldb(self.mx, "mx.example.com", {"joe": "secret"}))

    def rcpts(self, source, *recipients, listener="main", sender="sender@example.net"):
        """The first words of the replies to MAIL and to each RCPT, in a session of its own."""
        with self.client(source, listener) as client:
            return [words(client.mail(sender))] + [words(client.rcpt(r)) for r in recipients]


def words(reply):
    """Acceptance by its code alone, a refusal whole."""
    return "250" if reply.startswith("250 ") else reply


HOST_RATE = "452 4.7.1 Too many recipients received this hour"
SENDER_RATE = "452 4.7.1 Too many recipients received from the sender"
HARVESTER = "550 5.7.1 Too many invalid recipients"
GUESSER = f"450 4.7.99 No more guesses, {STAY}"
NO = "550 5.1.0 Address rejected"


def connections(site):
    held = [site.client(CROWD) for _ in range(2)]
    tap.eq([c.banner[:4] for c in held], ["220 "] * 2, "as many connections as an address may have")
    with site.client(CROWD) as client:
        tap.ok(client.banner.startswith("421 "), "one more is turned away", client.banner)
        tap.eq(client.reply(), "", "... and hung up on")
    line = site.house.wait_log(event="connect", detail="too_many_from_host")
    tap.eq((line["code"], line["status"], line["ip"]), ("421", "4.4.5", CROWD), "... and why, in the log")
    held += [site.client(f"127.0.20.{n}") for n in (1, 2, 3)]
    tap.eq([c.banner[:4] for c in held[2:]], ["220 "] * 3, "others fill the listener")
    with site.client("127.0.20.4") as client:
        tap.ok(client.banner.startswith("421 "), "one more than it takes", client.banner)
    site.house.wait_log(event="connect", detail="too_many_connections")
    with site.client("127.0.20.4", "second") as client:
        tap.ok(client.banner.startswith("220 "), "the other service has room", client.banner)
    for client in held:
        client.command("QUIT")
        client.__exit__()

    def comes_in():
        with site.client(CROWD) as client:
            return client.banner.startswith("220 ")

    tap.ok(wait_until(comes_in, "a place"), "who leaves makes room")


def rates(site):
    enough = f"450 4.7.1 Enough of {RATE}, 100%"
    tap.eq(site.rcpts(RATE, "1@example.com", "2@example.com"), ["250"] * 3, "a host, below its rate")
    tap.eq(site.rcpts(RATE, "3@example.com", "4@example.com", "5@free.example", listener="second"),
           ["250", "250", enough, "250"], "... reaches it through another service")
    tap.eq(site.rcpts(RATE, "4@example.com"), ["250", enough], "... and stays there")
    tap.eq(site.rcpts("127.0.12.1", "1@example.com"), ["250"] * 2, "a network")
    tap.eq(site.rcpts("127.0.12.2", "2@example.com", "3@example.com"), ["250"] * 2 + [HOST_RATE],
           "... is one client")
    for address, wanted in (("2001:db8:1::1", ["250"]), ("2001:db8:1:ff::1", ["250", HOST_RATE]),
                            ("2001:db8:2::1", ["250"] * 2)):
        with site.client("127.0.0.1") as client:
            tap.ok(client.command(f"XCLIENT ADDR=IPV6:{address}").startswith("220"), f"a client at {address}")
            client.command("EHLO client.example.net")
            client.mail()

            tap.eq([words(client.rcpt("u@example.com")) for _ in wanted], wanted, f"significant_bits6: {address}")
    tap.eq(site.rcpts(WORDS, *["u@example.com"] * 3, sender="jim@b.example"),
           ["250"] * 3 + [f"550 5.7.30 {WORDS}, that is enough"], "a sender, in the policy's words")
    tap.eq(site.rcpts(SENDER, *["u@example.com"] * 3, sender="joe@b.example"), ["250"] * 3 + [SENDER_RATE],
           "a sender")
    tap.eq(site.rcpts(SENDER, *["u@example.com"] * 4, sender=""), ["250"] * 5, "the null sender")
    with site.client(SENDER) as client:
        client.mail("reset@b.example")
        tap.eq([words(client.rcpt("u@example.com")) for _ in range(2)], ["250"] * 2, "a sender again")
        client.command("RSET")
        client.mail("reset@b.example")
        tap.eq(client.rcpt("u@example.com"), SENDER_RATE, "RSET gives nothing back")


def account(site):
    token = base64.b64encode(b"\0joe\0secret").decode("ascii")
    with site.client(ACCOUNT) as client:
        tap.ok(client.command(f"AUTH PLAIN {token}").startswith("235"), "a user authenticates")
        client.mail()
        tap.eq([words(client.rcpt("u@elsewhere.example")) for _ in range(3)],
               ["250"] * 2 + ["452 4.7.1 Too many recipients from this account"], "... and has a rate")
    with site.client(WORDS) as client:
        client.command(f"AUTH PLAIN {token}")
        client.mail("another@example.net")
        tap.eq(client.rcpt("u@elsewhere.example"), "450 4.7.1 Enough of WORDS", "... elsewhere, too")
    shown = site.ctl("counter", "show", "--json", "joe@mx.example.com")
    left = json.loads(shown)["left"]
    tap.ok(80000 < left <= 86400, "... for as long as sender_rate_period says", shown)


def harvest(site):
    with site.client(HARVEST) as client:
        client.mail()
        answers = [words(client.rcpt(f"{who}@{where}.example")) for who, where in (
            ("1", "wrong"), ("1", "wrong"), ("2", "wrong"), ("good", "free"), ("3", "wrong"), ("good", "free"))]
        tap.eq(answers, [NO] * 3 + ["250", HARVESTER, HARVESTER], "a harvester learns nothing any more")
        client.command("RSET")
        tap.eq(client.mail(), "421 4.7.1 Too many invalid recipients", "... MAIL is refused, with our words")
        tap.eq(client.reply(), "", "... and hung up on")
    with site.client(HARVEST) as client:
        tap.eq(client.mail(), "421 4.7.1 Too many invalid recipients", "... on later connections, too")
    pipelined = "".join(f"RCPT TO:<{n}@wrong.example>\r\n" for n in range(5))
    with site.client(STAY) as client:
        first = client.command("MAIL FROM:<a@example.net>\r\n" + pipelined.rstrip())
        tap.eq([words(first)] + [client.reply() for _ in range(5)],
               ["250", NO, NO] + [GUESSER] * 3, "pipelined, without dhap_drop")
    tap.eq(site.rcpts(STAY, "good@example.com"), ["250", GUESSER],
           "... MAIL passes, recipients hear it")


with Site(tap, CONF, {"rat.txt": RAT}, SETTINGS) as the_site:
    for test in (connections, rates, account, harvest):
        tap.note(test.__name__)
        tap.part(lambda test=test: test(the_site))
tap.done()
