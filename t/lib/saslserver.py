"""An authentication server as Dovecot has one, for tests of AUTH PLAIN in Postfix.

    with SaslServer({"user": "password"}) as sasl:
        mx.settings("smtpd_sasl_type = dovecot\n"
                    f"smtpd_sasl_path = inet:127.0.0.1:{sasl.port}")
"""

import base64
import socketserver
import threading

GREETING = (
    "VERSION\t1\t2\n"
    "MECH\tPLAIN\tplaintext\n"
    "SPID\t1\n"
    "CUID\t1\n"
    "COOKIE\t00112233445566778899aabbccddeeff\n"
    "DONE\n"
)


class SaslServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, passwords):
        super().__init__(("127.0.0.1", 0), Connection)
        self.passwords = passwords
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(GREETING.encode("ascii"))
        for line in self.rfile:
            words = line.decode("utf-8").rstrip("\n").split("\t")
            if words[0] == "AUTH":
                self.wfile.write(self.judge(words).encode("utf-8"))

    def judge(self, words):
        """AUTH ID MECHANISM ... resp=BASE64"""
        given = next((word[5:] for word in words if word.startswith("resp=")), "")
        _, user, password = base64.b64decode(given).decode("utf-8").split("\0")
        if self.server.passwords.get(user) == password:
            return f"OK\t{words[1]}\tuser={user}\n"
        return f"FAIL\t{words[1]}\tuser={user}\n"
