#!/usr/bin/python3
"""What `gatehousectl doctor` finds out by trying, at a real Postfix and a real Sendmail: each of
these hosts looked good to somebody who only reads their configuration."""
import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import smtpserver
from front import Front, SendmailFront
from house import CTL, House, SLOWNESS, USER, wait_until
from sendmail import INSTANCE
from tap import Tap

CONF = """
[dns]
host_lookup = off
[group LAN]
policy = RELAYED
senders = 127.0.10.
[callahead host]
type = static
servers = 127.0.0.1:{port}
[listener first]
groups = LAN
rat = rat.txt
callahead = host
[listener second]
type = private
groups = LAN
"""
FILES = {"rat.txt": "example.com ACCEPT\n"}
NOBODY = [["gatehouse-doctor-", "550 5.1.1 No such user"]]

tap = Tap()


class Here:
    """What doctor needs to know of either mail server."""

    def doctor(self, *more):
        """Status, and what is said."""
        status, out, err = self.house.ctl("doctor", *self.arguments(), *more)
        return status, out + err

    def good(self, name, *more):
        status, said = self.doctor(*more)
        lines = said.splitlines()
        return tap.ok((status, lines[-1]) == (0, f"{self.mta}: good") and all(s.startswith("good: ") for s in lines[:-1]),
                      f"{self.mta}: {name}: all good", said)

    def bad(self, name, *wanted, more=()):
        """An error, and it says what is wrong."""
        status, said = self.doctor(*more)
        for words in wanted:
            tap.ok(any(re.search(words, line) for line in said.splitlines()), f"{self.mta}: {name}: {words}", said)
        return tap.ok(status == 1 and "error: " in said + self.as_error(said) and f"{self.mta}: good" not in said,
                      f"{self.mta}: {name}: not good", said)

    @staticmethod
    def as_error(said):
        """Errors of the configuration have a file in front, and no word."""
        return "error: " if re.search(r"^(main|master|sendmail)\.cf: (?!warning: )", said, re.M) else ""

    @contextlib.contextmanager
    def changed(self, path, text=None, mode=None):
        """Another text or mode of a file, for a while."""
        status = os.stat(path)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        try:
            if text is not None:
                self.write(path, text)
            if mode is not None:
                os.chmod(path, mode)
            yield
        finally:
            self.write(path, before)
            os.chmod(path, status.st_mode & 0o7777)

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.utime(path, (0, 0))  # Postfix waits before it believes a file that has just changed

    def with_conf(self, conf):
        self.house.configure(self.with_services(conf))
        self.house.reload()


class PostfixHere(Here, Front):
    mta = "Postfix"

    def arguments(self):
        script = os.path.join(self.house.folder, "postconf")
        if not os.path.exists(script):
            with open(os.path.join(self.mx.folder, "postmap"), encoding="utf-8") as file:
                self.house.write("postconf", file.read().replace("/usr/sbin/postmap", "/usr/sbin/postconf"))
            os.chmod(script, 0o755)
        return ("--mta", "postfix", "--output", self.maps, "--postconf", script,
                "--compiler", os.path.join(self.mx.folder, "postmap"))

    @property
    def main(self):
        return os.path.join(self.mx.folder, "etc", "main.cf")

    @contextlib.contextmanager
    def settings(self, text):
        """Lines of main.cf, for a while and for doctor alone."""
        with open(self.main, encoding="utf-8") as file:
            before = file.read()
        self.mx.settings(text)
        os.utime(self.main, (0, 0))
        yield
        self.write(self.main, before)

    @property
    def socket(self):
        return os.path.join(self.mx.queue, "gatehouse", "milter.sock")


class PostfixAtPort(PostfixHere):
    """The filter listens on TCP."""

    def __init__(self, at):
        self.at = at
        super().__init__(tap, CONF.format(port=1), FILES)

    def configure_gatehouse(self):
        self.house.configure(self.configuration(for_mx=True), socket=self.house.choose_socket(self.at))


class SendmailHere(Here, SendmailFront):
    mta = "Sendmail"

    def arguments(self):
        script = os.path.join(self.house.folder, "sendmail")
        if not os.path.exists(script):
            self.house.write("sendmail", f"#!/bin/sh\nexec '{INSTANCE}' run '{self.mx.folder}' sendmail \"$@\"\n")
            os.chmod(script, 0o755)
        return ("--mta", "sendmail", "--output", self.maps, "--sendmail-cf", self.cf,
                "--sendmail", script, "--compiler", self.mx.makemap)

    @property
    def cf(self):
        return os.path.join(self.mx.folder, "etc", "sendmail.cf")

    @property
    def socket(self):
        return self.house.address


@contextlib.contextmanager
def listening(path, answer):
    """Somebody else at a unix socket, who answers each with the same bytes."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        os.chmod(path, 0o666)
        held = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    held.append(peer)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for peer in held:
            peer.close()
    os.unlink(path)


def daemon(front):
    """Stopped, hanging, running something else, or somebody else."""
    front.house.stop()
    front.bad("stopped", r"^error: daemon: .*control.sock: cannot connect",
              r"^error: .*cannot connect to unix:.*(No such file|refused)")
    for name, answer, wanted in (("silent", b"", "does not answer"), ("an SMTP server", b"220 mx.test ESMTP\r\n", "is not a milter"),
                                 ("another milter", struct.pack(">IBIII", 13, ord("O"), 6, 1, 0x7F),
                                  "is not a gatehoused of this version")):
        with listening(front.socket, answer):
            began = time.monotonic()
            front.bad(f"in its place {name}", rf"^error: .*{wanted}")
            tap.ok(time.monotonic() - began < 20 * SLOWNESS, "... within bounds", f"{time.monotonic() - began:.1f} s")
    front.house.start()
    with front.house.frozen():
        front.bad("stopped by a signal", r"^error: daemon: .*does not answer", r"^error: .*does not answer: .*timed out")
    front.good("running again")
    with House("[listener other]\n", start=False) as other:
        group = {"socket_group": front.house.settings["socket_group"]} if "socket_group" in front.house.settings else {}
        other.configure("[listener other]\n", **group)
        other.start()
        os.rename(front.socket, front.socket + ".mine")
        os.rename(other.address, front.socket)
        front.bad("two daemons", rf"^error: .*process {other.pid} answers .* and process {front.house.pid} at .*: two daemons")
        os.rename(front.socket + ".mine", front.socket)
    front.good("the right one")


def at_port(front):
    front.good("a filter on TCP")
    front.house.stop()
    front.bad("a filter on TCP, stopped", r"^error: .*user .* cannot connect to inet6?:.*: Connection refused")
    with socket.create_server(front.house.address, family=socket.AF_INET6 if ":" in front.house.address[0] else socket.AF_INET):
        front.bad("a silent one in its place", r"^error: .*does not answer: .*timed out")
    front.house.start()


def stale(front):
    """What is on disk, what the daemon runs, and what the maps were made from."""
    rat = os.path.join(front.folder, "rat.txt")
    domains = "relay_domains" if front.mta == "Postfix" else "relay-domains"
    with front.changed(rat, "example.com, more.example ACCEPT\n"):
        front.bad("a table has changed", r"^error: daemon: .* another configuration, or other tables.*gatehousectl reload",
                  rf"^error: maps: .*/{domains} does not match the configuration: gatehousectl maps",
                  r"^cannot tell: maps: what the mail server finds")
        front.house.reload()
        _, said = front.doctor()
        tap.ok("good: daemon: " in said and f"error: maps: {front.maps}/{domains}" in said, "... and the daemon has it", said)
    front.house.reload()
    with front.changed(front.house.path):
        with open(front.house.path, "a", encoding="utf-8") as file:
            file.write("\n# a comment\n")
        front.good("a comment alone is no difference")
        with open(front.house.path, "a", encoding="utf-8") as file:
            file.write("[policy OTHER]\nmax_message_size = 5M\n")
        front.bad("a key has changed", r"^error: daemon: .* another configuration")
    state = os.path.join(front.house.run, "state")
    os.rename(state, state + ".away")
    front.good("a folder that comes and goes is no difference")
    os.rename(state + ".away", state)
    other = front.house.write("other.conf", open(front.house.path, encoding="utf-8").read())
    status, out, err = front.house.ctl("doctor", *front.arguments(), conf=other)
    tap.ok(status == 1 and re.search(r"^error: daemon: process \d+ runs .*gatehouse.conf, and not .*other.conf", out, re.M),
           "another file than the daemon's", out + err)


def map_is_gone(front):
    file = "relay_domains.lmdb" if front.mta == "Postfix" else "mailertable.db"
    path = os.path.join(front.maps, file)
    os.rename(path, path + ".away")
    front.bad(f"{file} is gone", rf"^error: maps: .*/{file.split('.', maxsplit=1)[0]} does not match the configuration")
    os.rename(path + ".away", path)
    front.good(f"{file} is back")


def way(front):
    """The socket is there, but not for everybody."""
    folder = os.path.dirname(front.socket)
    owner = front.mx.run("postconf", "-h", "mail_owner").strip()
    with open(os.path.join(front.mx.folder, "etc", "master.cf"), encoding="utf-8") as file:
        services = file.read()
    for column in "ny":
        front.write(os.path.join(front.mx.folder, "etc", "master.cf"), re.sub(r" inet n - . - - smtpd", f" inet n - {column} - - smtpd", services))
        front.good(f"chroot {column}")
        os.chmod(folder, 0o700)
        front.bad(f"chroot {column}: folder of the socket 0700",
                  rf"^error: .*user {owner} cannot connect to .*Permission denied; the folder .*/gatehouse has mode 0700")
        os.chmod(folder, 0o755)
        os.chmod(front.socket, 0o600)
        front.bad(f"chroot {column}: the socket 0600", r"^error: .*Permission denied; the socket .* has mode 0600")
        os.chmod(front.socket, 0o660)
    front.write(os.path.join(front.mx.folder, "etc", "master.cf"), services)
    with front.settings("mail_owner = nobody-of-this-name"):
        front.bad("an unknown user", r"^error: main.cf: mail_owner = nobody-of-this-name: there is no such user")


def as_somebody(front):
    """Without root: what can be told, and what cannot."""
    done = subprocess.run([CTL, "-c", front.house.path, "doctor", *front.arguments()], user=USER, group=65534,
                          extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120, text=True)
    tap.ok(done.returncode == 0 and re.search(r"^cannot tell: .*only root can try; by the permissions it can", done.stdout, re.M)
           and re.search(r"^Postfix: no error found, and \d+ things? that could not be checked", done.stdout, re.M)
           and "Postfix: good" not in done.stdout, "not root: nothing is wrong, and not all is told", done.stdout)
    os.chmod(os.path.dirname(front.socket), 0o700)
    done = subprocess.run([CTL, "-c", front.house.path, "doctor", *front.arguments()], user=USER, group=65534,
                          extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120, text=True)
    os.chmod(os.path.dirname(front.socket), 0o755)
    tap.ok(done.returncode == 1 and re.search(r"^error: .*cannot connect to .*: the folder .* has mode 0700", done.stdout, re.M),
           "... a folder that is closed is seen", done.stdout)


def security(front):
    """AUTH and TLS that policies require and the mail server does not have."""
    tls = ("offers no TLS, and a policy has tls = required" if front.mta == "Postfix"
           else "name no certificate: Sendmail offers no TLS")
    front.with_conf(front.conf + "[policy ACCEPTED]\nauth = required\n")
    if front.mta == "Postfix":
        front.bad("auth = required without SASL", "smtpd_sasl_auth_enable is not yes, and a policy has auth = required")
        front.bad("... in a session, too", r"^error: .*: AUTH is not offered, and a policy of \[listener first\]", more=("--try",))
    front.with_conf(front.conf + "[policy ACCEPTED]\ntls = required\n")
    front.bad("tls = required without a certificate", tls)
    front.bad("... in a session, too", r"^error: .*: STARTTLS is not offered, and a policy of \[listener first\]",
              r"^good: .*Gatehouse refuses .*: 530 5.7.0 Must issue a STARTTLS", more=("--try",))
    front.with_conf(front.conf)
    front.good("as it was")


def monitor(front):
    front.house.configure(front.with_services(front.conf), mode="monitor")
    front.house.reload()
    front.write_maps()
    status, said = front.doctor("--try")
    tap.ok(status == 0 and "warning: " in said, f"{front.mta}: monitor: warnings alone", said)
    for words in ("relay_recipient_maps is empty, and with mode = monitor",) if front.mta == "Postfix" else ("accept_unresolvable_domains", "accept_unqualified_senders"):
        tap.ok(words in said, f"{front.mta}: monitor: {words}", said)
    tap.ok(re.search(r"^good: .*Gatehouse was asked for <gatehouse-doctor-.*@example.com>, by its own count", said, re.M),
           "... nothing is refused, but counted", said)
    lines = front.ctl("mta-config", "--mta", front.mta.lower(), "--output", front.maps)
    tap.ok(not re.search(r"^(relay_recipient_maps|mydestination) =|^FEATURE\(`accept_un", lines, re.M), "... mta-config leaves them alone", lines)
    front.house.settings.pop("mode")
    front.with_conf(front.conf)
    front.write_maps()


def code(front, source, recipient):
    """Of the answer to a recipient; "" while the mail server opens its sockets again."""
    try:
        with front.client(source, "first") as client:
            client.mail()
            return client.rcpt(recipient)[:3]
    except ConnectionRefusedError:
        return ""


def read_again(front, source, recipient, wanted):
    """Maps are written anew; when this holds the mail server has read them."""
    front.write_maps()
    if front.mta == "Postfix":
        front.mx.instance("reload")
    wait_until(lambda: code(front, source, recipient) == wanted, f"{recipient} from {source}: {wanted}")


def blocks(front):
    """A relay client of `hat block`."""
    foreign = ("127.0.20.1", "u@elsewhere.example")
    tap.eq(front.ctl("hat", "block", "127.0.20.2").count("\n"), 1, "another block says nothing of the mail server")
    before = code(front, *foreign)
    told = front.ctl("hat", "block", "127.0.20.1", "--policy", "RELAYED", "--for", "1h")
    tap.ok("run gatehousectl maps" in told, "hat block --policy RELAYED says that the mail server does not know", told)
    tap.ok(before[0] == "5" and code(front, *foreign) == before, "... and it does not", before)
    file = "relay_clients.first" if front.mta == "Postfix" else "access"
    front.bad("a relay block that is not in the maps", rf"^error: maps: .*/{file} lacks clients that `gatehousectl hat block` allows to relay")
    read_again(front, *foreign, "250")
    front.good("... written")
    told = front.ctl("hat", "block", "relay.example", "--policy", "RELAYED")
    status, said = front.doctor()
    tap.ok("takes addresses" in told and status == 0 and re.search("^warning: .* allows relay.example to relay, which is not an address", said, re.M),
           f"{front.mta}: a relay block by name: no map can have it", told + said)
    front.ctl("hat", "unblock", "relay.example")
    front.ctl("hat", "unblock", "127.0.20.1")
    front.ctl("hat", "unblock", "127.0.20.2")
    front.bad("... and is no block any more", rf"^error: maps: .*/{file} does not match the configuration")
    read_again(front, *foreign, before)


def tried(front, everybody, later):
    """Sessions, before hosts that know nobody, take everybody, and cannot tell."""
    front.good("tried", "--try")
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse refuses <gatehouse-doctor-[0-9a-f]{16}@example.com>: 550 5.1.1 ", said, re.M),
           f"{front.mta}: an unknown recipient, by call-ahead", said)
    front.with_conf(front.conf.replace(f":{host.port}", f":{everybody.port}"))
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse was asked for <gatehouse-doctor-.*>, by its own count \(250", said, re.M),
           "... a host that takes everybody is no fault of ours", said)
    front.with_conf(front.conf.replace(f":{host.port}", f":{later.port}"))
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse refuses <gatehouse-doctor-.*: 451 ", said, re.M), "... one that cannot tell", said)
    front.with_conf(front.conf)
    front.house.write("rat.txt", "joe@example.com REJECT\nexample.com ACCEPT {bypass_callahead}\n")
    front.house.reload()
    front.good("one whom the RAT refuses", "--try")
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse refuses <joe@example.com>: 550 5.1.0 ", said, re.M), "... by name", said)
    front.house.write("rat.txt", "example.com ACCEPT {bypass_callahead}\n")
    front.house.reload()
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse refuses (a message that is too large: 552|<gatehouse-doctor-.*@gatehouse-doctor.invalid>: 550)", said, re.M),
           "... where nobody at the domain is refused", said)
    front.house.write("rat.txt", FILES["rat.txt"])
    front.house.reload()
    tap.eq(front.mx.queued(), [], "no message was left behind")
    tap.eq(front.house.find_log(event="eom"), [], "... nor seen")


def relaying(front):
    """This host may relay, so that Gatehouse refuses it nothing but a size."""
    foreign = ("127.0.0.1", "u@elsewhere.example")
    before = code(front, *foreign)
    front.with_conf(front.conf.replace("senders = 127.0.10.", "senders = 127."))
    read_again(front, *foreign, "250")
    front.good("this host may relay", "--try")
    _, said = front.doctor("--try")
    tap.ok(re.search(r"^good: .*: Gatehouse refuses a message that is too large: 552 5.3.4 ", said, re.M), "... but not everything", said)
    front.with_conf(front.conf)
    read_again(front, *foreign, before)


def not_asked(front):
    """Postfix without us: what a session finds, whatever the configuration says."""
    path = os.path.join(front.mx.folder, "etc", "master.cf")
    with open(path, encoding="utf-8") as file:
        services = file.read()
    front.write(path, services.replace("    -o smtpd_delay_reject=no\n", "    -o smtpd_delay_reject=no\n    -o smtpd_milters=\n"))
    front.mx.instance("reload")
    unknown = ("127.0.0.1", "gatehouse-doctor-x@example.com")
    wait_until(lambda: code(front, *unknown) == "250", "unknown recipients are taken")
    front.write(path, services)
    front.bad("a Postfix that has not read its files again", r"^error: .*: <gatehouse-doctor-.*, which does not exist, is accepted .*it was not asked",
              more=("--try",))
    front.mx.instance("reload")
    wait_until(lambda: code(front, *unknown) == "550", "unknown recipients are refused")
    front.good("... has read them", "--try")
    with front.settings("smtpd_recipient_restrictions = check_recipient_access static:{450 4.7.1 Greylisted}"):
        front.mx.instance("reload")
        wait_until(lambda: code(front, *unknown) == "450", "unknown recipients are greylisted")
    status, said = front.doctor("--try")
    tap.ok(status == 0 and re.search(r"^cannot tell: .*puts <gatehouse-doctor-.*> off before that \(450 4.7.1 ", said, re.M),
           "another filter comes first", said)
    front.mx.instance("reload")
    wait_until(lambda: code(front, *unknown) == "550", "nobody is greylisted")


def run_as(front):
    with open(front.cf, encoding="utf-8") as file:
        text = file.read()
    with front.changed(front.cf, text + "\nO RunAsUser=nobody-of-this-name\n"):
        front.bad("an unknown user", r"^error: sendmail.cf: RunAsUser = nobody-of-this-name: there is no such user")
    with front.changed(front.cf, text + f"\nO RunAsUser={USER}\n"):
        front.good("another user")
        os.chmod(front.socket, 0o400)
        front.bad("another user, whom the socket is not for", r"^error: .*cannot connect to .*Permission denied; the socket .* mode 0400")
        os.chmod(front.socket, 0o660)


with (smtpserver.Server(rcpt=NOBODY) as host, smtpserver.Server() as open_host,
      smtpserver.Server(rcpt_default="451 4.7.1 later") as slow_host):
    conf = CONF.format(port=host.port)
    with PostfixHere(tap, conf, FILES) as the_front:
        for part in (daemon, stale, map_is_gone, way, as_somebody, security, monitor, blocks, relaying, not_asked):
            tap.part(lambda part=part: part(the_front))
        tap.part(lambda: tried(the_front, open_host, slow_host))
    with SendmailHere(tap, conf, FILES) as the_front:
        for part in (daemon, stale, map_is_gone, run_as, security, monitor, blocks, relaying):
            tap.part(lambda part=part: part(the_front))
        tap.part(lambda: tried(the_front, open_host, slow_host))
for kind in ("inet", "inet6"):
    with PostfixAtPort(kind) as the_front:
        tap.part(lambda: at_port(the_front))
tap.done()
