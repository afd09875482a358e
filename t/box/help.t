#!/usr/bin/python3
"""What gatehousectl says of itself: every command has help, an example that works, and the options it says."""
import os
import re
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import CTL, DAEMON, TOP, House
from ldappeer import LdapPeer
from smtpserver import Server
from tap import Tap

tap = Tap()
CONF = """
[dns]
servers = 127.0.0.1:%(dns)d
host_lookup = off
[listener inbound]
hat = hat
rat = rat
callahead = mailboxes
ldap_accept = staff
[callahead mailboxes]
type = static
servers = 127.0.0.1:%(smtp)d
[ldap staff]
uri = %(ldap)s
base_dn = dc=test
accept_query = (mail={a})
[routes]
file = routes
[exceptions]
file = exceptions
[addresslist partners]
addresses = joe@example.net
"""
FILES = {"hat": "GOOD:\n    mail.example.net\n        $ACCEPTED (friends)\nALL $ACCEPTED\n", "rat": "example.com ACCEPT\n",
         "routes": "example.com: [127.0.0.1]:%(smtp)d\n", "exceptions": "joe@example.net ALLOW\n"}
LOG = "icid=1 mid=1 rid=1 event=rcpt listener=inbound ip=192.0.2.1 to=<joe@example.com> verdict=accept by=rat detail=rat_accept\n"
ZONE = "2.0.0.127.list.example A 127.0.0.2\n"
# Where an example is right and the answer may still be no: there is no Postfix here, nothing was counted.
MAY_SAY_NO = {"doctor", "counter show", "counter reset"}


def run(*arguments, **more):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=120, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def names():
    """Every command, from the list that is printed."""
    listed = run(CTL, "--help")[1].split("commands:\n")[1]
    return dict(re.split("  +", line.strip(), maxsplit=1) for line in listed.splitlines())


def page_of(name):
    return run(CTL, "help", *name.split())[1]


def example_of(name):
    return page_of(name).partition("example:\n")[2].strip()


@tap.part
def every_command():
    with open(os.path.join(TOP, "etc", "gatehousectl.8"), encoding="utf-8") as file:
        manual = file.read()
    commands = names()
    tap.ok(len(commands) >= 30, "there are commands", commands)
    for name, summary in commands.items():
        page = page_of(name)
        usage = page.partition("\n\n")[0]
        tap.ok(usage.startswith(f"usage: gatehousectl [-c FILE] {name}") and f"  {summary}\n" in page,
               f"{name}: usage and summary", page)
        tap.ok(summary and example_of(name).startswith(f"gatehousectl {name}"), f"{name}: an example of its own", page)
        tap.ok(all(len(line) <= 90 for line in page.splitlines()), f"{name}: no line is too long", page)
        tap.eq([run(CTL, *name.split(), *more) for more in (["--help"], ["-h"], ["x", "--help"])], [(0, page, "")] * 3,
               f"{name} --help")
        first, *second = name.split()
        tap.ok(re.search(rf"(?m)^\.(It )?Cm {first}( [\w-]+ \|)*( {' '.join(second)})?\b", manual) if second else
               re.search(rf"(?m)^\.(It )?Cm {first}\b", manual), f"{name}: is in gatehousectl.8")


@tap.part
def every_option():
    """What help says an option is the command takes: it may refuse the rest, but not that."""
    for name in names():
        for option, argument in re.findall(r"(?m)^  --([\w-]+)(?:\[?[ =]([^\s\]]+)\]?)?", page_of(name)):
            value = ["x"] if argument and f"--{option}[" not in page_of(name) else []
            _status, out, err = run(CTL, "-c", "/nonexistent", *name.split(), f"--{option}", *value)
            tap.ok("no such option" not in err and "unrecognized" not in err and "missing" not in err,
                   f"{name} --{option} {argument}", out + err)
        status, _out, err = run(CTL, "-c", "/nonexistent", *name.split(), "--nonsense", "x", "y", "z", "u")
        tap.ok(status == 2 and "usage: gatehousectl" in err, f"{name} --nonsense: usage", err)


@tap.part
def no_option_without_help():
    """Of commands that parse by a table of their own."""
    pages = "".join(page_of(name) for name in names())
    for file in sorted(os.listdir(os.path.join(TOP, "milter"))):
        if re.fullmatch(r"cmd_\w+\.c", file):
            with open(os.path.join(TOP, "milter", file), encoding="utf-8") as source:
                options = re.findall(r'\{"([\w-]+)", (?:no|required|optional)_argument', source.read())
            tap.eq([option for option in options if not re.search(rf"(?m)^  --{option}\b", pages)], [], f"{file}: options have help")


@tap.part
def every_example():
    with DnsServer(ZONE) as dns, Server() as smtp, LdapPeer() as ldap:
        ports = {"dns": dns.port, "smtp": smtp.port, "ldap": ldap.uri}
        with House(CONF % ports, {name: text % ports for name, text in FILES.items()},
                   gatehouse={"log": "file:run/gate.log"}) as it:
            os.chmod(it.write("run/gate.log", LOG), 0o666)
            maps = os.path.join(it.folder, "maps")
            os.mkdir(maps, 0o755)
            for name in names():
                example = example_of(name)
                if name == "maps":  # Postfix may not be here
                    example = example.replace("/etc/postfix/gatehouse", maps) + " --no-compile"
                if name == "counter show":
                    it.session("192.0.2.7").__enter__()
                words = example.replace("gatehousectl", f"{CTL} -c {it.path}", 1)
                status, out, err = run("/bin/sh", "-c", words, cwd=it.folder)
                tap.ok(status == 0 or (status == 1 and name in MAY_SAY_NO), example, (status, out, err))
                tap.ok("usage:" not in err, "... is no wrong use", err)


@tap.part
def of_the_first_word():
    for words in (["config", "--help"], ["help", "config"], ["config", "-h"]):
        status, out, err = run(CTL, *words)
        tap.ok((status, err) == (0, "") and "config show [--defaults]\n" in out and "config example\n" in out,
               " ".join(words), out)
    tap.eq(run(CTL, "help", "config", "show"), run(CTL, "config", "show", "--help"), "help config show")
    tap.eq(run(CTL, "help", "config", "shwo")[0], 2, "help config shwo")


@tap.part
def the_nearest():
    for words, wanted in ((["statsu"], "status"), (["Status"], "status"), (["hat", "mtach"], "hat match"),
                          (["blocks"], "hat blocks"), (["rat", "look"], "rat lookup"), (["chek"], "check"),
                          (["rat lookup"], "rat lookup"), (["help", "trcae"], "trace"), (["cache", "lits"], "cache list"),
                          (["mtaconfig"], "mta-config"), (["unblock"], "hat unblock")):
        status, out, err = run(CTL, *words)
        tap.ok(status == 2 and out == "" and err.count("\n") == 1 and f"; the nearest is: {wanted};" in err,
               f"{' '.join(words)}: {wanted}", err)
    for words in (["xyzzy"], ["q"], ["a" * 500], [""], ["\u00fc" * 40]):
        status, out, err = run(CTL, *words)
        tap.ok(status == 2 and out == "" and err.count("\n") == 1 and "nearest" not in err, f"{words[0][:20]}: none is near",
               err)


@tap.part
def versions():
    for program, name in ((CTL, "gatehousectl"), (DAEMON, "gatehoused")):
        status, out, err = run(program, "--version")
        tap.ok((status, err) == (0, "") and re.match(rf"{name} \d+\.\d+\.\d+\n", out), f"{name} --version", out)
        tap.ok(re.search(r"(?m)^libmaxminddb: (yes|no)$", out) and re.search(r"(?m)^sysconfdir: /", out) and
               re.search(r"(?m)^compiler: \w", out), "... and what it was built with", out)
        tap.eq(run(program, "-V"), (status, out, err), f"{name} -V")


tap.done()
