#!/usr/bin/python3
"""Host names, DNS lists, score and owner as a real name server (NSD) gives them, in the running daemon."""
import itertools
import json
import os
import socket
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, wait_until
from nsd import Nsd
from tap import Tap

tap = Tap()
RAT = {"rat": "ALL ACCEPT\n"}
DB8 = "1" + ".0" * 23
POINTS = "2.0.0.127 A 127.0.0.2\n"
MANY = [f"n{i:03}" for i in range(100)]
ORDERS = list(itertools.permutations(("a.friend.test.", "mail.friend.test.", "z.other.test.")))

ZONES = {
    "friend.test": "mail A 192.0.2.1\nmail AAAA 2001:db8::1\nbelow.mail A 192.0.2.2\nforged A 192.0.2.99\n"
                   "alias CNAME alias2\nalias2 CNAME alias3\nalias3 A 192.0.2.8\nloop CNAME loop2\nloop2 CNAME loop\n"
                   "lost CNAME gone\nhost-11 A 192.0.2.11\nin.ill A 192.0.2.12\n"
                   + "".join(f"{name} A 192.0.2.{last}\n" for name in ("a", "mail") for last in range(30, 37)),
    "other.test": "".join(f"z A 192.0.2.{last}\n" for last in range(30, 36)),
    "many.test": "".join(f"{name} A 192.0.2.20\n" for name in MANY),
    "ill.test": None,
    "ill-list.test": None,
    "2.0.192.in-addr.arpa": "1 PTR mail.friend.test.\n2 PTR below.mail.friend.test.\n3 PTR mail.friend.test.\n"
                            "4 PTR forged.friend.test.\n5 PTR gone.friend.test.\n"
                            "7 CNAME 7.0/25\n7.0/25 CNAME 7.other\n7.other PTR alias.friend.test.\n"
                            "8 CNAME 8.0/25\n8.0/25 PTR alias.friend.test.\n"
                            "9 PTR loop.friend.test.\n10 PTR lost.friend.test.\n"
                            "11 PTR gone.friend.test.\n11 PTR host-11.friend.test.\n"
                            + "".join(f"{30 + i} PTR {name}\n" for i, names in enumerate(ORDERS) for name in names) +
                            "36 PTR name.ill.test.\n36 PTR a.friend.test.\n37 PTR name.ill.test.\n"
                            "37 PTR forged.friend.test.\n12 PTR name.ill.test.\n13 TXT none\n14 CNAME 14\n15 NS ns.elsewhere.test.\n"
                            + "".join(f"{at} PTR {name}.many.test.\n" for at in (20, 21) for name in MANY),
    "100.51.198.in-addr.arpa": None,
    "8.b.d.0.1.0.0.2.ip6.arpa": DB8 + " PTR mail.friend.test.\n",
    "good.test": POINTS + "50.2.0.192 A 127.0.0.3\n50.2.0.192 TXT \"http://list.test/\"\n"
                          "51.2.0.192 A 127.255.255.254\n52.2.0.192 A 203.0.113.9\n53.2.0.192 NS ns.elsewhere.test.\n"
                          "54.2.0.192 TXT \"no address\"\n" + DB8 + ".8.b.d.0.1.0.0.2 A 127.0.0.2\n",
    "meanings.test": POINTS + "80.2.0.192 A 127.0.0.1\n81.2.0.192 A 127.0.0.4\n82.2.0.192 A 127.0.0.9\n"
                              "83.2.0.192 A 127.0.0.9\n83.2.0.192 A 127.0.0.8\n83.2.0.192 A 127.0.0.1\n",
    "alias.test": POINTS + "60.2.0.192 CNAME entry\nentry A 127.0.0.2\n",
    "none.test": "* TXT x\n50.2.0.192 A 127.0.0.2\n",
    "refuses.test": "* A 127.255.255.254\n",
    "public.test": "* A 203.0.113.9\n",
    "all.test": "* A 127.0.0.2\n",
    "score.test": "70.2.0.192 A 127.0.4.0\n71.2.0.192 A 127.0.4.100\n72.2.0.192 A 127.0.9.0\n"
                  "75.2.0.192 A 127.0.4.100\n75.2.0.192 A 127.0.4.10\n",
    "origin.test": "73.2.0.192 TXT \"64500 | 192.0.2.0/24 | ZZ\"\n"
                   "76.2.0.192 TXT \"64501 | 192.0.2.0/24 | ZZ\"\n76.2.0.192 TXT \"64500 | 192.0.2.0/23 | ZZ\"\n",
}


NAMES = """
[group NAMED]
senders = mail.friend.test
policy = TELL
[group BELOW]
senders = .friend.test .many.test
policy = TELL
[group NOPTR]
senders = nx.domain
policy = TELL
[group TEMP]
senders = serv.fail
policy = TELL
[group MISMATCH]
senders = not.double.verified
policy = TELL
[policy TELL]
access = reject
reject_text = $group $hostname $hatentry
[listener in]
rat = rat
groups = NAMED, BELOW, NOPTR, TEMP, MISMATCH
[dns]
"""
NO_NAME = "554 5.7.1 NOPTR None nx.domain"
TEMP = "554 5.7.1 TEMP Unknown serv.fail"
MISMATCH = "554 5.7.1 MISMATCH None not.double.verified"
CLIENTS = [
    ("192.0.2.1", "554 5.7.1 NAMED mail.friend.test mail.friend.test", "the name matches"),
    ("2001:db8::1", "554 5.7.1 NAMED mail.friend.test mail.friend.test", "... in IPv6"),
    ("192.0.2.2", "554 5.7.1 BELOW below.mail.friend.test .friend.test", "a name below"),
    ("192.0.2.3", MISMATCH, "a name of another address"),
    ("192.0.2.4", MISMATCH, "a forged name"),
    ("192.0.2.5", MISMATCH, "a name that does not exist"),
    ("192.0.2.6", NO_NAME, "no PTR"),
    ("192.0.2.7", MISMATCH, "a chain of aliases before a PTR of another address"),
    ("192.0.2.8", "554 5.7.1 BELOW alias.friend.test .friend.test", "aliases before the PTR and behind it"),
    ("192.0.2.9", TEMP, "aliases that go round"),
    ("192.0.2.10", MISMATCH, "an alias of nothing"),
    ("192.0.2.11", "554 5.7.1 BELOW host-11.friend.test .friend.test", "the second name matches"),
    *((f"192.0.2.{last}", "554 5.7.1 NAMED mail.friend.test mail.friend.test", "any of three names matches")
      for last in range(30, 36)),
    ("192.0.2.36", "554 5.7.1 BELOW a.friend.test .friend.test", "beside a name that cannot be asked"),
    ("192.0.2.37", TEMP, "a forged name and one that cannot be asked"),
    ("192.0.2.12", TEMP, "SERVFAIL for the name"),
    ("192.0.2.13", NO_NAME, "something else than PTR"),
    ("192.0.2.14", TEMP, "an alias of itself"),
    ("192.0.2.15", TEMP, "a delegation that leads nowhere"),
    ("198.51.100.1", TEMP, "SERVFAIL for the PTR"),
    ("203.0.113.1", TEMP, "REFUSED"),
    ("2001:db8::2", NO_NAME, "no PTR in IPv6"),
    ("192.0.2.20", "554 5.7.1 BELOW n000.many.test .many.test", "a hundred names, all of them its own"),
    ("192.0.2.21", TEMP, "a hundred names, none of those followed its own"),
]

LISTED = [
    ("192.0.2.50", "554 5.7.1 by good", "listed"),
    ("2001:db8::1", "554 5.7.1 by good", "listed, IPv6"),
    ("192.0.2.51", "continue", "127.255.255.254 for this client"),
    ("192.0.2.52", "continue", "a public address for this client"),
    ("192.0.2.53", "continue", "a delegation that leads nowhere"),
    ("192.0.2.54", "continue", "a name without an address"),
    ("192.0.2.55", "continue", "not listed"),
    ("192.0.2.60", "554 5.7.1 by alias", "listed by way of an alias"),
]
SUSPENDED = {"none": "no_test_point", "refuses": "refuses", "public": "wrong_answers", "all": "lists_everything",
             "ill-list": "unanswered", "absent": "unanswered"}


def answer(house, ip):
    with house.session(ip) as mta:
        return mta.greeting.line


with Nsd(ZONES) as dns:
    SERVERS = f"servers = 127.0.0.1:{dns.port}\n"

    @tap.part
    def host_names():
        with House(NAMES + SERVERS, RAT) as house:
            for ip, wanted, what in CLIENTS:
                tap.eq(answer(house, ip), wanted, f"{ip}: {what}")

    @tap.part
    def never_answers():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silence = f"servers = 127.0.0.1:{silent.getsockname()[1]}\ntimeout = 200ms\ntries = 2\n"
            with House(NAMES + silence, RAT) as house:
                tap.eq(answer(house, "192.0.2.1"), TEMP, "a server that never answers")
                tap.ok(silent.recv(512), "... was asked")

    @tap.part
    def dns_lists():
        names = ("good", "alias", *SUSPENDED)
        groups = "".join(f"[policy P_{name}]\naccess = reject\nreject_text = by {name}\n"
                         f"[group G_{name}]\npolicy = P_{name}\nsenders = dnslist[{name}.test]\n" for name in names)
        conf = (groups + "[listener in]\nrat = rat\ngroups = " + ", ".join(f"G_{name}" for name in names) +
                "\n[dns]\nhost_lookup = off\n" + SERVERS)
        with House(conf, RAT) as house:
            def health():
                return dict(line.split()[:2] for line in json.loads(house.ctl("status", "--json")[1])["dnslists"])
            wanted = {"good.test": "good", "alias.test": "good",
                      **{f"{name}.test": why for name, why in SUSPENDED.items()}}
            wait_until(lambda: health() == wanted or None, f"the lists to be {wanted}")
            for name, why in SUSPENDED.items():
                line = house.wait_log(event="dnslist", zone=f"{name}.test", state="suspended")
                tap.eq(line["why"], why, f"{name}: suspended")
            for ip, wanted, what in LISTED:
                tap.eq(answer(house, ip), wanted, f"{ip}: {what}")
            status, out, _err = house.ctl("dnslist", "test", "--json", "good.test", "192.0.2.50")
            found = json.loads(out)
            tap.eq((status, found["listed"], found["addresses"], found["text"], found["health"]),
                   (0, True, ["127.0.0.3"], "http://list.test/", "good"), "dnslist test: listed, with its text")
            for name, why in SUSPENDED.items():
                status, out, _err = house.ctl("dnslist", "test", "--json", f"{name}.test", "192.0.2.50")
                found = json.loads(out)
                tap.eq((status, found["listed"], found["health"]), (1, False, why), f"dnslist test: {name}")
                tap.eq(len(house.find_log(event="dnslist", zone=f"{name}.test")), 1, f"{name}: one line in the log")

    @tap.part
    def answers_of_lists():
        conf = ("[policy TELL]\naccess = reject\nreject_text = $group\n[group GOOD]\npolicy = TELL\n"
                "senders = dnslist[meanings.test=127.0.0.1]\n[group BAD]\npolicy = TELL\n"
                "senders = dnslist[meanings.test=127.0.0.2,127.0.0.4-127.0.0.8]\n[group REST]\npolicy = TELL\n"
                "senders = dnslist[meanings.test]\n[listener in]\nrat = rat\ngroups = %s\n"
                "[dns]\nhost_lookup = off\n" + SERVERS)
        for groups, wanted in (("GOOD, BAD, REST", ["GOOD", "BAD", "REST", "GOOD"]),
                               ("BAD, REST", [None, "BAD", "REST", "BAD"]), ("REST", [None, "REST", "REST", "REST"])):
            with House(conf % groups, RAT) as house:
                wait_until(lambda: "meanings.test good" in house.ctl("status", "--json")[1] or None, "the first check")
                for last, group in zip(range(80, 84), wanted):
                    tap.eq(answer(house, f"192.0.2.{last}"), f"554 5.7.1 {group}" if group else "continue",
                           f"{groups}: 192.0.2.{last}")

    @tap.part
    def score_and_owner():
        conf = ("[policy TELL]\naccess = reject\nreject_text = $group $hatentry $orgid\n"
                "[group OWNED]\npolicy = TELL\nsenders = SBO:64500\n[group BAD]\npolicy = TELL\n"
                "senders = SBRS[-10:-3]\n[group NONE]\npolicy = TELL\nsenders = SBRS[none]\n"
                "[listener in]\nrat = rat\ngroups = OWNED, BAD, NONE\n[reputation]\nsource = dns:score.test\n"
                "map = 127.0.4.0-100 -> -10..10\nowner_source = dns:origin.test\n[dns]\nhost_lookup = off\n" + SERVERS)
        with House(conf, RAT) as house:
            for ip, wanted, what in (
                    ("192.0.2.70", "554 5.7.1 BAD SBRS[-10:-3] None", "the worst score"),
                    ("192.0.2.71", "continue", "the best one"),
                    ("192.0.2.72", "554 5.7.1 NONE SBRS[none] None", "an answer outside the map"),
                    ("192.0.2.73", "554 5.7.1 OWNED SBO:64500 64500", "the owner"),
                    ("192.0.2.75", "554 5.7.1 BAD SBRS[-10:-3] None", "the lower one of two scores"),
                    ("192.0.2.76", "554 5.7.1 OWNED SBO:64500 64500", "the lower one of two owners"),
                    ("192.0.2.74", "554 5.7.1 NONE SBRS[none] None", "nothing known")):
                tap.eq(answer(house, ip), wanted, f"{ip}: {what}")

tap.done()
