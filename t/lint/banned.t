#!/usr/bin/python3
"""Calls and words this tree does without."""
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import C_FOLDERS, Rules, Tree, find, includes

# Overflow, hidden state shared by threads, wrong results for bad input, or a wait nobody bounds.
CALLS = (r"(?<![.>\w])(v?sprintf|strcpy|strcat|strncpy|strncat|stpcpy|strtok|ato[ifl]|atoll|gets|signal"
         r"|localtime|gmtime|ctime|asctime|gethostby\w+|getservby\w+|inet_(ntoa|addr|aton)|sleep|usleep"
         r"|system|popen|alloca|tmpnam|mktemp|tempnam|setjmp|longjmp|sigsetjmp|siglongjmp)\s*\(")
# They obey the locale and are undefined for bytes above 127; str.h has ascii_...
CTYPE = r"(?<![.>\w])(is(alpha|alnum|digit|xdigit|space|blank|upper|lower|punct|print|graph|cntrl)|to(lower|upper))\s*\("
SHELLS = r'"(/bin/)?(ba|da)?sh"|\bexec[lv]p'
PYTHON_SHELLS = r"\bshell\s*=\s*True\b|\bos\.(system|popen)\b|\bsubprocess\.get(status)?output\b"
LATER = r"\b(TODO|FIXME|XXX|HACK)\b"
SKIPS = r"\bskip_all\b|#\s*skip\b|(?<![.>\w])skip\(\)|\b1\.\.0\b"

tree = Tree()
rules = Rules()
sources = tree.select(".c", ".h", ".def", under=C_FOLDERS)
all_c = tree.select(".c", ".h", ".def")
# This folder names what it bans.
texts = [f for f in tree.files if not f.startswith(("t/lint/", "t/fuzz/corpus/"))]
scripts = [f for f in texts if f.endswith((".py", ".t")) or tree.bytes(f).startswith(b"#!")]


def hits(names, pattern, text):
    return ["%s:%d: %s" % (f, line, m.group().strip(" (")) for f in names
            for line, m in find(text(f), pattern)]


rules.rule("no banned calls", hits(all_c, CALLS, tree.code))

rules.rule("no <ctype.h>", hits(sources, CTYPE, tree.code) + [
    "%s:%d: <ctype.h>" % (f, line) for f in sources
    for line, inc in includes(tree.text(f)) if inc == "<ctype.h>"])

rules.rule("no typedef for structs", hits(all_c, r"\btypedef\s+(struct|union)\b", tree.code))

rules.rule("one label, `out`, is all a function jumps to", hits(
    sources, r"\bgoto\s+(?!out\b)\w+", tree.code))

rules.rule("no shell", hits(sources, SHELLS, tree.text) + hits(scripts, PYTHON_SHELLS, tree.text))

rules.rule("nothing put off", hits(texts, LATER, tree.text))

rules.rule("no test skips itself", hits(
    [f for f in texts if f.startswith("t/")], SKIPS, tree.text))

rules.done()
