#!/usr/bin/python3
"""How files are written: bytes, ends of lines, first words."""
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree, find

tree = Tree()
rules = Rules()
texts = [f for f in tree.files if not f.startswith("t/fuzz/corpus/")]
tabless = [f for f in texts if f.endswith((".c", ".h", ".def", ".py", ".t"))]
c_files = tree.select(".c", ".h", ".def")
headers = tree.select(".h")


def is_utf8(name):
    try:
        tree.bytes(name).decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def hits(names, pattern):
    return ["%s:%d" % (f, line) for f in names for line, _ in find(tree.text(f), pattern)]


def opening(name):
    """The comment a file begins with, "" if it does not."""
    match = re.match(r"/\*.*?\*/", tree.text(name), re.S)
    return match.group() if match else ""


def guard(name):
    return re.sub(r"\W", "_", name).upper()


def guarded(name):
    g = guard(name)
    return re.search(r"\*/\n#ifndef %s\n#define %s\n.*\n#endif\n\Z" % (g, g), tree.text(name), re.S)


rules.rule("UTF-8", [f for f in texts if not is_utf8(f)])
rules.rule("no trailing blanks", hits(texts, r"[ \t\r]+$"))
rules.rule("a newline at the end, and one only", [
    f for f in texts if tree.bytes(f) and not re.search(rb"[^\n]\n\Z", tree.bytes(f))])
rules.rule("no tabs in sources", hits(tabless, r"\t"))
rules.rule("a header begins with its name and what it is", [
    f for f in tree.select(".h", ".def")
    if not re.match(r"/\*\s+(\* )?%s - \S" % re.escape(os.path.basename(f)), opening(f))])
rules.rule("who begins with the name of a file uses its own", [
    f for f in c_files for m in [re.match(r"/\*\s+(?:\* )?([\w.-]+\.(?:c|h|def)) - ", opening(f))]
    if m and m.group(1) != os.path.basename(f)])
rules.rule("a header states its contract", [
    f for f in headers if opening(f).count("\n") < 3])
rules.rule("a header is guarded by its path, or says it has no guard", [
    "%s: %s" % (f, guard(f)) for f in headers if not guarded(f) and "no guard" not in opening(f)])

rules.done()
