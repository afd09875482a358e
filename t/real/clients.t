#!/usr/bin/python3
"""Who may relay, and who is refused, service by service: what the maps of Postfix and of Sendmail
make of a HAT is what Gatehouse makes of it (SPEC 10).

The words tell who refuses: Gatehouse would say "Address rejected".
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front, SendmailFront
from tap import Tap

CONF = """
[dns]
host_lookup = off
[group SHUT]
policy = tcprefuse
senders = 127.0.10.66
[group FRIEND]
policy = accept
senders = 127.0.10.1, 127.0.10.8-127.0.10.11
[group LAN]
policy = RELAYED
senders = 127.0.10.0/26, 127.0.10.64-127.0.10.70
[group SHUT_LATER]
policy = tcprefuse
senders = 127.0.10.
[group OTHER]
policy = RELAYED
senders = 127.0.20.
[listener first]
groups = SHUT, FRIEND, LAN, SHUT_LATER
rat = rat.txt
[listener second]
groups = OTHER
rat = rat.txt
[listener third]
type = private
groups = LAN, OTHER
[routes]
file = routes.txt
"""
FILES = {"rat.txt": "example.com ACCEPT\n", "routes.txt": "ALL: /dev/null\n"}
RELAY, NO_RELAY, REFUSED = "relay", "no relay", "refused"
CASES = (
    ("127.0.10.2", RELAY, NO_RELAY, RELAY),
    ("127.0.10.1", NO_RELAY, NO_RELAY, RELAY),  # FRIEND comes first
    ("127.0.10.7", RELAY, NO_RELAY, RELAY),
    ("127.0.10.8", NO_RELAY, NO_RELAY, RELAY),
    ("127.0.10.11", NO_RELAY, NO_RELAY, RELAY),
    ("127.0.10.12", RELAY, NO_RELAY, RELAY),
    ("127.0.10.63", RELAY, NO_RELAY, RELAY),
    ("127.0.10.65", RELAY, NO_RELAY, RELAY),
    ("127.0.10.66", REFUSED, NO_RELAY, RELAY),  # SHUT comes first
    ("127.0.10.70", RELAY, NO_RELAY, RELAY),
    ("127.0.10.71", REFUSED, NO_RELAY, NO_RELAY),  # only SHUT_LATER
    ("127.0.20.1", NO_RELAY, RELAY, RELAY),
    ("127.0.30.1", NO_RELAY, NO_RELAY, NO_RELAY),
)

tap = Tap()


def attempt(front, source, listener):
    """What the mail server makes of a recipient elsewhere."""
    with front.client(source, listener) as client:
        if client.banner.startswith("421"):
            return REFUSED
        if not client.mail().startswith("250"):
            return NO_RELAY  # refused by Gatehouse as no relay at all
        answer = client.rcpt("u@other.example")
        client.command("QUIT")
    if answer.startswith("250"):
        return RELAY
    tap.ok("denied" in answer, f"{source} at {listener}: the mail server itself says no", answer)
    return NO_RELAY


def run(name, kind):
    with kind(tap, CONF, FILES) as front:
        for source, *wanted in CASES:
            tap.eq([attempt(front, source, listener) for listener in ("first", "second", "third")], wanted,
                   f"{name}: {source} at three services")


run("Postfix", Front)
run("Sendmail", SendmailFront)
tap.done()
