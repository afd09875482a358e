#!/usr/bin/python3
"""hat block, unblock, blocks: entries at run time, before all groups (SPEC 14)."""
import json
import os
import re
import stat
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, House, wait_until
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = mta
[policy SLOW]
max_recipients_per_message = 1
[group BLOCKED_LIST]
senders = 192.0.2.66
[listener in]
rat = rat
[listener late]
daemon_name = late
reject_at = rcpt
rat = rat
"""
RAT = {"rat": "example.com ACCEPT\n"}
NO = "554 5.7.1 Access denied"
GONE = "421 4.7.1 Access denied"


def comes(it, ip, name=None, **macros):
    """The answer to a new connection."""
    if name:
        macros.update(client_name=name, client_resolve="OK")
    with it.session(ip, macros=macros) as mta:
        return mta.greeting.line


def listed(it):
    status, out, err = it.ctl("hat", "blocks", "--json")
    assert status == 0, err
    return json.loads(out)


def block(it, *arguments):
    status, out, err = it.ctl("hat", "block", *arguments)
    tap.eq((status, err), (0, ""), f"hat block {' '.join(arguments)}")
    return out


@tap.part
def in_force_at_once():
    with House(CONF, RAT) as it, it.session("192.0.2.7") as before:
        tap.eq(listed(it), [], "at first there is none")
        tap.eq(block(it, "192.0.2.7"), "192.0.2.7: BLOCKED until it is unblocked\n", "... says what it does")
        tap.eq(comes(it, "192.0.2.7"), NO, "a new connection is refused")
        line = it.wait_log(event="connect", ip="192.0.2.7", verdict="reject")
        tap.eq((line["group"], line["entry"], line["policy"], line["by"], line.get("rule")),
               ("None", "192.0.2.7", "BLOCKED", "hat", "block:192.0.2.7"), "... the log names the entry")
        tap.eq(before.mail("<a@b.test>").line, "continue", "one that was there goes on")
        tap.eq(comes(it, "192.0.2.8"), "continue", "others come in")
        block(it, "192.0.2.66", "--policy", "ACCEPTED")
        tap.eq(comes(it, "192.0.2.66"), "continue", "it comes before all groups, whatever its policy")
        block(it, "10.0.0.0/8", "--policy=TCPREFUSE", "--for=1d")
        tap.eq(comes(it, "10.9.8.7"), GONE, "an action word")
        block(it, "10.9.8.7", "--policy", "SLOW")
        tap.eq(comes(it, "10.9.8.7"), "continue", "the newest comes first")
        block(it, ".bad.example")
        block(it, "2001:db8::1-2001:db8::ff")
        tap.eq(comes(it, "192.0.2.8", "mx.Bad.example"), NO, "a verified name")
        tap.eq(comes(it, "2001:db8::77"), NO, "an IPv6 range")
        with it.session("192.0.2.7", macros={"daemon_name": "late"}) as mta:
            tap.eq([r.line for r in (mta.greeting, mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"))],
                   ["continue", "continue", NO], "delayed rejection")
        tap.ok(it.wait_log(event="rcpt", to="<u@example.com>", by="hat"), "... is logged")
        found = listed(it)
        tap.eq([b["entry"] for b in found],
               ["2001:db8::1-2001:db8::ff", ".bad.example", "10.9.8.7", "10.0.0.0/8", "192.0.2.66", "192.0.2.7"],
               "hat blocks: the newest first")
        tap.eq((found[3]["policy"], found[3]["expires"] - found[3]["added"], found[3]["in_force"]),
               ("TCPREFUSE", 86400, True), "... with policy and end")
        tap.eq(found[5]["expires"], None, "... or none")
        tap.eq(json.loads(it.ctl("status", "--json")[1])["blocks"], 6, "status counts them")
        tap.ok(re.search(r"(?m)^10\.9\.8\.7 +SLOW +20\d\d-\S+ \S+ +never +yes +-$", it.ctl("hat", "blocks")[1]), "... in words",
               it.ctl("hat", "blocks")[1])
        tap.eq(it.ctl("hat", "unblock", "192.0.2.7"), (0, "192.0.2.7: unblocked\n", ""), "hat unblock")
        tap.eq(comes(it, "192.0.2.7"), "continue", "... it comes in again")
        tap.eq(it.ctl("hat", "unblock", "192.0.2.7")[0], 1, "... a second time there is none")
        tap.ok(any(f"user {os.geteuid()}: block 192.0.2.7" in line for line in it.lines), "the log says who did it")


@tap.part
def wrong_ones():
    with House(CONF, RAT) as it:
        for arguments, status, wanted in (
            (["SBRS[none]"], 1, "needs a look-up"),
            (["nx.domain"], 1, "needs a look-up"),
            (["192.0.2.300"], 1, "192.0.2.300"),
            (["192.0.2.7", "--policy", "NONE"], 1, 'no policy "NONE"'),
            (["192.0.2.7", "--policy", "continue"], 1, "continue"),
            (["192.0.2.7", "--for", "3651d"], 1, "3650d"),
            (["192.0.2.7", "--for", "0"], 2, "--for takes"),
            (["192.0.2.7", "--for", "soon"], 2, "--for takes"),
            (["192.0.2.7", "192.0.2.8"], 2, "one entry"),
            ([], 2, "one entry"),
            (["192.0.2.7", "--until", "1h"], 2, "usage"),
            (["192.0.2.7", "--comment", "a\nb"], 2, "control bytes"),
            (["192.0.2.7", "--comment", "a\x9bm"], 2, "control bytes"),
            (["192.0.2.7", "--comment", "x" * 201], 2, "up to 200"),
            (["192.0.2.7\n0 0 BLOCKED 192.0.2.8"], 2, "control bytes"),
        ):
            got, _out, err = it.ctl("hat", "block", *arguments)
            tap.ok(got == status and wanted in err, f"hat block {arguments}", f"{got} {err}")
        for words in (["hat", "allow"], ["hat", "allow", "192.0.2.7", "--policy", "BLOCKED"], ["hat"], ["hat", "blocked"], ["hat", "unblock"], ["hat", "blocks", "--xml"], ["hat", "blocks", "a"]):
            tap.eq(it.ctl(*words)[0], 2, " ".join(words))
        tap.eq(listed(it), [], "none of them is there")
        tap.eq(comes(it, "192.0.2.7"), "continue", "nobody is refused")


@tap.part
def they_end():
    with House(CONF, RAT) as it:
        block(it, "192.0.2.7", "--for", "5s")
        block(it, "192.0.2.8", "--for", "1h")
        tap.eq((comes(it, "192.0.2.7"), comes(it, "192.0.2.8")), (NO, NO), "while it lasts")
        wait_until(lambda: comes(it, "192.0.2.7") == "continue", "the end of 5s")
        tap.eq(comes(it, "192.0.2.8"), NO, "one ends, the other lasts")
        tap.ok(it.wait_log(event="block", detail="192.0.2.7: it has expired"), "... the log says so")
        tap.eq([b["entry"] for b in listed(it)], ["192.0.2.8"], "... and so does hat blocks")
        block(it, "192.0.2.7", "--for", "1s")
        it.stop()
        time.sleep(2)
        it.start()
        tap.eq([b["entry"] for b in listed(it)], ["192.0.2.8"], "time goes on while the daemon does not run")


@tap.part
def they_outlive_the_process():
    with House(CONF, RAT) as it:
        block(it, "192.0.2.7", "--for", "1h")
        block(it, "192.0.2.8", "--policy", "tcprefuse")
        before = listed(it)
        folder = os.path.join(it.run, "state")
        mode = os.stat(folder)
        tap.eq(stat.S_IMODE(mode.st_mode), 0o700, "state_dir is made, 0700")
        tap.eq(stat.S_IMODE(os.stat(os.path.join(folder, "blocks")).st_mode), 0o600, "... the file is 0600")
        it.kill()
        it.start()
        tap.eq(listed(it), before, "kill -9")
        tap.eq((comes(it, "192.0.2.7"), comes(it, "192.0.2.8")), (NO, GONE), "... they are in force")
        it.configure(CONF.replace("192.0.2.66", "192.0.2.67"))
        it.reload()
        tap.eq((comes(it, "192.0.2.7"), comes(it, "192.0.2.8")), (NO, GONE), "after a reload too")
        it.ctl("hat", "unblock", "192.0.2.8")
        it.stop()
        path = os.path.join(folder, "blocks")
        with open(path, "r+b") as file:
            good = file.read()
        for name, bad in (
            ("cut", good[:-9]),
            ("empty", b""),
            ("another entry", good.replace(b"192.0.2.7", b"192.0.2.9")),
            ("binary", bytes(range(256)) * 100),
            ("another kind", good.replace(b"blocks-1", b"blocks-2")),
        ):
            with open(path, "wb") as file:
                file.write(bad)
            it.start()
            tap.ok(any("is damaged" in line for line in it.lines), f"{name}: a warning", it.lines)
            tap.eq((listed(it), comes(it, "192.0.2.7")), ([], "continue"), f"{name}: nothing of it is used")
            tap.ok(os.path.exists(path + ".damaged") and not os.path.exists(path), f"{name}: it is set aside")
            it.stop()
        it.start()
        block(it, "192.0.2.7")
        tap.eq(comes(it, "192.0.2.7"), NO, "new ones are kept again")
        it.stop()
        os.chmod(folder, 0o750)
        status, words = it.start_badly()
        tap.ok(status == 1 and "state_dir: " in words and "mode 0750" in words, "a folder others may enter", words)
        os.chmod(folder, 0o700)
        if AS_ROOT:
            os.chown(folder, 0, 0)
            status, words = it.start_badly()
            tap.ok(status == 1 and "state_dir: " in words, "a folder of another user", words)
        it.configure(CONF, state_dir="nowhere/state")
        status, words = it.start_badly()
        tap.ok(status == 1 and "state_dir: " in words, "a folder that cannot be made", words)


@tap.part
def disk_trouble():
    with House(CONF, RAT) as it:
        block(it, "192.0.2.7")
        beside = os.path.join(it.run, "state", "blocks.new")
        os.mkdir(beside)
        status, out, _err = it.ctl("hat", "block", "192.0.2.8")
        tap.ok(status == 0 and "would be lost at a restart" in out, "a disk that fails is told", out)
        tap.eq(comes(it, "192.0.2.8"), NO, "... it is in force all the same")
        os.rmdir(beside)
        block(it, "192.0.2.9")
        it.kill()
        it.start()
        tap.eq(len(listed(it)), 3, "... the next change saves both")


@tap.part
def policies_that_go():
    with House(CONF, RAT) as it:
        block(it, "192.0.2.66", "--policy", "SLOW")
        tap.eq(comes(it, "192.0.2.66"), "continue", "a policy of the configuration")
        it.configure(CONF.replace("[policy SLOW]\nmax_recipients_per_message = 1\n", ""))
        lines = it.reload()
        tap.ok(any("192.0.2.66" in line and "SLOW" in line and "has no effect" in line for line in lines),
               "it goes: a warning", lines)
        tap.eq((comes(it, "192.0.2.66"), listed(it)[0]["in_force"]), (NO, False), "... out of force")
        it.kill()
        it.start()
        tap.eq(listed(it)[0]["in_force"], False, "... after a restart too")
        it.configure(CONF)
        it.reload()
        tap.eq((comes(it, "192.0.2.66"), listed(it)[0]["in_force"]), ("continue", True), "it is back")


@tap.part
def asked_of_the_tables():
    """trace and hat match see them as well, whether the daemon runs or not."""
    def match(it, ip, name="none", listener="in"):
        status, out, err = it.ctl("hat", "match", "--json", listener, ip, name)
        assert (status, err) == (0, ""), err
        found = json.loads(out)
        return found["group"], found["entry"], found["policy"], found["access"]

    def trace(it, ip, *more):
        _status, out, err = it.ctl("trace", "--offline", "--json", "--listener", "in", "--ip", ip, "--from", "a@b.test",
                                   "--to", "u@example.com", *more)
        assert err == "", err
        found = json.loads(out)
        return found["group"], found["entry"], found["policy"], found["verdict"]

    with House(CONF, RAT) as it:
        nobody = (None, "ALL", "ACCEPTED")
        tap.eq(match(it, "192.0.2.7"), (*nobody, "accept"), "at first hat match sees none")
        block(it, "192.0.2.0/24", "--policy", "tcprefuse")
        block(it, "192.0.2.66", "--policy", "ACCEPTED")
        block(it, ".spam.test", "--for", "1h")
        block(it, "198.51.100.1", "--for", "1s")
        tap.eq(match(it, "192.0.2.7"), (None, "192.0.2.0/24", None, "tcprefuse"), "hat match: a network")
        tap.eq(match(it, "192.0.2.66"), (None, "192.0.2.66", "ACCEPTED", "accept"), "... before the groups")
        tap.eq(match(it, "203.0.113.1", "mx.spam.test"), (None, ".spam.test", "BLOCKED", "reject"), "... a name")
        tap.eq(match(it, "203.0.113.1"), (*nobody, "accept"), "... another client")
        lines = "192.0.2.7\n203.0.113.1\n192.0.2.66\n"
        _status, out, _err = it.ctl("hat", "match", "in", "-", stdin=lines)
        tap.eq([json.loads(line)["entry"] for line in out.splitlines()], ["192.0.2.0/24", "ALL", "192.0.2.66"],
               "... a batch")
        tap.eq(trace(it, "192.0.2.7"), (None, "192.0.2.0/24", None, "tempfail"), "trace: a network")
        tap.eq(trace(it, "192.0.2.66"), (None, "192.0.2.66", "ACCEPTED", "accept"), "... before the groups")
        tap.eq(trace(it, "203.0.113.1", "--host", "mx.spam.test"), (None, ".spam.test", "BLOCKED", "reject"), "... a name")
        _status, out, _err = it.ctl("trace", "--offline", "-", stdin=json.dumps(
            {"listener": "late", "ip": "192.0.2.7", "from": "a@b.test", "to": ["u@example.com"]}))
        tap.eq(json.loads(out)["entry"], "192.0.2.0/24", "... a batch, another listener")
        wait_until(lambda: comes(it, "198.51.100.1") == "continue", "the end of the short one")
        it.kill()
        tap.eq(match(it, "192.0.2.7")[1], "192.0.2.0/24", "without the daemon: the same")
        path = os.path.join(it.run, "state", "blocks")
        with open(path, "r+b") as file:
            text = file.read()
            file.seek(0)
            file.write(text.replace(b" 0 ", b" 1 ", 1))
        status, out, err = it.ctl("hat", "match", "in", "192.0.2.66")
        tap.ok(status == 0 and "BLOCKED_LIST" in out and "is damaged" in err, "a damaged file: a warning", err)
        tap.ok(os.path.exists(path), "... which stays for the daemon to set aside")
        os.unlink(path)
        tap.eq(match(it, "192.0.2.66")[0], "BLOCKED_LIST", "without the file: none")
        it.start()


@tap.part
def why_they_are_there():
    """--comment, in hat blocks, in the log, in trace and hat match; hat allow."""
    why = 'ticket 7: "spam" \\ f\u00fcr M\u00fcller'
    with House(CONF, RAT) as it:
        tap.eq(block(it, "192.0.2.0/24", "--comment", why, "--for", "1h").split(" until")[0], "192.0.2.0/24: BLOCKED",
               "... says what it does")
        tap.eq(it.ctl("hat", "allow", "192.0.2.66", "--comment=the auditors"),
               (0, "192.0.2.66: ACCEPTED until it is unblocked\n", ""), "hat allow")
        tap.eq(it.ctl("hat", "allow", "10.9.8.7", "--for", "1h")[0], 0, "... for a time, without a comment")
        tap.eq((comes(it, "192.0.2.66"), comes(it, "192.0.2.7")), ("continue", NO), "... they hold")
        line = it.wait_log(event="connect", ip="192.0.2.7")
        tap.eq((line["rule"], line["comment"]), ("block:192.0.2.0/24", why), "the log has rule and comment")
        line = it.wait_log(event="connect", ip="192.0.2.66")
        tap.eq((line["verdict"], line["rule"], line["comment"]), ("accept", "block:192.0.2.66", "the auditors"),
               "... of one that lets in, too")
        with it.session("192.0.2.7", macros={"daemon_name": "late"}) as mta:
            mta.mail("<a@b.test>")
            mta.rcpt("<u@example.com>")
        for event in ("mail", "rcpt"):
            line = it.wait_log(event=event, ip="192.0.2.7", listener="late")
            tap.eq((line["rule"], line["comment"]), ("block:192.0.2.0/24", why), f"... at {event}")
        it.kill()
        it.start()
        tap.eq([(b["entry"], b["policy"], b["comment"]) for b in listed(it)],
               [("10.9.8.7", "ACCEPTED", None), ("192.0.2.66", "ACCEPTED", "the auditors"), ("192.0.2.0/24", "BLOCKED", why)],
               "hat blocks --json, after kill -9")
        tap.ok(re.search(rf"(?m)^192\.0\.2\.0/24 .* {re.escape(why)}$", it.ctl("hat", "blocks")[1]), "hat blocks")
        _status, out, _err = it.ctl("hat", "match", "--json", "in", "192.0.2.7")
        found = json.loads(out)
        tap.eq((found["block"], found["comment"]), (True, why), "hat match --json")
        tap.ok(re.search(r"(?m)^block: +yes$", it.ctl("hat", "match", "in", "192.0.2.66")[1]), "hat match")
        tap.ok("block" not in json.loads(it.ctl("hat", "match", "--json", "in", "203.0.113.1")[1]), "... of no entry")
        ask = ("trace", "--offline", "--listener", "in", "--from", "a@b.test", "--to", "u@example.com", "--ip")
        out = it.ctl(*ask, "192.0.2.7")[1]
        tap.ok(f"block    192.0.2.0/24, made at run time: {why}\n" in out and "at block:192.0.2.0/24\n" in out, "trace", out)
        found = json.loads(it.ctl(*ask, "192.0.2.7", "--json")[1])
        tap.eq((found["block"], found["comment"]), (True, why), "trace --json")
        tap.ok("block" not in json.loads(it.ctl(*ask, "203.0.113.1", "--json")[1]), "... of no entry")
        tap.ok(" until " in block(it, "192.0.2.0/24"), "the same entry anew")
        tap.eq(listed(it)[0]["comment"], None, "... without a comment has none")


tap.done()
