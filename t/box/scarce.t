#!/usr/bin/python3
"""Descriptors, threads and memory run short: that session tempfails, the daemon goes on (SPEC 15)."""
import os
import pwd
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import AS_ROOT, BUILD, USER, House, wait_until
from milter_client import Closed
from tap import Tap

tap = Tap()
CONF = """[listener in]
rat = rat
callahead = c
[callahead c]
type = static
servers = 127.0.0.1:%d
idle_timeout = 1s
[dns]
servers = 127.0.0.1:%d
timeout = 1s
"""
RAT = {"rat": "slow.example ACCEPT\nfast.example ACCEPT {bypass_callahead}\n"}
EXCUSE = "451 4.4.3 Recipient verification unavailable"


def limit(it, what, soft):
    """As the daemon's user: root in a container may not."""
    who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if AS_ROOT else {}
    subprocess.run(["prlimit", f"--pid={it.pid}", f"--{what}={soft}:"], check=True, **who)


def serves(it, address="<u@fast.example>"):
    """The answers to a session; None where one of them did not come."""
    try:
        with it.session() as mta:
            return [mta.greeting.line, mta.mail("<a@b.test>").line, mta.rcpt(address).line]
    except (Closed, OSError):
        return None


def descriptors(it):
    return len(os.listdir(f"/proc/{it.pid}/fd"))


@tap.part
def no_descriptors():
    with smtpserver.Server() as smtp, DnsServer() as dns, House(CONF % (smtp.port, dns.port), RAT) as it:
        tap.eq(serves(it, "<u@slow.example>"), ["continue"] * 3, "before")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            limit(it, "nofile", 3)
            wait_until(lambda: smtp.stats()["open"] == 0, "the idle connection is closed")
            tap.eq(mta.rcpt("<v@slow.example>").line, EXCUSE, "no descriptor: call-ahead gives the failure action")
            tap.eq(mta.rcpt("<u@fast.example>").line, "continue", "... and the session goes on")
            late = [it.dial() for _ in range(20)]  # in the kernel's queue
            time.sleep(0.3)
            limit(it, "nofile", 1024)
            for other in late:
                other.negotiate()
                other.connect("192.0.2.1")
                other.quit()
                other.close()
            tap.ok(True, "connections that had to wait are served when there are descriptors again")
            wait_until(lambda: mta.rcpt("<v@slow.example>").line == "continue", "the pause of the server is over")
            tap.ok(True, "... and so is call-ahead")
        tap.eq(serves(it), ["continue"] * 3, "after")
        it.wait_log(event="close", count=23)
        wait_until(lambda: descriptors(it) < 40, "descriptors fall back")


@tap.part
def no_threads():
    """libmilter leaves a session alone that it has no thread for; the MTA's patience ends that."""
    with smtpserver.Server() as smtp, DnsServer() as dns, House(CONF % (smtp.port, dns.port), RAT) as it:
        opened = [it.dial(timeout=2).negotiate() for _ in range(20)]
        for mta in opened:
            mta.connect("192.0.2.1")
            mta.mail("<a@b.test>")
        limit(it, "nproc", 1)
        began = time.monotonic()
        tap.eq(opened[0].rcpt("<u@slow.example>").line, EXCUSE, "no thread: call-ahead gives the failure action")
        tap.ok(time.monotonic() - began < 5, "... at once")
        results = []

        def ask(number, mta):
            try:
                results.append(mta.rcpt(f"<u{number}@slow.example>").line)
            except (Closed, OSError):
                results.append("given up")

        threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(opened)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.note(f"{results.count('given up')} of {len(results)} sessions got no answer")
        tap.ok(set(results) <= {EXCUSE, "given up"}, "no thread: nobody is accepted or refused for it", results)
        tap.ok(it.alive(), "no thread: the daemon lives")
        limit(it, "nproc", 10000)
        for mta in opened:
            mta.close()
        wait_until(lambda: serves(it, "<u@slow.example>") == ["continue"] * 3, "the pause of the server is over")
        tap.ok(True, "threads again: call-ahead goes on")


def sanitized():
    with open(os.path.join(BUILD, "config.status"), encoding="utf-8") as file:
        return "-fsanitize" in file.read()


@tap.part
def no_memory():
    """Every allocation may fail; what does not is up to libmilter and the C library."""
    if sanitized():
        tap.note("sanitizers end a program that has no memory")
        return
    with smtpserver.Server() as smtp, DnsServer() as dns, House(CONF % (smtp.port, dns.port), RAT) as it:
        tap.eq(serves(it, "<u@slow.example>"), ["continue"] * 3, "before")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            with open(f"/proc/{it.pid}/statm", encoding="ascii") as file:
                pages = int(file.read().split()[0])
            limit(it, "as", pages * os.sysconf("SC_PAGESIZE"))
            said = set()
            for n in range(40):
                if n % 10 == 9:
                    mta.abort()
                    mta.mail("<" + "x" * 200 + "@b.test>")
                said.add(mta.rcpt(f"<{'u' * 200}{n}@slow.example>").line)
            cut = 0
            for n in range(40):
                try:
                    with it.session(timeout=5) as other:
                        other.macros("M", auth_authen="x" * 60000)
                        other.mail("<" + "x" * 60000 + "@b.test>")
                except (Closed, OSError):
                    cut += 1
            tap.note(f"answers {sorted(said)}, {cut} of 40 sessions cut")
            tap.ok(it.alive(), "no memory: the daemon lives")
            tap.ok(all(line == "continue" or line[0] == "4" for line in said), "no memory: accepted or tempfailed", said)
            before = len(it.lines)
            it.send_signal(1)
            it.wait_log(after=before, event="reload")
            limit(it, "as", "unlimited")
        tap.eq(serves(it), ["continue"] * 3, "after")
        it.reload()
        tap.eq(serves(it), ["continue"] * 3, "after a reload")


@tap.part
def clients_that_vanish():
    """The MTA hangs up in the middle of an answer."""
    zone = "".join(f"{n}.2.0.192.in-addr.arpa !nxdomain !delay=300\n" for n in range(1, 21))
    with smtpserver.Server(rcpt=[["^wait", "delay:0.3:250 Ok"]]) as smtp, DnsServer(zone) as dns:
        with House(CONF % (smtp.port, dns.port), RAT) as it:
            for n in range(1, 21):
                mta = it.dial()
                mta.negotiate()
                mta.steps |= 0x1000 | 0x8000  # no waiting
                mta.connect(f"192.0.2.{n if n % 2 else 200 + n}")
                if n % 2 == 0:
                    mta.answer()
                    mta.mail("<a@b.test>")
                    mta.rcpt(f"<wait{n}@slow.example>")
                time.sleep(0.02)
                mta.close()
            counts = [len(it.find_log(event=event)) for event in ("connect", "rcpt")]
            tap.note(f"before the answers: {counts[0]} connects, {counts[1]} recipients in the log")
            it.wait_log(event="connect", count=20)
            wait_until(lambda: len(it.find_log(event="close")) == 20, "all sessions are closed")
            tap.ok(it.alive() and counts[1] < 10, "20 sessions that hang up while they are answered", counts)
            tap.eq(serves(it), ["continue"] * 3, "... the next one is served")


tap.done()
