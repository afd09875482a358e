#!/usr/bin/python3
"""clang-format decides the layout of C. Rows of .def files are aligned by hand."""
import os
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree

tree = Tree()
rules = Rules()


def differs(name):
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", name], cwd=tree.root,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    return done.returncode != 0


rules.rule("laid out as `clang-format -i` does", [
    f for f in tree.select(".c", ".h") if differs(f)])
rules.done()
