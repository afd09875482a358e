"""Somebody who has a clean Debian with a mail server, this tree, and README.

    with Newcomer("postfix") as it:            # packages
        it.follow("Install", 0)                # the first block of commands of that section
        it.commands                            # how many were typed so far

A block of commands is indented text in README whose first word is not the name of a file with a listing
beside it; such listings are what `editor FILE...` writes. What the commands need is nowhere else:
who changes README changes what is run. A command is what stands between && or ends of lines.

In place of README's mailbox hosts there is one of this test's own.
"""

import os
import re
import subprocess

from house import TOP
from machine import Machine
from sink import Sinks

TREE = "/root/gatehouse"
MAILHOST, PORT = "127.0.0.5", 2500


def section(title):
    with open(os.path.join(TOP, "README"), encoding="utf-8") as file:
        return re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n---+\n|\Z)", file.read(), re.M | re.S).group(1)


def blocks(title):
    """Indented texts of a section, the indentation gone."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", section(title), re.M)
    return [re.sub(r"^    ", "", part, flags=re.M) for text in found for part in text.strip("\n").split("\n\n")]


def listing(text):
    """{name of a file: its text} of a block "NAME    LINE", with further lines below LINE; or {}."""
    files = {}
    for line in text.rstrip("\n").split("\n"):
        match = re.match(r"(\S*) {3,}(.*)", line)
        if not match:
            return {}
        name, rest = match.groups()
        files[name or list(files)[-1]] = files.get(name or list(files)[-1], "") + rest + "\n"
    return files


class SlowList(list):
    """Users of a mailbox host that, for slow@..., thinks until `go` is set."""

    def __init__(self, users, go):
        super().__init__(users)
        self.go = go

    def __contains__(self, user):
        if user.startswith("slow@"):
            self.go.wait(60)
        return super().__contains__(user)


class Newcomer:
    def __init__(self, *packages):
        self.machine = Machine(*packages)
        self.sinks = Sinks()
        self.commands = 0
        self.files = {}

    def __enter__(self):
        self.machine.__enter__()
        try:
            self.unpack()
            self.machine.enter_network()
            self.sinks.__enter__()
            # What a person answers to apt and to its pager.
            self.machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
        except BaseException:
            self.machine.close()
            raise
        return self

    def __exit__(self, *exception):
        self.sinks.__exit__(*exception)
        self.machine.close()

    def unpack(self):
        """The tracked files of this tree, or of the release it is."""
        if os.path.exists(os.path.join(TOP, "MANIFEST")):
            with open(os.path.join(TOP, "MANIFEST"), "rb") as file:
                names = file.read()
        else:
            names = subprocess.check_output(["git", "-c", "safe.directory=*", "-C", TOP, "ls-files"])
        os.makedirs(self.machine.path(TREE))
        tar = subprocess.run(["tar", "-C", TOP, "--owner=root", "--group=root", "--no-recursion", "-c", "-T", "-"],
                             input=names, stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-C", self.machine.path(TREE), "-x"], input=tar.stdout, check=True)

    def read_listing(self, title, number=0):
        """What `editor` writes from now on: the listings of a section, or its nth alone."""
        found = [files for files in map(listing, blocks(title)) if files]
        self.files = {**self.files, **found[number]}
        self.files["routes.txt"] = re.sub(r": .*", f": [{MAILHOST}]:{PORT}", self.files["routes.txt"])

    def follow(self, title, number, **names):
        """The nth block of commands, word by word but for NAMES in capitals; what it says."""
        found = [text for text in blocks(title) if not listing(text)]
        return self.type(found[number], **names)

    def type(self, text, **names):
        for name, value in names.items():
            text = text.replace(name, value)
        said = ""
        lines = re.sub(r"\\\n", "", text).strip().split("\n")
        for line in lines:
            self.commands += len(re.findall(r"&&", line)) + 1
            if line.startswith("editor "):
                for path in line.split()[1:]:
                    self.machine.write(path, self.files[os.path.basename(path)])
        typed = "\n".join(line for line in lines if not line.startswith("editor "))
        if typed:
            said = self.machine.good("sh", "-ec", f"cd {TREE}\n{typed}")
        return said
