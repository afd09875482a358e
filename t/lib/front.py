"""A mail server before Gatehouse, set up by `gatehousectl maps` and `mta-config`, for tests.

    with Front(tap, CONF, {"rat.txt": "example.com ACCEPT"}, "smtpd_tls_security_level = may") as front:
        with front.client("127.0.0.10", "main") as client:     # of [listener main]
            client.command("MAIL FROM:<a@example.net>")

Each listener of the configuration has a service of its own, on 127.0.0.1 and a free port.
SendmailFront is the same with Sendmail; its settings are lines of sendmail.mc.
"""

import os
import re
import subprocess

from house import House, free_port
from postfix import Client, Postfix
from sendmail import Sendmail


class Front:
    def __init__(self, tap, conf, files=None, settings=""):
        self.tap, self.conf, self.more_settings = tap, conf, settings
        names = re.findall(r"^\[listener (\w+)\]$", conf, re.M)
        self.ports = {name: free_port() for name in names}
        self.house = self.make_house(files)
        self.folder = self.house.folder
        self.maps = os.path.join(self.folder, "maps")
        self.mx = self.make_mx(os.path.join(self.folder, "mx"), "mx.example.com")

    def make_house(self, files):
        return House(start=False, files=files)

    def make_mx(self, folder, name):
        return Postfix(folder, name)

    def __enter__(self):
        try:
            self.configure_gatehouse()
            self.configure_mx()
            self.house.start()
            self.mx.start()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, *error):
        if error[0] is not None or self.tap.failed:
            self.tap.note(self.mx.log()[-4000:])
        self.mx.stop()
        self.house.__exit__(*error)

    def configuration(self, for_mx=False):
        """That of the daemon, or the one the maps are written from."""
        del for_mx
        return self.with_services(self.conf)

    def with_services(self, conf):
        for name, port in self.ports.items():
            keys = f"daemon_name = {name}\nlocal_address = 127.0.0.1\nlocal_port = {port}\n"
            conf = conf.replace(f"[listener {name}]\n", f"[listener {name}]\n{keys}")
        return conf

    def configure_gatehouse(self):
        folder = os.path.join(self.mx.queue, "gatehouse")
        os.mkdir(folder)
        owner = self.mx.run("postconf", "-h", "mail_owner").strip()
        group = subprocess.check_output(["id", "-gn", owner], text=True).strip()
        self.house.configure(
            self.configuration(for_mx=True),
            socket=f"unix:{folder}/milter.sock",
            socket_group=group,
        )

    def ctl(self, *arguments):
        status, out, err = self.house.ctl(*arguments)
        if not self.tap.eq(status, 0, f"gatehousectl {' '.join(arguments[:3])}"):
            self.tap.note(err)
        return out

    def configure_mx(self):
        self.write_maps()
        self.lines = self.ctl("mta-config", "--mta", "postfix", "--output", self.maps,
                              "--queue-directory", self.mx.queue)
        main, _, master = self.lines.partition("# === master.cf")
        self.mx.settings(main)
        self.mx.services("#" + master)
        self.mx.settings(self.more_settings)
        self.house.configure(self.configuration())

    def write_maps(self):
        self.ctl("maps", "--mta", "postfix", "--output", self.maps,
                 "--compiler", os.path.join(self.mx.folder, "postmap"))

    def reload(self, conf):
        """Another configuration for the daemon."""
        self.conf = conf
        self.house.configure(self.configuration())
        self.house.reload()

    def client(self, source, listener="main", **more):
        return Client(self.ports[listener], source, **more)


class BeforeMailhost:
    """A Front with self.mailhost, Mailboxes: they run while it does."""

    def __enter__(self):
        self.mailhost.postfix.start()
        return super().__enter__()

    def __exit__(self, *error):
        self.mailhost.postfix.stop()
        super().__exit__(*error)


class SendmailFront(Front):
    def make_mx(self, folder, name):
        return Sendmail(folder, name)

    def configure_gatehouse(self):
        self.house.configure(self.configuration(for_mx=True), socket="unix:" + self.house.address)

    def configure_mx(self):
        self.write_maps()
        self.lines = self.ctl("mta-config", "--mta", "sendmail", "--output", self.maps)
        self.mx.lines(self.more_settings)
        self.mx.settings(self.lines)
        self.house.configure(self.configuration())

    def write_maps(self):
        self.ctl("maps", "--mta", "sendmail", "--output", self.maps, "--compiler", self.mx.makemap)
