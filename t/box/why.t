#!/usr/bin/python3
"""why and report: the log of a real daemon, rotated and gzipped, with syslog's prefix and other programs' lines."""
import gzip
import json
import os
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
CONF = "[group BAD]\npolicy = REJECT\nsenders = 203.0.113.0/24\n[listener in]\nrat = rat\ngroups = BAD\n[dns]\nhost_lookup = off\n"
RAT = {"rat": 'gone@example.com REJECT 550 "5.1.1 No such user"\nexample.com ACCEPT\n'}
HOUSE = {"log": "file:gate.log"}


def at(it, name):
    return os.path.join(it.folder, name)


def put(it, name, lines, pack=False):
    data = "".join(line + "\n" for line in lines).encode()
    with (gzip.open if pack else open)(at(it, name), "wb") as file:
        file.write(data)


def recorded():
    """What a daemon logs of three connections: its lines."""
    with House(CONF, RAT) as it:
        for n in (1, 2):
            with it.session("192.0.2.7") as mta:
                mta.mail(f"<Ann{n}@sender.example>")
                mta.rcpt("<joe@example.com>")
                mta.rcpt("<gone@example.com>")
            it.wait_log(event="close", count=n)
        with it.session("203.0.113.9"):
            pass
        it.wait_log(event="close", count=3)
        return [line for line in it.lines if " icid=" in line or "event=start" in line]


def spread(lines):
    """A second apart: the order of files is that of their times."""
    begin = int(time.time()) - len(lines)
    for n, line in enumerate(lines):
        yield time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin + n)) + line[line.index("."):]


LINES = list(spread(recorded()))
PLAIN = [line.split(" info ", 1)[1] for line in LINES if " info " in line]


def stories(it, *more):
    code, out, err = it.ctl("why", "--json", *more)
    return code, [json.loads(line) for line in out.splitlines()], err


def quiet():
    """A House that does not run; its log is gate.log."""
    return House(CONF, RAT, gatehouse=HOUSE, start=False)


@tap.part
def one_log():
    with quiet() as it:
        put(it, "gate.log", LINES)
        code, found, err = stories(it)
        tap.eq((code, err, [s["ip"] for s in found]), (0, "", ["192.0.2.7", "192.0.2.7", "203.0.113.9"]), "each connection, in order")
        tap.eq([line["event"] for line in found[0]["lines"]], ["connect", "mail", "rcpt", "rcpt", "close"], "all its lines")
        tap.eq((found[0]["listener"], found[0]["lines"][3]["code"], found[0]["lines"][3]["rule"].split(":")[1]), ("in", 550, "1"),
               "... with their values")
        for more, n in ((("--from", "ann1@SENDER.example"), 1), (("--from", "sender.example"), 2), (("--from", "@sender.example"), 2),
                        (("--from", "<Ann2@sender.example>"), 1), (("--to", "gone@example.com"), 2), (("--to", "example.com"), 2),
                        (("--from", "ann1@sender.example", "--to", "gone@example.com"), 1), (("--client", "192.0.2.7"), 2),
                        (("--client", "192.0.2.0/24"), 2), (("--client", "203.0.113.9"), 1), (("--since", "1h"), 3)):
            tap.eq((stories(it, *more)[0], len(stories(it, *more)[1])), (0, n), " ".join(more))
        for more in (("--from", "ann3@sender.example"), ("--to", "ample.com"), ("--client", "192.0.2.8"), ("--from", "<>")):
            tap.eq(stories(it, *more), (1, [], ""), f"{' '.join(more)}: nothing")
        code, out, err = it.ctl("why", "--to", "gone@example.com")
        tap.ok(code == 0 and "to <gone@example.com> refused 550 5.1.1: The recipient access table" in out and "rat:1)" in out
               and "client 192.0.2.7" in out and "closed after " in out, "in words", out)
        code, out, err = it.ctl("why", "--to", "nobody@example.com")
        tap.ok((code, out) == (1, "") and "nothing found in 1" in err, "what is not found is said", err)
        for more in (("--since", "soon"), ("--client", "here"), ("--client", "192.0.2.1/33"), ("--from", ""), ("gate.log",)):
            tap.eq(it.ctl("why", *more)[0], 2, f"why {' '.join(more)}: wrong")
        os.unlink(at(it, "gate.log"))
        tap.ok(it.ctl("why")[0] == 2 and "there is no such log" in it.ctl("why")[2], "no log")


@tap.part
def rotated():
    with quiet() as it:
        put(it, "gate.log", LINES[8:])
        put(it, "gate.log.1", LINES[5:8])
        put(it, "gate.log.2.gz", LINES[:5], pack=True)
        put(it, "gate.log.old", ["icid=99 event=connect ip=192.0.2.99"])
        tap.eq([len(s["lines"]) for s in stories(it)[1]], [5, 5, 2], "a story that goes over three files is one")
        then = time.time() - 7200
        os.utime(at(it, "gate.log.2.gz"), (then, then))
        tap.ok(len(stories(it, "--since", "1h")[1][0]["lines"]) < 5, "--since leaves out what was not written since")
        for order in (("gate.log", "gate.log.1", "gate.log.2.gz"), ("gate.log.1", "gate.log.2.gz", "gate.log")):
            code, found, _err = stories(it, "--log", *[at(it, name) for name in order])
            tap.eq((code, [len(s["lines"]) for s in found]), (0, [5, 5, 2]), f"--log {' '.join(order)}")
        with open(at(it, "gate.log.2.gz"), "rb") as file:
            packed = file.read()
        with open(at(it, "cut.gz"), "wb") as file:
            file.write(packed[:-12])
        code, found, err = stories(it, "--log", at(it, "cut.gz"), at(it, "gate.log.1"))
        tap.ok(code == 2 and "cut.gz: cannot be read to its end: it is cut" in err and len(found) >= 1,
               "a gzip file that is cut: what was readable, and the error", (code, err))
        with open(at(it, "bad.gz"), "wb") as file:
            file.write(packed[:30] + b"\xff" * 20 + packed[50:])
        code, found, err = stories(it, "--log", at(it, "bad.gz"))
        tap.ok(code == 2 and "bad.gz: cannot be read to its end: " in err, "... that is damaged", (code, err))
        for name in ("nowhere", "run"):
            code, found, err = stories(it, "--log", at(it, name), at(it, "gate.log"))
            tap.ok(code == 2 and err.count("\n") == 1 and name in err and found, f"--log {name}: told, and the rest is read", err)


@tap.part
def syslog():
    with quiet() as it:
        stamp = time.strftime("%b %e %H:%M:%S")
        prefix = f"{stamp} mx gatehoused[7]: "
        others = [f"{stamp} mx postfix/smtpd[1]: NOQUEUE: reject: helo=<icid=1 event=connect ip=192.0.2.66>",
                  f"{stamp} mx sshd[2]: gatehoused[7]: icid=1 event=connect ip=192.0.2.66",
                  prefix + "icid=5 event=mail from=\"a", prefix + "x" * 70000, "\0\x01", ""]
        put(it, "mail.log", [line for entry in PLAIN for line in (*others, prefix + entry)])
        code, found, err = stories(it, "--log", at(it, "mail.log"))
        tap.eq((code, [len(s["lines"]) for s in found]), (0, [5, 5, 2]), "among lines of others")
        tap.ok("lines of more than 65536 bytes were passed over" in err, "... too long ones are told", err)
        tap.ok(found[0]["time"] and found[0]["time"][:4] == time.strftime("%Y"), "... with a time", found[0]["time"])
        code, out, _err = it.ctl("why", "--json", "--log", "-", stdin="\n".join(LINES))
        tap.eq((code, len(out.splitlines())), (0, 3), "standard input")
        old = [line.replace(" listener=in ip=192.0.2.7", "") if "event=connect" not in line else line for line in PLAIN]
        number = [line.split("icid=")[1].split()[0] for line in PLAIN if "event=connect" in line]
        again = [line.replace(f"icid={number[1]} ", f"icid={number[0]} ") for line in old]
        put(it, "old.log", [line for line in again if "event=close" not in line])
        tap.eq([len(s["lines"]) for s in stories(it, "--log", at(it, "old.log"))[1]], [4, 4, 1],
               "numbers that began again with a start: two stories")


@tap.part
def journal():
    with House(CONF, RAT, start=False) as it:
        script = "#!/bin/sh\necho \"$@\" > $0.said\ncat <<'END'\n" + "\n".join(
            f"2026-12-01T06:00:00.123456+0000 mx gatehoused[7]: {line}" for line in PLAIN) + "\nEND\nexit ${STATUS:-0}\n"
        os.mkdir(at(it, "bin"))
        it.write("bin/journalctl", script)
        os.chmod(at(it, "bin/journalctl"), 0o755)
        path = at(it, "bin") + ":" + os.environ["PATH"]
        it.configure(CONF, log="syslog")
        environment = {"PATH": path}
        tap.eq(it.ctl("why", "--json", "--log", "-", stdin=""), (1, "", ""), "an empty log")
        code, out, err = it.ctl("why", "--json", environment=environment)
        tap.eq((code, len(out.splitlines()), err), (0, 3, ""), "the journal, where the log goes to syslog")
        with open(at(it, "bin/journalctl.said"), encoding="ascii") as file:
            said = file.read()
        tap.ok("--identifier=gatehoused" in said and "--since=@0" in said, "... asked for gatehoused alone", said)
        code, out, err = it.ctl("why", "--json", environment={**environment, "STATUS": "1"})
        tap.ok(code == 2 and len(out.splitlines()) == 3 and "journalctl: it failed" in err, "... that fails: told", err)


@tap.part
def week():
    with quiet() as it:
        put(it, "gate.log", LINES)
        code, out, err = it.ctl("report", "--json")
        found = json.loads(out)
        tap.eq((code, err, found["lines"], found["foreign"], found["partial"]), (0, "", len(LINES), 0, False), "report")
        totals = {(t["stage"], t["verdict"], t["by"]): t["count"] for t in found["totals"]}
        tap.eq((totals["rcpt", "accept", "rat"], totals["rcpt", "reject", "rat"], totals["connect", "reject", "hat"]), (2, 2, 1), "totals")
        tap.eq(found["senders"], [{"domain": "sender.example", "accepted": 2, "refused": 2, "tempfailed": 0}], "senders")
        tap.eq(sorted((r["recipient"], r["accepted"], r["refused"]) for r in found["recipients"]),
               [("gone@example.com", 0, 2), ("joe@example.com", 2, 0)], "recipients")
        tap.eq(found["worth_a_look"], [], "nothing is worth a look")
        line = "icid={0} mid={0} rid=1 event=rcpt listener=in ip=198.51.100.{1} from=<{2}> to=<{3}> verdict={4} by={5} detail={6} rule=f:{0}"
        put(it, "gate.log", [
            *[line.format(n, n, "boss@partner.example", "joe@example.com", "accept", "rat", "rat_accept") for n in range(1, 12)],
            line.format(20, 1, "boss@partner.example", "joe@example.com", "reject code=552", "limit", "too_many_recipients"),
            line.format(21, 1, "new@partner.example", "sue@example.com", "reject code=550", "hat", "rejected"),
            line.format(22, 1, "x@y.example", "joe@example.com", "reject code=550", "callahead", "user_unknown"),
            line.format(23, 1, "x@y.example", "never@example.com", "reject code=550", "callahead", "user_unknown"),
            "icid=24 event=connect listener=in ip=198.51.100.77 verdict=reject code=554 by=hat detail=rejected rule=f:24",
            "icid=25 event=connect listener=in ip=192.0.2.77 verdict=reject code=554 by=hat detail=rejected rule=f:25"])
        found = json.loads(it.ctl("report", "--json")[1])
        tap.eq([(w["kind"], w["name"], w["accepted"], w["refused"], w["rule"]) for w in found["worth_a_look"]],
               [("sender", "boss@partner.example", 11, 1, "f:20"), ("domain", "partner.example", 11, 2, "f:21"),
                ("recipient", "joe@example.com", 11, 1, "f:22"), ("network", "198.51.100.0/24", 11, 2, "f:24")], "worth a look")
        code, out, _err = it.ctl("report")
        tap.ok(code == 0 and "Refusals worth a look\n  sender boss@partner.example: accepted 11, refused 1" in out, "in words", out)
        put(it, "gate.log", ["nothing of ours"])
        code, out, err = it.ctl("report")
        tap.ok((code, out) == (1, "") and "nothing found in 1 lines" in err, "nothing found", err)


tap.done()
