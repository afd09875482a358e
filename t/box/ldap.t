#!/usr/bin/python3
"""Directories that know recipients, do not, are dead or mad: never a no but by their word."""
import json
import os
import re
import sys
import threading
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, free_port, wait_until
from ldappeer import LdapPeer
from tap import Tap

tap = Tap()
RAT = {"rat": "bypass@example.com ACCEPT {bypass_ldap}\nexample.com ACCEPT\n"}
UNKNOWN, DOWN = "550 5.1.1 User unknown", "451 4.4.3 Directory unavailable"
HARVEST = "550 5.7.1 Too many invalid recipients"
# Mood, and whether it is our time-out that ends the question.
HOSTILES = [("silent", True), ("rst", False), ("close", False), ("garbage", False), ("huge", False),
            ("half", True), ("drip", True), ("bad_bind", False), ("bind", True),
            ("cut_at_search", False), ("half_at_search", True), ("drip_at_search", True),
            ("garbage_at_search", False), ("notice", False)]


def profile(name, *uris, more=""):
    return f"""[ldap {name}]
uri = {" ".join(uris)}
base_dn = dc=test
accept_query = (|(mail={{a}})(&(uid={{u}})(domain={{d}})(sender={{f}})))
{more}
"""


def listener(name, ldap, more=""):
    return f"[listener {name}]\nrat = rat\ndaemon_name = {name}\nldap_accept = {ldap}\n{more}\n"


def rcpt(mta, *locals_):
    return [mta.rcpt(f"<{local}@example.com>").line for local in locals_]


def one(house, *locals_, ip="192.0.2.1", daemon="in", sender="a@example.net"):
    """The answers to one message."""
    with house.session(ip, macros={"daemon_name": daemon}) as mta:
        mta.mail(f"<{sender}>")
        return rcpt(mta, *locals_)


@tap.part
def answers():
    with LdapPeer() as peer:
        conf = profile("d", peer.uri) + listener("in", "d", "recipient_delimiter = +")
        with House(conf, RAT) as it:
            tap.eq(one(it, "joe", "nobody", "bypass", "busy", "elsewhere", "gone"),
                   ["continue", UNKNOWN, "continue", DOWN, DOWN, DOWN], "yes, no and cannot tell")
            line = it.wait_log(event="rcpt", to="<nobody@example.com>")
            tap.eq([line["by"], line["detail"], line["server"], line["cached"], line["invalid"]],
                   ["ldap", "no_match", peer.uri, "no", "1"], "the log says who said so")
            line = it.wait_log(event="rcpt", to="<busy@example.com>")
            tap.eq([line["by"], line["detail"], "invalid" in line, "busy" in line["said"].lower()],
                   ["ldap", "failure", False, True], "and why there is no answer")
            searches = peer.counts["searches"]
            tap.eq(one(it, "joe", "joe+tag", "nobody", "nobody+tag"),
                   ["continue", "continue", UNKNOWN, UNKNOWN], "the same again, with an extension")
            tap.eq(peer.counts["searches"], searches, "they were remembered")
            tap.eq(it.wait_log(event="rcpt", to="<nobody+tag@example.com>")["cached"], "yes",
                   "which the log tells")
            tap.eq(peer.counts["connections"], 1, "one connection serves all")
            tap.eq(one(it, '"*)(mail=*"', "*", sender='"*)(mail=*"@example.net'), [UNKNOWN, UNKNOWN],
                   "nothing gets out of its value")
            tap.eq(peer.asked[-2:], ["*)(mail=*@example.com", "*@example.com"], "asked as it is")

            for what, searched in (("joe@example.com", 1), ("@example.com", 2), ("--negative", 1),
                                   ("--all", 2)):
                one(it, "joe", "nobody")
                before = peer.counts["searches"]
                status, out, _ = it.ctl("cache", "flush", what)
                one(it, "joe", "nobody")
                tap.eq([status, peer.counts["searches"] - before], [0, searched], "flush " + what)
                tap.ok("answers of directories forgotten" in out, "which is told", out)

            it.reload()
            before = peer.counts["searches"]
            tap.eq([one(it, "joe", "nobody"), peer.counts["searches"]],
                   [["continue", UNKNOWN], before], "answers outlive a reload")
            it.configure(conf.replace("dc=test", "dc=other"))
            it.reload()
            one(it, "joe")
            tap.eq([peer.counts["searches"] - before, peer.counts["connections"]], [1, 1],
                   "another question is another one, on the same connection")


@tap.part
def harvest():
    """Each unknown recipient counts once, whoever says so; the limit asks nobody."""
    policy = ("[policy P]\nmax_invalid_recipients_per_hour = 3\ndhap_drop = no\n"
              "[group G]\npolicy = P\nsenders = 198.51.100.0/24\n")
    with LdapPeer() as peer:
        with House(policy + profile("d", peer.uri) + listener("in", "d", "groups = G"), RAT) as it:
            got = one(it, "bad1", "bad1", "busy", "joe", "bad2", ip="198.51.100.1")
            tap.eq(got, [UNKNOWN, UNKNOWN, DOWN, "continue", UNKNOWN], "two unknown, one of them twice")
            line = it.wait_log(event="rcpt", to="<bad2@example.com>")
            tap.eq([line["invalid"], line["attempts"]], ["2", "3"], "counted as two")
            tap.eq(one(it, "bad3", "joe2", ip="198.51.100.1"), [HARVEST, HARVEST], "the third is the limit")
            tap.eq(it.wait_log(event="rcpt", to="<bad3@example.com>")["by"], "dhap", "by=dhap")
            tap.eq("joe2@example.com" in peer.asked, False, "then nobody is asked")


@tap.part
def hostile():
    """Each ends as "cannot tell", or with what the next server says; all side by side."""
    peers = {mood: LdapPeer(mood) for mood, _ in HOSTILES}
    good = LdapPeer()
    conf, cases = "", []
    for mood, slow in HOSTILES:
        limit = "timeout = 3s\nconnect_timeout = 3s" if slow else ""
        for name, uris, more in ((mood, [peers[mood].uri], limit),
                                 (mood + "_next", [peers[mood].uri, good.uri], limit),
                                 (mood + "_accept", [peers[mood].uri], limit + "\nldap_error = accept")):
            conf += profile(name, *uris, more=more) + listener(name, name)
            cases.append(name)
    got = {}

    def ask(it, name):
        got[name] = one(it, "nobody", ip=f"192.0.2.{1 + cases.index(name)}", daemon=name)[0]

    with House(conf, RAT, gatehouse={"command_deadline": "120s"}) as it:
        threads = [threading.Thread(target=ask, args=(it, case)) for case in cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for mood, _ in HOSTILES:
            tap.eq([got.get(mood), got.get(mood + "_next"), got.get(mood + "_accept")],
                   [DOWN, UNKNOWN, "continue"], f"{mood}: alone, with a good one next, excused")
        tap.eq(one(it, "joe", daemon="silent_next"), ["continue"], "and it goes on")
    for peer in [*peers.values(), good]:
        peer.__exit__()


@tap.part
def command_deadline():
    """A directory may take a minute; the MTA may not be kept waiting so long."""
    more = "timeout = 60s\nconnect_timeout = 60s"
    with LdapPeer("silent") as silent, LdapPeer() as slow:
        conf = (profile("d", silent.uri, more=more) + listener("in", "d") +
                profile("s", slow.uri, more=more) + listener("slow", "s"))
        with House(conf, RAT, gatehouse={"command_deadline": "1s"}) as it:
            tap.eq(one(it, "joe"), [DOWN], "one that says nothing")
            tap.eq(one(it, "slow", daemon="slow"), [DOWN], "one that is slow")
            line = it.wait_log(event="rcpt", to="<slow@example.com>")
            tap.ok(900 < int(line["ms"]) < 30000, "at the deadline", line)
            wait_until(lambda: slow.counts["waiting"] == 1, "the search")
            slow.command("open")
            wait_until(lambda: one(it, "slow", daemon="slow") == ["continue"], "the answer")
            tap.eq(slow.counts["searches"], 1, "the question ran on: the retry is answered")


@tap.part
def down_and_up():
    """A directory that is not there is asked again later."""
    port = free_port()
    with House(profile("d", f"ldap://127.0.0.1:{port}") + listener("in", "d"), RAT) as it:
        tap.eq(one(it, "joe", "nobody"), [DOWN, DOWN], "not there")
        it.wait_log(event="ldap")
        it.wait_log(event="close")
        tap.eq(len(it.find_log(event="ldap")), 1, "told once while it is left alone")
        status = json.loads(it.ctl("status", "--json")[1])["directories"]
        tap.matches(re.compile(rf"^(d ldap://127.0.0.1:{port} not asked for [12] s|)$"),
                    " ".join(status), "status tells")
        with LdapPeer(port=port) as peer:
            wait_until(lambda: one(it, "joe") == ["continue"], "it is back")
            tap.ok(it.wait_log(event="ldap", detail=f"[ldap d] {peer.uri} answers again"), "told")
            tap.eq(one(it, "nobody"), [UNKNOWN], "works as before")
            tap.eq(json.loads(it.ctl("status", "--json")[1])["directories"], [f"d {peer.uri} good"],
                   "status tells that, too")
            with peer.lock:
                peer.counts["connections"] = 0
            peer.drop_all()
            tap.eq(one(it, "joe2", "nobody2"), ["continue", UNKNOWN], "a lost connection is made again")
            tap.eq(peer.counts["connections"], 1, "at once")


@tap.part
def burst():
    """Many sessions at once over two connections."""
    with LdapPeer() as peer:
        conf = profile("d", peer.uri, more="max_connections = 2") + listener("in", "d")
        with House(conf, RAT) as it:
            got = []
            threads = [threading.Thread(target=lambda n=n: got.extend(
                one(it, f"slow{n}", f"slow{n + 1}", ip=f"192.0.2.{n}"))) for n in range(1, 61)]
            for thread in threads:
                thread.start()
            wait_until(lambda: peer.counts["waiting"] == 32, "32 searches on two connections")
            peer.command("open")
            for thread in threads:
                thread.join()
            tap.eq([len(got), set(got)], [120, {"continue"}], "all are answered")
            tap.eq([peer.counts["connections"], peer.counts["searches"]], [2, 61], "each asked once")


tap.done()
