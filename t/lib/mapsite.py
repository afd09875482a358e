"""A Gatehouse with [maps], for tests of reloads: its maps are written from OLD, by a compiler that can be
told to misbehave; NEW are files of which all differ.

    with Site() as it:
        it.change()                     # the files are NEW
        it.touch("evil-stage")          # see COMPILER
        it.ctl("reload")
        untouched(tap, it, "a compiler that fails")
"""

import contextlib
import json
import os
import subprocess

from house import CTL, House, wait_until

YES, NO, USAGE, UNREACHABLE = 0, 1, 2, 3
CONF = """[dns]
host_lookup = off
servers = 127.0.0.1:9
timeout = 100ms
tries = 1
[group PARTNERS]
senders_file = partners
policy = RELAYED
[listener in]
rat = rat
groups = PARTNERS
[routes]
file = routes
[maps]
mta = postfix
output = maps
compiler = postmap
reload_program = told
"""
OLD = {"rat": "a.example ACCEPT\n", "routes": "a.example: [203.0.113.1]\n", "partners": "198.51.100.7\n"}
NEW = {"rat": "b.example ACCEPT\n", "routes": "b.example: [203.0.113.2]\n", "partners": "198.51.100.8\n"}

# In the place of postmap(1) of an lmdb. What files beside it say it does wrong: evil-stage with
# maps that are made beside the old ones, evil-place with those in place, evil-back with the second
# of these; hang-... stands still until that file is gone, which at-... says.
COMPILER = r"""#!/bin/sh
here=${0%/*}
list=no; [ "$1" = -s ] && { list=yes; shift; }
file=${1#*:}; map=$file.${1%%:*}
[ $list = yes ] && exec cat "$map"
case ${file##*/} in .*) when=stage;; *) when=place; [ -e $here/placed ] && when=back; : > $here/placed;; esac
echo "$when ${file##*/}" >> $here/calls
if [ -e $here/hang-$when ]; then echo $$ > $here/at-$when; while [ -e $here/hang-$when ]; do sleep 0.02; done; fi
[ -e $here/evil-$when ] && { echo "fatal: $when" >&2; exit 1; }
grep -v '^#' "$file" > "$map.tmp"
mv "$map.tmp" "$map"
"""
TOLD = '#!/bin/sh\n[ -e ${0%/*}/deaf ] && { echo deaf >&2; exit 1; }\necho "$*" >> ${0%/*}/heard\n'


class Site(House):
    """With maps that are written already, from OLD."""

    def __init__(self, conf=CONF, files=None, **more):
        super().__init__(conf, {**OLD, "postmap": COMPILER, "told": TOLD, **(files or {})}, **more, start=False)
        for name in ("postmap", "told"):
            os.chmod(self.at(name), 0o755)
        code, _out, err = self.ctl("maps")
        assert code == YES, err
        self.forget()
        self.start()
        self.before = self.maps()

    def at(self, name):
        return os.path.join(self.folder, name)

    def touch(self, *names):
        for name in names:
            self.write(name, "")

    def remove_files(self, *names):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.at(name))

    def forget(self):
        self.remove_files("calls", "placed", "heard", "at-stage", "at-place", "at-back")

    def heard(self):
        """What the MTA was told."""
        try:
            with open(self.at("heard"), encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def maps(self):
        """All files of the folder, hidden ones, too."""
        held = {}
        for name in sorted(os.listdir(self.at("maps"))):
            with open(self.at("maps/" + name), encoding="utf-8") as file:
                held[name] = file.read()
        return held

    def change(self, files=None):
        for name, text in (files or NEW).items():
            self.write(name, text)

    def says(self):
        code, out, err = self.ctl("status", "--json")
        assert code == YES, err
        return json.loads(out)

    def decides(self):
        """(which of a.example, b.example is ours, which of .7, .8 may relay)"""
        got = []
        for address in ("<u@a.example>", "<u@b.example>"):
            with self.session("192.0.2.99") as mta:
                mta.mail("<s@x.test>")
                got.append(mta.rcpt(address).line == "continue")
        for ip in ("198.51.100.7", "198.51.100.8"):
            with self.session(ip) as mta:
                mta.mail("<s@x.test>")
                got.append(mta.rcpt("<u@elsewhere.test>").line == "continue")
        return got

    def mapped(self):
        """The same by the maps."""
        maps = self.maps()
        return [name in maps["relay_domains.lmdb"] for name in ("a.example", "b.example")] + [
            name in maps["relay_clients.in"] for name in ("198.51.100.7", "198.51.100.8")]

    def begin(self):
        return subprocess.Popen([CTL, "-c", self.path, "reload"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def agrees(self, tap, wanted, what):
        tap.eq((self.decides(), self.mapped()), (wanted, wanted), f"{what}: decision and maps agree")


IS_OLD, IS_NEW = [True, False, True, False], [False, True, False, True]


def untouched(tap, it, what):
    it.agrees(tap, IS_OLD, what)
    tap.eq(it.maps(), it.before, f"{what}: maps are as they were, and nothing beside them")
    it.remove_files("evil-stage", "evil-place", "evil-back", "hang-stage", "hang-place", "hang-back")
    it.forget()


def goes_on(tap, it, what):
    """After whatever it was, a reload that does all of it."""
    code, out, err = it.ctl("reload")
    tap.eq((code, err), (YES, ""), f"{what}: the next reload goes well")
    it.agrees(tap, IS_NEW, f"{what}, then reloaded")
    tap.eq([name for name in it.maps() if name[0] == "."], [], f"{what}, then reloaded: nothing is left over")
    told = it.says()
    tap.eq((told["maps"], told["maps_not_the_same"], told["reload_errors"], told["reload"]), ("same", [], [], None),
           f"{what}, then reloaded: status has nothing to say")
    return out


def stopped_at(it, when):
    """A reload that stands still there."""
    it.change()
    it.touch(f"hang-{when}")
    tool = it.begin()
    wait_until(lambda: os.path.exists(it.at(f"at-{when}")) and os.path.getsize(it.at(f"at-{when}")), f"the compiler, {when}")
    return tool


def compiler_ends(it, when):
    """It does not outlive the tool that waited for it, though it stands still."""
    with open(it.at(f"at-{when}"), encoding="ascii") as file:
        number = file.read().strip()
    return wait_until(lambda: not os.path.exists(f"/proc/{number}"), "the end of the compiler")


def end_of(tool):
    out, err = tool.communicate(timeout=60)
    return tool.returncode, out.decode(), err.decode()
