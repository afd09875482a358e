#!/usr/bin/python3
"""slapd as the directory, asked by gatehousectl and the daemon."""
import concurrent.futures
import itertools
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["GATEHOUSE_TOP"], "t", "lib"))
from dnsserver import DnsServer
from house import House, wait_until
from ldappeer import LdapPeer
from slapd import BASE, Slapd, entry, make_certificates
import smtpserver
from tap import Tap

CTL = os.path.join(os.environ["GATEHOUSE_BUILD"], "milter", "gatehousectl")
DEAD = "ldap://127.0.0.1:1"
ENTRIES = [  # mail, mailHost, callAhead
    ("joe@example.com", [], []),
    ("many@example.com", [], []),
    ("routed.example", ["smtp.mydomain.example"], ["smtp2.mydomain.example, smtp3.mydomain.example:9025"]),
    ("hosted.example", ["smtp.mydomain.example", "other.mydomain.example:26"], []),
    ("back.example", [], ["mailbox.example"]),
    ("ported.example", [], ["mailbox.example:%(port)d"]),
    ("several.example", [], ["gone.example:1, mailbox.example:%(port)d"]),
    ("wrong.example", [], ["not a host!"]),
    ("nowhere.example", [], []),
]
MOVED = {  # mail: mailRoutingAddress
    "one@moved.example": ["good@mailbox.example"],
    "gone@moved.example": ["bad@mailbox.example"],
    "chain@moved.example": ["gone@moved.example"],
    "circle@moved.example": ["circle2@moved.example"],
    "circle2@moved.example": ["circle@moved.example"],
    "quoted@moved.example": ['"good, one"@mailbox.example'],
    "list@moved.example": ["good@mailbox.example", "bad@mailbox.example"],
    "big@moved.example": ["member%d@mailbox.example" % i for i in range(500)],
    "word@moved.example": ["good"],
    "self@moved.example": ["SELF@moved.example"],
    "target@moved.example": ["SMTP:bad@mailbox.example"],
    "proxies@moved.example": ["smtp:bad@mailbox.example", "SMTP:good@mailbox.example", "X500:/o=Org/cn=proxies"],
    "foreign@moved.example": ["X400:C=US;A= ;P=Org;S=Doe;", "sip:bad@mailbox.example"],
}
REFERRAL = """
dn: ou=parts,dc=test
objectClass: organizationalUnit
ou: parts

dn: ou=elsewhere,ou=parts,dc=test
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: %(uri)s/ou=elsewhere,ou=parts,dc=test
"""
CROWD = 10000

tap = Tap()


def entries(smtp_port):
    text = "".join(entry(mail, mailHost=hosts, callAhead=[host.replace("%(port)d", str(smtp_port)) for host in ahead])
                   for mail, hosts, ahead in ENTRIES)
    text += "".join(entry(mail, mailRoutingAddress=addresses) for mail, addresses in MOVED.items())
    return text + REFERRAL + "".join("\ndn: cn=%d,%s\nobjectClass: person\ncn: %d\nsn: crowd\n" % (i, BASE, i)
                                     for i in range(CROWD))


numbers = itertools.count()


def ctl(slapd, uri, *arguments, more="", sections="", base="ou=people,dc=test", accept="(mail={a})",
        routing="(mail={d})", tls="", ca="ca.pem", limit=60, dns=1):
    conf = slapd.write("gatehouse%d.conf" % next(numbers), """
[gatehouse]
socket = inet:8899@127.0.0.1
user = nobody
hostname = mx.test
command_deadline = 120s
[dns]
servers = 127.0.0.1:%d
timeout = 300ms
tries = 1
[tls]
ca_file = %s/%s
%s
[listener in]
rat = %s
ldap_accept = d
[ldap d]
uri = %s
base_dn = %s
accept_query = %s
routing_query = %s
timeout = %ds
connect_timeout = %ds
%s
%s
""" % (dns, slapd.folder, ca, tls, os.path.join(slapd.folder, "rat"), uri, base, accept, routing, limit,
       limit, more, sections), 0o644)
    return subprocess.run([CTL, "-c", conf] + list(arguments), capture_output=True, text=True,
                          timeout=120, check=False)


def ask(slapd, uri, address, query="accept", **words):
    done = ctl(slapd, uri, "ldap", "test", "--json", "d", address, **words)
    got = json.loads(done.stdout or "{}")
    return {"answer": got.get(query, "none"), "hosts": got.get("routing_hosts"),
            "text": got.get(query + "_text") or done.stderr}


def check_answers(slapd):
    for address, answer in [("joe@example.com", "match"), ("JOE@EXAMPLE.com", "match"),
                            ("nobody@example.com", "nomatch"), ("*@example.com", "nomatch"),
                            ('"*)(mail=*"@example.com', "nomatch")]:
        tap.eq(ask(slapd, slapd.uri, address)["answer"], answer, "%s is a %s" % (address, answer))
    got = ask(slapd, slapd.uri, "a@routed.example", "routing")
    tap.eq(got["hosts"], ["smtp2.mydomain.example", "smtp3.mydomain.example:9025"],
           "the attribute for call-ahead is taken first")
    got = ask(slapd, slapd.uri, "a@hosted.example", "routing")
    tap.eq(got["hosts"], ["smtp.mydomain.example", "other.mydomain.example:26"],
           "several values of the mail host where there is none")


    tap.eq(ask(slapd, slapd.uri, "joe@example.com", accept="(sn=crowd)")["answer"], "match",
           "one of 10,000 entries will do")
    got = ask(slapd, slapd.uri, "nobody@example.com", base="ou=parts,dc=test")
    tap.ok(got["answer"] == "error" and "another directory" in got["text"],
           "no entry, but a part of the tree is elsewhere: nobody knows", got)
    got = ask(slapd, slapd.uri, "joe@example.com", base="ou=elsewhere,ou=parts,dc=test")
    tap.ok(got["answer"] == "error" and "Referral" in got["text"],
           "a base that refers to itself for ever", got)


def check_ways(slapd):
    """Every way to connect and to bind."""
    good = ("bind_dn = cn=admin,dc=test\nbind_password_file = "
            + slapd.write("password", "the secret\n"))
    for name, uri, more in [("a dead server first", DEAD + " " + slapd.uri, ""),
                            ("ldaps", slapd.tls_uri, ""),
                            ("ldapi", slapd.ipc_uri, ""),
                            ("ldapi, without TLS all the same", slapd.ipc_uri, "start_tls = yes"),
                            ("ldapi at no path, then ldapi", "ldapi://%2Fnowhere " + slapd.ipc_uri, ""),
                            ("StartTLS", slapd.uri, "start_tls = yes"),
                            ("tls_priority", slapd.tls_uri, "tls_priority = NORMAL:-VERS-TLS1.3"),
                            ("a password from a file", slapd.uri, good)]:
        got = ask(slapd, uri, "joe@example.com", more=more)
        tap.ok(got["answer"] == "match", name, got)
    for name, uri, more in [("a wrong password", slapd.uri,
                             "bind_dn = cn=admin,dc=test\nbind_password = wrong"),
                            ("a certificate for another name",
                             slapd.tls_uri.replace("127.0.0.1", "localhost"), ""),
                           ("a certificate for another name, StartTLS",
                            slapd.uri.replace("127.0.0.1", "localhost"), "start_tls = yes"),
                           ("StartTLS where there is TLS already", slapd.tls_uri.replace("ldaps", "ldap"),
                            "start_tls = yes")]:
        got = ask(slapd, uri, "joe@example.com", more=more)
        tap.ok(got["answer"] == "error", name + " is an error", got)
        tap.ok("wrong" not in got["text"], name + ": the password is not told", got)

    os.mkdir(os.path.join(slapd.folder, "other"))
    make_certificates(os.path.join(slapd.folder, "other"))
    for uri, more in ((slapd.tls_uri, ""), (slapd.uri, "start_tls = yes")):
        got = ask(slapd, uri, "joe@example.com", more=more, ca="other/ca.pem")
        tap.eq(got["answer"], "error", "a certificate of a CA that is not ours, " + (more or "ldaps"))
    got = ask(slapd, slapd.uri, "joe@example.com", base="dc=none")
    tap.eq(got["answer"], "error", "a base that is not there is an error, no \"no\"")


def greeted_as(slapd, host, dns):
    """What a TLS server hears as the name of the one it is taken for; "" none."""
    heard = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(slapd.folder, "cert.pem"), os.path.join(slapd.folder, "key.pem"))
    context.sni_callback = lambda _, name, __: heard.append(name or "")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            with listening.accept()[0] as connection:
                try:
                    context.wrap_socket(connection, server_side=True).recv(100)
                except OSError:
                    pass
        thread = threading.Thread(target=serve)
        thread.start()
        ask(slapd, "ldaps://%s:%d" % (host, listening.getsockname()[1]), "joe@example.com", dns=dns)
        thread.join()
    return heard


def check_names(slapd):
    """A server found by name: the name is what its certificate must have, whatever the address."""
    def at(uri, host):
        return uri.replace("127.0.0.1", host)
    with DnsServer("ldap.test A 127.0.0.1\nother.test A 127.0.0.1\nalias.test CNAME ldap.test\n"
                   "twice.test A 127.0.0.9\ntwice.test A 127.0.0.1\n") as dns:
        for name, uri, more, answer in [
                ("plain", at(slapd.uri, "ldap.test"), "", "match"),
                ("plain, in capitals", at(slapd.uri, "LDAP.Test"), "", "match"),
                ("plain, localhost", at(slapd.uri, "localhost"), "", "match"),
                ("plain, the second address", at(slapd.uri, "twice.test"), "", "match"),
                ("ldaps", at(slapd.tls_uri, "ldap.test"), "", "match"),
                ("StartTLS", at(slapd.uri, "ldap.test"), "start_tls = yes", "match"),
                ("ldaps by another name", at(slapd.tls_uri, "other.test"), "", "error"),
                ("StartTLS by another name", at(slapd.uri, "other.test"), "start_tls = yes", "error"),
                ("ldaps by an alias", at(slapd.tls_uri, "alias.test"), "", "error"),
                ("a name that does not exist", at(slapd.uri, "none.test"), "", "error"),
                ("the same, then one that does", at(slapd.uri, "none.test") + " " + slapd.uri, "", "match")]:
            got = ask(slapd, uri, "joe@example.com", more=more, dns=dns.port)
            tap.ok(got["answer"] == answer, "by name: " + name, got)
        tap.eq(greeted_as(slapd, "ldap.test", dns.port), ["ldap.test"], "the server is told that name")


def check_handshakes(slapd):
    """Servers that do not get through the handshake, all at once."""
    peers = {mood: LdapPeer(mood) for mood in ("silent", "garbage", "half", "close")}
    cases = []
    for mood, peer in peers.items():
        for way, uri, more in (("ldaps", peer.uri.replace("ldap:", "ldaps:"), ""),
                               ("StartTLS", peer.uri, "start_tls = yes")):
            name = "%s with one that is %s" % (way, mood)
            limit = 3 if mood == "silent" or (way, mood) == ("StartTLS", "half") else 60
            cases.append((name, uri, more, limit, "error"))
            cases.append((name + ", and the next one", uri + " " + slapd.tls_uri, more, limit, "match"))

    def run(case):
        return ask(slapd, case[1], "joe@example.com", more=case[2], limit=case[3])
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        for case, got in zip(cases, pool.map(run, cases)):
            tap.ok(got["answer"] == case[4], case[0], got)
    for peer in peers.values():
        peer.__exit__()


def check_versions(slapd):
    """[tls] min_version holds whatever tls_priority says: this slapd speaks TLS 1.2 and less."""
    other = slapd.another("TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.2\n")
    try:
        for version, answer in (("1.2", "match"), ("1.3", "error")):
            for more in ("", "tls_priority = NORMAL"):
                got = ask(slapd, other.tls_uri, "joe@example.com", tls="min_version = " + version,
                          more=more)
                tap.ok(got["answer"] == answer, "min_version %s, %s" % (version, more), got)
        got = ask(slapd, other.tls_uri, "joe@example.com", more="tls_priority = NORMAL:-VERS-TLS1.2")
        tap.ok(got["answer"] == "error", "tls_priority without TLS 1.2", got)
    finally:
        other.stop()


def check_daemon(slapd):
    """The running daemon goes on with the next server when one stops, and comes back."""
    other = slapd.another("")
    conf = """
[listener in]
rat = rat
ldap_accept = d
[ldap d]
uri = %s %s
base_dn = ou=people,dc=test
accept_query = (mail={a})
cache_ttl = 0
""" % (other.uri, slapd.uri)
    with House(conf, {"rat": "example.com ACCEPT\n"}) as house:
        def answer_from(local="joe"):
            before = len(house.lines)
            with house.session() as mta:
                mta.mail("<a@example.net>")
                line = mta.rcpt("<%s@example.com>" % local).line
            return line, house.wait_log(event="rcpt", after=before)["server"]
        unknown = "550 5.1.1 User unknown"
        tap.eq(answer_from(), ("continue", other.uri), "the first of two servers is asked")
        tap.eq(answer_from("nobody")[0], unknown, "and knows who is unknown")
        other.halt()
        tap.eq(answer_from(), ("continue", slapd.uri), "it stops: the second answers")
        tap.eq(answer_from("nobody")[0], unknown, "and refuses")
        slapd.halt()
        tap.eq(answer_from("nobody")[0], "451 4.4.3 Directory unavailable", "none is left")
        other.start()
        slapd.start()
        wait_until(lambda: answer_from()[0] == "continue", "both are back")
        tap.eq(answer_from("nobody")[0], unknown, "as before")
    other.stop()


def trace(slapd, uri, address, *arguments, **words):
    done = ctl(slapd, uri, "trace", "--ip", "192.0.2.1", "--host", "none", "--from", "a@b.example", "--to",
                        address, "--json", *arguments, **words)
    if not done.stdout:
        return {"verdict": done.stderr, "by": "", "code": 0, "text": ""}
    return json.loads(done.stdout)["recipients"][0]


def check_accept(slapd):
    for address, arguments, more, expected in [
            ("joe@example.com", (), "", "accept None ldap"),
            ("nobody@example.com", (), "", "reject 550 ldap"),
            ("joe@example.com", ("--ldap", "nomatch"), "", "reject 550 ldap"),
            ("joe@example.com", ("--ldap", "error"), "", "tempfail 451 ldap"),
            ("joe@example.com", ("--ldap", "error"), "ldap_error = accept", "accept None ldap"),
            ("joe@example.com", ("--offline",), "", "accept None rat"),
            ("joe@example.com", ("--offline", "--ldap", "nomatch"), "", "reject 550 ldap")]:
        got = trace(slapd, slapd.uri, address, *arguments, more=more)
        code = got["code"] if got["verdict"] != "accept" else None
        tap.eq("%s %s %s" % (got["verdict"], code, got["by"]), expected,
               " ".join((address,) + arguments + (more,)))


def routed(slapd, routes):
    """[listener out] with call-ahead by the directory and these routes."""
    return """
[listener out]
rat = %s/rat
daemon_name = out
callahead = c
[callahead c]
ldap_routing = d
timeout = 60s
[routes]
file = %s
""" % (slapd.folder, slapd.write("routes", routes))


def check_routing(slapd, smtp):
    sections = routed(slapd, "mailbox.example: 127.0.0.1:%d\ngone.example: 127.0.0.1\n" % smtp.port)
    for address, expected in [("good@back.example", "accept"), ("bad@back.example", "reject"),
                              ("good@ported.example", "accept"), ("bad@ported.example", "reject"),
                              ("good@several.example", "accept"),
                              ("good@wrong.example", "tempfail"),
                              ("good@nowhere.example", "tempfail"),
                              ("good@unknown.example", "tempfail")]:
        got = trace(slapd, slapd.uri, address, "--listener", "out", sections=sections)
        tap.ok((got["verdict"], got["by"]) == (expected, "callahead"), address, got)
    by_routes = sections.replace("ldap_routing = d\n", "") + "ldap = d\n"
    for address, expected in [("good@back.example", "accept"), ("bad@back.example", "reject"),
                              ("good@nowhere.example", "tempfail")]:
        got = trace(slapd, slapd.uri, address, "--listener", "out", sections=by_routes)
        tap.ok((got["verdict"], got["by"]) == (expected, "callahead"), "[routes] ldap: " + address, got)
    got = trace(slapd, DEAD, "good@back.example", "--listener", "out", sections=sections)
    tap.ok(got["verdict"] == "tempfail", "where the directory is down nobody else is asked", got)


def check_addresses(slapd, smtp):
    """Where mail has another address the mailbox host is asked about that one."""
    routes = "mailbox.example: 127.0.0.1:%d\nmoved.example: 127.0.0.1:%d\n" % (smtp.port, smtp.port)
    words = {"routing": "(mail={a})", "more": "routing_address_attr = mailRoutingAddress", "sections": routed(slapd, routes)}
    for local, expected, heard in [("one", "accept", ["good@mailbox.example"]), ("gone", "reject", ["bad@mailbox.example"]),
                                   ("chain", "reject", ["bad@mailbox.example"]), ("circle", "tempfail", []),
                                   ("quoted", "accept", ['"good, one"@mailbox.example']),
                                   ("list", "accept", []), ("big", "accept", []), ("word", "tempfail", []),
                                   ("target", "reject", ["bad@mailbox.example"]), ("proxies", "accept", ["good@mailbox.example"]),
                                   ("foreign", "accept", ["foreign@moved.example"]),
                                   ("self", "accept", ["self@moved.example"]), ("bad", "reject", ["bad@moved.example"])]:
        smtp.forget()
        got = trace(slapd, slapd.uri, local + "@moved.example", "--listener", "out", **words)
        tap.eq([got["verdict"], got["by"], list(smtp.recipients)], [expected, "callahead", heard], local + "@moved.example")
    done = ctl(slapd, slapd.uri, "ldap", "test", "--json", "d", "list@moved.example", **words)
    tap.eq(sorted(json.loads(done.stdout)["routing_addresses"]), sorted(MOVED["list@moved.example"]), "ldap test lists them")
    done = ctl(slapd, slapd.uri, "callahead", "--listener", "out", "one@moved.example", **words)
    tap.ok("RCPT TO:<good@mailbox.example>" in done.stdout, "the dialogue of callahead", done.stdout)


def check_configuration(slapd):
    os.chmod(slapd.folder, 0o755)  # check reads as the daemon's user
    for name in ("rat", "ca.pem", "routes"):
        os.chmod(os.path.join(slapd.folder, name), 0o644)
    for words, wrong in [({"accept": "(mail={x})"}, "is not a token"),
                         ({"accept": ""}, "has no accept_query"),
                         ({"more": "bind_dn = cn=x"}, "needs a password"),
                         ({"more": "bind_password_file = " + slapd.write("open", "x\n", 0o644)},
                          "is accessible to others"),
                         ({"more": "bind_password = x"}, "bind_dn: is missing"),
                         ({"base": "nonsense"}, "is not a distinguished name"),
                         ({"uri": "ldaps://x", "more": "tls_priority = NONSENSE"}, "tls_priority: \"NONSENSE\" is wrong"),
                         ({"more": "bind_password_file = /nowhere"}, "cannot open"),
                         ({"uri": "ldaps://x", "tls": "certificate = /nowhere"}, "[tls]"),
                         ({"uri": "ldap://x:99999"}, "allowed: ldap://"),
                         ({"uri": "ldap://x/dc=test"}, "allowed: ldap://"),
                         ({"uri": "ldap://"}, "allowed: ldap://"),
                         ({"uri": "ldap://a%20b"}, "uri: \"a b\" is neither an address nor a host name"),
                         ({"uri": "ldap://127.0.0.300"}, "neither an address nor a host name"),
                         ({"uri": "http://x/"}, "allowed: ldap://")]:
        done = ctl(slapd, words.pop("uri", slapd.uri), "check", **words)
        tap.ok(done.returncode == 1 and wrong in done.stderr, "refused: " + wrong, done.stderr)
    done = ctl(slapd, slapd.uri, "check", accept="(mail=x)")
    tap.ok(done.returncode == 0 and "accept_query: without a token" in done.stderr, "warned of", done.stderr)
    done = ctl(slapd, slapd.uri, "check", routing="", more="routing_address_attr = mailRoutingAddress")
    tap.ok(done.returncode == 0 and "routing_address_attr: not used" in done.stderr, "warned of an address that nobody finds", done.stderr)
    for routes, warned in (("", True), ("[routes]\nldap = d\n", False)):
        done = ctl(slapd, slapd.uri, "check", sections="[callahead c]\nldap_routing = d\n" + routes)
        tap.eq((done.returncode, "only call-ahead asks" in done.stderr), (0, warned),
               "call-ahead asks a directory that delivery %s" % ("does not" if warned else "asks too"))
    done = ctl(slapd, slapd.uri, "check")
    tap.ok(done.returncode == 0 and ": [ldap" not in done.stderr, "right, without a warning", done.stderr)


def main():
    with smtpserver.Server(rcpt=[["^bad", "550 5.1.1 no"]]) as smtp:
        slapd = Slapd(entries(smtp.port))
        slapd.write("rat", "ALL ACCEPT\n")
        try:
            check_answers(slapd)
            check_ways(slapd)
            check_names(slapd)
            check_handshakes(slapd)
            check_versions(slapd)
            check_daemon(slapd)
            check_accept(slapd)
            check_routing(slapd, smtp)
            check_addresses(slapd, smtp)
            check_configuration(slapd)
        finally:
            slapd.stop()
    tap.done()


main()
