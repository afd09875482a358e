#!/usr/bin/python3
"""A log whose reader stops reading, is not there, or has no room: mail goes on, and so does the end."""
import json
import os
import signal
import socket
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ownhost
from house import AS_ROOT, SLOWNESS, House, wait_until
from tap import Tap

tap = Tap()
CONF = """[policy DEFAULT]
max_invalid_recipients_per_hour = unlimited
[listener in]
rat = rat
[dns]
host_lookup = off
"""
RAT = {"rat": "example.com ACCEPT\n"}
STOP_BOUND = 5 * SLOWNESS
# Waiting for the log took as long as nobody read it.
ANSWER_BOUND = 1 * SLOWNESS
LONG = "x" * 60 + "." + "y" * 60 + "." + "z" * 60
ENOUGH = 40000  # lines of 600 bytes; the daemon keeps 4 MiB and what the target takes


class Unread(House):
    """Nobody reads its standard error from the start line on, until read_on()."""

    def __init__(self, *arguments, **more):
        self.go = threading.Event()
        super().__init__(*arguments, **more)

    def read_log(self, stream):
        first = stream.readline
        while line := first():
            with self.changed:
                self.lines.append(line.decode().rstrip("\n"))
                self.changed.notify_all()
            if b"event=start" in line:
                break
        self.go.wait()
        super().read_log(stream)


class Elsewhere(House):
    """Its log goes where the configuration says, and standard error is for sanitizers."""

    def command(self, *more):
        return super().command(*("-D" if word == "-f" else word for word in more))

    def wait_log(self, *_unused, **_more):  # pylint: disable=arguments-differ
        wait_until(lambda: not self.alive() or (self.has_socket() and self.ctl("status")[0] == 0), "a start")
        return self.alive()


def status(it):
    code, out, err = it.ctl("status", "--json")
    assert code == 0, err
    return json.loads(out)


def flood(it, until):
    """Recipients that are refused until there is enough: (how many, the slowest answer)"""
    count, slowest = 0, 0.0
    with it.session() as mta:
        mta.mail(f"<{'a' * 60}@{LONG}.test>")
        while count < ENOUGH * SLOWNESS and not until():
            for _ in range(1000):
                began = time.monotonic()
                line = mta.rcpt(f"<{'b' * 60}@{LONG}.test>").line
                slowest = max(slowest, time.monotonic() - began)
                assert line.startswith("550 "), line
                count += 1
    return count, slowest


def goes_on(it, name):
    """Until lines are dropped, and after. How many recipients."""
    count, slowest = flood(it, lambda: status(it)["log_dropped"] > 0)
    told = status(it)["log_dropped"]
    tap.ok(told > 0, f"{name}: lines are dropped, and status tells how many", f"{told} of {count}")
    tap.note(f"{name}: {count} recipients, the slowest answer after {slowest * 1000:.0f} ms")
    tap.ok(slowest < ANSWER_BOUND, f"{name}: no answer waits for the log", f"{slowest:.3f} s")
    out = it.ctl("stats", "--prometheus")[1]
    counted = [line.split()[1] for line in out.splitlines() if line.startswith("gatehouse_log_dropped_total ")]
    tap.ok(len(counted) == 1 and int(counted[0]) >= told, f"{name}: ... metrics, too", counted)
    with it.session() as mta:
        tap.eq([mta.mail("<a@b.test>").line, mta.rcpt("<u@example.com>").line], ["continue"] * 2,
               f"{name}: good mail is taken")
    return count


def stop(it, name):
    began = time.monotonic()
    it.send_signal(signal.SIGTERM)
    code = it.process.wait(60)
    took = time.monotonic() - began
    tap.ok(code == 0 and took < STOP_BOUND, f"{name}: SIGTERM ends it in time, status 0", f"{code} after {took:.2f} s")
    if isinstance(it, Unread):
        it.go.set()
    it.stop()


@tap.part
def a_pipe():
    with Unread(CONF, RAT) as it:
        goes_on(it, "a pipe nobody reads")
        stop(it, "a pipe nobody reads")


@tap.part
def a_pipe_that_is_read_again():
    with Unread(CONF, RAT) as it:
        asked = goes_on(it, "a pipe")
        it.go.set()
        line = it.wait_log(event="log")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            mta.rcpt("<v@example.com>")
        it.wait_log(event="rcpt", to="<v@example.com>")
        lost = sum(int(found["dropped"]) for found in it.find_log(event="log"))
        tap.ok("warning" in line[""] and lost == status(it)["log_dropped"],
               "read again: a line says how many were dropped", f"{line}\n{status(it)['log_dropped']}")
        numbers = [int(found["rid"]) for found in it.find_log(event="rcpt", by="rat", code="550")]
        tap.eq(numbers, list(range(len(numbers))), "... those before it are there, in order")
        tap.ok(len(numbers) < asked <= len(numbers) + lost, "... and the others are counted",
               f"{asked} asked for, {len(numbers)} in the log, {lost} dropped")
        stop(it, "a pipe that is read again")


@tap.part
def a_full_disk():
    with Elsewhere(CONF, RAT, gatehouse={"log": "file:/dev/full"}) as it:
        goes_on(it, "a full disk")
        stop(it, "a full disk")


@tap.part
def a_fifo():
    it = Elsewhere(CONF, RAT, gatehouse={"log": "file:run/log"}, start=False)
    path = os.path.join(it.run, "log")
    os.mkfifo(path, 0o666)
    os.chmod(path, 0o666)
    with it:
        it.start()
        tap.ok(it.alive(), "a FIFO without a reader: it starts")
        goes_on(it, "a FIFO without a reader")
        os.rename(path, path + ".1")
        it.send_signal(signal.SIGUSR2)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "lines in the new file")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            mta.rcpt("<v@example.com>")

        def has_line():
            with open(path, encoding="utf-8") as file:
                return [line for line in file if "to=<v@example.com>" in line]

        tap.ok(wait_until(has_line, "the line of a recipient"), "rotation takes it away from a target that is stuck")
        stop(it, "a FIFO without a reader")


@tap.part
def syslog():
    """A /dev of its own for the log socket takes root."""
    if not AS_ROOT:
        return
    with Elsewhere(CONF, RAT, gatehouse={"log": "syslog"}, start=False) as it:
        ownhost.enter_dev(it.folder)
        it.start()
        tap.ok(it.alive(), "no syslogd: it starts")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslogd:
            syslogd.settimeout(30)
            syslogd.bind("/dev/log")
            os.chmod("/dev/log", 0o666)
            first = syslogd.recv(4096).decode()
            tap.ok(first.startswith("<22>") and f" gatehoused[{it.pid}]: event=" in first,
                   "a syslogd that comes later gets the first lines", first)
            goes_on(it, "a syslogd that hangs")
            stop(it, "a syslogd that hangs")


tap.done()
