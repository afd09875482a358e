#!/usr/bin/python3
"""Random tables: what Postfix's and Sendmail's own look-ups make of the maps is what Gatehouse makes
of the tables (SPEC 3, 10). GATEHOUSE_SEED repeats a run. No mail server runs.
"""
import ipaddress
import json
import os
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import House
from postfix import Postfix
from sendmail import Sendmail
from tap import Tap

SEED = int(os.environ.get("GATEHOUSE_SEED") or random.randrange(1 << 32))
LISTENERS = [f"l{i}" for i in range(8)]
WITH_RAT = LISTENERS[:3]
ADDRESSES = 60  # asked of each listener
NAME = "mail.example.com"
CONF = "[dns]\nservers = 127.0.0.1:{port}\n[routes]\nfile = routes.txt\n" + "".join(
    f"[listener {name}]\ndaemon_name = {name}\nlocal_port = {2500 + i}\nhat = {name}.hat\n"
    + f"rat = {name}.rat\n" * (name in WITH_RAT)
    for i, name in enumerate(LISTENERS)
)

tap = Tap()
dice = random.Random(SEED)


# --- what is asked -------------------------------------------------------------------


class Site:
    """Maps and settings for both mail servers."""

    def __init__(self, house):
        self.house = house
        self.postfix = Postfix(os.path.join(house.folder, "postfix"), "mx.example.com")
        self.sendmail = Sendmail(os.path.join(house.folder, "sendmail"), "mx.example.com")
        self.tables, self.maps = {}, {}
        for mta, compiler in (("postfix", os.path.join(self.postfix.folder, "postmap")),
                              ("sendmail", self.sendmail.makemap)):
            self.maps[mta] = os.path.join(house.folder, mta + ".maps")
            self.ctl("maps", "--mta", mta, "--output", self.maps[mta], "--compiler", compiler)
        self.sendmail.settings(self.ctl("mta-config", "--mta", "sendmail", "--output", self.maps["sendmail"]))
        self.sendmail.instance("configure")

    def ctl(self, *arguments, stdin=""):
        status, out, err = self.house.ctl(*arguments, stdin=stdin)
        if status != 0:
            raise RuntimeError(err)
        return out

    def answers(self, *command, asked):
        """One JSON object a line; None where it was no question."""
        lines = [json.loads(line) for line in self.ctl(*command, "-", stdin="\n".join(asked) + "\n").splitlines()]
        return [None if "error" in line else line for line in lines]

    def postmap(self, kind, name, keys):
        """{key: value} of those that are found."""
        done = subprocess.run(
            [os.path.join(self.postfix.folder, "postmap"), "-q", "-", f"{kind}:{self.maps['postfix']}/{name}"],
            input="\n".join(keys) + "\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.stderr:
            raise RuntimeError(done.stderr)
        return dict(line.split("\t", 1) for line in done.stdout.splitlines())

    def rulesets(self, name, questions, before=()):
        """What ruleset `name` of Sendmail makes of each, without blanks."""
        lines = []
        for question, more in zip(questions, before or [()] * len(questions)):
            lines += [*more, f"{name} {question}"]
        said = self.sendmail.rulesets(*lines)
        returned = []
        for part in re.split(r"^> ", said, flags=re.M):
            results = re.findall(r"^(\S+) +returns: (.*)$", part, re.M)
            if results:
                returned.append(results[-1][1].replace(" ", ""))
        assert len(returned) == len(questions), said[-2000:]
        return returned


# --- clients: HAT ----------------------------------------------------------------------


def random_ip():
    if dice.random() < 0.6:
        return ipaddress.ip_address(f"10.{dice.randrange(3)}.{dice.randrange(4)}.{dice.choice((0, 1, 7, 63, 64, 255))}")
    part = lambda *of: format(dice.choice(of), "x")
    return ipaddress.ip_address(f"2001:db8:{part(0, 1, 0x7fff, 0x8000, 0xffff)}:{part(0, 1)}::{part(0, 1, 0xffff)}")


def parts(ip):
    return [format(int(part, 16), "x") for part in ip.exploded.split(":")]


def random_entry(only_addresses):
    ip = random_ip()
    octets = str(ip).split(".")
    if not only_addresses and dice.random() < 0.3:
        return dice.choice((NAME, ".example.com", "sbrs[none]", "nx.domain", "country:JP"))
    if ip.version == 4:
        cut, low = dice.randrange(1, 4), dice.randrange(200)
        choices = [str(ip), f"::ffff:{ip}", ".".join(octets[:cut]) + dice.choice(("", ".")),
                   ".".join(octets[:cut] + [f"{low}-{dice.randrange(low, 256)}"])]
        choices.append(f"{ip}-{ip + dice.randrange(1 << dice.randrange(20))}")
        bits = dice.randrange(6, 33)
    else:
        full, low = parts(ip), dice.randrange(8)
        full[7] = f"{low:x}-{low + dice.randrange(300):x}"  # Sendmail needs keys for all addresses
        choices = [str(ip), str(ip).upper(), ":".join(full)]
        choices.append(f"{ip}-{ip + dice.randrange(300)}")
        bits = dice.randrange(116, 129)  # ... cut out of the network of another entry, too
    choices.append(str(ipaddress.ip_network(f"{ip}/{bits}", strict=False)))
    return dice.choice(choices)


def random_hat(only_addresses):
    """Named groups and bare entries."""
    lines = []
    for i in range(dice.randrange(1, 8)):
        action = dice.choice(("ACCEPT", "REJECT", "RELAY", "RELAY", "TCPREFUSE", "TCPREFUSE", "CONTINUE"))
        entries = [random_entry(only_addresses) for _ in range(dice.randrange(1, 5))]
        if dice.random() < 0.4:
            lines += [f"{entry} {action}" for entry in entries]
        else:
            lines += [f"G{i}:", "    " + ", ".join(entries), f"        {action}"]
    return "\n".join([*lines, "ALL: REJECT", ""])


def as_sendmail(ip):
    if ip.version == 4:
        return str(ip)
    return "IPv6:" + ":".join(parts(ip))


def clients(site):
    """Entries that are no addresses may only let a client come further, never less far."""
    wrong, ruleset = [], []
    for number, name in enumerate(LISTENERS):
        ips = [random_ip() for _ in range(ADDRESSES)]
        asked = [str(ip) for ip in ips]
        access = [line["access"] for line in site.answers("hat", "match", name, asked=asked)]
        named = [line["access"] for line in site.answers("hat", "match", name, asked=[f"{ip} {NAME}" for ip in ips])]
        relay = site.postmap("cidr", "relay_clients." + name, asked)
        refused = site.postmap("cidr", "refused_clients." + name, asked)
        for ip, without, with_name in zip(ips, access, named):
            found = (relay.get(str(ip)) == "OK", refused.get(str(ip), "").startswith("421"))
            exact = number % 2 == 0
            good = (found == (without == "relay", without == "tcprefuse") if exact else
                    found[0] >= (without == "relay") and
                    (not found[1] or {without, with_name} == {"tcprefuse"}))
            if not good:
                wrong.append((name, str(ip), without, with_name, found))
            ruleset.append((name, ip, found))
    tap.eq(wrong[:5], [], f"Postfix: who may relay and who is refused, {ADDRESSES} clients at {len(LISTENERS)} services")
    wrong = []
    for kind, (tag, yes) in enumerate((("gatehouserelay", "OK"), ("gatehouserefuse", "REFUSE"))):
        said = site.rulesets("GatehouseClient", [f"<{tag}:{name}> <{as_sendmail(ip)}>" for name, ip, _ in ruleset])
        wrong += [(tag, name, str(ip), answer) for (name, ip, found), answer in zip(ruleset, said)
                  if (answer == yes) != found[kind]]
    tap.eq(wrong[:5], [], "Sendmail: the same")


# --- recipients: RAT --------------------------------------------------------------------

LABELS = ("a", "b", "B", "xn--bcher-kva", "sub")


def random_domain():
    """In A-labels, or in U-labels: the maps have both forms, and no mixture."""
    name = ".".join([*(dice.choice(LABELS) for _ in range(dice.randrange(0, 4))), dice.choice(("test", "Test", "example"))])
    return name.replace("xn--bcher-kva", dice.choice(("xn--bcher-kva", "b\u00fccher")))


def random_rat():
    lines = ["open.invalid ACCEPT"]
    for _ in range(dice.randrange(1, 12)):
        domain = random_domain()
        address = dice.choice((domain, domain, "." + domain, f"joe@{domain}", "joe@", "[192.0.2.1]"))
        lines.append(f"{address} {dice.choice(('ACCEPT', 'ACCEPT', 'REJECT'))}")
    if dice.random() < 0.3:
        lines.insert(dice.randrange(1, len(lines) + 1), "ALL REJECT")
    return "\n".join(lines) + "\n"


def a_label(domain):
    return domain.lower().replace("b\u00fccher", "xn--bcher-kva")


def recipients(site):
    """The fence lets through what an entry with a domain accepts, and no domain that none names."""
    asked = [f"{dice.choice(('joe', 'ann'))}@{dice.choice((random_domain(), random_domain(), '[192.0.2.1]'))}"
             for _ in range(150)] + ["joe@open.invalid", "joe@shut.invalid"]
    wanted, possible = [False] * len(asked), [False] * len(asked)
    for name in WITH_RAT:
        lines = site.answers("rat", "lookup", name, asked=asked)
        with open(os.path.join(site.house.folder, name + ".rat"), encoding="utf-8") as file:
            named = {a_label(line.split()[0].rpartition("@")[2]) for line in file if line.split()[1] == "ACCEPT"}
        for i, line in enumerate(lines):
            domain = a_label(asked[i].rpartition("@")[2])
            parents = {domain[at.start():] for at in re.finditer(r"\.", domain)}
            wanted[i] |= line["action"] == "accept" and not line["entry"].endswith("@")
            possible[i] |= bool(named & {domain, *parents})
    domains = {address: address.rpartition("@")[2].lower() for address in asked}
    keys = {address: [domain] + [domain[at.start():] for at in re.finditer(r"\.", domain)]
            for address, domain in domains.items()}
    found = site.postmap("lmdb", "relay_domains", sorted({key for list_ in keys.values() for key in list_}))
    passed = [any(key in found for key in keys[address]) for address in asked]
    rows = list(zip(asked, wanted, passed, possible))
    tap.eq([row for row in rows if not row[1] <= row[2] <= row[3]], [], "Postfix: the fence is that of the RATs")
    facts = (".D{client_addr}203.0.113.5", ".D{client_name}[203.0.113.5]", ".D{client_resolve}FAIL",
             f".D{{daemon_name}}{LISTENERS[0]}")
    plain = [row for row in rows if row[0].isascii()]
    said = site.rulesets("check_rcpt", [f"<{row[0]}>" for row in plain], [facts] * len(plain))
    wrong = [(row, answer) for row, answer in zip(plain, said) if (answer.startswith("$#OK")) != row[2]]
    tap.eq(wrong, [], "Sendmail: the same")
    tap.eq(passed[-2:], [True, False], "... which lets some through, and not others")


# --- routes ---------------------------------------------------------------------------------


def random_hosts():
    port = dice.choice(("", "", ":2525", ":26"))
    hosts = []
    for _ in range(dice.randrange(1, 4)):
        host = dice.choice(("[192.0.2.1]", "[H.example]", "Hub.Example.", "[2001:DB8::1]", "192.0.2.2" if port else "192.0.2.3"))
        priority = dice.choice(("", "/pri=0", "/pri=5", "/pri=65535"))
        hosts.append(host + port + priority)
    return ", ".join(hosts)


def random_routes():
    lines, keys = [], set()
    for _ in range(25):
        key = dice.choice(("", ".")) + random_domain()
        if a_label(key) not in keys:
            keys.add(a_label(key))
            lines.append(f"{key}: {dice.choice((random_hosts(), random_hosts(), 'USEDNS', '/dev/null'))}")
    lines.append(dice.choice(("", "ALL:", "ALL: USEDNS", "ALL: /dev/null", f"ALL: {random_hosts()}")))
    return "\n".join(lines) + "\n"


def as_postfix(route):
    hosts = ", ".join((f"[{host['host']}]" if not host["mx"] else host["host"]) + f":{host['port']}" for host in route["hosts"])
    return {"hosts": "relay:" + hosts, "usedns": "relay:", "discard": "discard:", "none": None}[route["kind"]]


def as_mailer(route, domain):
    """As Sendmail resolves u@domain."""
    def text(host):
        if host["mx"]:
            return host["host"]
        return f"[IPv6:{host['host']}]" if ":" in host["host"] else f"[{host['host']}]"

    port = route["hosts"][0]["port"] if route["hosts"] else 25
    mailer = "relay" if port == 25 else f"relay{port}"
    return {"hosts": (mailer, ":".join(map(text, route["hosts"]))), "usedns": ("relay", domain),
            "discard": ("devnull", "devnull"), "none": ("esmtp", domain)}[route["kind"]]


def routes(site):
    asked = [random_domain() for _ in range(120)]
    found = site.answers("routes", "lookup", asked=asked)
    keys = {domain: [domain] + [domain[at.start():] for at in re.finditer(r"\.", domain)] + ["*"] for domain in asked}
    table = site.postmap("lmdb", "transport", sorted({key for list_ in keys.values() for key in list_}))
    got = [next((table[key] for key in keys[domain] if key in table), None) for domain in asked]
    tap.eq([(domain, answer, as_postfix(route)) for domain, answer, route in zip(asked, got, found)
            if answer != as_postfix(route)], [], "Postfix: where mail goes")
    plain = [(domain, route) for domain, route in zip(asked, found) if domain.isascii()]
    said = site.rulesets("3,0", [f"u@{domain}" for domain, _ in plain])
    wrong = []
    for (domain, route), answer in zip(plain, said):
        match = re.match(r"\$#(.*?)\$@(.*?)\$:", answer)
        mailer, host = as_mailer(route, domain)
        if match is None or (match[1], match[2].lower().rstrip(".")) != (mailer, host.lower()):
            wrong.append((domain, answer, mailer, host))
    tap.eq(wrong, [], "Sendmail: where mail goes")


def main():
    tap.note(f"GATEHOUSE_SEED={SEED}")
    files = {"routes.txt": random_routes()}
    for number, name in enumerate(LISTENERS):
        files[name + ".hat"] = random_hat(only_addresses=number % 2 == 0)
        files[name + ".rat"] = random_rat()
    with DnsServer("") as dns:
        house = House(CONF.replace("{port}", str(dns.port)), files, start=False)
        try:
            site = Site(house)
            for part in (clients, recipients, routes):
                tap.part(lambda part=part: part(site))
        finally:
            house.remove()
    if tap.failed:
        tap.note(f"once more: GATEHOUSE_SEED={SEED}")
    tap.done()


main()
