"""The manual pages' examples, for the tests that run them.

In front of each display and of some lists stands a comment that says what it is:

    .\\" example: KIND WORD ...
    .Bd -literal -offset indent

Example.kind is KIND, .words what follows, .text what a reader sees. An example without such a
line has the kind None. Of a list with a line .text has the terms, one a line.
"""

import os
import re
from dataclasses import dataclass, field

from house import TOP

FOLDER = os.path.join(TOP, "etc")
MARK = re.compile(r'\.\\" example: (.*)')
SPECIAL = {r"\(ha": "^", r"\(ti": "~", r"\(aq": "'", r"\(dq": '"', r"\e": "\\", r"\&": "", r"\-": "-"}


@dataclass
class Example:
    page: str
    line: int
    kind: str | None
    words: list = field(default_factory=list)
    text: str = ""

    @property
    def name(self):
        return f"{self.page}:{self.line}: {' '.join([self.kind or 'unmarked', *self.words])}"


def plain(line):
    """What a reader sees of a literal line."""
    return re.sub(r"\\\(..|\\.", lambda match: SPECIAL[match.group()], line)


def terms(line):
    """Those of an ".It Cm a , b" line."""
    words = re.sub(r"\\&", "", line).split()
    return [word for word in words[2:] if word != "," and word not in ("No", "or", "Ar", "Op")]


class Reader:
    def __init__(self, page, lines):
        self.page, self.lines = page, lines
        self.at = 0
        self.examples = []

    def add(self, mark, line, text):
        kind, *words = mark.split() if mark else [None]
        self.examples.append(Example(self.page, line, kind, words, text))

    def until(self, end):
        """The lines up to that one, which is passed over."""
        first = self.at
        while not self.lines[self.at].startswith(end):
            self.at += 1
        self.at += 1
        return self.lines[first:self.at - 1]

    def list_terms(self):
        depth, found = 1, []
        while depth:
            line = self.lines[self.at]
            depth += line.startswith(".Bl ") - line.startswith(".El")
            if depth == 1 and line.startswith(".It Cm "):
                found += terms(line)
            self.at += 1
        return found

    def read(self):
        mark = None
        while self.at < len(self.lines):
            line, number = self.lines[self.at], self.at + 1
            self.at += 1
            if match := MARK.fullmatch(line):
                mark = match.group(1)
                continue
            if line.startswith(".Bd "):
                self.add(mark, number, "".join(plain(text) + "\n" for text in self.until(".Ed")))
            elif line.startswith(".Dl "):
                self.add(mark, number, plain(line[4:]) + "\n")
            elif mark and line.startswith(".Bl "):
                self.add(mark, number, "".join(term + "\n" for term in self.list_terms()))
            elif mark:
                self.add("nothing follows", number, line)
            mark = None
        return self.examples


def pages():
    return sorted(name for name in os.listdir(FOLDER) if re.search(r"\.[0-9]$", name))


def source(page):
    with open(os.path.join(FOLDER, page), encoding="utf-8") as file:
        return file.read()


def examples(page):
    return Reader(page, source(page).split("\n")).read()
