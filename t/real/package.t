#!/usr/bin/python3
"""The Debian package: what is in it, that its programs run from where it puts them, its unit."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import BUILD, TOP
from tap import Tap

WANTED = (
    "usr/sbin/gatehoused", "usr/sbin/gatehousectl", "usr/share/man/man8/gatehoused.8.gz",
    "usr/share/doc/gatehouse/gatehouse.conf.example", "usr/lib/systemd/system/gatehouse.service",
    "usr/lib/sysusers.d/gatehouse.conf", "usr/lib/tmpfiles.d/gatehouse.conf", "etc/gatehouse",
)
SANDBOX = ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "User=gatehouse",
           "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK", "SystemCallFilter=@system-service")

tap = Tap()


def run(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=600, check=False, text=True, **more)
    return done.returncode, done.stdout


def configured(folder):
    """The build at hand, with Debian's folders: only what knows of them is compiled again."""
    build = os.path.join(folder, "build")
    shutil.copytree(BUILD, build, symlinks=True)
    for name in ("gatehoused", "gatehousectl"):
        for file in (name, name + ".o"):
            os.unlink(os.path.join(build, "milter", file))
    status, said = run(os.path.join(TOP, "configure"), "-q", "--prefix=/usr", "--sysconfdir=/etc",
                       "--disable-dependency-tracking", cwd=build)
    tap.eq(status, 0, "configure") or tap.note(said)
    return build


def main(folder):
    status, said = run(os.path.join(TOP, "etc", "make-deb"), folder, configured(folder))
    tap.ok(status == 0, "make-deb", said)
    package = next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb"))
    fields = run("dpkg-deb", "-f", package)[1]
    tap.matches(re.compile(r"^Depends: .*\blibmilter1\.0\.1\b.*\blibssl3\b", re.M), fields, "it depends on its libraries")
    root = os.path.join(folder, "root")
    tap.eq(run("dpkg-deb", "-x", package, root), (0, ""), "it unpacks")
    tap.eq([name for name in WANTED if not os.path.exists(os.path.join(root, name))], [], "what is in it")
    for name in ("gatehoused", "gatehousectl"):
        program = os.path.join(root, "usr", "sbin", name)
        tap.eq(run(program, "-V")[0], 0, f"{name} runs")
        with open(program, "rb") as file:
            tap.ok(b"/etc/gatehouse/gatehouse.conf" in file.read(), f"... and reads /etc ({name})")
    for script in ("postinst", "prerm", "postrm"):
        run("dpkg-deb", "-e", package, os.path.join(folder, "control"))
        tap.eq(run("sh", "-n", os.path.join(folder, "control", script)), (0, ""), f"{script} is a script")
    with open(os.path.join(root, "usr/lib/systemd/system/gatehouse.service"), encoding="utf-8") as file:
        unit = file.read().splitlines()
    tap.eq([line for line in SANDBOX if line not in unit], [], "the unit locks the daemon up")


with tempfile.TemporaryDirectory(prefix="gatehouse-deb-") as the_folder:
    tap.part(lambda: main(the_folder))
tap.done()
