#!/usr/bin/python3
"""A hundred ends of a daemon in the middle of sessions, at every moment of its life."""
import os
import random
import struct
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import SLOWNESS, House
from milter_client import Closed
from tap import Tap

tap = Tap()
RAT = {"rat": "example.com ACCEPT\n"}
STOPS = 100


class Load:
    """MTAs that open sessions, and come to every stage, whether somebody answers or not."""

    def __init__(self, it, threads=6):
        self.it, self.over, self.sessions = it, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        dice = random.Random(number)
        while not self.over.is_set():
            try:
                with self.it.dial(timeout=8) as mta:
                    if number % 2 == 0:  # nothing but negotiations, the answer not awaited
                        mta.send(b"O", struct.pack(">III", 6, 0x1FF, 0x1FFFFF))
                        continue
                    mta.negotiate()
                    mta.connect(f"192.0.2.{dice.randrange(1, 60)}")
                    mta.mail("<a@b.test>")
                    for n in range(dice.randrange(3)):
                        mta.rcpt(f"<u{n}.{dice.randrange(1 << 30)}@example.com>")
                    mta.message()
                    mta.quit()
                    self.sessions += 1
            except (Closed, OSError, AssertionError, struct.error):
                time.sleep(0.001)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


@tap.part
def under_load():
    """A hundred stops, at every moment of the daemon's life, in the middle of sessions."""
    zone = "".join(f"{n}.2.0.192.in-addr.arpa !drop\n" for n in range(50, 60))
    with DnsServer(zone) as dns, smtpserver.Server(rcpt=[["7@", "delay:20:250 Ok"]]) as smtp:
        conf = f"""[listener in]
rat = rat
callahead = c
[callahead c]
type = static
servers = 127.0.0.1:{smtp.port}
[dns]
servers = 127.0.0.1:{dns.port}
[policy DEFAULT]
max_connections_per_ip = 1000
"""
        with House(conf, RAT, gatehouse={"header": "X-Gatehouse"}) as it:
            load, slowest, served = Load(it), 0.0, 0
            try:
                for n in range(STOPS):
                    time.sleep(0.3 * (n % 10) / 10 * min(SLOWNESS, 3))
                    slowest = max(slowest, it.stop())
                    served += bool(it.find_log(event="mail"))
                    it.start()
            finally:
                load.stop()
        tap.note(f"{STOPS} stops, the slowest {slowest:.2f} s, {served} of them of a daemon that had sessions; "
                 f"{load.sessions} sessions in all")
        tap.ok(slowest < 5, f"{STOPS} stops under load: each ends with status 0, within 5 s", f"{slowest:.2f} s")
        tap.ok(served > STOPS / 3, "... and most had work to do", served)


tap.done()
