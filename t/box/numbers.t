#!/usr/bin/python3
"""icid and mid never come again, whatever ends the daemon, and every line has its connection."""
import os
import shutil
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[listener in]
rat = rat
[listener other]
daemon_name = other
rat = rat
"""
RAT = {"rat": "no@example.com REJECT\nexample.com ACCEPT\n"}
SESSIONS = 20
DECISIONS = ("connect", "mail", "rcpt", "eom", "close")


def some_mail(it, seen):
    """Sessions and messages; all that the log numbers, of which none may be in seen."""
    before = len(it.lines)
    for n in range(SESSIONS):
        ip = f"192.0.2.{n}" if n % 2 else f"2001:db8::{n:x}"
        with it.session(ip, macros={"daemon_name": "other"} if n % 3 == 0 else None) as mta:
            mta.mail("<a@b.test>")
            mta.rcpt("<no@example.com>")
            mta.rcpt("<u@example.com>")
            mta.message()
    it.wait_log(event="close", after=before, count=SESSIONS)
    found = []
    for event in DECISIONS:
        found += it.find_log(event=event, after=before)
    numbers = {("icid", line["icid"]) for line in found} | {("mid", line["mid"]) for line in found if "mid" in line}
    tap.eq((len(numbers), numbers & seen), (2 * SESSIONS, set()), "... each number is new")
    seen |= numbers
    return found


@tap.part
def over_restarts():
    seen = set()
    with House(CONF, RAT) as it:
        some_mail(it, seen)
        for name, end in (("stop", it.stop), ("kill -9", it.kill)):
            end()
            it.start()
            tap.ok(True, f"after {name}")
            some_mail(it, seen)
        it.configure(CONF, mode="monitor")
        it.stop()
        it.start()
        tap.ok(True, "mode = monitor")
        some_mail(it, seen)
        it.reload()
        some_mail(it, seen)
        it.kill()
        shutil.rmtree(os.path.join(it.run, "state"))
        it.start()
        tap.ok(True, "state_dir is lost")
        some_mail(it, seen)
        it.kill()
        os.mkdir(os.path.join(it.run, "state", "numbers.new"))
        it.start()
        tap.ok(it.find_log(event="state", level="error") or any("numbers of connections" in line for line in it.lines),
               "state_dir cannot be written: the log says so", it.lines)
        some_mail(it, seen)
        it.kill()
        it.start()
        tap.ok(True, "... and once more")
        some_mail(it, seen)
        os.rmdir(os.path.join(it.run, "state", "numbers.new"))


@tap.part
def every_line_says_where():
    with House(CONF, RAT) as it:
        found = some_mail(it, set())
        of = {line["icid"]: (line["listener"], line["ip"]) for line in found if line["event"] == "connect"}
        tap.eq(len(of), SESSIONS, "each connection has a line")
        tap.eq({tuple(line.get(key) for key in ("listener", "ip")) == of[line["icid"]] for line in found}, {True},
               "listener and ip are the same in all lines of a connection")
        tap.eq({event: len([line for line in found if line["event"] == event]) for event in DECISIONS},
               {"connect": SESSIONS, "mail": SESSIONS, "rcpt": 2 * SESSIONS, "eom": SESSIONS, "close": SESSIONS},
               "... and there are all of them")
        heads = {" ".join(pair.split("=")[0] for pair in line.split(" event=")[0].split(" info ")[-1].split()) +
                 " | " + " ".join(pair.split("=")[0] for pair in line.split(" event=")[1].split()[1:3])
                 for line in it.lines if " info icid=" in line}
        tap.eq(heads, {"icid | listener ip", "icid mid | listener ip", "icid mid rid | listener ip"}, "... first of all")


tap.done()
