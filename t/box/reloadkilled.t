#!/usr/bin/python3
"""One reload: who dies, leaves, lies or comes second on the way of it."""
import contextlib
import os
import signal
import socket
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import wait_until
from mapsite import (
    IS_NEW, IS_OLD, NEW, NO, OLD, UNREACHABLE, YES, Site, compiler_ends, end_of, goes_on, stopped_at, untouched)
from tap import Tap

tap = Tap()


@tap.part
def one_at_a_time():
    with Site() as it:
        tool = stopped_at(it, "stage")
        tap.eq(it.says()["reload"], "under way", "status: a reload is under way")
        tap.eq(it.ctl("reload"), (NO, "", "reload under way\n"), "a second reload is refused")
        before = len(it.lines)
        it.send_signal(signal.SIGHUP)
        it.wait_log(after=before, event="reload", detail="reload under way")
        tap.ok(True, "a signal is refused, and the log says so")
        it.agrees(tap, IS_OLD, "meanwhile")
        tap.eq((it.ctl("hat", "block", "192.0.2.9")[0], it.ctl("status")[0]), (YES, YES), "meanwhile all else goes on")
        it.remove_files("hang-stage")
        code, _out, err = end_of(tool)
        tap.eq((code, err), (YES, ""), "the first one goes well")
        it.agrees(tap, IS_NEW, "one of two")


@tap.part
def edited_on_the_way():
    """What the daemon holds counts: maps of anything else are not written."""
    with Site() as it:
        tool = stopped_at(it, "stage")
        it.change({"rat": "c.example ACCEPT\n", "routes": "c.example: [203.0.113.3]\n", "partners": "198.51.100.9\n"})
        it.remove_files("hang-stage")
        tap.eq(end_of(tool)[0], YES, "edited after it was read")
        it.agrees(tap, IS_NEW, "edited after it was read")
        it.ctl("reload")
        tap.eq(it.decides(), [False] * 4, "... and the next reload takes it")


@contextlib.contextmanager
def false_daemon(it, answers):
    """Listens in the daemon's place, which is frozen in another name; each request gets one of answers."""
    path, real = os.path.join(it.run, "control.sock"), os.path.join(it.run, "real.sock")
    os.rename(path, real)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    asked = []

    def serve():
        client, _ = listener.accept()
        with client:
            for answer in answers:
                asked.append(client.recv(8192).decode().rstrip("\n").split("\t")[1:])
                if answer is None:
                    return
                client.sendall(answer)
            asked.append(client.recv(8192).decode().rstrip("\n").split("\t")[1:])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
        thread.join(30)
    finally:
        listener.close()
        os.rename(real, path)


def reply(status, text):
    return f"gatehouse-1\t{status}\t{len(text)}\n{text}".encode()


def held_by(it):
    """What the real daemon answers to the first request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(os.path.join(it.run, "control.sock"))
        client.sendall(b"gatehouse-1\treload\n")
        data = client.recv(65536)
        head, _, text = data.partition(b"\n")
        length = int(head.split(b"\t")[2])
        while len(text) < length:
            text += client.recv(65536)
    wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
    return text.decode()


@tap.part
def another_input():
    with Site() as it:
        it.change()
        held = held_by(it)
        tap.ok(it.says()["generation"] == 1 and "went away" in str(it.says()["reload_errors"]),
               "a client that leaves: its candidate is dropped, status says so", it.says()["reload_errors"])
        it.agrees(tap, IS_OLD, "a client that left")
        tap.ok("b.example" not in held and "\nmap\ttransport\t" in held, "what the tool is told: sums, no rows", held)
        it.change({"routes": "b.example: [203.0.113.66]\n"})
        with false_daemon(it, [reply(0, held)]) as asked:
            code, _out, err = it.ctl("reload")
        tap.ok(code == NO and "transport would be different" in err and asked[1][0] == "reload-drop" and
               "transport" in asked[1][1], "files that are not what the daemon read: nothing is done", f"{err}{asked}")
        untouched(tap, it, "other files")
        it.change()
        for what, answer, wanted, words in (
                ("says no", reply(1, "no reload is under way\n"), NO, "no reload is under way"),
                ("is gone", None, UNREACHABLE, "is incomplete"),
                ("talks nonsense", b"what?\n", UNREACHABLE, "not a gatehoused of this version")):
            with false_daemon(it, [reply(0, held), answer]) as asked:
                code, out, err = it.ctl("reload")
            tap.ok((code, out) == (wanted, "") and words in err and "the maps are as they were\n" in err and
                   asked[1] == ["reload-take"], f"the daemon {what} when maps are in place: put back", f"{code} {err} {asked}")
            untouched(tap, it, f"the daemon {what}")
        goes_on(tap, it, "false daemons")
        for wrong in (b"reload-take\n", b"reload-drop\tx\n"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(os.path.join(it.run, "control.sock"))
                client.sendall(b"gatehouse-1\t" + wrong)
                tap.ok(client.recv(200).startswith(b"gatehouse-1\t2\t"), "nothing is held: no such request", wrong)


@tap.part
def the_tool_is_killed():
    with Site() as it:
        tool = stopped_at(it, "stage")
        tool.kill()
        tool.wait()
        compiler_ends(it, "stage")
        tool.communicate()
        it.remove_files("hang-stage")
        wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
        tap.ok("went away" in str(it.says()["reload_errors"]), "killed while it compiles: status says so", it.says())
        it.agrees(tap, IS_OLD, "killed while it compiles")
        it.forget()
        goes_on(tap, it, "killed while it compiles")
    with Site() as it:
        tool = stopped_at(it, "place")
        tool.kill()
        tool.wait()
        compiler_ends(it, "place")
        tool.communicate()
        wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
        told = it.says()
        tap.ok(told["maps"] == "differ" and it.decides() == IS_OLD, "killed while it changes maps: status says which", told)
        it.wait_log(event="maps", level="warning", optional=True, patience=1)
        tap.ok(it.find_log(event="maps"), "... and so does the log", it.lines[-5:])
        it.remove_files("hang-place")
        it.forget()
        goes_on(tap, it, "killed while it changes maps")
    for when, wanted in (("stage", IS_OLD), ("place", IS_NEW)):
        with Site() as it:
            tool = stopped_at(it, when)
            tool.send_signal(signal.SIGTERM)
            if when == "stage":
                tap.eq(tool.wait(60), -signal.SIGTERM, "TERM while it compiles: it ends")
                compiler_ends(it, when)
                end_of(tool)
            it.remove_files(f"hang-{when}")
            if when == "place":
                end_of(tool)
            wait_until(lambda: it.says()["reload"] is None, "its end")
            it.agrees(tap, wanted, f"TERM at {when}")
            it.forget()
            goes_on(tap, it, f"TERM at {when}")


@tap.part
def the_daemon_is_killed():
    for how in ("kill", "stop"):
        for when in ("stage", "place"):
            with Site() as it:
                tool = stopped_at(it, when)
                getattr(it, how)()
                it.remove_files(f"hang-{when}")
                code, out, err = end_of(tool)
                tap.ok((code, out) == (UNREACHABLE, "") and "the maps are as they were" in err,
                       f"{how} at {when}: not reachable", f"{code} {out} {err}")
                tap.eq(it.maps(), it.before, f"{how} at {when}: maps are as they were")
                it.forget()
                it.change(OLD)
                it.start()
                it.agrees(tap, IS_OLD, f"{how} at {when}, started with the old files")
                it.change()
                goes_on(tap, it, f"{how} at {when}")
    with Site() as it:
        it.stop()
        tap.eq((it.ctl("reload")[0], it.maps()), (UNREACHABLE, it.before), "no daemon: nothing is written")


@tap.part
def first_time():
    """No maps yet: what fails leaves none."""
    with Site() as it:
        for name in it.maps():
            os.unlink(it.at("maps/" + name))
        it.change()
        it.touch("evil-place")
        tap.eq((it.ctl("reload")[0], it.maps()), (NO, {}), "none before, none after a failure")
        it.remove_files("evil-place")
        it.forget()
        goes_on(tap, it, "first time")
        own = "c.example relay:[203.0.113.3]\n"
        it.write("maps/transport", own)
        it.change({"routes": "b.example: [203.0.113.9]\n"})
        it.touch("evil-place")
        it.forget()
        before = it.maps()
        tap.eq(it.ctl("reload")[0], NO, "somebody's own text, and a failure")
        tap.eq({**it.maps(), "transport.saved": ""}, {**before, "transport.saved": ""}, "... his text and its map are as they were")


@tap.part
def large_and_under_load():
    """200,000 routes while sessions ask: none waits."""
    with Site(gatehouse={"reload_guard": 0}) as it:
        it.change({**NEW, "routes": NEW["routes"] + "".join(f"r{n}.example: [203.0.113.2]\n" for n in range(200000))})
        tool, worst, answers = it.begin(), 0.0, 0
        with it.session("192.0.2.99") as mta:
            mta.mail("<s@x.test>")
            while tool.poll() is None:
                began = time.monotonic()
                answers += mta.rcpt("<u@c.example>").line.startswith("550")
                worst = max(worst, time.monotonic() - began)
        code, _out, err = end_of(tool)
        tap.note(f"{answers} answers, the slowest took {worst * 1000:.1f} ms")
        tap.ok(code == YES and answers > 0 and worst < 2, "answers go on during a large reload", f"{code} {worst} {err[-300:]}")
        it.agrees(tap, IS_NEW, "large")
        tap.eq(it.says()["maps"], "same", "large: status sees that they are the same")


tap.done()
