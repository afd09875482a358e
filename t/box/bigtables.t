#!/usr/bin/python3
"""Tables of any size: import, match, find, export, and reloads of the daemon under load."""
import json
import os
import sys
import threading
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, SLOWNESS, wait_until
from tap import Tap

tap = Tap()
N = int(1000000 / SLOWNESS)
LINE = 10000
CONF = "[dns]\nhost_lookup = mta\n[listener in]\nrat = rat\nhat = hat\n"
RAT = {"rat": "ALL ACCEPT\n"}
NO = "554 5.7.1 Access denied"


def dotted(number):
    return f"{10 + (number >> 24)}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def sender(number):
    """Every other address, so that neighbours do not match; some IPv6 and names."""
    if number % 10 == 8:
        return f"2001:db8::{number >> 16:x}:{number & 0xffff:x}"
    if number % 10 == 9:
        return f"host{number}.example.com"
    return dotted(2 * number)


def table(n, target="REJECT"):
    """A third in lines of 10,000 entries, a third one a line, a third bare."""
    third = n // 3
    senders = [sender(number) for number in range(n)]
    lines = [" ".join(senders[at:min(at + LINE, third)]) for at in range(0, third, LINE)]
    text = "LONG:\n    " + ",\n    ".join(lines) + f"\n        {target} (long lines)\n"
    text += "MANY:\n    " + ",\n    ".join(senders[third:2 * third]) + f"\n        {target} (many lines)\n"
    text += "".join(f"{entry} {target}\n" for entry in senders[2 * third:])
    return text + "ALL $ACCEPTED\n"


def questions(n):
    """What to ask, and the entry that must match."""
    for number in range(0, n, max(1, n // 2000)):
        entry = sender(number)
        if entry.startswith("host"):
            yield f"127.0.0.1 {entry}", entry
        elif ":" in entry:
            yield entry, entry
        else:
            yield entry, entry
            yield dotted(2 * number + 1), "ALL"


@tap.part
def a_million():
    with House(CONF, {**RAT, "big": table(N)}, start=False) as it:
        status, _out, err = it.ctl("hat", "import", "in", os.path.join(it.folder, "big"))
        tap.eq((status, err.count("\n")), (0, 1), f"{N} entries are imported")
        asked = list(questions(N))
        status, out, _err = it.ctl("hat", "match", "in", "-", stdin="".join(f"{q}\n" for q, _ in asked))
        got = [json.loads(line)["entry"] for line in out.splitlines()]
        tap.ok(got == [entry for _, entry in asked], f"hat match: {len(asked)} questions")


@tap.part
def find_and_export():
    n = N // 10
    with House(CONF, {**RAT, "hat": table(n)}, start=False) as it:
        number = n // 2 - n // 2 % 10
        status, out, _err = it.ctl("hat", "find", "--json", sender(number))
        found = json.loads(out)["found"]
        tap.eq([(one["group"], one["entry"]) for one in found][:1], [("MANY", sender(number))], "hat find")
        status, out, _err = it.ctl("hat", "export", "in")
        tap.ok(status == 0 and out.count("REJECT") == n - 2 * (n // 3) + 2, "hat export")
        it.write("hat", out)
        status, again, _err = it.ctl("hat", "export", "in")
        tap.ok(status == 0 and again == out, "the export of the export is the same")
        tap.eq(it.ctl("check")[0], 0, "check")
        it.write("hat", out.replace(sender(number) + "\n", "192.0.2.300\n", 1).replace(sender(number) + ",", "192.0.2.300,", 1))
        status, _out, err = it.ctl("check")
        told = [line for line in err.splitlines() if "warning:" not in line]
        tap.ok(status == 1 and len(told) == 1 and "192.0.2.300" in told[0], "check finds the one that is wrong", told[:3])


@tap.part
def reloaded_under_load():
    n = N // 3
    with House(CONF, {**RAT, "hat": table(n)}) as it:
        done = threading.Event()
        wrong, sessions = [], [0]

        def clients():
            last = n - 1 - (n - 1) % 10
            while not done.is_set():
                for ip, wanted in ((dotted(0), NO), (dotted(2 * last), NO), (dotted(1), "continue")):
                    with it.session(ip) as mta:
                        if mta.greeting.line != wanted:
                            wrong.append((ip, mta.greeting.line))
                sessions[0] += 1

        threads = [threading.Thread(target=clients) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            before = sessions[0]
            status, out, err = it.ctl("reload")
            tap.ok(status == 0 and "in force" in out, f"a reload of {n} entries", err)
            tap.ok(wait_until(lambda: sessions[0] > before, "a session"), "sessions go on")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        tap.eq(wrong, [], "everybody got the right answer all the time")
        it.write("hat", table(n).replace("\nALL", "\n192.0.2.1 REJECT\nALL"))
        tap.eq(it.ctl("reload")[0], 0, "one entry more")
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.greeting.line, NO, "... is in force")
        with it.session("127.0.0.1", macros={"client_name": sender(19), "client_resolve": "OK"}) as mta:
            tap.eq(mta.greeting.line, NO, "a name")


@tap.part
def recipients_and_routes():
    n = N // 10
    rat = "".join(f"user{i}@d{i}.test REJECT 551 \"5.1.6 moved {i}\"\nd{i}.test ACCEPT {{bypass_ldap}}\n"
                  for i in range(n))
    routes = "".join(f"{'.' if i % 10 == 0 else ''}d{i}.test: [mx{i % 7}.test]:{1024 + i % 1000}\n" for i in range(n))
    conf = "[routes]\nfile = routes\n[listener in]\nrat = rat\n"
    with House(conf, {"rat": "", "routes": "", "new-rat": rat, "new-routes": routes}, start=False) as it:
        for words, file, text in ((("rat", "import", "in"), "rat", rat), (("routes", "import"), "routes", routes)):
            tap.eq(it.ctl(*words, os.path.join(it.folder, "new-" + file))[0], 0, f"{' '.join(words)}: {text.count(chr(10))} lines")
            status, out, _err = it.ctl(file, "export")
            it.write(file, out)
            tap.ok(status == 0 and it.ctl(file, "export")[1] == out, f"{file}: the export of the export is the same")
        asked = range(0, n, max(1, n // 1000))
        _status, out, _err = it.ctl("rat", "lookup", "in", "-", stdin="".join(f"user{i}@d{i}.test\n" for i in asked))
        tap.ok([json.loads(line)["text"] for line in out.splitlines()] == [f"moved {i}" for i in asked], "rat lookup")
        _status, out, _err = it.ctl("routes", "lookup", "-", stdin="".join(f"{'a.' if i % 10 == 0 else ''}d{i}.test\n"
                                                                           for i in asked))
        tap.ok([json.loads(line)["hosts"][0]["port"] for line in out.splitlines()] == [1024 + i % 1000 for i in asked],
               "routes lookup")


@tap.part
def one_long_line():
    """No line is too long, neither in a HAT text file nor in the configuration."""
    many = [dotted(2 * number) for number in range(LINE * 3)]
    text = "LIST: " + ", ".join(many) + " REJECT\nALL $ACCEPTED\n"
    with House(CONF, {**RAT, "hat": text}, start=False) as it:
        for conf in (CONF, CONF.replace("hat = hat", "groups = LIST") + "[group LIST]\npolicy = reject\nsenders = " +
                     ", ".join(many) + "\n"):
            it.configure(conf)
            for ip, entry in ((many[-1], many[-1]), (many[0], many[0]), (dotted(1), "ALL")):
                status, out, _err = it.ctl("hat", "match", "--json", "in", ip)
                tap.eq((status, json.loads(out)["entry"]), (0, entry), f"a line of {len(text)} bytes: {ip}")


tap.done()
