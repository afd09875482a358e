#!/usr/bin/python3
"""The examples of the manual pages that need a mail server: settings of Postfix, Sendmail and Cyrus
SASL, and what clients see then. All others are run by t/box/manual.t.

The configuration is that of the page. Addresses for documentation become loopback ones, and places
below /etc those of a private mail server.
"""
import os
import re
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import manpages
from certificates import Authority, self_signed
from front import Front, SendmailFront
from tap import Tap

PAGE = "gatehouse-authtls.7"
KINDS = ("main.cf", "sendmail.mc", "sasl", "smtp")
LOOPBACK = (("198.51.100.", "127.51.100."), ("203.0.113.", "127.113.0."))

tap = Tap()
EXAMPLES = [example for example in manpages.examples(PAGE) if example.kind in KINDS or example.kind == "conf"]
used = set()


def take(kind, *words):
    """The one example of that kind, which counts as run."""
    found = [example for example in EXAMPLES if example.kind == kind and example.words[:len(words)] == list(words)]
    tap.eq(len(found), 1, f"{PAGE}: one example {kind} {' '.join(words)}")
    used.add(found[0].line)
    return found[0].text


def to_loopback(text):
    for address, ours in LOOPBACK:
        text = text.replace(address, ours)
    return text


def configuration():
    """Services are where the test has them."""
    text = re.sub(r"(daemon_name|local_address|local_port) = .*\n", "", take("conf"))
    return to_loopback("[dns]\nhost_lookup = off\n" + text)


class Site:
    """What both have: certificates, an account, and the lines of the page."""

    tls = None  # its folder of certificates, as the page has it

    def file(self, name):
        return os.path.join(self.mx.folder, "etc", name)

    def configure_mx(self):
        super().configure_mx()
        authority = Authority(self.file("partners.pem"))
        self.certificate = authority.issue(self.file("partner.pem"), "/CN=partner.example")
        server = self_signed(self.file("mx.pem"), "/CN=mx.example.com")
        with open(server, encoding="ascii") as whole, open(self.file("mx.key"), "w", encoding="ascii") as key:
            key.write(whole.read())
        os.chmod(self.file("mx.key"), 0o600)
        self.add_lines()

    def placed(self, text):
        """With the places that it has here."""
        return text.replace(self.tls, os.path.join(self.mx.folder, "etc"))

    def write_sasl(self, name, database):
        """SASL's file, and joe's account in a database that the test can tell from others."""
        folder = self.file("sasl")
        os.mkdir(folder)
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(take("sasl", name).replace("/etc/sasldb2", database[0]))
        command = take("sasl", "account").replace("/var/spool/postfix/etc/sasldb2", database[1])
        os.makedirs(os.path.dirname(database[1]), exist_ok=True)
        subprocess.run(shlex.split(command.replace("saslpasswd2", "/usr/sbin/saslpasswd2 -p")), input=b"secret", check=True)
        return folder


class OnPostfix(Site, Front):
    tls = "/etc/postfix/tls"

    def add_lines(self):
        database = os.path.join(self.mx.queue, "etc", "sasldb2")
        folder = self.write_sasl("smtpd.conf", ("/etc/sasldb2", database))
        os.chmod(database, 0o644)
        self.mx.settings(self.placed(take("main.cf")).replace("/etc/postfix/sasl", folder))


class OnSendmail(Site, SendmailFront):
    tls = "/etc/mail/tls"

    def add_lines(self):
        database = self.file("sasldb2")
        folder = self.write_sasl("Sendmail.conf", (database, database))
        os.chmod(database, 0o600)
        self.mx.lines(self.placed(take("sendmail.mc")))
        self.mx.lines(f"LOCAL_CONFIG\nESASL_CONF_PATH={folder}\n")


def dialogue(site, example):
    """As the page shows it."""
    _mta, listener, source, *certificate = example.words
    said = re.findall(r"^([CS]): (.*)$", example.text, re.M)
    tap.eq([side for side, _line in said], ["C", "S"] * (len(said) // 2), f"{example.name}: both in turn")
    with site.client(to_loopback(source), listener) as client:
        for (_c, command), (_s, reply) in zip(said[::2], said[1::2]):
            if command == "STARTTLS":
                got = client.starttls(certificate=site.certificate if certificate else None)
            else:
                got = client.command(command)
            tap.eq(got, reply, f"{example.name}: {command}")
    used.add(example.line)


for kind in (OnPostfix, OnSendmail):
    name = kind.__name__[2:].lower()
    with kind(tap, configuration(), {"rat.txt": "example.com ACCEPT\n"}) as the_site:
        for the_example in EXAMPLES:
            if the_example.kind == "smtp" and the_example.words[0] == name:
                tap.part(lambda example=the_example: dialogue(the_site, example))

for page in manpages.pages():
    left = [example.name for example in manpages.examples(page) if example.kind in KINDS
            and (page != PAGE or example.line not in used)]
    tap.eq(left, [], f"{page}: all examples for a mail server were run")
tap.done()
