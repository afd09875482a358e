#!/usr/bin/python3
"""Descriptors, threads and memory run short: that session tempfails, the daemon goes on."""
import json
import os
import pwd
import resource
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import AS_ROOT, BUILD, SLOWNESS, USER, House, wait_until
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
timeout = 3s
[dns]
servers = 127.0.0.1:%d
timeout = 1s
"""
RAT = {"rat": "slow.example ACCEPT\nfast.example ACCEPT {bypass_callahead}\n"}
EXCUSE = "451 4.4.3 Recipient verification unavailable"
SHORT = "451 4.3.0 Temporary local problem"
LATE = 0.5 * SLOWNESS  # seconds: a machine that others use as well


def limit(it, what, soft):
    """As the daemon's user: root in a container may not."""
    who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if AS_ROOT else {}
    subprocess.run(["prlimit", f"--pid={it.pid}", f"--{what}={soft}:"], check=True, **who)


def serves(it, address="<u@fast.example>"):
    """The answers to a session; None where one of them did not come."""
    try:
        with it.session() as mta:
            if mta.greeting.line != "continue":
                return [mta.greeting.line]
            return [mta.greeting.line, mta.mail("<a@b.test>").line, mta.rcpt(address).line]
    except (Closed, OSError):
        return None


def told(it, what):
    """A number of status, which metrics have as well, once it does not grow any more."""
    for _ in range(10):
        number = json.loads(it.ctl("status", "--json")[1])[what]
        if f"gatehouse_{what}_total {number}" in it.ctl("stats", "--prometheus")[1].splitlines():
            return number
    return -1


def descriptors(it):
    return len(os.listdir(f"/proc/{it.pid}/fd"))


def cpu_seconds(it):
    with open(f"/proc/{it.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@tap.part
def no_descriptors():
    with smtpserver.Server() as smtp, DnsServer() as dns, House(CONF % (smtp.port, dns.port), RAT) as it:
        tap.eq(serves(it, "<u@slow.example>"), ["continue"] * 3, "before")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            limit(it, "nofile", 3)
            wait_until(lambda: smtp.stats()["open"] == 0, "the idle connection is closed")
            for n in range(20):
                if mta.rcpt(f"<v{n}@slow.example>").line != EXCUSE:
                    tap.ok(False, "no descriptor: call-ahead gives another answer")
            tap.eq(mta.rcpt("<v@slow.example>").line, EXCUSE, "no descriptor: call-ahead gives the failure action")
            it.wait_log(event="callahead")
            tap.ok(not it.find_log(event="callahead_pause"), "... which is no fault of the mailbox host")
            tap.eq(len([line for line in it.lines if "127.0.0.1" in line and "short of a resource" in line]), 1,
                   "... and told once")
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
            tap.eq(mta.rcpt("<v@slow.example>").line, "continue", "... and so is call-ahead, at once")
        tap.eq(serves(it), ["continue"] * 3, "after")
        it.wait_log(event="close", count=23)
        wait_until(lambda: descriptors(it) < 40, "descriptors fall back")


def all_at_once(opened, command):
    """Each session gets its command in a thread of its own: [(seconds, answer)]; "none" for no answer."""
    results = []

    def one(number, mta):
        began = time.monotonic()
        try:
            answer = command(number, mta).line
        except (Closed, OSError):
            answer = "none"
        results.append((time.monotonic() - began, answer))

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(opened)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def report(name, results, deadline):
    slowest = max(seconds for seconds, _ in results)
    answers = [answer for _, answer in results]
    tap.note(f"{name}: slowest {slowest:.3f} s; " + ", ".join(f"{answers.count(a)} x {a}" for a in sorted(set(answers))))
    tap.ok("none" not in answers, f"{name}: everybody gets an answer")
    tap.ok(slowest < deadline + LATE, f"{name}: ... within command_deadline", f"{slowest:.2f} s")
    return set(answers)


@tap.part
def no_threads():
    """Nobody is forgotten: who would have to wait is tempfailed, by threads held back for that."""
    zone = "".join(f"{n}.3.0.192.in-addr.arpa !drop\n" for n in range(1, 61))
    with smtpserver.Server() as smtp, DnsServer(zone) as dns:
        conf = CONF % (smtp.port, dns.port) + "tries = 1\n"
        with House(conf.replace("timeout = 1s", "timeout = 3s"), RAT, gatehouse={"command_deadline": "3s"}) as it:
            opened = [it.dial(timeout=20).negotiate() for _ in range(20)]
            for n, mta in enumerate(opened):
                mta.connect(f"192.0.2.{n + 1}")
                mta.mail("<a@b.test>")
            fresh = [it.dial(timeout=20).negotiate() for _ in range(60)]
            limit(it, "nproc", 1)
            said = report("60 that wait for a name server", all_at_once(
                fresh, lambda n, mta: mta.connect(f"192.0.3.{n + 1}")), 3)
            tap.ok(said <= {"continue", SHORT}, "... the answers", said)
            tap.ok(SHORT in said, "... who need not wait long is told that we are short of a resource", said)
            said = report("20 that need a mailbox host", all_at_once(
                opened, lambda n, mta: mta.rcpt(f"<u{n}@slow.example>")), 3)
            tap.ok(said <= {EXCUSE, SHORT}, "... nobody is accepted or refused for it", said)
            tap.ok(it.wait_log(event="shortage", optional=True), "the log says that threads are short")
            tap.ok(told(it, "thread_shortages") > 0, "... and status and metrics count them")
            limit(it, "nproc", 10000)
            for mta in opened + fresh:
                mta.close()
            wait_until(lambda: serves(it, "<u@slow.example>") == ["continue"] * 3, "call-ahead goes on")
            tap.ok(not it.find_log(event="callahead_pause"), "threads again: all goes on, no host had a pause")
            tap.ok(len(it.find_log(event="shortage")) <= 1, "one line a minute", it.find_log(event="shortage"))
            tap.eq(it.find_log(event="libmilter"), [], "... also from libmilter")


@tap.part
def few_descriptors():
    """40 in all, and 60 MTAs."""
    with smtpserver.Server() as smtp, DnsServer() as dns:
        with House(CONF % (smtp.port, dns.port), RAT, gatehouse={"command_deadline": "3s"}, start=False) as it:
            it.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
            opened, before = [it.dial(timeout=10) for _ in range(60)], cpu_seconds(it)

            def come_to_rcpt(number, mta):
                mta.negotiate()
                greeting = mta.connect(f"192.0.2.{number + 1}")
                if greeting.line != "continue":
                    return greeting
                mta.mail("<a@b.test>")
                return mta.rcpt(f"<u{number}@slow.example>")

            began = time.monotonic()
            said = report("60 sessions with 40 descriptors", all_at_once(opened, come_to_rcpt), 3)
            tap.ok(said <= {"continue", "tempfail"}, "... accepted or tempfailed", said)
            tap.ok("continue" in said, "... some are served", said)
            status, out, err = it.ctl("status")
            tap.ok(status == 0, "gatehousectl status is answered meanwhile", out + err)
            tap.ok(told(it, "descriptor_shortages") >= 40, "... and counts those turned away", out)
            while time.monotonic() < began + 2:
                time.sleep(0.1)
            used = cpu_seconds(it) - before
            tap.ok(used < 1.0 * SLOWNESS, "the daemon does not spin", f"{used:.2f} s of {time.monotonic() - began:.2f} s")
            tap.ok(it.wait_log(event="shortage", optional=True), "the log says that descriptors are short")
            tap.ok(not it.find_log(event="callahead_pause"), "no mailbox host is paused for it")
            for mta in opened:
                mta.close()
            wait_until(lambda: serves(it, "<u@slow.example>") == ["continue"] * 3, "sessions are served again")
            tap.ok(True, "fewer sessions: all goes on")


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
