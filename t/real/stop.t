#!/usr/bin/python3
"""Stops of the daemon while Postfix and Sendmail open sessions: nobody is refused for it."""
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front, SendmailFront
from tap import Tap

STOPS = 20
CLIENTS = 12
CONF = """
[dns]
host_lookup = off
[policy ACCEPTED]
max_connections_per_ip = 1000
[listener main]
rat = rat.txt
"""

tap = Tap()


class Clients:
    """SMTP clients that come again and again; what they heard at RCPT."""

    def __init__(self, front):
        self.front, self.over, self.heard = front, threading.Event(), []
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        while not self.over.is_set():
            try:
                with self.front.client(f"127.0.20.{number + 1}") as client:
                    answer = client.mail()
                    if answer.startswith("250"):
                        answer = client.rcpt("joe@example.com")
                    self.heard.append(answer)
            except (OSError, EOFError, ValueError, IndexError):
                self.heard.append("")  # cut off, as by a server under too much load
                time.sleep(0.05)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def stops(front, name):
    house, slowest = front.house, 0.0
    clients = Clients(front)
    try:
        for n in range(STOPS):
            time.sleep(0.1 + 0.05 * (n % 8))
            slowest = max(slowest, house.stop())
            house.start()
        time.sleep(0.5)
    finally:
        clients.stop()
    codes = sorted({answer[:3] for answer in clients.heard})
    tap.note(f"{name}: {STOPS} stops, the slowest {slowest:.2f} s; {len(clients.heard)} sessions, answers {codes}")
    tap.ok(slowest < 5, f"{name}: each stop ends with status 0, within 5 s", f"{slowest:.2f} s")
    tap.ok("250" in codes, f"{name}: recipients are accepted while it runs")
    tap.ok(not any(code.startswith("5") for code in codes), f"{name}: nobody is refused for good", codes)


@tap.part
def postfix():
    with Front(tap, CONF, {"rat.txt": "example.com ACCEPT\n"}) as front:
        stops(front, "Postfix")


@tap.part
def sendmail():
    with SendmailFront(tap, CONF, {"rat.txt": "example.com ACCEPT\n"}) as front:
        stops(front, "Sendmail")


tap.done()
