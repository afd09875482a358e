"""A private Postfix for a test, an SMTP client for it, and mailboxes behind it.

    mx = Postfix(os.path.join(folder, "mx"), "mx.example.com")
    mx.settings("mydestination =")
    mx.services("127.0.0.1:2525 inet n - n - - smtpd")
    mx.start()
    with Client(2525, source="127.0.0.66") as client:
        client.command("MAIL FROM:<a@example.net>")    # "250 2.1.0 Ok"
    mx.stop()

etc/postfix-instance does the work; FOLDER's parents must be open to everybody.
"""

import os
import re
import socket
import ssl
import subprocess

from house import PATIENCE, TOP, wait_until
from logged import Logged

INSTANCE = os.path.join(TOP, "etc", "postfix-instance")


class Postfix(Logged):
    def __init__(self, folder, hostname):
        self.folder = folder
        self.instance("create", hostname)
        self.queue = os.path.join(folder, "queue")

    def instance(self, job, *more):
        done = subprocess.run(
            [INSTANCE, job, self.folder, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"postfix-instance {job}: {done.stdout}")
        return done.stdout

    def run(self, program, *arguments):
        """What one of Postfix's commands prints."""
        return self.instance("run", program, *arguments)

    def append(self, name, text):
        with open(os.path.join(self.folder, "etc", name), "a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")

    def settings(self, text):
        """Lines for main.cf; they take the place of lines of the same name."""
        path = os.path.join(self.folder, "etc", "main.cf")
        names = set(re.findall(r"^(\w+) *=", text, re.M))
        with open(path, encoding="utf-8") as file:
            kept = [line for line in file if line.split("=")[0].strip() not in names]
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(kept)
        self.append("main.cf", text)

    def services(self, text):
        """Lines for master.cf."""
        self.append("master.cf", text)

    def start(self):
        self.instance("start")

    def stop(self):
        self.instance("stop")

    def flush(self):
        """Tries now to deliver what waits."""
        self.run("postqueue", "-f")

    def queued(self):
        """Messages in the queue."""
        return self.run("postqueue", "-j").splitlines()


class Mailboxes:
    """Mailboxes of `users` in a private Postfix; other recipients are refused with 5.1.1."""

    def __init__(self, folder, port, users):
        self.postfix = Postfix(folder, "mailhost.example.com")
        self.folder = os.path.join(folder, "mail")
        self.port = port
        os.mkdir(self.folder)
        os.chown(self.folder, 65534, 65534)
        domains = sorted({user.split("@")[1] for user in users})
        with open(os.path.join(folder, "etc", "users"), "w", encoding="utf-8") as file:
            file.writelines(f"{user} {user}/\n" for user in users)
        self.postfix.settings(
            f"virtual_mailbox_domains = {' '.join(domains)}\n"
            f"virtual_mailbox_base = {self.folder}\n"
            "virtual_mailbox_maps = texthash:$config_directory/users\n"
            "virtual_uid_maps = static:65534\n"
            "virtual_gid_maps = static:65534\n"
        )
        self.postfix.services(f"127.0.0.1:{port} inet n - n - - smtpd")

    def mail(self, user):
        """The texts of a user's messages."""
        folder = os.path.join(self.folder, user, "new")
        texts = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                texts.append(file.read())
        return texts

    def wait_mail(self, user, word):
        """The message of a user with this word in it."""
        return wait_until(
            lambda: next((text for text in self.mail(user) if word in text), None),
            f"mail with {word} for {user}",
        )


class Client:
    """An SMTP client that sends just what it is told. Replies are text, with "\\n" between
    the lines of a longer one; "" is a closed connection."""

    def __init__(self, port, source="127.0.0.1", helo="client.example.net"):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE * 2, (source, 0))
        self.file = self.sock.makefile("rb")
        self.banner = self.reply()
        if helo and self.banner.startswith("220"):
            self.ehlo = self.command(f"EHLO {helo}")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.file.close()
        self.sock.close()

    def reply(self):
        lines = []
        while True:
            try:
                line = self.file.readline().decode("utf-8", "replace").rstrip("\r\n")
            except ConnectionResetError:
                line = ""
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    def command(self, line):
        try:
            self.sock.sendall(line.encode("utf-8") + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return ""
        return self.reply()

    def mail(self, sender="sender@example.net", parameters=""):
        return self.command(f"MAIL FROM:<{sender}>{parameters and ' '}{parameters}")

    def rcpt(self, recipient):
        return self.command(f"RCPT TO:<{recipient}>")

    def data(self, body="Hello."):
        """The reply to the whole message."""
        answer = self.command("DATA")
        if not answer.startswith("354"):
            return answer
        return self.command(f"From: a@example.net\r\nSubject: test\r\n\r\n{body}\r\n.")

    def starttls(self, helo="client.example.net", certificate=None):
        answer = self.command("STARTTLS")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate)
        self.file.close()
        self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        self.command(f"EHLO {helo}")
        return answer


def send(port, source, recipient, sender="sender@example.net", body=None):
    """One message in one session: the first reply that is not positive, or the last."""
    with Client(port, source) as client:
        for step in (
            lambda: client.banner,
            lambda: client.mail(sender),
            lambda: client.rcpt(recipient),
            lambda: client.data(body) if body is not None else "250 not sent",
        ):
            answer = step()
            if not answer.startswith("2"):
                return answer
        return answer
