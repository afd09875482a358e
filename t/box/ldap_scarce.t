#!/usr/bin/python3
"""Descriptors, threads and local ports run short: no directory is blamed for it."""
import contextlib
import os
import pwd
import socket
import struct
import subprocess
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import AS_ROOT, SLOWNESS, USER, House, wait_until
from ldappeer import LdapPeer
from tap import Tap

tap = Tap()
PORTS = (20000, 20060)
RAT = {"rat": "example.com ACCEPT\n"}
UNKNOWN, DOWN = "550 5.1.1 User unknown", "451 4.4.3 Directory unavailable"
BOUND = 5 * SLOWNESS
CONF = """[dns]
servers = 127.0.0.1:%(dns)d
host_lookup = off
[ldap d]
uri = ldap://%(host)s:%(port)d
base_dn = dc=test
accept_query = (mail={a})
cache_ttl = 0
connect_timeout = 2s
[listener in]
rat = rat
ldap_accept = d
"""


def limit(it, what, soft):
    """As the daemon's user: root in a container may not."""
    who = {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if AS_ROOT else {}
    subprocess.run(["prlimit", f"--pid={it.pid}", f"--{what}={soft}:"], check=True, **who)


def processor(it):
    """Seconds of processor time it has used."""
    with open(f"/proc/{it.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lose_connection(it, peer):
    descriptors = f"/proc/{it.pid}/fd"
    before = len(os.listdir(descriptors))
    peer.drop_all()
    wait_until(lambda: len(os.listdir(descriptors)) < before, "the daemon has closed it, too")


@contextlib.contextmanager
def limited(it, what, few, many):
    limit(it, what, few)
    yield
    limit(it, what, many)


def short_of(name, shortage, host="127.0.0.1"):
    """A session goes on without; the directory is asked as soon as there is enough again.
    shortage: a context of the daemon and the directory."""
    with LdapPeer() as peer, DnsServer("dir.example A 127.0.0.1") as dns:
        with House(CONF % {"dns": dns.port, "host": host, "port": peer.port}, RAT) as it, it.session() as mta:
            mta.mail("<a@example.net>")
            tap.eq([mta.rcpt(f"<{who}@example.com>").line for who in ("joe", "nobody")], ["continue", UNKNOWN],
                   f"{name}: before")
            lose_connection(it, peer)
            time.sleep(0.2)  # the thread of that connection ends
            with shortage(it, peer):
                used, began = processor(it), time.monotonic()
                got = [mta.rcpt(f"<{who}@example.com>").line for who in ("joe", "nobody", "joe", "nobody")]
                took = time.monotonic() - began
            tap.eq(got, [DOWN] * 4, f"{name}: nobody can tell")
            tap.ok(took < 4 * 2 + BOUND, f"{name}: inside the time-outs", f"{took:.2f} s")
            tap.ok(processor(it) - used < 0.5 * SLOWNESS, f"{name}: without spinning", f"{processor(it) - used:.2f} s")
            began = time.monotonic()
            wait_until(lambda: mta.rcpt("<joe@example.com>").line == "continue", "the directory")
            tap.ok(time.monotonic() - began < BOUND, f"{name}: asked as soon as there is enough again")
            tap.eq(mta.rcpt("<nobody@example.com>").line, UNKNOWN, f"{name}: and it knows who is unknown")
            it.wait_log(event="rcpt", verdict="reject", count=2)
            lines = [line["detail"] for line in it.find_log(event="ldap")]
            tap.ok(len(lines) == 1 and "not to blame" in lines[0], f"{name}: told once, no pause", lines)


def descriptors():
    for host in ("127.0.0.1", "dir.example"):
        short_of(f"no descriptors, {host}", lambda it, _: limited(it, "nofile", 3, 1024), host)


def threads():
    short_of("no threads", lambda it, _: limited(it, "nproc", 1, 10000))


@contextlib.contextmanager
def without_ports(_, peer):
    """All local ports have a connection to the directory."""
    with contextlib.ExitStack() as stack:
        for port in range(PORTS[0], PORTS[1] + 1):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # free again at once
            with contextlib.suppress(OSError):  # somebody listens there
                taken.bind(("127.0.0.1", port))
                taken.connect(("127.0.0.1", peer.port))
        yield


def ports():
    """In a network of our own, which has few of them."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
        file.write("%d %d" % PORTS)
    short_of("no local ports", without_ports)


def no_ipv6():
    """A name server that a host cannot reach at all is no shortage that might pass."""
    with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")
    conf = CONF.replace("127.0.0.1:%(dns)d", "[::1]:%(dns)d")
    with House(conf % {"dns": 53, "host": "dir.example", "port": 389}, RAT) as it, it.session() as mta:
        mta.mail("<a@example.net>")
        tap.eq(mta.rcpt("<joe@example.com>").line, DOWN, "no IPv6: nobody can tell")
        line = it.wait_log(event="ldap")["detail"]
        tap.ok("the name servers fail; not asked for" in line, "no IPv6: not for want of something", line)
        tap.eq(it.find_log(event="dns"), [], "no IPv6: nor does the engine say so")


if "--network" in sys.argv:
    tap.part(ports)
    tap.part(no_ipv6)
    tap.done()
for part in (descriptors, threads):
    tap.part(part)
if AS_ROOT:
    done = subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(__file__), "--network"], check=False,
                          stdout=subprocess.DEVNULL)
    tap.ok(done.returncode == 0, "no local ports and no IPv6, in a network of its own")
tap.done()
