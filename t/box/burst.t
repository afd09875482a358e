#!/usr/bin/python3
"""Many sessions that wait at the same instant do not wait for each other (DESIGN 4, 8)."""
import os
import selectors
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import PATIENCE, House
from milter_client import connect_data
from tap import Tap

tap = Tap()
CONF = """[policy ACCEPTED]
max_recipients_per_message = 1000
[listener in]
rat = rat
callahead = c
[callahead c]
type = static
max_connections_per_server = 100
servers = 127.0.0.1:%d
[dns]
servers = 127.0.0.1:%d
timeout = 10s
"""
RAT = {"rat": "slow.example ACCEPT\nfast.example ACCEPT {bypass_callahead}\n"}
WAIT = 0.3
# What cannot be noise. Sessions in a row would take 9 s and 30 s; two at a time half of it.
BOUNDS = {30: 2.0, 100: 5.0}


def at_once(it, opened, command, words):
    """Sends each session its command while the daemon is stopped, so that all become readable in the
    same instant: [(seconds, answer)]"""
    results = {}
    with selectors.DefaultSelector() as selector:
        with it.frozen():
            for mta, word in zip(opened, words):
                mta.send(command, word)
                selector.register(mta.socket, selectors.EVENT_READ, mta)
        began = time.monotonic()
        while len(results) < len(opened):
            for key, _ in selector.select(PATIENCE):
                results[key.data] = (time.monotonic() - began, key.data.answer().line)
                selector.unregister(key.fileobj)
            if time.monotonic() > began + PATIENCE:
                raise TimeoutError(f"{len(results)} of {len(opened)} answers")
    return [results[mta] for mta in opened]


def recipients(words):
    return [b"<%s@%s.example>\0" % (word.encode(), b"fast" if word == "u" else b"slow") for word in words]


def report(name, results, bound):
    times = sorted(seconds for seconds, _ in results)
    tap.note(f"{name}: median {times[len(times) // 2]:.3f} s, slowest {times[-1]:.3f} s")
    tap.ok(times[-1] < bound, f"{name}: all are answered within {bound} s", f"{times[-1]:.3f} s")


def sessions(it, number):
    """Sessions that have come to RCPT."""
    opened = []
    for n in range(number):
        mta = it.dial().negotiate()
        mta.connect(f"192.0.2.{n % 250 + 1}")
        mta.mail("<a@b.test>")
        opened.append(mta)
    return opened


def close(opened):
    for mta in opened:
        mta.quit()
        mta.close()


@tap.part
def name_servers():
    """PTR look-ups of 300 ms each, at connect."""
    zone = "".join(f"{n}.{net}.0.192.in-addr.arpa !nxdomain !delay={int(WAIT * 1000)}\n"
                   for n in range(1, 101) for net in BOUNDS)
    with DnsServer(zone) as dns, House(CONF % (1, dns.port), RAT) as it:
        for number, bound in BOUNDS.items():
            opened = [it.dial().negotiate() for _ in range(number)]
            results = at_once(it, opened, b"C", [connect_data(f"192.0.{number}.{n + 1}") for n in range(number)])
            tap.eq({answer for _, answer in results}, {"continue"}, f"{number} connects: the answers")
            tap.ok(min(seconds for seconds, _ in results) > WAIT * 0.9, f"{number} connects: they did wait", results)
            report(f"{number} connects of {WAIT} s", results, bound)
            close(opened)


@tap.part
def mailbox_hosts():
    """Recipients that the mailbox host thinks about for 300 ms, at RCPT."""
    replies = [["^no", f"delay:{WAIT}:550 5.1.1 no"], ["^yes", f"delay:{WAIT}:250 2.1.5 Ok"]]
    with smtpserver.Server(rcpt=replies) as smtp, DnsServer() as dns:
        with House(CONF % (smtp.port, dns.port), RAT) as it:
            for number, bound in BOUNDS.items():
                opened = sessions(it, number)
                words = [f"{'yes' if n % 2 else 'no'}.{number}.{n}" for n in range(number)]
                results = at_once(it, opened, b"R", recipients(words))
                tap.eq([answer for _, answer in results],
                       ["continue" if word.startswith("yes") else "550 5.1.1 User unknown" for word in words],
                       f"{number} recipients: each gets its own answer")
                report(f"{number} recipients of {WAIT} s", results, bound)
                again = at_once(it, opened, b"R", recipients(words))
                report(f"{number} recipients known by now", again, bound)
                close(opened)


@tap.part
def the_same_recipient():
    """One question for all who want to know the same."""
    with smtpserver.Server(rcpt=[["^one", f"delay:{WAIT}:250 2.1.5 Ok"]]) as smtp, DnsServer() as dns:
        with House(CONF % (smtp.port, dns.port), RAT) as it:
            opened = sessions(it, 30)
            results = at_once(it, opened, b"R", recipients(["one"] * 30))
            tap.eq({answer for _, answer in results}, {"continue"}, "30 times the same: the answers")
            tap.eq(smtp.stats()["rcpt"], 1, "30 times the same: asked once")
            report("30 times the same recipient", results, BOUNDS[30])
            close(opened)


@tap.part
def fast_ones():
    """Who need not wait is not held up by those who must."""
    with smtpserver.Server(rcpt=[["^yes", "delay:2:250 2.1.5 Ok"]]) as smtp, DnsServer() as dns:
        with House(CONF % (smtp.port, dns.port), RAT) as it:
            opened = sessions(it, 60)
            words = [f"yes.{n}" for n in range(30)] + ["u"] * 30
            results = at_once(it, opened, b"R", recipients(words))
            tap.eq({answer for _, answer in results}, {"continue"}, "slow and fast: the answers")
            report("30 fast ones among 30 of 2 s", results[30:], 1.5)
            report("30 of 2 s among fast ones", results[:30], 5)
            close(opened)


@tap.part
def a_dead_host():
    """A host that accepts and says nothing: the failure action at the deadline, then at once."""
    with smtpserver.Server(banner="hang") as smtp, DnsServer() as dns:
        conf = CONF % (smtp.port, dns.port)
        with House(conf.replace("type = static\n", "type = static\ntimeout = 1s\n"), RAT,
                   gatehouse={"command_deadline": "2s"}) as it:
            opened = sessions(it, 30)
            words = recipients([f"a{n}" for n in range(30)])
            results = at_once(it, opened, b"R", words)
            tap.eq({answer for _, answer in results}, {"451 4.4.3 Recipient verification unavailable"}, "dead: the answers")
            report("30 recipients of a dead host", results, 3)
            results = at_once(it, opened, b"R", words)
            report("30 more while it pauses", results, 2)
            tap.eq(opened[0].rcpt("<u@fast.example>").line, "continue", "dead: others are unaffected")
            close(opened)


tap.done()
