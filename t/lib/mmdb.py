#!/usr/bin/env python3
"""Writes small MaxMind DB files (format 2.0), for tests.

As a program: mmdb.py FILE [made=SECONDS] [version=4|6] NETWORK=VALUE...
where VALUE is a number (network owner) or two letters (country). In Python:

    write(path, {"192.0.2.0/24": asn(64500), "2001:db8::/32": country("JP")})

Networks must not overlap.
"""

import ipaddress
import sys
import time

MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = b"\0" * 16
RECORD_BITS = 24


def asn(number):
    return {"autonomous_system_number": U32(number), "autonomous_system_organization": "Example"}


def country(code):
    return {"country": {"iso_code": code, "names": {"en": "Somewhere"}}}


class U16(int):
    kind, room = 5, 2


class U32(int):
    kind, room = 6, 4


class U64(int):
    kind, room = 9, 8


def control(kind, size):
    """The byte in front of a value, and those it needs behind."""
    head = bytes([size if size < 29 else 29])
    more = b"" if size < 29 else bytes([size - 29])
    assert size < 29 + 256
    if kind > 7:
        return head + bytes([kind - 7]) + more
    return bytes([head[0] | kind << 5]) + more


def pack(value):
    if isinstance(value, (U16, U32, U64)):
        raw = int(value).to_bytes(value.room, "big").lstrip(b"\0")
        return control(value.kind, len(raw)) + raw
    if isinstance(value, str):
        raw = value.encode("utf-8")
        return control(2, len(raw)) + raw
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())
    return control(11, len(value)) + b"".join(pack(item) for item in value)


def bits_of(network, version):
    """The path from the root; IPv4 stands below ::/96 in a tree of version 6."""
    front = 96 if version == 6 and network.version == 4 else 0
    number = int(network.network_address)
    path = [number >> (network.max_prefixlen - 1 - i) & 1 for i in range(network.prefixlen)]
    return [0] * front + path


def build_tree(networks, version):
    """Nodes as pairs of: None, index of a node, or ("data", index of a value)."""
    nodes = [[None, None]]
    for index, network in enumerate(networks):
        at = 0
        path = bits_of(network, version)
        for bit in path[:-1]:
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][path[-1]] = ("data", index)
    return nodes


def make(entries, version=6, made=None, kind="Test"):
    """The bytes of a database of {network: value}."""
    networks = [ipaddress.ip_network(text) for text in entries]
    offsets, data = [], b""
    for value in entries.values():
        offsets.append(len(data))
        data += pack(value)
    nodes = build_tree(networks, version)
    tree = b""
    for node in nodes:
        for record in node:
            if record is None:
                number = len(nodes)
            elif isinstance(record, tuple):
                number = len(nodes) + len(SEPARATOR) + offsets[record[1]]
            else:
                number = record
            tree += number.to_bytes(RECORD_BITS // 8, "big")
    metadata = {
        "node_count": U32(len(nodes)),
        "record_size": U16(RECORD_BITS),
        "ip_version": U16(version),
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": U16(2),
        "binary_format_minor_version": U16(0),
        "build_epoch": U64(int(time.time()) if made is None else made),
        "description": {"en": "made by a test"},
    }
    return tree + SEPARATOR + data + MARKER + pack(metadata)


def write(path, entries, **options):
    with open(path, "wb") as file:
        file.write(make(entries, **options))
    return path


def main():
    options, entries = {}, {}
    for word in sys.argv[2:]:
        key, _, value = word.partition("=")
        if key in ("made", "version"):
            options[key] = int(value)
        else:
            entries[key] = asn(int(value)) if value.isdigit() else country(value)
    write(sys.argv[1], entries, **options)


if __name__ == "__main__":
    main()
