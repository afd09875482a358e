#!/usr/bin/python3
"""Load, reloads every 50 ms and signals, all at once; for ThreadSanitizer, and for every other build."""
import os
import random
import signal
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import House
from milter_client import Closed
from tap import Tap

tap = Tap()
SECONDS = 6
CONF = """[dns]
servers = 127.0.0.1:{dns}
timeout = 2s
max_ttl = {ttl}s
[policy DEFAULT]
max_connections_per_ip = 1000
max_recipients_per_hour = 1000000
max_sender_recipients = 1000000
max_invalid_recipients_per_hour = 1000000
[policy THROTTLED]
max_recipients_per_hour = 1000000
[policy ACCEPTED]
max_messages_per_connection = 1000
[group SUSPECTLIST]
unverified = no_ptr
senders_file = senders
policy = {policy}
[listener in]
daemon_name = in
rat = rat
callahead = c
[listener {other}]
rat = rat
callahead = {profile}
[callahead c]
type = static
servers = 127.0.0.1:{smtp}
cache_ttl = 60
max_rejects_per_session = 3
unknown_text = {text}
[callahead routed]
reply_text = server
idle_timeout = 1s
[routes]
file = routes
"""
RAT = "fast.example ACCEPT {bypass_callahead}\nslow.example ACCEPT\n"
ZONE = "".join(f"{n}.2.0.192.in-addr.arpa " + ("PTR h.test" if n % 3 else "!nxdomain !delay=20") + "\n" for n in range(1, 60))
REPLIES = [["^no", "delay:0.02:550 5.1.1 no"], ["^drop", "close"], ["^late", "delay:0.2:250 Ok"], ["^full", "452 4.2.2 full"]]
RIGHT = {
    "u@fast.example": {"continue"},
    "yes@slow.example": {"continue"},
    "late@slow.example": {"continue"},
    "no@slow.example": {"550 5.1.1 one", "550 5.1.1 two", "550 5.1.1 no", "550 5.1.1 three"},
    "full@slow.example": {"451 4.2.1 Recipient temporarily unavailable", "451 4.2.2 full"},
    "u@other.example": {"550 5.1.0 Address rejected"},
    "u@@other.example": {"501 5.1.3 Bad recipient address syntax"},
}
# A server that has just dropped a connection pauses; one that had enough says so.
EXCUSES = {"451 4.4.3 Recipient verification unavailable", "451 4.3.2 Service is stopping, try again later",
           "451 4.7.0 mx.test Error: too many errors"}


class Load:
    def __init__(self, it):
        self.it, self.over = it, threading.Event()
        self.wrong, self.answers, self.lock = [], 0, threading.Lock()

    def check(self, what, got, wanted):
        with self.lock:
            self.answers += 1
            if got not in wanted and not (got == "tempfail" and self.over.is_set()):
                self.wrong.append(f"{what}: {got}")

    def message(self, mta, dice):
        self.check("mail", mta.mail("<a@b.test>").line, {"continue"})
        for _ in range(dice.randrange(1, 6)):
            address = dice.choice(list(RIGHT))
            user, _, domain = address.partition("@")
            sent = f"<{user}.{dice.randrange(50)}@{domain}>"
            self.check(sent, mta.rcpt(sent).line, RIGHT[address] | EXCUSES)
        if dice.random() < 0.3:
            mta.abort()
        else:
            self.check("end", mta.message().line, {"continue"})

    def client(self, seed):
        dice = random.Random(seed)
        while not self.over.is_set():
            try:
                name = dice.choice(("in", "else"))
                with self.it.session(f"192.0.2.{dice.randrange(1, 60)}", macros={"daemon_name": name}) as mta:
                    self.check("connect", mta.greeting.line, {"continue"})
                    for _ in range(dice.randrange(6)):
                        self.message(mta, dice)
                    if dice.random() < 0.2:
                        mta.close()  # in the middle of things
            except (Closed, OSError) as error:
                if not self.over.is_set():
                    self.wrong.append(repr(error))

    def reloads(self, ports):
        dice = random.Random(7)
        while not self.over.wait(0.05):
            self.it.write("rat.new", RAT + dice.choice(("", "more.example ACCEPT\n")))
            os.rename(os.path.join(self.it.folder, "rat.new"), os.path.join(self.it.folder, "rat"))
            bad = dice.random() < 0.2
            conf = CONF.format(**ports, ttl=dice.choice((1, 86400)), policy=dice.choice(("THROTTLED", "ACCEPTED")),
                               other=dice.choice(("else", "fallback")), profile=dice.choice(("c", "routed")),
                               text=dice.choice(("one", "two", "three")))
            self.it.configure(conf + ("colour = red\n" if bad else ""))
            self.it.send_signal(dice.choice((signal.SIGHUP, signal.SIGUSR1)))
            if dice.random() < 0.2:
                self.it.send_signal(signal.SIGHUP)


@tap.part
def all_at_once():
    with DnsServer(ZONE + "h.test A 192.0.2.1") as dns, smtpserver.Server(rcpt=REPLIES, max_errors=5) as smtp:
        ports = {"dns": dns.port, "smtp": smtp.port}
        files = {"rat": RAT, "senders": "198.51.100.0/24\n",
                 "routes": f"slow.example [127.0.0.1]:{smtp.port}\n"}
        first = CONF.format(**ports, ttl=60, policy="ACCEPTED", other="else", profile="c", text="one")
        with House(first, files) as it:
            load = Load(it)
            threads = [threading.Thread(target=load.client, args=(seed,)) for seed in range(12)]
            threads.append(threading.Thread(target=load.reloads, args=(ports,)))
            for thread in threads:
                thread.start()
            time.sleep(SECONDS)
            alive = it.alive()
            load.over.set()
            if alive:
                took = it.stop()  # in the middle of the load
            for thread in threads:
                thread.join()
            good = len(it.find_log(event="reload", detail="the new configuration is in force"))
            bad = len(it.find_log(event="reload", detail="the running configuration stays"))
            tap.note(f"{load.answers} answers, {good} reloads, {bad} of a bad configuration, stopped in {took:.2f} s")
            tap.ok(alive, "the daemon survives")
            tap.eq(load.wrong[:10], [], "every answer is one that some configuration gives")
            tap.ok(load.answers > 100 and good > 10 and bad > 0, "there was load")
            tap.ok(took < 60, "it stops in the middle of the load", took)


tap.done()
