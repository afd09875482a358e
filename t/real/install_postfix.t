#!/usr/bin/python3
"""README from an installed Postfix on: `make install`, the first message, an upgrade, the way back, removal.

The commands are README's own, in a clean Debian under systemd (newcomer.py)."""
import functools
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import wait_until
from newcomer import Newcomer
from newhost import NewHost
from tap import Tap

tap = Tap()


def first_message(host):
    """Ten commands at most from an installed Postfix on."""
    it = host.it
    host.remember("/etc/postfix/main.cf", "/etc/postfix/master.cf")
    it.read_listing("First steps")
    it.follow("Install", 1)
    tap.eq(host.status("systemctl", "is-active", "gatehouse"), "inactive", "nothing is started by itself")
    tap.ok(host.status("test", "-e", "/etc/logrotate.d/gatehouse") == "", "logs will be rotated")
    host.first_steps("postfix", "gatehouse-setup postfix", "250 2.0.0 Ok: queued")
    tap.eq(host.code("nobody@example.com"), "550 5.1.1", "who does not exist is refused")
    tap.eq(host.code("x@elsewhere.test"), "554 5.7.1", "it is no relay")
    tap.eq(host.code("root@mx.example.com")[:1], "5", "the RAT does not have this host itself")
    host.machine.good("sh", "-c", "echo for root | sendmail root")
    wait_until(lambda: "for root" in host.read_if("/var/mail/nobody") + host.read_if("/var/mail/root"),
               "mail to root by way of mydestination")
    before = host.files()
    it.type("gatehouse-setup postfix")
    after = host.files()
    tap.eq([name for name in before if before[name] != after[name]], [], "once more: nothing changes")


def version(host):
    return host.machine.good("gatehousectl", "-V").split()[1]


def upgrade(host):
    configure = host.machine.read("/root/gatehouse/configure.ac")
    first = version(host)
    newer = configure.replace(f"[{first}]", f"[{first}.1]", 1)
    for text, wanted in ((newer, first + ".1"), (configure, first)):
        host.machine.write("/root/gatehouse/configure.ac", text)  # as git would
        with host.open_sessions():
            host.it.follow("Upgrade and removal", 1)
        tap.eq([version(host), host.running_version()], [wanted, wanted], f"version {wanted} runs")
        host.still_knows()


def removed(host):
    host.it.follow("Upgrade and removal", 3)
    host.as_before()
    left = host.machine.good("find", "/usr/local", "/etc/logrotate.d", "/etc/systemd/system", "-name", "*gatehouse*", "-not", "-type", "d")
    tap.eq(left, "", "nothing is left in /usr/local")


def live():
    with Newcomer("postfix") as it:
        host = NewHost(tap, it)
        for part in (first_message, NewHost.rotates, upgrade, removed):
            tap.part(functools.wraps(part)(functools.partial(part, host)))


signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # by way of every __exit__
tap.part(live)
tap.done()
