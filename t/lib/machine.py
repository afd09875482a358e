"""A Debian of its own with systemd as its init, for a test; root only.

    with Machine(package) as machine:              # a .deb, installed with what it depends on
        machine.run("systemctl", "start", "x")     # (status, what it said)
        machine.enter_network()                    # this process: 127.0.0.1 is the machine's

The base (systemd, apt, Postfix) is fetched through this host's sources of packages, once; it stays in
build-t/debian. All else is gone with the Machine, or with the process that made it, however that
ends: machine.sh. This host's own init may be any.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import subprocess

from house import TOP, wait_until

FOLDER = os.path.join(TOP, "build-t", "debian")
BASE = os.path.join(FOLDER, "base")
PACKAGES = "systemd-sysv,postfix,postfix-lmdb"
# What must not outlive this process: the kernel sees to that.
PRIVATE = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--uts", "--ipc",
           "--fork", "--kill-child")
CGROUP = "gatehouse-machine"
# Our control groups, and those of a process like this one that was killed.
SWEEP = """mount -t cgroup2 cgroup "$1"
for group in "$1/$0".*; do
    owner=${group##*.}
    [ "$owner" != "$2" ] && [ -d "/proc/$owner" ] || [ ! -d "$group" ] ||
        find "$group" -depth -type d -exec rmdir {} \\;
done"""
CLONE_NEWNET = 0x40000000


def output(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def sources():
    """Where this host has its Debian from, as lines of sources.list."""
    form = "deb $(SITE) $(RELEASE) $(COMPONENT)"
    find = ("apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian")
    lines = output(*find)
    if not lines:
        output("apt-get", "-q", "update")
        lines = output(*find)
    return lines


def make_base():
    """Half a minute. Nobody sees one that is not complete."""
    with open("/etc/os-release", encoding="utf-8") as file:
        suite = re.search(r"^VERSION_CODENAME=(\w+)$", file.read(), re.M).group(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    for name, text in (("sources", sources()), ("apt", output("apt-config", "dump", "Acquire"))):
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.writelines(line for line in text.splitlines(True)
                            if name == "sources" or re.match(r"Acquire::(https?|Check-|Retries)", line))
    with open(os.path.join(FOLDER, "log"), "w", encoding="utf-8") as log:
        done = subprocess.run(
            [*PRIVATE, "--mount-proc", "mmdebstrap", "--mode=root", "--variant=apt", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--skip=cleanup/apt/lists",
             "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/zoneinfo/*", "--dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/gconv/*", "--dpkgopt=path-exclude=/usr/share/i18n/*",
             f"--aptopt={FOLDER}/apt", '--aptopt=Acquire::Languages "none"', f"--include={PACKAGES}",
             suite, BASE + ".new", os.path.join(FOLDER, "sources")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        with open(os.path.join(FOLDER, "log"), encoding="utf-8", errors="replace") as log:
            raise RuntimeError("mmdebstrap:\n" + log.read()[-4000:])
    os.rename(BASE + ".new", BASE)


def base():
    os.makedirs(os.path.dirname(FOLDER), exist_ok=True)
    with open(FOLDER + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(BASE):
            make_base()
    return BASE


class Machine:
    def __init__(self, package):
        folder, self.cgroup = base(), f"{CGROUP}.{os.getpid()}"
        self.place = os.path.join(FOLDER, self.cgroup)
        os.makedirs(self.place, exist_ok=True)
        self.log = open(self.place + ".log", "w+", encoding="utf-8", errors="replace")
        script = os.path.join(TOP, "t", "lib", "machine.sh")
        self.process = subprocess.Popen(
            [*PRIVATE, script, folder, self.place, package, self.cgroup],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            wait_until(self.is_up, "the system comes up", 300)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    # --- its life ------------------------------------------------------------------

    def said(self):
        """What apt said when it installed the package."""
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def init(self):
        """The number of its first process, or None."""
        with contextlib.suppress(OSError, IndexError):
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
                return int(file.read().split()[0])
        return None

    def is_up(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.said()[-4000:])
        init = self.init()
        with contextlib.suppress(OSError):
            if init and os.readlink(f"/proc/{init}/exe").endswith("/systemd"):
                return self.run("systemctl", "is-system-running")[1] in ("running", "degraded")
        return False

    def close(self):
        """Its processes end, its mounts go with them, and then its control groups can."""
        init = self.init()
        self.process.kill()
        self.process.wait()
        wait_until(lambda: init is None or not os.path.exists(f"/proc/{init}"), "its end")
        subprocess.run(["unshare", "--mount", "sh", "-ec", SWEEP, CGROUP, self.place, str(os.getpid())], check=False)
        os.rmdir(self.place)
        self.log.close()
        os.unlink(self.log.name)

    # --- what a test does with it ----------------------------------------------------

    def run(self, *command, **more):
        """(status, what it said)"""
        done = subprocess.run(
            ["nsenter", "-t", str(self.init()), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            timeout=120, text=True, errors="replace", **more)
        return done.returncode, done.stdout.rstrip("\n")

    def path(self, name):
        """A file of it, seen from here."""
        return f"/proc/{self.init()}/root{name}"

    def read(self, name):
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def host_pid(self, pid):
        """The number here of a process that has this one there."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                    numbers = re.search(r"^NSpid:(.*)", file.read(), re.M).group(1).split()
                if numbers[1:] == [str(pid)] and os.readlink(f"/proc/{name}/ns/pid") == os.readlink(f"/proc/{self.init()}/ns/pid"):
                    return int(name)
        return None

    def enter_network(self):
        """This thread, and those it makes from now on."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.init()}/ns/net", "rb") as network:
            if libc.setns(network.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
