"""slapd as the directory of a test, in a folder of its own.

    slapd = Slapd(entry("joe@example.com", mailHost=["mailbox.example"], mailRoutingAddress="j@b.example"))
    slapd.uri, slapd.tls_uri (signed by ca.pem in slapd.folder), slapd.ipc_uri
    slapd.halt(); slapd.start(); slapd.stop()

%(uri)s in the LDIF text is the server's own. The entries are below BASE; what is there may be
read without a password, which is PASSWORD for ADMIN.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.parse

from house import free_port, wait_until

BASE = "ou=people,dc=test"
ADMIN = "cn=admin,dc=test"
PASSWORD = "the secret"
CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'mailHost' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'callAhead' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'policy' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'mailRoutingAddress' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'mailDomain' SUP top STRUCTURAL MUST mail
  MAY ( mailHost $ callAhead $ policy $ mailRoutingAddress ) )
pidfile %(folder)s/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile %(folder)s/cert.pem
TLSCertificateKeyFile %(folder)s/key.pem
%(more)s
database mdb
suffix dc=test
rootdn %(admin)s
rootpw "%(password)s"
directory %(folder)s/db
maxsize 100000000
"""
TREE = """dn: dc=test
objectClass: domain
dc: test

dn: %s
objectClass: organizationalUnit
ou: people
""" % BASE


def entry(mail, **attributes):
    """LDIF of one below BASE. attributes: a value or a list of values each."""
    name = re.sub(r"[^A-Za-z0-9.@-]", lambda other: "\\%02x" % ord(other.group()), mail)
    text = f"\ndn: mail={name},{BASE}\nobjectClass: mailDomain\nmail: {mail}\n"
    for attribute, values in attributes.items():
        for value in [values] if isinstance(values, str) else values:
            text += f"{attribute}: {value}\n"
    return text


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_certificates(folder):
    """ca.pem, and cert.pem and key.pem of a server that it signed."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, timeout=60, capture_output=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA of " + os.path.basename(folder))
    openssl("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=ldap.test")
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as names:
        names.write("subjectAltName = DNS:ldap.test, IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "cert.pem", "-extfile", "names")


class Slapd:
    def __init__(self, ldif, more=""):
        """more: lines of slapd.conf."""
        self.ldif = ldif
        self.folder = tempfile.mkdtemp(prefix="gatehouse-slapd-")
        os.mkdir(os.path.join(self.folder, "db"))
        make_certificates(self.folder)
        self.port, self.tls_port = free_port(), free_port()
        self.uri = "ldap://127.0.0.1:%d" % self.port
        self.tls_uri = "ldaps://127.0.0.1:%d" % self.tls_port
        self.ipc_uri = "ldapi://" + urllib.parse.quote(os.path.join(self.folder, "ldapi"), safe="")
        words = {"folder": self.folder, "more": more, "admin": ADMIN, "password": PASSWORD}
        self.conf = self.write("slapd.conf", CONF % words)
        data = self.write("data.ldif", TREE + ldif.replace("%(uri)s", self.uri))
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", self.conf, "-l", data], check=True, timeout=30)
        self.start()

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def start(self):
        uris = " ".join(uri + "/" for uri in (self.uri, self.tls_uri, self.ipc_uri))
        self.process = subprocess.Popen(
            ["/usr/sbin/slapd", "-f", self.conf, "-d", "0", "-h", uris],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port) and listens(self.tls_port), "slapd")

    def another(self, more):
        """Another one with the same entries, whose CA is trusted too."""
        other = Slapd(self.ldif, more)
        with open(os.path.join(other.folder, "ca.pem"), encoding="ascii") as added:
            with open(os.path.join(self.folder, "ca.pem"), "a", encoding="ascii") as trusted:
                trusted.write(added.read())
        return other

    def halt(self):
        self.process.terminate()
        self.process.wait(30)

    def stop(self):
        self.halt()
        shutil.rmtree(self.folder)
