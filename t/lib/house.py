"""A Gatehouse of its own for a test: a folder, a configuration, the daemon.

    with House("[listener in]\nrat = rat\n", files={"rat": "example.com ACCEPT\n"}) as house:
        with house.session("192.0.2.1") as mta:
            mta.mail("<a@example.net>")
        house.wait_log(event="close")
    # leaving it stops the daemon; a bad exit or a sanitizer's report raises

[gatehouse] is written here: sockets, state_dir, user and what `gatehouse={...}` says. Files
are relative to the folder. Started as root the daemon becomes USER.

GATEHOUSE_BUILD says where the programs are.
"""

import contextlib
import os
import pwd
import random
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

from milter_client import Milter

TOP = os.environ.get("GATEHOUSE_TOP") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
BUILD = os.environ.get("GATEHOUSE_BUILD") or os.path.join(TOP, "build")
DAEMON = os.path.join(BUILD, "milter", "gatehoused")
CTL = os.path.join(BUILD, "milter", "gatehousectl")
USER = "nobody"
AS_ROOT = os.geteuid() == 0
SLOWNESS = float(os.environ.get("GATEHOUSE_SLOWNESS") or 1)  # of the build, by a sanitizer
PATIENCE = 30  # seconds for what takes a moment; sanitizers and a busy machine take longer
SANITIZER = re.compile(r"(Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error:")


def free_port(host="127.0.0.1"):
    """For TCP and UDP. Below those the system gives to clients: one of these may have it before its
    server does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = max(int(file.read().split()[0]), 20000)
    while True:
        port = random.randrange(10000, first)
        with (socket.socket(family, socket.SOCK_STREAM) as tcp,
              socket.socket(family, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError)):
            tcp.bind((host, port))
            udp.bind((host, port))
            return port


def wait_until(condition, what, patience=PATIENCE):
    """The first true value of condition()."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {patience} s: {what}")
        time.sleep(0.01)
    return value


def parse_line(line):
    """A log line as a dict; "" is what stands before its first pair."""
    fields = {}
    at = re.search(r"\b[a-z]+=", line)
    fields[""] = line[: at.start()].strip() if at else line
    for key, quoted, plain in re.findall(r'([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line):
        fields[key] = re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
    return fields


class Trouble(AssertionError):
    """The daemon did what it must not, whatever the test was about."""


class House:
    def __init__(self, conf="", files=None, gatehouse=None, at="unix", start=True):
        self.folder = tempfile.mkdtemp(prefix="gatehouse-")
        self.path = os.path.join(self.folder, "gatehouse.conf")
        self.run = os.path.join(self.folder, "run")
        self.log_file = None
        self.process = None
        self.lines = []
        self.changed = threading.Condition()
        self.reader = None
        self.settings = {
            "socket": self.choose_socket(at),
            **({"user": USER} if AS_ROOT else {}),
            "control_socket": "run/control.sock",
            "state_dir": "run/state",
        }
        self.settings.update(gatehouse or {})
        self.make_folder()
        for name, text in (files or {}).items():
            self.write(name, text)
        self.configure(conf)
        if start:
            self.start()

    # --- the folder ------------------------------------------------------------

    def make_folder(self):
        os.chmod(self.folder, 0o755)
        os.mkdir(self.run, 0o755)
        if AS_ROOT:
            entry = pwd.getpwnam(USER)
            os.chown(self.run, entry.pw_uid, entry.pw_gid)

    def choose_socket(self, at):
        """unix, inet or inet6"""
        if at == "unix":
            self.address = os.path.join(self.run, "milter.sock")
            return "unix:run/milter.sock"
        host = {"inet": "127.0.0.1", "inet6": "::1"}[at]
        self.address = (host, free_port(host))
        return f"{at}:{self.address[1]}@{host}"

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    def configure(self, conf, **settings):
        """Writes the configuration; `conf` is all but [gatehouse]."""
        self.conf = conf
        self.settings.update(settings)
        head = "[gatehouse]\n" + "".join(f"{k} = {v}\n" for k, v in self.settings.items())
        self.write("gatehouse.conf", head + conf)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.stop()
        except Trouble:
            if kind is None:
                raise
        finally:
            if kind is not None:
                print("# the daemon's last lines:")
                for line in self.lines[-20:]:
                    print("#  ", line)
            self.remove()

    # --- the daemon ------------------------------------------------------------

    def command(self, *more):
        return [DAEMON, "-c", self.path, *more]

    def start(self, **more):
        """Starts the daemon in the foreground and waits until it serves. more: of subprocess.Popen."""
        self.lines = []
        self.process = subprocess.Popen(
            self.command("-f"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **{"cwd": "/", **more},
        )
        self.reader = threading.Thread(target=self.read_log, args=(self.process.stderr,), daemon=True)
        self.reader.start()
        if not self.wait_log(event="start", optional=True):
            raise Trouble("the daemon does not start:\n" + "\n".join(self.lines))
        return self

    def read_log(self, stream):
        with stream:
            for line in stream:
                with self.changed:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        self.process.send_signal(number)

    @contextlib.contextmanager
    def frozen(self):
        """It stands still. SIGSTOP is in effect only when each thread has stopped."""
        tasks = f"/proc/{self.pid}/task"
        self.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: all(self.state(os.path.join(tasks, task)) in "TZX" for task in os.listdir(tasks)),
                       "all threads stopped")
            yield
        finally:
            self.send_signal(signal.SIGCONT)

    @staticmethod
    def state(task):
        """The letter of proc(5), "X" when it has ended."""
        try:
            with open(os.path.join(task, "stat")) as stat_file:
                return stat_file.read().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return "X"

    def kill(self):
        """kill -9: what a crash leaves behind stays."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process = None

    def stop(self, number=signal.SIGTERM, patience=60, status=0):
        """Seconds it took. Raises where it ends badly."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        if self.alive():
            self.send_signal(number)
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Trouble(f"the daemon did not stop within {patience} s") from None
        took = time.monotonic() - began
        self.reader.join()
        got, self.process = self.process.returncode, None
        self.check_reports()
        if got != status:
            raise Trouble(f"exit status {got}:\n" + "\n".join(self.lines[-40:]))
        return took

    def check_reports(self):
        for i, line in enumerate(self.lines):
            if SANITIZER.search(line):
                raise Trouble("\n".join(self.lines[i : i + 60]))

    def reload(self, number=signal.SIGHUP, good=True):
        """A signal, and its effect awaited. Returns the lines it caused."""
        before = len(self.lines)
        self.send_signal(number)
        wanted = "the new configuration is in force" if good else "the running configuration stays"
        self.wait_log(event="reload", detail=wanted, after=before)
        return self.lines[before:]

    # --- its log ---------------------------------------------------------------

    def find_log(self, after=0, **fields):
        """Lines as dicts in which all these fields have these values."""
        found = []
        for line in self.lines[after:]:
            parsed = parse_line(line)
            if all(parsed.get(key.rstrip("_")) == str(value) for key, value in fields.items()):
                found.append(parsed)
        return found

    def wait_log(self, after=0, patience=PATIENCE, optional=False, count=1, **fields):
        """Waits for such lines; the last of them. from_="..." is the field `from`."""
        deadline = time.monotonic() + patience
        with self.changed:
            while len(found := self.find_log(after, **fields)) < count:
                over = not self.changed.wait(0.2) and time.monotonic() > deadline
                if over or (not self.reader.is_alive() and not self.find_log(after, **fields)):
                    if optional:
                        return None
                    raise TimeoutError(f"no log line with {fields}; last: {self.lines[-5:]}")
        return found[-1]

    # --- talking to it -----------------------------------------------------------

    def dial(self, timeout=PATIENCE):
        return Milter(self.address, timeout)

    @contextlib.contextmanager
    def session(self, ip="192.0.2.1", host=None, macros=None, timeout=PATIENCE):
        """A session that has come past connect; its answer is .greeting."""
        with self.dial(timeout) as mta:
            mta.negotiate()
            if macros:
                mta.macros("C", macros)
            mta.greeting = mta.connect(ip, host)
            yield mta
            with contextlib.suppress(OSError):
                mta.quit()

    def ctl(self, *arguments, stdin="", conf=None, environment=None):
        """gatehousectl: (status, stdout, stderr). environment: beside that of the test."""
        done = subprocess.run(
            [CTL, "-c", conf or self.path, *arguments],
            input=stdin.encode("utf-8"),
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
        )
        out, err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8", "backslashreplace")
        if SANITIZER.search(err):
            raise Trouble(f"gatehousectl {shlex.join(arguments)}:\n{err}")
        return done.returncode, out, err

    def start_badly(self, *more):
        """Starts a daemon that is expected to give up: (status, its words)"""
        done = subprocess.run(
            self.command(*(more or ("-f",))),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )
        words = done.stdout.decode("utf-8", "backslashreplace")
        if SANITIZER.search(words):
            raise Trouble(words)
        return done.returncode, words

    def has_socket(self):
        try:
            return stat.S_ISSOCK(os.stat(os.path.join(self.run, "milter.sock")).st_mode)
        except FileNotFoundError:
            return False


def listener_pid(path):
    """Which process listens on a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.connect(path)
        return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], "little")
