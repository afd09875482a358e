#!/usr/bin/python3
"""A scripted SMTP server, hostile on demand: the mailbox host of the tests.

    with smtpserver.Server(rcpt=[["^bad", "550 5.1.1 no"]]) as server:
        ... server.port, server.stats() ...

or as a program for tests in C: `smtpserver.py [JSON...]` runs a server for each, writes their ports
as a line, then answers the lines of its standard input: `stats` with one line `connections=1 open=0
...`, `asked ADDRESS` with how often it was, `said LINE` with how often that command came, `set JSON`
(new settings for the connections to come), `open` (the gate) and `forget` (all counts to zero) with
`ok`. `@1 ` before it: to the second server. It ends with its input. `smtpserver.py --certificate
FOLDER NAME ADDRESS` makes a certificate instead.

Settings, all optional:

    banner, ehlo, helo, mail, rset, quit, starttls   the reply to each
    rcpt            [[PATTERN, REPLY], ...], searched in the address; first match wins
    rcpt_default    the reply where none matches ("250 2.1.5 Ok")
    pipelining, smtputf8   are they offered? (true, true)
    lmtp            true: LHLO is known, EHLO and HELO are not; false: the reverse
    tls             {"cert": FILE, "key": FILE}: STARTTLS is offered; with "client": FILE only to
                    clients with a certificate of that authority; with "alert": NUMBER that TLS
                    alert is the answer to a ClientHello, with "garbage" no TLS is
    latency         seconds before each reply, the greeting included
    serial          false: on the wire, replies overlap; true: in the server, one after another
    max_rcpts       accepted recipients of a transaction, then 452 4.5.3
    max_errors      refused recipients of a session, then 421 and close; with cut_at_once
                    together with the last of these refusals, as Postfix does
    max_open        connections at once, then 421 instead of a greeting
    close_delay     seconds for which a connection that is over is still open to the server
    lose_pipelined  what came together with a command is lost

REPLY: lines separated by \\n, the codes' dashes as written; or with actions before it:

    delay:SECONDS:REPLY     later
    gate:REPLY              once the gate is open
    drip:SECONDS:REPLY      one byte at a time
    twice:REPLY             two replies at once
    surplus:SECONDS:REPLY   a second one later
    then-close:REPLY        and hang up
    raw:BYTES               no CR LF added, backslash escapes
    repeat:N:TEXT           TEXT N times, then CR LF
    close, rst, hang        no reply at all
"""
import asyncio
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading

DEFAULTS = {
    "banner": "220 mx.test ESMTP", "ehlo": None, "helo": "250 mx.test", "mail": "250 2.1.0 Ok",
    "rset": "250 2.0.0 Ok", "quit": "221 2.0.0 Bye", "starttls": "220 2.0.0 Go ahead",
    "rcpt": [], "rcpt_default": "250 2.1.5 Ok", "pipelining": True, "smtputf8": True, "lmtp": False, "tls": None,
    "latency": 0, "serial": False, "max_rcpts": 0, "max_errors": 0, "cut_at_once": False, "max_open": 0,
    "close_delay": 0, "lose_pipelined": False,
}
COUNTS = ("connections", "open", "most_open", "commands", "mail", "rcpt", "rset", "quit", "tls",
          "batches", "cut", "sent")


def make_certificate(folder, name="mx.test", address="127.0.0.1"):
    """A self-signed certificate for a name and an address: {"cert": FILE, "key": FILE}."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout", key, "-out", cert,
         "-addext", "subjectAltName=DNS:%s,IP:%s" % (name, address)],
        check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return {"cert": cert, "key": key}


class Hangup(Exception):
    """The connection is over."""


class Session:
    """One connection."""

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.settings = server.settings
        self.due = asyncio.Queue()
        self.accepted = self.refused = 0
        self.running, self.over = asyncio.current_task(), False
        self.buffer = b""

    def count(self, what, n=1):
        self.server.counts[what] += n

    # --- replies ----------------------------------------------------------------
    async def send(self, data, pause=0):
        step = 1 if pause else len(data)
        for i in range(0, len(data), step):
            self.writer.write(data[i:i + step])
            await self.writer.drain()
            await asyncio.sleep(pause)
        self.count("sent")

    async def perform(self, reply, pause=0):
        action, _, rest = reply.partition(":")
        if reply == "close":
            raise Hangup
        if reply == "hang":
            await asyncio.sleep(3600)
        elif reply == "rst":
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
            raise Hangup
        elif action == "delay":
            seconds, _, rest = rest.partition(":")
            await asyncio.sleep(float(seconds))
            await self.perform(rest)
        elif action == "gate":
            while not self.server.gate.is_set():
                await asyncio.sleep(0.01)
            await self.perform(rest)
        elif action == "drip":
            seconds, _, rest = rest.partition(":")
            await self.perform(rest, float(seconds))
        elif action == "twice":
            await self.send((rest.replace("\n", "\r\n") + "\r\n").encode() * 2)
        elif action == "then-close":
            await self.perform(rest)
            raise Hangup
        elif action == "surplus":
            seconds, _, rest = rest.partition(":")
            await self.perform(rest)
            await asyncio.sleep(float(seconds))
            await self.perform(rest)
        elif action == "raw":
            await self.send(rest.encode().decode("unicode_escape").encode("latin-1"), pause)
        elif action == "repeat":
            times, _, rest = rest.partition(":")
            await self.send(rest.encode().decode("unicode_escape").encode("latin-1") * int(times)
                            + b"\r\n")
        else:
            await self.send((reply.replace("\n", "\r\n") + "\r\n").encode(), pause)

    async def write_replies(self):
        """Replies in order, each not before its time."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                when, reply = await self.due.get()
                if when > loop.time():
                    await asyncio.sleep(when - loop.time())
                try:
                    await self.perform(reply)
                finally:
                    self.due.task_done()
        except (Hangup, ConnectionError, OSError):
            self.over = True
            self.running.cancel()  # it closes

    async def reply(self, text):
        latency, loop = self.settings["latency"], asyncio.get_running_loop()
        if latency and self.settings["serial"]:
            await asyncio.sleep(latency)
            await self.due.put((0, text))
        else:
            await self.due.put((loop.time() + latency, text))

    # --- commands ---------------------------------------------------------------
    async def read_line(self):
        while b"\n" not in self.buffer:
            data = await self.reader.read(65536)
            if not data:
                raise Hangup
            self.count("batches")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        if self.settings["lose_pipelined"]:
            self.buffer = b""
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def ehlo_reply(self):
        if self.settings["ehlo"] is not None:
            return self.settings["ehlo"]
        lines = ["mx.test", "SIZE 10240000", "ENHANCEDSTATUSCODES"]
        tls_on = self.writer.get_extra_info("ssl_object") is not None
        lines += ["STARTTLS"] * bool(self.settings["tls"] and not tls_on)
        lines += ["PIPELINING"] * bool(self.settings["pipelining"])
        lines += ["SMTPUTF8"] * bool(self.settings["smtputf8"])
        return "\n".join("250%s%s" % (" " if i == len(lines) - 1 else "-", line)
                         for i, line in enumerate(lines))

    def rcpt_reply(self, line):
        match = re.match(r"RCPT TO:<(.*)>", line, re.I)
        address = match.group(1) if match else ""
        self.server.recipients[address] = self.server.recipients.get(address, 0) + 1
        reply = self.settings["rcpt_default"]
        for pattern, answer in self.settings["rcpt"]:
            if re.search(pattern, address):
                reply = answer
                break
        if reply.startswith("2"):
            if self.settings["max_rcpts"] and self.accepted >= self.settings["max_rcpts"]:
                return "452 4.5.3 Too many recipients"
            self.accepted += 1
        elif reply.startswith(("4", "5")):
            self.refused += 1
            cut = "421 4.7.0 mx.test Error: too many errors"
            if self.settings["cut_at_once"] and self.refused == self.settings["max_errors"]:
                self.count("cut")
                return "then-close:" + reply + "\n" + cut
            if self.settings["max_errors"] and self.refused > self.settings["max_errors"]:
                self.count("cut", self.refused == self.settings["max_errors"] + 1)
                return "then-close:" + cut
        return reply

    async def start_tls(self):
        # What the client says next is not for this reader.
        self.writer.transport.pause_reading()
        await self.reply(self.settings["starttls"])
        await self.due.join()
        if "220" not in self.settings["starttls"] or self.writer.is_closing():
            self.writer.transport.resume_reading()
        elif {"alert", "garbage"} & set(self.settings["tls"]):
            self.writer.transport.resume_reading()
            await self.refuse_tls()
        else:
            await self.writer.start_tls(self.server.tls_context())
            self.buffer = b""
            self.count("tls")

    async def refuse_tls(self):
        """In the middle of the handshake."""
        await self.reader.read(65536)
        alert = bytes([21, 3, 3, 0, 2, 2, self.settings["tls"].get("alert", 0)])
        await self.send(alert if "alert" in self.settings["tls"] else b"250 2.0.0 Ok\r\n" * 10)
        raise Hangup

    async def command(self, line):
        self.server.lines[line] = self.server.lines.get(line, 0) + 1
        verb = line.split(" ")[0].upper().split(":")[0]
        self.count("commands")
        if verb == ("LHLO" if self.settings["lmtp"] else "EHLO"):
            await self.reply(self.ehlo_reply())
        elif verb == "HELO" and self.settings["lmtp"]:
            await self.reply("500 5.5.1 LHLO is spoken here")
        elif verb == "STARTTLS" and self.settings["tls"]:
            await self.start_tls()
        elif verb == "RCPT":
            self.count("rcpt")
            await self.reply(self.rcpt_reply(line))
        elif verb in ("HELO", "MAIL", "RSET", "QUIT"):
            if verb != "HELO":
                self.count(verb.lower())
            self.accepted = 0
            text = self.settings[verb.lower()]
            await self.reply("then-close:" + text if verb == "QUIT" else text)
        else:
            await self.reply("502 5.5.2 what?")

    async def run(self):
        counts = self.server.counts
        counts["connections"] += 1
        counts["open"] += 1
        counts["most_open"] = max(counts["most_open"], counts["open"])
        writing = asyncio.ensure_future(self.write_replies())
        try:
            if self.settings["max_open"] and counts["open"] > self.settings["max_open"]:
                await self.reply("then-close:421 4.7.0 mx.test too many connections")
            else:
                await self.reply(self.settings["banner"])
            while True:
                line = await self.read_line()
                await self.command(line)
        except (Hangup, ConnectionError, OSError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            if not self.over:
                raise
        finally:
            writing.cancel()
            if self.settings["close_delay"]:
                await asyncio.sleep(self.settings["close_delay"])
            counts["open"] -= 1
            self.writer.close()


class Server:
    """Runs in a thread of its own on a free port of 127.0.0.1."""

    def __init__(self, host="127.0.0.1", port=0, **settings):
        self.host, self.port = host, port
        self.gate = threading.Event()
        self.forget()
        self.change(settings)
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def forget(self):
        kept = getattr(self, "counts", {}).get("open", 0)
        self.counts = dict.fromkeys(COUNTS, 0)
        self.counts["open"] = self.counts["most_open"] = kept
        self.recipients, self.lines = {}, {}

    def change(self, settings):
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise ValueError("no such settings: %s" % ", ".join(sorted(unknown)))
        self.settings = {**DEFAULTS, **settings}

    def tls_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.settings["tls"]["cert"], self.settings["tls"]["key"])
        if "client" in self.settings["tls"]:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.settings["tls"]["client"])
        return context

    def stats(self):
        return dict(self.counts)

    async def _session(self, reader, writer):
        await Session(self, reader, writer).run()

    async def _serve(self):
        server = await asyncio.start_server(self._session, self.host, self.port, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self.started.set()
        async with server:
            await server.serve_forever()

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.task = self.loop.create_task(self._serve())
        try:
            self.loop.run_until_complete(self.task)
        except asyncio.CancelledError:
            pass
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def start(self):
        self.thread.start()
        if not self.started.wait(10):
            raise RuntimeError("the SMTP server did not start")
        return self

    def stop(self):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        self.stop()


def main():
    if sys.argv[1:2] == ["--certificate"]:
        make_certificate(*sys.argv[2:])
        return
    servers = [Server(**json.loads(settings)).start() for settings in sys.argv[1:] or ["{}"]]
    print(*(server.port for server in servers), flush=True)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        server = servers[0]
        if word.startswith("@"):
            server = servers[int(word[1:])]
            word, _, rest = rest.partition(" ")
        if word == "stats":
            print(" ".join("%s=%d" % item for item in server.stats().items()), flush=True)
        elif word == "asked":
            print(server.recipients.get(rest, 0), flush=True)
        elif word == "said":
            print(server.lines.get(rest, 0), flush=True)
        else:
            if word == "set":
                server.change(json.loads(rest))
            elif word == "open":
                server.gate.set()
            elif word == "forget":
                server.forget()
            print("ok", flush=True)
    for server in servers:
        server.stop()


if __name__ == "__main__":
    main()
