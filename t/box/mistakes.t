#!/usr/bin/python3
"""Mistakes that said nothing, or stopped everything: files that are none, sections that nothing uses,
listeners that let nobody in, words that are no variables, passwords for everybody, zones of no entry."""
import os
import re
import socket
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, CTL, House
from tap import Tap

tap = Tap()
IN = "[listener in]\nrat = rat\n"
FILES = {"rat": "example.com ACCEPT\n", "routes": "example.com: [192.0.2.1]\n"}
TRACE = ["trace", "--offline", "--ip", "192.0.2.1", "--from", "a@b.example", "--to", "x@example.com"]


def lines(it, err, severity):
    """The errors, or the warnings, without the path of the configuration."""
    found = [line.replace(it.path, "F") for line in err.splitlines()]
    return [line for line in found if (": warning: " in line) == (severity == "warning")]


# Every key that names a file which is read: a section, and what it is given.
READ = [
    ("[listener in]\nrat = {}\n", "[listener in] rat"),
    (IN + "hat = {}\n", "[listener in] hat"),
    (IN + "groups = g\n[group g]\nsenders_file = {}\n", "[group g] senders_file"),
    (IN + "[addresslist a]\naddresses_file = {}\n", "[addresslist a] addresses_file"),
    (IN + "[exceptions]\nfile = {}\n", "[exceptions] file"),
    (IN + "[routes]\nfile = {}\n", "[routes] file"),
    (IN + "[reputation]\nsource = file:{}\n", "[reputation] source"),
    (IN + "[reputation]\nowner_source = mmdb:{}\n", "[reputation] owner_source"),
    (IN + "[reputation]\ncountry_source = mmdb:{}\n", "[reputation] country_source"),
    (IN + "[tls]\nca_file = {}\n", "[tls] ca_file"),
    (IN + "[tls]\ncertificate = {}\n", "[tls] certificate"),
    (IN + "[tls]\nkey = {}\n", "[tls] key"),
    (IN + "[auth x]\nuser = u\npassword_file = {}\n", "[auth x] password_file"),
    (IN + "[ldap l]\nuri = ldap://127.0.0.1\nbind_dn = cn=x\nbind_password_file = {}\n", "[ldap l] bind_password_file"),
]


@tap.part
def files_that_are_none():
    """A FIFO without a writer stopped start, check and reload for ever."""
    with House(IN, FILES, start=False) as it:
        os.mkfifo(os.path.join(it.folder, "fifo"))
        os.symlink("fifo", os.path.join(it.folder, "link"))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(os.path.join(it.folder, "socket"))
        for conf, key in READ:
            for name in ("fifo", "link", "socket", "/dev/zero", "."):
                it.configure(conf.format(name))
                status, _out, err = it.ctl("check")
                told = lines(it, err, "error")
                tap.ok(status == 1 and len(told) == 1 and re.match(rf"F:\d+: {re.escape(key)}: \S", told[0])
                       and re.search("is not a regular file|is not a regular file|cannot open \\S+: No such device|it is a folder", told[0]),
                       f"{key} = {name}", err)
        for conf, key in READ[2:6]:
            it.configure(conf.format("/dev/null"))
            tap.eq(it.ctl("check")[0], 0, f"{key} = /dev/null")


@tap.part
def files_of_root():
    """As root, check looks with the rights of the daemon's user, folders on the way included."""
    with House(IN, {**FILES, "mine": "192.0.2.1\n"}, start=False) as it:
        shut = os.path.join(it.folder, "shut")
        os.mkdir(shut, 0o700)
        it.write("shut/mine", "192.0.2.1\n")
        os.chmod(os.path.join(shut, "mine"), 0o644)
        for name in ("mine", "shut/mine"):
            for conf, key in READ:
                if "auth" in key:
                    continue # for gatehousectl maps, which root runs
                os.chmod(os.path.join(it.folder, "mine"), 0o600 if AS_ROOT else 0)
                os.chmod(shut, 0o700 if AS_ROOT else 0)
                it.configure(conf.format(name))
                status, _out, err = it.ctl("check")
                told = lines(it, err, "error")
                tap.ok(status == 1 and len(told) == 1 and re.match(rf"F:\d+: {re.escape(key)}: cannot (open|read) \S+mine: Permission denied", told[0]),
                       f"{key} = {name}, of root", err)
        os.chmod(shut, 0o700)


@tap.part
def reload_does_not_wait():
    with House(IN, FILES) as it:
        os.unlink(os.path.join(it.folder, "rat"))
        os.mkfifo(os.path.join(it.folder, "rat"))
        status, _out, err = it.ctl("reload")
        tap.ok(status == 1 and "rat is not a regular file" in err, "a reload says why", err)
        tap.ok(it.alive(), "... and the daemon serves on")


@tap.part
def files_of_the_command_line():
    with House(IN + "[routes]\nfile = routes\n", FILES, start=False) as it:
        for shell in ("printf 'new.example: [192.0.2.9]\\n' | {} -c {} routes import /dev/stdin",
                      "{} -c {} routes import <(printf 'new.example: [192.0.2.9]\\n')"):
            it.write("routes", FILES["routes"])
            done = subprocess.run(["bash", "-c", shell.format(CTL, it.path)], capture_output=True, text=True, check=False, timeout=60)
            with open(os.path.join(it.folder, "routes"), encoding="ascii") as file:
                text = file.read()
            tap.ok((done.returncode, text) == (0, "new.example: [192.0.2.9]\n"), shell, text + done.stderr)
        done = subprocess.run(["bash", "-c", f"{CTL} -c <(sed -E 's!= (rat|routes)$!= {it.folder}/\\1!' {it.path}) rat lookup in x@example.com"],
                              capture_output=True, text=True, check=False, timeout=60)
        tap.ok(done.returncode == 0, "a configuration from a pipe", done.stderr)


UNUSED = [
    ("[policy P]\n", "[policy P] no group or listener uses this policy; hat block --policy may"),
    ("[group G]\nsenders = 192.0.2.1\n", "[group G] no listener uses this group"),
    ("[callahead C]\n", "[callahead C] no listener uses this profile"),
    ("[ldap L]\nuri = ldap://127.0.0.1\naccept_query = (a={a})\n", "[ldap L] no listener, [callahead] or [routes] uses this profile"),
    ("[addresslist A]\naddresses = a@b.example\n", "[addresslist A] no policy uses this list"),
    ("[auth X]\nuser = u\npassword_file = secret\n", "[auth X] no route uses these credentials"),
]
USED = [
    "[policy DEFAULT]\n", "[policy TRUSTED]\n", "[policy BLOCKED]\n",
    "[policy P]\n[group ALLOWED_LIST]\nsenders = 192.0.2.1\npolicy = P\n",
    "[group WHITELIST]\nsenders = 192.0.2.1\n",
    "[callahead C]\n[listener b]\nlocal_port = 1\nrat = rat\ncallahead = C\n",
    "[ldap L]\nuri = ldap://127.0.0.1\nrouting_query = (a={a})\n[routes]\nldap = L\n",
    "[ldap L]\nuri = ldap://127.0.0.1\naccept_query = (a={a})\n[listener b]\nlocal_port = 1\nrat = rat\nldap_accept = L\n",
    "[addresslist A]\naddresses = a@b.example\n[policy ACCEPTED]\ntls = preferred\ntls_required_senders = A\n",
    "[policy P]\n[addresslist A]\naddresses = a@b.example\n[listener b]\nlocal_port = 1\nrat = rat\nhat = hat\n",
    "[auth X]\nuser = u\npassword_file = secret\n[routes]\nfile = withauth\n",
]


@tap.part
def sections_that_nothing_uses():
    files = {**FILES, "secret": "x\n", "withauth": "example.com: [192.0.2.1] auth=X\n",
             "hat": '$Q ACCEPT { tls = "preferred" tls_required_senders = "A" }\nx.example $P\nALL $Q\n'}
    with House(IN, files, start=False) as it:
        os.chmod(os.path.join(it.folder, "secret"), 0o600)
        for conf, said in UNUSED:
            it.configure(conf + IN)
            status, _out, err = it.ctl("check")
            tap.ok(status == 0 and sum(said in line for line in lines(it, err, "warning")) == 1, conf.replace("\n", " | "), err)
        for conf in USED:
            it.configure(conf + IN)
            status, _out, err = it.ctl("check")
            tap.ok(status == 0 and not re.search(" uses? th(is|ese) ", err), "used: " + conf.replace("\n", " | "), err)


NOBODY = [
    ("[listener in]\n", "[listener in] rat: none is given"),
    ("[listener in]\nrat = nobody\n", "[listener in] rat: "),
    (IN + "default_policy = BLOCKED\n", "[listener in] groups: every client will be refused"),
    (IN + "default_policy = tcprefuse\nreject_at = rcpt\n", "[listener in] groups: every client will be refused"),
    (IN + "hat = refuses\n", "[listener in] hat: every client will be refused"),
    ("[listener in]\ntype = private\n", "[listener in] groups: every client will be refused"),
    ("[listener in]\ntype = private\ndefault_policy = P\n[policy P]\nauth = off\n", "[listener in] groups: every client will be refused"),
]
SOMEBODY = [
    IN, IN + "default_policy = BLOCKED\n[group ALLOWED_LIST]\nsenders = 192.0.2.1\n",
    IN + "default_policy = BLOCKED\n[group ALLOWED_LIST]\nunverified = no_ptr\n",
    IN + "default_policy = BLOCKED\nreject_at = mail\n",
    "[listener in]\ntype = private\n[group RELAYLIST]\nsenders = 192.0.2.1\n",
    "[listener in]\ntype = private\ndefault_policy = accept\n",
]


@tap.part
def listeners_that_let_nobody_in():
    files = {**FILES, "nobody": "example.com REJECT\n", "refuses": "192.0.2.1 CONTINUE\nALL REJECT\n"}
    with House(IN, files, start=False) as it:
        for conf, said in NOBODY:
            it.configure(conf)
            status, _out, err = it.ctl("check")
            tap.ok(status == 0 and any(said in line and "refused" in line for line in lines(it, err, "warning")), conf.replace("\n", " | "), err)
        for conf in SOMEBODY:
            it.configure(conf)
            status, _out, err = it.ctl("check")
            tap.ok(status == 0 and "refused" not in err, "good: " + conf.replace("\n", " | "), err)


@tap.part
def words_that_are_no_variables():
    hat = '$P REJECT { smtp_banner_text = "$Groups of $remoteip" }\nx.example $P\nALL ACCEPT\n'
    with House(IN, {**FILES, "hat": hat}, start=False) as it:
        it.configure("[policy DEFAULT]\nmax_recipients_per_hour = 5\nmax_recipients_per_hour_text = $HostNam and $Thing, $EnvelopeSender\n"
                     "verify_sender = yes\nnonexistent_sender_text = <$EnvelopeSender> $Entri\n" + IN)
        status, _out, err = it.ctl("check")
        key = "F: warning: [policy DEFAULT] max_recipients_per_hour_text: "
        known = "known are $Group, $Hostname, $OrgID, $RemoteIP, $HATEntry"
        is_none = "is not a variable, and stays as it stands there; "
        tap.eq((status, [re.sub(r"F:\d+", "F", line) for line in lines(it, err, "warning") if "variable" in line]),
               (0, [f"{key}$HostNam {is_none}did you mean $Hostname?", f"{key}$Thing {is_none}{known}", f"{key}$EnvelopeSender {is_none}{known}",
                    f"F: warning: [policy DEFAULT] nonexistent_sender_text: $Entri {is_none}{known}, $EnvelopeSender"]), "of a policy")
        it.configure(IN + "hat = hat\n")
        status, _out, err = it.ctl("check")
        tap.ok(status == 0 and f"{it.folder}/hat:1:32: warning: smtp_banner_text: $Groups {is_none}did you mean $Group?" in err, "of a HAT text file", err)


@tap.part
def a_password_for_everybody():
    with House(IN, FILES, start=False) as it:
        it.configure("[ldap l]\nuri = ldap://127.0.0.1\nbind_dn = cn=x\nbind_password = secret\naccept_query = (a={a})\n" + IN + "ldap_accept = l\n")
        os.chmod(it.path, 0o644)
        status, _out, err = it.ctl("check")
        tap.ok(status == 0 and "F:" in "".join(lines(it, err, "warning")) and "[ldap l] bind_password: everybody may read it in " in err
               and "secret" not in err, "a warning", err)
        os.chmod(it.path, 0o640)
        os.chown(it.path, -1, os.stat(it.folder).st_gid)
        _status, _out, err = it.ctl("check")
        tap.ok("bind_password" not in err, "not of a file for some", err)


@tap.part
def what_trace_is_told():
    with House("[group G]\nsenders = dnslist[bl.example], SBO:5\npolicy = BLOCKED\n" + IN + "groups = G\n", FILES, start=False) as it:
        _status, _out, err = it.ctl(*TRACE, "--listed", "bl.exampel,BL.example")
        tap.eq(err.splitlines()[-1:], ["gatehousectl trace: warning: --listed bl.exampel: no dnslist[] entry of [listener in] names this zone"], "a zone of no entry")
        status, out, err = it.ctl(*TRACE, "--listed", "bl.example")
        tap.ok(status == 1 and "--listed" not in err, "a zone of an entry", out + err)
        status, out, err = it.ctl(*TRACE, "--owner", "none")
        tap.ok(status == 0 and " owner none" in out, "no owner", out + err)
        status, out, err = it.ctl(*TRACE, "--owner", "5")
        tap.ok(status == 1 and " owner 5" in out, "an owner", out + err)
        status, out, _err = it.ctl("trace", "--offline", "-", stdin='{"ip": "192.0.2.1", "from": "a@b.example", "to": ["x@example.com"], "owner": "none"}\n')
        tap.ok(status == 0 and '"verdict":"accept"' in out.replace(" ", ""), "... in a line of JSON", out)


tap.done()
