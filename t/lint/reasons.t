#!/usr/bin/python3
"""No reason without a test: the stage cases bring about every row of reasons.def."""
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree, find

DEF = "lib/gate/reasons.def"

tree = Tree()
rules = Rules()
reasons = tree.text(DEF)
cases = "".join(tree.text(f) for f in tree.select(".case", under=("t/stage/",)))
rows = find(reasons, r'^REASON\((\w+),\s*"(\w+)",\s*"([\w ]+)"')

read = {line for line, _ in rows}
rules.rule("every row of reasons.def can be read", [
    "%s:%d" % (DEF, line) for line, _ in find(reasons, r"^\s*REASON\b") if line not in read])

expected = {m.group(1) for _, m in find(cases, r"^= (?:accept|(?:reject|tempfail) \d+ \S+) \S+ (\w+)")}
rules.rule("every reason is expected in a stage case", [
    "%s:%d: %s" % (DEF, line, row.group(1)) for line, row in rows if row.group(1) not in expected])

logged = {(m.group(1), m.group(2).strip('"'))
          for _, m in find(cases, r'^log .* by=(\w+) detail=(\w+\b|"[\w ]+")')}
rules.rule("every reason is expected in a line of the log", [
    "%s:%d: by=%s detail=%s" % (DEF, line, row.group(2), row.group(3)) for line, row in rows
    if row.group(2, 3) not in logged])

rules.done()
