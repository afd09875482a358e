#!/usr/bin/python3
"""DNS lists that list, do not, refuse, are dead or mad: nobody is refused for a broken one."""
import json
import os
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House, wait_until
from tap import Tap

tap = Tap()
LISTS = ("good", "none", "refuses", "public", "dead", "broken", "mad", "sly", "six")
# A group a list, so that the answer to a client names the list that has it.
GROUPS = "".join(
    f"[policy P_{name}]\naccess = reject\nreject_text = by {name}\n"
    f"[group G_{name}]\npolicy = P_{name}\nsenders = dnslist[{name}.test]\n" for name in LISTS)
CONF = (GROUPS + "[group FRIENDS]\npolicy = ACCEPTED\nsenders = 198.51.100.0/24 .friend.test\n"
        "[listener in]\nrat = rat\ngroups = FRIENDS, " + ", ".join("G_" + name for name in LISTS) +
        "\n[dns]\nservers = 127.0.0.1:%d\ntimeout = 300ms\ntries = 1\n")
RAT = {"rat": "ALL ACCEPT\n"}
POINT = "2.0.0.127.%s.test A 127.0.0.2\n"
SIX = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.six.test A 127.0.0.2\n"
DB8 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
ZONE = (
    POINT % "good" + "1.2.0.192.good.test A 127.0.0.3\n2.2.0.192.good.test A 127.255.255.254\n"
    "3.2.0.192.good.test A 203.0.113.9\n4.2.0.192.good.test !servfail\n5.2.0.192.good.test !drop\n"
    "6.2.0.192.good.test A 127.0.0.2\n6.2.0.192.good.test A 203.0.113.9\n"
    "7.2.0.192.good.test A 127.0.0.2\n7.2.0.192.good.test A 127.0.0.10\n"
    "1.0.0.10.good.test A 127.0.0.2\n1.0.0.127.good.test !nxdomain\n" + DB8 +
    "good.test A 127.0.0.2\n*.100.51.198.good.test A 127.0.0.2\n"
    "9.2.0.192.none.test A 127.0.0.2\n"  # but no test point
    "*.refuses.test A 127.255.255.254\n"
    "*.public.test A 203.0.113.9\n"
    "*.dead.test !drop\n"
    "*.broken.test !servfail\n"
    "*.mad.test A 127.0.0.2\n"
    # The well-known points are right, all else is listed.
    + POINT % "sly" + "*.sly.test A 127.0.0.2\n1.0.0.127.sly.test !nxdomain\n" + SIX +
    "1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.sly.test !nxdomain\n" +
    DB8.replace("1.0", "2.0", 1) + "six.test A 127.0.0.2\n"
    "1.100.51.198.in-addr.arpa PTR mail.friend.test\n")
SUSPENDED = {"none": "no_test_point", "refuses": "refuses", "public": "wrong_answers",
             "dead": "unanswered", "broken": "unanswered", "mad": "lists_everything",
             "sly": "lists_everything"}
LISTED = [
    ("192.0.2.1", "554 5.7.1 by good", "listed"),
    ("192.0.2.7", "554 5.7.1 by good", "listed, with two answers"),
    ("::ffff:192.0.2.1", "554 5.7.1 by good", "listed, in the IPv6 form"),
    ("2001:db8::1", "554 5.7.1 by good", "listed, IPv6"),
    ("2001:db8::2", "554 5.7.1 by six", "listed by a list of IPv6 addresses"),
    ("192.0.2.9", "continue", "not listed by a list that is good"),
    ("192.0.2.2", "continue", "the good list refuses this one question"),
    ("192.0.2.3", "continue", "it answers with a public address"),
    ("192.0.2.6", "continue", "it answers with a public address as well"),
    ("192.0.2.9", "continue", "not listed, again"),
    ("192.0.2.10", "continue", "not listed: five odd answers in a row would suspend the list"),
    ("192.0.2.4", "continue", "it fails"),
    ("192.0.2.5", "continue", "it does not answer"),
    ("10.0.0.1", "continue", "a private address is asked about nowhere"),
    ("127.0.0.2", "continue", "the test point itself, as a client"),
    ("198.51.100.7", "continue", "a friend by address"),
]


def answer(house, ip):
    with house.session(ip) as mta:
        return mta.greeting.line


def queries_for(dns, front):
    return [name for _how, name, _type in list(dns.queries) if name.startswith(front)]


def goes_mad_while_running():
    """A list that lists the world from one moment to the next (no check is due)."""
    zone = POINT % "good"
    conf = ("[group G]\npolicy = reject\nsenders = dnslist[good.test]\n[listener in]\nrat = rat\n"
            "groups = G\n[dns]\nhost_lookup = off\nservers = 127.0.0.1:%d\n")
    with DnsServer(zone) as dns, House(conf % dns.port, RAT) as house:
        wait_until(lambda: "good.test good" in house.ctl("status", "--json")[1], "the first check")
        tap.eq(answer(house, "203.0.113.1"), "continue", "not listed")
        dns.set_zone(zone + "*.good.test A 127.0.0.2\n")
        refused = [answer(house, f"198.51.100.{i}") != "continue" for i in range(1, 21)]
        tap.eq(refused, [True] * 10 + [False] * 10, "DNSLIST_RUN_MAX are refused, then nobody")
        house.wait_log(event="dnslist", state="suspended")
        tap.eq(answer(house, "198.51.100.1"), "continue", "nor those it had listed")


tap.part(goes_mad_while_running)
with DnsServer(ZONE) as dns, House(CONF % dns.port, RAT) as house:

    @tap.part
    def suspended_at_start():
        for name, why in sorted(SUSPENDED.items()):
            line = house.wait_log(event="dnslist", zone=f"{name}.test", state="suspended")
            tap.eq(line["why"], why, f"{name}: suspended")

    @tap.part
    def only_good_lists_list():
        for ip, wanted, what in LISTED:
            tap.eq(answer(house, ip), wanted, f"{ip}: {what}")
        tap.eq([name for name in queries_for(dns, "1.2.0.192.") if name.endswith(".test")],
               ["1.2.0.192.good.test", "1.2.0.192.six.test"], "suspended lists are not asked")
        tap.eq([name for name in queries_for(dns, "1.0.0.10.") if name.endswith(".test")], [],
               "nor is any about a private address")
        tap.eq([name for name in queries_for(dns, "7.100.51.198.") if name.endswith(".test")], [],
               "nor about a client that a group ahead of them has")
        line = house.wait_log(event="connect", ip="192.0.2.1", count=2)
        tap.eq((line["group"], line["entry"], line["policy"]),
               ("G_good", "dnslist[good.test]", "P_good"), "the log names list and group")

    @tap.part
    def logged_once():
        for name in SUSPENDED:
            tap.eq(len(house.find_log(event="dnslist", zone=f"{name}.test")), 1, f"{name}: one line")
        odd = house.find_log(event="dnslist", zone="good.test", state="odd")
        tap.eq(len(odd), 1, "odd answers of a good list: one line a minute")
        tap.eq(odd[0]["why"], "refused", "the first of them")

    @tap.part
    def by_the_daemon():
        status, out, _ = house.ctl("status", "--json")
        tap.eq((status, sorted(json.loads(out)["dnslists"])),
               (0, sorted([f"{name}.test {why}" for name, why in SUSPENDED.items()] +
                          ["good.test good", "six.test good"])), "status tells how the lists are")
        before = dns.count("1.2.0.192.good.test")
        answer(house, "192.0.2.1")
        tap.eq(dns.count("1.2.0.192.good.test"), before, "an answer is kept")
        for what, n in (("@good.test", "1 DNS"), ("--all", "9 DNS")):
            before = dns.count("1.2.0.192.good.test")
            status, out, _ = house.ctl("cache", "flush", what)
            tap.ok(status == 0 and f"{n} lists forgotten" in out, f"cache flush {what}", out)
            answer(house, "192.0.2.1")
            tap.eq(dns.count("1.2.0.192.good.test"), before + 1, "forgotten, asked again")

    @tap.part
    def by_the_tool():
        status, out, _ = house.ctl("dnslist", "test", "good.test", "192.0.2.1", "--json")
        tap.eq((status, json.loads(out)), (0, {
            "zone": "good.test", "ip": "192.0.2.1", "listed": True, "answer": "listed",
            "addresses": ["127.0.0.3"], "text": None, "health": "good",
            "why": "it lists 127.0.0.2 and not 127.0.0.1",
            "matches": [{"listener": "in", "group": "G_good", "entry": "dnslist[good.test]", "policy": "P_good",
                         "access": "reject", "comment": None}]}), "dnslist test: listed")
        status, out, _ = house.ctl("dnslist", "test", "mad.test", "192.0.2.1", "--json")
        found = json.loads(out)
        tap.eq((status, found["listed"], found["answer"], found["health"]),
               (1, False, "listed", "lists_everything"), "dnslist test: a mad list is not believed")
        status, out, _ = house.ctl("dnslist", "test", "good.test", "192.0.2.2")
        tap.eq((status, out.splitlines()[2:5]),
               (1, ["listed:     no", "answer:     refused", "addresses:  127.255.255.254"]),
               "dnslist test: refused")
        status, out, _ = house.ctl("dnslist", "test", "Good.TEST.", "127.0.0.2")
        tap.eq((status, out.splitlines()[2]), (0, "listed:     yes"), "dnslist test: any address")
        status, out, _ = house.ctl("dnslist", "test", "good.test", "-", stdin="192.0.2.1\n192.0.2.9\n")
        tap.eq((status, [json.loads(line)["listed"] for line in out.splitlines()]),
               (0, [True, False]), "dnslist test: many addresses")
        status, out, _ = house.ctl("dnslist", "test", "-",
                                   stdin="good.test 192.0.2.1\nsix.test 2001:db8::2\n")
        tap.eq((status, [json.loads(line)["zone"] for line in out.splitlines()]),
               (0, ["good.test", "six.test"]), "dnslist test: many lists")
        for wrong in (("test",), ("test", "good.test"), ("test", "good.test", "x"),
                      ("test", "a..b", "192.0.2.1"), ("try", "good.test", "192.0.2.1"), (),
                      ("test", "good.test", "192.0.2.1", "more")):
            status, out, err = house.ctl("dnslist", *wrong)
            tap.ok(status == 2 and out == "" and err, f"dnslist {' '.join(wrong)}: usage", err)

    @tap.part
    def by_trace():
        def trace(ip, *more):
            status, out, err = house.ctl("trace", "--json", "--ip", ip, "--from", "a@b.test", "--to",
                                         "c@d.test", *more)
            found = json.loads(out)
            return status, found["group"], found["entry"]
        tap.eq(trace("192.0.2.1"), (1, "G_good", "dnslist[good.test]"), "trace asks the lists")
        tap.eq(trace("192.0.2.9"), (0, None, "ALL"), "trace believes no bad one either")
        tap.eq(trace("192.0.2.9", "--listed", "Mad.test,x.test"), (1, "G_mad", "dnslist[mad.test]"),
               "trace: what is given is believed")
        before = len(dns.queries)
        tap.eq(trace("192.0.2.1", "--listed", "x.test", "--host", "none"), (0, None, "ALL"),
               "trace: and is all there is")
        tap.eq(trace("192.0.2.1", "--offline"), (0, None, "ALL"), "trace --offline: nothing listed")
        tap.eq(len(dns.queries), before, "trace asked nothing then")

    @tap.part
    def back_by_themselves():
        before = len(house.lines)
        dns.set_zone(ZONE.replace("*.mad.test A 127.0.0.2\n",
                                  POINT % "mad" + "77.2.0.192.mad.test A 127.0.0.2\n"))
        line = house.wait_log(event="dnslist", zone="mad.test", state="resumed", patience=60)
        tap.eq(line["detail"], "it lists 127.0.0.2 and not 127.0.0.1", "resumed")
        tap.eq(answer(house, "192.0.2.77"), "554 5.7.1 by mad", "and believed again")
        tap.eq(answer(house, "192.0.2.78"), "continue", "where it lists")
        tap.eq([l["zone"] for l in house.find_log(after=before, event="dnslist")
                if l["state"] == "suspended"], [], "nothing was logged again")


@tap.part
def dead_while_running():
    """Deadlines hold, and a dead list is left alone soon."""
    zone = POINT % "good"
    conf = ("[group G]\npolicy = reject\nsenders = dnslist[good.test]\n[listener in]\nrat = rat\n"
            "groups = G\n[reputation]\ntimeout = 500ms\n[dns]\nhost_lookup = off\n"
            "servers = 127.0.0.1:%d\ntimeout = 5s\n")
    with DnsServer(zone) as dns, House(conf % dns.port, RAT) as house:
        wait_until(lambda: "good.test good" in house.ctl("status", "--json")[1], "the first check")
        tap.eq(answer(house, "203.0.113.1"), "continue", "not listed")
        dns.set_zone("*.good.test !drop\n")
        for i in range(1, 9):
            began = time.monotonic()
            tap.eq(answer(house, f"198.51.100.{i}"), "continue", f"client {i} of a dead list")
            if i <= 5:
                tap.ok(time.monotonic() - began > 0.4, "waited for [reputation] timeout")
        tap.eq([len(queries_for(dns, f"{i}.100.51.198.")) for i in range(1, 9)],
               [1] * 5 + [0] * 3, "then it is not asked")
        line = house.wait_log(event="dnslist", state="suspended")
        tap.eq(line["why"], "unanswered", "it is suspended")


MEANINGS = """
[policy TELL]
access = reject
reject_text = $group $hatentry
[group GOOD]
policy = TELL
senders = dnslist[m.test=127.0.0.1]
[group BAD]
policy = TELL
senders = dnslist[M.test=127.0.0.2,127.0.0.4-127.0.0.8]
[group REST]
policy = TELL
senders = dnslist[m.test]
comment = all others
[listener in]
rat = rat
groups = GOOD, BAD, REST
[listener other]
daemon_name = other
rat = rat
groups = REST
[dns]
host_lookup = off
servers = 127.0.0.1:%d
"""
SAID = [
    ("192.0.2.1", ["127.0.0.1"], "GOOD dnslist[m.test=127.0.0.1]"),
    ("192.0.2.2", ["127.0.0.2"], "BAD dnslist[M.test=127.0.0.2,127.0.0.4-127.0.0.8]"),
    ("192.0.2.3", ["127.0.0.6"], "BAD dnslist[M.test=127.0.0.2,127.0.0.4-127.0.0.8]"),
    ("192.0.2.4", ["127.0.0.3"], "REST dnslist[m.test]"),
    ("192.0.2.5", ["127.0.0.3", "127.0.0.4"], "BAD dnslist[M.test=127.0.0.2,127.0.0.4-127.0.0.8]"),
    ("192.0.2.6", ["127.0.0.4", "127.0.0.3"], "BAD dnslist[M.test=127.0.0.2,127.0.0.4-127.0.0.8]"),
    ("192.0.2.7", ["127.0.0.8", "127.0.0.1"], "GOOD dnslist[m.test=127.0.0.1]"),
    ("192.0.2.8", ["127.255.254.255"], "REST dnslist[m.test]"),
    ("192.0.2.9", [], None),
    ("192.0.2.10", ["127.255.255.254"], None),
    ("192.0.2.11", [], None),
    ("192.0.2.12", ["203.0.113.9"], None),
    ("192.0.2.13", [], None),
    ("192.0.2.14", ["127.0.0.1", "127.255.255.255"], None),
]


@tap.part
def several_meanings():
    zone = POINT % "m" + "".join(f"{ip.split('.')[3]}.2.0.192.m.test A {answer}\n" for ip, said, _ in SAID for answer in said)
    with DnsServer(zone) as dns, House(MEANINGS % dns.port, RAT) as house:
        wait_until(lambda: "m.test good" in house.ctl("status", "--json")[1], "the first check")
        for ip, said, wanted in SAID:
            tap.eq(answer(house, ip), f"554 5.7.1 {wanted}" if wanted else "continue", f"{ip}: {said}")
            tap.eq(len(queries_for(dns, ip.split(".")[3] + ".2.0.192.")), 1, "... asked once")
            answer(house, ip)
            tap.eq(len(queries_for(dns, ip.split(".")[3] + ".2.0.192.")), 1, "... and kept")
        house.wait_log(event="connect", ip=SAID[-1][0], count=2)
        odd = house.find_log(event="dnslist", zone="m.test", state="odd")
        tap.eq([line["why"] for line in odd], ["refused"], "answers that are none: one line a minute, of the first")
        tap.eq(house.find_log(event="dnslist", state="suspended"), [], "what answers mean is no fault of the list")

        def test(ip):
            status, out, _ = house.ctl("dnslist", "test", "m.test", ip, "--json")
            found = json.loads(out)
            return (status, found["listed"], found["answer"], found["addresses"],
                    [(row["listener"], row["group"]) for row in found["matches"]])
        tap.eq(test("192.0.2.2"), (0, True, "listed", ["127.0.0.2"], [("in", "BAD"), ("in", "REST"), ("other", "REST")]),
               "dnslist test: the entries that would match")
        tap.eq(test("192.0.2.1"), (0, False, "other", ["127.0.0.1"], [("in", "GOOD")]), "dnslist test: known as good")
        tap.eq(test("192.0.2.9"), (1, False, "not_listed", [], []), "dnslist test: none")
        tap.eq(test("192.0.2.10"), (1, False, "refused", ["127.255.255.254"], []), "dnslist test: a refusal matches nothing")
        _status, out, _ = house.ctl("dnslist", "test", "m.test", "192.0.2.4")
        tap.eq([line.split() for line in out.splitlines()[-3:]],
               [["LISTENER", "GROUP", "ENTRY", "POLICY", "ACCESS", "COMMENT"],
                ["in", "REST", "dnslist[m.test]", "TELL", "reject", "all", "others"],
                ["other", "REST", "dnslist[m.test]", "TELL", "reject", "all", "others"]], "... for people")


@tap.part
def knows_everybody_as_good():
    """To call everybody good is as mad as to call everybody bad."""
    conf = ("[group G]\npolicy = TRUSTED\nsenders = dnslist[good.test=127.0.0.1]\n[listener in]\nrat = rat\n"
            "groups = G\ndefault_policy = BLOCKED\n[dns]\nhost_lookup = off\nservers = 127.0.0.1:%d\n")
    zone = POINT % "good"
    with DnsServer(zone) as dns, House(conf % dns.port, RAT) as house:
        wait_until(lambda: "good.test good" in house.ctl("status", "--json")[1], "the first check")
        tap.eq(answer(house, "203.0.113.1"), "554 5.7.1 Access denied", "not listed")
        dns.set_zone(zone + "*.good.test A 127.0.0.1\n")
        trusted = [answer(house, f"198.51.100.{i}") == "continue" for i in range(1, 21)]
        tap.eq(trusted, [True] * 10 + [False] * 10, "DNSLIST_RUN_MAX are trusted, then nobody")
        tap.eq(house.wait_log(event="dnslist", state="suspended")["why"], "lists_everything", "it is suspended")


@tap.part
def reload_knows_new_lists():
    zone = "".join(POINT % name for name in ("one", "two")) + "1.2.0.192.two.test A 127.0.0.2\n"
    conf = ("[group G]\npolicy = reject\nsenders = dnslist[%s]\n[listener in]\nrat = rat\n"
            "groups = G\n[dns]\nhost_lookup = off\nservers = 127.0.0.1:%d\n")
    with DnsServer(zone) as dns, House(conf % ("one.test", dns.port), RAT) as house:
        wait_until(lambda: dns.count("1.0.0.127.one.test"), "the first check")
        tap.eq(answer(house, "192.0.2.1"), "continue", "the old list does not list")
        house.configure(conf % ("two.test", dns.port))
        house.reload()
        wait_until(lambda: dns.count("2.0.0.127.two.test"), "the check of the new list")
        tap.eq(answer(house, "192.0.2.1"), "554 5.7.1 Access denied", "the new one does")


tap.done()
