#!/usr/bin/python3
"""Every example of the manual pages does what the page says.

Which ones there are, and what each is, tells t/lib/manpages.py; those for a real mail server are
run by t/real/manual.t. A page has a folder of its own, which its reader knows as /etc/gatehouse:
the files it shows are written there first, then its examples are run in their order.
"""
import os
import pwd
import re
import shlex
import shutil
import struct
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import manpages
import milter_client as protocol
from dnsserver import DnsServer
from house import AS_ROOT, CTL, USER, House
from tap import Tap

tap = Tap()
ETC = "/etc/gatehouse"
REAL = ("main.cf", "master.cf", "sendmail.mc", "sasl", "smtp")  # kinds that t/real/manual.t runs
ZONE = """
mx.example.net A 192.0.2.80
mailbox.example.com A 192.0.2.81
example.com MX 10 mailbox.example.com
"""
RAT = {"rat.txt": "example.com ACCEPT\n"}
HAT = {"hat.txt": "192.0.2.66 REJECT\nALL ACCEPT\n"}
LOG = "".join(f"icid=1 mid=1 rid={rid} event=rcpt listener=inbound ip=192.0.2.7 verdict={verdict} by={by}\n"
              for rid, verdict, by in ((1, "reject", "callahead"), (2, "accept", "rat"), (3, "reject", "rat"),
                                       (4, "reject", "callahead")))
PAGES = {  # what is there before a page is read: configuration, files
    "gatehouse.conf.5": ("", {**RAT, "ldap.password": "secret\n"}),
    "gatehouse-authtls.7": ("", RAT),
    "gatehousectl.8": ("[listener inbound]\nrat = rat.txt\nhat = hat.txt\ncallahead = mailboxes\n[callahead mailboxes]\n",
                       {**RAT, **HAT, "addresses": "192.0.2.66\n2001:db8::1\n"}),
    "gatehoused.8": ("[listener inbound]\nrat = rat.txt\n", {**RAT, "log": LOG}),
}
TOOLS = {  # beside gatehousectl, what examples call
    "editor": 'echo "# seen" >> "$1"',
    "systemctl": '[ "$1 $2" = "reload gatehouse" ] && exec gatehousectl reload',
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Page:
    """A folder with a configuration, a daemon where an example needs one, and the tools."""

    def __init__(self, name, port):
        self.name, self.port = name, port
        self.house = House(start=False)
        self.folder = self.house.folder
        self.bin = os.path.join(self.folder, "bin")
        os.mkdir(self.bin)
        self.script("gatehousectl", f'exec {shlex.quote(CTL)} -c {shlex.quote(self.house.path)} "$@"')
        for tool, text in TOOLS.items():
            self.script(tool, text)
        conf, files = PAGES.get(name, ("", {}))
        for file, text in files.items():
            self.write(file, text)
        self.configure(conf)

    def script(self, name, text):
        path = os.path.join(self.bin, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def write(self, name, text):
        path = self.house.write(name, text)
        if name.endswith(".password"):
            os.chmod(path, 0o600)
            if AS_ROOT:
                shutil.chown(path, USER)
        return path

    def configure(self, conf):
        """Keys of [gatehouse] that the page gives join those of the house."""
        own = re.match(r"\[gatehouse\]\n((?:.+\n)*)", conf)
        if own:
            conf = conf[own.end():]
            self.house.settings.update(line.split(" = ", 1) for line in own.group(1).splitlines())
        dns = "" if "[dns]" in conf else f"[dns]\nservers = 127.0.0.1:{self.port}\n"
        self.house.configure(dns + conf)

    def ask(self, conf, *command):
        """gatehousectl with another configuration than that of the page: (status, stdout, stderr)"""
        with open(self.house.path, encoding="utf-8") as file:
            head = file.read().partition("\n[")[0]
        text = f"{head}\n[dns]\nservers = 127.0.0.1:{self.port}\n{conf}"
        return self.house.ctl(*command, conf=self.write("other.conf", text))

    def need_daemon(self):
        if self.house.process is None:
            self.house.start()

    def shell(self, command):
        """(status, what it printed, as the reader would see it)"""
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False, timeout=120,
            env={**os.environ, "PATH": self.bin + ":" + os.environ["PATH"]})
        return done.returncode, done.stdout.decode("utf-8").replace(self.folder, ETC)


def file(page, example):
    page.write(example.words[0], example.text)
    tap.ok(example.text, example.name)


def conf(page, example):
    """It is good, and there is nothing to be warned of."""
    page.configure(example.text)
    status, out, err = page.house.ctl("check")
    tap.eq((status, err), (0, ""), example.name)
    tap.ok(out.endswith(": good\n"), "... is good", out)


def presets(page, example):
    """Written out, they change nothing of what is shown."""
    kind = re.match(r"\[(\w+) ", example.text).group(1)

    def shown(conf):
        status, out, err = page.ask("[listener inbound]\n" + conf, "config", "show", "--defaults")
        tap.eq((status, err), (0, ""), "... can be shown")
        return sorted(re.sub(r"#.*\n", "", part) for part in out.split("\n\n") if part.startswith(f"[{kind} "))

    names = re.findall(r"\[(group \w+)\]", example.text)
    before = shown("".join(f"[{name}]\n" for name in names))
    tap.ok(len(before) >= len(names) and before, example.name)
    tap.eq(shown(example.text), before, "... written out is the same")


def commands_of(text):
    """(command, output) of a session: "$ " and what follows up to the next."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, output = re.match(r"((?:.*\\\n)*.*)\n((?:.*\n)*)", part).groups()
        yield command, output


def run(page, example):
    """Commands behind "$ ", and what they print."""
    if "daemon" in example.words:
        page.need_daemon()
    tap.ok(example.text.startswith("$ "), f"{example.name}: begins with a command")
    for command, output in commands_of(example.text):
        got = page.shell(command)[1]
        tap.eq(TIME.sub("TIME", got), TIME.sub("TIME", output), f"{example.name}: {command.splitlines()[0]}")


def commands(page, example):
    """They work, or end with the status that is given."""
    if "daemon" in example.words:
        page.need_daemon()
    wanted = int(example.words[-1]) if "status" in example.words else 0
    status, out = page.shell("set -e\n" + example.text)
    tap.ok(status == wanted, example.name, f"status {status}\n{out}")


def install(page, example):
    """A folder as the group of the mail server needs it, by those who are here."""
    user = pwd.getpwuid(os.geteuid())
    command = example.text.replace("-o gatehouse", f"-o {user.pw_name}").replace("-g postfix", f"-g {user.pw_gid}")
    path = example.text.split()[-1]
    where = os.path.join(page.folder, "queue")
    status, out = page.shell(command.replace(path, where))
    tap.ok(status == 0 and command != example.text, example.name, out)
    tap.eq(oct(os.stat(where).st_mode & 0o7777), "0o2750", "... gives the folder to the group")


TERMS = {  # a line of a table, and the configuration of the table
    "senders": ("{}\n", "[group G]\nsenders_file = one.txt\n[listener inbound]\ngroups = G\n"),
    "rat": ("{} ACCEPT\n", "[listener inbound]\nrat = one.txt\n"),
    "flags": ("example.com ACCEPT {{{}}}\n", "[listener inbound]\nrat = one.txt\n"),
    "keys": ("{}: mx.example.net\n", "[routes]\nfile = one.txt\n[listener inbound]\n"),
    "destinations": ("x.example: {}\n", "[routes]\nfile = one.txt\n[listener inbound]\n"),
    "exceptions": ("{} ALLOW\n", "[exceptions]\nfile = one.txt\n[listener inbound]\n"),
}


def terms(page, example):
    """Each is taken where it belongs, and is not with something behind it."""
    line, conf_of_it = TERMS[example.words[0]]
    tap.ok(example.text, f"{example.name}: there are some")
    for word in example.text.splitlines():
        for text, wanted in ((word, 0), (f"{word}/?", 1)):
            page.write("one.txt", line.format(text))
            status, _out, err = page.ask(conf_of_it, "check")
            tap.ok(status == wanted, f"{example.name}: {text}: {wanted}", err)


def mark(page, example):
    """The header field that a message gets."""
    group, policy = re.search(r"group=(\S+) policy=(\S+)", example.text).groups()
    page.house.write("scores.txt", "192.0.2.1 -2\n")
    page.configure(f"[gatehouse]\nheader = X-Gatehouse\n\n[reputation]\nsource = file:scores.txt\n[listener inbound]\n"
                   f"rat = rat.txt\ngroups = {group}\n[group {group}]\nsenders = SBRS[-3:-1]\n[policy {policy}]\n"
                   "virus_scan = no\n")
    page.need_daemon()
    with page.house.session("192.0.2.1") as mta:
        mta.mail("<a@example.net>")
        mta.rcpt("<joe@example.com>")
        mta.end_of_headers()
        mta.send(b"E")
        fields = []
        while (answer := mta.receive())[0] not in protocol.FINAL:
            struct.unpack(">I", answer[1][:4])
            fields.append(b": ".join(answer[1][4:].split(b"\0")[:2]).decode())
        tap.eq("\n".join(fields) + "\n", example.text, example.name)
    page.house.stop()


RUN = {function.__name__: function for function in (conf, presets, run, commands, install, terms, mark)}


def whole(name, port):
    page = Page(name, port)
    with page.house:
        found = manpages.examples(name)
        for example in found:
            if example.kind == "file":
                file(page, example)
        for example in found:
            if example.kind in REAL or example.kind == "file":
                continue
            if tap.ok(example.kind in RUN, f"{example.name}: a test knows how to run it", example.text):
                RUN[example.kind](page, example)


@tap.part
def pages_are_whole():
    tap.ok(set(PAGES) <= set(manpages.pages()), "the pages are there", manpages.pages())
    for name in manpages.pages():
        lines = [line for line in manpages.source(name).split("\n") if line.startswith(".D1") and "gatehousectl" in line]
        tap.eq(lines, [], f"{name}: a command is shown as a display that is run")


@tap.part
def commands_in_the_text_exist():
    """Words and options of each `gatehousectl ...` in a sentence."""
    usage = House(start=False)
    with usage:
        for name in manpages.pages():
            for words in re.findall(r"^\.Ql gatehousectl (.*)", manpages.source(name), re.M):
                words = re.sub(r" [,.;:]$| \\&.*$| No .*$", "", words).split(" , ")[0].split()
                depth = next((n for n in (2, 1) if usage.ctl("help", *words[:n])[0] == 0), 0)
                text = usage.ctl("help", *words[:depth])[1]
                options = [word for word in words[depth:] if word.startswith("--")]
                tap.ok(depth and all(option in text for option in options), f"{name}: gatehousectl {' '.join(words)}", text)


@tap.part
def who_may_not_read_runtime_entries_is_told():
    """gatehousectl(8), TRACE: and the decision is made without them."""
    stranger = {"user": 54321, "group": 54321, "extra_groups": []} if AS_ROOT else {}
    with House("[listener inbound]\nrat = rat.txt\n", RAT) as house:
        tap.eq(house.ctl("hat", "block", "192.0.2.7")[0], 0, "a client is blocked")
        blocks = os.path.join(house.run, "state", "blocks")
        command = [CTL, "-c", house.path, "trace", "--offline", "--ip", "192.0.2.7", "--from", "a@b.example", "--to",
                   "joe@example.com"]

        def trace(**more):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60, **more)
            return done.returncode, done.stdout.decode(), done.stderr.decode()

        status, out, err = trace()
        tap.ok((status, err) == (1, "") and "group    None, entry 192.0.2.7\n" in out,
               "it is shown without a group", (status, out, err))
        os.chmod(blocks, 0)
        status, out, err = trace(**stranger)
        tap.ok(status == 0 and "entry ALL" in out, "who may not read it decides without it", (status, out, err))
        tap.ok(f"entries made at run time are not known: cannot read {blocks}: Permission denied" in err, "... and says so", err)
        os.chmod(blocks, 0o600)


with DnsServer(ZONE) as dns:
    for page_name in manpages.pages():
        tap.note(page_name)
        tap.part(lambda name=page_name: whole(name, dns.port))
tap.done()
