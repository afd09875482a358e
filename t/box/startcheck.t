#!/usr/bin/python3
"""What this host lacks for a start: `check` and `gatehoused -f` say the same lines, each at its key,
and fail alike; nothing is made, and a running daemon is no trouble."""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, CTL, DAEMON, USER, House, free_port
from tap import Tap

tap = Tap()
GOOD = "[dns]\nhost_lookup = off\n[listener in]\nrat = rat\n"
RAT = {"rat": "example.com ACCEPT\n"}
LONG = "x" * 120


def errors(text):
    return [line for line in text.splitlines() if ": warning: " not in line]


def tree(it):
    """All there is, with owners, modes and times of change: whatever is made or taken away shows."""
    found = {}
    for folder, _folders, names in os.walk(it.folder):
        for name in [".", *names]:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
    return found


def plain(name):
    return lambda it: it.write(name, "precious")


def mode(name, bits):
    return lambda it: os.chmod(os.path.join(it.folder, name), bits)


def folder(name, bits=0o755, owner=None):
    def make(it):
        path = os.path.join(it.folder, name)
        os.mkdir(path)
        os.chmod(path, bits)
        if AS_ROOT:
            os.chown(path, *([owner, owner] if owner is not None else pwd.getpwnam(USER)[2:4]))
    return make


def link(name, to):
    return lambda it: os.symlink(to, os.path.join(it.folder, name))


# What is done in the folder, settings, the key it is about, words of the line.
CASES = [
    ("no such group of the socket", None, {"socket_group": "nosuchgroup"}, "socket_group", 'no group "nosuchgroup"'),
    ("no such control group", None, {"control_group": "nosuchgroup"}, "control_group", 'no group "nosuchgroup"'),
    ("IPv6 address with inet", None, {"socket": "inet:8899@::1"}, "socket", "inet6:8899@::1"),
    ("IPv6 address in brackets with inet", None, {"socket": "inet:8899@[::1]"}, "socket", "inet6:8899@::1"),
    ("IPv4 address with inet6", None, {"socket": "inet6:8899@127.0.0.1"}, "socket", "inet:8899@127.0.0.1"),
    ("port 0", None, {"socket": "inet:0@127.0.0.1"}, "socket", "allowed: unix:PATH"),
    ("port 65536", None, {"socket": "inet6:65536@::1"}, "socket", "allowed: unix:PATH"),
    ("port with a name", None, {"socket": "inet:smtp@127.0.0.1"}, "socket", "allowed: unix:PATH"),
    ("no host", None, {"socket": "inet:8899"}, "socket", "allowed: unix:PATH"),
    ("an empty host", None, {"socket": "inet:8899@"}, "socket", "allowed: unix:PATH"),
    ("half a bracket", None, {"socket": "inet6:8899@[::1"}, "socket", "allowed: unix:PATH"),
    ("a name in brackets", None, {"socket": "inet:8899@[localhost]"}, "socket", "allowed: unix:PATH"),
    ("no form at all", None, {"socket": "/run/milter.sock"}, "socket", "allowed: unix:PATH"),
    ("a host that is none", None, {"socket": "inet:8899@no.such.host.invalid"}, "socket", "no.such.host.invalid"),
    ("an address of another host", None, {"socket": "inet:8899@192.0.2.1"}, "socket",
     "cannot listen on inet:8899@192.0.2.1: Cannot assign"),
    ("an IPv6 address of another host", None, {"socket": "inet6:8899@2001:db8::1"}, "socket",
     "cannot listen on inet6:8899@2001:db8::1: "),
    ("path too long", None, {"socket": "unix:run/" + LONG}, "socket", "allowed: at most 107"),
    ("folder missing", None, {"socket": "unix:gone/milter.sock"}, "socket", "/gone: No such file"),
    ("folder is a file", None, {"socket": "unix:rat/milter.sock"}, "socket", "/rat is not a folder"),
    ("folder for everybody", folder("open", 0o777), {"socket": "unix:open/milter.sock"}, "socket",
     "/open is writable by others"),
    ("sticky folder for everybody", folder("open", 0o1777), {"socket": "unix:open/milter.sock"}, "socket",
     "/open is writable by others"),
    ("a file in the socket's place", plain("run/milter.sock"), {}, "socket", "/run/milter.sock exists and is not a socket"),
    ("a folder in the socket's place", folder("run/milter.sock"), {}, "socket", "exists and is not a socket"),
    ("a link in the socket's place", link("run/milter.sock", "/nowhere"), {}, "socket", "exists and is not a socket"),
    ("control socket: path too long", None, {"control_socket": "run/" + LONG}, "control_socket", "allowed: at most 107"),
    ("control socket: folder missing", None, {"control_socket": "gone/c"}, "control_socket", "/gone: No such file"),
    ("control socket: folder for everybody", folder("open", 0o777), {"control_socket": "open/c"}, "control_socket",
     "/open is writable by others"),
    ("control socket: a file in its place", plain("run/control.sock"), {}, "control_socket", "exists and is not a socket"),
    ("state_dir: parent missing", None, {"state_dir": "gone/state"}, "state_dir", "/gone/state: No such file"),
    ("state_dir: parent is a file", None, {"state_dir": "rat/state"}, "state_dir", "/rat/state: Not a directory"),
    ("state_dir: parent for everybody", folder("open", 0o777), {"state_dir": "open/state"}, "state_dir",
     "/open around it is writable by others"),
    ("state_dir is a file", plain("state"), {"state_dir": "state"}, "state_dir", "/state is not a folder"),
    ("state_dir for the group", folder("state", 0o750), {"state_dir": "state"}, "state_dir", "allowed: mode 0700"),
    ("state_dir is a link to nowhere", link("state", "/nowhere"), {"state_dir": "state"}, "state_dir", "No such file"),
    ("log: folder missing", None, {"log": "file:gone/log"}, "log", "cannot open log file"),
    ("log is a folder", folder("log"), {"log": "file:log"}, "log", "Is a directory"),
    ("log for nobody", plain("run/log"), {"log": "file:run/log/more"}, "log", "Not a directory"),
]
ROOT_CASES = [
    ("no such user", None, {"user": "nosuchuser"}, "user", 'no user "nosuchuser"'),
    ("root", None, {"user": "root"}, "user", "allowed: any user but root"),
    ("no user", None, {"user": ""}, "user", "is empty"),
    ("log: not for the daemon's user", folder("logs", 0o755, 0), {"log": "file:logs/log"}, "log", "Permission denied"),
    ("socket folder closed to the daemon's user", folder("shut", 0o700, 0), {"socket": "unix:shut/milter.sock"},
     "socket", "may not enter the folder"),
    ("state_dir of somebody else", folder("state", 0o700, 1), {"state_dir": "state"}, "state_dir", "belongs to user 1;"),
    ("RAT not for the daemon's user", mode("rat", 0o600), {}, None, "[listener in] rat: "),
    ("configuration not for the daemon's user", mode("gatehouse.conf", 0o600), {}, None, "gatehouse.conf: Permission denied"),
]
NOT_ROOT_CASES = [
    ("folder of somebody else", folder("shut", 0o555), {"socket": "unix:shut/milter.sock"}, "socket",
     "cannot make a socket in the folder"),
    ("state_dir: parent of somebody else", folder("shut", 0o555), {"state_dir": "shut/state"}, "state_dir",
     "cannot make the folder"),
    ("group that is not ours", None, {"socket_group": "daemon"}, "socket", "cannot give"),
    ("port of the system", None, {"socket": "inet:25@127.0.0.1"}, "socket", "Permission denied"),
    ("log that is not ours", mode("locked", 0o444), {"log": "file:locked"}, "log", "Permission denied"),
    ("RAT that is not ours", mode("rat", 0), {}, None, "[listener in] rat: "),
]


class Programs:
    """The programs where everybody gets at them, to be run as USER or as who we are."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gatehouse-")
        os.chmod(self.folder, 0o755)
        self.daemon, self.ctl = (shutil.copy(program, self.folder) for program in (DAEMON, CTL))

    def run(self, program, it, *more, drop=False):
        entry = pwd.getpwnam(USER)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []} if drop and AS_ROOT else {}
        done = subprocess.run([program, "-c", it.path, *more], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, timeout=120, cwd="/", **who)
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "backslashreplace")


programs = Programs()


class Broken(House):
    def __init__(self, settings=None, prepare=None, ours=False):
        super().__init__(GOOD, {**RAT, "locked": ""}, settings, start=False)
        if prepare:
            prepare(self)
        if ours and AS_ROOT:  # all of it is of USER, who starts it
            for path in tree(self):
                os.chown(path, *pwd.getpwnam(USER)[2:4], follow_symlinks=False)

    def line(self, key):
        return 2 + list(self.settings).index(key)


def fails_alike(name, settings, prepare, key, words, drop):
    it = Broken(settings, prepare, ours=drop)
    before = tree(it)
    checked, said = programs.run(programs.ctl, it, "check", drop=drop)
    tap.eq(tree(it), before, f"{name}: check changes nothing")
    status, told = programs.run(programs.daemon, it, "-f", drop=drop)
    tap.ok(checked == 1 and status in (1, 78), f"{name}: both fail", f"{checked} {said}\n{status} {told}")
    tap.eq(errors(said), errors(told), f"{name}: both say the same")
    wanted = f"{it.path}:{it.line(key)}: [gatehouse] {key}: " if key else ""
    tap.ok(len(errors(said)) == 1 and errors(said)[0].startswith(wanted) and words in said,
           f"{name}: a line at {key or 'its place'}, and no other", said)
    it.remove()


@tap.part
def broken():
    for name, prepare, settings, key, words in CASES + (ROOT_CASES if AS_ROOT else []):
        fails_alike(name, settings, prepare, key, words, False)


@tap.part
def broken_for_others_than_root():
    for name, prepare, settings, key, words in CASES + NOT_ROOT_CASES:
        fails_alike("not root, " + name, settings, prepare, key, words, True)


@tap.part
def all_at_once():
    settings = {"socket": "unix:gone/s", "socket_group": "nosuchgroup", "control_socket": "lost/c",
                "control_group": "nosuchcontrol", "state_dir": "away/state", "log": "file:far/log"}
    it = Broken({**settings, **({"user": "nosuchuser"} if AS_ROOT else {})})
    it.configure(GOOD.replace("rat = rat", "rat = nowhere") + "colour = red\n")
    checked, said = programs.run(programs.ctl, it, "check")
    status, told = programs.run(programs.daemon, it, "-f")
    tap.eq((checked, status, errors(said)), (1, 78, errors(told)), "many mistakes: both say the same")
    wanted = [f"[gatehouse] {key}: " for key in settings if key != "state_dir" or not AS_ROOT]
    for words in [*wanted, "[listener in] rat: ", "[listener in] colour: "]:
        tap.eq(sum(words in line for line in errors(said)), 1, f"many mistakes: {words}")
    it.remove()


@tap.part
def defaults():
    """Sockets and folders that nobody asked for are a convenience; the user is not."""
    it = Broken()
    for key in ("control_socket", "state_dir", *(["user"] if AS_ROOT else [])):
        del it.settings[key]
    it.configure(GOOD)
    lacks = [key for key, path in (("control_socket", "/run/gatehouse"), ("state_dir", "/var/lib"))
             if not os.access(path, os.W_OK)]
    status, said = programs.run(programs.ctl, it, "check")
    there = not AS_ROOT or any(entry.pw_name == "gatehouse" for entry in pwd.getpwall())
    tap.eq((status, "[gatehouse] user: there is no user" in said), (0, False) if there else (1, True),
           "the user there is by default")
    for key in lacks:
        tap.ok(f": warning: [gatehouse] {key}: " in said, f"a warning of {key}", said)
    it.remove()


@tap.part
def while_it_runs():
    """Nothing is wrong with what the running daemon has taken."""
    for at in ("unix", "inet", "inet6"):
        with House(GOOD, RAT, at=at) as it:
            for drop in (False, True):
                tap.eq(programs.run(programs.ctl, it, "check", drop=drop), (0, f"{it.path}: good\n"),
                       f"{at}: check beside the daemon, {'as its user' if drop else 'as who started it'}")
            with it.session() as mta:
                tap.eq(mta.mail("<a@b.test>").line, "continue", f"{at}: the daemon serves on")


@tap.part
def somebody_else_listens():
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        it = Broken({"socket": f"inet:{port}@127.0.0.1"})
        status, said = programs.run(programs.ctl, it, "check")
        tap.ok(status == 0 and f"warning: [gatehouse] socket: another program is listening on inet:{port}@" in said,
               "check cannot tell whose it is", said)
        status, told = programs.run(programs.daemon, it, "-f")
        tap.ok(status == 1 and "Address already in use" in told, "a daemon does not start there", told)
        it.remove()
    it = Broken()
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(os.path.join(it.run, "milter.sock"))
        taken.listen()
        status, said = programs.run(programs.ctl, it, "check")
        tap.ok(status == 0 and "warning: [gatehouse] socket: another program is listening on unix:" in said,
               "check cannot tell whose it is", said)
        status, told = programs.run(programs.daemon, it, "-f")
        tap.ok(status == 1 and "another program is listening on /" in told, "a daemon does not start there", told)
    status, said = programs.run(programs.ctl, it, "check")
    tap.eq((status, said), (0, f"{it.path}: good\n"), "a socket that nobody listens on is no trouble")
    tap.ok(it.has_socket(), "... and still there")
    it.remove()


@tap.part
def by_a_stranger():
    """Who is neither root nor the daemon's user cannot tell what that one may do."""
    if not AS_ROOT:
        tap.note("nobody else to be")
        return
    it = Broken({"user": "daemon"})
    os.chown(it.run, *pwd.getpwnam("daemon")[2:4])
    status, said = programs.run(programs.ctl, it, "check", drop=True)
    tap.eq((status, said), (0, f"{it.path}: good\n"), "a stranger finds nothing wrong")
    it.configure(GOOD, user="nosuchuser", socket="unix:run/nobody.sock")
    os.chown(it.run, *pwd.getpwnam(USER)[2:4])
    status, said = programs.run(programs.ctl, it, "check", drop=True)
    tap.ok(status == 0 and 'warning: [gatehouse] user: there is no user "nosuchuser"' in said,
           "a user that only root needs is told", said)
    it.configure(GOOD, user=USER)
    os.chown(it.run, 0, 0)
    status, said = programs.run(programs.ctl, it, "check")
    tap.ok(status == 0 and "warning: [gatehouse] socket: the daemon's user may not write in the folder" in said,
           "a folder that only root can make a socket in is told", said)
    it.remove()


@tap.part
def two_addresses():
    """The name of a socket is looked up once: where it listens is where it connects to itself."""
    with House(GOOD, RAT, {"socket": f"inet:{free_port()}@localhost"}, start=False) as it:
        it.start()
        it.address = ("127.0.0.1", int(it.settings["socket"][5:-10]))
        with it.session() as mta:
            tap.eq(mta.mail("<a@b.test>").line, "continue", "a socket at a name")


shutil.rmtree(programs.folder)
tap.done()
