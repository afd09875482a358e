#!/usr/bin/python3
"""The Debian package in a clean Debian: installed, booted with systemd, configured as README says, used."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import self_signed
from dnsserver import DnsServer
from house import BUILD, TOP, wait_until
from ldappeer import LdapPeer
from machine import Machine
from postfix import Client, send
from sink import Sinks
from tap import Tap

CONF, RAT, ROUTES = (f"/etc/gatehouse/{name}" for name in ("gatehouse.conf", "rat.txt", "routes.txt"))
MAPS, LOG = "/etc/postfix/gatehouse", "/var/log/gatehouse/gatehouse.log"
DROP_IN = "/run/systemd/system/gatehouse.service.d"
SOCKET = "/var/spool/postfix/gatehouse/milter.sock"
FEATURES = """
[dns]
servers = 127.0.0.1:{dns}
[group ALLOWED_LIST]
senders = .client.example
[tls]
ca_file = /etc/gatehouse/ca.pem
[ldap directory]
uri = {ldap}
base_dn = dc=test
accept_query = (mail={{a}})
"""

tap = Tap()
machine = None
sinks = None


def run(*command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=600, check=False, text=True, **more)
    return done.returncode, done.stdout


# --- the package ---------------------------------------------------------------------


def configured(folder):
    """The build at hand, with Debian's folders: only what knows of them is compiled again."""
    build = os.path.join(folder, "build")
    shutil.copytree(BUILD, build, symlinks=True)
    for name in ("gatehoused", "gatehousectl"):
        for file in (name, name + ".o"):
            os.unlink(os.path.join(build, "milter", file))
    status, said = run(os.path.join(TOP, "configure"), "-q", "--prefix=/usr", "--sysconfdir=/etc",
                       "--disable-dependency-tracking", cwd=build)
    tap.eq(status, 0, "configure") or tap.note(said)
    return build


def make_deb(folder, build, **who):
    """The package, and what was said."""
    env = {name: value for name, value in os.environ.items() if name not in ("DEBFULLNAME", "DEBEMAIL")}
    status, said = run(os.path.join(TOP, "etc", "make-deb"), folder, build, env={**env, **who})
    if status != 0:
        raise RuntimeError(f"make-deb: {said}")
    return next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".deb")), said


def is_without_fault(folder, build):
    """... to lintian, and whatever the environment has for a maintainer."""
    nobody, ours = "Gatehouse packager <gatehouse@unknown.invalid>", "Ann Admin <ann@example.com>"
    folder = os.path.join(folder, "lintian")
    os.mkdir(folder)
    for who, wanted in (({}, nobody), ({"DEBEMAIL": ""}, nobody),
                        ({"DEBEMAIL": "ann@example.com"}, "Gatehouse packager <ann@example.com>"),
                        ({"DEBFULLNAME": "Ann Admin", "DEBEMAIL": "ann@example.com"}, ours),
                        ({"DEBEMAIL": ours}, ours),
                        ({"DEBFULLNAME": "Ånn Ädmin", "DEBEMAIL": "ann@example.com"}, "Ånn Ädmin <ann@example.com>"),
                        ({"DEBFULLNAME": "Ann, Admin", "DEBEMAIL": "ann@example.com"}, nobody),
                        ({"DEBEMAIL": "root@localhost"}, nobody), ({"DEBEMAIL": "root@mx.localdomain"}, nobody),
                        ({"DEBEMAIL": "a@b.example\nX: y"}, nobody), ({"DEBEMAIL": "Ann <ann@example.com"}, nobody)):
        package, said = make_deb(folder, build, **who)
        tap.eq(run("dpkg-deb", "-f", package, "Maintainer")[1].strip(), wanted, f"the maintainer of {who}")
        tap.eq("not used" in said, bool(who.get("DEBEMAIL")) and wanted == nobody, "... with a warning where it is not")
        tap.eq(run("lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error,warning", package),
               (0, ""), "... and lintian finds no fault")


def make_package(folder):
    build = configured(folder)
    tap.part(lambda: is_without_fault(folder, build))
    package, _ = make_deb(folder, build)
    fields = run("dpkg-deb", "-f", package)[1]
    tap.matches(re.compile(r"^Depends: .*\blibmilter1\.0\.1 \(>= .*\blibssl3 \(>= ", re.M), fields,
                "it depends on its libraries and their versions")
    return package


# --- help ------------------------------------------------------------------------------


def systemctl(*arguments):
    return machine.run("systemctl", *arguments)


def good(*command):
    """What the command says; it must succeed."""
    status, said = machine.run(*command)
    if status != 0:
        raise RuntimeError(f"{command}: {status}: {said}\n{journal()}")
    return said


def show(name):
    return good("systemctl", "show", "--value", "-p", name, "gatehouse")


def journal(*more):
    return machine.run("journalctl", "--no-pager", "-o", "cat", "-u", "gatehouse", *more)[1]


def in_journal(text, *more):
    """It gets there a moment after the fact."""
    try:
        return wait_until(lambda: text in journal(*more), text)
    except TimeoutError:
        return tap.note(journal())


def pid():
    return int(show("MainPID"))


def maps():
    """Names and contents of the maps."""
    names = good("ls", MAPS).split()
    return {name: good("sha256sum", f"{MAPS}/{name}").split()[0] for name in names}


def answer(recipient, source="127.0.0.9"):
    """To RCPT, or the refusal before it."""
    return send(25, source, recipient)


def code(recipient, source="127.0.0.9"):
    return answer(recipient, source).replace("250 not sent", "250")[:9]


# --- the parts, in order ------------------------------------------------------------------


def installed(said):
    tap.ok("libmilter1.0.1" in said and "Setting up gatehouse" in said, "apt installs it with its libraries", said)
    tap.eq(machine.run("dpkg", "--audit"), (0, ""), "dpkg finds nothing wrong")
    tap.eq(machine.run("dpkg", "--verify", "gatehouse"), (0, ""), "... and all files as they were packed")
    tap.eq(systemctl("is-system-running"), (0, "running"), "the system boots")
    tap.eq((systemctl("is-enabled", "gatehouse"), systemctl("is-active", "gatehouse")),
           ((1, "disabled"), (3, "inactive")), "nothing is started or enabled by itself")
    tap.eq(good("stat", "-c", "%n %U %a", "/etc/gatehouse", "/run/gatehouse", "/var/lib/gatehouse").split("\n"),
           ["/etc/gatehouse root 755", "/run/gatehouse gatehouse 755", "/var/lib/gatehouse gatehouse 700"], "its folders")
    good("systemctl", "start", "gatehouse")
    tap.eq(show("ConditionResult"), "no", "without a configuration it is not started")
    tap.eq(machine.run("gatehoused", "-V")[0], 0, "its programs run")


def take_lines():
    """What mta-config prints, put into main.cf and master.cf."""
    lines = good("gatehousectl", "mta-config", "--mta", "postfix").split("# === master.cf")
    main = re.sub(r"\n +", " ", re.sub(r"^(#.*)?\n", "", lines[0], flags=re.M)).strip().split("\n")
    good("postconf", "-e", "compatibility_level=3.6", "smtpd_peername_lookup=no", *main)
    good("postconf", "-MX", "smtp/inet")
    machine.write("/etc/postfix/master.cf", machine.read("/etc/postfix/master.cf") + "# " + lines[1])
    good("postfix", "reload")


def smallest():
    """README's configuration; what gatehouse-setup does with it, step by step (install_postfix.t runs that itself)."""
    with open(os.path.join(TOP, "README"), encoding="utf-8") as file:
        readme = file.read()
    block = re.search(r"^    gatehouse\.conf +(\[gatehouse\]\n.*?)^    rat\.txt", readme, re.M | re.S).group(1)
    machine.write(CONF, re.sub(r"^ +", "", block, flags=re.M))
    machine.write(RAT, "example.com ACCEPT\n")
    machine.write(ROUTES, "example.com: [127.0.0.5]:2500\n")
    good("install", "-d", MAPS)
    good("install", "-d", "-o", "gatehouse", "-g", "postfix", "-m", "2750", os.path.dirname(SOCKET))
    good("gatehousectl", "check")
    good("gatehousectl", "maps", "--mta", "postfix", "--output", MAPS)
    take_lines()
    good("systemctl", "enable", "--now", "gatehouse")
    tap.eq(good("stat", "-c", "%U %G %a", SOCKET), "gatehouse postfix 660", "the socket is there, and for Postfix")
    tap.eq(good("gatehousectl", "doctor", "--mta", "postfix") and 0, 0, "doctor finds nothing missing")
    tap.eq(send(25, "127.0.0.9", "alice@example.com", body="first")[:3], "250", "mail is taken")
    wait_until(lambda: sinks.where("first") == ["mailhost"], "its delivery")
    tap.eq([code("nobody@example.com"), code("alice@other.test")], ["550 5.1.1", "554 5.7.1"],
           "call-ahead decides, and the fence of the maps")
    tap.ok(in_journal("verdict=reject code=550 status=5.1.1 by=callahead"), "the journal has it")
    tap.ok(in_journal("event=rcpt", "--facility=mail"), "... with the facility mail")


def locked_up():
    with open(f"/proc/{machine.host_pid(pid())}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    tap.eq([status[name] for name in ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd", "Umask")],
           ["1", "2", "0" * 16, "0" * 16, "0077"], "no privileges, system calls filtered")
    exposure = re.search(r"level for gatehouse\.service: ([\d.]+)", machine.run(
        "systemd-analyze", "security", "--no-pager", "gatehouse.service")[1])
    tap.ok(exposure and float(exposure.group(1)) < 2.0, "systemd-analyze security", exposure)
    said = machine.run("systemd-analyze", "verify", "--man=no", "/lib/systemd/system/gatehouse.service")
    tap.eq(said, (0, ""), "and verify")
    tap.eq(machine.run("setpriv", "--reuid=nobody", "--clear-groups", "gatehousectl", "status")[0], 3,
           "another user does not get at the control socket")
    tap.eq(machine.run("gatehousectl", "status")[0], 0, "root does")


def reload():
    """Configuration and maps together."""
    before, first = maps(), pid()
    machine.write(RAT, "example.com ACCEPT\nsecond.test ACCEPT\n")
    machine.write(ROUTES, "example.com: [127.0.0.5]:2500\nsecond.test: [127.0.0.5]:2500\n")
    tap.eq(systemctl("reload", "gatehouse"), (0, ""), "reload")
    changed = {name for name, digest in maps().items() if before.get(name) != digest}
    tap.ok({"transport", "transport.lmdb", "relay_domains", "relay_domains.lmdb"} <= changed, "writes the maps", changed)
    tap.eq(send(25, "127.0.0.9", "carol@second.test", body="second")[:3], "250", "what is new is in force")
    wait_until(lambda: sinks.where("second") == ["mailhost"], "its delivery by the new map")
    before = maps()
    machine.write(ROUTES, "example.com: [127.0.0.6]\n")
    machine.write(RAT, "example.com\n")
    status, said = systemctl("reload", "gatehouse")
    tap.ok(status != 0 and "failed" in said, "a wrong one: the reload fails", said)
    tap.eq(maps(), before, "... the maps are as they were")
    tap.eq([code("carol@second.test"), pid()], ["250", first], "... and so is what runs")
    tap.ok(in_journal(f"{RAT}:1:"), "... the journal says why")
    tap.ok(in_journal("the running configuration stays", "--priority=err"), "... as an error")
    machine.write(RAT, "example.com ACCEPT\nsecond.test ACCEPT\n")
    good("mv", "/usr/sbin/postmap", "/usr/sbin/postmap.away")
    tap.eq([systemctl("reload", "gatehouse")[0], maps()], [1, before], "a map that cannot be written: it fails, too")
    good("mv", "/usr/sbin/postmap.away", "/usr/sbin/postmap")
    tap.eq(systemctl("reload", "gatehouse"), (0, ""), "... and can be done again")


def deny_by_death(wanted):
    """A system call that the unit does not allow kills, from the next start on: nobody overlooks that."""
    if wanted:
        good("mkdir", "-p", DROP_IN)
        machine.write(DROP_IN + "/death.conf", "[Service]\nSystemCallErrorNumber=\n")
    else:
        good("rm", "-r", DROP_IN)
    good("systemctl", "daemon-reload")


def everything_reaches_its_server():
    """DNS, TLS to the mailbox host, LDAP; a log file, through the sandbox."""
    pem = machine.path("/etc/gatehouse/ca.pem")
    self_signed(pem, "/CN=mailhost.example.com")
    sinks.listen("secure", "127.0.0.5", 2525, certificate=pem, users=["joe@tls.test"])
    zone = "9.0.0.127.in-addr.arpa PTR a.client.example\na.client.example A 127.0.0.9\n"
    with DnsServer(zone) as dns, LdapPeer() as peer:
        text = machine.read(CONF).replace("[gatehouse]\n", f"[gatehouse]\nlog = file:{LOG}\n")
        text = text.replace("[callahead mailboxes]\n", "[callahead mailboxes]\ntls = require\nverify = no\n")
        text = text.replace("[listener inbound]\n", "[listener inbound]\nldap_accept = directory\n")
        machine.write(CONF, text + FEATURES.format(dns=dns.port, ldap=peer.uri))
        machine.write(RAT, "tls.test ACCEPT\nldap.test ACCEPT {bypass_callahead}\n")
        machine.write(ROUTES, "ALL: [127.0.0.5]:2525\n")
        good("chmod", "644", "/etc/gatehouse/ca.pem")
        deny_by_death(True)
        good("systemctl", "restart", "gatehouse")
        good("systemctl", "reload", "gatehouse")
        tap.eq([code("joe@tls.test"), code("joe@ldap.test"), code("nobody@ldap.test")],
               ["250", "250", "550 5.1.1"], "TLS and LDAP")
        wait_until(lambda: "event=close" in machine.read(LOG), "the log file")
        tap.ok("group=ALLOWED_LIST" in machine.read(LOG), "DNS, and the log file", machine.read(LOG)[-3000:] + journal())
        good("mv", LOG, LOG + ".1")
        good("sh", "-c", re.search(r"postrotate\n(.*?)endscript", machine.read("/etc/logrotate.d/gatehouse"), re.S).group(1))
        wait_until(lambda: machine.run("test", "-e", LOG)[0] == 0, "a new one")
        code("joe@tls.test")
        wait_until(lambda: "event=close" in machine.read(LOG), "a line in it")
        reloads = (machine.read(LOG + ".1") + machine.read(LOG)).count('event=reload detail="the new')
        tap.eq(reloads, 1, "rotation is no reload")
        tap.eq(show("NRestarts"), "0", "no system call of all that is one the unit denies")
        deny_by_death(False)


def comes_back():
    good("gatehousectl", "hat", "block", "127.0.0.66")
    wait_until(lambda: machine.run("test", "-s", "/var/lib/gatehouse/blocks")[0] == 0, "the block is kept")
    for _ in range(7):
        before = pid()
        good("systemctl", "kill", "--signal=KILL", "gatehouse")
        wait_until(lambda last=before: pid() not in (0, last) and show("ActiveState") == "active", "a new one")
    tap.eq(show("NRestarts"), "7", "it comes back, however often it is killed")
    tap.eq(answer("joe@tls.test", "127.0.0.66")[:3], "554", "with what it was told to remember")
    tap.eq(systemctl("stop", "gatehouse"), (0, ""), "stop")
    tap.eq([show("Result"), machine.run("test", "-e", SOCKET)[0]], ["success", 1], "... leaves no socket")
    tap.eq(code("joe@tls.test"), "451 4.7.1", "without it clients come back later")
    kept = machine.read(CONF)
    machine.write(CONF, "[gatehouse]\nsocket = nowhere\n")
    tap.eq(systemctl("start", "gatehouse")[0], 1, "a wrong configuration does not start")
    tap.eq([show("ActiveState"), show("ExecMainStatus"), show("NRestarts")], ["failed", "78", "0"], "... nor is it tried again")
    tap.ok(in_journal("nowhere"), "... the journal says why")
    machine.write(CONF, kept)
    good("systemctl", "start", "gatehouse")


def other_versions():
    apt = ("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0")
    reinstall = (*apt, "--reinstall", "install", "/root/gatehouse.deb")
    rule = machine.read("/etc/logrotate.d/gatehouse") + "# mine\n"
    machine.write("/etc/logrotate.d/gatehouse", rule)
    first = pid()
    good(*reinstall)
    tap.ok(pid() not in (0, first), "another version is started in place of the running one")
    tap.eq(machine.read("/etc/logrotate.d/gatehouse"), rule, "what was changed in /etc is kept")
    kept, second = machine.read(CONF), pid()
    machine.write(CONF, kept + "[nonsense]\n")
    tap.ok("not restarted" in good(*reinstall), "one that does not like the configuration says so")
    tap.eq(pid(), second, "... and the old one runs on")
    machine.write(CONF, kept)
    good(*apt, "remove", "gatehouse")
    tap.eq([machine.run("test", "-e", f"/proc/{second}")[0], machine.run("test", "-e", "/var/lib/gatehouse/blocks")[0]], [1, 0],
           "removed: stopped, what it remembered is kept")
    good(*apt, "install", "/root/gatehouse.deb")
    good("systemctl", "start", "gatehouse")
    tap.eq(systemctl("is-enabled", "gatehouse"), (0, "enabled"), "installed again: enabled as before")
    good(*apt, "purge", "gatehouse")
    left = good("find", "/etc", "/usr", "/var/lib", "/var/log", "/run", "-path", "*gatehouse*", "-not", "-path", "/etc/postfix/*",
                "-not", "-path", "/var/lib/dpkg/*").split()
    tap.eq(sorted(left), ["/etc/gatehouse", "/etc/gatehouse/ca.pem", CONF, RAT, ROUTES], "purged: only the administrator's files are left")
    tap.eq(systemctl("--failed", "--plain", "--no-legend"), (0, ""), "no unit has failed")


def live(package):
    global machine, sinks
    with Machine("postfix", "postfix-lmdb") as machine, Sinks() as sinks:
        shutil.copy(package, machine.path("/root/gatehouse.deb"))
        said = machine.install("--no-install-recommends", "/root/gatehouse.deb")
        machine.enter_network()
        sinks.listen("mailhost", "127.0.0.5", 2500, users=["alice@example.com", "carol@second.test"])
        tap.part(lambda: installed(said))
        for part in (smallest, locked_up, reload, everything_reaches_its_server, comes_back, other_versions):
            tap.part(part)


signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # by way of every __exit__
with tempfile.TemporaryDirectory(prefix="gatehouse-deb-") as the_folder:
    tap.part(lambda: live(make_package(the_folder)))
tap.done()
