"""What README promises of a host, whichever mail server and way of installation: for install_*.t.

    host = NewHost(tap, newcomer)
"""

import contextlib
import re
import threading

from house import wait_until
from newcomer import MAILHOST, PORT, SlowList
from postfix import Client, send

SOURCE = "127.0.0.9"
BLOCKED = "127.0.0.66"
LOG = "/var/log/gatehouse/gatehouse.log"
CONF = "/etc/gatehouse/gatehouse.conf"


class NewHost:
    def __init__(self, tap, it):
        self.tap, self.it, self.machine = tap, it, it.machine
        self.go = threading.Event()
        it.sinks.listen("mailhost", MAILHOST, PORT, users=SlowList(["alice@example.com"], self.go))
        self.names, self.before = (), {}

    def status(self, *command):
        return self.machine.run(*command)[1]

    def read_if(self, name):
        with contextlib.suppress(FileNotFoundError):
            return self.machine.read(name)
        return ""

    def code(self, recipient, source=SOURCE):
        """To RCPT, or the refusal before it."""
        return send(25, source, recipient).replace("250 not sent", "250")[:9]

    # --- the mail server's own files ---------------------------------------------------

    def local_mail(self):
        """What a message to this host itself is answered, Gatehouse or not."""
        return send(25, SOURCE, "root@mx.example.com", sender="")

    def remember(self, *names):
        self.names = names
        self.before = self.files()
        self.tap.eq(self.local_mail(), "250 not sent", "there is a mail server")

    def files(self):
        return {name: self.machine.read(name) for name in self.names}

    def as_before(self):
        """Gatehouse is gone: its files are, mail flows as it did."""
        now = self.files()
        self.tap.eq([name for name in self.names if now[name] != self.before[name]], [], "the mail server's files are as they were")
        self.tap.eq(self.status("pidof", "gatehoused"), "", "no gatehoused runs")
        self.tap.eq(self.local_mail(), "250 not sent", "mail is taken as before")

    # --- promises ------------------------------------------------------------------------

    def first_steps(self, mta, setup, queued):
        it, tap = self.it, self.tap
        it.follow("First steps", 0)
        said = it.follow("First steps", 1, **{"gatehouse-setup postfix": setup})
        tap.ok("gatehousectl doctor" in said, f"doctor is content with {mta}", said)
        said = it.follow("First steps", 2)
        tap.ok(queued in said, "the first message is taken", said)
        judged = re.compile(r"event=rcpt .*to=<alice@example\.com> verdict=accept .*by=callahead")
        # The journal has it a moment later.
        wait_until(lambda: judged.search(self.machine.good("journalctl", "-u", "gatehouse", "-n", "5")), "its line in the log")
        tap.ok(it.commands <= 10, f"that took {it.commands} commands")
        wait_until(lambda: self.it.sinks.got("mailhost"), "its delivery")
        tap.eq(self.machine.good("gatehousectl", "doctor", "--mta", mta) and "", "", "doctor")
        self.machine.good("gatehousectl", "hat", "block", BLOCKED)

    def running_version(self):
        return re.search(r"version\S* *[:=]? *\"?([\d.+~a-z]+)", self.machine.good("gatehousectl", "status")).group(1)

    def main_pid(self):
        return self.machine.good("systemctl", "show", "--value", "-p", "MainPID", "gatehouse")

    def still_knows(self):
        self.tap.eq(self.code("alice@example.com", BLOCKED)[:3], "554", "what it was told to remember is kept")
        self.tap.eq(self.code("alice@example.com")[:3], "250", "mail is judged on")

    @contextlib.contextmanager
    def open_sessions(self):
        """One between its commands, one whose recipient is being asked for: both get an answer."""
        self.go.clear()
        answers = []
        with Client(25, SOURCE) as idle, Client(25, SOURCE) as waits:
            idle.mail()
            waits.mail()
            thread = threading.Thread(target=lambda: answers.append(waits.rcpt("slow@example.com")))
            thread.start()
            yield
            answers.append(idle.rcpt("alice@example.com"))
            self.go.set()
            thread.join()
            self.tap.eq([answer[:1] in ("2", "4") for answer in answers], [True, True],
                        f"open sessions get their answers: {answers}")
            self.tap.eq([client.command("QUIT")[:3] for client in (idle, waits)], ["221", "221"], "... and end as they should")

    def closes(self, name):
        return self.read_if(name).count("event=close")

    def wait_closes(self, name, wanted):
        wait_until(lambda: self.closes(name) == wanted, f"{wanted} sessions in {name}")

    def rotates(self):
        """logrotate, as cron runs it; nothing is written to the old file afterwards."""
        text = self.machine.read(CONF)
        self.machine.write(CONF, f"[gatehouse]\nlog = file:{LOG}\n" + text.replace("[gatehouse]\n", ""))
        self.machine.good("systemctl", "restart", "gatehouse")
        for times in (1, 2):
            self.code("alice@example.com")
            self.wait_closes(LOG, times)
            self.machine.good("logrotate", "-f", "/etc/logrotate.d/gatehouse")
            wait_until(lambda: self.machine.run("test", "-e", LOG)[0] == 0, "a new log")
            self.code("alice@example.com")
            self.wait_closes(LOG, 1)
            self.tap.eq(self.closes(LOG + ".1"), times, f"rotation {times}: the log goes on in the new file")
        self.tap.eq(self.machine.run("gzip", "-t", LOG + ".2.gz"), (0, ""), "... and older ones are compressed")
        self.machine.write(CONF, text)
        self.machine.good("systemctl", "restart", "gatehouse")
