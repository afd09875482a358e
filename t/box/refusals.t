#!/usr/bin/python3
"""A refusal that does not speak of the recipient is no "no": what it costs the client, and what not."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, TOP
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[routes]
file = routes
[listener in]
rat = rat
callahead = p
[callahead p]
"""
RAT = "example.com ACCEPT\nhealthy.test ACCEPT\n"
CONTINUE, UNKNOWN, HARVEST = "continue", "550 5.1.1 User unknown", "550 5.7.1 Too many invalid recipients"
BLOCKED = "421 4.7.1 Too many invalid recipients"
MANY = 26  # one more than max_invalid_recipients_per_hour


def replies(name):
    """(class, reply) of the first lines that suit any recipient of example.com."""
    found = []
    with open(os.path.join(TOP, "t", "replies", name), encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split(" | ", 3)
            if len(fields) == 4 and fields[2] == "-" and fields[3].startswith("5") and "\\x" not in line:
                found.append((fields[0], fields[3].replace("\\n", "\n")))
    return [(kind, text) for kind, text in found if "joe" not in text.replace("joe@example.com", "")]


def address(i):
    return f"r{i:03}@example.com"


def mailbox_host(lines):
    """Refuses each of r000@, r001@ ... in the words of its line."""
    return Server(rcpt=[[f"^r{i:03}@", text.replace("joe@example.com", address(i))] for i, (_, text) in enumerate(lines)])


def house(bad, good):
    return House(CONF, {"rat": RAT, "routes": f"example.com [127.0.0.1]:{bad.port}\nhealthy.test [127.0.0.1]:{good.port}\n"})


def rcpts(it, *addresses):
    with it.session("192.0.2.1") as mta:
        return [mta.mail("<a@example.net>").line] + [mta.rcpt(f"<{each}>").line for each in addresses]


def counted(it):
    """Invalid recipients of the client."""
    lines = it.ctl("counter", "show", "--json", "192.0.2.1")[1].splitlines()
    return [line["count"] for line in map(json.loads, lines) if line["kind"] == "invalid"]


@tap.part
def the_host_refuses_us():
    """A fresh gateway that a mailbox host does not like, and a client with good recipients."""
    lines = replies("others.txt")[:MANY]
    with mailbox_host(lines) as bad, Server() as good, house(bad, good) as it:
        said = rcpts(it, *map(address, range(MANY)))
        tap.eq(([each for each in said if each.startswith("5")], len(said)), ([], MANY + 1), "nothing is refused for good")
        tap.eq({each[:4] for each in said[1:]}, {"451 "}, "... all may come back")
        it.wait_log(event="rcpt", count=MANY)
        details = {line["detail"] for line in it.find_log(event="rcpt")}
        tap.eq(details, {"failure", "temporary"}, "... nobody is unknown")
        tap.eq(counted(it), [], "... nothing is counted")
        tap.eq(it.ctl("cache", "list", "--json")[1], "", "... or remembered")
        tap.eq(rcpts(it, "u@healthy.test", "v@healthy.test"), [CONTINUE] * 3, "other domains are not affected")


@tap.part
def recipients_that_do_not_exist():
    lines = replies("users.txt")[:MANY]
    with mailbox_host(lines) as bad, Server() as good, house(bad, good) as it:
        tap.eq(rcpts(it, *map(address, range(MANY))), [CONTINUE] + [UNKNOWN] * (MANY - 2) + [HARVEST] * 2,
               "they are refused, and counted")
        tap.eq(counted(it), [MANY - 1], "... 25 in an hour are enough")
        tap.eq(rcpts(it)[:1], [BLOCKED], "... for the client to be refused everywhere")


@tap.part
def in_all_words():
    """From the wire to the class, one by one."""
    lines = replies("others.txt") + replies("users.txt")
    with mailbox_host(lines) as host, Server() as good, house(host, good) as it:
        queries = "".join(address(i) + "\n" for i in range(len(lines)))
        status, out, err = it.ctl("callahead", "--json", "-", stdin=queries)
        tap.eq((status, err), (0, ""), "asked about all")
        answers = [json.loads(line)["class"] for line in out.splitlines()]
        wrong = [(kind, answer, text) for (kind, text), answer in zip(lines, answers) if kind != answer]
        tap.eq((len(answers), wrong), (len(lines), []), "each is what it says")


tap.done()
