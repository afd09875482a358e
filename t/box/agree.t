#!/usr/bin/python3
"""`gatehousectl trace` and the daemon decide alike, to the byte (SPEC 14)."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import House, free_port
from ldappeer import LdapPeer
from tap import Tap

tap = Tap()
CONF = """
[dns]
servers = 127.0.0.1:%(dns)d
[policy ACCEPTED]
max_message_size = 1K
max_recipients_per_message = 3
[policy WORDS]
access = reject
reject_code = 550
reject_text = #5.7.99  two  blanks, $RemoteIP $Group $HatEntry $HOSTNAME $orgid 100%% $ü
[policy LATER]
access = reject
reject_code = 451
reject_text = try  later
[policy GONE]
access = reject
reject_code = 421
[policy NEEDS]
tls = required
auth = required
tls_verify_client = yes
[policy NOAUTH]
auth = off
[policy TINY]
max_recipients_per_message = 1
max_message_size = 1K
[group OURS]
policy = relay
senders = 198.51.100.0/28, 2001:db8:1::/48
[group CLOSED]
policy = reject
senders = 192.0.2.60-69, 2001:db8:2::1-2001:db8:2::ff, .bad.test
[group SHUT]
policy = tcprefuse
senders = 192.0.2.70, 2001:db8:3:1-f:0:0:0:1
[group WORDS]
policy = WORDS
senders = 192.0.2.80, 203.0.113., mail.words.test
[group LATER]
policy = LATER
senders = 192.0.2.81
[group GONE]
policy = GONE
senders = 192.0.2.82
[group NEEDS]
policy = NEEDS
senders = 192.0.2.83
[group NOAUTH]
policy = NOAUTH
senders = 192.0.2.84
[group TINY]
policy = TINY
senders = 192.0.2.85
[group NAMELESS]
policy = WORDS
unverified = no_ptr
senders = 192.0.2.86
[group DOUBTFUL]
policy = LATER
unverified = ptr_tempfail
senders = 192.0.2.87
[group FORGED]
policy = reject
unverified = ptr_mismatch
senders = 192.0.2.88
[listener public]
daemon_name = public
%(groups)s
rat = rat
callahead = routed
[listener atmail]
daemon_name = atmail
%(groups)s
reject_at = mail
rat = rat
[listener atrcpt]
daemon_name = atrcpt
%(groups)s
reject_at = rcpt
rat = rat
[listener loose]
daemon_name = loose
address_parser = loose
rat = rat
[listener words]
daemon_name = words
rat = rat
callahead = words
[listener mild]
daemon_name = mild
rat = rat
callahead = mild
[listener known]
daemon_name = known
rat = rat
ldap_accept = directory
[listener excused]
daemon_name = excused
rat = rat
ldap_accept = lenient
[listener moved]
daemon_name = moved
rat = rat
recipient_delimiter = +
callahead = moved
[callahead moved]
ldap_routing = moved
timeout = 10s
[ldap moved]
uri = %(ldap)s
base_dn = dc=test
routing_query = (mail={a})
routing_address_attr = mailRoutingAddress
[ldap directory]
uri = %(ldap)s
base_dn = dc=test
accept_query = (mail={a})
[ldap lenient]
uri = %(ldap)s
base_dn = dc=test
accept_query = (mail={a})
ldap_error = accept
[listener private]
daemon_name = private
type = private
groups = OURS, CLOSED
default_policy = ACCEPTED
[listener bare]
daemon_name = bare
[callahead routed]
timeout = 10s
failure_text = cannot  ask, 50%% sure
unknown_code = 553
unknown_text = 5.1.6 moved away
[callahead words]
type = static
servers = 127.0.0.1:%(smtp)d
reply_text = server
[callahead mild]
type = static
servers = 127.0.0.1:%(smtp)d
failure_action = accept
temporary_action = accept
[routes]
file = routes
"""
GROUPS = "groups = OURS, CLOSED, SHUT, WORDS, LATER, GONE, NEEDS, NOAUTH, TINY, NAMELESS, DOUBTFUL, FORGED"
RAT = """
away.example REJECT 550 "5.2.1  two  blanks, 100%%"
soft.example REJECT 450 "come back"
vendor.example REJECT 553 "#5.7.27 vendor's spelling"
long.example REJECT 550 "%s"
free.example ACCEPT {bypass_callahead}
[192.0.2.25] ACCEPT {bypass_callahead}
[IPv6:2001:db8::25] ACCEPT {bypass_callahead}
[127.0.0.9] ACCEPT
user@ ACCEPT {bypass_callahead}
bücher.example ACCEPT {bypass_callahead}
example.com, .example.com, dead.example, void.example, mx.example, nomx.example ACCEPT
""" % ("%ü" * 300)
ROUTES = """
example.com [127.0.0.1]:%(smtp)d
.example.com [127.0.0.1]:%(smtp)d
dead.example [127.0.0.1]:%(dead)d
void.example /dev/null
"""
ZONE = """
1.2.0.192.in-addr.arpa PTR mail.good.test
mail.good.test A 192.0.2.1
2.2.0.192.in-addr.arpa PTR host.bad.test
host.bad.test A 192.0.2.2
3.2.0.192.in-addr.arpa PTR mail.words.test
mail.words.test A 192.0.2.3
4.2.0.192.in-addr.arpa !servfail
5.2.0.192.in-addr.arpa PTR mail.good.test
mx.example MX 10 mx.mx.example
mx.mx.example A 127.0.0.1
nomx.example MX 0 .
"""
SMTP = [["^unknown", "550 5.1.1 who is that,  100% unknown"], ["^full", "452 4.2.2 full"],
        ["^busy", "450 4.3.0 later"], ["^grey", "451 4.7.1 greylisted"], ["^policy", "554 5.7.1 blocked"],
        ["^odd", "250 fine"], ["^bare", "550 unknown user"], ["^relay", "550 5.7.1 relaying denied"],
        ["^big", "552 5.2.2 over quota"], ["^lines", "550-5.1.1 one\n550 5.1.1 two"]]
MOVED = {"two": ["v@example.com"], "gone": ["unknown@example.com"], "late": ["grey@example.com"],
         "list": ["v@example.com", "unknown@example.com"], "void": ["u@void.example"], "nomx": ["u@nomx.example"],
         "mx": ["u@mx.example"], "literal": ["u@[127.0.0.9]"], "first": ["second@example.com"], "second": ["gone@example.com"],
         "round": ["about@example.com"], "about": ["round@example.com"], "word": ["unknown"], "quote": ['"unknown one"@example.com']}
F, T = "<a@sender.test>", "<u@free.example>"


def case(ip="192.0.2.1", to=T, listener="public", frm=F, **more):
    """host, callahead: what the network says, for trace --offline. False: not there."""
    return {"ip": ip, "listener": listener, "from": frm, "to": to if isinstance(to, list) else [to], **more}


CASES = [case(ip, listener=listener, host=host) for listener in ("public", "atmail", "atrcpt") for ip, host in (
    ("192.0.2.1", "mail.good.test"), ("192.0.2.2", "host.bad.test"), ("192.0.2.3", "mail.words.test"),
    ("192.0.2.4", "servfail"), ("192.0.2.5", "mismatch"), ("192.0.2.6", "none"), ("2001:db8::6", "none"),
    ("192.0.2.59", "none"), ("192.0.2.60", "none"), ("192.0.2.69", "none"), ("192.0.2.70", "none"),
    ("192.0.2.71", "none"), ("192.0.2.80", "none"), ("203.0.113.255", "none"), ("192.0.2.81", "none"),
    ("192.0.2.82", "none"), ("198.51.100.15", "none"), ("198.51.100.16", "none"),
    ("::ffff:192.0.2.60", "none"), ("::ffff:198.51.100.1", "none"), ("::192.0.2.60", "none"),
    ("2001:db8:1:ffff::", "none"), ("2001:DB8:2:0:0:0:0:ff", "none"), ("2001:db8:2::100", "none"),
    ("2001:db8:3:f::1", "none"), ("2001:db8:3:f::2", "none"), ("255.255.255.255", "none"), ("0.0.0.0", "none"),
)]
CASES += [case(ip, listener=listener, host="none", **facts)
          for listener in ("public", "atmail", "atrcpt", "private", "bare")
          for ip in ("192.0.2.60", "192.0.2.83", "192.0.2.84", "198.51.100.1")
          for facts in ({"auth": "joe"}, {"tls": True}, {"auth": "joe", "tls": True}, {"auth": "joe", "tls": True, "cert": True},
                        {"auth": "joe", "cert": True}, {})]
CASES += [case(frm=sender, size=size, host="mail.good.test") for sender, size in (
    ("<>", 0), (F, 1024), (F, 1025), ("<>", 1025), ("<>", 18446744073709551615 // 2), ("<joe>", 1), ("joe", 1),
    ("<a@b..test>", 1), ("<a@b..test>", 2000), ("<@x.test:a@b.test>", 1), ('<"a b"@b.test>', 1), ("<a b@b.test>", 1),
    ("", 1), ("<", 1), ("<a@[192.0.2.1]>", 1), ("<a@[300.0.0.1]>", 1), ("<ü@bücher.example>", 1), ("<a@" + "x" * 64 + ".test>", 1))]
ODD = ["<u@free.example>", "u@free.example", "<U@FREE.EXAMPLE>", "<u@free.example.>", "<u@free.example..>",
       "<@r.test,@s.test:u@free.example>", "<@r.test:u@other.test>", '<"u"@free.example>', '<"u v"@free.example>',
       "<u..v@free.example>", "<.u@free.example>", "<u@x@free.example>", '<"u@x"@free.example>', "<u%x@free.example>",
       "<x!u@free.example>", "<u@free_x.example>", "<u@-free.example>", "<u@[192.0.2.25]>", "<u@[192.0.2.26]>",
       "<u@[IPv6:2001:db8::25]>", "<u@[ipv6:2001:DB8:0::25]>", "<u@[2001:db8::25]>", "<u@[::ffff:192.0.2.25]>",
       "<u@192.0.2.25>", "<user@anywhere.test>", "<USER@anywhere.test>", "<user>", "<user@>", "<postmaster>",
       "<PostMaster>", "postmaster", "<postmaster@other.test>", "<postmaster@>", "<>", "", "<<u@free.example>>",
       "<u@free.example", "u@free.example>", " <u@free.example>", "<u@free.example> ", "(c) <u@free.example>",
       "<u(c)@free.example>", "<u@bücher.example>", "<u@BÜCHER.example>", "<u@xn--bcher-kva.example>", "<ü@free.example>",
       "<u@\u212aelvin.example>", "<u\x7f@free.example>", "<u\t@free.example>", "<u\u0085@free.example>", "<u@free.example\n>",
       "<" + "u" * 255 + "@free.example>", "<" + "u" * 256 + "@free.example>", "<u@away.example>", "<u@soft.example>",
       "<u@vendor.example>", "<u@long.example>", "<u@sub.free.example>", "<%s%n@free.example>", "<'or 1=1--@free.example>"]
CASES += [case(to=ODD[i:i + 3], listener=listener, host="mail.good.test")
          for listener in ("public", "loose") for i in range(0, len(ODD), 3)]
CASES += [case(to=ODD[i:i + 3], listener="private", host=False) for i in range(0, 12, 3)]
CASES += [
    case(to=["<a@free.example>"] * 5, host="mail.good.test"),
    case("192.0.2.85", ["<a@other.test>", "<b@free.example>", "<c@free.example>", "<postmaster>"], host=False),
    case("198.51.100.1", ["<a@x.test>", "<b@[10.0.0.1]>", "<c d@x.test>", "<postmaster>"] * 2, host=False),
    case("192.0.2.60", ["<a@x.test>", "<c d@x.test>", "<postmaster>"], "atrcpt", host=False),
    case("192.0.2.83", [T, "<x@other.test>"], auth="joe", tls=True, host=False),
]
CASES += [case(to=f"<{user}@{domain}>", listener=listener, callahead=said, host="mail.good.test")
          for listener, domains in (("public", ("example.com", "sub.example.com")), ("mild", ("example.com",)))
          for domain in domains
          for user, said in (("u", "valid"), ("unknown", "user_unknown"), ("busy", "temporary"), ("grey", "temporary"),
                             ("full", "temporary"), ("policy", "server_ill"), ("relay", "server_ill"), ("odd", "valid"),
                             ("bare", "user_unknown"), ("big", None))]
CASES += [case(to=f"<u@{domain}>", callahead=said, host="mail.good.test") for domain, said in (
    ("dead.example", "server_ill"), ("void.example", "valid"), ("mx.example", "server_ill"),
    ("nomx.example", "null_mx"), ("[127.0.0.9]", None))]
CASES += [case(to=f"<{user}@example.com>", listener="words", host="mail.good.test", callahead=None)
          for user in ("u", "unknown", "busy", "policy", "full", "bare", "lines", "grey")]
CASES += [case(to=["<u@example.com>", "<unknown@example.com>", "<u2@dead.example>", "<u3@free.example>"],
               host="mail.good.test", callahead=None)]

CASES += [case(to=f"<{user}@free.example>", listener=listener, host="mail.good.test", ldap=said)
          for listener in ("known", "excused")
          for user, said in (("joe", "match"), ("nobody", "nomatch"), ("busy", "error"), ("elsewhere", "error"))]
CASES += [case(to=f"<{user}@example.com>", listener="moved", host="mail.good.test", callahead=said)
          for user, said in (("two", "valid"), ("gone", "user_unknown"), ("late", "temporary"), ("list", "valid"),
                             ("void", "valid"), ("nomx", "null_mx"), ("mx", "server_ill"), ("literal", "server_ill"),
                             ("first", "user_unknown"), ("round", "server_ill"), ("word", "server_ill"),
                             ("quote", "valid"), ("gone+tag", "user_unknown"), ("u", "valid"), ("unknown", "user_unknown"))]


def verdict(reply):
    """Of the daemon's answer, as trace says it."""
    if reply.code is None:
        return ["accept", None, None, None]
    return ["tempfail" if reply.code < 500 else "reject", reply.code, reply.status, reply.text]


def by_daemon(it, query):
    """(stages, recipients)"""
    stages = []
    with it.session(query["ip"], macros={"daemon_name": query["listener"]}) as mta:
        stages.append(["connect", *verdict(mta.greeting)])
        if stages[-1][1] == "accept":
            given = {"auth_authen": query.get("auth"), "tls_version": "TLSv1.3" if query.get("tls") else None,
                     "verify": "OK" if query.get("cert") else None}
            mta.macros("M", {key: value for key, value in given.items() if value})
            arguments = [f"SIZE={query['size']}"] if "size" in query else []
            stages.append(["mail", *verdict(mta.mail(query["from"], *arguments))])
        if stages[-1][1] != "accept":
            return stages, [stages[-1][1:]] * len(query["to"])
        each = [verdict(mta.rcpt(address)) for address in query["to"]]
        return stages + [["rcpt", *one] for one in each], each


def simple(said):
    fields = ("verdict", "code", "status", "text")
    return ([[s["stage"], *(s[f] for f in fields)] for s in said["stages"]],
            [[r[f] for f in fields] for r in said["recipients"]])


def by_trace(it, queries, *options):
    status, out, err = it.ctl("trace", "--json", *options, "-", stdin="".join(json.dumps(q) + "\n" for q in queries))
    tap.eq((status, err), (0, ""), f"trace {' '.join(options)} of {len(queries)} queries")
    return [json.loads(line) for line in out.split("\n") if line]


def compare(name, cases, decided, traced):
    tap.eq(len(traced), len(cases), f"{name}: an answer to each")
    for query, (stages, each), said in zip(cases, decided, traced):
        what = f"{query['listener']} {query['ip']} {query['from'][:25]} {query['to']}"[:100]
        tap.eq(simple(said), (stages, each), f"{name}: {what.encode('ascii', 'backslashreplace').decode()}")
        best = "reject"
        for one in each:
            best = "accept" if "accept" in (one[0], best) else "tempfail" if "tempfail" in (one[0], best) else best
        if said["verdict"] != best or [r["address"] for r in said["recipients"]] != query["to"]:
            tap.ok(False, f"{name}: overall verdict and recipients of {what}", said)


@tap.part
def all_of_them():
    with DnsServer(ZONE) as dns, smtpserver.Server(rcpt=SMTP) as smtp, LdapPeer(entries={
            f"{user}@example.com": {"mailRoutingAddress": addresses} for user, addresses in MOVED.items()}) as ldap:
        ports = {"dns": dns.port, "smtp": smtp.port, "dead": free_port(), "groups": GROUPS, "ldap": ldap.uri}
        with House(CONF % ports, {"rat": RAT, "routes": ROUTES % ports}) as it:
            decided = [by_daemon(it, query) for query in CASES]
            kinds = {(s[0], s[1], s[2], s[3]) for stages, _ in decided for s in stages}
            tap.ok(len(kinds) > 25, f"{len(CASES)} cases, {len(kinds)} different outcomes")
            network = ("host", "callahead", "ldap")
            online = [{k: v for k, v in query.items() if k not in network} for query in CASES]
            compare("online", CASES, decided, by_trace(it, online))
            known = [i for i, query in enumerate(CASES) if query.get("callahead", True) is not None]
            offline = [{k: v for k, v in CASES[i].items() if k not in network or v} for i in known]
            compare("offline", offline, [decided[i] for i in known], by_trace(it, offline, "--offline"))


@tap.part
def one_by_one():
    """The command line says the same as a line of a batch."""
    with House("[dns]\nhost_lookup = off\n[listener in]\nrat = rat\n", {"rat": RAT}) as it:
        for arguments, status in (
            (["--from", "<>", "--to", "<u@free.example>"], 0),
            (["--from", "<>", "--to", '<"a,b"@free.example>,<u@other.test>'], 0),
            (["--from", "<a@b.test>", "--to", "<u@other.test>", "--size", "12"], 1),
            (["--from", "<a@b.test>", "--to", "<u@soft.example>", "--tls", "--auth", ""], 1),
        ):
            got, out, _ = it.ctl("trace", "--ip", "192.0.2.1", *arguments, "--offline", "--json")
            said = json.loads(out)
            query = {"ip": "192.0.2.1", "listener": "in", "from": arguments[1],
                     "to": [r["address"] for r in said["recipients"]]}
            tap.eq((got, simple(said)), (status, by_daemon(it, query)), f"trace {arguments}")
        got, _, err = it.ctl("trace", "--ip", "192.0.2.1", "--offline")
        tap.eq((got, "needed" in err), (2, True), "trace without an envelope")


tap.done()
