"""The tree as lint tests see it: its tracked files, C code without comments, TAP.

A lint test is t/lint/NAME.t [ROOT]; ROOT is the tree it stands in unless given
(t/lint/selftest.t gives others). Each rule is one TAP line; what breaks it
goes to standard error as "# file:line: what".
"""
import os
import re
import subprocess
import sys

C_FOLDERS = ("lib/", "milter/")


class Tree:
    def __init__(self, root=None):
        here = os.path.dirname(os.path.abspath(__file__))
        self.root = root or (sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "../.."))
        self.files = sorted(f for f in self._list() if os.path.lexists(self.path(f)))
        self._text = {}

    def path(self, name):
        return os.path.join(self.root, name)

    def _list(self):
        """Tracked files of a clone, the MANIFEST of a release, else all there is."""
        if os.path.exists(self.path(".git")):
            git = ["git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-z"]
            return subprocess.check_output(git).decode().split("\0")[:-1]
        if os.path.exists(self.path("MANIFEST")):
            return self.text("MANIFEST").split()
        return [os.path.relpath(os.path.join(folder, name), self.root)
                for folder, _, names in os.walk(self.root) for name in names]

    def bytes(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def text(self, name):
        return self.bytes(name).decode("utf-8", "replace")

    def select(self, *endings, under=("",)):
        return [f for f in self.files if f.endswith(endings) and f.startswith(tuple(under))]

    def code(self, name):
        """C text with comments and the insides of literals blanked; lines stay."""
        if name not in self._text:
            self._text[name] = blank_comments(self.text(name))
        return self._text[name]


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = r'^[ \t]*#[ \t]*include[ \t]*([<"][^>"\n]*[>"])'


def blank_comments(text):
    def blank(match):
        token = match.group()
        lines = "\n" * token.count("\n")
        return token[0] + token[0] if token[0] in "\"'" else " " + lines
    return TOKEN.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def find(text, pattern):
    """(line, match) of every occurrence."""
    return [(line_of(text, m.start()), m) for m in re.finditer(pattern, text, re.M)]


def includes(text):
    """(line, '"lib/base/str.h"' or '<time.h>') of every #include."""
    return [(line, m.group(1)) for line, m in find(text, INCLUDE)]


class Rules:
    """Collects what breaks each rule and prints it as TAP."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def rule(self, name, broken):
        self.count += 1
        broken = list(broken)
        self.failed += bool(broken)
        print("%s %d - %s" % ("not ok" if broken else "ok", self.count, name))
        broken = ["broken rule: %s" % name] + broken if broken else []
        sys.stdout.flush()
        for what in broken:  # on stderr, which prove lets through
            print("# " + what, file=sys.stderr)

    def done(self):
        print("1..%d" % self.count)
        sys.exit(1 if self.failed else 0)
