#!/usr/bin/python3
"""Reloads: what a session keeps, what a message sees, what a bad file cannot do (DESIGN 3, 4)."""
import os
import signal
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from house import DAEMON, House
from milter_client import Closed
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[listener in]
daemon_name = in
rat = rat
[listener other]
rat = rat
"""
ACCEPT_A, ACCEPT_B = "a.example ACCEPT\n", "b.example ACCEPT\n"
NO = "550 5.1.0 Address rejected"


def rcpt(mta, address):
    return mta.rcpt(address).line


def new_message(mta):
    mta.abort()
    return mta.mail("<s@x.test>").line


def sees(it, address, **macros):
    """What a new session says, up to a refusal."""
    with it.session(macros={"daemon_name": "in", **macros}) as mta:
        said = [mta.greeting.line, mta.mail("<s@x.test>").line]
        return said + [rcpt(mta, address)] if said[1] == "continue" else said


@tap.part
def what_is_pinned():
    with House(CONF, {"rat": ACCEPT_A}, {"reload_guard": 0}) as it, it.session(macros={"daemon_name": "in"}) as mta:
        tap.eq((new_message(mta), rcpt(mta, "<u@a.example>")), ("continue", "continue"), "before: a.example")
        it.write("rat", ACCEPT_B)
        it.configure(CONF.replace("[listener in]\n", "[listener in]\nreject_at = mail\ndefault_policy = BLOCKED\n"))
        log = it.reload()
        tap.ok(any("reject_at" in line and "BLOCKED" not in line for line in log), "a changed key is logged", log)
        tap.eq((rcpt(mta, "<u@a.example>"), rcpt(mta, "<u@b.example>")), ("continue", NO),
               "in the middle of a message: still the old RAT")
        tap.eq((new_message(mta), rcpt(mta, "<u@a.example>"), rcpt(mta, "<u@b.example>")),
               ("continue", NO, "continue"), "next message: the new RAT, the old policy")
        tap.eq(sees(it, "<u@b.example>"), ["continue", "554 5.7.1 Access denied"], "next session: the new policy")
        it.configure("[dns]\nhost_lookup = off\n[listener fallback]\nrat = rat\n")
        it.reload()
        tap.eq((new_message(mta), rcpt(mta, "<u@b.example>"), rcpt(mta, "<u@a.example>")),
               ("continue", NO, "continue"), "the listener is gone: its sessions have what it had when they came")
        tap.eq(sees(it, "<u@b.example>"), ["continue"] * 3, "new sessions come to the fallback")
        it.configure(CONF)
        it.write("rat", ACCEPT_A)
        it.reload(signal.SIGUSR1)
        tap.eq((new_message(mta), rcpt(mta, "<u@b.example>"), rcpt(mta, "<u@a.example>")),
               ("continue", NO, "continue"), "the listener is back, by USR1")
        it.configure(CONF.replace("[listener in]\n", "[policy ACCEPTED]\nmax_recipients_per_message = 1\n[listener in]\n"))
        it.reload()
        tap.eq((new_message(mta), rcpt(mta, "<u@a.example>"), rcpt(mta, "<v@a.example>")),
               ("continue", "continue", "continue"), "limits are those of the connection's policy")


@tap.part
def bad_configurations():
    with House(CONF, {"rat": ACCEPT_A}) as it:
        for name, conf, rat, wanted in (
            ("unknown key", CONF + "colour = red\n", ACCEPT_A, "colour"),
            ("two mistakes", CONF + "colour = red\nreject_at = never\n", ACCEPT_A, "reject_at"),
            ("bad RAT", CONF, "a.example MAYBE\n", "/rat:1:"),
            ("no listener", "[dns]\n", ACCEPT_A, "listener"),
            ("empty file", "", ACCEPT_A, "listener"),
            ("missing RAT", CONF.replace("rat = rat", "rat = gone"), ACCEPT_A, "/gone"),
        ):
            it.configure(conf)
            it.write("rat", rat)
            log = it.reload(good=False)
            tap.ok(any("event=configuration" in line and wanted in line for line in log), f"{name}: logged", log)
            tap.eq(sees(it, "<u@a.example>"), ["continue"] * 3, f"{name}: the old one stays in force")
        os.unlink(it.path)
        log = it.reload(good=False)
        tap.ok(any("gatehouse.conf" in line and "No such file" in line for line in log), "no file: logged", log)
        tap.eq(sees(it, "<u@a.example>"), ["continue"] * 3, "no file: the old one stays in force")
        it.configure(CONF)
        it.write("rat", ACCEPT_B)
        it.reload()
        tap.eq(sees(it, "<u@b.example>"), ["continue"] * 3, "a good one is taken again")
        it.configure(CONF, socket="unix:run/other.sock")
        log = it.reload()
        tap.ok(any("after a restart" in line for line in log), "a new socket waits for a restart, and the log says so", log)
        tap.eq(sees(it, "<u@b.example>"), ["continue"] * 3, "... and the old one is served")


def point(link, target):
    os.symlink(target, link + ".new")
    os.rename(link + ".new", link)


@tap.part
def links():
    """A configuration that is a link: paths start where it is named, and a new target is seen."""
    with House(CONF, {"rat": ACCEPT_A}, start=False) as it:
        for version in ("v1", "v2"):
            os.mkdir(os.path.join(it.folder, version))
        os.rename(it.path, os.path.join(it.folder, "v1", "conf"))
        it.configure(CONF.replace("rat = rat", "rat = v2/rat"))
        os.rename(it.path, os.path.join(it.folder, "v2", "conf"))
        it.write("v2/rat", ACCEPT_B)
        point(it.path, "v1/conf")
        tap.eq(it.ctl("check")[0], 0, "check follows the link")
        it.start()
        tap.eq(sees(it, "<u@a.example>"), ["continue"] * 3, "the daemon does, and finds the RAT where check did")
        point(it.path, "v2/conf")
        it.reload()
        tap.eq(sees(it, "<u@b.example>"), ["continue"] * 3, "a reload follows it to its new target")


@tap.part
def relative_name():
    with House(CONF, {"rat": ACCEPT_A}, start=False) as it:
        it.command = lambda *more: [DAEMON, "-c", "gatehouse.conf", *more]
        it.start(cwd=it.folder)
        it.write("rat", ACCEPT_B)
        it.reload()
        tap.eq(sees(it, "<u@b.example>"), ["continue"] * 3, "a relative name of the configuration")


@tap.part
def call_ahead_and_policies():
    """A profile that changes under its connections and cache."""
    conf = """[dns]
host_lookup = off
[listener in]
rat = rat
callahead = c
[callahead c]
type = static
servers = 127.0.0.1:%d
unknown_text = %s
"""
    with smtpserver.Server(rcpt=[["^no", "550 5.1.1 no"]]) as one, smtpserver.Server(rcpt_default="550 5.1.1 no") as two:
        with House(conf % (one.port, "one"), {"rat": ACCEPT_A}) as it, it.session() as mta:
            new_message(mta)
            tap.eq((rcpt(mta, "<yes@a.example>"), rcpt(mta, "<no@a.example>")), ("continue", "550 5.1.1 one"), "one server")
            it.configure(conf % (two.port, "two"))
            it.reload()
            tap.eq((rcpt(mta, "<more@a.example>"), rcpt(mta, "<no2@a.example>")), ("continue", "550 5.1.1 one"),
                   "the message goes on with its server")
            new_message(mta)
            tap.eq((rcpt(mta, "<new@a.example>"), rcpt(mta, "<no@a.example>")), ("550 5.1.1 two",) * 2,
                   "the next one asks the new server, in the new words")


@tap.part
def routes_of_call_ahead():
    """What the host of an old route said does not count at the new one."""
    conf = "[dns]\nhost_lookup = off\n[routes]\nfile = routes\n[listener in]\nrat = rat\ncallahead = c\n[callahead c]\n"
    route = "a.example [127.0.0.1]:%d\n"
    with smtpserver.Server(rcpt=[["^late", "550 5.1.1 no"]]) as one, smtpserver.Server(rcpt=[["^left", "550 5.1.1 no"]]) as two:
        with House(conf, {"rat": ACCEPT_A, "routes": route % one.port}) as it, it.session() as mta:
            new_message(mta)
            tap.eq((rcpt(mta, "<late@a.example>"), rcpt(mta, "<left@a.example>")), ("550 5.1.1 User unknown", "continue"),
                   "the old host of a route")
            it.write("routes", route % two.port)
            it.reload()
            new_message(mta)
            tap.eq((rcpt(mta, "<late@a.example>"), rcpt(mta, "<left@a.example>")), ("continue", "550 5.1.1 User unknown"),
                   "the new one")
            it.write("routes", "# another text\n" + route % two.port)
            it.reload()
            new_message(mta)
            asked = two.stats()["rcpt"]
            tap.eq((rcpt(mta, "<late@a.example>"), rcpt(mta, "<left@a.example>"), two.stats()["rcpt"]),
                   ("continue", "550 5.1.1 User unknown", asked), "the same one: it is not asked again")


@tap.part
def many_signals():
    """300 signals as fast as they go, while sessions run (style: a signal in the middle of a reload)."""
    with House(CONF, {"rat": ACCEPT_A}) as it:
        wrong, done, stop = [], [], threading.Event()

        def messages(mta, number):
            for _ in range(10):  # more a connection may not send
                got = [new_message(mta), rcpt(mta, "<u@a.example>"), rcpt(mta, "<u@b.example>"), mta.message().line]
                done.append(number)
                if got != ["continue", "continue", NO, "continue"]:
                    wrong.append(got)

        def client(number):
            try:
                while not stop.is_set():
                    with it.session(f"192.0.2.{number}") as mta:
                        messages(mta, number)
            except (Closed, OSError) as error:
                wrong.append(repr(error))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        before = len(it.lines)
        for n in range(300):
            it.send_signal(signal.SIGUSR1 if n % 3 == 0 else signal.SIGHUP)
            if n % 10 == 0:
                time.sleep(0.01)
        it.wait_log(after=before, event="reload", detail="the new configuration is in force")
        time.sleep(0.5)
        for _ in range(20):  # ... and some that surely hit a reload under way
            it.reload()
        stop.set()
        for thread in threads:
            thread.join()
        reloads = len(it.find_log(event="reload", detail="the new configuration is in force"))
        tap.note(f"{reloads} reloads for 320 signals, {len(done)} messages")
        tap.ok(it.alive(), "the daemon survives 300 fast signals")
        tap.eq(wrong[:5], [], "no session is dropped or judged otherwise")
        tap.ok(len(set(done)) == 8, "every session goes on", set(done))
        time.sleep(6)  # libmilter looks for a stop every 5 s
        tap.ok(it.alive(), "... and it still lives when libmilter has looked up from its poll")
        tap.eq(sees(it, "<u@a.example>"), ["continue"] * 3, "... and serves")


@tap.part
def large_reload():
    """A session waits for nothing while 60,000 recipients are read."""
    rat = "".join(f"u{n}@big.example ACCEPT\n" for n in range(60000)) + ACCEPT_A
    with House(CONF, {"rat": rat}) as it, it.session() as mta:
        worst, answers = 0.0, 0
        new_message(mta)
        before = len(it.lines)
        it.send_signal(signal.SIGHUP)
        while not it.find_log(after=before, event="reload", detail="the new configuration is in force"):
            began = time.monotonic()
            answers += rcpt(mta, "<u@b.example>") == NO
            worst = max(worst, time.monotonic() - began)
        tap.note(f"{answers} answers during the reload, the slowest took {worst * 1000:.1f} ms")
        tap.ok(answers > 0 and worst < 2, "answers go on during a reload", f"{answers}, {worst:.3f} s")
        tap.eq(sees(it, "<u59999@big.example>"), ["continue"] * 3, "the large table is in force")


tap.done()
