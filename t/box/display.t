#!/usr/bin/python3
"""What gatehousectl shows to people: columns, times, colours on a terminal, nothing raw; and JSON stays as it is."""
import json
import os
import pty
import re
import subprocess
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import CTL, House
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """
[dns]
host_lookup = off
[listener in]
rat = rat
callahead = p
[callahead p]
type = static
servers = 127.0.0.1:%d
"""
RAT = {"rat": "example.com ACCEPT\nno.example REJECT 550 \"5.1.1 one\\ntwo\"\nlate.example REJECT 450 \"later\"\n"
              "b\u00fccher.example ACCEPT\n"}
GREEN, YELLOW, RED = "\x1b[32m", "\x1b[33m", "\x1b[31m"


def on_terminal(it, *words, **environment):
    """What a terminal gets to see."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", **environment}
    for name in [name for name, value in env.items() if value is None] + ["NO_COLOR"] * ("NO_COLOR" not in environment):
        env.pop(name, None)
    with subprocess.Popen([CTL, "-c", it.path, *words], stdin=subprocess.DEVNULL, stdout=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # Linux, when the last writer has closed
            pass
        process.wait(60)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def trace(to):
    return ["trace", "--offline", "--callahead", "valid", "--ip", "192.0.2.1", "--from", "a@b.test", "--to", to]


@tap.part
def colours():
    with House(CONF % 9, RAT, start=False) as it:
        for to, colour, word in (("u@example.com", GREEN, "accept"), ("u@no.example", RED, "reject"),
                                 ("u@late.example", YELLOW, "tempfail")):
            shown, plain = on_terminal(it, *trace(to)), it.ctl(*trace(to))[1]
            tap.ok(f"verdict  {colour}{word}\x1b[0m\n" in shown, f"trace: {word} has its colour", shown)
            tap.eq(re.sub(r"\x1b\[\d*m", "", shown), plain, "... the same words as without")
            tap.ok("\x1b" not in plain, "... none in a pipe", plain)
            for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}, {"TERM": ""}):
                tap.eq(on_terminal(it, *trace(to), **environment), plain, f"... nor with {environment}")
        tap.ok(f"{GREEN}accept" in on_terminal(it, *trace("u@example.com"), NO_COLOR=""), "an empty NO_COLOR forbids nothing")
        shown = on_terminal(it, "rat", "lookup", "in", "u@no.example")
        tap.ok(f"action:   {RED}reject\x1b[0m\n" in shown, "rat lookup", shown)
        tap.ok("\x1b" not in on_terminal(it, "rat", "lookup", "--json", "in", "u@no.example"), "JSON has none")


@tap.part
def why_it_was_decided():
    with House(CONF % 9, RAT, start=False) as it:
        rule = os.path.join(it.folder, "rat")
        status, out, _err = it.ctl(*trace("u@example.com,u@no.example,u@x.test"), "--json")
        told = json.loads(out)
        tap.eq([(one["by"], one["detail"], one["rule"]) for one in told["recipients"]],
               [("callahead", "valid", f"{rule}:1"), ("rat", "rat_reject", f"{rule}:2"), ("rat", "rat_reject", None)],
               "trace --json: mechanism, reason and line of each recipient")
        tap.eq([one["detail"] for one in told["stages"]], ["accepted", "accepted", "valid", "rat_reject", "rat_reject"],
               "... of each stage")
        tap.eq([list(one) for one in told["recipients"]],
               [["address", "verdict", "code", "status", "text", "by", "detail", "rule"]] * 3, "... all of a recipient")
        status, out, _err = it.ctl(*trace("u@no.example"))
        tap.ok(status == 1 and f"         by rat (rat_reject) at {rule}:2\n" in out, "trace: the same", out)
        for word, code in (("null_mx", 556), ("needs_smtputf8", 553), ("policy", 451), ("mailbox_full", None)):
            words = trace("u@example.com")
            words[words.index("valid")] = word
            got = json.loads(it.ctl(*words, "--json")[1])["recipients"][0]
            tap.eq((got["by"], got["code"]), ("callahead", code or got["code"]), f"--callahead {word}")
            facts = {"ip": "192.0.2.1", "from": "a@b.test", "to": ["u@example.com"], "callahead": word}
            tap.eq(json.loads(it.ctl("trace", "--offline", "-", stdin=json.dumps(facts))[1])["recipients"][0], got, "... as JSON")
        status, _out, err = it.ctl(*[word if word != "valid" else "maybe" for word in trace("u@example.com")])
        tap.ok(status == 2 and "allowed: valid, user_unknown" in err, "--callahead maybe", err)


@tap.part
def nothing_raw():
    with House(CONF % 9, RAT, start=False) as it:
        for words in (trace("\x1b[31mu@x.test"), ["trace", "--offline", "--ip", "192.0.2.1", "--from", "a\x07\u009b@b", "--to", "c@d"],
                      ["rat", "lookup", "in", "a\x1b\nb@example.com"], ["hat", "find", "\x1b[2J"], ["exceptions", "lookup", "\x07@a.test"]):
            _status, out, _err = it.ctl(*words)
            tap.ok(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out) and "\\x" in out, f"escaped: {words!r}"[:90], repr(out))
        _status, out, _err = it.ctl(*trace("joe@b\u00fccher.example"))
        tap.ok(re.search("(?m)^rcpt     joe@b\u00fccher.example {13}accept", out), "a column of UTF-8", out)


@tap.part
def nothing_found():
    with House("[listener in]\nrat = rat\n[addresslist vip]\naddresses = boss@example.com\n[exceptions]\nfile = ex\n",
               {**RAT, "ex": "@a.test ALLOW\n"}, start=False) as it:
        for words, wanted in ((["exceptions", "lookup", "u@b.test"], "no line of the table matches u@b.test"),
                              (["exceptions", "lookup", "<>"], "no line of the table matches <>"),
                              (["addresslist", "lookup", "vip", "u@b.test"], "no entry of [addresslist vip] matches u@b.test"),
                              (["routes", "lookup", "b.test"], "no route leads to b.test, and there is none for ALL"),
                              (["rat", "lookup", "in", "u@b.test"], "no line of the table matches"),
                              (["hat", "find", "xyz"], 'no entry, group, policy or comment of any listener has "xyz"')):
            status, out, err = it.ctl(*words)
            tap.eq((status, out.splitlines()[-1], err), (1, wanted, ""), f"{' '.join(words)}: in words")
            json.loads(it.ctl(*words[:2], "--json", *words[2:])[1])
        it.configure(it.conf.partition("[exceptions]")[0])
        tap.ok("there is no table of [exceptions]" in it.ctl("exceptions", "lookup", "u@b.test")[1], "... no table at all")


@tap.part
def listings():
    with Server() as server, House(CONF % server.port, RAT) as it:
        tap.eq(it.ctl("cache", "list")[:2], (0, "the cache of call-ahead is empty\n"), "an empty cache, in words")
        tap.eq(it.ctl("hat", "blocks")[:2], (0, "there are no entries made at run time\n"), "no blocks, in words")
        tap.eq(it.ctl("stats")[:2], (0, "no decisions since the start\n"), "no decisions, in words")
        tap.eq(it.ctl("cache", "flush", "joe@example.com"), (1, "", "nothing is cached for joe@example.com\n"),
               "nothing to forget, in words")
        tap.eq((it.ctl("cache", "list", "--json")[1], it.ctl("hat", "blocks", "--json")[1]), ("", "[]\n"), "... not in JSON")
        with it.session() as mta:
            mta.mail("<a@b.test>")
            for who in ("joe@example.com", "\u65e5\u672c@example.com", "x@b\u00fccher.example"):
                mta.rcpt(f"<{who}>")
        rows = it.ctl("cache", "list")[1].splitlines()
        tap.ok(rows[0].split() == ["ADDRESS", "CLASS", "PROFILE", "SERVER", "LEFT"] and len(rows) == 4, "cache list: a header", rows)
        wide = {"\u65e5": 2, "\u672c": 2}
        places = {sum(wide.get(c, 1) for c in row[:row.index("CLASS" if row is rows[0] else "valid")]) for row in rows}
        tap.eq(len(places), 1, "... and columns, whatever the characters")
        tap.ok(all(re.search(r" 1[45] min( \d+ s)?$", row) for row in rows[1:]), "... with time in units", rows)
        told = [json.loads(line) for line in it.ctl("cache", "list", "--json")[1].splitlines()]
        tap.ok(len(told) == 3 and all(list(one) == ["address", "class", "profile", "server", "left"] and one["left"] > 800
                                      for one in told), "... in JSON as ever", told)
        top = ["top", "--every", "1", "--times", "1"]
        tap.ok("\x1b[H\x1b[2J20" in on_terminal(it, *top) and "\x1b" not in on_terminal(it, *top, TERM="dumb"),
               "top clears a terminal that can be cleared")
        it.ctl("hat", "block", "192.0.2.66", "--for", "35m")
        it.ctl("hat", "block", "198.51.100.0/24")
        rows = it.ctl("hat", "blocks")[1].splitlines()
        tap.ok(rows[0].split()[:4] == ["ENTRY", "POLICY", "ADDED", "EXPIRES"] and re.search(" never ", rows[1]) and
               re.search(r" 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d, in 3[45] min ", rows[2]), "hat blocks", rows)
        now = json.loads(it.ctl("hat", "blocks", "--json")[1])[0]["added"]
        env = {**os.environ, "TZ": "JST-9"}
        out = subprocess.run([CTL, "-c", it.path, "hat", "blocks"], env=env, stdout=subprocess.PIPE, check=True).stdout.decode()
        tap.ok(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now + 9 * 3600)) in out, "... in the zone of who asks", out)
        out = it.ctl("hat", "match", "in", "192.0.2.66")[1]
        tap.ok("entry:   192.0.2.66\n" in out and "the entry was made at run time (gatehousectl hat blocks), one of 2\n" in out,
               "hat match: an entry made at run time is called so", out)
        out = it.ctl("hat", "match", "in", "192.0.2.67")[1]
        tap.ok("of 2 made at run time (gatehousectl hat blocks) no entry matches\n" in out, "... and one that is none", out)
        out = it.ctl("trace", "--offline", "--ip", "192.0.2.66", "--from", "a@b.test", "--to", "c@d.test")[1]
        tap.ok("block    192.0.2.66, made at run time\ngroup    None, entry 192.0.2.66\n" in out, "trace: the same", out)
        out = it.ctl("trace", "--offline", "--ip", "192.0.2.67", "--from", "a@b.test", "--to", "c@d.test")[1]
        tap.ok("made at run time" not in out, "... of no other", out)


tap.done()
