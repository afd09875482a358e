#!/usr/bin/python3
"""The end of a daemon, and the next one."""
import os
import signal
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import SLOWNESS, House, listener_pid, wait_until
from milter_client import Closed
from tap import Tap

tap = Tap()
CONF = "[listener in]\nrat = rat\n[dns]\n"
OFF = CONF + "host_lookup = off\n"
RAT = {"rat": "example.com ACCEPT\n"}
BOUND = 5  # seconds, at any load and however slow the build; a stop takes milliseconds
STOPPING = "451 4.3.2 Service is stopping, try again later"


def serves(it):
    with it.session() as mta:
        return [mta.greeting.line, mta.mail("<a@b.test>").line, mta.rcpt("<u@example.com>").line]


@tap.part
def no_sessions():
    for number in (signal.SIGTERM, signal.SIGINT):
        with House(OFF, RAT) as it:
            tap.eq(serves(it), ["continue"] * 3, "it serves")
            took = it.stop(number)
            tap.ok(took < BOUND, f"{number.name}: ends soon, with status 0", f"{took:.2f} s")
            tap.ok(not it.has_socket(), f"{number.name}: no socket is left")
            tap.ok(it.find_log(event="stop"), f"{number.name}: the log has it")


@tap.part
def idle_sessions():
    with House(OFF + "[policy DEFAULT]\nmax_connections_per_ip = 20\n", RAT) as it:
        open_ones = [it.dial() for _ in range(20)]
        for n, mta in enumerate(open_ones):
            mta.negotiate()
            if n > 0:
                mta.connect("192.0.2.1")
            if n > 1:
                mta.mail("<a@b.test>")
            if n > 2:
                mta.rcpt("<u@example.com>")
        took = it.stop()
        tap.ok(took < BOUND, "sessions at every stage: ends soon", f"{took:.2f} s")
        tap.ok(all(mta.is_closed() for mta in open_ones), "all their connections are closed")
        for mta in open_ones:
            mta.close()


@tap.part
def slow_callbacks():
    """Nobody is waited for: what could not be found out in time is a tempfail."""
    zone = "1.2.0.192.in-addr.arpa !nxdomain !delay=3000\n2.2.0.192.in-addr.arpa !drop"
    with DnsServer(zone) as dns, smtpserver.Server(rcpt=[["", "delay:3:550 5.1.1 no"]]) as smtp:
        servers = f"servers = 127.0.0.1:{dns.port}\ntimeout = 20s\ntries = 1\n"
        callahead = f"[callahead c]\ntype = static\nfailure_action = accept\nservers = 127.0.0.1:{smtp.port}\n"
        conf = "[listener in]\nrat = rat\ncallahead = c\n" + callahead + "[dns]\n" + servers
        with House(conf, RAT) as it:
            idle = it.dial().negotiate()
            answers = {}

            def client(ip):
                try:
                    with it.session(ip) as mta:
                        answers[ip] = mta.greeting.line
                        if mta.greeting.line == "continue":
                            mta.mail("<a@b.test>")
                            answers[ip] = mta.rcpt("<u@example.com>").line
                except (Closed, OSError) as error:
                    answers[ip] = repr(error)

            threads = [threading.Thread(target=client, args=(f"192.0.2.{n}",)) for n in (1, 2, 3)]
            for thread in threads:
                thread.start()
            it.wait_log(event="mail")
            wait_until(lambda: smtp.stats()["rcpt"] > 0, "the mailbox host is asked")
            time.sleep(0.3)
            took = it.stop()
            for thread in threads:
                thread.join()
            idle.close()
            tap.eq(answers, {f"192.0.2.{n}": STOPPING for n in (1, 2, 3)},
                   "callbacks under way end in a tempfail, whatever the failure action is")
            tap.ok(took < BOUND, "the end does not wait for name servers or mailbox hosts", f"{took:.2f} s")
            tap.eq(len(it.find_log(by="limit", detail="stopping", verdict="tempfail")), 3, "their lines are in the log")


@tap.part
def during_a_reload():
    rat = "".join(f"u{n}@big.example ACCEPT\n" for n in range(40000))
    with House(OFF, {"rat": rat}) as it:
        it.send_signal(signal.SIGHUP)
        time.sleep(0.02)
        took = it.stop()
        tap.ok(took < 2 * BOUND, "SIGTERM during a reload", f"{took:.2f} s")
    with House(OFF, RAT) as it:
        for _ in range(20):
            it.send_signal(signal.SIGHUP)
        it.send_signal(signal.SIGTERM)
        it.send_signal(signal.SIGTERM)
        took = it.stop()
        tap.ok(took < BOUND, "SIGTERM among SIGHUPs", f"{took:.2f} s")


def lengthen(path):
    """Reading it takes many seconds."""
    with open(path, "ab") as table:
        for _ in range(600):
            table.write(b"#\n" * (1 << 19))


@tap.part
def while_reading():
    """It is given up, so that the rest of the end is as it is at any other time."""
    with House(OFF, RAT) as it:
        lengthen(os.path.join(it.folder, "rat"))
        it.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        it.send_signal(signal.SIGTERM)
        took = it.stop()
        tap.ok(took < BOUND, "SIGTERM during a long reload", f"{took:.2f} s")
        tap.ok(it.find_log(event="stop", detail="stopped with 0 sessions open"), "... and the end is a clean one")
        tap.eq(it.find_log(event="reload", detail="done"), [], "... of a reload that was not done")
    it = House(OFF, RAT, start=False)
    lengthen(os.path.join(it.folder, "rat"))
    # pylint: disable-next=consider-using-with
    started = subprocess.Popen(it.command("-f"), stderr=subprocess.PIPE)
    wait_until(it.has_socket, "its socket, before it reads tables")
    time.sleep(0.5)
    began = time.monotonic()
    started.send_signal(signal.SIGTERM)
    words = started.communicate(timeout=60)[1].decode()
    took = time.monotonic() - began
    tap.eq(started.returncode, 0, "SIGTERM during a long start: status 0")
    tap.ok(took < BOUND, "... within its time", f"{took:.2f} s")
    tap.ok("the program is ending" in words and not it.has_socket(), "... and nothing is left", words)
    it.remove()


@tap.part
def killed():
    with House(OFF, RAT) as it:
        with it.session() as mta:
            mta.mail("<a@b.test>")
            it.kill()
            tap.ok(mta.is_closed(), "killed: the session is cut")
        tap.ok(it.has_socket(), "killed: its socket is left")
        began = time.monotonic()
        it.start()
        took = time.monotonic() - began
        tap.note(f"restart in {took * 1000:.0f} ms")
        tap.ok(took < BOUND, "the next one starts at once", f"{took:.2f} s")
        tap.eq(serves(it), ["continue"] * 3, "... on the socket that was left")
    for at in ("inet", "inet6"):
        with House(OFF, RAT, at=at) as it:
            with it.session() as mta:
                mta.mail("<a@b.test>")
                it.kill()
                it.start()
                tap.eq(serves(it), ["continue"] * 3, f"{at}: the port is taken again at once")
            took = it.stop()
            it.start()
            tap.eq(serves(it), ["continue"] * 3, f"{at}: ... and after a clean end")


@tap.part
def a_successor():
    """Started while the old one waits for its last callback: it keeps its socket."""
    with DnsServer("1.2.0.192.in-addr.arpa !drop") as dns:
        with House(CONF + f"servers = 127.0.0.1:{dns.port}\ntimeout = 3s\ntries = 1\n", RAT) as old:
            new = House(OFF, RAT, gatehouse={"socket": f"unix:{old.address}"}, start=False)
            new.address = old.address

            def client():
                try:
                    with old.session("192.0.2.1"):
                        pass
                except (Closed, OSError):
                    pass

            waiting = threading.Thread(target=client)
            waiting.start()
            time.sleep(0.5)
            old.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            began = time.monotonic()
            while True:
                try:
                    new.start()
                    break
                except AssertionError:  # the old one still listens
                    if time.monotonic() - began > 20:
                        raise
                    time.sleep(0.1)
            overlapped = old.alive()
            waiting.join()
            old.stop()
            tap.note(f"the successor started {'before' if overlapped else 'after'} the old one's end")
            tap.ok(os.path.exists(new.address), "the successor's socket is still there")
            tap.eq(listener_pid(new.address), new.pid, "the successor listens on it")
            tap.eq(serves(new), ["continue"] * 3, "... and serves")
            new.stop()
            new.remove()


tap.done()
