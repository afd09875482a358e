#!/usr/bin/python3
"""The system's resolver never answers: directories, start, reload and end do not wait for it."""
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from dnsserver import DnsServer
from house import AS_ROOT, CTL, SLOWNESS, House, wait_until
from ldappeer import LdapPeer
from tap import Tap

tap = Tap()
RAT = {"rat": "example.com ACCEPT\n"}
UNKNOWN, DOWN = "550 5.1.1 User unknown", "451 4.4.3 Directory unavailable"
BOUND = 5 * SLOWNESS
MUTE = "127.9.8.7"
HOSTS = "127.0.0.1 localhost\n127.0.0.1 filed.example filed\n"


class MuteResolver:
    """Takes every question, answers none."""

    def __enter__(self):
        self.sockets = []
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            one = socket.socket(socket.AF_INET, kind)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((MUTE, 53))
            self.sockets.append(one)
        self.sockets[1].listen()
        self.sockets[0].setblocking(False)
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()

    def heard(self):
        """The questions since the last time, as bytes."""
        asked = []
        while True:
            try:
                asked.append(self.sockets[0].recv(4096))
            except BlockingIOError:
                return asked


class Alone(House):
    """A House with an /etc/resolv.conf, an /etc/hosts and a host name of its own."""

    def make_folder(self):
        super().make_folder()
        resolv = self.write("resolv.conf", f"nameserver {MUTE}\nsearch corp.example\n")
        hosts = self.write("hosts", HOSTS)
        self.prefix = ["unshare", "-m", "-u", "sh", "-c",
                       f"mount --bind {shlex.quote(resolv)} /etc/resolv.conf && mount --bind {shlex.quote(hosts)} /etc/hosts"
                       ' && hostname short && exec "$@"', "sh"]

    def command(self, *more):
        return self.prefix + super().command(*more)

    def tool(self, *arguments):
        """As ctl(), and the seconds it took."""
        began = time.monotonic()
        done = subprocess.run([*self.prefix, CTL, "-c", self.path, *arguments], capture_output=True, text=True,
                              check=False, timeout=120)
        return done.returncode, done.stdout, time.monotonic() - began


def profile(name, *uris, more=""):
    return (f"[ldap {name}]\nuri = {' '.join(uris)}\nbase_dn = dc=test\naccept_query = (mail={{a}})\n{more}\n"
            f"[listener {name}]\nrat = rat\ndaemon_name = {name}\nldap_accept = {name}\n")


def rcpt(it, local, daemon):
    began = time.monotonic()
    with it.session(macros={"daemon_name": daemon}) as mta:
        mta.mail("<a@example.net>")
        return mta.rcpt(f"<{local}@example.com>").line, time.monotonic() - began


def timed_start(it):
    began = time.monotonic()
    it.start()
    return time.monotonic() - began


def default_route_to_nowhere():
    """Our own engine asks the mute one, too."""
    quick = "timeout = 1s\nconnect_timeout = 1s"
    with MuteResolver() as mute, LdapPeer() as peer:
        named, filed = (f"ldap://{host}:{peer.port}" for host in ("dir.example", "filed.example"))
        conf = ("[dns]\nhost_lookup = off\n" + profile("named", named, more=quick) + profile("filed", filed) +
                profile("short", f"ldap://filed:{peer.port}") + profile("local", f"ldap://localhost:{peer.port}") +
                profile("literal", peer.uri) + profile("next", named, filed, more=quick) +
                profile("excused", named, more=quick + "\nldap_error = accept") +
                profile("patient", f"ldap://late.example:{peer.port}", more="timeout = 60s\nconnect_timeout = 60s"))
        with Alone(conf, RAT, gatehouse={"command_deadline": "25s"}, start=False) as it:
            took = timed_start(it)
            tap.ok(took < BOUND, "it starts", f"{took:.2f} s")
            tap.eq([b for b in mute.heard() if b"short" in b], [], "nobody asked for the host's own name")
            for daemon in ("filed", "short", "local", "literal", "next"):
                tap.eq([rcpt(it, local, daemon)[0] for local in ("joe", "nobody")], ["continue", UNKNOWN], daemon)
            for daemon, answer in (("named", DOWN), ("excused", "continue")):
                line, took = rcpt(it, "nobody", daemon)
                tap.note(f"{daemon}: {took * 1000:.0f} ms")
                tap.ok(line == answer and took < 3 * SLOWNESS, f"{daemon}: ldap_error, within connect_timeout",
                       f"{line}, {took:.2f} s")
            said = it.wait_log(event="rcpt", detail="failure")["said"]
            tap.eq(said, "looking up its address: no answer in time", "and the log says why")
            tap.ok(any(b"dir" in b for b in mute.heard()), "the mute one has been asked")

            began = time.monotonic()
            it.reload()
            tap.ok(time.monotonic() - began < BOUND, "a reload does not wait for it")
            for command in (("check",), ("status",), ("ldap", "test", "filed", "joe@example.com")):
                status, out, took = it.tool(*command)
                tap.ok(status == 0 and took < BOUND, "nor does gatehousectl " + command[0], f"{status}, {took:.2f} s, {out}")

            answers = []
            mute.heard()
            thread = threading.Thread(target=lambda: answers.append(rcpt(it, "joe", "patient")[0]))
            thread.start()
            wait_until(lambda: any(b"late" in b for b in mute.heard()), "the look-up")
            took = it.stop()
            thread.join()
            tap.ok(took < BOUND, "SIGTERM while a name is looked up", f"{took:.2f} s")
            tap.eq(answers, ["451 4.3.2 Service is stopping, try again later"], "and who waited for it is told to come again")


def own_servers():
    """[dns] servers find what the system's do not; the host's name is made without any."""
    zone = "dir.example A 127.0.0.1\nshort.corp.example A 127.0.0.1\n"
    with MuteResolver() as mute, LdapPeer() as peer, DnsServer(zone) as dns, smtpserver.Server() as smtp:
        conf = (f"[dns]\nservers = 127.0.0.1:{dns.port}\nhost_lookup = off\n" + profile("named", f"ldap://dir.example:{peer.port}") +
                f"callahead = c\n[callahead c]\ntype = static\nservers = 127.0.0.1:{smtp.port}\n")
        with Alone(conf, RAT, start=False) as it:
            took = timed_start(it)
            tap.ok(took < BOUND, "with servers of its own it starts", f"{took:.2f} s")
            tap.eq([rcpt(it, local, "named")[0] for local in ("joe", "nobody")], ["continue", UNKNOWN], "and finds the directory")
            _, out, _ = it.tool("callahead", "--listener", "named", "joe@example.com")
            tap.ok("C: EHLO short.corp.example\n" in out, "the host's full name", out)
            tap.eq(mute.heard(), [], "nobody asked the mute one for anything")


if AS_ROOT:
    tap.part(default_route_to_nowhere)
    tap.part(own_servers)
else:
    tap.ok(True, "a file system of its own takes root")
tap.done()
