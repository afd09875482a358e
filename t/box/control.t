#!/usr/bin/python3
"""The control socket: who may use it, what it answers, what a bad client can do (SPEC 2, 14)."""
import concurrent.futures
import grp
import json
import os
import re
import resource
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import AS_ROOT, CTL, SLOWNESS, House, wait_until
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[listener in]
rat = rat
[listener other]
daemon_name = other
rat = rat
"""
RAT = {"rat": "example.com ACCEPT\n"}
IN_FORCE = "the new configuration is in force\n"
NO_MAPS = "there is no [maps] section: the maps of the MTA are left as they are\n"
YES, NO, USAGE, UNREACHABLE = 0, 1, 2, 3
BUSY = "reload under way\n"
STRANGER = 54321  # a user id that nobody has


def house(**settings):
    return House(CONF, RAT, gatehouse=settings)


def path(it):
    return os.path.join(it.run, "control.sock")


def dial(it):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(path(it))
    return client


def read_all(client):
    data = b""
    try:
        while more := client.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def say(it, data):
    with dial(it) as client:
        client.sendall(data)
        return read_all(client)


def status(it):
    code, out, err = it.ctl("status", "--json")
    assert code == YES, err
    return json.loads(out)


@tap.part
def what_it_answers():
    with house() as it:
        told = status(it)
        tap.eq((told["pid"], told["configuration"], told["generation"], told["mode"], told["listeners"]),
               (it.pid, it.path, 1, "enforce", ["in", "other"]), "status")
        tap.eq((told["sessions"], told["reload_refused"], told["reload_errors"]), (0, None, []),
               "... no session, no refused reload")
        with it.session() as mta:
            tap.eq(status(it)["sessions"], 1, "... an open session")
            mta.mail("<a@b.test>")
            for address in ("<u@example.com>", "<v@example.com>", "<u@other.test>"):
                mta.rcpt(address)
        wait_until(lambda: status(it)["sessions"] == 0, "a closed session")
        tap.ok(True, "... a closed one")
        code, out, _err = it.ctl("status")
        tap.ok(code == YES and re.search(r"(?m)^listeners: +in\n +other\nsessions: +0$", out) and
               re.search(rf"(?m)^configuration: +{re.escape(it.path)}\nloaded: +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$", out),
               "status in words", out)
        code, out, _err = it.ctl("stats")
        tap.eq((code, out.splitlines()),
               (YES, ["STAGE    VERDICT  BY   DETAIL      COUNT", "connect  accept   hat  accepted        1",
                      "mail     accept   hat  accepted        1", "rcpt     accept   rat  rat_accept      2",
                      "rcpt     reject   rat  rat_reject      1"]), "stats")
        code, out, _err = it.ctl("stats", "--prometheus")
        line = 'gatehouse_decisions_total{stage="rcpt",verdict="reject",by="rat",detail="rat_reject"} 1'
        tap.ok(code == YES and line in out.splitlines(), "stats for Prometheus", out)
        sample = re.compile(r'(# (HELP|TYPE) gatehouse_\w+ .+|gatehouse_\w+(\{(\w+="[^"]*",?)+\})? \d+)')
        tap.eq([bad for bad in out.splitlines() if not sample.fullmatch(bad)], [], "... every line has the form")
        code, out, _err = it.ctl("top", "--every", "1", "--times", "2")
        tap.ok(code == YES and out.count("A SECOND  SINCE START  STAGE  VERDICT  BY\n") == 2 and "  sessions: 0" in out and
               "rcpt" not in out, "top: nothing happens", out)
        stop = threading.Event()

        def work():
            while not stop.is_set():
                with it.session() as mta:
                    mta.mail("<a@b.test>")
                    mta.rcpt("<u@other.test>")
                time.sleep(0.1)

        worker = threading.Thread(target=work)
        worker.start()
        code, out, _err = it.ctl("top", "--every", "1", "--times", "1")
        stop.set()
        worker.join()
        rows = [line.split() for line in out.splitlines() if "rat_reject" in line]
        tap.ok(code == YES and len(rows) == 1 and float(rows[0][0]) > 0 and int(rows[0][1]) > 1 and
               rows[0][2:] == ["rcpt", "reject", "rat/rat_reject"], "top: what happens now", out)
        for wrong in (["--every", "0"], ["--every"], ["--times", "x"], ["--times", "0"], ["now"]):
            tap.eq(it.ctl("top", *wrong)[0], USAGE, f"top {' '.join(wrong)}: usage")
        for wrong in (["status", "--xml"], ["status", "a", "b"], ["stats", "--json"], ["reload", "now"],
                      ["cache"], ["cache", "flush"], ["cache", "list", "all"], ["cache", "flush", "a", "b"]):
            tap.eq(it.ctl(*wrong)[0], USAGE, f"usage: {' '.join(wrong)}")


@tap.part
def reload():
    with house() as it:
        it.configure(CONF.replace("[listener in]\n", "[listener in]\nreject_at = rcpt\n"))
        code, out, err = it.ctl("reload")
        tap.eq((code, out, err), (YES, IN_FORCE + NO_MAPS, ""), "a good configuration")
        tap.eq(status(it)["generation"], 2, "... is the second one")
        it.configure(CONF + "colour = red\nrat = gone\n", reject_at="never")
        code, out, err = it.ctl("reload")
        lines = [line for line in err.splitlines() if "warning:" not in line]
        tap.eq((code, out, lines[-1]), (NO, "", "the running configuration stays"), "a bad one is refused")
        tap.ok(any("colour" in line for line in lines) and any("reject_at" in line for line in lines),
               "... with every error", err)
        told = status(it)
        tap.eq((told["generation"], told["reload_errors"]), (2, lines[:-1]), "... which status repeats")
        tap.ok(abs(told["reload_refused"] - time.time()) < 60, "... and says when", told)
        tap.ok("gatehouse_config_reload_refused 1\n" in it.ctl("stats", "--prometheus")[1], "... and stats too")
        with open(it.path, "ab") as file:
            file.write(b"\0\xff[[[\n=\n")
        tap.eq(it.ctl("reload")[0], NO, "the socket is found by a broken file")
        it.settings.pop("reject_at")
        it.configure(CONF)
        tap.eq(it.ctl("reload")[0], YES, "put right")
        tap.eq(status(it)["reload_errors"], [], "... status has nothing to say")
        it.configure(CONF + "[policy OWN]\ntls_verify_client = yes\n")
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "warning:" in out, "warnings of a good one are told", out)
        tap.eq(status(it)["warnings"], out.splitlines()[:-2], "... which status repeats")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: it.ctl("reload"), range(24)))
        done = [answer for answer in answers if answer[0] == YES]
        tap.ok(done and all(answer in ((NO, "", BUSY), done[0]) for answer in answers),
               f"24 reloads at once: {len(done)} are done, the others told that one is under way", answers)
        tap.eq(status(it)["generation"], 4 + len(done), "... and were not")
        it.configure(CONF, log_level="warning", socket="unix:run/other.sock")
        code, out, _err = it.ctl("reload")
        tap.ok(code == YES and "[gatehouse] socket: " in out and "when gatehoused is restarted\n" in out and
               "log_level" not in out, "what waits for a restart is named", out)


@tap.part
def what_is_logged():
    """A line says what has happened, not what is about to."""
    with house() as it:
        it.configure(CONF + "colour = red\n", mode="monitor")
        it.ctl("reload")
        it.ctl("hat", "block", "192.0.2.9")
        it.ctl("hat", "unblock", "192.0.2.8")
        it.wait_log(event="control", count=3)
        tap.ok(not it.find_log(event="reload", detail="[gatehouse] mode: enforce -> monitor"),
               "refused: no key is said to have changed", it.lines)
        told = [x["detail"].partition(": ")[2] for x in it.find_log(event="control")]
        tap.ok(told[0].startswith("reload: refused: ") and "colour" in told[0], "refused, and why", told)
        tap.ok(re.fullmatch(r"block 192.0.2.9.*: done", told[1]), "done", told)
        tap.ok(told[2].startswith("unblock 192.0.2.8: refused: "), "not done, and why", told)
        it.configure(CONF, mode="monitor")
        it.ctl("reload")
        it.wait_log(event="control", count=5)
        order = [(x["event"], x["detail"]) for x in it.find_log() if x["event"] in ("reload", "control")][-4:]
        tap.eq([detail.partition("user ")[2].partition(" ")[2] or detail for _event, detail in order],
               ["reload: under way", "[gatehouse] mode: enforce -> monitor", IN_FORCE.rstrip(), "reload-take: done"],
               "asked for, taken, done")


@tap.part
def who_may():
    with house() as it:
        mode = os.stat(path(it))
        tap.eq((stat.S_ISSOCK(mode.st_mode), stat.S_IMODE(mode.st_mode)), (True, 0o660), "a socket, 0660")
        if not AS_ROOT:
            return
        os.chmod(path(it), 0o666)  # so that only the daemon's own check is left

        def as_user(**who):
            ctl = shutil.copy(CTL, it.folder)  # the build may lie where only root gets at it
            return subprocess.run([ctl, "-c", it.path, "status"], stdout=subprocess.PIPE, cwd="/",
                                  stderr=subprocess.PIPE, check=False, timeout=60, **who)

        done = as_user(user=mode.st_uid, group=mode.st_gid, extra_groups=[])
        tap.eq((done.returncode, done.stderr), (YES, b""), "the daemon's user may")
        done = as_user(user=STRANGER, group=STRANGER, extra_groups=[])
        tap.eq((done.returncode, done.stdout), (UNREACHABLE, b""), "a stranger may not")
        tap.ok(b"may not use the control socket" in done.stderr, "... and is told", done.stderr)
        tap.ok(it.wait_log(event="control", level="warning", optional=True, patience=1) or
               any(f"user {STRANGER} " in line for line in it.lines), "... and logged", it.lines)
        done = as_user(user=STRANGER, group=mode.st_gid, extra_groups=[])
        tap.eq(done.returncode, UNREACHABLE, "the daemon's group does not help without control_group")
    groups = [entry for entry in grp.getgrall() if entry.gr_gid != mode.st_gid and entry.gr_gid != 0]
    with house(control_group=groups[0].gr_name) as it:
        tap.eq(os.stat(path(it)).st_gid, groups[0].gr_gid, "control_group owns the socket")
        for name, wanted, who in (
            ("a member by first group", YES, {"group": groups[0].gr_gid, "extra_groups": []}),
            ("a member among 200 groups", YES,
             {"group": STRANGER, "extra_groups": [*range(70000, 70200), groups[0].gr_gid]}),
            ("who is in other groups", UNREACHABLE, {"group": STRANGER, "extra_groups": [groups[1].gr_gid]}),
        ):
            os.chmod(path(it), 0o666)
            tap.eq(as_user(user=STRANGER, **who).returncode, wanted, name)
        with socket.socket(socket.AF_UNIX) as mine, subprocess.Popen(
            [sys.executable, "-c", "import socket,sys,time\nheld=[]\nfor i in range(200):\n"
             " s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)\n"
             "print(flush=True); time.sleep(600)", path(it)],
            stdout=subprocess.PIPE, user=STRANGER, group=STRANGER, extra_groups=[]) as crowd:
            crowd.stdout.readline()
            mine.close()
            tap.eq(it.ctl("status")[0], YES, "200 strangers that hold on keep nobody out")
            crowd.kill()
    code, words = House(CONF, RAT, gatehouse={"control_group": "no-such-group"}, start=False).start_badly()
    tap.ok(code == 1 and "control_group: there is no group" in words, "a group that does not exist", words)


@tap.part
def bad_clients():
    with house() as it:
        head = b"gatehouse-1\t"
        for name, request, wanted in (
            ("nothing at all", b"\n", b"2\t"),
            ("another protocol", b"GET / HTTP/1.1\r\n\r\n", b"2\t"),
            ("no verb", b"gatehouse-1\n", b"2\t"),
            ("an unknown verb", head + b"shutdown\n", b"2\t"),
            ("too many arguments", head + b"status\tjson\tjson\n", b"2\t"),
            ("a wrong argument", head + b"status\txml\n", b"2\t"),
            ("NUL", head + b"status\0\n", b"2\t"),
            ("no UTF-8", head + b"cache-flush\t\xff\n", b"2\t"),
            ("an address that is none", head + b"cache-flush\ta@b@c\n", b"2\t"),
            ("a domain that is none", head + b"cache-flush\t@-\n", b"2\t"),
            ("4096 bytes without an end", b"x" * 4096, b"2\t"),
            ("65536 bytes without an end", b"x" * 65536, b"2\t"),
            ("two requests", head + b"status\n" + head + b"status\n", b"0\t"),
        ):
            try:
                said = say(it, request)
            except ConnectionError:  # it hung up while we were still talking
                said = head + b"2\t"
            tap.ok(said.startswith(head + wanted), name, said)
        with dial(it) as client:
            client.sendall(head + b"stat")
            time.sleep(0.3)
            client.sendall(b"us\n")
            tap.ok(read_all(client).startswith(head + b"0\t"), "a request in two pieces")
        with dial(it) as client:
            client.sendall(head + b"status\n")
            client.shutdown(socket.SHUT_WR)
            tap.ok(read_all(client).startswith(head + b"0\t"), "a client that closes its half")
        stuck = [dial(it) for _ in range(20)]
        for i, client in enumerate(stuck):
            client.sendall((head + b"status")[: i % 8])
        began = time.monotonic()
        status(it)
        tap.ok(time.monotonic() - began < 3, "20 silent clients hold up nobody", time.monotonic() - began)
        stuck += [dial(it) for _ in range(40)]
        began = time.monotonic()
        status(it)
        tap.ok(time.monotonic() - began < 3 + SLOWNESS, "60 of them do for no longer than two have to make room",
               time.monotonic() - began)
        tap.eq([read_all(client) for client in stuck[:20]], [b""] * 20, "they are hung up on")
        for client in stuck:
            client.close()
        with dial(it) as client:
            client.sendall(head + b"block\t192.0.2.77\t3600\t\n")
        wait_until(lambda: "192.0.2.77" in it.ctl("hat", "blocks")[1], "a block nobody waits for")
        tap.ok(True, "who leaves before the answer has been heard")
        with dial(it) as client:
            client.sendall(head + b"reload\n")
        tap.ok(wait_until(lambda: it.ctl("reload")[0] == YES, "a reload that nobody waits for is over") and
               status(it)["generation"] == 2, "... but nothing is put in force for one who left")
        with it.session() as mta:
            tap.eq(mta.mail("<a@b.test>").line, "continue", "mail goes on")


@tap.part
def silent_clients_that_return():
    """A hundred of them, with descriptors for thirty."""
    over = threading.Event()

    def silent(it):
        while not over.is_set():
            try:
                with dial(it) as client:
                    client.settimeout(1)
                    client.recv(1)
            except OSError:
                pass

    with House(CONF, RAT, start=False) as it:
        it.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)))
        threads = [threading.Thread(target=silent, args=(it,), daemon=True) for _ in range(100)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        codes = [it.ctl("status")[0] for _ in range(3)]
        tap.eq(codes, [YES] * 3, "silent clients that come again leave room for others")
        over.set()
        for thread in threads:
            thread.join()


@tap.part
def a_daemon_that_hangs():
    """Stopped: whoever asks is told so in time."""
    commands = (["status"], ["stats", "--prometheus"], ["top", "--times", "1"], ["hat", "block", "192.0.2.9"],
                ["cache", "list"], ["counter", "show", "192.0.2.9"], ["reload"])

    def timed(words):
        began = time.monotonic()
        return it.ctl(*words), time.monotonic() - began

    with house() as it:
        with it.frozen(), concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
            results = list(pool.map(timed, commands))
        for words, ((code, out, err), took) in zip(commands, results):
            bound = (10 if words == ["reload"] else 5) + 3 * SLOWNESS
            tap.ok((code, out) == (UNREACHABLE, "") and "does not answer" in err and took < bound,
                   f"{' '.join(words)}: the daemon does not answer", f"{code} after {took:.1f} s\n{out}{err}")
        tap.eq(status(it)["pid"], it.pid, "it goes on, and answers again")


@tap.part
def its_place():
    it = house()
    try:
        tap.eq(House.start_badly(it)[0], 1, "a second daemon does not take it away")
        tap.eq(status(it)["pid"], it.pid, "... the first still answers")
        it.kill()
        tap.eq(it.ctl("status")[0], UNREACHABLE, "after kill -9: not reachable")
        tap.ok(os.path.exists(path(it)), "... though the socket is there")
        it.start()
        tap.eq(status(it)["pid"], it.pid, "... the next one replaces it")
        it.stop()
        tap.ok(not os.path.exists(path(it)), "a daemon that stops takes it away")
        tap.eq(it.ctl("reload")[0], UNREACHABLE, "... not reachable")
        it.write("run/control.sock", "a file of somebody")
        code, words = it.start_badly()
        tap.ok(code == 1 and "control_socket: " in words and "not a socket" in words, "a file in its place", words)
        os.unlink(path(it))
        for name, value, exit_status, wanted in (
            ("a folder that is not there", "nowhere/control.sock", 1, "nowhere"),
            ("a path that is too long", "run/" + "x" * 108, 78, "at most 107"),
        ):
            it.configure(CONF, control_socket=value)
            code, words = it.start_badly()
            tap.ok(code == exit_status and "control_socket: " in words and wanted in words, name, f"{code}\n{words}")
        it.configure(CONF, control_socket="run/control.sock")
        os.chmod(it.run, 0o777)
        code, words = it.start_badly()
        tap.ok(code == 1 and "writable by others" in words, "a folder writable by others", words)
        os.chmod(it.run, 0o755)
        if not os.path.isdir("/run/gatehouse"):
            it.settings.pop("control_socket")
            it.configure(CONF)
            it.start()
            line = it.wait_log(event="control")
            tap.ok("there is no control socket" in line["detail"], "the default without its folder: a warning", line)
            tap.eq(it.ctl("status")[0], UNREACHABLE, "... and nothing to reach")
            it.stop()
    finally:
        it.__exit__(None, None, None)


tap.done()
