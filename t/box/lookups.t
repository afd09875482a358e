#!/usr/bin/python3
"""Score, network owner and country: files, databases, DNS; what is asked, and what is warned of."""
import json
import os
import re
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mmdb
from dnsserver import DnsServer
from house import House
from tap import Tap

tap = Tap()
RAT = {"rat": "ALL ACCEPT\n"}
GROUPS = """
[policy TELL]
access = reject
reject_text = $group $hatentry owner $orgid
[group OWNED]
policy = TELL
senders = SBO:64500, SBO:64501
[group FAR]
policy = TELL
senders = country:JP
[group BAD]
policy = TELL
senders = sbrs[-10.0:-3.0]
[group NONE]
policy = TELL
senders = SBRS[none]
[group GOOD]
policy = ACCEPTED
senders = SBRS[5.0:10.0]
[listener in]
rat = rat
groups = OWNED, FAR, BAD, NONE, GOOD
"""
OFF = "[dns]\nhost_lookup = off\n"


def answer(house, ip):
    with house.session(ip) as mta:
        return mta.greeting.line


def trace(house, ip, *more):
    _status, out, err = house.ctl("trace", "--json", "--ip", ip, "--from", "a@b.test", "--to",
                                  "c@d.test", *more)
    if not out:
        raise AssertionError(err)
    found = json.loads(out)
    return found["group"], found["entry"]


def warnings(house):
    """Of `check`, without file and line; its status."""
    status, _out, err = house.ctl("check")
    return status, re.findall(r"^[^:]*:\d+(?::\d+)?: (.*)$", err.replace(house.folder + "/", ""), re.M)


@tap.part
def from_files():
    scores = "# CIDR SCORE\n192.0.2.0/24 -5\n192.0.2.128/25 1.5\n192.0.2.200 7.5\n2001:db8::/32 -3.0\n"
    conf = GROUPS + OFF + ("[reputation]\nsource = file:scores\nowner_source = mmdb:asn.mmdb\n"
                           "country_source = mmdb:country.mmdb\n")
    databases = {
        "scores": scores,
        "asn.mmdb": mmdb.make({"198.51.100.0/24": mmdb.asn(64500), "2001:db8:5::/48": mmdb.asn(64501)}),
        "country.mmdb": mmdb.make({"203.0.113.0/24": mmdb.country("JP")}),
    }
    with House(conf, {**RAT, **databases}) as house:
        tap.eq(warnings(house), (0, ["warning: ALL ACCEPT makes [listener in] an open relay"]),
               "check: nothing to warn of")
        for ip, wanted, what in (
                ("192.0.2.1", "554 5.7.1 BAD sbrs[-10.0:-3.0] owner None", "the score of a network"),
                ("192.0.2.130", "continue", "a network inside it"),
                ("192.0.2.200", "continue", "an address inside that"),
                ("203.0.112.1", "554 5.7.1 NONE SBRS[none] owner None", "no score"),
                ("2001:db8::1", "554 5.7.1 BAD sbrs[-10.0:-3.0] owner None", "IPv6"),
                ("198.51.100.9", "554 5.7.1 OWNED SBO:64500 owner 64500", "the owner"),
                ("2001:db8:5::1", "554 5.7.1 OWNED SBO:64501 owner 64501", "the owner, IPv6"),
                ("203.0.113.9", "554 5.7.1 FAR country:JP owner None", "the country")):
            tap.eq(answer(house, ip), wanted, f"{ip}: {what}")
        line = house.wait_log(event="connect", ip="192.0.2.200")
        tap.eq((line["score"], line["owner"], line["country"], line["group"]),
               ("7.5", "none", "none", "GOOD"), "the log has what was looked up")
        tap.ok("failed" not in line, "nothing failed")
        order = [key for key in line if key in ("access", "score", "owner", "country", "verdict")]
        tap.eq(order, ["access", "score", "owner", "country", "verdict"], "in a fixed order")
        tap.eq(trace(house, "192.0.2.1"), ("BAD", "sbrs[-10.0:-3.0]"), "trace looks, too")
        tap.eq(trace(house, "192.0.2.1", "--score", "6"), ("GOOD", "SBRS[5.0:10.0]"),
               "trace: a score that is given")
        tap.eq(trace(house, "192.0.2.1", "--owner", "64500"), ("OWNED", "SBO:64500"), "an owner")
        tap.eq(trace(house, "192.0.2.1", "--country", "jp"), ("FAR", "country:JP"), "a country")
        tap.eq(trace(house, "198.51.100.9", "--owner", "1"), ("NONE", "SBRS[none]"), "another owner")
        tap.eq(trace(house, "192.0.2.1", "--offline"), ("NONE", "SBRS[none]"), "offline: no score")
        house.write("scores", scores.replace("192.0.2.0/24 -5", "192.0.2.0/24 5"))
        house.reload()
        tap.eq(answer(house, "192.0.2.1"), "continue", "a reload reads the scores again")
        house.write("scores", scores + "192.0.2.0/24\n")
        house.reload(good=False)
        tap.ok(house.find_log(event="configuration"), "one with a mistake is refused")
        tap.eq(answer(house, "192.0.2.1"), "continue", "and the old one stays")


@tap.part
def from_dns():
    zone = """
1.2.0.192.score.test A 127.0.4.0
2.2.0.192.score.test A 127.0.4.100
3.2.0.192.score.test A 127.0.5.10
4.2.0.192.score.test !servfail
5.2.0.192.score.test !drop
6.2.0.192.score.test A 127.255.255.254
1.2.0.192.origin.test TXT "64501 | 192.0.2.0/24"
4.2.0.192.origin.test !servfail
"""
    conf = GROUPS + ("[reputation]\nsource = dns:score.test\nmap = 127.0.4.0-100 -> -10..10\n"
                     "owner_source = dns:origin.test\ntimeout = 1s\n" + OFF +
                     "servers = 127.0.0.1:%d\ntimeout = 20s\n")
    none = "554 5.7.1 NONE SBRS[none] owner None"
    with DnsServer(zone) as dns, House(conf % dns.port, RAT) as house:
        for ip, wanted, failed in (
                ("192.0.2.1", "554 5.7.1 OWNED SBO:64501 owner 64501", None),
                ("192.0.2.2", "continue", None),
                ("192.0.2.3", none, None),
                ("192.0.2.4", none, "score,owner"),
                ("192.0.2.6", none, "score"),
                ("192.168.0.1", none, None)):
            tap.eq(answer(house, ip), wanted, f"dns: {ip}")
            tap.eq(house.wait_log(event="connect", ip=ip).get("failed"), failed, f"dns: {ip}, failures")
        began = time.monotonic()
        tap.eq(answer(house, "192.0.2.5"), none, "dns: no answer is not a score")
        took = time.monotonic() - began
        tap.ok(0.9 < took < 15, "dns: after [reputation] timeout, not that of [dns]", took)
        tap.eq(house.wait_log(event="connect", ip="192.0.2.5")["failed"], "score", "dns: and logged")
        tap.eq([q for q in dns.queries if "168.192" in q[1]], [], "dns: private addresses are not asked")
        dns.queries.clear()
        tap.eq(trace(house, "192.0.2.77", "--score", "-5", "--owner", "5"),
               ("BAD", "sbrs[-10.0:-3.0]"), "trace with facts")
        tap.eq(dns.queries, [], "asks nothing")


@tap.part
def only_what_can_change_the_winner():
    zones = "".join(f"2.0.0.127.{z}.test A 127.0.0.2\n" for z in ("l1", "l2", "l3"))
    conf = """
[group FIRST]
policy = ACCEPTED
senders = 192.0.2.1, .friend.test
[group SECOND]
policy = THROTTLED
senders = dnslist[l1.test], SBO:64500, 192.0.2.2
[group THIRD]
policy = THROTTLED
senders = 192.0.2.3, dnslist[l2.test], SBRS[-10:-1]
unverified = no_ptr
[group FOURTH]
policy = THROTTLED
senders = dnslist[l3.test]
[group PASSED]
policy = continue
senders = dnslist[l4.test]
[listener in]
rat = rat
groups = PASSED, FIRST, SECOND, THIRD, FOURTH
[reputation]
source = dns:score.test
map = 127.0.4.0-100 -> -10..10
owner_source = dns:origin.test
[dns]
servers = 127.0.0.1:%d
"""
    names = "".join(f"{i}.2.0.192.in-addr.arpa PTR h{i}.{'friend' if i == 9 else 'other'}.test\n"
                    f"h{i}.{'friend' if i == 9 else 'other'}.test A 192.0.2.{i}\n"
                    for i in (1, 2, 3, 4, 9))
    with DnsServer(zones + names) as dns, House(conf % dns.port, RAT) as house:
        def asked(ip):
            front = ".".join(reversed(ip.split("."))) + "."
            return sorted(q[1][len(front):] for q in dns.queries
                          if q[1].startswith(front) and not q[1].endswith("in-addr.arpa"))
        for ip, wanted, what in (
                ("192.0.2.1", [], "an address in the first group"),
                ("192.0.2.9", [], "a verified name in the first group"),
                ("192.0.2.2", [], "an address in the first group that asks"),
                ("192.0.2.3", ["l1.test", "origin.test"], "an address in the group behind it"),
                ("192.0.2.4", ["l1.test", "l2.test", "l3.test", "origin.test", "score.test"],
                 "nothing static"),
                ("192.0.2.5", ["l1.test", "l2.test", "origin.test", "score.test"],
                 "a class leads to the third group")):
            answer(house, ip)
            tap.eq(asked(ip), wanted, f"{ip}: {what}")
            line = house.wait_log(event="connect", ip=ip)
            tap.ok(line["why"] == "no_ptr" if ip.endswith(".5") else line["verified"] == "yes",
                   f"{ip}: the name is always looked up")
        answer(house, "192.0.2.4")
        tap.eq(len(asked("192.0.2.4")), 5, "a second time nothing is asked")


@tap.part
def many_at_once():
    """Twenty slow answers take as long as one."""
    zone = "".join(f"2.0.0.127.l{i}.test A 127.0.0.2\n*.2.0.192.l{i}.test !delay=1000\n"
                   for i in range(20))
    conf = ("[group G]\npolicy = reject\nsenders = " +
            " ".join(f"dnslist[l{i}.test]" for i in range(20)) +
            "\n[listener in]\nrat = rat\ngroups = G\n" + OFF + "servers = 127.0.0.1:%d\n")
    with DnsServer(zone) as dns, House(conf % dns.port, RAT) as house:
        began = time.monotonic()
        tap.eq(answer(house, "192.0.2.1"), "continue", "listed nowhere")
        took = time.monotonic() - began
        tap.ok(0.9 < took < 15, "all were asked at once, not one by one", took)


@tap.part
def databases_that_are_not_there():
    conf = GROUPS + OFF + ("[reputation]\nowner_source = mmdb:gone.mmdb\ncountry_source = mmdb:old.mmdb\n"
                           "source = file:scores\n")
    old = int(time.time()) - 100 * 86400
    files = {"scores": "192.0.2.0/24 1\n",
             "old.mmdb": mmdb.make({"203.0.113.0/24": mmdb.country("JP")}, made=old)}
    with House(conf, {**RAT, **files}, start=False) as house:
        status, lines = warnings(house)
        tap.eq((status, lines[:2]), (1, [
            "[reputation] owner_source: cannot read gone.mmdb: No such file or directory; allowed: a MaxMind DB file",
            "warning: [reputation] country_source: old.mmdb is old: it was made 100 days ago"]),
            "missing: an error; old: a warning")
        house.write("gone.mmdb", mmdb.make({"192.0.2.0/24": mmdb.asn(64500)}))
        house.start()
        tap.eq(answer(house, "203.0.113.1"), "554 5.7.1 FAR country:JP owner None", "an old one serves")
        tap.eq(answer(house, "192.0.2.1"), "554 5.7.1 OWNED SBO:64500 owner 64500", "so does the other")
        os.unlink(os.path.join(house.folder, "old.mmdb"))  # it is mapped: not to be cut short in its place
        house.write("old.mmdb", "no database")
        status, lines = warnings(house)
        tap.ok(status == 1 and any("country_source" in line for line in lines), "a damaged one: an error", lines)
        house.reload(good=False)
        tap.eq(answer(house, "203.0.113.1"), "554 5.7.1 FAR country:JP owner None", "the one in force serves on")


@tap.part
def entries_that_cannot_match():
    for extra, wanted in (
            ("", ["use_reputation: no sender entry with SBRS matches, SBRS[none] included: "
                  "[reputation] source is none",
                  "use_reputation: no sender entry with SBO: matches: [reputation] owner_source is none",
                  "no sender entry with country: matches: [reputation] country_source is none"]),
            ("use_reputation = no\n", [
                "use_reputation: no sender entry with SBRS matches, SBRS[none] included: "
                "use_reputation is off here",
                "use_reputation: no sender entry with SBO: matches: use_reputation is off here",
                "no sender entry with country: matches: [reputation] country_source is none"])):
        with House(GROUPS + extra + OFF, RAT) as house:
            _status, lines = warnings(house)
            tap.eq([re.sub(r"^warning: \[listener in\]:? ", "", line) for line in lines][:3], wanted,
                   "check warns")
            tap.eq(answer(house, "192.0.2.1"), "continue", "nor does any match")
            tap.eq(trace(house, "192.0.2.1", "--offline"), (None, "ALL"), "not in trace either")
    with House(GROUPS + "use_reputation = no\n" + OFF, RAT, start=False) as house:
        tap.eq(trace(house, "192.0.2.1", "--score", "none", "--offline"), (None, "ALL"),
               "off: a given score does not match")
    with House(GROUPS + OFF, RAT, start=False) as house:
        tap.eq(trace(house, "192.0.2.1", "--score", "none", "--offline"), ("NONE", "SBRS[none]"),
               "no source: a given score does")


@tap.part
def mistakes():
    conf = """
[listener in]
rat = rat
[reputation]
source = mmdb:x
map = 127.0.4.0-100
owner_source = file:x
country_source = dns:x
"""
    with House(conf, RAT, start=False) as house:
        status, lines = warnings(house)
        tap.eq((status, [line for line in lines if "[reputation]" in line]), (1, [
            '[reputation] source: "mmdb:x" is not a source; allowed: none or file:PATH or dns:ZONE',
            '[reputation] map: "127.0.4.0-100" is not a map; allowed: 127.A.B.LOW-HIGH -> FROM..TO, LOW under HIGH, '
            'scores from -10.0 to 10.0, as in 127.0.4.0-100 -> -10..10',
            '[reputation] owner_source: "file:x" is not a source; allowed: none or dns:ZONE or mmdb:PATH',
            '[reputation] country_source: "dns:x" is not a source; allowed: none or mmdb:PATH']),
            "kinds that make no sense")
        house.configure("[listener in]\nrat = rat\n[reputation]\nsource = dns:x.test\n")
        status, lines = warnings(house)
        tap.ok(status == 1 and any('map: "" is not a map' in line for line in lines), "dns: needs a map", lines)
        house.configure("[listener in]\nrat = rat\n[reputation]\nsource = file:scores\n")
        house.write("scores", "192.0.2.0/24 11\n")
        status, lines = warnings(house)
        tap.ok(status == 1 and any("is not a score; allowed" in line for line in lines), "a bad score", lines)
        house.configure("[listener in]\nrat = rat\n[reputation]\nsource = file:nowhere\n")
        status, lines = warnings(house)
        tap.ok(status == 1 and any("nowhere" in line for line in lines), "a missing file is an error", lines)


tap.done()
