"""SMTP servers that take all mail, for tests of where it goes.

    with Sinks() as sinks:
        sinks.listen("a", "127.0.0.21", 2525)
        sinks.listen("b", "127.0.0.25", 587, certificate=PEM, accounts={"joe": "secret"})
        ... mail ...
        sinks.got("a")       # [Mail(rcpts=["x@one.test"], text="...", tls=False, user=None)]

With a certificate STARTTLS is offered, with accounts AUTH PLAIN and LOGIN, and demanded before MAIL.
A refusal ("450 4.2.0 no") is the answer to every RCPT; with users all others are unknown.
"""

import base64
import collections
import socket
import socketserver
import ssl
import threading

Mail = collections.namedtuple("Mail", "rcpts text tls user")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address, **settings):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Connection)
        self.certificate = settings.pop("certificate", None)
        self.accounts = settings.pop("accounts", None)
        self.refusal = settings.pop("refusal", None)
        self.users = settings.pop("users", None)
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        self.tls, self.user, self.rcpts = False, None, []
        self.say("220 sink ESMTP")
        try:
            while line := self.line():
                if not self.obey(line):
                    return
        except (OSError, ValueError):
            return

    def line(self):
        return self.rfile.readline().decode("utf-8", "replace").rstrip("\r\n")

    def say(self, text):
        self.wfile.write(text.encode("utf-8") + b"\r\n")

    def obey(self, line):
        verb = line.split(" ")[0].split(":")[0].upper()
        getattr(self, "do_" + verb.lower(), self.do_other)(line)
        return verb != "QUIT"

    def do_ehlo(self, _line):
        words = ["sink"]
        if self.server.certificate and not self.tls:
            words.append("STARTTLS")
        if self.server.accounts:
            words.append("AUTH PLAIN LOGIN")
        for i, word in enumerate(words):
            self.say(f"250{' ' if i == len(words) - 1 else '-'}{word}")

    def do_starttls(self, _line):
        self.say("220 go ahead")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        self.request = context.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
        self.tls = True

    def do_auth(self, line):
        words = line.split()
        if words[1].upper() == "PLAIN":
            token = words[2] if len(words) > 2 else self.ask("")
            _, user, password = base64.b64decode(token).decode("utf-8").split("\0")
        else:
            user = base64.b64decode(self.ask("VXNlcm5hbWU6")).decode("utf-8")
            password = base64.b64decode(self.ask("UGFzc3dvcmQ6")).decode("utf-8")
        good = (self.server.accounts or {}).get(user) == password
        self.user = user if good else None
        self.say("235 2.7.0 good" if good else "535 5.7.8 no")

    def ask(self, challenge):
        self.say("334 " + challenge)
        return self.line()

    def do_mail(self, _line):
        self.rcpts = []
        self.say("530 5.7.0 who are you?" if self.server.accounts and not self.user else "250 2.1.0 ok")

    def do_rcpt(self, line):
        address = line[line.index("<") + 1 : line.index(">")]
        refusal = self.server.refusal
        if self.server.users is not None and address not in self.server.users:
            refusal = "550 5.1.1 who is that?"
        if not refusal:
            self.rcpts.append(address)
        self.say(refusal or "250 2.1.5 ok")

    def do_data(self, _line):
        self.say("354 go on")
        text = []
        while (line := self.line()) != ".":
            text.append(line)
        self.server.mails.append(Mail(self.rcpts, "\n".join(text), self.tls, self.user))
        self.say("250 2.0.0 taken")

    def do_quit(self, _line):
        self.say("221 bye")

    def do_other(self, _line):
        self.say("250 ok")


class Sinks:
    def __init__(self):
        self.servers = {}

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for name in list(self.servers):
            self.close(name)

    def listen(self, name, address, port, **settings):
        self.servers[name] = Server((address, port), **settings)

    def close(self, name):
        server = self.servers.pop(name)
        server.shutdown()
        server.server_close()

    def got(self, name):
        return list(self.servers[name].mails)

    def where(self, word):
        """The names of those that got a message with this word in it."""
        return sorted(name for name, server in self.servers.items()
                      if any(word in mail.text for mail in server.mails))

    def mail(self, word):
        """The first such message."""
        return next(mail for server in self.servers.values() for mail in server.mails if word in mail.text)
