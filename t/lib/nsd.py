"""NSD, a real authoritative name server, with zones of a test.

    with Nsd({"example.test": "@ A 192.0.2.1\n", "ill.test": None}) as dns:
        ... 127.0.0.1:{dns.port} ...

A zone gets $ORIGIN, TTL, SOA and NS; None: configured, but it cannot be loaded, and every
question about it is answered with SERVFAIL. What is in no zone is REFUSED. Nsd(zones, port=53)
in a network of one's own (ownhost.py) is what resolv.conf names.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time

from house import free_port

HEAD = "$ORIGIN %s.\n$TTL 300\n@ SOA ns.example.test. root.example.test. 1 3600 600 86400 60\n@ NS ns.example.test.\n"
CONF = """server:
    ip-address: 127.0.0.1@%(port)d
    username: ""
    chroot: ""
    database: ""
    zonesdir: "%(folder)s"
    pidfile: "%(folder)s/nsd.pid"
    xfrdfile: "%(folder)s/xfrd.state"
    zonelistfile: "%(folder)s/zone.list"
    logfile: "%(folder)s/nsd.log"
    server-count: 1
remote-control:
    control-enable: no
"""


class Nsd:
    def __init__(self, zones, port=None):
        self.folder = tempfile.mkdtemp(prefix="gatehouse-nsd-")
        self.port = port or free_port()
        program = shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.process = subprocess.Popen([program, "-d", "-c", self.configure(zones)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def configure(self, zones):
        conf = CONF % {"port": self.port, "folder": self.folder}
        for name, text in zones.items():
            conf += f'zone:\n    name: "{name}"\n    zonefile: "{name}"\n'
            if text is not None:
                with open(os.path.join(self.folder, name), "w", encoding="ascii") as zone:
                    zone.write(HEAD % name + text)
        path = os.path.join(self.folder, "nsd.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(conf)
        return path

    def wait(self):
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(os.path.join(self.folder, "nsd.log"), encoding="utf-8") as log:
            raise OSError("nsd does not start: " + log.read())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()
