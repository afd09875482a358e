#!/usr/bin/python3
"""Directories: slapd, and servers that are none, asked by gatehousectl."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.environ["GATEHOUSE_TOP"], "t", "lib"))
from house import free_port, wait_until
from ldappeer import LdapPeer
import smtpserver
from tap import Tap

CTL = os.path.join(os.environ["GATEHOUSE_BUILD"], "milter", "gatehousectl")
DEAD = "ldap://127.0.0.1:1"
SLAPD_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'mailHost' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'callAhead' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'policy' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'mailDomain' SUP top STRUCTURAL MUST mail
  MAY ( mailHost $ callAhead $ policy ) )
pidfile %(folder)s/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %(folder)s/cert.pem
TLSCertificateKeyFile %(folder)s/key.pem
database mdb
suffix dc=test
rootdn cn=admin,dc=test
rootpw "the secret"
directory %(folder)s/db
"""
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

tap = Tap()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Slapd:
    def __init__(self, smtp_port):
        self.folder = tempfile.mkdtemp(prefix="gatehouse-slapd-")
        os.mkdir(os.path.join(self.folder, "db"))
        smtpserver.make_certificate(self.folder, "ldap.test", "127.0.0.1")
        self.conf = self.write("slapd.conf", SLAPD_CONF % {"folder": self.folder})
        text = "dn: dc=test\nobjectClass: domain\ndc: test\n"
        for mail, hosts, ahead in ENTRIES:
            text += "\ndn: mail=%s,dc=test\nobjectClass: mailDomain\nmail: %s\n" % (mail, mail)
            text += "".join("mailHost: %s\n" % host for host in hosts)
            text += "".join("callAhead: %s\n" % host.replace("%(port)d", str(smtp_port))
                            for host in ahead)
        subprocess.run(["/usr/sbin/slapadd", "-f", self.conf, "-l", self.write("data.ldif", text)],
                       check=True, timeout=30)
        self.port, self.tls_port = free_port(), free_port()
        self.uri = "ldap://127.0.0.1:%d" % self.port
        self.tls_uri = "ldaps://127.0.0.1:%d" % self.tls_port
        self.start()

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/sbin/slapd", "-f", self.conf, "-d", "0", "-h", self.uri + "/ " + self.tls_uri + "/"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port) and listens(self.tls_port), "slapd")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder)


def ctl(slapd, uri, *arguments, more="", sections="", base="dc=test", accept="(mail={a})"):
    conf = slapd.write("gatehouse.conf", """
[gatehouse]
hostname = mx.test
[dns]
servers = 127.0.0.1:1
timeout = 300ms
tries = 1
[tls]
ca_file = %s/cert.pem
[listener in]
rat = %s
ldap_accept = d
[ldap d]
uri = %s
base_dn = %s
accept_query = %s
routing_query = (mail={d})
timeout = 1s
connect_timeout = 1s
%s
%s
""" % (slapd.folder, slapd.write("rat", "ALL ACCEPT\n"), uri, base, accept, more, sections))
    began = time.monotonic()
    done = subprocess.run([CTL, "-c", conf] + list(arguments), capture_output=True, text=True,
                          timeout=20, check=False)
    return done, time.monotonic() - began


def ask(slapd, uri, address, query="accept", **words):
    done, seconds = ctl(slapd, uri, "ldap", "test", "--json", "d", address, **words)
    got = json.loads(done.stdout or "{}")
    return {"answer": got.get(query, "none"), "hosts": got.get("routing_hosts"),
            "text": got.get(query + "_text") or done.stderr}, seconds


def check_answers(slapd):
    for address, answer in [("joe@example.com", "match"), ("JOE@EXAMPLE.com", "match"),
                            ("nobody@example.com", "nomatch"), ("*@example.com", "nomatch"),
                            ('"*)(mail=*"@example.com', "nomatch")]:
        tap.eq(ask(slapd, slapd.uri, address)[0]["answer"], answer, "%s is a %s" % (address, answer))
    got = ask(slapd, slapd.uri, "a@routed.example", "routing")[0]
    tap.eq(got["hosts"], ["smtp2.mydomain.example", "smtp3.mydomain.example:9025"],
           "the attribute for call-ahead is taken first")
    got = ask(slapd, slapd.uri, "a@hosted.example", "routing")[0]
    tap.eq(got["hosts"], ["smtp.mydomain.example", "other.mydomain.example:26"],
           "several values of the mail host where there is none")


def check_ways(slapd):
    """Every way to connect and to bind."""
    good = ("bind_dn = cn=admin,dc=test\nbind_password_file = "
            + slapd.write("password", "the secret\n"))
    for name, uri, more in [("a dead server first", DEAD + " " + slapd.uri, ""),
                            ("ldaps", slapd.tls_uri, ""),
                            ("StartTLS", slapd.uri, "start_tls = yes"),
                            ("tls_priority", slapd.tls_uri, "tls_priority = NORMAL:-VERS-TLS1.3"),
                            ("a password from a file", slapd.uri, good)]:
        got = ask(slapd, uri, "joe@example.com", more=more)[0]
        tap.ok(got["answer"] == "match", name, got)
    for name, uri, more in [("a wrong password", slapd.uri,
                             "bind_dn = cn=admin,dc=test\nbind_password = wrong"),
                            ("a certificate for another name",
                             slapd.tls_uri.replace("127.0.0.1", "localhost"), "")]:
        got, seconds = ask(slapd, uri, "joe@example.com", more=more)
        tap.ok(got["answer"] == "error" and seconds < 8, name + " is an error", got)
        tap.ok("wrong" not in got["text"], name + ": the password is not told", got)


    got, _ = ask(slapd, slapd.uri, "joe@example.com", base="dc=none")
    tap.eq(got["answer"], "error", "a base that is not there is an error, no \"no\"")


def check_hostile(slapd):
    for mood in ("silent", "rst", "close", "garbage", "huge", "half", "bind", "bad_bind", "refer",
                 "refuse"):
        with LdapPeer(mood) as peer:
            got, seconds = ask(slapd, peer.uri, "joe@example.com")
            tap.ok(got["answer"] == "error" and got["text"] != "" and seconds < 8,
                   "a server that is %s" % mood, "%s after %.1f s" % (got, seconds))
            tap.note("%s: %s, %.1f s" % (mood, got.get("text"), seconds))
    for mood in ("silent", "garbage", "half"):
        with LdapPeer(mood) as peer:
            got, seconds = ask(slapd, peer.uri.replace("ldap:", "ldaps:"), "joe@example.com")
            tap.ok(got["answer"] == "error" and seconds < 8, "with TLS, one that is " + mood, got)
            got, seconds = ask(slapd, peer.uri, "joe@example.com", more="start_tls = yes")
            tap.ok(got["answer"] == "error" and seconds < 8, "with StartTLS, " + mood, got)
    for mood in ("silent", "rst", "garbage", "bind", "close"):
        with LdapPeer(mood) as peer:
            got, seconds = ask(slapd, peer.uri + " " + slapd.uri, "joe@example.com")
            tap.ok(got["answer"] == "match" and seconds < 8,
                   "the next server after one that is %s" % mood, "%s after %.1f s" % (got, seconds))
    with LdapPeer("flood") as peer:
        got, seconds = ask(slapd, peer.uri, "joe@example.com")
        tap.ok(got["answer"] == "match" and seconds < 8, "10,000 entries: the first will do", got)


def trace(slapd, uri, address, *arguments, **words):
    done, seconds = ctl(slapd, uri, "trace", "--ip", "192.0.2.1", "--host", "none", "--from", "a@b.example", "--to",
                        address, "--json", *arguments, **words)
    if not done.stdout:
        return {"verdict": done.stderr, "by": "", "code": 0, "text": ""}, seconds
    return json.loads(done.stdout)["recipients"][0], seconds


def check_accept(slapd):
    for address, arguments, more, expected in [
            ("joe@example.com", (), "", "accept None ldap"),
            ("nobody@example.com", (), "", "reject 550 ldap"),
            ("joe@example.com", ("--ldap", "nomatch"), "", "reject 550 ldap"),
            ("joe@example.com", ("--ldap", "error"), "", "tempfail 451 ldap"),
            ("joe@example.com", ("--ldap", "error"), "ldap_error = accept", "accept None ldap"),
            ("joe@example.com", ("--offline",), "", "accept None rat"),
            ("joe@example.com", ("--offline", "--ldap", "nomatch"), "", "reject 550 ldap")]:
        got, _ = trace(slapd, slapd.uri, address, *arguments, more=more)
        code = got["code"] if got["verdict"] != "accept" else None
        tap.eq("%s %s %s" % (got["verdict"], code, got["by"]), expected,
               " ".join((address,) + arguments + (more,)))
    with LdapPeer("silent") as peer:
        got, seconds = trace(slapd, peer.uri, "nobody@example.com")
        tap.ok(got["verdict"] == "tempfail" and got["code"] == 451 and seconds < 8,
               "a directory that does not answer never refuses for good", got)


def check_routing(slapd, smtp):
    routes = slapd.write("routes", "mailbox.example: 127.0.0.1:%d\ngone.example: 127.0.0.1\n" % smtp.port)
    sections = """
[listener out]
rat = %s/rat
daemon_name = out
callahead = c
[callahead c]
ldap_routing = d
timeout = 5s
[routes]
file = %s
""" % (slapd.folder, routes)
    for address, expected in [("good@back.example", "accept"), ("bad@back.example", "reject"),
                              ("good@ported.example", "accept"), ("bad@ported.example", "reject"),
                              ("good@several.example", "accept"),
                              ("good@wrong.example", "tempfail"),
                              ("good@nowhere.example", "tempfail"),
                              ("good@unknown.example", "tempfail")]:
        got, _ = trace(slapd, slapd.uri, address, "--listener", "out", sections=sections)
        tap.ok((got["verdict"], got["by"]) == (expected, "callahead"), address, got)
    got, _ = trace(slapd, DEAD, "good@back.example", "--listener", "out", sections=sections)
    tap.ok(got["verdict"] == "tempfail", "where the directory is down nobody else is asked", got)


def check_configuration(slapd):
    for words, wrong in [({"accept": "(mail={x})"}, "is no token"),
                         ({"accept": ""}, "has no accept_query"),
                         ({"more": "bind_dn = cn=x"}, "needs a password"),
                         ({"more": "bind_password_file = " + slapd.write("open", "x\n", 0o644)},
                          "is open to others"),
                         ({"more": "bind_password = x"}, "bind_dn: is missing"),
                         ({"base": "nonsense"}, "is no distinguished name"),
                         ({"uri": "ldaps://x", "more": "tls_priority = NONSENSE"}, "tls_priority: \"NONSENSE\" is wrong"),
                         ({"more": "bind_password_file = /nowhere"}, "cannot open"),
                         ({"uri": "http://x/"}, "allowed: ldap://")]:
        done, _ = ctl(slapd, words.pop("uri", slapd.uri), "check", **words)
        tap.ok(done.returncode == 1 and wrong in done.stderr, "refused: " + wrong, done.stderr)
    done, _ = ctl(slapd, slapd.uri, "check")
    tap.ok(done.returncode == 0 and "[ldap" not in done.stderr, "right, without a warning", done.stderr)


def main():
    with smtpserver.Server(rcpt=[["^bad", "550 5.1.1 no"]]) as smtp:
        slapd = Slapd(smtp.port)
        try:
            check_answers(slapd)
            check_ways(slapd)
            check_hostile(slapd)
            check_accept(slapd)
            check_routing(slapd, smtp)
            check_configuration(slapd)
        finally:
            slapd.stop()
    tap.done()


main()
