#!/usr/bin/python3
"""Nothing grows out of what one can read (DESIGN 1)."""
import os
import re
import statistics
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import C_FOLDERS, Rules, Tree

FILE_MAX = 600
FUNCTION_MAX = 60
FUNCTION_NEVER = 100  # up to this long, a few may be
FEW = 0.05
MEDIAN_MAX = 20
CALLBACK_MAX = 30  # of libmilter: collect facts, run the stage, speak the verdict

tree = Tree()
rules = Rules()


def functions(names):
    """(file, line, lines, heading) of every function: braces in column 0."""
    for f in names:
        lines = tree.code(f).split("\n")
        start = None
        for i, line in enumerate(lines):
            if line == "{":
                start = i
            elif line == "}" and start is not None:
                yield f, start + 1, i - start + 1, heading(lines, start)
                start = None


def heading(lines, start):
    """The declaration above the brace in one line."""
    first = start
    while first > 0 and re.match(r"[ \t]*[\w*(]", lines[first - 1]):
        first -= 1
    return " ".join(lines[first:start])


def over(found, limit):
    return ["%s:%d: %d lines, %d allowed" % (f, line, n, limit)
            for f, line, n, _ in found if n > limit]


code = list(functions(tree.select(".c", ".h", under=C_FOLDERS)))
tests = list(functions(tree.select(".c", ".h", under=("t/",))))

rules.rule("no file over %d lines" % FILE_MAX, [
    "%s: %d lines" % (f, n)
    for f in tree.select(".c", ".h", ".def", ".py", ".t", ".am", "/run", "/quickstart")
    for n in [tree.text(f).count("\n")] if n > FILE_MAX])

long_ones = over(code, FUNCTION_MAX)
rules.rule("at most %d %% of functions over %d lines" % (FEW * 100, FUNCTION_MAX),
           long_ones if len(long_ones) > FEW * len(code) else [])

rules.rule("no function over %d lines, tests included" % FUNCTION_NEVER,
           over(code + tests, FUNCTION_NEVER))

median = statistics.median(n for _, _, n, _ in code) if code else 0
rules.rule("median of function lengths at most %d" % MEDIAN_MAX,
           ["the median is %d" % median] if median > MEDIAN_MAX else [])

rules.rule("no libmilter callback over %d lines" % CALLBACK_MAX,
           over([x for x in code if re.search(r"\bsfsistat\b", x[3])], CALLBACK_MAX))

rules.done()
