#!/usr/bin/python3
"""The daemon as a service: who it is, its socket, its log, its word to systemd, monitor mode."""
import grp
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, PATIENCE, USER, House, listener_pid, parse_line, wait_until
from tap import Tap

tap = Tap()
CONF = "[dns]\nhost_lookup = off\n[listener in]\nrat = rat\n"
RAT = {"rat": "example.com ACCEPT\n"}


def serves(it):
    with it.session() as mta:
        return [mta.greeting.line, mta.mail("<a@b.test>").line, mta.rcpt("<u@example.com>").line]


def status_of(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return re.search(rf"^{field}:\s*(.*)$", file.read(), re.M).group(1).split()


@tap.part
def identity():
    with House(CONF, RAT, gatehouse={"socket_mode": "0600"}) as it:
        mode = os.stat(it.address)
        tap.eq(stat.S_IMODE(mode.st_mode), 0o600, "socket_mode")
        if AS_ROOT:
            entry = pwd.getpwnam(USER)
            tap.eq(status_of(it.pid, "Uid"), [str(entry.pw_uid)] * 4, "every uid is the user's")
            tap.eq(status_of(it.pid, "Gid"), [str(entry.pw_gid)] * 4, "every gid is the user's")
            tap.eq(status_of(it.pid, "CapEff"), ["0" * 16], "no capability is left")
            tap.ok("0" not in status_of(it.pid, "Groups"), "root's groups are gone", status_of(it.pid, "Groups"))
            tap.eq((mode.st_uid, mode.st_gid), (entry.pw_uid, entry.pw_gid), "the socket is the user's")
        tap.eq(serves(it), ["continue"] * 3, "it serves")
    if not AS_ROOT:
        return
    with House(CONF, RAT, gatehouse={"socket_group": "daemon", "socket_mode": "0666"}) as it:
        mode = os.stat(it.address)
        tap.eq((mode.st_gid, stat.S_IMODE(mode.st_mode)), (grp.getgrnam("daemon").gr_gid, 0o666), "socket_group")
    with House(CONF, RAT, gatehouse={"user": "nosuchuser"}, start=False) as it:
        it.start(user=USER, group=pwd.getpwnam(USER).pw_gid, extra_groups=[])
        tap.eq(serves(it), ["continue"] * 3, "not started as root: user is ignored")


@tap.part
def a_link_in_place_of_the_socket():
    """The daemon's user, who owns the folder, cannot make root give away a file."""
    if not AS_ROOT:
        return
    it = House(CONF, RAT, start=False)
    secret = it.write("secret", "x")
    os.chmod(secret, 0o600)
    os.symlink(secret, it.address)
    it.start_badly()
    tap.eq((os.stat(secret).st_uid, stat.S_IMODE(os.stat(secret).st_mode)), (0, 0o600), "a link to a file of root's")
    it.remove()


@tap.part
def log_file():
    it = House(CONF, RAT, gatehouse={"log": "file:run/log"}, start=False)
    log = os.path.join(it.run, "log")

    def lines(path=log):
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [parse_line(line) for line in file.read().splitlines()]

    def wait_line(path=log, **fields):
        return wait_until(lambda: [x for x in lines(path) if fields.items() <= x.items()], f"{fields} in {path}")

    tap.eq(it.start_badly("-c", it.path), (0, ""), "it starts in the background")
    pid = listener_pid(it.address)
    try:
        tap.eq(os.readlink(f"/proc/{pid}/cwd"), "/", "it leaves its folder")
        tap.eq([os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)], ["/dev/null"] * 3, "it leaves the terminal")
        serves(it)
        wait_line(event="close")
        os.rename(log, log + ".1")
        serves(it)
        wait_until(lambda: sum(x.get("event") == "close" for x in lines(log + ".1")) == 2, "still the old file")
        tap.ok(not os.path.exists(log), "rotated: the old file until a signal")
        os.kill(pid, signal.SIGHUP)
        wait_line(event="reload")
        serves(it)
        wait_line(event="close")
        tap.ok(True, "rotated: the new file after it")
        os.rename(log, log + ".2")
        os.chmod(it.run, 0o555)
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: len([x for x in lines(log + ".2") if "in force" in x.get("detail", "")]) == 2, "a reload")
        said = [x["detail"] for x in lines(log + ".2") if "old log file" in x.get("detail", "")]
        tap.ok(said and "/log" in said[0], "no new file to be had: said in the old one", said)
        os.chmod(it.run, 0o755)
        it.configure(CONF, log_level="warning")
        os.kill(pid, signal.SIGHUP)
        wait_line(event="reload", detail="[gatehouse] log_level: info -> warning")
        serves(it)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
        tap.eq({x["event"] for x in lines()}, {"reload"}, "log_level changes with a reload")
        odd = [x for x in lines(log + ".1") if x[""].split(" ")[-1] not in ("info", "warning", "error")]
        tap.eq(odd, [], "every line has its level")
    finally:
        if os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGKILL)
        it.remove()


@tap.part
def rotation_alone():
    """As the unit starts it: in the foreground, and the log where `log` says."""
    it = House(CONF, RAT, gatehouse={"log": "file:run/log"}, start=False)
    log = os.path.join(it.run, "log")
    with subprocess.Popen(it.command("-D"), stderr=subprocess.PIPE) as daemon:
        try:
            wait_until(it.has_socket, "its socket")
            wait_until(lambda: os.path.exists(log) and os.path.getsize(log), "the first line")
            os.rename(log, log + ".1")
            daemon.send_signal(signal.SIGUSR2)
            wait_until(lambda: os.path.exists(log), "the new file")
            serves(it)
            wait_until(lambda: os.path.getsize(log), "a line in it")
            tap.eq(it.ctl("reload")[0], 0, "-D: it answers")
        finally:
            daemon.terminate()
        tap.eq((daemon.stderr.read(), daemon.wait()), (b"", 0), "-D: nothing on stderr")
    with open(log + ".1", encoding="utf-8") as old, open(log, encoding="utf-8") as new:
        tap.eq(("reload" in old.read(), new.read().count("event=reload")), (False, 1), "USR2 is no reload")
    it.remove()


@tap.part
def notifications():
    for kind in ("file", "abstract"):
        with House(CONF, RAT, start=False) as it, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            path = os.path.join(it.folder, "notify") if kind == "file" else f"\0{it.folder}/notify"
            notify.bind(path)
            if kind == "file":
                os.chmod(path, 0o777)
            notify.settimeout(PATIENCE)
            it.start(env={**os.environ, "NOTIFY_SOCKET": path.replace("\0", "@")})
            said = [notify.recv(100)]
            it.reload()
            said += [notify.recv(100), notify.recv(100)]
            it.stop()
            said.append(notify.recv(100))
            tap.eq(said, [b"READY=1", b"RELOADING=1", b"READY=1", b"STOPPING=1"], f"systemd is told, {kind} socket")
    with House(CONF, RAT, start=False) as it:
        it.start(env={**os.environ, "NOTIFY_SOCKET": "/" + "x" * 200})
        tap.eq(serves(it), ["continue"] * 3, "a NOTIFY_SOCKET that is none")


@tap.part
def monitor():
    conf = CONF + """[group BLOCKED_LIST]
senders = 192.0.2.66
[group SUSPECTLIST]
senders = 192.0.2.67
policy = tcprefuse
[policy ACCEPTED]
max_message_size = 1K
"""
    with House(conf, RAT, gatehouse={"mode": "monitor"}) as it:
        for ip in ("192.0.2.1", "192.0.2.66", "192.0.2.67"):
            with it.session(ip) as mta:
                said = [mta.greeting, mta.mail("<a@b.test>"), mta.rcpt("<u@example.com>"), mta.rcpt("<u@other.test>"),
                        mta.rcpt("<u@"), mta.message(b"x" * 2000)]
                tap.eq([r.line for r in said], ["continue"] * 6, f"monitor: nothing is refused to {ip}")
                tap.eq(mta.mail("<a@b.test>", "SIZE=99999").line, "continue", "... not for its size either")
        it.wait_log(event="close", count=3)
        would = [(x["event"], x.get("would"), x.get("code")) for x in it.find_log() if x.get("would", "accept") != "accept"]
        tap.ok(("connect", "reject", "554") in would and ("rcpt", "reject", "550") in would
               and ("rcpt", "reject", "501") in would and ("eom", "reject", "552") in would
               and ("mail", "reject", "552") in would and any(w[0] == "connect" and w[2] == "421" for w in would),
               "monitor: what would have happened is in the log", would)
        it.configure(conf, mode="enforce")
        it.reload()
        with it.session("192.0.2.66") as mta:
            tap.eq(mta.greeting.line, "554 5.7.1 Access denied", "enforced after a reload")


tap.done()
