"""A private Dovecot for a test, as a message store that takes mail by LMTP only.

    with Dovecot(os.path.join(folder, "store"), ["alice@example.com"]) as store:
        ... store.port, store.log() ...

To be run as root. FOLDER's parents must be open to everybody.
"""

import os
import subprocess

from house import free_port
from logged import Logged

DAEMON = "/usr/sbin/dovecot"
CONF = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
ssl = no
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class Dovecot(Logged):
    def __init__(self, folder, users):
        self.folder = folder
        self.port = free_port()
        self.process = None
        os.mkdir(folder)
        self.write("users", "".join(f"{user}:{{PLAIN}}x:65534:65534::{folder}/mail\n" for user in users))
        self.write("dovecot.conf", CONF.format(folder=folder, port=self.port))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def __enter__(self):
        self.process = subprocess.Popen(
            [DAEMON, "-F", "-c", os.path.join(self.folder, "dovecot.conf")], stdin=subprocess.DEVNULL
        )
        self.wait_log("starting up for lmtp")
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(60)
