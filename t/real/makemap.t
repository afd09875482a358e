#!/usr/bin/python3
"""`gatehousectl maps --mta sendmail` with Sendmail's own makemap. Needs no running Sendmail."""
import os
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import CTL, House
from sendmail import Sendmail
from tap import Tap

CONF = """
[routes]
file = routes
[auth smart]
user = joe
password_file = password
[listener inbound]
rat = rat
daemon_name = MTA
groups = SHUT, LAN
[listener outbound]
type = private
local_port = 2525
groups = BADLAN, LAN
[group SHUT]
policy = tcprefuse
senders = 192.0.2.64-192.0.2.66, 2001:db8:bad::/48
[group BADLAN]
policy = reject
senders = 10.1.2.3
[group LAN]
policy = RELAYED
senders = 10.1.2., 2001:db8:1::/48
"""
ROUTES = "one.example: [192.0.2.1]:2525 auth=smart\n.one.example: USEDNS\nB\u00fccher.example: hub.example.net\nALL: /dev/null\n"
RAT = "one.example, .one.example ACCEPT\nuser@two.example ACCEPT\nshut.example REJECT\n"

tap = Tap()


class Scene:
    def __init__(self):
        self.house = House(CONF, {"routes": ROUTES, "rat": RAT, "password": "secret\n"}, start=False)
        os.chmod(os.path.join(self.house.folder, "password"), 0o600)
        self.makemap = Sendmail(os.path.join(self.house.folder, "mx"), "mx.example.com").makemap
        self.out = os.path.join(self.house.folder, "maps")

    def arguments(self, *more):
        return ("maps", "--mta", "sendmail", "--output", self.out, "--compiler", self.makemap, *more)

    def maps(self, *more):
        """(status, all it says)"""
        status, out, err = self.house.ctl(*self.arguments(*more))
        return status, out + err

    def table(self, name):
        """What makemap finds in a compiled map."""
        lines = subprocess.run([self.makemap, "-u", "hash", os.path.join(self.out, name)], check=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60).stdout
        return dict(line.split("\t", 1) for line in lines.decode("utf-8").splitlines())

    def read(self, name):
        with open(os.path.join(self.out, name), encoding="utf-8") as file:
            return file.read()

    def stamps(self):
        stats = {name: os.stat(os.path.join(self.out, name)) for name in os.listdir(self.out)}
        return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_mode) for name, stat in stats.items()}

    def good(self, what):
        status, said = self.maps()
        tap.ok(status == 0 and self.maps("--check")[0] == 0, what, said)


def first_run(scene):
    status, said = scene.maps()
    tap.ok(status == 0, "maps are written", said)
    tap.eq(scene.table("mailertable"), {
        "one.example": "relay2525:[192.0.2.1]",
        ".one.example": "relay:%1.one.example",
        "xn--bcher-kva.example": "relay:hub.example.net",
        "b\u00fccher.example": "relay:hub.example.net",
        ".": "devnull:devnull",
    }, "mailertable")
    access = scene.table("access")
    tap.eq({key: access.get(key) for key in (
        "gatehouserefuse:mta:192.0.2.64", "gatehouserefuse:mta:ipv6:2001:db8:bad",
        "gatehouserelay:mta:10.1.2", "gatehouserelay:outbound:10.1.2", "gatehouserelay:outbound:10.1.2.3",
        "gatehouserelay:outbound:10.1.2.4", "gatehouserelay:outbound:ipv6:2001:db8:1", "tls_srv:192.0.2.1")}, {
            "gatehouserefuse:mta:192.0.2.64": "REFUSE", "gatehouserefuse:mta:ipv6:2001:db8:bad": "REFUSE",
            "gatehouserelay:mta:10.1.2": "OK", "gatehouserelay:outbound:10.1.2": None,
            "gatehouserelay:outbound:10.1.2.3": None, "gatehouserelay:outbound:10.1.2.4": "OK",
            "gatehouserelay:outbound:ipv6:2001:db8:1": "OK", "tls_srv:192.0.2.1": "ENCR:112"}, "access")
    tap.eq(scene.read("relay-domains").splitlines()[1:], [".one.example", "one.example", "two.example"],
           "relay-domains")
    modes = {name: stat[2] & 0o777 for name, stat in scene.stamps().items()}
    tap.eq((modes["access.db"], modes["authinfo"], modes["authinfo.db"]), (0o644, 0o600, 0o600), "modes")
    tap.ok("secret" not in said and "c2VjcmV0" not in said, "the password is not told")


def without_credentials(scene):
    """What no route asks for any more is taken out of the maps, and not left there."""
    scene.house.write("routes", ROUTES.replace(" auth=smart", ""))
    tap.eq(scene.maps("--check")[0], 1, "--check sees that no route has auth= any more")
    tap.ok(scene.table("authinfo") and scene.maps()[0] == 0 and scene.table("authinfo") == {},
           "... and the next run takes the credentials away")
    tap.ok("c2VjcmV0" not in scene.read("authinfo"), "... from the text, too")
    tap.eq(scene.maps("--check")[0], 0, "... after which nothing differs")
    scene.house.write("routes", ROUTES)
    scene.good("... until there are some again")


def unchanged(scene):
    before = scene.stamps()
    tap.ok(scene.maps()[0] == 0 and scene.stamps() == before, "a second run touches nothing")
    tap.ok(scene.maps("--check")[0] == 0 and scene.stamps() == before, "--check finds no difference")


def drift(scene):
    subprocess.run([scene.makemap, "hash", os.path.join(scene.out, "access")], input="connect:10 RELAY\n",
                   text=True, check=True, stderr=subprocess.DEVNULL)
    before = scene.stamps()
    status, said = scene.maps("--check")
    tap.ok(status == 1 and "access" in said and scene.stamps() == before,
           "--check sees what somebody made of a compiled map", said)
    scene.good("... and the next run takes it back")
    with open(os.path.join(scene.out, "relay-domains"), "a", encoding="utf-8") as file:
        file.write("other.example\n")
    tap.eq(scene.maps("--check")[0], 1, "--check sees a line somebody put into relay-domains")
    status, said = scene.maps()
    tap.ok(status == 0 and "Sendmail must be restarted" in said, "... and the next run says that a restart is due", said)


def reload(scene):
    """A program of the administrator's, run only where a restart is due."""
    path = scene.house.write("mta", f"#!/bin/sh\necho \"$@\" >> {scene.house.folder}/calls\n")
    os.chmod(path, 0o755)
    calls = os.path.join(scene.house.folder, "calls")
    scene.house.write("routes", ROUTES + "new.example: /dev/null\n")
    tap.ok(scene.maps("--reload=" + path)[0] == 0 and not os.path.exists(calls), "--reload: not for a route")
    scene.house.write("rat", RAT + "new.example ACCEPT\n")
    tap.eq(scene.maps("--reload=" + path)[0], 0, "... but for a new domain")
    with open(calls, encoding="utf-8") as file:
        tap.eq(file.read(), "reload\n", "... once")
    scene.house.write("routes", ROUTES)
    scene.house.write("rat", RAT)
    status, said = scene.maps("--reload=/nowhere")
    tap.ok(status == 1 and "/nowhere" in said, "... and tells where that fails", said)


def broken_compiler(scene):
    path = scene.house.write("wrong", "#!/bin/sh\necho 'out of luck' >&2\nexit 75\n")
    os.chmod(path, 0o755)
    old = scene.table("mailertable")
    scene.house.write("routes", "one.example: /dev/null\n")
    status, said = scene.maps("--compiler", path)
    tap.ok(status == 1 and "out of luck" in said, "a compiler that fails is an error with its own words", said)
    tap.eq(scene.table("mailertable"), old, "... and Sendmail goes on with the old map")
    scene.house.write("routes", ROUTES)
    scene.good("... which the next run replaces")


def refused(scene):
    before = scene.stamps()
    scene.house.write("rat", RAT + "ALL ACCEPT\n")
    status, said = scene.maps()
    tap.ok(status == 1 and "--force" in said and scene.stamps() == before, "ALL ACCEPT in a RAT is refused", said)
    tap.eq(scene.maps("--force")[0], 0, "... and taken with --force")
    scene.house.write("rat", RAT)
    for route, wanted in (
        ("x.example: 192.0.2.1:25, 192.0.2.2:26\n", "different ports"),
        ("x.example: 192.0.2.1 auth=other\n", "other"),
    ):
        scene.house.write("routes", route)
        status, said = scene.maps()
        tap.ok(status == 1 and wanted in said, f"refused: {route.strip()}", said)
    scene.house.write("routes", ROUTES)
    os.chmod(os.path.join(scene.house.folder, "password"), 0o644)
    status, said = scene.maps()
    tap.ok(status == 1 and "0600" in said, "a password that others can read is refused", said)
    os.chmod(os.path.join(scene.house.folder, "password"), 0o600)
    scene.house.write("password", "p" * 181 + "\n")
    status, said = scene.maps()
    tap.ok(status == 1 and "at most 180 bytes" in said, "... and one that Sendmail would cut off", said)
    scene.house.write("password", "secret\n")
    scene.good("... all of which is put right")


def killed(scene):
    """Killed anywhere, Sendmail has one whole generation, and the next run finishes."""
    def generation(number):
        return "".join(f"c{i}.example: [192.0.2.{number}]\n" for i in range(20000))

    scene.house.write("routes", generation(1))
    began = time.monotonic()
    scene.good("many routes")
    whole = (time.monotonic() - began) / 2
    last = 1
    for turn in range(2, 8):
        scene.house.write("routes", generation(turn))
        with subprocess.Popen([CTL, "-c", scene.house.path, *scene.arguments()], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True) as child:
            time.sleep(random.uniform(0, whole))
            os.killpg(child.pid, signal.SIGKILL)
        table = scene.table("mailertable")
        tap.ok(len(table) == 20000 and set(table.values()) in ({f"relay:[192.0.2.{n}]"} for n in (last, turn)),
               f"killed, turn {turn}: the map is whole")
        scene.good("... and the next run finishes")
        last = turn


the_scene = Scene()
try:
    for part in (first_run, without_credentials, unchanged, drift, reload, broken_compiler, refused, killed):
        tap.note(part.__name__)
        tap.part(lambda part=part: part(the_scene))
finally:
    the_scene.house.remove()
tap.done()
