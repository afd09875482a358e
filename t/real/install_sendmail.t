#!/usr/bin/python3
"""README from an installed Sendmail on: the Debian package, the first message, an upgrade, the way back, removal.

The commands are README's own, in a clean Debian under systemd (newcomer.py)."""
import functools
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from newcomer import Newcomer
from newhost import NewHost
from tap import Tap

tap = Tap()
PACKAGES = "/var/tmp"


def first_message(host):
    """Ten commands at most from an installed Sendmail on."""
    it = host.it
    host.remember("/etc/mail/sendmail.mc")
    it.read_listing("First steps", 0)
    it.read_listing("First steps", 1)
    it.follow("Install", 0)
    tap.eq(host.status("systemctl", "is-active", "gatehouse"), "inactive", "nothing is started by itself")
    host.first_steps("sendmail", "gatehouse-setup sendmail", "Message accepted for delivery")
    tap.eq(host.code("nobody@example.com"), "550 5.1.1", "who does not exist is refused")
    # Without a name server Sendmail's own fence, which is asked first, says "temporarily".
    tap.ok(host.code("x@elsewhere.test")[:1] in ("4", "5"), "it is no relay", host.code("x@elsewhere.test"))
    before = host.files()
    it.type("gatehouse-setup sendmail")
    tap.eq(host.files(), before, "once more: nothing changes")


def package(host, version):
    """That of the installed version under another name: what is new in it is for others to test."""
    machine = host.machine
    made = machine.good("sh", "-c", f"echo {PACKAGES}/gatehouse_*.deb")
    number = re.search(r"_([\d.]+)_", made).group(1)
    machine.good("sh", "-ec", f"""dpkg-deb -R {made} /root/package
        sed -i 's/^Version: .*/Version: {version}/' /root/package/DEBIAN/control
        dpkg-deb --build /root/package {PACKAGES}/gatehouse_{version}_amd64.deb
        rm -r /root/package""")
    return number


def installed(host):
    return host.machine.good("dpkg-query", "-W", "-f", "${Version}", "gatehouse")


def upgrade(host):
    first = package(host, "9.9")
    for version in ("9.9", first):
        before = host.main_pid()
        with host.open_sessions():
            host.it.follow("Upgrade and removal", 0, VERSION=version)
        tap.eq(installed(host), version, f"version {version} is installed")
        tap.ok(host.main_pid() not in ("0", before), "... and runs")
        host.still_knows()


def removed(host):
    host.it.follow("Upgrade and removal", 2)
    host.as_before()
    tap.eq(host.status("test", "-e", "/var/lib/gatehouse/blocks"), "", "what the daemon remembers is there")
    host.machine.good("apt-get", "-q", "purge", "gatehouse")
    left = host.machine.good("find", "/etc", "/usr", "/var/lib", "/var/log", "-path", "*gatehouse*", "-not", "-path", "/etc/gatehouse*",
                             "-not", "-path", "/var/lib/dpkg/*", "-not", "-path", "*/systemd/deb-systemd*")
    tap.eq(left, "", "purged: nothing else is left")


def live():
    with Newcomer("sendmail-bin", "swaks") as it:
        host = NewHost(tap, it)
        for part in (first_message, NewHost.rotates, upgrade, removed):
            tap.part(functools.wraps(part)(functools.partial(part, host)))


signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # by way of every __exit__
tap.part(live)
tap.done()
