#!/usr/bin/python3
"""One reload: configuration and maps change together or not at all, whoever dies on the way."""
import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, CTL, House, wait_until
from tap import Tap

tap = Tap()
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
if [ -e $here/hang-$when ]; then : > $here/at-$when; while [ -e $here/hang-$when ]; do sleep 0.02; done; fi
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

    def agrees(self, wanted, what):
        tap.eq((self.decides(), self.mapped()), (wanted, wanted), f"{what}: decision and maps agree")


IS_OLD, IS_NEW = [True, False, True, False], [False, True, False, True]


def untouched(it, what):
    it.agrees(IS_OLD, what)
    tap.eq(it.maps(), it.before, f"{what}: maps are as they were, and nothing beside them")
    it.remove_files("evil-stage", "evil-place", "evil-back", "hang-stage", "hang-place", "hang-back")
    it.forget()


def goes_on(it, what):
    """After whatever it was, a reload that does all of it."""
    code, out, err = it.ctl("reload")
    tap.eq((code, err), (YES, ""), f"{what}: the next reload goes well")
    it.agrees(IS_NEW, f"{what}, then reloaded")
    tap.eq([name for name in it.maps() if name[0] == "."], [], f"{what}, then reloaded: nothing is left over")
    told = it.says()
    tap.eq((told["maps"], told["maps_not_the_same"], told["reload_errors"], told["reload"]), ("same", [], [], None),
           f"{what}, then reloaded: status has nothing to say")
    return out


@tap.part
def all_goes_well():
    with Site() as it:
        tap.eq(it.says()["maps"], "same", "status: maps are the same")
        it.agrees(IS_OLD, "at first")
        it.change()
        it.configure(CONF + "[policy P]\ntls_verify_client = yes\n", max_counters=2000)
        out = goes_on(it, "good")
        for words in ("tls_verify_client", "[gatehouse] max_counters: ", "the new configuration is in force\n",
                      "transport: written\n", "transport: compiled and read back\n", "relay_clients.in: written\n",
                      "told: reloaded\n"):
            tap.ok(words in out, f"it says: {words.strip()}", out)
        tap.eq(it.heard(), ["reload"], "client files changed: the MTA is told, once")
        it.forget()
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "all maps are right already\n" in out and not it.heard(), "nothing changed", out)
        it.change({"routes": "b.example: [203.0.113.3]\n"})
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, []), "a route only: the MTA sees it by itself")
        it.configure(CONF.replace("reload_program", "reload = no\nreload_program"))
        it.change(OLD)
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "Postfix must be reloaded" in out and not it.heard(), "reload = no: it is only said", out)
        it.configure(CONF.partition("[maps]")[0])
        it.change(NEW)
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and out.count("[maps]") == 1 and it.mapped() == IS_OLD and it.decides() == IS_NEW,
               "without [maps]: the configuration alone, and one line says so", out)
        tap.eq((it.says()["maps"], "maps_differ" in it.ctl("stats", "--prometheus")[1]), (None, False),
               "... status knows of no maps")


@tap.part
def what_maps_takes_from_the_section():
    with Site() as it:
        it.change()
        tap.eq(it.ctl("maps", "--check")[0], NO, "maps --check, no flag: they differ")
        tap.eq((it.ctl("maps", "--no-reload")[0], it.heard(), it.mapped()), (YES, [], IS_NEW), "maps --no-reload")
        it.change(OLD)
        tap.eq((it.ctl("maps")[0], it.heard(), it.mapped()), (YES, ["reload"], IS_OLD), "maps")
        it.change()
        tap.eq((it.ctl("maps", "--output", it.at("other"))[0], it.mapped(), os.path.exists(it.at("other/transport.lmdb"))),
               (YES, IS_OLD, True), "maps --output wins")
        tap.eq(it.ctl("maps", "--mta", "sendmail")[0], USAGE, "maps of the other MTA: where is not known")
        it.configure(CONF.partition("[maps]")[0])
        tap.eq([it.ctl("maps", *words)[0] for words in ([], ["--mta", "postfix"], ["--output", "x"])], [USAGE] * 3,
               "no section: both have to be said")


@tap.part
def a_signal():
    """It reloads the daemon alone, and says where maps differ."""
    with Site() as it:
        it.change()
        it.send_signal(signal.SIGHUP)
        wait_until(lambda: it.says()["generation"] == 2, "the reload")
        line = wait_until(lambda: [x for x in it.find_log(event="reload") if "in force" in x["detail"]], "its line")[-1]
        tap.ok("maps differ: transport: differs, relay_domains: differs, relay_clients.in: differs" in line["detail"],
               "the line says which maps differ", line)
        told = it.says()
        tap.eq((told["maps"], told["maps_not_the_same"]),
               ("differ", ["transport: differs", "relay_domains: differs", "relay_clients.in: differs"]), "and so does status")
        tap.ok("\ngatehouse_maps_differ 1\n" in it.ctl("stats", "--prometheus")[1], "... and stats")
        tap.eq((it.decides(), it.mapped()), (IS_NEW, IS_OLD), "... which is true")
        tap.eq(it.ctl("maps")[0], YES, "maps are written")
        tap.eq(it.says()["maps"], "same", "status sees it by itself")
        tap.ok("\ngatehouse_maps_differ 0\n" in it.ctl("stats", "--prometheus")[1], "... and stats")
        os.unlink(it.at("maps/transport.lmdb"))
        tap.eq(it.says()["maps_not_the_same"], ["transport: the compiled map is missing"], "a compiled map is gone")
        it.write("maps/transport.lmdb", "")
        os.utime(it.at("maps/transport.lmdb"), (1, 1))
        tap.eq(it.says()["maps_not_the_same"], ["transport: the compiled map is older than its text"], "... is old")
        it.ctl("maps")
        it.write("maps/relay_clients.in", it.maps()["relay_clients.in"] + "0.0.0.0/0\tOK\n")
        tap.eq(it.says()["maps_not_the_same"], ["relay_clients.in: differs"], "somebody's own line")
        it.ctl("maps")
        os.chmod(it.at("maps"), 0)
        told = it.says()
        tap.eq(told["maps"], "cannot tell", "a folder that the daemon may not enter: cannot tell")
        tap.ok(told["maps_not_the_same"] and all(line.endswith("cannot tell: Permission denied")
                                                 for line in told["maps_not_the_same"]), "... with the reason", told)
        tap.ok("maps_differ" not in it.ctl("stats", "--prometheus")[1], "... stats do not make it up")
        os.chmod(it.at("maps"), 0o755)
        it.write("password", "secret\n")
        os.chmod(it.at("password"), 0o600)
        if AS_ROOT:
            os.chown(it.at("password"), 0, 0)
        it.configure(CONF + "[auth x]\nuser = me\npassword_file = password\n")
        it.change({"routes": "b.example: [203.0.113.2] auth=x\n"})
        code, out, err = it.ctl("reload")
        told = it.says()
        tap.eq((code, err, told["maps"], told["maps_not_the_same"]),
               (YES, "", "cannot tell", ["sasl_passwd: cannot tell: it holds passwords"]), "passwords: cannot tell")
        tap.ok("me:secret" in it.maps()["sasl_passwd"] and "secret" not in out + err + "".join(it.lines), "... which nobody says")
        it.stop()
        it.change({"routes": OLD["routes"]})
        it.start()
        it.wait_log(event="maps", level="warning", optional=True, patience=5)
        tap.ok(it.find_log(event="maps"), "a start says it, too", it.lines)


@tap.part
def refused_by_the_daemon():
    """What was in force before stays, in both, and all reasons are told."""
    cases = (
        ("two mistakes", {"rat": "b.example MAYBE\n", "routes": "b.example\n"}, CONF, ["rat:1", "routes:1"]),
        ("an open relay", {"rat": "ALL ACCEPT\n"}, CONF, ["ALL ACCEPT", "open relay"]),
        ("credentials that nobody has", {"routes": "b.example: [203.0.113.2] auth=x\n"}, CONF, ["[auth x]"]),
        ("a table without entries", {"partners": "# none\n"}, CONF, ["no entry any more"]),
        ("an unknown MTA", {}, CONF.replace("mta = postfix", "mta = exim"), ["[maps] mta", "postfix or sendmail"]),
        ("no MTA", {}, CONF.replace("mta = postfix\n", ""), ["[maps] mta"]),
    )
    for what, files, conf, words in cases:
        with Site() as it:
            it.change({**NEW, **files})
            it.configure(conf)
            code, out, err = it.ctl("reload")
            tap.ok((code, out) == (NO, "") and all(word in err for word in words) and
                   err.endswith("the running configuration stays\n"), f"{what}: refused, with the reasons", err)
            told = it.says()
            tap.ok(told["generation"] == 1 and all(word in str(told["reload_errors"]) for word in words),
                   f"{what}: status has them", told["reload_errors"])
            if what != "a table without entries":
                tap.eq(it.ctl("check")[0], YES if what == "an open relay" else NO, f"{what}: so says check")
            it.send_signal(signal.SIGHUP)
            it.wait_log(event="reload", detail="the running configuration stays", count=2)
            untouched(it, what)
            it.configure(CONF)
            it.change({"partners": NEW["partners"]} if "partners" in files else {})
            it.change()
            goes_on(it, what)
    with Site() as it:
        it.change({"rat": "ALL ACCEPT\n"})
        tap.eq(it.ctl("reload", "--force")[0], YES, "an open relay that is meant")
        tap.ok("*" in it.maps()["relay_domains"] or it.decides()[:2] == [True, True], "... is one", it.maps())


@tap.part
def refused_by_the_tool():
    """What goes wrong with the maps leaves the configuration as it was."""
    def a_password():
        it.configure(CONF + "[auth x]\nuser = me\npassword_file = password\n")
        it.write("password", "a\nb\n")
        it.change({"routes": "b.example: [203.0.113.2] auth=x\n"})

    def no_folder():
        it.write("file", "")
        it.configure(CONF.replace("output = maps", "output = file/maps"))

    def everybodys():
        os.chmod(it.at("maps"), 0o777)

    def somebody_writes():
        held.append(os.open(it.at("maps"), os.O_RDONLY))
        import fcntl
        fcntl.flock(held[-1], fcntl.LOCK_EX)

    cases = (
        ("the compiler fails", lambda: it.touch("evil-stage"), "fatal: stage"),
        ("the compiler fails in place", lambda: it.touch("evil-place"), "fatal: place"),
        ("there is no compiler", lambda: os.rename(it.at("postmap"), it.at("gone")), "cannot run the compiler"),
        ("there can be no folder", no_folder, "file/maps"),
        ("a folder for everybody", everybodys, "written by everybody"),
        ("another run", somebody_writes, "another run"),
    ) + ((("a password that is none", a_password, "password"),) if AS_ROOT else ())
    for what, prepare, words in cases:
        held = []
        with Site() as it:
            it.change()
            prepare()
            code, _out, err = it.ctl("reload")
            tap.ok(code == NO and words in err and err.endswith("the running configuration stays\n"),
                   f"{what}: refused, with the reason", err)
            told = it.says()
            tap.ok(told["generation"] == 1 and words in str(told["reload_errors"]) and told["reload"] is None,
                   f"{what}: status has it", told)
            for fd in held:
                os.close(fd)
            os.chmod(it.at("maps"), 0o755)
            untouched(it, what)
            it.configure(CONF)
            it.change()
            if os.path.exists(it.at("gone")):
                os.rename(it.at("gone"), it.at("postmap"))
            goes_on(it, what)
    with Site() as it:
        it.change()
        it.touch("evil-place", "evil-back")
        code, _out, err = it.ctl("reload")
        tap.ok(code == NO and "fatal: place" in err and "could not be put back" in err, "what cannot be put back is named", err)
        kept = [name for name in it.maps() if name.startswith(".")]
        tap.ok(kept and it.decides() == IS_OLD, "... its copy stays", kept)
        it.remove_files("evil-place", "evil-back")
        goes_on(it, "not put back")


@tap.part
def a_full_disk():
    """RLIMIT_FSIZE in its place: a write fails in the middle of a file."""
    with Site() as it:
        it.change({**NEW, "routes": "".join(f"r{n}.example: [203.0.113.2]\n" for n in range(1000))})

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

        done = subprocess.run([CTL, "-c", it.path, "reload"], preexec_fn=limit, capture_output=True, check=False)
        tap.ok(done.returncode == NO and b"File too large" in done.stderr, "the disk is full: refused", done)
        untouched(it, "a full disk")
        it.change()
        goes_on(it, "a full disk")


@tap.part
def the_mta_cannot_be_told():
    with Site() as it:
        it.change()
        it.touch("deaf")
        code, out, err = it.ctl("reload")
        tap.ok(code == NO and "in force" in err and "deaf" in err and "the new configuration is in force\n" in out,
               "exit 1, and what was done is said", out + err)
        it.agrees(IS_NEW, "the MTA is deaf")
        it.remove_files("deaf")
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, ["reload"]), "the next reload tells it, though no map changes")
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, ["reload"]), "... once")
        tap.eq([name for name in it.maps() if name[0] == "."], [], "... and nothing is left over")


def stopped_at(it, when):
    """A reload that stands still there."""
    it.change()
    it.touch(f"hang-{when}")
    tool = it.begin()
    wait_until(lambda: os.path.exists(it.at(f"at-{when}")), f"the compiler, {when}")
    return tool


def end_of(tool):
    out, err = tool.communicate(timeout=60)
    return tool.returncode, out.decode(), err.decode()


@tap.part
def one_at_a_time():
    with Site() as it:
        tool = stopped_at(it, "stage")
        tap.eq(it.says()["reload"], "under way", "status: a reload is under way")
        tap.eq(it.ctl("reload"), (NO, "", "reload under way\n"), "a second reload is refused")
        before = len(it.lines)
        it.send_signal(signal.SIGHUP)
        it.wait_log(after=before, event="reload", detail="reload under way")
        tap.ok(True, "a signal is refused, and the log says so")
        it.agrees(IS_OLD, "meanwhile")
        tap.eq((it.ctl("hat", "block", "192.0.2.9")[0], it.ctl("status")[0]), (YES, YES), "meanwhile all else goes on")
        it.remove_files("hang-stage")
        code, _out, err = end_of(tool)
        tap.eq((code, err), (YES, ""), "the first one goes well")
        it.agrees(IS_NEW, "one of two")


@tap.part
def edited_on_the_way():
    """What the daemon holds counts: maps of anything else are not written."""
    with Site() as it:
        tool = stopped_at(it, "stage")
        it.change({"rat": "c.example ACCEPT\n", "routes": "c.example: [203.0.113.3]\n", "partners": "198.51.100.9\n"})
        it.remove_files("hang-stage")
        tap.eq(end_of(tool)[0], YES, "edited after it was read")
        it.agrees(IS_NEW, "edited after it was read")
        it.ctl("reload")
        tap.eq(it.decides(), [False] * 4, "... and the next reload takes it")


@contextlib.contextmanager
def false_daemon(it, answers):
    """Listens in the daemon's place, which is frozen in another name; each request gets one of answers."""
    path, real = os.path.join(it.run, "control.sock"), os.path.join(it.run, "real.sock")
    os.rename(path, real)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    asked = []

    def serve():
        client, _ = listener.accept()
        with client:
            for answer in answers:
                asked.append(client.recv(8192).decode().rstrip("\n").split("\t")[1:])
                if answer is None:
                    return
                client.sendall(answer)
            asked.append(client.recv(8192).decode().rstrip("\n").split("\t")[1:])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
        thread.join(30)
    finally:
        listener.close()
        os.rename(real, path)


def reply(status, text):
    return f"gatehouse-1\t{status}\t{len(text)}\n{text}".encode()


def held_by(it):
    """What the real daemon answers to the first request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(30)
        client.connect(os.path.join(it.run, "control.sock"))
        client.sendall(b"gatehouse-1\treload\n")
        data = client.recv(65536)
        head, _, text = data.partition(b"\n")
        length = int(head.split(b"\t")[2])
        while len(text) < length:
            text += client.recv(65536)
    wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
    return text.decode()


@tap.part
def another_input():
    with Site() as it:
        it.change()
        held = held_by(it)
        tap.ok(it.says()["generation"] == 1 and "went away" in str(it.says()["reload_errors"]),
               "a client that leaves: its candidate is dropped, status says so", it.says()["reload_errors"])
        it.agrees(IS_OLD, "a client that left")
        tap.ok("b.example" not in held and "\nmap\ttransport\t" in held, "what the tool is told: sums, no rows", held)
        it.change({"routes": "b.example: [203.0.113.66]\n"})
        with false_daemon(it, [reply(0, held)]) as asked:
            code, _out, err = it.ctl("reload")
        tap.ok(code == NO and "transport would be another" in err and asked[1][0] == "reload-drop" and
               "transport" in asked[1][1], "files that are not what the daemon read: nothing is done", f"{err}{asked}")
        untouched(it, "other files")
        it.change()
        for what, answer, wanted, words in (
                ("says no", reply(1, "no reload is under way\n"), NO, "no reload is under way"),
                ("is gone", None, UNREACHABLE, "broke off"),
                ("talks nonsense", b"what?\n", UNREACHABLE, "no gatehoused of this version")):
            with false_daemon(it, [reply(0, held), answer]) as asked:
                code, out, err = it.ctl("reload")
            tap.ok((code, out) == (wanted, "") and words in err and "the maps are as they were\n" in err and
                   asked[1] == ["reload-take"], f"the daemon {what} when maps are in place: put back", f"{code} {err} {asked}")
            untouched(it, f"the daemon {what}")
        goes_on(it, "false daemons")
        for wrong in (b"reload-take\n", b"reload-drop\tx\n"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(os.path.join(it.run, "control.sock"))
                client.sendall(b"gatehouse-1\t" + wrong)
                tap.ok(client.recv(200).startswith(b"gatehouse-1\t2\t"), "nothing is held: no such request", wrong)


@tap.part
def the_tool_is_killed():
    with Site() as it:
        tool = stopped_at(it, "stage")
        tool.kill()
        tool.communicate()
        it.remove_files("hang-stage")
        wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
        tap.ok("went away" in str(it.says()["reload_errors"]), "killed while it compiles: status says so", it.says())
        it.agrees(IS_OLD, "killed while it compiles")
        it.forget()
        goes_on(it, "killed while it compiles")
    with Site() as it:
        tool = stopped_at(it, "place")
        tool.kill()
        tool.communicate()
        wait_until(lambda: it.says()["reload"] is None, "the candidate let go")
        told = it.says()
        tap.ok(told["maps"] == "differ" and it.decides() == IS_OLD, "killed while it changes maps: status says which", told)
        it.wait_log(event="maps", level="warning", optional=True, patience=1)
        tap.ok(it.find_log(event="maps"), "... and so does the log", it.lines[-5:])
        it.remove_files("hang-place")
        it.forget()
        goes_on(it, "killed while it changes maps")
    for when, wanted in (("stage", IS_OLD), ("place", IS_NEW)):
        with Site() as it:
            tool = stopped_at(it, when)
            tool.send_signal(signal.SIGTERM)
            if when == "stage":
                tap.eq(end_of(tool)[0], -signal.SIGTERM, "TERM while it compiles: it ends")
            it.remove_files(f"hang-{when}")
            if when == "place":
                end_of(tool)
            wait_until(lambda: it.says()["reload"] is None, "its end")
            it.agrees(wanted, f"TERM at {when}")
            it.forget()
            goes_on(it, f"TERM at {when}")


@tap.part
def the_daemon_is_killed():
    for how in ("kill", "stop"):
        for when in ("stage", "place"):
            with Site() as it:
                tool = stopped_at(it, when)
                getattr(it, how)()
                it.remove_files(f"hang-{when}")
                code, out, err = end_of(tool)
                tap.ok((code, out) == (UNREACHABLE, "") and "the maps are as they were" in err,
                       f"{how} at {when}: not reachable", f"{code} {out} {err}")
                tap.eq(it.maps(), it.before, f"{how} at {when}: maps are as they were")
                it.forget()
                it.change(OLD)
                it.start()
                it.agrees(IS_OLD, f"{how} at {when}, started with the old files")
                it.change()
                goes_on(it, f"{how} at {when}")
    with Site() as it:
        it.stop()
        tap.eq((it.ctl("reload")[0], it.maps()), (UNREACHABLE, it.before), "no daemon: nothing is written")


@tap.part
def first_time():
    """No maps yet: what fails leaves none."""
    with Site() as it:
        for name in it.maps():
            os.unlink(it.at("maps/" + name))
        it.change()
        it.touch("evil-place")
        tap.eq((it.ctl("reload")[0], it.maps()), (NO, {}), "none before, none after a failure")
        it.remove_files("evil-place")
        it.forget()
        goes_on(it, "first time")
        own = "c.example relay:[203.0.113.3]\n"
        it.write("maps/transport", own)
        it.change({"routes": "b.example: [203.0.113.9]\n"})
        it.touch("evil-place")
        it.forget()
        before = it.maps()
        tap.eq(it.ctl("reload")[0], NO, "somebody's own text, and a failure")
        tap.eq({**it.maps(), "transport.saved": ""}, {**before, "transport.saved": ""}, "... his text and its map are as they were")


@tap.part
def large_and_under_load():
    """200,000 routes while sessions ask: none waits."""
    with Site(gatehouse={"reload_guard": 0}) as it:
        it.change({**NEW, "routes": NEW["routes"] + "".join(f"r{n}.example: [203.0.113.2]\n" for n in range(200000))})
        tool, worst, answers = it.begin(), 0.0, 0
        with it.session("192.0.2.99") as mta:
            mta.mail("<s@x.test>")
            while tool.poll() is None:
                began = time.monotonic()
                answers += mta.rcpt("<u@c.example>").line.startswith("550")
                worst = max(worst, time.monotonic() - began)
        code, _out, err = end_of(tool)
        tap.note(f"{answers} answers, the slowest took {worst * 1000:.1f} ms")
        tap.ok(code == YES and answers > 0 and worst < 2, "answers go on during a large reload", f"{code} {worst} {err[-300:]}")
        it.agrees(IS_NEW, "large")
        tap.eq(it.says()["maps"], "same", "large: status sees that they are the same")


tap.done()
