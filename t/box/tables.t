#!/usr/bin/python3
"""hat, rat and routes: look-ups, exports, imports (SPEC 14)."""
import json
import os
import re
import stat
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dnsserver import DnsServer
from house import AS_ROOT, CTL, House
from tap import Tap

tap = Tap()
REPUTATION = "[reputation]\nsource = file:scores\n"
HAT = """# old
$THROTTLED
    ACCEPT {
        max_msgs_per_session = 10
        max_rcpts_per_hour = 20
        vendor_key = "kept"
    }
SUSPECTLIST:
    sbrs[-3.0:-1.0], sbrs[none], nx.domain
        $THROTTLED (Suspicious senders)
spamdomain.com      REJECT (no thanks)
251.192.1.          TCPREFUSE
169.254.10.10       RELAY
ALL:                $ACCEPTED
"""
RAT = """example.com, .example.com ACCEPT {bypass_ldap, bypass_callahead}
old@example.net REJECT 551 "5.1.6 Moved"
example.net ACCEPT 250 "welcome"
[192.0.2.1] ACCEPT
"""
ROUTES = """example.com: b.test/pri=10, [a.test]:26, 192.0.2.1, [2001:db8::1]:25/pri=10
.example.com: USEDNS
gone.test /dev/null
ALL:
"""


def house(conf, **files):
    text = {"rat": RAT, "routes": ROUTES, "hat": HAT, "scores": "", **files}
    return House(REPUTATION + conf, text, start=False)


BOTH = "[routes]\nfile = routes\n[listener in]\nhat = hat\nrat = rat\n"


def ask(it, *words, stdin="", status=0):
    got, out, err = it.ctl(*words, stdin=stdin)
    tap.eq((got, err), (status, ""), f"{' '.join(words)} exits with {status}")
    return [json.loads(line) for line in out.splitlines()]


def read(it, name):
    with open(os.path.join(it.folder, name), encoding="utf-8") as file:
        return file.read()


@tap.part
def hat_match():
    with house(BOTH) as it:
        answer = {"ip": "251.192.1.9", "host": None, "group": None, "entry": "251.192.1.", "policy": None,
                  "access": "tcprefuse"}
        tap.eq(ask(it, "hat", "match", "--json", "in", "251.192.1.9"), [answer], "a bare entry with an action")
        tap.eq(ask(it, "hat", "match", "in", "251.192.1.9", "--json"), [answer], "options may come last")
        answer = {"ip": "192.0.2.1", "host": "none", "group": "SUSPECTLIST", "entry": "nx.domain",
                  "policy": "THROTTLED", "access": "accept"}
        tap.eq(ask(it, "hat", "match", "--json", "in", "192.0.2.1", "none"), [answer], "a group with a policy")
        answer = {"ip": "2001:db8::1", "host": "spamdomain.com", "group": None, "entry": "spamdomain.com",
                  "policy": None, "access": "reject"}
        tap.eq(ask(it, "hat", "match", "--json", "in", "2001:DB8:0::1", "SpamDomain.com."), [answer], "by name")
        tap.eq(it.ctl("hat", "match", "in", "192.0.2.1"),
               (0, "ip:      192.0.2.1\nentry:   ALL\npolicy:  ACCEPTED\naccess:  accept\n", ""), "for people")
        for words in (["in", "192.0.2"], ["in", "192.0.2.1", "a..b"], ["out", "192.0.2.1"], ["in"], [],
                      ["in", "192.0.2.1", "none", "more"], ["in", "192.0.2.1", "--xml"], ["in", "1.2.3.4", "none", "-"]):
            tap.eq(it.ctl("hat", "match", *words)[0], 2, f"hat match {words} is wrong")


@tap.part
def batches():
    with house(BOTH) as it:
        lines = "192.0.2.1\n\n  192.0.2.1\tnone \r\nx\n251.192.1.9 a b\n192.0.2.1 servfail"
        got = ask(it, "hat", "match", "in", "-", stdin=lines)
        tap.eq([answer.get("entry") for answer in got], ["ALL", "nx.domain", None, None, "ALL"], "one line each, in order")
        tap.eq(got[2], {"query": "x", "error": '"x" is not an address; allowed: IPv4, IPv6, or unknown for a client without one'}, "a wrong line is told in its place")
        tap.eq(got[3]["query"], "251.192.1.9 a b", "a name of two words is none")
        got = ask(it, "hat", "match", "-", stdin="in 192.0.2.1\nin\nout 192.0.2.1\n")
        tap.eq(["error" in answer for answer in got], [False, True, True], "the listener may stand in the line")
        got = ask(it, "hat", "match", "in", "192.0.2.1", "-", stdin="none\nmail.test\n")
        tap.eq([answer["host"] for answer in got], ["none", "mail.test"], "or only the name")
        tap.eq(ask(it, "routes", "lookup", "-", stdin=""), [], "an empty batch")
        many = 20000
        got = ask(it, "hat", "match", "in", "-", stdin="".join(f"10.0.{i >> 8}.{i & 255}\n" for i in range(many)))
        tap.eq([answer["ip"] for answer in got], [f"10.0.{i >> 8}.{i & 255}" for i in range(many)], "a long one")
        got = ask(it, "rat", "lookup", "in", "-", stdin="\x01@example.com\n\x7f\n")
        tap.eq([answer["code"] for answer in got], [501, 501], "control bytes are answered too")


@tap.part
def answers_at_once():
    """For programs that ask one by one."""
    with house(BOTH) as it:
        with subprocess.Popen([CTL, "-c", it.path, "rat", "lookup", "in", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, bufsize=1) as asked:
            for name in ("a", "b", "c"):
                asked.stdin.write(f"{name}@example.com\n")
                asked.stdin.flush()
                tap.eq(json.loads(asked.stdout.readline())["address"], f"{name}@example.com", f"{name} is answered")
            asked.stdin.close()
        tap.eq(asked.returncode, 0, "and the batch ends well")


@tap.part
def hat_find():
    with house(BOTH) as it:
        def finds(text, status=0):
            got = ask(it, "hat", "find", "--json", text, status=status)
            tap.eq(got[0]["text"], text, f"hat find {text}")
            return [(f["group"], f["entry"]) for f in got[0]["found"]]
        tap.eq(finds("SBRS"), [("SUSPECTLIST", "sbrs[-3.0:-1.0]"), ("SUSPECTLIST", "sbrs[none]")], "part of entries")
        tap.eq(finds("251.192.1.200"), [(None, "251.192.1.")], "an address in a network")
        tap.eq(finds("suspect"), [("SUSPECTLIST", None)], "the name of a group")
        tap.eq(finds("THANKS"), [(None, None)], "a comment")
        tap.eq(finds("throttled"), [("SUSPECTLIST", None)], "a policy")
        tap.eq(finds("192.0.2.1", status=1), [], "nothing")
        tap.eq(ask(it, "hat", "find", "--json", "169.254")[0]["found"],
               [{"listener": "in", "group": None, "entry": "169.254.10.10", "policy": None, "access": "relay",
                 "comment": None}], "all of an answer")
        tap.eq(it.ctl("hat", "find", "spamdomain")[1],
               "text:  spamdomain\n"
               "LISTENER  GROUP  ENTRY           POLICY  ACCESS  COMMENT\n"
               "in        -      spamdomain.com  -       reject  no thanks\n", "for people")
        tap.eq(it.ctl("hat", "find", "nowhere"),
               (1, "text:  nowhere\nno entry, group, policy or comment of any listener has \"nowhere\"\n", ""),
               "... nothing, in words")
        got = ask(it, "hat", "find", "-", stdin="no thanks\nnothing\n")
        tap.eq([len(answer["found"]) for answer in got], [1, 0], "a line is one text")


@tap.part
def rat_lookup():
    with house(BOTH + "[listener out]\ntype = private\nlocal_port = 587\n[listener bare]\nlocal_port = 26\n") as it:
        def looks(address, status, listener="in"):
            return ask(it, "rat", "lookup", "--json", listener, address, status=status)[0]
        tap.eq(looks("Joe@EXAMPLE.com", 0),
               {"address": "Joe@EXAMPLE.com", "entry": "example.com", "action": "accept",
                "flags": ["bypass_ldap", "bypass_callahead"], "code": None, "status": None, "text": None}, "accepted")
        tap.eq(looks("joe@a.example.com", 0)["entry"], ".example.com", "below")
        tap.eq(looks("old@example.net", 1),
               {"address": "old@example.net", "entry": "old@example.net", "action": "reject", "flags": [],
                "code": 551, "status": "5.1.6", "text": "Moved"}, "refused with a text of its own")
        answer = looks("joe@example.net", 0)
        tap.eq((answer["code"], answer["status"], answer["text"]), (250, None, "welcome"), "a reply that is kept")
        refused = {"entry": "ALL", "action": "reject", "flags": [], "code": 550, "status": "5.1.0",
                   "text": "Address rejected"}
        tap.eq(looks("joe@example.org", 1), {"address": "joe@example.org", **refused}, "the implied end")
        tap.eq(looks("joe@example.com", 1, "bare"), {"address": "joe@example.com", **refused}, "without a table")
        tap.eq(looks("joe@@example.com", 1),
               {"address": "joe@@example.com", "entry": None, "action": "reject", "flags": [], "code": 501,
                "status": "5.1.3", "text": "Bad recipient address syntax"}, "no address")
        tap.eq(looks("joe@[192.0.2.1]", 0)["entry"], "[192.0.2.1]", "a literal")
        for words in (["out", "joe@example.com"], ["none", "joe@example.com"], ["in"], []):
            tap.eq(it.ctl("rat", "lookup", *words)[0], 2, f"rat lookup {words} is wrong")
        tap.eq(it.ctl("rat", "lookup", "in", "old@example.net")[1],
               "address:  old@example.net\nentry:    old@example.net\naction:   reject\ncode:     551\n"
               "status:   5.1.6\ntext:     Moved\n", "for people")
        it.write("rat", 'two.test REJECT 550 "5.1.1 one\\ntwo"\n')
        tap.eq(it.ctl("rat", "lookup", "in", "joe@two.test")[1].splitlines()[-2:], ["text:     one", "          two"],
               "... a reply of two lines")
        tap.eq(it.ctl("rat", "lookup", "in", "joe@nowhere.test")[1].splitlines()[-1], "no line of the table matches",
               "... nothing, in words")


@tap.part
def routes_lookup():
    with house(BOTH) as it:
        def looks(domain, status=0):
            return ask(it, "routes", "lookup", "--json", domain, status=status)[0]
        tap.eq(looks("Example.COM."), {
            "domain": "example.com", "key": "example.com", "kind": "hosts", "hosts": [
                {"host": "a.test", "port": 26, "priority": 0, "mx": False},
                {"host": "192.0.2.1", "port": 25, "priority": 0, "mx": False},
                {"host": "b.test", "port": 25, "priority": 10, "mx": True},
                {"host": "2001:db8::1", "port": 25, "priority": 10, "mx": False}]}, "hosts by priority")
        tap.eq(looks("a.b.example.com"),
               {"domain": "a.b.example.com", "key": ".example.com", "kind": "usedns", "hosts": []}, "USEDNS")
        tap.eq(looks("gone.test")["kind"], "discard", "/dev/null")
        tap.eq(looks("other.test"), {"domain": "other.test", "key": "ALL", "kind": "none", "hosts": []}, "empty default")
        tap.eq(it.ctl("routes", "lookup", "a..b")[0], 2, "no domain")
        tap.eq(it.ctl("routes", "lookup", "example.com")[1],
               "domain:  example.com\nkey:     example.com\nkind:    hosts\nhosts:   a.test:26, priority 0\n"
               "         192.0.2.1:25, priority 0\n         b.test:25, priority 10, by MX\n"
               "         [2001:db8::1]:25, priority 10\n", "for people")
    with house("[listener in]\nrat = rat\n") as it:
        got = ask(it, "routes", "lookup", "--json", "example.com", status=1)
        tap.eq(got, [{"domain": "example.com", "key": None, "kind": "none", "hosts": []}], "without routes")
        tap.eq(it.ctl("routes", "lookup", "example.com")[:2],
               (1, "domain:  example.com\nkind:    none\nno route leads to example.com, and there is none for ALL\n"),
               "... in words")


def exported(it, *words):
    status, out, err = it.ctl(*words)
    tap.eq((status, err), (0, ""), f"{' '.join(words)}")
    return out


@tap.part
def answers_of_lists():
    """dnslist[zone=answers] in a HAT text file, there and back, and found."""
    entry = "dnslist[bl.test=127.0.0.2,127.0.0.4-127.0.0.8]"
    with house("[listener in]\nrat = rat\nhat = hat\n") as it:
        it.write("hat", f"BAD: 192.0.2.1, {entry},dnslist[bl.test] REJECT\ndnslist[good.test=127.0.0.1] $TRUSTED\n"
                        "ALL: $ACCEPTED\n")
        first = exported(it, "hat", "export", "in")
        tap.ok(f"192.0.2.1, {entry}, dnslist[bl.test]\n" in first, "exported as written", first)
        status, _out, err = it.ctl("hat", "import", "in", "-", stdin=first)
        tap.eq(status, 0, f"and imported {err}")
        tap.eq(exported(it, "hat", "export", "in"), first, "the same again")
        found = ask(it, "hat", "find", "--json", "bl.test=127.0.0.2")[0]["found"]
        tap.eq([(row["group"], row["entry"]) for row in found], [("BAD", entry)], "hat find: by an answer")
        found = ask(it, "hat", "find", "--json", "127.0.0.1")[0]["found"]
        tap.eq([row["entry"] for row in found], ["dnslist[good.test=127.0.0.1]"], "... alone")


@tap.part
def round_trips():
    with house(BOTH) as it:
        for export, import_ in ((["hat", "export", "in"], ["hat", "import", "in"]),
                                (["rat", "export", "in"], ["rat", "import", "in"]),
                                (["rat", "export"], ["rat", "import", "in"]),
                                (["routes", "export"], ["routes", "import"])):
            first = exported(it, *export)
            status, out, _err = it.ctl(*import_, "-", stdin=first)
            tap.ok(status == 0 and out.endswith("replaced; gatehousectl reload puts it into effect\n"),
                   f"what {' '.join(export)} writes is imported", out)
            tap.eq(exported(it, *export), first, "... and is the same again")
        tap.ok('vendor_key = "kept"' in read(it, "hat"), "an unknown key was kept")
        tap.ok("(Suspicious senders)" in read(it, "hat"), "a comment was kept")
        tap.eq(it.ctl("rat", "export", "none")[0], 1, "rat export of no listener")
        tap.eq(it.ctl("hat", "export", "none")[0], 2, "hat export of no listener")


GROUPS = """
[routes]
file = routes
[policy DEFAULT]
max_message_size = 20M
reject_text = 5.7.1 Go away $RemoteIP
[policy MINE]
access = relay
tls = required
max_recipients_per_hour = unlimited
verify_sender = yes
banner_text = say "hello" \\ (world) # 1
[policy NO]
access = reject
reject_code = 450
reject_text = 4.7.1 later
banner_code = 221
[group ALLOWED_LIST]
senders = 198.51.100.1, .trusted.example
[group FIRST]
policy = MINE
senders = 192.0.2.0/24
    192.0.3.1-9 SBRS[5:10]
senders_file = more
comment = ours (mostly) # all
[group SWITCH]
policy = NO
unverified = no_ptr, ptr_mismatch
[group PASS]
senders = relay
[group NAMED-LIKE.AN_ACTION]
policy = tcprefuse
senders = 203.0.113.1 reject
[listener in]
rat = rat
default_policy = MINE
groups = WHITELIST, FIRST, PASS, SWITCH, NAMED-LIKE.AN_ACTION, BLOCKED_LIST
"""
SAME = "[listener in]\nrat = rat\nhat = hat\n[policy DEFAULT]\nmax_message_size = 20M\n" \
       "reject_text = 5.7.1 Go away $RemoteIP\n[routes]\nfile = routes\n"
CLIENTS = ["192.0.2.1", "192.0.3.9", "192.0.3.10", "10.1.2.3", "198.51.100.1", "203.0.113.1", "10.0.0.1 none",
           "10.0.0.1 mismatch", "10.0.0.1 servfail", "10.0.0.1 reject", "10.0.0.1 relay", "10.0.0.1 a.trusted.example"]


@tap.part
def groups_of_the_configuration():
    """[group] sections come out as a HAT text file that decides the same."""
    with house(GROUPS, more="10.0.0.0/8, 2001:db8::/32 # ten\n") as it:
        lines = "".join(client + "\n" for client in CLIENTS)
        traced = "".join(json.dumps({"ip": client.split()[0], "host": (client + " example.org").split()[1],
                                     "from": "a@b.test", "to": ["u@example.com", "u@other.test"]}) + "\n"
                         for client in CLIENTS)
        def decided():
            """But for where the groups stand."""
            answers = ask(it, "trace", "--offline", "-", stdin=traced)
            for one in [one for answer in answers for one in answer["stages"] + answer["recipients"]]:
                del one["rule"]
            return answers

        before = ask(it, "hat", "match", "in", "-", stdin=lines), decided()
        text = exported(it, "hat", "export", "in")
        it.write("hat", text)
        it.configure(REPUTATION + SAME)
        tap.eq(ask(it, "hat", "match", "in", "-", stdin=lines), before[0], "the same matches")
        tap.eq(decided(), before[1], "the same decisions and replies")
        for part in ('smtp_banner_text = "say \\"hello\\" \\\\ (world) # 1"', "smtp_banner_code = 450",
                     'tls = "required"', "$MINE (ours (mostly) # all)", "relay,\n", 'verify_sender = "on"'):
            tap.ok(part in text, f"{part!r} in the export", text)
        tap.ok("max_message_size" not in text.split("$TRUSTED")[0], "what is as in DEFAULT is left out", text)
        again = exported(it, "hat", "export", "in")
        tap.eq(again, text, "exported again, it is the same text")


@tap.part
def an_export_at_work():
    """The daemon itself with `hat`, reloaded after an import."""
    files = {"rat": RAT, "routes": ROUTES, "hat": "169.254.10.10 RELAY\nALL: $ACCEPTED\n"}
    with House(BOTH + "[dns]\nhost_lookup = off\n", files) as it:
        with it.session("169.254.10.10") as mta:
            mta.mail("<a@b.test>")
            tap.eq(mta.rcpt("<u@far.test>").line, "continue", "relayed")
        line = it.wait_log(event="connect")
        tap.eq((line["entry"], line["access"]), ("169.254.10.10", "relay"), "a bare entry at work")
        status, _out, err = it.ctl("hat", "import", "in", "-", stdin="169.254.10.10 REJECT\nALL $ACCEPTED\n")
        tap.eq(status, 0, "import while the daemon runs" + err)
        it.reload()
        before = len(it.lines)
        with it.session("169.254.10.10"):
            line = it.wait_log(event="connect", after=before)
        tap.eq((line["entry"], line["access"]), ("169.254.10.10", "reject"), "... and after a reload")


@tap.part
def imports():
    with house(BOTH) as it:
        path = it.write("new", "# mine\n192.0.2.1 REJECT\nALL $ACCEPTED\n")
        os.chmod(os.path.join(it.folder, "hat"), 0o640)
        if AS_ROOT:
            os.chown(os.path.join(it.folder, "hat"), 65534, 65533)
        os.link(os.path.join(it.folder, "hat"), os.path.join(it.folder, "kept"))
        status, out, _err = it.ctl("hat", "import", "in", path)
        tap.eq((status, out), (0, os.path.join(it.folder, "hat") + ": replaced; gatehousectl reload puts it into effect\n"),
               "hat import")
        tap.eq(read(it, "hat"), read(it, "new"), "the file is there as it was written")
        tap.eq(read(it, "kept"), HAT, "the old one was not written to")
        new, old = (os.stat(os.path.join(it.folder, name)) for name in ("hat", "kept"))
        tap.eq((stat.S_IMODE(new.st_mode), new.st_uid, new.st_gid), (0o640, old.st_uid, old.st_gid),
               "its permissions and owner stay")

        bad = it.write("bad", "192.0.2.300 REJECT\nALL CONTINUE\n")
        status, out, err = it.ctl("hat", "import", "in", bad)
        tap.eq((status, out), (1, ""), "a wrong table is refused")
        tap.ok(f"{bad}:1:1: " in err and f"{bad}:2:5: " in err, "... with all its mistakes in their places", err)
        status, out, err = it.ctl("hat", "import", "in", "-", stdin="x\n")
        tap.ok(status == 1 and "stdin:1:1: " in err, "... from standard input too", err)
        tap.eq(read(it, "hat"), read(it, "new"), "... and nothing is replaced")
        tap.eq(sorted(os.listdir(it.folder)), sorted(["bad", "gatehouse.conf", "hat", "kept", "new", "rat", "routes",
                                                      "run", "scores"]), "... nor left behind")

        it.write("hat", "broken\n")
        tap.eq(it.ctl("check")[0], 1, "a broken table")
        tap.eq(it.ctl("hat", "import", "in", path)[0], 0, "... can be mended by an import")
        os.unlink(os.path.join(it.folder, "rat"))
        tap.eq(it.ctl("rat", "import", "in", "-", stdin="example.com ACCEPT\n")[0], 0, "a missing one can be made")
        tap.eq(read(it, "rat"), "example.com ACCEPT\n", "... so")
        tap.eq(it.ctl("routes", "import", "-", stdin="example.com: a.test:0\n")[0], 1, "wrong routes")
        tap.eq(it.ctl("routes", "import", "-", stdin="example.com: a.test\n")[0], 0, "right ones")
        tap.eq(read(it, "routes"), "example.com: a.test\n", "... are there")

        os.rename(os.path.join(it.folder, "hat"), os.path.join(it.folder, "real"))
        os.symlink("real", os.path.join(it.folder, "hat"))
        tap.eq(it.ctl("hat", "import", "--force", "in", "-", stdin="ALL REJECT\n")[0], 0, "through a symbolic link")
        tap.ok(os.path.islink(os.path.join(it.folder, "hat")) and read(it, "real") == "ALL REJECT\n", "... which stays")

        for words in (["hat", "import", "in"], ["hat", "import"], ["rat", "import", "in"], ["routes", "import"],
                      ["routes", "import", "a", "b"], ["hat", "export"], ["routes", "export", "a"], ["hat"], ["rat", "x"]):
            tap.eq(it.ctl(*words)[0], 2, f"{words} is wrong")
        tap.eq(it.ctl("hat", "import", "none", path)[0], 1, "import to no listener")
        tap.eq(it.ctl("hat", "import", "in", "/nonexistent")[0], 1, "import of no file")
        os.chmod(it.folder, 0o777)
        tap.eq(it.ctl("hat", "import", "in", path)[0], 1, "into a folder that everybody can write to")
    with house("[listener in]\nrat = rat\n") as it:
        for words in (["hat", "import", "in", "-"], ["routes", "import", "-"]):
            status, out, err = it.ctl(*words, stdin="")
            tap.ok(status == 1 and out == "" and "has no key" in err, f"{words} without that key", err)
        # one table of two listeners is checked for both
        it.configure("[listener a]\nhat = hat\nrat = rat\n[listener b]\nlocal_port = 26\nhat = hat\nrat = rat\n"
                     "type = private\n")
        status, out, err = it.ctl("rat", "import", "a", "-", stdin="example.com ACCEPT\n")
        tap.ok(status == 1 and "private" in err, "the whole configuration is checked", err)


@tap.part
def key_hat():
    with house("[listener in]\nrat = rat\nhat = hat\ngroups = SUSPECTLIST\ndefault_policy = BLOCKED\n") as it:
        _status, _out, err = it.ctl("check")
        tap.ok("[listener in] groups: not possible together with hat" in err, "not with groups", err)
        tap.ok("warning: [listener in] default_policy: not used" in err, "default_policy is not used beside ALL", err)
    with house("[listener in]\nrat = rat\nhat = hat\ndefault_policy = BLOCKED\n", hat="192.0.2.1 ACCEPT\n") as it:
        got = ask(it, "hat", "match", "--json", "in", "192.0.2.2")[0]
        tap.eq((got["entry"], got["policy"]), ("ALL", "BLOCKED"), "it is ALL where the file has none")
    with house("[listener in]\nrat = rat\nhat = hat\n", hat="$A ACCEPT { tls_required_senders = none }\nA: 192.0.2.1 $A\n") as it:
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and "hat:1:36: tls_required_senders: there is no section [addresslist none]" in err,
               "what a policy of the file refers to must be there", err)
    with house("[listener in]\nrat = rat\nhat = none\n[group ALL]\nsenders = 192.0.2.1\n") as it:
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and "cannot open" in err, "a missing file", err)
        tap.ok("[group ALL]" in err, "no group can be called ALL", err)


@tap.part
def hosts_of_routes():
    """maps warns of each that is not in DNS, however many there are."""
    with DnsServer() as dns:
        for n in (1, 64, 65, 150):
            conf = f"[dns]\nservers = 127.0.0.1:{dns.port}\n[routes]\nfile = routes\n[listener in]\nrat = rat\n"
            with house(conf, routes="".join(f"d{i}.test: [host{i}.test]\n" for i in range(n))) as it:
                status, _out, err = it.ctl("maps", "--mta", "postfix", "--output", os.path.join(it.folder, "maps"),
                                           "--no-compile")
                tap.eq((status, re.findall(r": host(\d+)\.test is not in DNS", err)), (0, [str(i) for i in range(n)]),
                       f"{n} hosts that are not in DNS")


@tap.part
def hosts_that_are_we():
    """maps warns of names that lead to our own services."""
    zone = "self.test A 127.0.0.1\nmx.test MX 10 far.test\nmx.test A 127.0.0.1\nfar.test A 192.0.2.1\n"
    routes = "a.test: [self.test]:2525\nb.test: [self.test]:2526\nc.test: [far.test]:2525\nd.test: mx.test:2525\n"
    with DnsServer(zone) as dns:
        conf = (f"[dns]\nservers = 127.0.0.1:{dns.port}\n[routes]\nfile = routes\n"
                "[listener in]\nrat = rat\nlocal_port = 2525\n")
        with house(conf, routes=routes) as it:
            _status, _out, err = it.ctl("maps", "--mta", "postfix", "--output", os.path.join(it.folder, "maps"),
                                        "--no-compile")
            tap.eq(re.findall(r"(\w\.test): \S+ is \[listener (\w+)\] itself", err), [("a.test", "in")],
                   "hosts of routes that are this host by DNS")


@tap.part
def check_of_maps():
    """check warns of what maps could not do for any mail server."""
    routes = ("a.test: [none.test]/pri=1, [far.test]/pri=2\nb.test: [far.test]/pri=1, [nobody.test]/pri=2\n"
              "c.test: [single.test]\n")
    with DnsServer("far.test A 192.0.2.1\n") as dns:
        conf = f"[dns]\nservers = 127.0.0.1:{dns.port}\n[routes]\nfile = routes\n[listener in]\nrat = rat\nhat = hat\n"
        with house(conf, routes=routes, hat="10. RELAY\nmail.example.com RELAY\nALL: REJECT\n") as it:
            status, out, err = it.ctl("check")
            tap.eq((status, out.endswith(": good\n")), (0, True), "check finds it good")
            tap.eq(re.findall(r"(\S+) leads to relay, but only addresses", err), ["mail.example.com"],
                   "... but warns of a name that leads to relay")
            tap.eq(re.findall(r"(\w\.test: \S+) is not in DNS; Postfix bounces", err), ["b.test: nobody.test"],
                   "... and of a last host that does not exist")


tap.done()
