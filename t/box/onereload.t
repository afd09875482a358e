#!/usr/bin/python3
"""One reload: configuration and maps change together or not at all, whatever is wrong."""
import fcntl
import os
import resource
import signal
import subprocess
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, CTL, wait_until
from mapsite import CONF, IS_NEW, IS_OLD, NEW, NO, OLD, USAGE, YES, Site, goes_on, untouched
from tap import Tap

tap = Tap()


@tap.part
def all_goes_well():
    with Site() as it:
        tap.eq(it.says()["maps"], "same", "status: maps are the same")
        it.agrees(tap, IS_OLD, "at first")
        it.change()
        it.configure(CONF + "[policy P]\ntls_verify_client = yes\n", max_counters=2000)
        out = goes_on(tap, it, "good")
        for words in ("tls_verify_client", "[gatehouse] max_counters: ", "the new configuration is in force\n",
                      "transport: written\n", "transport: compiled and read back\n", "relay_clients.in: written\n",
                      "told: reloaded\n"):
            tap.ok(words in out, f"it says: {words.strip()}", out)
        tap.eq(it.heard(), ["reload"], "client files changed: the MTA is told, once")
        it.forget()
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "all maps are up to date\n" in out and not it.heard(), "nothing changed", out)
        it.change({"routes": "b.example: [203.0.113.3]\n"})
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, []), "a route only: the MTA sees it by itself")
        it.configure(CONF.replace("reload_program", "reload = no\nreload_program"))
        it.change(OLD)
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "Postfix must be reloaded" in out and not it.heard(), "reload = no: it is only said", out)
        it.configure(CONF.partition("[maps]")[0])
        it.change(NEW)
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and out.count("[maps]") == 1 and it.mapped() == IS_OLD and it.decides() == IS_NEW,
               "without [maps]: the configuration alone, and one line says so", out)
        tap.eq((it.says()["maps"], "maps_differ" in it.ctl("stats", "--prometheus")[1]), (None, False),
               "... status knows of no maps")


@tap.part
def what_maps_takes_from_the_section():
    with Site() as it:
        it.change()
        tap.eq(it.ctl("maps", "--check")[0], NO, "maps --check, no flag: they differ")
        tap.eq((it.ctl("maps", "--no-reload")[0], it.heard(), it.mapped()), (YES, [], IS_NEW), "maps --no-reload")
        it.change(OLD)
        tap.eq((it.ctl("maps")[0], it.heard(), it.mapped()), (YES, ["reload"], IS_OLD), "maps")
        it.change()
        tap.eq((it.ctl("maps", "--output", it.at("other"))[0], it.mapped(), os.path.exists(it.at("other/transport.lmdb"))),
               (YES, IS_OLD, True), "maps --output wins")
        tap.eq(it.ctl("maps", "--mta", "sendmail")[0], USAGE, "maps of the other MTA: where is not known")
        it.configure(CONF.partition("[maps]")[0])
        tap.eq([it.ctl("maps", *words)[0] for words in ([], ["--mta", "postfix"], ["--output", "x"])], [USAGE] * 3,
               "no section: both have to be said")


@tap.part
def who_may_relay_for_a_while():
    """An entry of hat block that relays is in the maps that a reload writes, as in those of `maps`."""
    with Site() as it:
        for entry in ("203.0.113.77", "203.0.113.0/26"):
            tap.eq(it.ctl("hat", "block", entry, "--policy", "RELAYED")[0], YES, f"{entry} may relay")
        it.change()
        tap.eq(it.ctl("reload")[0], YES, "reload")
        clients = it.maps()["relay_clients.in"]
        tap.ok(all(words in clients for words in ("203.0.113.77", "203.0.113.0/26", "198.51.100.8")), "the maps have them",
               clients)
        tap.eq((it.ctl("maps", "--check")[0], it.says()["maps"]), (YES, "same"), "... and are those of `maps`, and the daemon's")
        tap.eq(it.ctl("hat", "unblock", "203.0.113.77")[0], YES, "no longer")
        tap.ok(it.ctl("reload")[0] == YES and "203.0.113.77" not in it.maps()["relay_clients.in"], "the next one takes it out")


@tap.part
def a_signal():
    """It reloads the daemon alone, and says where maps differ."""
    with Site() as it:
        it.change()
        it.send_signal(signal.SIGHUP)
        wait_until(lambda: it.says()["generation"] == 2, "the reload")
        line = wait_until(lambda: [x for x in it.find_log(event="reload") if "in force" in x["detail"]], "its line")[-1]
        tap.ok("maps differ: transport: differs, relay_domains: differs, relay_clients.in: differs" in line["detail"],
               "the line says which maps differ", line)
        told = it.says()
        tap.eq((told["maps"], told["maps_not_the_same"]),
               ("differ", ["transport: differs", "relay_domains: differs", "relay_clients.in: differs"]), "and so does status")
        tap.ok("\ngatehouse_maps_differ 1\n" in it.ctl("stats", "--prometheus")[1], "... and stats")
        tap.eq((it.decides(), it.mapped()), (IS_NEW, IS_OLD), "... which is true")
        tap.eq(it.ctl("maps")[0], YES, "maps are written")
        tap.eq(it.says()["maps"], "same", "status sees it by itself")
        tap.ok("\ngatehouse_maps_differ 0\n" in it.ctl("stats", "--prometheus")[1], "... and stats")
        os.unlink(it.at("maps/transport.lmdb"))
        tap.eq(it.says()["maps_not_the_same"], ["transport: the compiled map is missing"], "a compiled map is gone")
        it.write("maps/transport.lmdb", "")
        os.utime(it.at("maps/transport.lmdb"), (1, 1))
        tap.eq(it.says()["maps_not_the_same"], ["transport: the compiled map is older than its text"], "... is old")
        it.ctl("maps")
        it.write("maps/relay_clients.in", it.maps()["relay_clients.in"] + "0.0.0.0/0\tOK\n")
        tap.eq(it.says()["maps_not_the_same"], ["relay_clients.in: differs"], "somebody's own line")
        it.ctl("maps")
        os.chmod(it.at("maps"), 0)
        told = it.says()
        tap.eq(told["maps"], "cannot tell", "a folder that the daemon may not enter: cannot tell")
        tap.ok(told["maps_not_the_same"] and all(line.endswith("cannot tell: Permission denied")
                                                 for line in told["maps_not_the_same"]), "... with the reason", told)
        tap.ok("maps_differ" not in it.ctl("stats", "--prometheus")[1], "... stats do not make it up")
        os.chmod(it.at("maps"), 0o755)
        it.write("password", "secret\n")
        os.chmod(it.at("password"), 0o600)
        if AS_ROOT:
            os.chown(it.at("password"), 0, 0)
        it.configure(CONF + "[auth x]\nuser = me\npassword_file = password\n")
        it.change({"routes": "b.example: [203.0.113.2] auth=x\n"})
        code, out, err = it.ctl("reload")
        told = it.says()
        tap.eq((code, err, told["maps"], told["maps_not_the_same"]),
               (YES, "", "cannot tell", ["sasl_passwd: cannot tell: it holds passwords"]), "passwords: cannot tell")
        tap.ok("me:secret" in it.maps()["sasl_passwd"] and "secret" not in out + err + "".join(it.lines), "... which nobody says")
        it.stop()
        it.change({"routes": OLD["routes"]})
        it.start()
        it.wait_log(event="maps", level="warning", optional=True, patience=5)
        tap.ok(it.find_log(event="maps"), "a start says it, too", it.lines)


@tap.part
def refused_by_the_daemon():
    """What was in force before stays, in both, and all reasons are told."""
    cases = (
        ("two mistakes", {"rat": "b.example MAYBE\n", "routes": "b.example\n"}, CONF, ["rat:1", "routes:1"]),
        ("an open relay", {"rat": "ALL ACCEPT\n"}, CONF, ["ALL ACCEPT", "open relay"]),
        ("credentials that nobody has", {"routes": "b.example: [203.0.113.2] auth=x\n"}, CONF, ["[auth x]"]),
        ("a table without entries", {"partners": "# none\n"}, CONF, ["no entry any more"]),
        ("an unknown MTA", {}, CONF.replace("mta = postfix", "mta = exim"), ["[maps] mta", "postfix or sendmail"]),
        ("no MTA", {}, CONF.replace("mta = postfix\n", ""), ["[maps] mta"]),
    )
    for what, files, conf, words in cases:
        with Site() as it:
            it.change({**NEW, **files})
            it.configure(conf)
            code, out, err = it.ctl("reload")
            tap.ok((code, out) == (NO, "") and all(word in err for word in words) and
                   err.endswith("the running configuration stays\n"), f"{what}: refused, with the reasons", err)
            told = it.says()
            tap.ok(told["generation"] == 1 and all(word in str(told["reload_errors"]) for word in words),
                   f"{what}: status has them", told["reload_errors"])
            if what != "a table without entries":
                tap.eq(it.ctl("check")[0], YES if what == "an open relay" else NO, f"{what}: so says check")
            it.send_signal(signal.SIGHUP)
            it.wait_log(event="reload", detail="the running configuration stays", count=2)
            untouched(tap, it, what)
            it.configure(CONF)
            it.change({"partners": NEW["partners"]} if "partners" in files else {})
            it.change()
            goes_on(tap, it, what)
    with Site() as it:
        it.change({"rat": "ALL ACCEPT\n"})
        tap.eq(it.ctl("reload", "--force")[0], YES, "an open relay that is meant")
        tap.ok("*" in it.maps()["relay_domains"] or it.decides()[:2] == [True, True], "... is one", it.maps())


@tap.part
def refused_by_the_tool():
    """What goes wrong with the maps leaves the configuration as it was."""
    def a_password():
        it.configure(CONF + "[auth x]\nuser = me\npassword_file = password\n")
        it.write("password", "a\nb\n")
        it.change({"routes": "b.example: [203.0.113.2] auth=x\n"})

    def no_folder():
        it.write("file", "")
        it.configure(CONF.replace("output = maps", "output = file/maps"))

    def everybodys():
        os.chmod(it.at("maps"), 0o777)

    def somebody_writes():
        held.append(os.open(it.at("maps"), os.O_RDONLY))
        fcntl.flock(held[-1], fcntl.LOCK_EX)

    cases = (
        ("the compiler fails", lambda: it.touch("evil-stage"), "fatal: stage"),
        ("the compiler fails in place", lambda: it.touch("evil-place"), "fatal: place"),
        ("there is no compiler", lambda: os.rename(it.at("postmap"), it.at("gone")), "cannot run the compiler"),
        ("there can be no folder", no_folder, "file/maps"),
        ("a folder for everybody", everybodys, "writable by everybody"),
        ("another run", somebody_writes, "another run"),
    ) + ((("a password that is none", a_password, "password"),) if AS_ROOT else ())
    for what, prepare, words in cases:
        held = []
        with Site() as it:
            it.change()
            prepare()
            code, _out, err = it.ctl("reload")
            tap.ok(code == NO and words in err and err.endswith("the running configuration stays\n"),
                   f"{what}: refused, with the reason", err)
            told = it.says()
            tap.ok(told["generation"] == 1 and words in str(told["reload_errors"]) and told["reload"] is None,
                   f"{what}: status has it", told)
            for fd in held:
                os.close(fd)
            os.chmod(it.at("maps"), 0o755)
            untouched(tap, it, what)
            it.configure(CONF)
            it.change()
            if os.path.exists(it.at("gone")):
                os.rename(it.at("gone"), it.at("postmap"))
            goes_on(tap, it, what)
    with Site() as it:
        it.change()
        it.touch("evil-place", "evil-back")
        code, _out, err = it.ctl("reload")
        tap.ok(code == NO and "fatal: place" in err and "could not be put back" in err, "what cannot be put back is named", err)
        kept = [name for name in it.maps() if name.startswith(".")]
        tap.ok(kept and it.decides() == IS_OLD, "... its copy stays", kept)
        it.remove_files("evil-place", "evil-back")
        goes_on(tap, it, "not put back")


@tap.part
def a_full_disk():
    """RLIMIT_FSIZE in its place: a write fails in the middle of a file."""
    with Site() as it:
        it.change({**NEW, "routes": "".join(f"r{n}.example: [203.0.113.2]\n" for n in range(1000))})

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

        done = subprocess.run([CTL, "-c", it.path, "reload"], preexec_fn=limit, capture_output=True, check=False)
        tap.ok(done.returncode == NO and b"File too large" in done.stderr, "the disk is full: refused", done)
        untouched(tap, it, "a full disk")
        it.change()
        goes_on(tap, it, "a full disk")


@tap.part
def the_mta_cannot_be_told():
    with Site() as it:
        it.change()
        it.touch("deaf")
        code, out, err = it.ctl("reload")
        tap.ok(code == NO and "in effect" in err and "deaf" in err and "the new configuration is in force\n" in out,
               "exit 1, and what was done is said", out + err)
        it.agrees(tap, IS_NEW, "the MTA is deaf")
        it.remove_files("deaf")
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, ["reload"]), "the next reload tells it, though no map changes")
        tap.eq((it.ctl("reload")[0], it.heard()), (YES, ["reload"]), "... once")
        tap.eq([name for name in it.maps() if name[0] == "."], [], "... and nothing is left over")


tap.done()
