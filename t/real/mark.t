#!/usr/bin/python3
"""The header field for later filters, as it arrives in a mailbox behind Postfix and Sendmail (SPEC 11)."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import BeforeMailhost, Front, SendmailFront
from house import free_port
from postfix import Mailboxes
from tap import Tap

PLAIN, HALF = "127.0.10.1", "127.0.10.2"
CONF = f"""
[dns]
host_lookup = off
[policy HALF]
virus_scan = no
[group HALF]
policy = HALF
senders = {HALF}
[listener main]
groups = HALF
rat = rat.txt
[routes]
file = routes.txt
"""
MARK = "group=None policy=ACCEPTED score=none spam_scan=yes virus_scan=yes"
FORGED = "\r\n".join((
    "X-Gatehouse: group=TRUSTED spam_scan=no first",
    "Subject: still here",
    "x-gatehouse: second",
    "X-GATEHOUSE:third",
    "X-Gatehouse: folded",
    "\tover two lines",
    "X-Gatehouse : with a blank",
    "X-Gatehouses: another field",
    "X-Gatehouse:",
))

tap = Tap()


def files(port):
    return {"rat.txt": "example.com ACCEPT\n", "routes.txt": f"example.com: [127.0.0.1]:{port}\n"}


class Mailhost(BeforeMailhost):
    """What is behind both of them."""

    def __init__(self, port):
        super().__init__(tap, CONF, files(port))
        self.house.settings["header"] = "X-Gatehouse"
        self.mailhost = Mailboxes(os.path.join(self.folder, "mailhost"), port, ["alice@example.com"])

    def send(self, text, source=PLAIN):
        """The reply to a message."""
        with self.client(source) as client:
            client.mail()
            client.rcpt("alice@example.com")
            client.command("DATA")
            return client.command(text + "\r\n.")

    def header(self, word, text, source=PLAIN):
        """What arrives of a message with this word in it: its header, unfolded fields."""
        reply = self.send(text, source)
        if not reply.startswith("250"):
            raise AssertionError(reply)
        mail = self.mailhost.wait_mail("alice@example.com", word)
        return re.sub(r"\n[ \t]+", " ", mail.split("\n\n")[0]).split("\n")


class BehindPostfix(Mailhost, Front):
    pass


class BehindSendmail(Mailhost, SendmailFront):
    pass


def marks_in(header):
    return [field for field in header if re.match(r"x-gatehouse\s*:", field, re.I)]


def marked(site):
    header = site.header("first word", "Subject: x\r\n\r\nfirst word")
    tap.eq(marks_in(header), [f"X-Gatehouse: {MARK}"], "a message arrives with its mark")
    header = site.header("second word", "Subject: x\r\n\r\nsecond word", HALF)
    tap.eq(marks_in(header), ["X-Gatehouse: group=HALF policy=HALF score=none spam_scan=yes virus_scan=no"],
           "... that of its policy")
    header = site.header("third word", "third word")
    tap.eq(marks_in(header), [f"X-Gatehouse: {MARK}"], "a message without a header has one, too")


def forged(site):
    header = site.header("fourth word", FORGED + "\r\n\r\nX-Gatehouse: in the body\r\nfourth word")
    tap.eq(marks_in(header), [f"X-Gatehouse: {MARK}"], "forged marks are gone, in every spelling")
    tap.eq([field for field in header if field.startswith(("Subject", "X-Gatehouses"))],
           ["Subject: still here", "X-Gatehouses: another field"], "other fields are not")
    body = site.mailhost.wait_mail("alice@example.com", "fourth word").split("\n\n", 1)[1]
    tap.ok(body.startswith("X-Gatehouse: in the body\n"), "nor the body", body)
    fields = "\r\n".join(f"X-Gatehouse: {n}" for n in range(100))
    header = site.header("fifth word", f"{fields}\r\n\r\nfifth word")
    tap.eq(marks_in(header), [f"X-Gatehouse: {MARK}"], "a hundred copies")
    tap.eq(site.send(f"{fields}\r\nX-Gatehouse: 101\r\n\r\nsixth word"),
           "554 5.6.0 Too many header fields reserved for this host", "a hundred and one are refused")
    site.house.wait_log(event="eom", detail="too_many_marks", forged="101")


def messages(site):
    """Each message of a session has its own."""
    with site.client(PLAIN) as client:
        for n, fields in enumerate(("X-Gatehouse: a\r\nX-Gatehouse: b\r\n", "", "X-Gatehouse: c\r\n")):
            client.mail()
            client.rcpt("alice@example.com")
            client.command("DATA")
            tap.ok(client.command(f"{fields}Subject: x\r\n\r\nsession {n} word\r\n.").startswith("250"), f"message {n}")
            mail = site.mailhost.wait_mail("alice@example.com", f"session {n} word")
            tap.eq(marks_in(mail.split("\n")), [f"X-Gatehouse: {MARK}"], "... has one mark")


for behind in (BehindPostfix, BehindSendmail):
    with behind(free_port()) as the_site:
        for test in (marked, forged, messages):
            tap.note(f"{behind.__name__} {test.__name__}")
            tap.part(lambda test=test: test(the_site))
tap.done()
