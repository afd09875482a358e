#!/usr/bin/python3
"""Recipients that can never be delivered: the reply reaches the client through Postfix and Sendmail as it is."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from front import Front, SendmailFront
from smtpserver import Server
from tap import Tap

CONF = """
[dns]
host_lookup = off
servers = 127.0.0.1:{dns}
[callahead c]
[listener main]
rat = rat.txt
callahead = c
[routes]
file = routes.txt
"""
RAT = {"rat.txt": "null.example ACCEPT\nexample.com ACCEPT\n"}

tap = Tap()


def run(name, kind, utf8):
    with DnsServer("null.example MX 0 .\n") as dns, Server(smtputf8=False) as server:
        files = {**RAT, "routes.txt": f"example.com: [127.0.0.1]:{server.port}\n"}
        with kind(tap, CONF.replace("{dns}", str(dns.port)), files) as front, front.client("127.0.0.9", "main") as client:
            client.mail()
            answer = client.rcpt("joe@null.example")
            tap.ok(answer.startswith("556 5.1.10 ") and "Domain takes no mail" in answer, f"{name}: a null MX", answer)
            tap.ok(client.rcpt("joe@example.com").startswith("250"), f"{name}: ... the next one is asked about")
            if utf8:
                client.command("RSET")
                client.command("MAIL FROM:<a@b.example> SMTPUTF8")
                answer = client.rcpt("j\u00f6@example.com")
                tap.ok(answer.startswith("553 5.6.7 ") and "Address needs SMTPUTF8" in answer, f"{name}: SMTPUTF8", answer)


run("Postfix", Front, True)
run("Sendmail", SendmailFront, False)
tap.done()
