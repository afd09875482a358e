"""A private Sendmail for a test; its client is that of postfix.py.

    mx = Sendmail(os.path.join(folder, "mx"), "mx.example.com")
    mx.lines("DAEMON_OPTIONS(`Name=main, Addr=127.0.0.1, Port=2525')dnl\\nMAILER(`smtp')dnl")
    mx.start()
    with Client(2525, source="127.0.0.66") as client:
        client.command("MAIL FROM:<a@example.net>")
    mx.stop()

etc/sendmail-instance does the work.
"""

import os
import subprocess

from house import TOP
from logged import Logged

INSTANCE = os.path.join(TOP, "etc", "sendmail-instance")


class Sendmail(Logged):
    def __init__(self, folder, hostname):
        self.folder = folder
        self.instance("create", hostname)
        self.makemap = os.path.join(folder, "makemap")

    def instance(self, job, *more, stdin=""):
        # What it says goes to a file: a daemon that inherits a pipe would hold it open.
        words = os.path.join(self.folder + ".words")
        with open(words, "w+", encoding="utf-8") as out:
            done = subprocess.run(
                [INSTANCE, job, self.folder, *more],
                input=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=120,
                text=True,
            )
            out.seek(0)
            said = out.read()
        if done.returncode != 0:
            raise RuntimeError(f"sendmail-instance {job}: {said}")
        return said

    def write(self, name, text):
        """A file in etc: hosts, resolv.conf, nsswitch.conf, service.switch."""
        with open(os.path.join(self.folder, "etc", name), "w", encoding="utf-8") as file:
            file.write(text)

    def lines(self, text):
        """Lines for sendmail.mc, behind those that are there."""
        with open(os.path.join(self.folder, "etc", "sendmail.mc"), "a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")

    def settings(self, text):
        """The lines of `gatehousectl mta-config`, with MAILER between their two halves."""
        head, mark, tail = text.partition("dnl === sendmail.mc, at its end")
        self.lines(head + "MAILER(`smtp')dnl\n" + mark + tail)

    def start(self):
        self.instance("start")

    def stop(self):
        self.instance("stop")

    def reload(self):
        self.instance("reload")

    def flush(self):
        """As in Postfix; here the queue is looked through every second."""

    def rulesets(self, *questions):
        """What sendmail -bt answers: "0 <user@example.com>", "$=w", ..."""
        return self.instance("run", "sendmail", "-bt", stdin="\n".join(questions) + "\n")

    def queued(self):
        """Queue ids of the messages in the queue."""
        names = os.listdir(os.path.join(self.folder, "queue"))
        return sorted(name[2:] for name in names if name.startswith("qf"))
