#!/usr/bin/python3
"""etc/quickstart shows what it promises, and leaves nothing behind."""
import glob
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import BUILD, TOP
from postfix import send
from tap import Tap

tap = Tap()


def quickstart(*arguments):
    """In the build of the tests: one that somebody keeps running is not disturbed."""
    done = subprocess.run(
        [os.path.join(TOP, "etc", "quickstart"), *arguments],
        env={**os.environ, "GATEHOUSE_BUILD": BUILD},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=200,
        text=True,
    )
    if not tap.eq(done.returncode, 0, " ".join(("quickstart", *arguments))):
        tap.note(done.stdout)
    return done.stdout


def folders():
    return set(glob.glob("/run/gatehouse-quickstart.*"))


@tap.part
def once():
    before = folders()
    words = quickstart()
    for letter, reply in zip("abcde", ("250 2.0.0", "550 5.1.1", "550 5.1.0", "554 ", "452 4.5.3")):
        case = re.search(rf"^\({letter}\).*?(?=^\([a-z]\)|^quickstart:)", words, re.M | re.S)
        tap.ok(case and f"\n      {reply}" in case.group(), f"case {letter}: the client saw {reply}", words)
    tap.eq(folders(), before, "nothing is left")


@tap.part
def keep():
    before = folders()
    words = quickstart("--keep")
    conf = os.path.join(BUILD, "run", "gatehouse", "gatehouse.conf")
    port = int(re.search(r"mx +127\.0\.0\.1:(\d+)", words).group(1))
    tap.ok(send(port, "127.0.0.9", "bob@example.com", body="kept").startswith("250"), "mail can be sent")
    example = re.search(r"^    (\S+gatehousectl .*?[^\\])$", words, re.M | re.S).group(1)
    done = subprocess.run(
        ["sh", "-c", example], cwd=TOP, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    tap.ok("BLOCKED_LIST" in done.stdout, "the trace it proposes works", done.stdout)
    tap.ok(os.path.exists(conf), "its files are there")
    reload = re.search(r"^ +(etc/postfix-instance reload .*)$", words, re.M).group(1)
    tap.eq(subprocess.run(reload.split(), cwd=TOP, check=False).returncode, 0, "so does the reload of mx")
    quickstart("--keep")
    tap.eq(len(folders() - before), 1, "a second one takes the place of the first")
    quickstart("--stop")
    tap.eq(folders(), before, "nothing is left after --stop")
    quickstart("--stop")


tap.done()
