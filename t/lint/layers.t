#!/usr/bin/python3
"""Who may include whom (DESIGN 1), and which module alone knows a library or the clock."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import C_FOLDERS, Rules, Tree, find, includes

MAY_INCLUDE = {
    "lib/base": {"lib/base"},
    "lib/conf": {"lib/conf", "lib/base"},
    "lib/tables": {"lib/tables", "lib/base"},
    "lib/state": {"lib/state", "lib/base"},
    "lib/net": {"lib/net", "lib/state", "lib/base"},
    "lib/gate": {"lib/gate", "lib/tables", "lib/base"},
    "lib/mta": {"lib/mta", "lib/tables", "lib/base"},
}
MAY_INCLUDE["milter"] = {"milter"} | set(MAY_INCLUDE)

# Library header (or its folder) -> the folder of the one module that may include it.
ONE_MODULE = {
    "ares": "lib/", "ldap": "lib/", "lber": "lib/", "openssl/": "lib/", "ini": "lib/",
    "idn2": "lib/", "jansson": "", "maxminddb": "lib/", "zlib": "milter/", "libmilter/": "milter/",
}
CLOCK = r"\b(clock_gettime|gettimeofday|timespec_get|ftime|clock|time)\s*\("

tree = Tree()
rules = Rules()
sources = tree.select(".c", ".h", ".def", under=C_FOLDERS)
tests = tree.select(".c", ".h", under=("t/",))


def layer(name):
    return os.path.dirname(name)


def module(name):
    return os.path.splitext(name)[0]


def quoted(names):
    """(file, line, path) of every include of ours."""
    return [(f, line, inc[1:-1]) for f in names for line, inc in includes(tree.text(f))
            if inc[0] == '"']


rules.rule("a source stands in a layer of DESIGN 1", [
    "%s: %s is no layer" % (f, layer(f)) for f in sources if layer(f) not in MAY_INCLUDE])

rules.rule("includes are written from the root and exist", [
    '%s:%d: "%s"' % (f, line, path) for f, line, path in quoted(sources + tests)
    if path not in tree.files or not path.startswith(C_FOLDERS + ("t/",))])

rules.rule("a layer includes only what stands below it", [
    "%s:%d: %s may not include %s" % (f, line, layer(f), path) for f, line, path in quoted(sources)
    if layer(path) not in MAY_INCLUDE.get(layer(f), ())])

users = {}
for f in sources:
    for line, inc in includes(tree.text(f)):
        for library, home in ONE_MODULE.items():
            path = inc[1:-1]
            if path.startswith(library) if library[-1] == "/" else path.split(".")[0] == library:
                users.setdefault(library, {}).setdefault(module(f), "%s:%d" % (f, line))

rules.rule("each library is known to one module", [
    "%s: <%s> is included by %d modules" % (at, library, len(at_modules))
    for library, at_modules in users.items() if len(at_modules) > 1
    for at in at_modules.values()])

rules.rule("each library is known where it belongs", [
    "%s: <%s> belongs into %s" % (at, library, ONE_MODULE[library])
    for library, at_modules in users.items()
    for name, at in at_modules.items() if not name.startswith(ONE_MODULE[library])])

rules.rule("only lib/base/mono.c reads a clock", [
    "%s:%d: %s()" % (f, line, m.group(1)) for f in sources if f != "lib/base/mono.c"
    for line, m in find(tree.code(f), CLOCK)])

rules.done()
