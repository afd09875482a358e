#!/usr/bin/python3
"""A reload that would turn everybody away is refused, unless it is forced."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import mmdb
from house import House
from tap import Tap

tap = Tap()
DNS = "[dns]\nhost_lookup = off\n"
CONF = DNS + "[listener in]\nrat = rat\n[group BLOCKED_LIST]\nsenders = 192.0.2.66\n"
RAT = {"rat": "example.com ACCEPT\n"}
NO = "554 5.7.1 Access denied"


def comes(it, ip="192.0.2.1"):
    with it.session(ip) as mta:
        return mta.greeting.line


def put(it, old, new):
    it.configure(CONF.replace(old, new))


@tap.part
def tables():
    with House(CONF, RAT) as it:
        for number, (name, old, new, wanted) in enumerate((
            ("an entry for all of IPv4", "192.0.2.66", "192.0.2.66, 0.0.0.0/0", "every IPv4 address would be refused, by 0.0.0.0/0"),
            ("0/0", "192.0.2.66", "0/0", "by 0/0"),
            ("all of IPv6", "192.0.2.66", "192.0.2.66 ::/0", "every IPv6 address"),
            ("ALL", "192.0.2.66", "ALL", "everybody would be refused, by ALL"),
            ("two halves", "192.0.2.66", "0.0.0.0/1 128.0.0.0/1", "every IPv4 address"),
            ("the fallback", "rat = rat\n", "rat = rat\ndefault_policy = BLOCKED\n", "default_policy"),
            ("no entry left", "senders = 192.0.2.66\n", "", "no entry any more"),
        )):
            put(it, old, new)
            status, out, err = it.ctl("reload")
            tap.eq((status, out), (1, ""), f"{name}: refused")
            tap.ok("[listener in]" in err and wanted in err and "--force" in err, f"{name}: the reason is told", err)
            it.wait_log(event="reload", detail="the running configuration stays", count=2 * number + 1)
            before = len(it.lines)
            it.reload(good=False)
            tap.ok(any("event=configuration" in line and wanted in line.replace("\\", "") for line in it.lines[before:]),
                   f"{name}: by a signal it is refused too, and logged", it.lines[before:])
            tap.eq((comes(it), comes(it, "192.0.2.66")), ("continue", NO), f"{name}: the running one stays")
        told = json.loads(it.ctl("status", "--json")[1])
        tap.ok(told["generation"] == 1 and "no entry any more" in told["reload_errors"][0], "status says why", told)
        put(it, "192.0.2.66", "ALL")
        status, out, _err = it.ctl("reload", "--force")
        tap.ok(status == 0 and "everybody would be refused" in out and "in force" in out, "forced: done, and told", out)
        tap.eq(comes(it), NO, "... it is in force")
        put(it, "192.0.2.66", "ALL, 192.0.2.66")
        tap.eq(it.ctl("reload")[0], 0, "what was so before is nothing new")
        it.configure(CONF)
        tap.eq(it.ctl("reload")[0], 0, "the way back is free")
        tap.eq(it.ctl("reload", "--force")[0], 0, "force where nothing speaks against it")
        it.configure(CONF.replace("192.0.2.66", "ALL") + "colour = red\n")
        status, _out, err = it.ctl("reload", "--force")
        tap.ok(status == 1 and "colour" in err, "force does not help a wrong configuration", err)
        it.settings["reload_guard"] = 0
        put(it, "192.0.2.66", "ALL")
        tap.eq((it.ctl("reload")[0], comes(it)), (0, NO), "reload_guard = 0: no guard")


@tap.part
def the_share():
    with House(CONF, RAT) as it:
        for last in range(1, 11):
            comes(it, f"192.0.2.{last}")
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-2")
        tap.eq(it.ctl("reload")[0], 0, "a reload")
        tap.eq((comes(it, "192.0.2.1"), comes(it, "192.0.2.3")), (NO, "continue"), "2 of 10 clients: within reload_guard")
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-4")
        status, _out, err = it.ctl("reload")
        tap.ok(status == 1 and "2 of 8 clients" in err and "192.0.2." in err, "2 of the 8 others: refused", err)
        tap.eq(comes(it, "192.0.2.3"), "continue", "... they come in")
        it.settings["reload_guard"] = 30
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-4")
        tap.eq(it.ctl("reload")[0], 0, "allowed by the new configuration")
        tap.eq(comes(it, "192.0.2.3"), NO, "... in force")
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-5")
        it.kill()
        it.start()
        tap.eq(comes(it, "192.0.2.5"), NO, "at a start nobody has been seen, and all is taken")


@tap.part
def over_a_restart():
    with House(CONF, RAT) as it:
        for last in range(1, 11):
            comes(it, f"192.0.2.{last}")
        it.stop()
        it.start()
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-4")
        status, _out, err = it.ctl("reload")
        tap.ok(status == 1 and "4 of 10 clients" in err, "who was accepted is known after a restart", err)
        it.kill()
        path = os.path.join(it.run, "state", "accepted")
        with open(path, "ab") as file:
            file.write(b"x")
        it.configure(CONF)
        it.start()
        tap.ok(it.wait_log(event="guard")["detail"].startswith(path + " is damaged"), "a damaged file is not believed")
        put(it, "192.0.2.66", "192.0.2.66, 192.0.2.1-4")
        tap.eq(it.ctl("reload")[0], 0, "... nobody is known, and all is taken")


@tap.part
def new_files():
    """What refuses them need not be an entry: the score file or a database may be the new table."""
    conf = (DNS + "[listener in]\nrat = rat\ngroups = BAD\n[group BAD]\npolicy = reject\n"
            "senders = SBRS[-10:-5] SBO:64500 country:ZZ\n[reputation]\nsource = file:scores\n"
            "owner_source = mmdb:owners\ncountry_source = mmdb:countries\n")
    files = {"scores": "192.0.2.0/24 1\n", "owners": mmdb.make({"192.0.2.0/24": mmdb.asn(1)}),
             "countries": mmdb.make({"192.0.2.0/24": mmdb.country("JP")})}
    with House(conf, {**RAT, **files}) as it:
        for last in range(1, 11):
            comes(it, f"192.0.2.{last}")
        for name, bad, wanted in (
                ("scores", "192.0.2.0/24 -6\n", "SBRS[-10:-5]"),
                ("owners", mmdb.make({"192.0.2.0/24": mmdb.asn(64500)}), "SBO:64500"),
                ("countries", mmdb.make({"192.0.2.0/24": mmdb.country("ZZ")}), "country:ZZ")):
            os.unlink(os.path.join(it.folder, name))  # a mapped database must not change
            it.write(name, bad)
            status, _out, err = it.ctl("reload")
            tap.ok(status == 1 and "10 of 10 clients" in err and f"by {wanted};" in err, f"new {name}: refused", err)
            tap.eq(comes(it), "continue", "... they come in")
            os.unlink(os.path.join(it.folder, name))
            it.write(name, files[name])
        tap.eq(it.ctl("reload")[0], 0, "the old files are taken")


@tap.part
def hat_text_file():
    table = "BAD:\n    192.0.2.66\n        REJECT\nALL: ACCEPT\n"
    conf = DNS + "[listener in]\nrat = rat\nhat = hat\n"
    with House(conf, {**RAT, "hat": table}) as it:
        tap.eq((comes(it), comes(it, "192.0.2.66")), ("continue", NO), "a HAT text file")
        for name, text in (
            ("only ALL is left", "ALL: ACCEPT\n"),
            ("ALL refuses", table.replace("ALL: ACCEPT", "ALL: REJECT")),
            ("0/0 in a refusing line", table.replace("ALL: ACCEPT", "0/0 REJECT\nALL: ACCEPT")),
        ):
            it.write("hat", text)
            tap.eq(it.ctl("reload")[0], 1, f"{name}: refused")
        it.write("hat", table.replace("192.0.2.66", "192.0.2.67"))
        tap.eq(it.ctl("reload")[0], 0, "another entry")
        tap.eq((comes(it, "192.0.2.66"), comes(it, "192.0.2.67")), ("continue", NO), "... in force")


@tap.part
def imports():
    """The same findings before a file is replaced; who was seen only the daemon knows."""
    table = "BAD:\n    192.0.2.66\n        REJECT\nALL: ACCEPT\n"
    conf = DNS + "[listener in]\nrat = rat\nhat = hat\n"

    def brings(it, text, *options):
        status, out, err = it.ctl("hat", "import", *options, "in", "-", stdin=text)
        with open(os.path.join(it.folder, "hat"), encoding="utf-8") as file:
            return status, file.read() == text, out + err

    with House(conf, {**RAT, "hat": table}, start=False) as it:
        for name, text, wanted in (
            ("nothing", "", "no entry any more; 1 are in force"),
            ("only ALL", "ALL: ACCEPT\n", "no entry any more"),
            ("ALL refuses", table.replace("ALL: ACCEPT", "ALL: REJECT"), "everybody would be refused, by ALL"),
            ("0/0", table.replace("192.0.2.66", "192.0.2.66, 0/0"), "every IPv4 address would be refused, by 0/0"),
            ("::/0", "::/0 TCPREFUSE\n" + table, "every IPv6 address would be refused, by ::/0"),
        ):
            status, replaced, words = brings(it, text)
            tap.eq((status, replaced), (1, False), f"import: {name}: refused")
            tap.ok("[listener in]" in words and wanted in words and "--force" in words, "... the reason is told", words)
        text = table.replace("192.0.2.66", "192.0.2.67")
        tap.eq(brings(it, text)[:2], (0, True), "import: another entry")
        status, replaced, words = brings(it, "192.0.2.1 REJECT\nALL: REJECT\n", "--force")
        tap.ok(status == 0 and replaced and "everybody" in words, "import: forced, and told", words)
        tap.eq(brings(it, "192.0.2.2 REJECT\nALL: REJECT\n")[:2], (0, True), "import: what was so before")
        status, replaced, words = brings(it, "192.0.2.300 REJECT\n", "--force")
        tap.ok((status, replaced) == (1, False) and "192.0.2.300" in words, "import: no force for a wrong table", words)
        it.write("hat", "broken\n")
        tap.eq(brings(it, "ALL: REJECT\n")[:2], (0, True), "import: with a broken table nothing can be compared")
        it.write("hat", table)
        tap.eq(it.ctl("rat", "import", "--force", "in", "-", stdin="")[0], 2, "rat import knows no force")
        it.settings["reload_guard"] = 0
        it.configure(conf)
        tap.eq(brings(it, "ALL: REJECT\n")[:2], (0, True), "import: reload_guard = 0")


tap.done()
