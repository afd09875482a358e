#!/usr/bin/python3
"""gatehousectl as a program: help, exit statuses, batches, what it does when it cannot print."""
import json
import os
import socket
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import CTL, DAEMON, House
from tap import Tap

tap = Tap()
YES, NO, USAGE, UNREACHABLE = 0, 1, 2, 3
CONF = """[listener in]
rat = rat
[listener inside]
type = private
daemon_name = inside
[routes]
file = routes
[exceptions]
file = exceptions
[addresslist vip]
addresses = boss@example.com, @partner.test
addresses_file = vips
[policy ACCEPTED]
use_exceptions = yes
sender_rate_exempt = vip
[dns]
host_lookup = off
"""
FILES = {
    "rat": "example.com ACCEPT\nexample.net REJECT 551 \"5.1.6 Moved\"\n",
    "routes": "example.com: [192.0.2.25]\n",
    "exceptions": "joe@good.test ALLOW\n@bad.test REJECT\n@.worse.test REJECT 450 \"4.7.2 later\"\nspam@ REJECT\n",
    "vips": "@.partner.test # and below\ncarol@\n",
}


def house(conf=CONF, **more):
    return House(conf, FILES, start=False, **more)


def run(*arguments, **more):
    done = subprocess.run(arguments, stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, check=False,
                          timeout=120, **more)
    return done.returncode, (done.stdout or b"").decode(), done.stderr.decode()


@tap.part
def help_is_printed():
    pages = [run(CTL, word) for word in ("--help", "-h", "help")]
    tap.ok(all(page == pages[0] for page in pages) and pages[0][0] == YES and pages[0][2] == "",
           "--help, -h and help: the same page on standard output, status 0", pages)
    commands = [line.split("  ")[1] for line in pages[0][1].split("commands:\n")[1].splitlines()
                if line.startswith("  ") and line[2] != " "]
    names = [line.split(" -")[0].split(" [")[0] for line in commands]
    tap.ok(all(any(name.startswith(word) for name in names) for word in
               ("check", "config", "trace", "callahead", "maps", "hat match", "rat lookup", "routes lookup", "exceptions lookup",
                "addresslist lookup", "reload", "status", "stats", "top", "cache", "counter")), "... with every command", names)
    for words in (["trace"], ["rat", "lookup"], ["status"], ["check"], ["exceptions", "lookup"]):
        page = run(CTL, "help", *words)
        name = " ".join(words)
        tap.ok(page[0] == YES and page[1].startswith(f"usage: gatehousectl [-c FILE] {name}") and page[2] == "",
               f"help {name}", page)
        tap.eq([run(CTL, *words, option) for option in ("--help", "-h")], [page] * 2, f"... and {name} --help, -h")
    page = run(CTL, "help", "hat")
    tap.ok(page[0] == YES and all(f"hat {word} " in page[1] for word in ("match", "find", "export", "import", "block")),
           "help hat: all that begins so", page)
    tap.eq(run(CTL, "-c", "/nonexistent", "--help")[0], YES, "no configuration is needed for it")
    page = run(DAEMON, "--help")
    tap.ok(page[0] == 0 and page[1].startswith("usage: gatehoused ") and page[2] == "", "gatehoused --help", page)
    tap.eq(run(DAEMON, "-h"), page, "gatehoused -h")


@tap.part
def what_is_wrong_is_one_line():
    for words in (["nothing"], ["hat"], ["hat", "eat"], ["help", "nothing"], ["help", "rat", "eat"], ["--nothing"],
                  ["-x"], ["-c"], [], ["trace!"], ["Check"], ["rat lookup"], [""]):
        status, out, err = run(CTL, *words)
        tap.ok(status == USAGE and out == "" and err.count("\n") == 1 and err.endswith("\n"),
               f"gatehousectl {words}: one line, status 2", (status, out, err))
    tap.ok("hat match, hat find" in run(CTL, "hat")[2], "half a command: the line has the wholes", run(CTL, "hat"))
    status, out, err = run(DAEMON, "--nothing")
    tap.ok(status == 2 and out == "", "gatehoused --nothing: status 2", (status, out, err))


@tap.part
def statuses():
    """Every command, with its possible answers."""
    trace = ["trace", "--offline", "--ip", "192.0.2.1", "--listener", "in", "--from", "a@b.test", "--to"]
    cases = (
        (YES, ["check"]), (USAGE, ["check", "more"]),
        (YES, ["config", "show"]), (YES, ["config", "show", "--defaults"]), (YES, ["config", "example"]),
        (USAGE, ["config"]), (USAGE, ["config", "show", "--what"]), (USAGE, ["config", "eat"]),
        (YES, [*trace, "u@example.com"]), (NO, [*trace, "u@example.net"]), (NO, [*trace, "u@other.test"]),
        (YES, [*trace, "u@other.test,u@example.com"]), (USAGE, [*trace[:-1]]), (USAGE, ["trace", "--ip", "x"]),
        (USAGE, ["trace", "--what"]), (USAGE, [*trace[:4], "--listener", "none", *trace[6:], "u@example.com"]),
        (USAGE, ["trace", "--ip", "192.0.2.1", "-"]), (USAGE, ["trace", "--tls", "-"]), (YES, ["trace", "--json", "-"]),
        (USAGE, ["callahead", "a@example.com"]), (USAGE, ["callahead"]),
        (USAGE, ["ldap", "test", "none", "a@example.com"]), (USAGE, ["ldap", "test"]),
        (USAGE, ["dnslist", "test", "..", "192.0.2.1"]), (USAGE, ["dnslist", "test", "zone.test"]),
        (USAGE, ["maps"]), (USAGE, ["maps", "--mta", "exim", "--output", "x"]), (USAGE, ["mta-config"]),
        (YES, ["mta-config", "--mta", "postfix"]), (USAGE, ["doctor"]),
        (YES, ["hat", "match", "in", "192.0.2.1"]), (USAGE, ["hat", "match", "none", "192.0.2.1"]),
        (USAGE, ["hat", "match", "in", "x"]), (USAGE, ["hat", "match"]),
        (YES, ["hat", "find", "ACCEPTED"]), (NO, ["hat", "find", "nowhere"]), (USAGE, ["hat", "find"]),
        (YES, ["hat", "export", "in"]), (USAGE, ["hat", "export", "none"]), (USAGE, ["hat", "export"]),
        (NO, ["hat", "import", "in", "rat"]), (NO, ["hat", "import", "none", "rat"]), (USAGE, ["hat", "import", "in"]),
        (UNREACHABLE, ["hat", "block", "192.0.2.1"]), (USAGE, ["hat", "block"]),
        (USAGE, ["hat", "block", "192.0.2.1", "--for", "x"]), (USAGE, ["hat", "unblock"]),
        (UNREACHABLE, ["hat", "unblock", "192.0.2.1"]), (UNREACHABLE, ["hat", "blocks"]), (USAGE, ["hat", "blocks", "x"]),
        (YES, ["rat", "lookup", "in", "u@example.com"]), (NO, ["rat", "lookup", "in", "u@example.net"]),
        (NO, ["rat", "lookup", "in", "@@"]), (USAGE, ["rat", "lookup", "none", "u@example.com"]),
        (USAGE, ["rat", "lookup", "inside", "u@example.com"]), (USAGE, ["rat", "lookup", "in"]),
        (YES, ["rat", "export"]), (YES, ["rat", "export", "in"]), (NO, ["rat", "export", "none"]),
        (NO, ["rat", "export", "inside"]), (USAGE, ["rat", "export", "in", "in"]),
        (NO, ["rat", "import", "in", "/nonexistent"]), (USAGE, ["rat", "import"]),
        (YES, ["routes", "lookup", "example.com"]), (NO, ["routes", "lookup", "other.test"]),
        (USAGE, ["routes", "lookup", "a..b"]), (USAGE, ["routes", "lookup"]), (YES, ["routes", "export"]),
        (USAGE, ["routes", "export", "x"]), (NO, ["routes", "import", "/nonexistent"]), (USAGE, ["routes", "import"]),
        (YES, ["exceptions", "lookup", "joe@good.test"]), (NO, ["exceptions", "lookup", "joe@bad.test"]),
        (NO, ["exceptions", "lookup", "joe@other.test"]), (NO, ["exceptions", "lookup", "@@"]),
        (USAGE, ["exceptions", "lookup"]), (USAGE, ["exceptions", "lookup", "a@b.test", "c@d.test"]),
        (YES, ["addresslist", "lookup", "vip", "boss@example.com"]), (NO, ["addresslist", "lookup", "vip", "u@example.com"]),
        (USAGE, ["addresslist", "lookup", "none", "u@example.com"]), (USAGE, ["addresslist", "lookup", "vip", "@@"]),
        (USAGE, ["addresslist", "lookup", "vip"]),
        (UNREACHABLE, ["reload"]), (USAGE, ["reload", "x"]), (UNREACHABLE, ["status"]), (USAGE, ["status", "x"]),
        (UNREACHABLE, ["stats"]), (USAGE, ["stats", "x"]), (UNREACHABLE, ["top"]), (USAGE, ["top", "x"]),
        (UNREACHABLE, ["cache", "list"]), (UNREACHABLE, ["cache", "flush", "--all"]), (USAGE, ["cache"]),
        (UNREACHABLE, ["counter", "show", "192.0.2.1"]), (UNREACHABLE, ["counter", "reset", "192.0.2.1"]),
        (USAGE, ["counter"]),
    )
    with house() as it:
        for wanted, words in cases:
            got = it.ctl(*words)
            tap.ok(got[0] == wanted, f"status {wanted}: {' '.join(words)}", got)
        it.configure(CONF + "colour = red\n")
        for words in (["check"], ["config", "show"], trace + ["u@example.com"], ["hat", "match", "in", "192.0.2.1"],
                      ["rat", "export"], ["exceptions", "lookup", "a@b.test"], ["trace", "-"]):
            tap.eq(it.ctl(*words)[0], NO, f"a wrong configuration: {' '.join(words)}")
        tap.eq(it.ctl("status")[0], UNREACHABLE, "... which only commands that need it mind")
        tap.eq(run(CTL, "-c", "/nonexistent", "status")[0], NO, "... but one that is not there does not say where to ask")


@tap.part
def a_full_disk():
    with house() as it, open("/dev/full", "wb") as full:
        for words in (["config", "show"], ["config", "example"], ["check"], ["--help"], ["help", "trace"], ["-V"],
                      ["hat", "export", "in"], ["rat", "lookup", "in", "u@example.com"], ["mta-config", "--mta", "postfix"],
                      ["trace", "--offline", "--ip", "192.0.2.1", "--from", "a@b.test", "--to", "u@example.com"]):
            status, _, err = run(CTL, "-c", it.path, *words, stdout=full)
            tap.ok(status == NO and "cannot print" in err, f"{' '.join(words)}: an answer nobody gets is none",
                   (status, err))


def batch(it, *words, lines, **more):
    """The answers, one for each line."""
    status, out, err = run(CTL, "-c", it.path, *words, input="\n".join(lines).encode("utf-8", "surrogateescape"), **more)
    answers = [json.loads(line) for line in out.splitlines()]
    tap.ok((status, err) == (YES, "") and len(answers) == len(lines), f"{' '.join(words)}: {len(lines)} lines are answered",
           (status, out, err))
    return answers


@tap.part
def a_wrong_line_of_trace():
    good = {"listener": "in", "ip": "192.0.2.1", "from": "a@b.test", "to": ["u@example.com"]}
    nested = "[" * 100000
    wrong = ["x", "{", "{}", "[]", "null", "1", '"', json.dumps(good)[:-1], json.dumps({**good, "ip": "x"}),
             json.dumps({**good, "colour": "red"}), json.dumps({**good, "listener": "none"}),
             json.dumps({**good, "to": []}), json.dumps({**good, "to": "u@example.com"}),
             json.dumps({**good, "size": -1}), json.dumps({**good, "tls": 1}), json.dumps(good) + "x",
             json.dumps(good) + "\0x", "\x01", "# a comment", '{"ip":"192.0.2.1","ip":"192.0.2.2"}', "\udcff", nested]
    with house() as it:
        lines = []
        for line in wrong:
            lines += [line, json.dumps({**good, "to": [f"u{len(lines)}@example.com"]})]
        answers = batch(it, "trace", "--offline", "-", lines=lines)
        for i, line in enumerate(wrong):
            bad, fine = answers[2 * i], answers[2 * i + 1]
            tap.ok(set(bad) == {"query", "error"} and bad["error"] and
                   (not line.isascii() or bad["query"] == line), f"wrong: {line[:60]!r}", str(bad)[:1000])
            tap.eq((fine["verdict"], fine["recipients"][0]["address"]), ("accept", f"u{2 * i}@example.com"),
                   "... the next is answered")


@tap.part
def wrong_lines_of_look_ups():
    with house() as it:
        for words, good, wrong in (
            (["hat", "match", "in", "-"], "192.0.2.1", "x"),
            (["hat", "match", "-"], "in 192.0.2.1", "none 192.0.2.1"),
            (["rat", "lookup", "-"], "in u@example.com", "none u@example.com"),
            (["routes", "lookup", "-"], "example.com", "a..b"),
            (["exceptions", "lookup", "-"], "joe@good.test", None),
            (["addresslist", "lookup", "vip", "-"], "boss@example.com", "@@"),
            (["addresslist", "lookup", "-"], "vip boss@example.com", "none boss@example.com"),
            (["callahead", "-"], None, "a@example.com"),
            (["ldap", "test", "-"], None, "none a@example.com"),
        ):
            lines = [line for line in (good, wrong, good) if line is not None]
            answers = batch(it, *words, lines=lines)
            tap.eq(["error" in answer for answer in answers], [line == wrong for line in lines],
                   f"{' '.join(words)}: in order")


@tap.part
def standard_input():
    with house() as it:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b"example.com\n")
            ours.shutdown(socket.SHUT_WR)
            status, out, err = run(CTL, "-c", it.path, "routes", "lookup", "-", stdin=theirs)
            tap.ok(status == YES and out.count("\n") == 1, "a socket", (status, out, err))
        path = it.write("asked", "example.com\nexample.org\n")
        with open(path, "rb", buffering=0) as file:
            file.read(len("example.com\n"))
            status, out, err = run(CTL, "-c", it.path, "routes", "lookup", "-", stdin=file)
            tap.ok(status == YES and [json.loads(line)["domain"] for line in out.splitlines()] == ["example.org"],
                   "a file, from where it stands", (status, out, err))
        status, out, err = run("/bin/dash", "-c", 'exec "$@" <&-', "dash", CTL, "-c", it.path, "routes", "lookup", "-")
        tap.ok(status == NO and "stdin" in err, "a closed one", (status, out, err))
        folder = os.open(it.folder, os.O_RDONLY)
        status, out, err = run(CTL, "-c", it.path, "routes", "lookup", "-", stdin=folder)
        tap.ok(status == NO and "folder" in err, "a folder", (status, out, err))
        os.close(folder)


@tap.part
def exceptions():
    with house() as it:
        def looks(address, status):
            got = it.ctl("exceptions", "lookup", "--json", address)
            tap.eq(got[0], status, f"exceptions lookup {address}: status {status}")
            return json.loads(got[1])

        none = {"flags": [], "code": None, "status": None, "text": None}
        tap.eq(looks("Joe@GOOD.test", YES), {"address": "Joe@GOOD.test", "entry": "joe@good.test", "action": "accept", **none},
               "ALLOW")
        refused = {"action": "reject", "flags": [], "code": 553, "status": "5.7.1", "text": "Envelope sender rejected"}
        tap.eq(looks("<u@bad.test>", NO), {"address": "<u@bad.test>", "entry": "@bad.test", **refused}, "REJECT")
        tap.eq(looks("u@a.worse.test", NO), {"address": "u@a.worse.test", "entry": "@.worse.test", "action": "reject",
                                             "flags": [], "code": 450, "status": "4.7.2", "text": "later"},
               "REJECT with a reply")
        tap.eq(looks("spam", NO), {"address": "spam", "entry": "spam@", **refused}, "without a domain")
        for address in ("u@other.test", "<>", "u@worse.test"):
            tap.eq(looks(address, NO), {"address": address, "entry": None, "action": None, **none}, f"nothing: {address}")
        tap.eq(looks("a@@b", NO), {"address": "a@@b", "entry": None, "action": "reject", "flags": [], "code": 501,
                                   "status": "5.1.7", "text": "Bad sender address syntax"}, "no address")
        tap.eq(it.ctl("exceptions", "lookup", "u@bad.test")[1],
               "address:  u@bad.test\nentry:    @bad.test\naction:   reject\ncode:     553\nstatus:   5.7.1\n"
               "text:     Envelope sender rejected\n", "for people")
        answers = batch(it, "exceptions", "lookup", "-", lines=["u@bad.test", "a@@b", "u@other.test"])
        tap.eq([answer["action"] for answer in answers], ["reject", "reject", None], "a batch")
        it.configure(CONF.replace("file = exceptions\n", ""))
        tap.eq(looks("u@bad.test", NO)["entry"], None, "without a table")


@tap.part
def addresslists():
    with house() as it:
        def looks(address, status):
            got = it.ctl("addresslist", "lookup", "--json", "vip", address)
            tap.eq(got[0], status, f"addresslist lookup {address}: status {status}")
            return json.loads(got[1])

        for address, entry in (("Boss@Example.COM", "boss@example.com"), ("x@partner.test", "@partner.test"),
                               ("x@a.b.partner.test", "@.partner.test"), ("carol@anywhere.test", "carol@"), ("carol", "carol@")):
            tap.eq(looks(address, YES), {"list": "vip", "address": address, "entry": entry, "action": "match"}, address)
        for address in ("u@example.com", "<>", "x@partner.testing"):
            tap.eq(looks(address, NO), {"list": "vip", "address": address, "entry": None, "action": "nomatch"}, address)
        tap.eq(it.ctl("addresslist", "lookup", "vip", "carol@x.test")[1],
               "list:     vip\naddress:  carol@x.test\nentry:    carol@\naction:   match\n", "for people")


tap.done()
