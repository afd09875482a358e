#!/usr/bin/python3
"""No key of a policy without tests: a stage case, and a real Postfix."""
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree, find

DEF = "lib/tables/policy.def"

tree = Tree()
rules = Rules()
keys = [(line, m.group(1)) for line, m in find(tree.text(DEF), r"^KEY(?:REF|WORD|SET)?\((?:[A-Z]+, )?(\w+)")]
cases = "".join(tree.text(f) for f in tree.select(".case", under=("t/stage/",)))
# No stage greets: these keys become settings of the MTA.
greetings = tree.text("t/unit/mta/mtaconfig_test.c")
real = "".join(tree.text(f) for f in tree.select(".t", under=("t/real/",)))


def staged(key):
    return re.search(r"(?m)^%s *=" % key, cases) or key.startswith("banner_") and ("keys.%s =" % key) in greetings


rules.rule("every row of policy.def can be read", [
    "%s:%d" % (DEF, line) for line, _ in find(tree.text(DEF), r"^KEY") if line not in dict(keys)])
rules.rule("every key of a policy is in a stage case", [
    "%s:%d: %s" % (DEF, line, key) for line, key in keys if not staged(key)])
rules.rule("every key of a policy is tested with a real Postfix", [
    "%s:%d: %s" % (DEF, line, key) for line, key in keys
    if not re.search(r"(?:\b|\\n)%s *=" % key, real)])
rules.done()
