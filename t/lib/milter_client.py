"""The MTA's side of the milter protocol (version 6), for tests.

    with Milter("/run/x/milter.sock") as mta:       # or ("127.0.0.1", 8899)
        mta.negotiate()
        mta.macros("C", daemon_name="inside")
        reply = mta.connect("192.0.2.1")
        reply = mta.mail("<a@example.com>", "SIZE=1000")
        reply.line                                  # "550 5.1.1 User unknown"

It behaves as Postfix does: stages the filter does not want are not sent, and
no reply is awaited where the filter gives none (then the method returns None).
send(), raw() and receive() are for peers that behave otherwise.
"""

import socket
import struct

VERSION = 6
ACTIONS = 0x1FF  # what Postfix offers; 0x100 is the choice of macros
SET_MACROS = 0x100
STEPS = 0x1FFFFF

# Steps a filter may leave out, and steps it may leave unanswered.
NO_CONNECT, NO_HELO, NO_MAIL, NO_RCPT, NO_BODY = 0x01, 0x02, 0x04, 0x08, 0x10
NO_HEADERS, NO_EOH, NO_UNKNOWN, NO_DATA = 0x20, 0x40, 0x100, 0x200
SKIP, RCPT_REJECTED, NR_HEADER = 0x400, 0x800, 0x80
NR_CONNECT, NR_HELO, NR_MAIL, NR_RCPT = 0x1000, 0x2000, 0x4000, 0x8000
NR_DATA, NR_UNKNOWN, NR_EOH, NR_BODY = 0x10000, 0x20000, 0x40000, 0x80000

CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD = b"c", b"a", b"r", b"t", b"d"
STAGES = {0: "connect", 1: "helo", 2: "mail", 3: "rcpt", 4: "data", 5: "eom", 6: "eoh"}
FINAL = (CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, b"y", b"s", b"f")  # the rest are actions


class Closed(Exception):
    """The filter has closed the connection."""


class Reply:
    """An answer. code, status and text are those of a reply of the filter's
    own words, as the MTA passes them on, lines separated by newlines; None for a bare action."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data
        self.code = self.status = self.text = None
        if kind == b"y":
            whole = data.rstrip(b"\0").decode("utf-8", "backslashreplace").replace("%%", "%")
            lines = whole.split("\r\n")
            heads = [line[:4] + line[4:].split(" ", 1)[0] for line in lines]
            self.code, self.status = int(heads[-1][:3]), heads[-1][4:]
            if heads != [f"{self.code}-{self.status}"] * (len(lines) - 1) + [f"{self.code} {self.status}"]:
                raise ValueError(f"the lines do not agree: {lines}")
            self.text = "\n".join(line[len(heads[-1]) + 1:] for line in lines)

    @property
    def line(self):
        """ "550 5.1.1 User unknown", or "continue", "reject", "tempfail"."""
        if self.code is not None:
            return f"{self.code} {self.status} {self.text}"
        names = {b"c": "continue", b"a": "accept", b"r": "reject", b"t": "tempfail", b"d": "discard"}
        return names.get(self.kind, repr((self.kind, self.data)))

    def __repr__(self):
        return f"<Reply {self.line}>"


def c_string(text):
    return (text if isinstance(text, bytes) else text.encode("utf-8")) + b"\0"


def connect_data(ip, host=None, port=40000):
    """ip None: an unknown family, as for local submission."""
    if ip is None:
        return c_string(host or "localhost") + b"U"
    family = b"6" if ":" in ip else b"4"
    return c_string(host or f"[{ip}]") + family + struct.pack(">H", port) + c_string(ip)


class Milter:
    def __init__(self, address, timeout=30):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.steps = 0
        self.actions = 0
        self.wanted_macros = {}  # stage -> list of names; stages the filter chose for

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    # --- packets ---------------------------------------------------------------

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, command, data=b""):
        self.raw(struct.pack(">I", len(data) + 1) + command + data)

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed(f"after {len(data)} of {size} bytes")
            data += more
        return data

    def receive(self):
        """(command, data)"""
        size = struct.unpack(">I", self.read(4))[0]
        assert 0 < size <= 1 << 20, f"a packet of {size} bytes"
        packet = self.read(size)
        return packet[:1], packet[1:]

    def answer(self):
        while True:
            kind, data = self.receive()
            if kind in FINAL:
                return Reply(kind, data)

    def is_closed(self, patience=5):
        """Does the filter close within so many seconds? Bytes before are dropped."""
        self.socket.settimeout(patience)
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    # --- stages ----------------------------------------------------------------

    def negotiate(self, version=VERSION, actions=ACTIONS, steps=STEPS):
        self.send(b"O", struct.pack(">III", version, actions, steps))
        kind, data = self.receive()
        assert kind == b"O", (kind, data)
        _version, self.actions, self.steps = struct.unpack_from(">III", data)
        rest = data[12:]
        while len(rest) > 4:
            stage = STAGES[struct.unpack_from(">I", rest)[0]]
            names, _, rest = rest[4:].partition(b"\0")
            self.wanted_macros[stage] = names.decode().split()
        return self

    def macros(self, command, given=None, **short):
        """Values of macros before a command; names of one letter stand as they
        are, others get their braces."""
        pairs = {**(given or {}), **short}
        data = command.encode()
        for name, value in pairs.items():
            data += c_string(name if len(name) == 1 else "{%s}" % name) + c_string(value)
        self.send(b"D", data)

    def step(self, command, data, left_out, unanswered):
        if self.steps & left_out:
            return None
        self.send(command, data)
        return None if self.steps & unanswered else self.answer()

    def connect(self, ip, host=None, port=40000):
        return self.step(b"C", connect_data(ip, host, port), NO_CONNECT, NR_CONNECT)

    def helo(self, name):
        return self.step(b"H", c_string(name), NO_HELO, NR_HELO)

    def mail(self, sender, *arguments):
        data = b"".join(c_string(word) for word in (sender, *arguments))
        return self.step(b"M", data, NO_MAIL, NR_MAIL)

    def rcpt(self, recipient, *arguments):
        data = b"".join(c_string(word) for word in (recipient, *arguments))
        return self.step(b"R", data, NO_RCPT, NR_RCPT)

    def data(self):
        return self.step(b"T", b"", NO_DATA, NR_DATA)

    def header(self, name, value):
        return self.step(b"L", c_string(name) + c_string(value), NO_HEADERS, NR_HEADER)

    def end_of_headers(self):
        return self.step(b"N", b"", NO_EOH, NR_EOH)

    def body(self, data):
        reply = None
        for at in range(0, len(data), 65535):
            reply = self.step(b"B", data[at : at + 65535], NO_BODY, NR_BODY)
        return reply

    def end_of_message(self):
        self.send(b"E")
        return self.answer()

    def message(self, body=b"text\r\n"):
        """Everything after the last RCPT; the answer is that of its end."""
        self.data()
        self.header("Subject", "test")
        self.end_of_headers()
        self.body(body)
        return self.end_of_message()

    def abort(self):
        self.send(b"A")

    def quit(self):
        self.send(b"Q")
