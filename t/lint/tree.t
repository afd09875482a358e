#!/usr/bin/python3
"""What lies where, and that the build knows of it."""
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree

TOP = {"milter", "lib", "etc", "t", "Makefile.am", "configure.ac", "README", "LICENSE", "NEWS"}
GENERATED = re.compile(
    r"(^|/)(configure|config\.(h|h\.in|log|status)|Makefile(\.in)?|aclocal\.m4|stamp-h1|\.dirstamp"
    r"|build[^/]*/.*|autom4te\.cache/.*|\.deps/.*|__pycache__/.*)$|\.(o|a|so|pyc|log|trs|gz|xz|orig|rej)$|~$")
DRAWERS = re.compile(r"(^|[/_-])(utils?|misc|helpers?|common|stuff)([._-]|$)")

tree = Tree()
rules = Rules()

rules.rule("top level as DESIGN says", [
    name for name in sorted({f.split("/")[0] for f in tree.files})
    if name not in TOP and not name.startswith(".")])

rules.rule("nothing generated is tracked", [
    f for f in tree.files if GENERATED.search(f) and not f.startswith("t/fuzz/corpus/")])

rules.rule("no drawers", [f for f in tree.files if DRAWERS.search(f)])

words = re.sub(r"(?m)^\s*#.*", "", "".join(tree.text(f) for f in tree.files if f.endswith(".am")))
makefile = set(re.findall(r"[\w./-]+\.(?:c|h|def)\b", words))
# A test program without sources of its own is made of NAME.c.
makefile |= {name + ".c" for name in re.findall(r"\bt/[\w./-]+_(?:test|fuzz)\b(?!\.)", words)}
sources = set(tree.select(".c", ".h", ".def", under=("lib/", "milter/", "t/")))
rules.rule("Makefile.am names every source", sorted(sources - makefile))
rules.rule("every source Makefile.am names is tracked", sorted(makefile - sources))

targets = {os.path.basename(f)[:-len("_fuzz.c")] for f in tree.select("_fuzz.c", under=("t/fuzz/",))}
corpora = {f.split("/")[3] for f in tree.select("", under=("t/fuzz/corpus/",))}
rules.rule("every fuzz target has a corpus, every corpus a target", sorted(targets ^ corpora))

rules.rule("t/run finds every test script", [
    f for f in tree.select(".t") if os.path.dirname(f) not in ("t/lint", "t/box", "t/real", "t/race")])


def wrong_mode(name):
    is_script = tree.bytes(name).startswith(b"#!")
    return is_script != bool(os.stat(tree.path(name)).st_mode & 0o100)


rules.rule("scripts, and nothing else, are executable", [
    f for f in tree.files if not f.startswith("t/fuzz/corpus/") and wrong_mode(f)])

rules.done()
