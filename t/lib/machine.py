"""A Debian of its own with systemd as its init, for a test; root only.

    with Machine("postfix") as machine:            # packages that are installed to begin with
        machine.run("systemctl", "start", "x")     # (status, what it said)
        machine.install("/root/x.deb")             # apt: with what it depends on
        machine.enter_network()                    # this process: 127.0.0.1 is the machine's

The base (systemd, apt, next to nothing else) and the packages that apt finds in a machine (ARCHIVE)
are fetched through this host's sources of packages, once; they stay in build-t/debian. All else is
gone with the Machine, or with the process that made it, however that ends: machine.sh. A machine
reaches no network but its own. This host's own init may be any.
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
# What can be installed in a machine, beside what `etc/packages names build` says: each row, and what
# its packages depend on, goes together.
PACKAGES = (("postfix", "postfix-lmdb"), ("sendmail-bin", "sendmail-cf", "m4"), ("logrotate", "swaks"))
ARCHIVE = "/srv/debian"
WANTED = os.path.join(FOLDER, "wanted")
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


def packages():
    """All that is to be had in a machine: a row a call of apt."""
    build = output(os.path.join(TOP, "etc", "packages"), "names", "build").split()
    return [build, *PACKAGES]


def make_base():
    """A minute or less. Nobody sees one that is not complete."""
    with open("/etc/os-release", encoding="utf-8") as file:
        suite = re.search(r"^VERSION_CODENAME=(\w+)$", file.read(), re.M).group(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    for name, text in (("sources", sources()), ("apt", output("apt-config", "dump", "Acquire"))):
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.writelines(line for line in text.splitlines(True)
                            if name == "sources" or re.match(r"Acquire::(https?|Check-|Retries)", line))
    new = BASE + ".new"
    fetch = "apt-get -q -y --no-install-recommends --download-only -o Dir::Cache::archives=" + ARCHIVE
    hooks = [f'--customize-hook=mkdir -p "$1{ARCHIVE}/partial"',
             *(f'--customize-hook=chroot "$1" {fetch} install {" ".join(row)}' for row in packages())]
    with open(os.path.join(FOLDER, "log"), "w", encoding="utf-8") as log:
        done = subprocess.run(
            [*PRIVATE, "--mount-proc", "mmdebstrap", "--mode=root", "--variant=apt", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
             "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/zoneinfo/*", "--dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/gconv/*", "--dpkgopt=path-exclude=/usr/share/i18n/*",
             f"--aptopt={FOLDER}/apt", '--aptopt=Acquire::Languages "none"', *hooks, "--include=systemd-sysv",
             suite, new, os.path.join(FOLDER, "sources")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        with open(os.path.join(FOLDER, "log"), encoding="utf-8", errors="replace") as log:
            raise RuntimeError("mmdebstrap:\n" + log.read()[-4000:])
    with open(f"{new}{ARCHIVE}/Packages", "w", encoding="utf-8") as index, open(os.path.join(FOLDER, "log"), "a", encoding="utf-8") as log:
        subprocess.run(["dpkg-scanpackages", "."], cwd=new + ARCHIVE, stdout=index, stderr=log, check=True)
    with open(f"{new}/etc/apt/sources.list", "w", encoding="utf-8") as file:
        file.write(f"deb [trusted=yes] file:{ARCHIVE} ./\n")
    os.rename(new, BASE)
    with open(WANTED, "w", encoding="utf-8") as file:
        file.write(repr(packages()))


def is_made():
    """... of what is wanted today."""
    try:
        with open(WANTED, encoding="utf-8") as file:
            return file.read() == repr(packages())
    except FileNotFoundError:
        return False


def base():
    os.makedirs(os.path.dirname(FOLDER), exist_ok=True)
    with open(FOLDER + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made():
            make_base()
    return BASE


class Machine:
    def __init__(self, *names):
        folder, self.cgroup = base(), f"{CGROUP}.{os.getpid()}"
        self.names = names
        self.place = os.path.join(FOLDER, self.cgroup)
        os.makedirs(self.place, exist_ok=True)
        self.log = open(self.place + ".log", "w+", encoding="utf-8", errors="replace")
        script = os.path.join(TOP, "t", "lib", "machine.sh")
        self.process = subprocess.Popen(
            [*PRIVATE, script, folder, self.place, self.cgroup],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            wait_until(self.is_up, "the system comes up", 300)
            self.good("apt-get", "-q", "update")
            if self.names:
                self.install("--no-install-recommends", *self.names)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    # --- its life ------------------------------------------------------------------

    def said(self):
        """What it said before its init began."""
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
             "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            timeout=300, text=True, errors="replace", **more)
        return done.returncode, done.stdout.rstrip("\n")

    def good(self, *command, **more):
        """What the command says; it must succeed."""
        status, said = self.run(*command, **more)
        if status != 0:
            raise RuntimeError(f"{command}: {status}: {said}")
        return said

    def install(self, *arguments):
        """By apt, from ARCHIVE; what it says."""
        return self.good("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", "install", *arguments)

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
