"""Certificates for tests: each a PEM file of key and certificate.

    server = self_signed("/tmp/x/mx.pem", "/CN=mx.example.com")
    authority = Authority("/tmp/x/ca.pem")
    client = authority.issue("/tmp/x/client.pem", "/CN=client.example")
"""

import subprocess

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch")


def openssl(*arguments):
    return subprocess.run(
        ["openssl", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


def append(path, pem):
    with open(path, "ab") as file:
        file.write(pem)
    return path


def self_signed(path, subject):
    pem = openssl("req", "-x509", *KEY, "-days", "2", "-subj", subject, "-keyout", path)
    return append(path, pem)


class Authority:
    def __init__(self, path):
        self.path = self_signed(path, "/CN=Authority")

    def issue(self, path, subject, days=2):
        request = path + ".csr"
        openssl("req", "-new", *KEY, "-subj", subject, "-keyout", path, "-out", request)
        signing = ("-CA", self.path, "-CAkey", self.path, "-set_serial", "7", "-days", str(days))
        return append(path, openssl("x509", "-req", "-in", request, *signing))
