#!/usr/bin/python3
"""Manual pages: mandoc has nothing to say about them, and their list is whole."""
import os
import re
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from source_tree import Rules, Tree

tree = Tree()
rules = Rules()
pages = tree.select(".1", ".5", ".7", ".8", under=("etc/",))
FOREIGN = {"postmap.1"}
titles = {os.path.basename(page) for page in pages}


def complaints(page):
    """Of -T lint, but for pages that are ours or belong to an MTA that is not installed."""
    done = subprocess.run(["mandoc", "-T", "lint", page], cwd=tree.root, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        unknown = re.search(r"referenced manual not found: Xr (\S+) (\d)", line)
        if not unknown or "%s.%s" % unknown.groups() not in titles | FOREIGN:
            yield line


rules.rule("there are pages", [] if pages else ["none in etc/"])
rules.rule("mandoc -T lint is silent", [line for page in pages for line in complaints(page)])
rules.rule("a page is installed", [
    page for page in pages if page not in tree.text("Makefile.am")])
rules.rule("a program has a page", [
    program for program in re.findall(r"(?m)^sbin_PROGRAMS \+= milter/(\S+)", tree.text("Makefile.am"))
    if program + ".8" not in titles])
rules.done()
