#!/usr/bin/python3
"""The DNS engine against NSD: what a real name server sends, UDP and TCP."""
import os
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from nsd import Nsd

BUILD = os.environ["GATEHOUSE_BUILD"]
LONG = " ".join('"%s"' % (chr(ord("a") + i) * 200) for i in range(4))
MANY = "".join("many A 203.0.113.%d\n" % i for i in range(1, 121))

ZONES = {
    "example.test": """
ns A 127.0.0.1
@ MX 20 b
@ MX 10 a
a A 198.51.100.1
a AAAA 2001:db8::1
b A 198.51.100.2
mail A 192.0.2.1
six AAAA 2001:db8::25
alias CNAME mail
alias2 CNAME alias
lost CNAME nowhere
away CNAME www.elsewhere.test.
null MX 0 .
txt TXT "v=one" " two"
long TXT %s
wild-card A 198.51.100.9
*.wild A 198.51.100.10
sub NS ns.sub
ns.sub A 127.0.0.1
a.deep.name TXT x
local MX 10 loop
loop A 127.0.0.1
Upper PTR MAIL.example.test.
%s""" % (LONG, MANY),
    "2.0.192.in-addr.arpa": """
1 PTR mail.example.test.
2 PTR mail.example.test.
3 PTR gone.example.test.
4 CNAME 4.0/25
4.0/25 PTR a.example.test.
5 PTR other.elsewhere.test.
6 PTR six.example.test.
6 PTR mail6.example.test.
""",
    "8.b.d.0.1.0.0.2.ip6.arpa": """
5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR six.example.test.
""",
}

TESTS = [
    ("a mail.example.test", "found 192.0.2.1"),
    ("a mail.example.test", "found 192.0.2.1 cached"),
    ("a MAIL.Example.Test.", "found 192.0.2.1"),
    ("aaaa six.example.test", "found 2001:db8::25"),
    ("aaaa mail.example.test", "nodata"),
    ("aaaa mail.example.test", "nodata cached"),
    ("a deep.name.example.test", "nodata"),
    ("a none.example.test", "nxdomain"),
    ("a none.example.test", "nxdomain cached"),
    ("a x.wild.example.test", "found 198.51.100.10"),
    ("mx example.test", "found 10:a.example.test 20:b.example.test"),
    ("mx null.example.test", "found 0:"),
    ("txt txt.example.test", 'found "v=one two"'),
    ("txt long.example.test", 'found "%s"' % LONG.replace('"', "").replace(" ", "")),
    ("ptr upper.example.test", "found mail.example.test"),
    ("a alias2.example.test", "found 192.0.2.1"),
    ("a lost.example.test", "nxdomain"),
    ("a away.example.test", "servfail"),  # this server does not know and does not ask
    ("a www.sub.example.test", "servfail"),  # a referral
    ("a www.elsewhere.test", "servfail"),  # refused
    ("host 192.0.2.1", "verified mail.example.test"),
    ("host 192.0.2.2", "ptr_mismatch mail.example.test"),
    ("host 192.0.2.3", "ptr_mismatch gone.example.test"),
    ("host 192.0.2.4", "ptr_mismatch a.example.test"),
    ("host 192.0.2.5", "ptr_tempfail "),
    ("host 192.0.2.9", "no_ptr "),
    ("host 198.51.100.1", "ptr_tempfail "),  # no zone here
    ("host 2001:db8::25", "verified six.example.test"),
    ("host 2001:db8::26", "no_ptr "),
    ("servers example.test", "found a.example.test[198.51.100.1] a.example.test[2001:db8::1] "
                             "b.example.test[198.51.100.2]"),
    ("servers mail.example.test", "found mail.example.test[192.0.2.1]"),
    ("servers null.example.test", "null.example.test accepts no mail (null MX)"),
    ("servers none.example.test", "none.example.test does not exist"),
    ("servers deep.name.example.test", "host deep.name.example.test has no address"),
    ("servers local.example.test",
     "loop.example.test has the address 127.0.0.1, where no mail can go"),
    ("servers elsewhere.test", "MX look-up of elsewhere.test failed"),
]


def check_all(port):
    """Line by line, so that a question can find the answer of an earlier one."""
    questions = "".join(question + "\n" for question, _ in TESTS) + "a many.example.test\n"
    done = subprocess.run([BUILD + "/t/real/dnsq", "127.0.0.1:%d" % port], input=questions,
                          capture_output=True, text=True, timeout=60, check=False)
    answers = done.stdout.split("\n")
    failed = done.returncode != 0
    print("1..%d" % (len(TESTS) + 1))
    for number, (question, expected) in enumerate(TESTS):
        got = answers[number] if number < len(answers) else "nothing"
        good = got == expected or (not expected.endswith("cached") and got == expected + " cached")
        print("%s %d - %s" % ("ok" if good else "not ok", number + 1, question))
        if not good:
            print("# got:      %s\n# expected: %s" % (got, expected))
            failed = True
    many = answers[len(TESTS)].split() if len(answers) > len(TESTS) else []
    good = len(many) == 101 and many[0] == "found"  # by TCP, and cut at a hundred
    print("%s %d - a hundred of 120 addresses" % ("ok" if good else "not ok", len(TESTS) + 1))
    if done.stderr:
        print("# " + done.stderr.replace("\n", "\n# "))
    return 1 if failed or not good else 0


def main():
    with Nsd(ZONES) as server:
        return check_all(server.port)


sys.exit(main())
