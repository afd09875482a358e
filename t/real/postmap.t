#!/usr/bin/python3
"""postmap.t - `gatehousectl maps` with Postfix's own postmap, under a private MAIL_CONFIG.

What Postfix would find is asked with `postmap -q`. Needs no running Postfix.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("GATEHOUSE_BUILD", "build")
POSTFIX = os.environ.get("GATEHOUSE_POSTFIX", "/").rstrip("/")
CTL = os.path.join(BUILD, "milter", "gatehousectl")
POSTMAP = POSTFIX + "/usr/sbin/postmap"

CONF = """\
[gatehouse]
socket = unix:/run/gatehouse/milter.sock
[routes]
file = routes
[listener inbound]
rat = rat
groups = FRIENDS, SHUT, LAN
[listener outbound]
type = private
local_port = 2525
groups = BADLAN, LAN
[group FRIENDS]
policy = accept
senders = 192.0.2.80
[group SHUT]
policy = tcprefuse
senders = 192.0.2.64-192.0.2.95, 2001:db8:bad::/48
[group BADLAN]
policy = reject
senders = 10.1.2.3
[group LAN]
policy = RELAYED
senders = 10.1., 2001:db8:1::/64
"""

ROUTES = """\
one.example: [192.0.2.1]:2525
.one.example: [192.0.2.2]
two.example: 192.0.2.3/pri=10, [2001:db8::1]:26/pri=20, hub.example.net/pri=30
hole.example: /dev/null
dns.example: USEDNS
b\u00fccher.example: [192.0.2.4]
ALL: [out.example.net]:587
"""

RAT = """\
one.example, .one.example ACCEPT
user@two.example ACCEPT
shut.example REJECT
b\u00fccher.example ACCEPT
"""

TRANSPORT = {
    "one.example": "relay:[192.0.2.1]:2525",
    "ONE.example": "relay:[192.0.2.1]:2525",
    ".one.example": "relay:[192.0.2.2]:25",
    "a.one.example": None,
    "two.example": "relay:[192.0.2.3]:25, [2001:db8::1]:26, hub.example.net:25",
    "hole.example": "discard:",
    "dns.example": "relay:",
    "b\u00fccher.example": "relay:[192.0.2.4]:25",
    "xn--bcher-kva.example": "relay:[192.0.2.4]:25",
    "*": "relay:[out.example.net]:587",
    "other.example": None,
}

RELAY_DOMAINS = {
    "one.example": "OK",
    ".one.example": "OK",
    "two.example": "OK",
    "xn--bcher-kva.example": "OK",
    "b\u00fccher.example": "OK",
    "shut.example": None,
    "hole.example": None,
}

CLIENTS = {
    "relay_clients.inbound": {"10.1.2.3": "OK", "10.1.255.255": "OK", "10.2.0.0": None,
                              "2001:db8:1::9": "OK", "2001:db8:2::9": None, "192.0.2.80": None},
    "relay_clients.outbound": {"10.1.2.3": "DUNNO", "10.1.2.4": "OK", "2001:db8:1::9": "OK"},
    "refused_clients.inbound": {"192.0.2.63": None, "192.0.2.64": "421 4.7.1 Access denied",
                                "192.0.2.80": "DUNNO", "192.0.2.95": "421 4.7.1 Access denied",
                                "192.0.2.96": None,
                                "2001:db8:bad:1::1": "421 4.7.1 Access denied"},
    "refused_clients.outbound": {"192.0.2.64": None, "10.1.2.3": None},
}

count = 0
failed = 0


def ok(passed, name, *details):
    global count, failed
    count += 1
    failed += not passed
    print("ok" if passed else "not ok", count, "-", name)
    if not passed:
        for detail in details:
            for line in str(detail).splitlines():
                print("#", line)
    sys.stdout.flush()


class Scene:
    def __init__(self, folder):
        self.folder = folder
        self.out = os.path.join(folder, "maps")
        self.conf = os.path.join(folder, "gatehouse.conf")
        self.mail_config = os.path.join(folder, "postfix")
        os.mkdir(self.mail_config)
        self.write("gatehouse.conf", CONF)
        self.write("routes", ROUTES)
        self.write("rat", RAT)
        main = "compatibility_level = 3.6\n"
        if POSTFIX:
            main += "meta_directory = %s/etc/postfix\n" % POSTFIX
            main += "shlib_directory = %s/usr/lib/postfix\n" % POSTFIX
        self.write("postfix/main.cf", main)
        self.env = dict(os.environ, MAIL_CONFIG=self.mail_config, LC_ALL="C.UTF-8")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as out:
            out.write(text)

    def command(self, *more):
        return [CTL, "-c", self.conf, "maps", "--mta", "postfix", "--output", self.out,
                "--compiler", POSTMAP, *more]

    def maps(self, *more):
        return subprocess.run(self.command(*more), env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, check=False)

    def ask(self, kind, name, key):
        """The value, or None."""
        done = subprocess.run([POSTMAP, "-q", key, "%s:%s/%s" % (kind, self.out, name)],
                              env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        if done.stderr:
            raise RuntimeError(done.stderr)
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def stamps(self):
        found = {}
        for name in sorted(os.listdir(self.out)):
            stat = os.stat(os.path.join(self.out, name))
            found[name] = (stat.st_ino, stat.st_mtime_ns)
        return found


def check_answers(scene, kind, name, wanted):
    found = {key: scene.ask(kind, name, key) for key in wanted}
    wrong = ["%s: %r, not %r" % (key, found[key], wanted[key])
             for key in wanted if found[key] != wanted[key]]
    ok(not wrong, "Postfix finds in %s what the tables say" % name, *wrong)


def test_first_run(scene):
    done = scene.maps()
    ok(done.returncode == 0, "maps are written", done.stdout)
    check_answers(scene, "lmdb", "transport", TRANSPORT)
    check_answers(scene, "lmdb", "relay_domains", RELAY_DOMAINS)
    for name, wanted in CLIENTS.items():
        check_answers(scene, "cidr", name, wanted)


def test_unchanged(scene):
    before = scene.stamps()
    done = scene.maps()
    ok(done.returncode == 0 and scene.stamps() == before,
       "a second run touches nothing", done.stdout, before, scene.stamps())
    done = scene.maps("--check")
    ok(done.returncode == 0 and scene.stamps() == before, "--check finds no difference",
       done.stdout)


def test_drift(scene):
    subprocess.run([POSTMAP, "-r", "-i", "lmdb:" + scene.out + "/transport"], env=scene.env,
                   input="two.example relay:[192.0.2.66]:25\n", text=True, check=True)
    before = scene.stamps()
    done = scene.maps("--check")
    ok(done.returncode == 1 and "transport" in done.stdout and scene.stamps() == before,
       "--check sees an entry somebody put into the compiled map", done.stdout)
    done = scene.maps()
    ok(done.returncode == 0 and scene.maps("--check").returncode == 0,
       "... and the next run takes it out", done.stdout)
    with open(scene.out + "/relay_clients.outbound", "a", encoding="utf-8") as out:
        out.write("0.0.0.0/0\tOK\n")
    done = scene.maps("--check")
    ok(done.returncode == 1 and "relay_clients.outbound" in done.stdout,
       "--check sees a line somebody put into a client file", done.stdout)
    scene.maps()
    ok(scene.ask("cidr", "relay_clients.outbound", "192.0.2.1") is None,
       "... and the next run takes it out")


def test_change(scene):
    scene.write("routes", ROUTES.replace("[192.0.2.1]:2525", "[192.0.2.99]"))
    done = scene.maps("--check")
    ok(done.returncode == 1 and scene.ask("lmdb", "transport", "one.example")
       == TRANSPORT["one.example"], "--check sees a route that changed, and writes nothing",
       done.stdout)
    done = scene.maps()
    ok(done.returncode == 0 and scene.ask("lmdb", "transport", "one.example")
       == "relay:[192.0.2.99]:25", "a changed route is there at once", done.stdout)
    scene.write("routes", ROUTES)
    scene.maps()


def test_broken_compiler(scene):
    wrong = os.path.join(scene.folder, "postmap-wrong")
    scene.write("postmap-wrong", "#!/bin/sh\necho 'fatal: out of luck' >&2\nexit 75\n")
    os.chmod(wrong, 0o755)
    scene.write("routes", "one.example: /dev/null\n")
    done = scene.maps("--compiler", wrong)
    ok(done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
       and "out of luck" in done.stdout, "a compiler that fails is an error with its own words",
       done.stdout)
    ok(scene.ask("lmdb", "transport", "two.example") == TRANSPORT["two.example"],
       "... and Postfix goes on with the old map")
    scene.write("routes", ROUTES)
    done = scene.maps()
    ok(done.returncode == 0 and scene.maps("--check").returncode == 0,
       "... which the next run replaces", done.stdout)


def test_open_relay(scene):
    scene.write("rat", RAT + "ALL ACCEPT\n")
    before = scene.stamps()
    done = scene.maps()
    ok(done.returncode == 1 and "--force" in done.stdout and scene.stamps() == before,
       "ALL ACCEPT in a RAT is refused", done.stdout)
    done = scene.maps("--force")
    ok(done.returncode == 0, "... and taken with --force", done.stdout)
    scene.write("rat", RAT)
    scene.maps()


def generation(number, size):
    lines = ["probe.example: [192.0.2.%d]\n" % number]
    lines += ["c%05d.example: [192.0.2.%d]\n" % (i, number) for i in range(size)]
    return "".join(lines)


def test_killed(scene):
    """Killed anywhere, Postfix has one whole generation, and the next run finishes."""
    size, wrong = 30000, []
    scene.write("routes", generation(1, size))
    began = time.monotonic()
    scene.maps()
    whole = time.monotonic() - began
    last = 1
    for turn in range(2, 14):
        scene.write("routes", generation(turn, size))
        with subprocess.Popen(scene.command(), env=scene.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True) as child:
            time.sleep(random.uniform(0, whole))
            os.killpg(child.pid, signal.SIGKILL)
        answers = {scene.ask("lmdb", "transport", key)
                   for key in ("probe.example", "c00000.example", "c%05d.example" % (size - 1))}
        if len(answers) != 1 or not answers <= {"relay:[192.0.2.%d]:25" % n
                                                for n in (last, turn)}:
            wrong.append("turn %d: %s" % (turn, answers))
        if scene.maps().returncode != 0 or scene.maps("--check").returncode != 0:
            wrong.append("turn %d: not repaired" % turn)
        last = turn
    ok(not wrong, "killed at any time, the maps are whole", *wrong)
    scene.write("routes", ROUTES)
    scene.maps()


def main():
    if not os.path.exists(CTL) or not os.path.exists(POSTMAP):
        print("Bail out! %s and %s are needed" % (CTL, POSTMAP))
        return 1
    folder = tempfile.mkdtemp(prefix="gatehouse-postmap.")
    try:
        scene = Scene(folder)
        for test in (test_first_run, test_unchanged, test_drift, test_change,
                     test_broken_compiler, test_open_relay, test_killed):
            test(scene)
    finally:
        shutil.rmtree(folder)
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
