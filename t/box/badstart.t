#!/usr/bin/python3
"""What must not start: words with a place, a status, and nothing left behind (SPEC 2, 15)."""
import os
import re
import socket
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, DAEMON, House, listener_pid, wait_until
from tap import Tap

tap = Tap()
GOOD = "[dns]\nhost_lookup = off\n[listener in]\nrat = rat\n"
RAT = {"rat": "example.com ACCEPT\n"}
HEAD = 5 if AS_ROOT else 4  # lines of [gatehouse] that House writes


def running(it):
    """Processes of this house's configuration."""
    found = subprocess.run(["pgrep", "-f", re.escape(it.path)], stdout=subprocess.PIPE, check=False)
    return found.stdout.split()


def gives_up(it, name, *wanted, more=("-f",), as_check=True):
    """Each of wanted must be a line, or the whole of a line as a pattern."""
    status, words = it.start_badly(*more)
    tap.ok(status == 78 if as_check else status in (1, 2, 78), f"{name}: exit status", f"{status}\n{words}")
    for want in wanted:
        tap.ok(re.search(want, words, re.M), f"{name}: says {want[:60]}", words)
    tap.ok(not it.has_socket(), f"{name}: no socket is left", os.listdir(it.run))
    tap.eq(running(it), [], f"{name}: nothing is left running")
    if as_check:
        checked, out, err = it.ctl("check")
        errors = [w for w in words.splitlines() if ": warning: " not in w]
        tap.eq((checked, [e for e in err.splitlines() if ": warning: " not in e]), (1, errors),
               f"{name}: `check` says the same")
    return words


def house(conf=GOOD, **more):
    return House(conf, more.pop("files", RAT), start=False, **more)


@tap.part
def one_mistake_each():
    at = r"gatehouse\.conf"
    for name, conf, wanted in (
        ("unknown section", GOOD + "[gate]\n", rf"{at}:{HEAD + 5}: \[gate\].*"),
        ("unknown key", GOOD + "colour = red\n", rf"{at}:{HEAD + 5}: \[listener in\] colour: .*"),
        ("key given twice", GOOD + "rat = rat\n", rf"{at}:{HEAD + 5}: \[listener in\] rat: .*"),
        ("bad number", GOOD + "max_connections = many\n", rf"{at}:{HEAD + 5}: \[listener in\] max_connections: .*many"),
        ("out of range", GOOD + "max_connections = 0\n", rf"{at}:{HEAD + 5}: \[listener in\] max_connections: .*1"),
        ("bad word", GOOD + "reject_at = data\n", rf"{at}:{HEAD + 5}: \[listener in\] reject_at: .*connect"),
        ("bad address", GOOD + "local_address = here\n", rf"{at}:{HEAD + 5}: \[listener in\] local_address: .*here"),
        ("dangling profile", GOOD + "callahead = hosts\n", rf"{at}:{HEAD + 5}: \[listener in\] callahead: .*hosts"),
        ("dangling policy", GOOD + "default_policy = GONE\n", rf"{at}:{HEAD + 5}: \[listener in\] default_policy: .*GONE"),
        ("dangling group", GOOD + "groups = A, B\n[group A]\n", rf"{at}:{HEAD + 5}: \[listener in\] groups: .*B\b"),
        ("continue at last", GOOD + "default_policy = continue\n", rf"{at}:{HEAD + 5}: \[listener in\] default_policy: "),
        ("missing RAT", GOOD.replace("rat = rat", "rat = nosuch"), rf"{at}:{HEAD + 4}: \[listener in\] rat: .*/nosuch"),
        ("RAT is a folder", GOOD.replace("rat = rat", "rat = run"), r"/run\b.*"),
        ("missing routes", GOOD + "[routes]\nfile = nosuch\n", rf"{at}:{HEAD + 6}: \[routes\] file: .*/nosuch"),
        ("missing senders", GOOD + "[group UNKNOWNLIST]\nsenders_file = nosuch\n",
         rf"{at}:{HEAD + 6}: \[group UNKNOWNLIST\] senders_file: .*/nosuch"),
        ("second fallback", GOOD + "[listener too]\nrat = rat\n", rf"{at}:{HEAD + 5}: \[listener too\]:? .*in"),
        ("no listener", "[dns]\n", rf"{at}.*listener"),
        ("no section", "x = 1\n[listener in]\n", rf"{at}:{HEAD + 1}: "),
        ("NUL byte", GOOD + "reject_at = co\0nnect\n", rf"{at}:{HEAD + 5}: "),
        ("status of another class", GOOD + "[policy X]\nreject_code = 450\nreject_text = 5.7.1 no\n",
         rf"{at}:{HEAD + 7}: \[policy X\] reject_text: .*5\.7\.1.*450"),
        ("no socket at all", GOOD, rf"{at}:2: \[gatehouse\] socket: .*nonsense"),
        ("time-out too long", GOOD + "callahead = c\n[callahead c]\ntimeout = 26s\n",
         rf"{at}:{HEAD + 7}: \[callahead c\] timeout: .*command_deadline"),
    ):
        more = {"gatehouse": {"socket": "nonsense"}} if name == "no socket at all" else {}
        it = house(conf, **more)
        gives_up(it, name, wanted)
        it.remove()


@tap.part
def missing_file():
    it = house()
    os.unlink(it.path)
    gives_up(it, "no configuration", r"gatehouse\.conf.*No such file")
    it.remove()


@tap.part
def bad_tables():
    it = house(files={"rat": "example.com ACCEPT\nnonsense\n@@ REJECT\nx.test REJECT 99 \"no\"\n"})
    gives_up(it, "bad RAT", r"/rat:2:\d+: ", r"/rat:3:\d+: ", r"/rat:4:\d+: ")
    it.remove()
    it = house(GOOD + "[routes]\nfile = routes\n[group UNKNOWNLIST]\nsenders = 192.0.2.300, 10.0.0.0/33\n",
               files={**RAT, "routes": "example.com host:99999\n.a host, \n"})
    gives_up(it, "bad routes and senders", r"/routes:1:\d+: ", rf"gatehouse\.conf:{HEAD + 8}.*192\.0\.2\.300",
             rf"gatehouse\.conf:{HEAD + 8}.*10\.0\.0\.0/33")
    it.remove()


@tap.part
def all_at_once():
    """Mistakes of the file, between its keys, in its tables: one run tells them all."""
    conf = """[dns]
host_lookup = sometimes
[policy X]
max_message_size = 1
reject_text = #4.7.1 no
[group BLOCKED_LIST]
policy = NOSUCH
senders = 999.1.2.3
[listener in]
colour = red
rat = rat
callahead = nosuch
[listener too]
rat = gone
local_address = x
[routes]
file = nowhere
[gate]
"""
    it = house(conf, files={"rat": "nonsense\n"}, gatehouse={"socket_mode": "999", "log": "paper"})
    at = HEAD + 2
    words = gives_up(it, "many mistakes",
                     r"\[gatehouse\] socket_mode", r"\[gatehouse\] log",
                     rf":{at + 2}: \[dns\] host_lookup", rf":{at + 4}: \[policy X\] max_message_size",
                     rf":{at + 5}: \[policy X\] reject_text", rf":{at + 7}: \[group BLOCKED_LIST\] policy",
                     rf":{at + 8}.*999\.1\.2\.3", rf":{at + 10}: \[listener in\] colour", r"/rat:1:\d+:",
                     rf":{at + 12}: \[listener in\] callahead", rf":{at + 14}: \[listener too\] rat.*gone",
                     rf":{at + 15}: \[listener too\] local_address", rf":{at + 17}: \[routes\] file.*nowhere",
                     rf":{at + 18}: \[gate\]")
    tap.eq(len(words.splitlines()), len(set(words.splitlines())), "many mistakes: each is told once")
    it.remove()


@tap.part
def shared_mistakes():
    """What two listeners use is wrong once; what nobody uses is looked at too."""
    conf = """[dns]
host_lookup = off
[group BLOCKED_LIST]
senders = 999.1.2.3
[callahead c]
timeout = 20m
failure_text = 2.0.0 good
[listener in]
daemon_name = a
rat = rat
callahead = c
[listener too]
rat = rat
callahead = c
[group UNUSED]
senders = 998.1.2.3
policy = NOSUCH
[callahead unused]
type = static
timeout = 10m
[routes]
file = routes
"""
    it = house(conf, files={"rat": "nonsense\n", "routes": "@ x\n"})
    words = gives_up(it, "shared mistakes", r"999\.1\.2\.3", r"\[callahead c\] timeout", r"\[callahead c\] failure_text",
                     r"/rat:1:", r"998\.1\.2\.3", r"\[group UNUSED\] policy", r"\[callahead unused\] timeout",
                     r"\[callahead unused\] servers", r"/routes:1:")
    told = words.splitlines()
    tap.eq(sorted(set(w for w in told if told.count(w) > 1)), [], "shared mistakes: each is told once")
    it.remove()


@tap.part
def sockets():
    with House(GOOD, RAT) as first:
        second = house(gatehouse={"socket": f"unix:{first.address}"})
        gives_up(second, "socket in use", r"gatehouse\.conf:2: \[gatehouse\] socket: .*milter\.sock", as_check=False)
        tap.eq(listener_pid(first.address), first.pid, "socket in use: the other daemon keeps it")
        second.configure(GOOD.replace("rat = rat", "rat = gone"))
        gives_up(second, "socket in use, other mistakes", r"\.conf:\d+: ", as_check=False)
        tap.eq(listener_pid(first.address), first.pid, "socket in use, other mistakes: the other daemon keeps it")
        with first.session() as mta:
            tap.eq(mta.mail("<a@b.test>").line, "continue", "socket in use: the other daemon serves")
        second.remove()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        it = house(gatehouse={"socket": f"inet:{port}@127.0.0.1"})
        gives_up(it, "port in use", rf"gatehouse\.conf:2: \[gatehouse\] socket: .*{port}.*[Aa]ddress already in use",
                 as_check=False)
        it.remove()
    for name, value, wanted in (
        ("folder missing", "unix:nowhere/milter.sock", r"socket: .*/nowhere.*No such file"),
        ("folder is a file", "unix:rat/milter.sock", r"socket: .*/rat\b.*(not a folder|Not a directory)"),
        ("path too long", "unix:run/" + "x" * 120, r"socket: .*bytes"),
        ("port is not a number", "inet:smtp@127.0.0.1", r"socket: .*inet:smtp"),
        ("port out of range", "inet:70000@127.0.0.1", r"socket: .*70000"),
        ("host is not an address", "inet:2525@no.such.host.invalid", r"socket: .*no\.such\.host"),
        ("not ours to listen on", "inet:2525@192.0.2.1", r"socket: .*192\.0\.2\.1"),
    ):
        it = house(gatehouse={"socket": value})
        gives_up(it, f"socket: {name}", r"gatehouse\.conf:2: \[gatehouse\] " + wanted, as_check=False)
        it.remove()
    it = house()
    os.chmod(it.run, 0o777)
    gives_up(it, "folder writable by others", r"gatehouse\.conf:2: \[gatehouse\] socket: .*/run.*writable by others",
             as_check=False)
    os.chmod(it.run, 0o755)
    with open(it.address, "w", encoding="ascii") as file:
        file.write("precious")
    gives_up(it, "a file in its place", r"gatehouse\.conf:2: \[gatehouse\] socket: .*milter\.sock.*", as_check=False)
    with open(it.address, encoding="ascii") as file:
        tap.eq(file.read(), "precious", "a file in its place: it is still there")
    it.remove()


@tap.part
def identity():
    if not AS_ROOT:
        tap.note("not started as root: [gatehouse] user is ignored")
        return
    for name, user, wanted in (
        ("unknown user", "nosuchuser", r"\[gatehouse\] user: .*nosuchuser"),
        ("root", "root", r"\[gatehouse\] user: .*root"),
        ("no user", "", r"\[gatehouse\] user: "),
    ):
        it = house(gatehouse={"user": user})
        gives_up(it, name, rf"gatehouse\.conf:3: {wanted}", as_check=False)
        it.remove()
    it = house(gatehouse={"socket_group": "nosuchgroup"})
    gives_up(it, "unknown group", rf"gatehouse\.conf:{HEAD + 1}: \[gatehouse\] socket_group: .*nosuchgroup", as_check=False)
    it.remove()
    # What only root may read: the daemon, which is not root any more, must say so.
    it = house()
    os.chmod(os.path.join(it.folder, "rat"), 0o600)
    gives_up(it, "unreadable RAT", rf"gatehouse\.conf:{HEAD + 4}: \[listener in\] rat: .*/rat.*Permission denied",
             as_check=False)
    it.remove()
    it = house(GOOD + "callahead = c\n[callahead c]\ntls = may\n[tls]\ncertificate = cert.pem\nkey = key.pem\n",
               files={**RAT, "cert.pem": "x", "key.pem": "x"})
    os.chmod(os.path.join(it.folder, "key.pem"), 0o600)
    gives_up(it, "unreadable key", r"\[tls\].*(/key\.pem|/cert\.pem)", as_check=False)
    it.remove()


@tap.part
def in_the_background():
    it = house(GOOD + "colour = red\n")
    gives_up(it, "background, unknown key", r"colour", more=("-c", it.path), as_check=False)
    it.configure(GOOD.replace("rat = rat", "rat = gone"))
    gives_up(it, "background, missing RAT", r"\[listener in\] rat: .*/gone", more=("-c", it.path), as_check=False)
    it.configure(GOOD)
    os.chmod(it.run, 0o777)
    gives_up(it, "background, bad folder", r"writable by others", more=("-c", it.path), as_check=False)
    os.chmod(it.run, 0o755)
    it.configure(GOOD, log="file:nowhere/log")
    gives_up(it, "background, no log", r"\[gatehouse\] log: .*/nowhere/log", more=("-c", it.path), as_check=False)
    it.configure(GOOD, log="file:run/log")
    status, words = it.start_badly("-c", it.path)
    tap.eq((status, words), (0, ""), "background: a good start is silent")
    pid = listener_pid(it.address)
    tap.ok(it.dial().negotiate().connect("192.0.2.1").line == "continue", "background: it serves once it returns")
    os.kill(pid, 15)
    wait_until(lambda: not running(it), "the daemon's end")
    with open(os.path.join(it.run, "log"), encoding="utf-8") as log:
        tap.ok("event=stop" in log.read(), "background: the log is where it should be")
    tap.ok(not it.has_socket(), "background: no socket is left")
    it.remove()


@tap.part
def without_standard_descriptors():
    """What the daemon opens first would take their place, and get what is written there."""
    for how in ([], ["-D"], ["-f"]):
        it = house(GOOD)
        it.configure(GOOD, log="file:run/log")
        # pylint: disable-next=consider-using-with
        started = subprocess.Popen(it.command(*how), preexec_fn=lambda: os.closerange(0, 3))
        wait_until(lambda: it.has_socket() and it.ctl("status")[0] == 0, "a start")
        name, pid = " ".join(how) or "background", listener_pid(it.address)
        tap.eq([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3,
               f"{name}, descriptors 0 to 2 closed: nothing else takes their place")
        tap.ok(it.dial().negotiate().connect("192.0.2.1").line == "continue", f"{name}: ... it serves")
        os.kill(pid, 15)
        tap.eq(started.wait(), 0, f"{name}: ... status 0")
        wait_until(lambda it=it: not running(it), "the daemon's end")
        it.remove()


@tap.part
def usage():
    for arguments in (["-x"], ["-f", "more"], ["-c"]):
        done = subprocess.run([DAEMON, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        tap.eq((done.returncode, b"usage: gatehoused" in done.stderr), (2, True), f"gatehoused {arguments}")


tap.done()
