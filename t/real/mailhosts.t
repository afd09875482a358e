#!/usr/bin/python3
"""Real mail servers that call-ahead asks: Postfix, Sendmail and Dovecot's LMTP (SPEC 8).

Each server is behind a listener of its own in one daemon. What counts besides the verdicts is what
stands in the servers' logs: none may have reason to complain of us.
"""
import contextlib
import functools
import os
import re
import shutil
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from dovecot import Dovecot
from house import AS_ROOT, House, USER, free_port, wait_until
from postfix import Mailboxes
from sendmail import Sendmail
from smtpserver import make_certificate
from tap import Tap

USERS = [f"user{i}@example.com" for i in range(40)]
UNKNOWN = "550 5.1.1 User unknown"
FAILURE = "451 4.4.3 Recipient verification unavailable"
TWO = "max_connections_per_server = 2\n"

# Services of one Postfix: their options, and of their [callahead].
SERVICES = {
    "usual": ("", ""),
    "strict": (
        "-o smtpd_hard_error_limit=4 -o smtpd_soft_error_limit=2 -o smtpd_error_sleep_time=0",
        TWO + "max_rejects_per_session = 3\n",
    ),
    "plain": ("-o smtpd_discard_ehlo_keywords=pipelining", TWO),
    "few": ("-o smtpd_recipient_limit=3 -o smtpd_recipient_overshoot_limit=1000", TWO),
    "secure": (
        "-o smtpd_tls_security_level=encrypt -o smtpd_tls_ask_ccert=yes -o smtpd_tls_req_ccert=yes",
        "tls = require\nverify = yes\n",
    ),
}
SENDMAIL = """
define(`confLOG_LEVEL', `9')dnl
define(`confBAD_RCPT_THROTTLE', `20')dnl
define(`confPRIVACY_FLAGS', `needmailhelo')dnl
FEATURE(`greet_pause', `300')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`nocanonify')dnl
FEATURE(`virtusertable', `hash {table}')dnl
VIRTUSER_DOMAIN(`example.com')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
VIRTUSERS = (
    "".join(f"{user}\tnobody\n" for user in USERS)
    + "later@example.com\terror:4.2.1:450 Not now\n"
    + "policy@example.com\terror:5.7.1:550 Not for you\n"
    + "@example.com\terror:5.1.1:550 User unknown\n"
)
HEAD = """[dns]
host_lookup = off
[policy DEFAULT]
max_connections_per_ip = 100
max_recipients_per_message = 1000
max_invalid_recipients_per_hour = unlimited
"""
SECTIONS = """[listener {name}]
daemon_name = {name}
rat = rat
callahead = {name}
[callahead {name}]
type = static
servers = {server}
{more}"""

tap = Tap()


class Site:
    """The daemon, and the servers behind it."""

    def __init__(self):
        self.house = House(start=False, files={"rat": "example.com ACCEPT\n"})
        self.ports = {name: free_port() for name in (*SERVICES, "sendmail")}
        self.make_certificates()
        self.make_postfix()
        self.make_sendmail()
        self.dovecot = Dovecot(self.path("store"), USERS)

    def path(self, name):
        return os.path.join(self.house.folder, name)

    def make_certificates(self):
        self.certificates = {}
        for name in ("server", "client"):
            os.mkdir(self.path(name))
            self.certificates[name] = make_certificate(self.path(name), f"{name}.test")
        if AS_ROOT:
            shutil.chown(self.certificates["client"]["key"], USER)

    def make_postfix(self):
        box = Mailboxes(self.path("mailhost"), free_port(), USERS)
        self.postfix = box.postfix
        own = self.certificates["server"]
        self.postfix.settings(
            "smtpd_recipient_restrictions = reject_unauth_pipelining, reject_unauth_destination\n"
            f"smtpd_tls_cert_file = {own['cert']}\nsmtpd_tls_key_file = {own['key']}\n"
            f"smtpd_tls_CAfile = {self.certificates['client']['cert']}\nsmtpd_tls_loglevel = 1\n"
        )
        for name, (options, _) in SERVICES.items():
            self.postfix.services(
                f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd -o syslog_name={name} {options}"
            )

    def make_sendmail(self):
        self.sendmail = Sendmail(self.path("sendmail"), "mailhost.example.com")
        table = os.path.join(self.sendmail.folder, "etc", "virtusertable")
        self.sendmail.instance("run", "makemap", "hash", table, stdin=VIRTUSERS)
        self.sendmail.lines(SENDMAIL.format(table=table, port=self.ports["sendmail"]))

    def configuration(self, certificate=True, tls=True):
        text = HEAD + f"[tls]\nca_file = {self.certificates['server']['cert']}\n"
        if certificate:
            own = self.certificates["client"]
            text += f"certificate = {own['cert']}\nkey = {own['key']}\n"
        for name, port in self.ports.items():
            more = SERVICES.get(name, ("", ""))[1]
            text += SECTIONS.format(name=name, server=f"127.0.0.1:{port}", more=more if tls or "tls" not in more else "")
        for name, prefix in (("lmtp", "lmtp:"), ("not_smtp", "")):
            text += SECTIONS.format(name=name, server=f"{prefix}127.0.0.1:{self.dovecot.port}", more="")
        return text

    def __enter__(self):
        try:
            self.postfix.start()
            self.sendmail.start()
            self.dovecot.__enter__()
            self.house.configure(self.configuration())
            self.house.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error):
        if error[0] is not None or tap.failed:
            tap.note(self.postfix.log()[-4000:] + self.sendmail.log()[-4000:] + self.dovecot.log()[-2000:])
        self.dovecot.__exit__(*error)
        self.sendmail.stop()
        self.postfix.stop()
        self.house.__exit__(*error)

    # --- asking ------------------------------------------------------------------

    def ask(self, listener, recipients, sessions):
        """{recipient: answer}, asked by so many sessions at once."""
        answers = {}

        def run(part):
            # What is missing is seen by who looks at the answers.
            with contextlib.suppress(OSError), self.house.session(macros={"daemon_name": listener}) as mta:
                mta.mail("<a@example.net>")
                for recipient in part:
                    answers[recipient] = mta.rcpt(f"<{recipient}>").line

        threads = [threading.Thread(target=run, args=(recipients[i::sessions],)) for i in range(sessions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def expect(self, listener, recipients, sessions, what):
        answers = self.ask(listener, recipients, sessions)
        wanted = {one: "continue" if one in USERS else UNKNOWN for one in recipients}
        wrong = {one: answers.get(one) for one in recipients if answers.get(one) != wanted[one]}
        tap.eq(wrong, {}, f"{what}: {len(recipients)} recipients in {sessions} sessions at once")

    # --- logs --------------------------------------------------------------------

    def service_log(self, name):
        return [line for line in self.postfix.log().splitlines() if f" {name}/smtpd[" in line]

    def sessions(self, name):
        return sum(": connect from " in line for line in self.service_log(name))

    def expect_content(self, name):
        bad = re.compile("too many errors|command pipelining|lost connection|timeout after|error:|fatal:|panic:")
        tap.eq([line for line in self.service_log(name) if bad.search(line)], [], f"no complaint in the log of {name}")


def mixed(n):
    """Of each three recipients two are unknown."""
    return [USERS[i // 3] if i % 3 == 0 else f"nobody{i}@example.com" for i in range(n)]


# --- Postfix -------------------------------------------------------------------------


def limits_on_errors(site):
    """10 errors of a session cost a second each, 20 the connection: we leave before that."""
    site.expect("usual", mixed(120), 5, "Postfix")
    # 80 are refused. At the 8th a connection is replaced; a batch may hold 4 beyond that.
    tap.ok(site.sessions("usual") >= 80 / 12, "connections were replaced in time", site.sessions("usual"))
    site.expect_content("usual")


def low_limits_on_errors(site):
    """It hangs up before we can know: nobody is judged by that, and it is learned."""
    def too_many():
        return sum("too many errors" in line for line in site.service_log("strict"))

    def told():
        """All sessions but those in the pool have ended and said why."""
        log = site.service_log("strict")
        return sum(": connect from " in line for line in log) - sum(": disconnect from " in line for line in log) <= 2

    site.expect("strict", mixed(60), 20, "Postfix with a hard limit of 4 errors")
    for i in range(20):  # how many of them share a batch is chance
        wait_until(told, "the ends of sessions")
        if too_many():
            break
        site.ask("strict", [f"no{i}-{n}@example.com" for n in range(20)], 20)
    before = too_many()
    tap.ok(before > 0, "... which it did enforce")
    site.expect("strict", [f"no{i}@example.com" for i in range(20)], 5, "... afterwards")
    wait_until(told, "the ends of sessions")
    tap.eq(too_many(), before, "... without coming near it again")


def without_pipelining(site):
    site.expect("plain", mixed(30), 10, "Postfix without PIPELINING")
    site.expect_content("plain")


def few_recipients(site):
    """452 4.5.3 after three recipients is no verdict."""
    site.expect("few", USERS, 20, "Postfix with three recipients a transaction")
    tap.ok(site.sessions("few") <= 2, "... in the same connections", site.sessions("few"))
    site.expect_content("few")


def client_certificate(site):
    site.expect("secure", mixed(30), 5, "Postfix with our certificate")
    tap.ok(any("Trusted TLS connection established from" in line for line in site.service_log("secure")),
           "... which it verified")
    site.expect_content("secure")
    for what, more in (("certificate", {"certificate": False}), ("tls", {"tls": False})):
        site.house.configure(site.configuration(**more))
        site.house.reload()
        answers = site.ask("secure", [f"{what}@example.com", USERS[-1]], 1)
        tap.eq({answer[:6] for answer in answers.values()}, {"451 4."}, f"without {what}: nobody known, nobody unknown")
    site.house.configure(site.configuration())
    site.house.reload()


# --- Sendmail, Dovecot -----------------------------------------------------------------


def sendmail(site):
    site.expect("sendmail", mixed(60), 5, "Sendmail")
    answers = site.ask("sendmail", ["later@example.com", "policy@example.com"], 1)
    tap.eq(answers["later@example.com"][:9], "451 4.2.1", "refused for now: the temporary action")
    tap.eq(answers["policy@example.com"], FAILURE, "policy: the failure action")
    found = re.findall(r".*(?:pre-greeting|lost input|throttle|Possible|did not issue).*", site.sendmail.log())
    tap.eq(found, [], "no complaint in the log of Sendmail")


def dovecot(site):
    site.expect("lmtp", mixed(60), 5, "Dovecot by LMTP")
    answers = site.ask("lmtp", ["j\u00f6rg@example.com"], 1)
    tap.eq(list(answers.values()), ["553 5.6.7 Address needs SMTPUTF8"], "SMTPUTF8, which it does not offer")
    found = re.findall(r".*(?:Error|Warning|Connection closed|Too many).*", site.dovecot.log())
    tap.eq(found, [], "no complaint in the log of Dovecot")
    answers = site.ask("not_smtp", [USERS[0]], 1)
    tap.eq(list(answers.values()), [FAILURE], "asked by SMTP: nobody can tell")


PARTS = (
    limits_on_errors,
    low_limits_on_errors,
    without_pipelining,
    few_recipients,
    client_certificate,
    sendmail,
    dovecot,
)

with Site() as the_site:
    for part in PARTS:
        tap.note(part.__name__)
        tap.part(functools.update_wrapper(functools.partial(part, the_site), part))
tap.done()
