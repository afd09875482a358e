"""A TCP server that is no directory: what it does with a connection is its `mood`.

    with LdapPeer("silent") as peer:
        ... peer.uri, peer.connections ...

Moods: silent (accepts, never answers), rst, close, garbage (bytes that are no BER), huge (announces
a message of 256 MB), half (the first bytes of an answer), bind (binds, never answers searches),
flood (answers a search with 10,000 entries), bad_bind (invalid credentials), refer (a reference to
itself and nothing else), refuse (LDAP_UNWILLING_TO_PERFORM for every search).
"""
import socket
import struct
import threading


def tlv(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + size + body


def message(number, tag, *parts):
    return tlv(0x30, tlv(2, struct.pack(">I", number)), tlv(tag, *parts))


def result(number, tag, code):
    return message(number, tag, tlv(10, bytes([code])), tlv(4), tlv(4, b"said by the peer"))


def entry(number, i):
    return message(number, 0x64, tlv(4, b"cn=%d" % i), tlv(0x30))


class LdapPeer:
    def __init__(self, mood):
        self.mood = mood
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.uri = "ldap://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for connection in self.open:
            connection.close()

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.talk(connection)
        except OSError:
            pass

    def talk(self, connection):
        if self.mood == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            return
        if self.mood == "close":
            connection.close()
            return
        while True:
            data = connection.recv(4096)  # one request at a time is all that comes
            if not data:
                return
            self.answer(connection, data)

    def answer(self, connection, data):
        number, tag = self.read(data)
        if self.mood == "garbage":
            connection.sendall(bytes(range(256)) * 16)
        elif self.mood == "huge":
            connection.sendall(b"\x30\x84\x10\x00\x00\x00\x02\x01\x01")
        elif self.mood == "half":
            connection.sendall(b"\x30\x0c\x02\x01\x01\x61")
        elif self.mood == "silent":
            pass
        elif tag == 0x60:
            connection.sendall(result(number, 0x61, 49 if self.mood == "bad_bind" else 0))
        elif tag == 0x63:
            self.search(connection, number)

    def search(self, connection, number):
        if self.mood == "flood":
            for i in range(10000):
                connection.sendall(entry(number, i))
            connection.sendall(result(number, 0x65, 0))
        elif self.mood == "refer":
            connection.sendall(message(number, 0x73, tlv(4, self.uri.encode())) +
                               result(number, 0x65, 0))
        elif self.mood == "refuse":
            connection.sendall(result(number, 0x65, 53))

    @staticmethod
    def read(data):
        """Number and kind of a request; ours are short."""
        at = 2 if data[1] < 128 else 2 + (data[1] & 127)
        size = data[at + 1]
        return int.from_bytes(data[at + 2:at + 2 + size], "big"), data[at + 2 + size]
