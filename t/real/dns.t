#!/usr/bin/python3
"""The DNS engine against NSD: what a real name server sends, UDP and TCP."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["GATEHOUSE_BUILD"]
LONG = " ".join('"%s"' % (chr(ord("a") + i) * 200) for i in range(4))
MANY = "".join("many A 203.0.113.%d\n" % i for i in range(1, 121))

ZONES = {
    "example.test": """
$ORIGIN example.test.
$TTL 300
@ SOA ns root 1 3600 600 86400 60
@ NS ns
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
$ORIGIN 2.0.192.in-addr.arpa.
$TTL 300
@ SOA ns.example.test. root.example.test. 1 3600 600 86400 60
@ NS ns.example.test.
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
$ORIGIN 8.b.d.0.1.0.0.2.ip6.arpa.
$TTL 300
@ SOA ns.example.test. root.example.test. 1 3600 600 86400 60
@ NS ns.example.test.
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


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        with socket.socket() as tcp:
            tcp.bind(("127.0.0.1", udp.getsockname()[1]))
            return udp.getsockname()[1]


def write_configuration(folder, port):
    path = os.path.join(folder, "nsd.conf")
    with open(path, "w", encoding="ascii") as conf:
        conf.write("""server:
    ip-address: 127.0.0.1@%d
    username: ""
    chroot: ""
    database: ""
    zonesdir: "%s"
    pidfile: "%s/nsd.pid"
    xfrdfile: "%s/xfrd.state"
    zonelistfile: "%s/zone.list"
    logfile: "%s/nsd.log"
    server-count: 1
remote-control:
    control-enable: no
""" % (port, folder, folder, folder, folder, folder))
        for name, text in ZONES.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as zone:
                zone.write(text)
            conf.write('zone:\n    name: "%s"\n    zonefile: "%s"\n' % (name, name))
    return path


def wait_for_server(nsd, port):
    for _ in range(200):
        if nsd.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


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
    folder = tempfile.mkdtemp(prefix="gatehouse-nsd-")
    port = free_port()
    program = shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    nsd = subprocess.Popen([program, "-d", "-c", write_configuration(folder, port)],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    try:
        if wait_for_server(nsd, port):
            return check_all(port)
        with open(os.path.join(folder, "nsd.log"), encoding="utf-8") as log:
            print("Bail out! nsd does not start: " + log.read())
        return 1
    finally:
        nsd.terminate()
        nsd.wait()
        shutil.rmtree(folder)


sys.exit(main())
