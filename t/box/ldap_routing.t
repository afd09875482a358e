#!/usr/bin/python3
"""A directory names the address that mail really goes to: call-ahead asks about that one."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House
from ldappeer import LdapPeer
from smtpserver import Server
from tap import Tap

tap = Tap()
UNKNOWN, CANNOT_TELL = "550 5.1.1 User unknown", "451 4.4.3 Recipient verification unavailable"
ENDLESS = "[ldap d] mailRoutingAddress: addresses lead on to others without end, or in a circle"
CONF = """[dns]
servers = 127.0.0.1:%(dns)d
[ldap d]
uri = %(ldap)s
base_dn = dc=test
routing_query = (mail={a})
routing_address_attr = mailRoutingAddress
[ldap without]
uri = %(ldap)s
base_dn = dc=test
routing_query = (mail={a})
[callahead d]
ldap_routing = d
[callahead without]
ldap_routing = without
[callahead static]
type = static
servers = 127.0.0.1:%(routed)d
[routes]
file = routes
ldap = d
[listener in]
rat = rat
recipient_delimiter = +
callahead = d
[listener without]
daemon_name = without
rat = rat
callahead = without
[listener static]
daemon_name = static
rat = rat
callahead = static
"""
FILES = {"rat": "example.com ACCEPT\n",
         "routes": "example.com [127.0.0.1]:%(routed)d\nthere.example [127.0.0.1]:%(routed)d\n"}
ZONE = "mx.example MX 10 mail.mx.example\nmail.mx.example A 127.0.0.1\n"
BAD = [["^bad", "550 5.1.1 no such user"]]


def entries(port):
    """By the address that is asked for; %d is a mailbox host beside the routes."""
    found = {
        "plain": {}, "one": ["joe@there.example"], "two": ["JOE@There.Example."], "gone": ["bad@there.example"],
        "tagged": ["ann+box@there.example"], "quoted": ['"a b,c"@there.example'], "self": ["Self@example.com"],
        "list": ["x@there.example", "y@there.example"], "commas": ["x@there.example, bad@there.example"],
        "same": ["joe@there.example", "Joe@THERE.example"], "word": ["joe"], "nonsense": ["Joe <joe@there.example>"],
        "mixed": ["joe@there.example", "a b@there.example"], "escape": ["\x1b[31m@there.example"],
        "tolong": ["x" * 256 + "@there.example"], "literal": ["joe@[127.0.0.1]"], "mx": ["joe@mx.example"],
        "toself": ["self@example.com"], "tohosted": ["hosted@example.com"], "circle": ["elcric@example.com"],
        "elcric": ["circle@example.com"], "tolist": ["list@example.com"], "tobusy": ["busy@example.com"],
        "chain.a": ["chain.b@example.com"], "chain.b": ["chain.c@example.com"], "chain.c": ["chain.d@example.com"],
        "chain.d": ["chain.e@example.com"], "chain.e": ["chain.f@example.com"], "chain.f": ["last@there.example"],
    }
    old = ["x500:/o=Org/ou=Site/cn=Recipients/cn=%090d" % n for n in range(100)]
    found |= {
        "target": ["SMTP:remote@there.example"], "targetgone": ["smtp:bad@there.example"],
        "colon": ['"sip:joe"@there.example'], "foreign": ["X400:C=US;A= ;P=Org;S=Doe, Jo;", "sip:joe@there.example"],
        "onlyold": old, "behindold": [*old, "SMTP:bad2@there.example"],
        "proxy": ["smtp:joe@there.example", "SMTP:bad3@there.example", "x500:/o=Org/cn=joe", "smtp:joe"],
        "proxies": ["smtp:joe@there.example", "smtp:bad@there.example"],
    }
    made = {f"{local}@example.com": {"mailRoutingAddress": addresses} for local, addresses in found.items()}
    hosts = {"mailHost": [f"127.0.0.1:{port}"]}
    made["hosted@example.com"] = hosts
    made["both@example.com"] = {"mailRoutingAddress": ["kim@elsewhere.example"], **hosts}
    return made


class Scene:
    """A daemon before a directory, the mailbox host of the routes, and another one."""

    def __enter__(self):
        self.open = [DnsServer(ZONE), Server(rcpt=BAD), Server(rcpt=BAD)]
        self.dns, self.routed, self.hosted = (one.__enter__() for one in self.open)
        self.ldap = LdapPeer(entries=entries(self.hosted.port))
        ports = {"dns": self.dns.port, "ldap": self.ldap.uri, "routed": self.routed.port}
        self.house = House(CONF % ports, {name: text % ports if "%" in text else text for name, text in FILES.items()})
        self.open += [self.ldap, self.house]
        self.house.__enter__()
        return self

    def __exit__(self, *why):
        for one in reversed(self.open):
            one.__exit__(*why)

    def rcpt(self, *locals_, daemon="in"):
        with self.house.session(macros={"daemon_name": daemon}) as mta:
            mta.mail("<a@example.net>")
            return [mta.rcpt(f"<{local}@example.com>").line for local in locals_]

    def told(self, local):
        return self.house.wait_log(event="rcpt", to=f"<{local}@example.com>")

    def heard(self):
        """What the mailbox hosts were asked since the last time."""
        got = [sorted(self.routed.recipients), sorted(self.hosted.recipients)]
        self.routed.forget()
        self.hosted.forget()
        return got


@tap.part
def asked_about():
    with Scene() as it:
        for local, answer, routed, hosted in (
                ("plain", "continue", ["plain@example.com"], []),
                ("one", "continue", ["joe@there.example"], []),
                ("gone", UNKNOWN, ["bad@there.example"], []),
                ("self+tag", "continue", ["self+tag@example.com"], []),
                ("quoted", "continue", ['"a b,c"@there.example'], []),
                ("tagged", "continue", ["ann+box@there.example"], []),
                ("both", "continue", [], ["kim@elsewhere.example"]),
                ("tohosted", "continue", [], ["hosted@example.com"]),
                ("chain.b", "continue", ["last@there.example"], []),
                ("chain.a", CANNOT_TELL, [], []),
                ("circle", CANNOT_TELL, [], []),
                ("list", "continue", [], []), ("tolist", "continue", [], []), ("commas", "continue", [], []),
                ("word", CANNOT_TELL, [], []), ("nonsense", CANNOT_TELL, [], []), ("mixed", CANNOT_TELL, [], []),
                ("escape", CANNOT_TELL, [], []), ("tolong", CANNOT_TELL, [], []), ("busy", CANNOT_TELL, [], []),
                ("tobusy", CANNOT_TELL, [], []), ("literal", CANNOT_TELL, [], []), ("mx", CANNOT_TELL, [], [])):
            tap.eq([it.rcpt(local), it.heard()], [[answer], [routed, hosted]], local)
        line = it.told("gone")
        tap.eq([line["by"], line["invalid"], line["server"]], ["callahead", "1", f"127.0.0.1:{it.routed.port}"],
               "the log is about the address that the client said")
        for local, said in (("circle", ENDLESS), ("chain.a", ENDLESS),
                            ("word", '[ldap d] mailRoutingAddress: "joe" is not an address: it has no domain'),
                            ("escape", '[ldap d] mailRoutingAddress: "?[31m@there.example" is not an address: '
                                       "control byte 27 in the address")):
            tap.eq(it.told(local)["said"], said, f"the log says why: {local}")
        for local in ("word", "circle", "busy", "tolong", "literal"):
            tap.eq("invalid" in it.told(local), False, f"no \"no\": {local}")
        for local in ("mx", "literal"):
            tap.ok("127.0.0.1" in it.told(local)["said"], f"nobody vouches for the loopback: {local}", it.told(local))


@tap.part
def active_directory():
    """A word in front of an address says which network it belongs to."""
    with Scene() as it:
        for local, answer, routed in (
                ("target", "continue", ["remote@there.example"]), ("targetgone", UNKNOWN, ["bad@there.example"]),
                ("colon", "continue", ['"sip:joe"@there.example']),
                ("foreign", "continue", ["foreign@example.com"]), ("onlyold", "continue", ["onlyold@example.com"]),
                ("behindold", UNKNOWN, ["bad2@there.example"]), ("proxy", UNKNOWN, ["bad3@there.example"]),
                ("proxies", "continue", [])):
            tap.eq([it.rcpt(local), it.heard()], [[answer], [routed, []]], local)
        out = it.house.ctl("ldap", "test", "--json", "d", "foreign@example.com")[1]
        tap.eq(json.loads(out)["routing_addresses"], [], "ldap test leaves out those of other networks")


@tap.part
def remembered():
    with Scene() as it:
        it.rcpt("one", "tagged", "gone")
        searches = it.ldap.counts["searches"]
        it.heard()
        tap.eq([it.rcpt("one", "one+tag", "tagged", "gone"), it.heard(), it.ldap.counts["searches"]],
               [["continue"] * 3 + [UNKNOWN], [[], []], searches], "a second time nobody is asked")
        tap.eq([it.rcpt("two", "same"), it.heard()], [["continue"] * 2, [[], []]], "others with that address are answered, too")
        it.ldap.entries["new@example.com"] = {"mailRoutingAddress": ["Ann@there.example"]}
        tap.eq([it.rcpt("new"), it.heard()], [["continue"], [[], []]], "recipient_delimiter holds for the new address")
        cached = [line.split()[0] for line in it.house.ctl("cache", "list")[1].splitlines() if "@" in line]
        tap.eq(sorted(set(cached)), ["ann@there.example", "bad@there.example", "joe@there.example"],
               "under the address that was asked about")


@tap.part
def mailbox_hosts():
    """What one mailbox host says of a recipient is not what another one says."""
    with Scene() as it:
        it.house.configure(it.house.conf.replace("[ldap d]\n", "[ldap d]\ncache_ttl = 0\n"))
        it.house.reload()
        here, there = ({"mailHost": [f"127.0.0.1:{server.port}"]} for server in (it.routed, it.hosted))
        it.hosted.change({"rcpt": [["^late", "550 5.1.1 no such user"]]})
        it.ldap.entries["late@example.com"] = there
        tap.eq([it.rcpt("late", "late"), it.heard()], [[UNKNOWN] * 2, [[], ["late@example.com"]]], "one mailbox host")
        it.ldap.entries["late@example.com"] = here
        tap.eq([it.rcpt("late", "late"), it.heard()], [["continue"] * 2, [["late@example.com"], []]], "moved to another")
        hosts = [f"127.0.0.1:{it.routed.port}", f"127.0.0.1:{it.hosted.port}"]
        it.ldap.entries["two@example.com"] = {"mailHost": hosts}
        it.rcpt("two")
        it.ldap.entries["two@example.com"] = {"mailHost": hosts[::-1]}
        it.heard()
        tap.eq([it.rcpt("two"), it.heard()], [["continue"], [[], []]], "the order of values says nothing")


@tap.part
def without():
    """Without the key the attribute is not even asked for; static call-ahead asks no directory."""
    with Scene() as it:
        tap.eq([it.rcpt("one", daemon="without"), it.heard()], [["continue"], [["one@example.com"], []]], "no attribute")
        tap.eq(it.ldap.wanted, ["callAhead", "mailHost"], "what the directory was asked for")
        it.rcpt("one")
        tap.eq(it.ldap.wanted, ["callAhead", "mailHost", "mailRoutingAddress"], "and with the key")
        it.heard()
        searches = it.ldap.counts["searches"]
        tap.eq([it.rcpt("two", daemon="static"), it.heard(), it.ldap.counts["searches"]],
               [["continue"], [["two@example.com"], []], searches], "type = static")
        it.house.configure(it.house.conf.replace("routing_address_attr = mailRoutingAddress", ""))
        it.house.reload()
        tap.eq([it.rcpt("one"), it.heard(), it.ldap.wanted], [["continue"], [["one@example.com"], []], ["callAhead", "mailHost"]],
               "a reload takes it away: what was remembered with it does not count")


@tap.part
def tools():
    with Scene() as it:
        ctl = it.house.ctl
        status, out, _ = ctl("ldap", "test", "d", "both@example.com")
        tap.ok(status == 0 and f"routing_hosts:      127.0.0.1:{it.hosted.port}\nrouting_addresses:  kim@elsewhere.example\n" in out,
               "ldap test", out)
        _, out, _ = ctl("ldap", "test", "--json", "d", "-", stdin="list@example.com\nescape@example.com\nplain@example.com\n")
        tap.eq([json.loads(line)["routing_addresses"] for line in out.splitlines()],
               [["x@there.example", "y@there.example"], ["\x1b[31m@there.example"], []], "ldap test, a batch")
        _, out, _ = ctl("ldap", "test", "d", "escape@example.com")
        tap.ok("\x1b" not in out and "routing_addresses:  \\x1b[31m@there.example\n" in out, "escaped", out)

        status, out, _ = ctl("callahead", "--listener", "in", "one+tag@example.com")
        tap.ok(status == 0 and "\nC: RCPT TO:<joe@there.example>\n" in out, "callahead: the dialogue", out)
        tap.ok("\naddress:     one+tag@example.com\n" in out and ", as joe@there.example\n" in out, "and the answer", out)
        status, out, _ = ctl("callahead", "--listener", "in", "--json", "list@example.com")
        said = json.loads(out)
        tap.eq([status, list(said), said["server"], said["verdict"], said["text"]],
               [0, ["address", "server", "verdict", "class", "code", "status", "text", "cached", "ms"], None, "accept",
                "the directory lists several addresses"], "callahead --json")
        status, out, _ = ctl("callahead", "--listener", "in", "word@example.com")
        tap.ok(status == 1 and "is not an address" in out and "remembered:  no\n" in out, "callahead: nobody can tell", out)

        it.house.configure(it.house.conf.replace("[ldap without]\n", "[ldap without]\naccept_query = (mail={a})\nrouting_address_attr = x\n")
                           .replace("base_dn = dc=test\nrouting_query = (mail={a})\n[callahead d]", "base_dn = dc=test\n[callahead d]")
                           .replace("ldap_routing = without\n", ""))
        status, _, err = ctl("check")
        tap.ok(status == 0 and "warning: [ldap without] routing_address_attr: not used without routing_query\n" in err,
               "check warns", err)


tap.done()
