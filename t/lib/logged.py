"""What a mail server of a test writes into FOLDER/log.

class Server(Logged):
    def __init__(self, folder): self.folder = folder
"""

import os
import re

from house import wait_until


class Logged:
    folder = None

    def log(self):
        try:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern):
        """The match of pattern in the log, once there is one."""
        return wait_until(lambda: re.search(pattern, self.log()), f"{pattern} in {self.folder}/log")
