#!/usr/bin/python3
"""TLS, client certificates and AUTH through a real Postfix, a real Sendmail and Cyrus SASL (SPEC 4, 5).

Clients differ by their loopback address, one a policy.
"""
import base64
import hashlib
import hmac
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from certificates import Authority, self_signed
from front import Front, SendmailFront
from sasl import sasldb, sasldb_of_sendmail
from tap import Tap

POLICIES = {  # name: (address, keys)
    "OPEN": ("127.0.10.1", "tls = preferred"),
    "TLS": ("127.0.10.2", "tls = required"),
    "CERTIFIED": ("127.0.10.3", "tls = required\ntls_verify_client = yes"),
    "PREFERRED": ("127.0.10.4", "tls = preferred\ntls_verify_client = yes"),
    "AUTH": ("127.0.10.5", "auth = required"),
    "NO_AUTH": ("127.0.10.6", "auth = off"),
    "CARELESS": ("127.0.10.7", "tls = preferred\nauth_requires_tls = no"),
    "BOTH": ("127.0.10.8", "tls = required\nauth = required"),
    "BLOCKED": ("127.0.10.9", "tls = preferred\nmax_recipients_per_message = 2"),
    "FEW": ("127.0.10.11", "tls = preferred\nmax_auth_recipients = 2"),
    "LISTED": ("127.0.10.10", "tls = preferred\ntls_required_senders = bank"),
}
IP = {name: address for name, (address, _keys) in POLICIES.items()}
CONF = "[dns]\nhost_lookup = off\n[addresslist bank]\naddresses = @bank.example\n" + "".join(
    f"[policy {name}]\n{keys}\n[group {name}]\npolicy = {name}\nsenders = {address}\n"
    for name, (address, keys) in POLICIES.items()
) + f"""
[listener main]
groups = {" ".join(POLICIES)}
reject_at = mail
rat = rat.txt
[listener late]
groups = BLOCKED
reject_at = rcpt
rat = rat.txt
[listener inside]
type = private
default_policy = CLEAR
[policy CLEAR]
auth_requires_tls = no
[policy STRICT]
tls = preferred
[listener strict]
groups =
default_policy = STRICT
rat = rat.txt
"""
NO_TLS = "530 5.7.0 Must issue a STARTTLS command first"
NO_CERTIFICATE = "530 5.7.0 Valid client certificate required"
NO_AUTH = "530 5.7.0 Authentication required"
AUTH_OFF = "503 5.7.0 Authentication not allowed here"
IN_CLEAR = "538 5.7.11 Encryption required"
DENIED = "554 5.7.1 Access denied"

tap = Tap()


class Site:
    """What both sites have."""

    def configure_mx(self):
        super().configure_mx()
        authority = Authority(self.file("ca.pem"))
        self.certificates = {
            "none": None,
            "of the authority": authority.issue(self.file("good.pem"), "/CN=client.example"),
            "without a name": authority.issue(self.file("plain.pem"), "/O=Client"),
            "self-signed": self_signed(self.file("self.pem"), "/CN=client.example"),
            "expired": authority.issue(self.file("expired.pem"), "/CN=client.example", days=-1),
        }
        server = self_signed(self.file("mx.pem"), "/CN=mx.example.com")
        self.use(server, authority.path, "mx.example.com", {"joe": "secret"})

    def file(self, name):
        return os.path.join(self.mx.folder, "etc", name)

    def session(self, policy, tls=False, auth=False, certificate="none", listener="main"):
        client = self.client(IP[policy], listener)
        if tls:
            client.starttls(certificate=self.certificates[certificate])
        if auth:
            reply = plain(client)
            if not reply.startswith("235"):
                raise AssertionError(f"AUTH: {reply}")
        return client

    def mail(self, policy, sender="sender@example.net", **more):
        """The reply to MAIL, "250" for any good one."""
        with self.session(policy, **more) as client:
            return short(client.mail(sender))


class OnPostfix(Site, Front):
    account = "joe@mx.example.com"
    no_relay = "554 5.7.1 <u@elsewhere.example>: Relay access denied"
    ours = "550 5.7.1 Relaying denied"

    def use(self, server, authority, realm, accounts):
        self.mx.settings(f"smtpd_tls_chain_files = {server}\nsmtpd_tls_CAfile = {authority}")
        self.mx.settings(sasldb(self.mx, realm, accounts))


class OnSendmail(Site, SendmailFront):
    account = "joe"
    no_relay = "550 5.7.1 <u@elsewhere.example>... Relaying denied. IP name lookup failed [127.0.10.99]"
    ours = "550 5.7.1 <root@[127.0.0.1]>... Relaying denied"

    def use(self, server, authority, realm, accounts):
        os.chmod(server, 0o600)
        for what, path in (("SERVER_CERT", server), ("SERVER_KEY", server), ("CACERT", authority)):
            self.mx.lines(f"define(`conf{what}', `{path}')dnl")
        self.mx.lines(f"define(`confCACERT_PATH', `{self.mx.folder}/etc')dnl")
        self.mx.lines(sasldb_of_sendmail(self.mx, realm, accounts))


def short(reply):
    return "250" if reply.startswith("250 ") else reply


def plain(client, password="secret"):
    word = base64.b64encode(f"\0joe\0{password}".encode("ascii")).decode("ascii")
    return client.command(f"AUTH PLAIN {word}")


def cram_md5(client):
    challenge = base64.b64decode(client.command("AUTH CRAM-MD5").split()[1])
    digest = hmac.new(b"secret", challenge, hashlib.md5).hexdigest()
    return client.command(base64.b64encode(f"joe {digest}".encode("ascii")).decode("ascii"))


def tls(site):
    for policy, wanted in (("OPEN", "250"), ("TLS", NO_TLS), ("NO_AUTH", "250")):
        tap.eq(site.mail(policy), wanted, f"policy {policy}, in clear")
        tap.eq(site.mail(policy, tls=True), "250", f"policy {policy}, with TLS")
    with site.session("TLS") as client:
        tap.eq(client.mail(""), NO_TLS, "the null sender needs it, too")
        client.starttls()
        tap.eq(short(client.mail("")), "250", "... STARTTLS after a refusal helps")
    tap.eq(site.mail("LISTED", "a@bank.example"), NO_TLS, "a sender that must use TLS")
    tap.eq(site.mail("LISTED", "a@other.example"), "250", "... and one that need not")
    tap.eq(site.mail("LISTED", "a@bank.example", tls=True), "250", "... with it, who must may")
    line = site.house.wait_log(event="mail", detail="tls_required_sender")
    tap.eq((line["by"], line["from"]), ("tls", "<a@bank.example>"), "... in the log")


def certificates(site):
    tap.eq(site.mail("CERTIFIED"), NO_TLS, "a certificate is required: in clear")
    good = ("of the authority", "without a name")
    for kind in site.certificates:
        wanted = "250" if kind in good else NO_CERTIFICATE
        tap.eq(site.mail("CERTIFIED", tls=True, certificate=kind), wanted, f"required: {kind}")
        tap.eq(site.mail("PREFERRED", tls=True, certificate=kind), "250", f"tls = preferred: {kind}")
    line = site.house.wait_log(event="mail", detail="certificate_required", count=3)
    tap.eq((line["by"], line["code"]), ("tls", "530"), "... in the log")
    with site.session("CERTIFIED", tls=True, certificate="of the authority") as client:
        for _ in range(2):
            tap.eq([short(client.mail()), short(client.rcpt("u@example.com"))], ["250"] * 2, "message by message")
            client.command("RSET")


def auth(site):
    with site.client(IP["OPEN"]) as client:
        tap.ok("AUTH PLAIN CRAM-MD5" in client.ehlo or "AUTH CRAM-MD5 PLAIN" in client.ehlo, "AUTH is offered", client.ehlo)
        tap.ok(plain(client, "wrong").startswith("535"), "a wrong password")
        client.starttls()
        tap.ok(cram_md5(client).startswith("235"), "CRAM-MD5")
        tap.eq([short(client.mail()), short(client.rcpt("u@elsewhere.example"))], ["250"] * 2, "... makes a relay client")
    line = site.house.wait_log(event="rcpt", to="<u@elsewhere.example>")
    tap.eq((line["by"], line["detail"]), ("auth", "authenticated"), "... in the log")
    for policy, without, clear, safe in (
        ("OPEN", "250", IN_CLEAR, "250"),
        ("AUTH", NO_AUTH, "250", "250"),
        ("NO_AUTH", "250", AUTH_OFF, AUTH_OFF),
        ("CARELESS", "250", "250", "250"),
        ("BOTH", NO_AUTH, IN_CLEAR, "250"),
        ("TLS", NO_TLS, IN_CLEAR, "250"),
        ("BLOCKED", DENIED, IN_CLEAR, "250"),
    ):
        tap.eq(site.mail(policy), without, f"policy {policy}: without AUTH")
        tap.eq(site.mail(policy, auth=True), clear, f"policy {policy}: AUTH in clear")
        tap.eq(site.mail(policy, auth=True, tls=True), safe, f"policy {policy}: AUTH within TLS")
    tap.eq(site.mail("BOTH", tls=True), NO_AUTH, "policy BOTH: TLS without AUTH")


def strict(site):
    with site.client("127.0.10.99", "strict") as client:
        tap.ok("AUTH" not in client.ehlo, "where every policy wants TLS for AUTH, it is not offered before", client.ehlo)
        client.starttls()
        tap.ok(plain(client).startswith("235"), "... and within TLS it is there")


def blocked(site):
    """Who is refused, and authenticates, relays under the limits of its policy."""
    for listener in ("main", "late"):
        with site.session("BLOCKED", tls=True, auth=True, listener=listener) as client:
            tap.eq(short(client.mail()), "250", f"{listener}: authenticated")
            answers = [short(client.rcpt(f"{n}@elsewhere.example")) for n in range(3)]
            tap.eq(answers, ["250"] * 2 + ["452 4.5.3 Too many recipients"], "... relays, within its limits")
    with site.session("BLOCKED", tls=True, listener="late") as client:
        tap.eq(short(client.mail()), "250", "reject_at = rcpt: MAIL")
        tap.eq(client.rcpt("u@example.com"), DENIED, "... RCPT")


def account(site):
    """Before others have used it: its rate is that of the whole daemon."""
    with site.session("FEW", tls=True, auth=True) as client:
        client.mail()
        answers = [short(client.rcpt(f"{n}@elsewhere.example")) for n in range(3)]
        tap.eq(answers, ["250"] * 2 + ["452 4.7.1 Too many recipients from this account"], "the rate of an account")
    shown = site.ctl("counter", "show", site.account)
    tap.ok(site.account in shown, f"... which is counted as {site.account}", shown)


def private(site):
    with site.client("127.0.10.99", "inside") as client:
        client.mail()
        tap.eq(client.rcpt("u@elsewhere.example"), site.no_relay, "inside: no relay, says the mail server")
        tap.eq(short(client.rcpt("postmaster")), "250", "... but its postmaster")
        tap.eq(client.rcpt("root@[127.0.0.1]"), site.ours, "... no relay, says Gatehouse")
        client.command("RSET")
        tap.ok(plain(client).startswith("235"), "... who authenticates")
        tap.eq([short(client.mail()), short(client.rcpt("u@elsewhere.example"))], ["250"] * 2, "... relays")


def killed(site):
    """To authenticate does not help while nobody judges."""
    site.house.kill()
    with site.client(IP["OPEN"]) as client:
        answers = [plain(client), client.mail(), client.rcpt("u@elsewhere.example")]
        tap.ok(answers[2][:1] in "45", "daemon dead: no relay for accounts", answers)
    site.house.start()


for kind, parts in ((OnPostfix, (account, tls, certificates, auth, strict, blocked, private, killed)),
                    (OnSendmail, (account, tls, certificates, auth, blocked, private, killed))):
    with kind(tap, CONF, {"rat.txt": "example.com ACCEPT\n"}) as the_site:
        for test in parts:
            tap.note(f"{kind.__name__}: {test.__name__}")
            tap.part(lambda test=test: test(the_site))
tap.done()
