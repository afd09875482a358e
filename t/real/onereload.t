#!/usr/bin/python3
"""One reload before a real Postfix (lmdb) and a real Sendmail: what the MTA lets through by its maps and
what Gatehouse decides is the same, after reloads that went well and after reloads that were refused.

The daemon is asked over the milter protocol, too: what only one of both refuses would not show else.
"""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front, SendmailFront
from house import TOP, wait_until
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
servers = 127.0.0.1:9
timeout = 100ms
tries = 1
[group PARTNERS]
senders_file = partners.txt
policy = RELAYED
[listener main]
rat = rat.txt
groups = PARTNERS
[routes]
file = routes.txt
[gatehouse_maps]
"""
OLD = {"rat.txt": "a.example ACCEPT\n", "routes.txt": "a.example: [203.0.113.1]\n", "partners.txt": "127.0.0.30\n"}
NEW = {"rat.txt": "b.example ACCEPT\n.c.example ACCEPT\n", "routes.txt": "b.example: [203.0.113.2]\n.c.example: [203.0.113.3]\n",
       "partners.txt": "127.0.0.31\n127.0.1.0/24\n"}
CLIENTS = ("127.0.0.10", "127.0.0.30", "127.0.0.31", "127.0.1.7")
RECIPIENTS = ("u@a.example", "u@b.example", "u@x.c.example", "u@elsewhere.example")
IS_OLD = {(ip, to) for ip in CLIENTS for to in RECIPIENTS if to == "u@a.example" or ip == "127.0.0.30"}
IS_NEW = {(ip, to) for ip in CLIENTS for to in RECIPIENTS
          if to in ("u@b.example", "u@x.c.example") or ip in ("127.0.0.31", "127.0.1.7")}


class Site:
    """Mixed into a Front: [maps] as an administrator writes it."""

    def configuration(self, for_mx=False):
        conf = super().configuration(for_mx)
        return conf.replace("[gatehouse_maps]\n", f"""[maps]
mta = {self.mta}
output = maps
compiler = {self.compiler()}
reload_program = tell
""")

    def configure_mx(self):
        with open(os.path.join(self.folder, "tell"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + self.telling())
        os.chmod(file.name, 0o755)
        super().configure_mx()

    def write_maps(self):
        self.ctl("maps", "--no-reload")  # there is no MTA yet that could be told

    def change(self, files):
        for name, text in files.items():
            self.house.write(name, text)

    def let_through(self):
        """By the MTA's maps: what is refused, is not refused by the MTA itself."""
        passed, accepted = set(), set()
        for ip in CLIENTS:
            with self.client(ip) as client:
                client.command("MAIL FROM:<s@x.example.net>")
                for to in RECIPIENTS:
                    answer = client.command(f"RCPT TO:<{to}>")
                    if self.fence not in answer:
                        passed.add((ip, to))
                    if answer.startswith("250"):
                        accepted.add((ip, to))
        return passed, accepted

    def decided(self):
        """By the daemon."""
        accepted = set()
        macros = {"daemon_name": "main", "daemon_addr": "127.0.0.1", "daemon_port": str(self.ports["main"])}
        for ip in CLIENTS:
            for to in RECIPIENTS:
                with self.house.session(ip, macros=macros) as mta:
                    mta.mail("<s@x.example.net>")
                    if mta.rcpt(f"<{to}>").line == "continue":
                        accepted.add((ip, to))
        return accepted

    def agrees(self, wanted, what):
        # A process of the MTA that is at its end may serve one more client.
        try:
            wait_until(lambda: self.let_through() == (wanted, wanted), what, 15)
        except TimeoutError:
            pass
        passed, accepted = self.let_through()
        tap.eq((sorted(passed), sorted(accepted), sorted(self.decided())), (sorted(wanted),) * 3,
               f"{self.mta}: {what}: maps, mail and decisions agree")

    def reload(self, good, what):
        code, out, err = self.house.ctl("reload")
        if not tap.eq(code, 0 if good else 1, f"{self.mta}: {what}: exit status"):
            tap.note(out + err)
        told = json.loads(self.house.ctl("status", "--json")[1])
        tap.eq(told["maps"], "same", f"{self.mta}: {what}: status says that maps are the same")
        return out + err


class PostfixSite(Site, Front):
    mta = "postfix"
    fence = "Relay access denied"

    def configure_gatehouse(self):
        super().configure_gatehouse()
        self.house.address = os.path.join(self.mx.queue, "gatehouse", "milter.sock")

    def compiler(self):
        return os.path.join(self.mx.folder, "postmap")

    def telling(self):
        return f"exec {TOP}/etc/postfix-instance reload {self.mx.folder}\n"


class SendmailSite(Site, SendmailFront):
    mta = "sendmail"
    fence = "Relaying denied"

    def compiler(self):
        return self.mx.makemap

    def telling(self):
        return f"exec {TOP}/etc/sendmail-instance reload {self.mx.folder} >> {self.folder}/told 2>&1\n"


def part(kind):
    with kind(tap, CONF, OLD) as site:
        site.agrees(IS_OLD, "at first")
        site.change(NEW)
        site.reload(True, "another RAT, other routes, other relay clients")
        site.agrees(IS_NEW, "after a good reload")
        for what, files, words in (
                ("ALL ACCEPT", {"rat.txt": "ALL ACCEPT\n"}, "open relay"),
                ("a mistake in the RAT", {"rat.txt": OLD["rat.txt"] + "a.example PERHAPS\n"}, "rat.txt:2"),
                ("auth= of nobody", {"routes.txt": "a.example: [203.0.113.1] auth=x\n"}, "[auth x]")):
            site.change({**OLD, **files})
            said = site.reload(False, what)
            tap.ok(words in said, f"{site.mta}: {what}: says why", said)
            site.agrees(IS_NEW, f"after {what} was refused")
            site.change(NEW)
        site.house.configure(site.configuration().replace("compiler = ", "compiler = /bin/false\n#"))
        site.change(OLD)
        site.reload(False, "a compiler that fails")
        site.agrees(IS_NEW, "after the compiler failed")
        site.house.configure(site.configuration())
        site.house.send_signal(signal.SIGHUP)
        wait_until(lambda: json.loads(site.house.ctl("status", "--json")[1])["maps"] == "differ", "a signal, and maps that differ")
        site.reload(True, "after a signal, which left the maps")
        site.agrees(IS_OLD, "back again")


part(PostfixSite)
part(SendmailSite)
tap.done()
