#!/usr/bin/python3
"""A daemon that stands still at the end of a message: by the time-outs of mta-config a real Postfix and
a real Sendmail tell their client to come back, long before it would hang up."""
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front, SendmailFront
from tap import Tap

CONF = """
[dns]
host_lookup = off
[listener main]
rat = rat.txt
[routes]
file = routes.txt
"""
FILES = {"rat.txt": "example.com ACCEPT\n", "routes.txt": "ALL: /dev/null\n"}
LONGEST = 50  # s: the 30 s of mta-config, and what a busy machine adds

tap = Tap()


def hang(name, kind):
    with kind(tap, CONF, FILES) as front:
        with front.client("127.0.0.9") as client:
            client.mail()
            tap.eq(client.rcpt("joe@example.com")[:3], "250", f"{name}: the recipient is taken")
            with front.house.frozen():
                began = time.monotonic()
                answer = client.data()
                took = time.monotonic() - began
        tap.ok(answer.startswith("451") and took < LONGEST, f"{name}: 451 in good time", f"{answer} after {took:.1f} s")


threads = [threading.Thread(target=tap.part, args=(lambda name=name, kind=kind: hang(name, kind),))
           for name, kind in (("Postfix", Front), ("Sendmail", SendmailFront))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
tap.done()
