#!/usr/bin/python3
"""Mail goes to the host that a directory names, and call-ahead asks that very host (SPEC 8, 10).

In a network of its own: slapd, mailbox hosts on port 25 of loopback addresses, and NSD on port 53.
"""
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ownhost
from front import Front, SendmailFront
from house import wait_until
from nsd import Nsd
from sink import Sinks
from slapd import ADMIN, BASE, PASSWORD, Slapd, entry
from tap import Tap

CLIENT = "127.0.0.10"
CONF = """
[dns]
host_lookup = off
[tls]
ca_file = %(folder)s/ca.pem
[listener in]
rat = rat.txt
callahead = ask
[listener unasked]
rat = rat.txt
[callahead ask]
failure_action = reject
cache_ttl = 60
[routes]
file = routes.txt
ldap = d
[ldap d]
uri = ldap://127.0.0.1:1 %(uri)s
%(more)s
bind_dn = %(admin)s
bind_password = %(password)s
base_dn = %(base)s
routing_query = (&(objectClass=mailDomain)(mail={a}))
routing_address_attr = mailRoutingAddress
"""
ROUTES = """\
l.test: [127.0.0.30]:2525
inner.test: [127.0.0.31]:2525
routed.hosts.test: [127.0.0.41]:2525
dns.hosts.test: USEDNS
.below.hosts.test: [127.0.0.42]:2525
dns.below.hosts.test: USEDNS
port.hosts.test: [127.0.0.50]:2626
"""
SINKS = {  # Nobody listens at 127.0.0.98 and 127.0.0.99
    "a": ("127.0.0.21", 25),
    "a26": ("127.0.0.21", 2626),
    "mx": ("127.0.0.22", 2626),
    "six": ("::1", 2525),
    "route": ("127.0.0.30", 2525),
    "inner": ("127.0.0.31", 2525),
    "routed": ("127.0.0.41", 2525),
    "below": ("127.0.0.42", 2525),
    "all": ("127.0.0.43", 2525),
    "wrong": ("127.0.0.50", 25),  # whom nobody should ask
}
HOSTS = """\
a A 127.0.0.21
hub MX 10 b
hub A 127.0.0.50
b A 127.0.0.22
dns A 127.0.0.21
dns.below A 127.0.0.21
routed A 127.0.0.50
x.below A 127.0.0.50
"""
ZONES = {"hosts.test": HOSTS, "l.test": "@ MX 10 wrong.hosts.test.\nwrong A 127.0.0.50\n"}
CASES = (  # recipient, its mail hosts in the directory, who gets the mail, what it is
    ("one", "a.hosts.test", "a", "one host"),
    ("port", "a.hosts.test:2626", "a26", "one with a port"),
    ("mx", "hub.hosts.test:2626", "mx", "one with MX records"),
    ("list", "127.0.0.99:2626, 127.0.0.21:2626", "a26", "the first of two is down"),
    ("values", ["127.0.0.98:2626", "127.0.0.21:2626"], "a26", "one of two values is down"),
    ("four", "127.0.0.21", "a", "an IPv4 address"),
    ("six", "[::1]:2525", "six", "an IPv6 address"),
    ("routed", "Routed.Hosts.test", "routed", "a host with a route"),
    ("brackets", "[routed.hosts.test]", "routed", "... in brackets"),
    ("below", "x.below.hosts.test", "below", "a host below the key of a route"),
    ("dns", "dns.hosts.test", "a", "a host with a route by MX"),
    ("dnsbelow", "dns.below.hosts.test", "a", "... which stands before one for subdomains"),
    ("a*b", "127.0.0.21", "a", "an asterisk"),
    ("a(b", "127.0.0.21", "a", "a parenthesis"),
    ("a\\b", "127.0.0.21", "a", "a backslash"),
    ("a b", "127.0.0.21", "a", "a blank"),
    ("Upper", "127.0.0.21", "a", "upper case"),
    ("axb", "127.0.0.21:2626", "a26", "what an asterisk would find"),
    ("none", None, "route", "no entry: by the route of the domain"),
    ("empty", [], "route", "no host in its entry: the same"),
)
CAPITALS = ["smtp:capitals@l.test", "SMTP:Main@inner.test", "X500:/o=Org (AB)/cn=c", "smtp:other@tenant.test"]
ADDRESSES = (  # recipient, the addresses in his entry, who gets the mail, for whom, what it is
    ("rewritten", "box@inner.test", "a26", "box@inner.test", "hosts of its own"),
    ("elsewhere", "other@inner.test", "inner", "other@inner.test", "hosts of that one"),
    ("ad", "SMTP:ad@inner.test", "inner", "ad@inner.test", "SMTP:"),
    ("adhost", "SMTP:adhost@inner.test", "a26", "adhost@inner.test", "... with hosts"),
    ("small", "smtp: small@inner.test", "inner", "small@inner.test", "smtp: and a blank"),
    ("foreign", ["sip:foreign@l.test", "X400:c=US;a= ;p=Org", "eum:1;phone-context=u.l.test"], "route",
     "foreign@l.test", "none but of other networks"),
    ("mixed", ["sip:mixed@l.test", "Smtp:mixed@inner.test", "x500:/o=Org/cn=m"], "inner", "mixed@inner.test",
     "one among those of other networks"),
    ("noword", ["noword@inner.test", "sip:noword@l.test"], "inner", "noword@inner.test", "... without smtp:"),
    ("capitals", CAPITALS, "inner", "main@inner.test", "one in capitals among several"),
    ("capitalshost", ["SMTP:Host@inner.test", "smtp:capitalshost@l.test"], "a26", "host@inner.test", "... with hosts"),
    ("quoted", ['SMTP:"a, b"@inner.test', 'smtp:"c,d"@inner.test'], "inner", '"a, b"@inner.test', "commas in quotes"),
    ("itself", ["SMTP:Itself@l.test", "smtp:also@l.test"], "route", "itself@l.test", "the recipient's own"),
)
WITH_HOSTS = ("rewritten", "adhost", "capitalshost")
WAITING = (  # recipient, the addresses in his entry, what it is
    ("lower", ["smtp:x@inner.test", "smtp:y@inner.test"], "several, none in capitals"),
    ("twice", ["SMTP:x@inner.test", "SMTP:y@inner.test"], "two in capitals"),
    ("half", ["SMTP:x@inner.test", "y@inner.test"], "one with smtp:, one without"),
    ("nonsense", "SMTP:nonsense", "no address"),
    ("nodomain", "nonsense", "no address, without smtp:"),
    ("cut", "SMTP:", "nothing but smtp:"),
    ("named", "Joe <joe@inner.test>", "a name and an address in brackets"),
)
MORE = (
    "".join(entry(name + "@l.test", mailHost="127.0.0.21:2626" if name in WITH_HOSTS else [],
                  mailRoutingAddress=values) for name, values, *_ in ADDRESSES)
    + "".join(entry(name + "@l.test", mailRoutingAddress=values) for name, values, _ in WAITING)
    + entry("both@l.test", mailRoutingAddress=["x@inner.test", "y@inner.test"])
    + entry("wrong@l.test", mailHost="not a host!")
    + entry("victim@outside.test", mailHost="127.0.0.50", mailRoutingAddress="victim@l.test")
    + entry("later@l.test", mailHost="127.0.0.99:2626")
)

WAITS = re.compile(r"to=<later@l\.test>.*(status=deferred|stat=Deferred)")
WITHOUT = re.compile(r"to=<later@l\.test>.*address resolver failure|ldap_bind failed")

tap = Tap()


def directory():
    return Slapd(MORE + "".join(entry(name + "@l.test", mailHost=hosts) for name, hosts, _, _ in CASES
                                if hosts is not None))


def smtp_form(local):
    plain = local.replace("*", "").isalnum()
    return local if plain else '"' + local.replace("\\", "\\\\") + '"'


def send(front, recipient, word, listener="in"):
    with front.client(CLIENT, listener) as client:
        client.mail("sender@example.net")
        answer = client.rcpt(recipient)
        return client.data(word) if answer.startswith("250") else answer


def asked(front, recipient, word):
    """Mail for it; the server that call-ahead asked, or the refusal."""
    before = len(front.house.lines)
    answer = send(front, recipient, word)
    if not answer.startswith("250"):
        return answer
    return front.house.wait_log(event="rcpt", after=before).get("server", "nobody")


def server(name):
    """As the log has it."""
    host, port = SINKS[name]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def deliver(front, sinks, name):
    servers = {}
    for local, *_ in CASES:
        servers[local] = asked(front, smtp_form(local) + "@l.test", f"{name} <{local}> word")
    for local, _, wanted, what in CASES:
        word = f"{name} <{local}> word"
        try:
            wait_until(lambda word=word: sinks.where(word), f"mail for {local}")
        except TimeoutError as error:
            tap.note(error)
        tap.eq(sinks.where(word), [wanted], f"{name}, {what}: {local}")
        tap.eq(servers[local], server(wanted), "... which call-ahead asked")


def two_addresses(front, sinks, name):
    """Postfix knows lists, Sendmail does not."""
    word = f"{name} <both> word"
    answer = send(front, "both@l.test", word)
    if name == "Sendmail":
        tap.ok(answer.startswith("4"), "Sendmail, two addresses: later", answer)
        return
    wait_until(lambda: sorted(sum((mail.rcpts for mail in sinks.got("inner") if word in mail.text), []))
               == ["x@inner.test", "y@inner.test"], "both addresses")
    tap.ok(True, f"{name}, two addresses: both get the mail")


def unusable(front, _sinks, name):
    answer = send(front, "wrong@l.test", "never")
    tap.ok(answer.startswith("4"), f"{name}, no host in the directory: later", answer)


def no_open_relay(front, _sinks, name):
    answer = send(front, "victim@outside.test", "never")
    tap.ok("denied" in answer, f"{name}: an entry makes no domain ours", answer)


def restart(front):
    """As by a reload, but nothing of before is left."""
    front.mx.stop()
    front.mx.start()


def all_route(front, sinks, name):
    """ALL is for hosts that a directory names as well."""
    front.house.write("routes.txt", ROUTES + "ALL: [127.0.0.43]:2525\n")
    front.write_maps()
    front.house.reload()
    restart(front)
    for local, wanted in (("one", "all"), ("four", "a"), ("dns", "a"), ("none", "route")):
        word = f"{name} ALL <{local}> word"
        send(front, f"{local}@l.test", word)
        wait_until(lambda word=word: sinks.where(word), f"mail for {local} with ALL")
        tap.eq(sinks.where(word), [wanted], f"{name}, a route ALL: {local}")


def rewritten(front, sinks, name):
    servers = {}
    for local, *_ in ADDRESSES:
        servers[local] = asked(front, f"{local}@l.test", f"{name} <{local}> word")
    for local, _, wanted, rcpt, what in ADDRESSES:
        word = f"{name} <{local}> word"
        try:
            wait_until(lambda word=word: sinks.where(word), f"mail for {local}")
        except TimeoutError as error:
            tap.note(error)
        tap.eq((sinks.where(word), [got.lower() for mail in sinks.got(wanted) if word in mail.text for got in mail.rcpts]),
               ([wanted], [rcpt]), f"{name}, another address, {what}: {local}")
        tap.eq(servers[local], server(wanted), "... which call-ahead asked")


def extension(front, sinks, name):
    """Only Postfix asks for the address without it, too."""
    if name == "Sendmail":
        return
    word = f"{name} <ad+box> word"
    send(front, "ad+box@l.test", word, "unasked")
    wait_until(lambda: sinks.where(word), "mail for ad+box")
    tap.eq((sinks.where(word), sinks.mail(word).rcpts), (["inner"], ["ad+box@inner.test"]),
           f"{name}, another address, with an extension: ad+box")


def undecided(front, _sinks, name):
    for local, _, what in WAITING:
        answer = send(front, f"{local}@l.test", "never", "unasked")
        tap.ok(answer.startswith("4"), f"{name}, {what}: later", answer)


def down(front, sinks, slapd, name):
    """Without the directory mail waits, whatever the routes say."""
    word = f"{name} later word"
    send(front, "later@l.test", word, "unasked")
    front.mx.wait_log(WAITS.pattern)
    slapd.halt()
    answer = send(front, "one@l.test", "never", "unasked")
    tap.ok(answer.startswith("4"), f"{name}, the directory is down: later", answer)
    restart(front)  # or it remembers for half a minute where mail goes
    seen = len(front.mx.log())
    front.mx.flush()
    wait_until(lambda: WITHOUT.search(front.mx.log()[seen:]), "an attempt without the directory")
    tap.eq((len(front.mx.queued()), sinks.where(word)), (1, []), "... mail in the queue stays there")
    slapd.start()
    sinks.listen("later", "127.0.0.99", 2626)
    wait_until(lambda: send(front, "one@l.test", "back", "unasked").startswith("250"), "the directory")
    front.mx.flush()
    wait_until(lambda: "later" in sinks.where(word), "mail that waited")
    wait_until(lambda: not front.mx.queued(), "an empty queue")
    tap.eq(sinks.where(word), ["later"], "... and flows when the directory is back")
    sinks.close("later")


class PostfixHere(Front):
    def __init__(self, tap_, conf, files):
        settings = "smtp_dns_support_level = enabled\ninet_protocols = all\nrecipient_delimiter = +\n"
        super().__init__(tap_, conf, files, settings)


class SendmailHere(SendmailFront):
    def __init__(self, tap_, conf, files):
        super().__init__(tap_, conf, files)
        self.mx.write("nsswitch.conf", "hosts: files dns\n")
        self.mx.write("service.switch", "hosts files dns\n")


def run(name, kind, sinks, slapd, more=""):
    conf = CONF % {"folder": slapd.folder, "uri": slapd.uri, "admin": ADMIN, "base": BASE, "password": PASSWORD,
                   "more": more}
    with kind(tap, conf, {"routes.txt": ROUTES, "rat.txt": "l.test ACCEPT\n"}) as front:
        for part in (deliver, rewritten, extension, undecided, two_addresses, unusable, no_open_relay, all_route):
            tap.note(part.__name__)
            tap.part(lambda part=part: part(front, sinks, name))
        tap.part(lambda: down(front, sinks, slapd, name))


def main():
    with tempfile.TemporaryDirectory(prefix="gatehouse-ldaproute-") as folder:
        ownhost.enter(folder)
        slapd = directory()
        os.chmod(slapd.folder, 0o755)  # the daemon reads ca.pem
        try:
            with Nsd(ZONES, port=53), Sinks() as sinks:
                for name, (address, port) in SINKS.items():
                    sinks.listen(name, address, port)
                run("Postfix", PostfixHere, sinks, slapd, "start_tls = yes")
                run("Sendmail", SendmailHere, sinks, slapd)
        finally:
            slapd.stop()
    tap.done()


main()
