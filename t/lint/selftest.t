#!/usr/bin/python3
"""Every rule of the other lint tests can fail: a small clean tree, one fault planted at a time."""
import os
import subprocess
import sys
import tempfile
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules

HERE = os.path.dirname(os.path.abspath(__file__))
LINTS = ("banned.t", "format.t", "layers.t", "manual.t", "policies.t", "reasons.t", "sizes.t", "text.t", "tree.t")

HEADER = """\
/*
 * %s.h - what it is.
 *
 * Any thread.
 */
#ifndef LIB_%s_H
#define LIB_%s_H

int %s_get(int n);

#endif
"""
SOURCE = """\
/* %s.c - see %s.h. */
#include "lib/%s/%s.h"

int %s_get(int n)
{
    return n;
}
"""
FUZZ = """\
/* one_fuzz.c - feeds one. */
#include "lib/base/one.h"

int LLVMFuzzerTestOneInput(const char *data, int size)
{
    return data[0] + one_get(size);
}
"""

REASONS = """\
/* reasons.def - why. */
REASON(FINE, "hat", "fine", CONTINUE, 250, "2.0.0", "", "It is.")
REASON(NEVER, "rat", "never", REJECT, 550, "5.1.0", "No", "It is not.")
"""
CASE = """\
connect 192.0.2.1
= accept hat FINE
log icid=1 verdict=accept by=hat detail=fine ms=0
= reject 550 5.1.0 rat NEVER No
log icid=1 verdict=reject by=rat detail=never ms=0
"""

POLICY = """\
/* policy.def - keys. */
KEY(COUNT, max, "1", 0, 9, KEY_AT_RELOAD, "How many.")
KEYWORD(access, "accept", words, KEY_AT_RELOAD, "Which.")
KEY(TEXT, banner_text, "", 0, 0, KEY_AT_RELOAD, "How it greets.")
"""

PAGE = """\
.Dd January 1, 2026
.Dt ONE 8
.Os
.Sh NAME
.Nm one
.Nd all there is
.Sh DESCRIPTION
It is.
"""


def module(layer, name):
    upper = (layer + "_" + name).upper()
    return {"lib/%s/%s.h" % (layer, name): HEADER % (name, upper, upper, name),
            "lib/%s/%s.c" % (layer, name): SOURCE % (name, name, layer, name, name)}


CLEAN = {
    ".clang-format": open(os.path.join(HERE, "../../.clang-format")).read(),
    "Makefile.am": "S = lib/base/one.c lib/base/one.h lib/tables/two.c lib/tables/two.h\n"
                   "T = t/fuzz/one_fuzz.c lib/gate/reasons.def lib/tables/policy.def\n"
                   "U = t/unit/mta/mtaconfig_test.c\n"
                   "man8_MANS = etc/one.8\n",
    "etc/one.8": PAGE,
    "configure.ac": "AC_INIT\n", "README": "Read.\n", "LICENSE": "Free.\n", "NEWS": "New.\n",
    "t/fuzz/one_fuzz.c": FUZZ, "t/fuzz/corpus/one/a": "bytes \t\n",
    "t/run": "#!/bin/sh\nexit 0\n",
    "lib/gate/reasons.def": REASONS, "t/stage/one.case": CASE,
    "lib/tables/policy.def": POLICY, "t/stage/two.case": "max = 2\naccess = reject\n",
    "t/unit/mta/mtaconfig_test.c": "/* mtaconfig_test.c - greetings. */\nint keys.banner_text = 1;\n",
    "t/real/policy.t": "#!/usr/bin/python3\nCONF = '[policy A]\\nmax = 2\\naccess = relay\\nbanner_text = x'\n",
    **module("base", "one"), **module("tables", "two"),
}
ONE_C = CLEAN["lib/base/one.c"]
TWO_C = CLEAN["lib/tables/two.c"]


def with_body(text, body):
    return text.replace("    return n;\n", body + "    return n;\n")


def call(statement):
    """lib/base/one.c with one more statement."""
    return {"lib/base/one.c": with_body(ONE_C, "    %s;\n" % statement)}


def include(name, header):
    return {name: CLEAN[name].replace('#include "', "#include %s\n#include \"" % header, 1)}


def functions(name, count, length):
    return "".join("\nint %s_%d(int n)\n{\n%s    return n;\n}\n" % (name, i, "    n++;\n" * (length - 3))
                   for i in range(count))


# (lint, what the rule must report, files that break it; None removes a file)
PLANTS = [
    ("layers.t", "lib/new is no layer", {"lib/new/three.c": "/* three.c - new. */\n"}),
    ("layers.t", '"one.h"', include("lib/base/one.c", '"one.h"')),
    ("layers.t", '"lib/base/none.h"', include("lib/base/one.c", '"lib/base/none.h"')),
    ("layers.t", "lib/base may not include lib/tables/two.h",
     include("lib/base/one.c", '"lib/tables/two.h"')),
    ("layers.t", "<ldap> is included by 2 modules",
     {**include("lib/base/one.c", "<ldap.h>"), **include("lib/tables/two.c", "<ldap.h>")}),
    ("layers.t", "<openssl/> is included by 2 modules",
     {**include("lib/base/one.c", "<openssl/ssl.h>"), **include("lib/tables/two.c", "<openssl/evp.h>")}),
    ("layers.t", "<libmilter/> belongs into milter/",
     include("lib/base/one.c", "<libmilter/mfapi.h>")),
    ("layers.t", "clock_gettime()", call("clock_gettime(0, 0)")),
    ("layers.t", "time()", call("n = time(0)")),
    ("sizes.t", "lib/base/one.c: 608 lines", {"lib/base/one.c": ONE_C + "int x;\n" * 601}),
    ("sizes.t", "61 lines, 60 allowed", {"lib/base/one.c": ONE_C + functions("f", 1, 61)}),
    ("sizes.t", "101 lines, 100 allowed",
     {"lib/base/one.c": ONE_C + functions("f", 1, 101) + functions("g", 40, 4)}),
    ("sizes.t", "101 lines, 100 allowed",
     {"t/fuzz/one_fuzz.c": FUZZ + functions("f", 1, 101)}),
    ("sizes.t", "the median is 21", {"lib/base/one.c": ONE_C + functions("f", 9, 21)}),
    ("sizes.t", "31 lines, 30 allowed",
     {"milter/cb.c": functions("cb", 1, 31).replace("int cb", "static sfsistat cb")}),
    ("tree.t", "docs", {"docs/a": "a\n"}),
    ("tree.t", "lib/base/one.o", {"lib/base/one.o": "o\n"}),
    ("tree.t", "Makefile.in", {"Makefile.in": "o\n"}),
    ("tree.t", "lib/base/str_util.c", {"lib/base/str_util.c": "/* str_util.c - all. */\n"}),
    ("tree.t", "lib/base/three.c", {"lib/base/three.c": "/* three.c - new. */\n"}),
    ("tree.t", "lib/tables/two.c", {"lib/tables/two.c": None}),
    ("tree.t", "# one", {"t/fuzz/corpus/one/a": None}),
    ("tree.t", "# lost", {"t/fuzz/corpus/lost/a": "a"}),
    ("tree.t", "t/boxes/a.t", {"t/boxes/a.t": "#!/bin/sh\n"}),
    ("tree.t", "etc/tool", {"etc/tool": ("#!/bin/sh\n", 0o644)}),
    ("tree.t", "etc/text", {"etc/text": ("text\n", 0o755)}),
    ("text.t", "README", {"README": b"caf\xe9\n"}),
    ("text.t", "README:2", {"README": "a\nb \n"}),
    ("text.t", "README:1", {"README": "a\r\n"}),
    ("text.t", "# README", {"README": "a"}),
    ("text.t", "# README", {"README": "a\n\n"}),
    ("text.t", "lib/base/one.c:", call("\tn++")),
    ("text.t", "lib/base/one.c", {"lib/base/one.c": ONE_C.replace("one.c - ", "two.c - ")}),
    ("text.t", "lib/base/one.h", {"lib/base/one.h": CLEAN["lib/base/one.h"].replace("one.h - ", "")}),
    ("text.t", "# lib/base/one.h", {"lib/base/one.h": CLEAN["lib/base/one.h"].replace(" *\n * Any thread.\n", "")}),
    ("text.t", "LIB_BASE_ONE_H", {"lib/base/one.h": CLEAN["lib/base/one.h"].replace("ONE_H", "TWO_H")}),
    ("format.t", "lib/base/one.c", call("n=1")),
    ("manual.t", "unknown macro", {"etc/one.8": PAGE + ".Zz\n"}),
    ("manual.t", "not found: Xr none 8", {"etc/one.8": PAGE + ".Xr none 8\n"}),
    ("manual.t", "etc/two.8", {"etc/two.8": PAGE}),
    ("manual.t", "# two", {"Makefile.am": CLEAN["Makefile.am"] + "sbin_PROGRAMS += milter/two\n"}),
    ("manual.t", "# none in etc/", {"etc/one.8": None}),
    ("reasons.t", "lib/gate/reasons.def:2", {"lib/gate/reasons.def": REASONS.replace('"hat"', "HAT")}),
    ("reasons.t", "lib/gate/reasons.def:2: FINE", {"t/stage/one.case": CASE.replace("hat FINE", "hat NICE")}),
    ("reasons.t", "lib/gate/reasons.def:3: NEVER", {"t/stage/one.case": CASE.replace("= reject", "= drop")}),
    ("reasons.t", "by=hat detail=fine", {"t/stage/one.case": CASE.replace("fine", "finer")}),
    ("reasons.t", "by=rat detail=never", {"t/stage/one.case": CASE.replace("by=rat", "by=hat")}),
    ("policies.t", "lib/tables/policy.def:2", {"lib/tables/policy.def": POLICY.replace("COUNT, max", "COUNT max")}),
    ("policies.t", "lib/tables/policy.def:2: max", {"t/stage/two.case": "maximum = 2\naccess = reject\n"}),
    ("policies.t", "lib/tables/policy.def:4: banner_text", {"t/unit/mta/mtaconfig_test.c": "/* mtaconfig_test.c - no. */\n"}),
    ("policies.t", "lib/tables/policy.def:3: access", {"t/real/policy.t": "#!/usr/bin/python3\nmax = banner_text = 1\n"}),
    ("banned.t", "<ctype.h>", include("lib/base/one.c", "<ctype.h>")),
    ("banned.t", "one.c:6: isalpha", call("n = isalpha(n)")),
    ("banned.t", "typedef struct", {"lib/base/one.h": CLEAN["lib/base/one.h"] + "typedef struct a b;\n"}),
    ("banned.t", "goto fail", call("goto fail")),
    ("banned.t", '"/bin/sh"', call('run("/bin/sh")')),
    ("banned.t", "shell=True", {"t/box/a.t": "run(x, shell=True)\n"}),
    ("banned.t", "README:1: TODO", {"README": "TODO: more\n"}),
    ("banned.t", "one.c:6: FIXME", call("n = 0 /* FIXME */")),
    ("banned.t", "a.t:1: skip_all", {"t/box/a.t": "plan skip_all\n"}),
    ("banned.t", "a.t:1: # SKIP".lower(), {"t/box/a.t": "print('ok 1 # skip none')\n"}),
    ("banned.t", "x_test.c:1: skip()", {"t/unit/base/x_test.c": "skip();\n"}),
] + [("banned.t", "one.c:6: " + name, call(name + "(n)")) for name in (
    "strcpy strcat sprintf vsprintf strncpy strtok atoi gets signal localtime gethostbyname inet_ntoa "
    "sleep usleep system popen alloca setjmp longjmp").split()]

# What looks like a fault and is none.
HARMLESS = [
    ("banned.t", call("n = 0 /* strcpy(n) */")),
    ("banned.t", call('n = puts("system(1)")')),
    ("banned.t", call("n = p->signal(n) + my_sleep(n)")),
    ("banned.t", call("goto out")),
    ("layers.t", call("n = mono_time(0)")),
    ("layers.t", include("lib/tables/two.c", '"lib/base/one.h"')),
    ("layers.t", {**include("lib/base/one.c", "<ldap.h>"), **include("lib/base/one.h", "<ldap.h>")}),
    ("sizes.t", {"lib/base/one.c": ONE_C + functions("f", 1, 61) + functions("g", 40, 4)}),
    ("sizes.t", {"lib/base/one.c": ONE_C + functions("f", 2, 60)  + functions("g", 3, 20)}),
]


def write_tree(root, files):
    for name, content in files.items():
        if content is None:
            continue
        data, mode = content if isinstance(content, tuple) else (content, 0o644)
        data = data if isinstance(data, bytes) else data.encode()
        if mode == 0o644 and not isinstance(content, tuple) and data.startswith(b"#!"):
            mode = 0o755
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)


def lint(name, changes):
    """Exit status and output of a lint on the clean tree with these changes."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, {**CLEAN, **changes})
        done = subprocess.run([os.path.join(HERE, name), root], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout.split("\n")


def caught(name, expected, changes):
    status, lines = lint(name, changes)
    if status == 1 and any(line.startswith("# ") and expected in line for line in lines):
        return []
    return ["exit %d" % status] + lines


def clean(name, changes):
    status, lines = lint(name, changes)
    return [] if status == 0 else ["exit %d" % status] + lines


rules = Rules()
for each in LINTS:
    rules.rule("%s passes a clean tree" % each, clean(each, {}))
for each, expected_line, planted in PLANTS:
    rules.rule("%s catches %s" % (each, expected_line.strip("# ")), caught(each, expected_line, planted))
for each, planted in HARMLESS:
    rules.rule("%s lets %s alone" % (each, ", ".join(planted)), clean(each, planted))
rules.rule("every lint test has its faults here", sorted(
    {f for f in os.listdir(HERE) if f.endswith(".t")} - {"selftest.t"} - {p[0] for p in PLANTS}))
rules.done()
