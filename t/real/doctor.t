#!/usr/bin/python3
"""`gatehousectl doctor` finds nothing wrong with what mta-config writes, and each thing that is
broken after that, in the configuration of a real Postfix and a real Sendmail."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from front import Front, SendmailFront
from house import wait_until
from sendmail import INSTANCE
from tap import Tap

CONF = """
[dns]
host_lookup = off
[group LAN]
policy = RELAYED
senders = 127.0.10.
[listener first]
groups = LAN
rat = rat.txt
[listener second]
type = private
groups = LAN
[routes]
file = routes.txt
ldap = d
[ldap d]
uri = ldap://127.0.0.1:1
base_dn = dc=test
routing_query = (mail={a})
routing_address_attr = other
[auth smart]
user = joe
password_file = password.txt
"""
FILES = {
    "rat.txt": "example.com, .below.example ACCEPT\n",
    "routes.txt": "example.com: [127.0.0.1]:2525 auth=smart\n.below.example: [127.0.0.1]:2526\nALL: /dev/null\n",
    "password.txt": "secret\n",
}

POSTFIX = (  # settings, what the doctor says
    ("milter_default_action = accept\nsmtpd_milters = {socket}", "all mail passes while Gatehouse is down"),
    ("smtpd_milters = {{ {socket}, default_action=accept }}", "all mail passes while Gatehouse is down"),
    ("smtpd_milters = inet:127.0.0.1:9", "Gatehouse is not asked here"),
    ("smtpd_milters =", "Gatehouse is not asked here"),
    ("smtpd_milters = {{ {socket}, command_timeout=25s }}", "is not longer than command_deadline; set 30s"),
    ("milter_command_timeout = 20s\nsmtpd_milters = {socket}", "is not longer than command_deadline"),
    ("smtpd_milters = {{ {socket}, command_timeout=30s }}", "milter_content_timeout = 300s: each client waits that long"),
    ("smtpd_milters = {{ {socket}, content_timeout=25s }}", "milter_content_timeout = 25s is not longer"),
    ("milter_content_timeout = 10m\nsmtpd_milters = {socket}", "milter_content_timeout = 600s: each client waits that long"),
    ("transport_maps =", "transport_maps does not use"),
    ("transport_maps = lmdb:{maps}/transport", "transport_maps does not use {maps}/ldap-routing.cf"),
    ("virtual_alias_maps =", "virtual_alias_maps does not use {maps}/ldap-aliases.cf"),
    ("virtual_alias_maps = ldap:{maps}/ldap-aliases.cf", "virtual_alias_maps does not use {maps}/ldap-addresses"),
    ("virtual_alias_maps = pipemap:{{ldap:{maps}/ldap-aliases.cf, regexp:{maps}/ldap-addresses}}",
     "virtual_alias_maps does not use {maps}/ldap-wrong"),
    ("relay_domains = $mydestination", "relay_domains does not use"),
    ("relay_domains = static:all", "relay_domains accepts every domain: an open relay"),
    ("smtp_sasl_password_maps =", "smtp_sasl_password_maps does not use"),
    ("smtp_tls_policy_maps =", "smtp_tls_policy_maps does not use"),
    ("mynetworks = 127.0.0.1, 0.0.0.0/0", "mynetworks holds 0.0.0.0/0: an open relay"),
    ("mydestination = localhost, example.com", "mydestination names example.com"),
    ("relay_recipient_maps = static:x", "recipients are refused before Gatehouse is asked"),
    ("smtpd_recipient_restrictions = reject_unverified_recipient", "reject_unverified_recipient refuses recipients"),
    ("parent_domain_matches_subdomains = relay_domains", "also accepts sub.example.com"),
    ("message_size_limit = 1000", "message_size_limit = 1000 is below what a policy allows"),
    ("smtpd_hard_error_limit = 2", "smtpd_hard_error_limit = 2 is below"),
    ("smtpd_hard_error_limit = 20", "smtpd_hard_error_limit = 20 is below"),
    ("smtpd_soft_error_limit = 10", "smtpd_soft_error_limit = 10 is below"),
    ("smtpd_recipient_limit = 10", "main.cf: warning: smtpd_recipient_limit = 10 is below"),
    ("default_process_limit = 100", "100 processes are fewer than max_connections of [listener first] (300)"),
    ("smtpd_milter_maps = inline:{{ 127.0.0.9=DISABLE }}", "clients in smtpd_milter_maps are handled by other filters"),
    ("smtp_fallback_relay = [127.0.0.9]", "mail for hosts that are down leaves its route"),
    ("mydestination = EXAMPLE.com", "mydestination names example.com"),
    ("relay_domains = Static:OK", "relay_domains accepts every domain: an open relay"),
)
SERVICES = (  # services of master.cf, what the doctor says
    ("rewrite unix - - y - - trivial-rewrite", "rewrite is chrooted"),
    ("cleanup unix n - y - 0 cleanup", "cleanup is chrooted"),
    ("127.0.0.1:9925 inet n - n - - smtpd\n    -o smtpd_relay_restrictions=permit", "9925: smtpd_relay_restrictions has no reject_unauth_destination"),
    ("127.0.0.1:9924 inet n - n - - smtpd\n    -o smtpd_relay_restrictions=permit,reject_unauth_destination",
     "9924: smtpd_relay_restrictions has no reject_unauth_destination"),
    ("127.0.0.1:9923 inet n - n - - smtpd\n    -o smtpd_relay_restrictions=warn_if_reject,"
     "reject_unauth_destination", "9923: smtpd_relay_restrictions has no reject_unauth_destination"),
    ("127.0.0.1:9922 inet n - n - - smtpd\n    -o mynetworks=0.0.0.0/0", "9922: mynetworks holds 0.0.0.0/0: an open relay"),
    ("smtpd pass - - n - - smtpd\n    -o smtpd_milters=", "smtpd: smtpd_milters does not name"),
    ("127.0.0.1:9921 inet n - n - - smtpd\n    -o milter_macro_daemon_name=third", "9921: no listener matches this service"),
    ("127.0.0.1:9920 inet n - n - - smtpd\n    -o milter_macro_daemon_name=first", "9920: no listener matches this service"),
    ("127.0.0.1:9918 inet n - n - - smtpd\n    -o smtpd_recipient_limit=5", "9918: smtpd_recipient_limit = 5 is below"),
    ("127.0.0.1:9926 inet n - n - - smtpd\n    -o smtpd_relay_restrictions=check_client_access,"
     "cidr:{maps}/relay_clients.second,reject_unauth_destination",
     "clients that may relay at [listener second] may here, too"),
)
SENDMAIL = (  # text in sendmail.cf, what is there instead, what the doctor says
    (", F=T,", ",", "without F=T: all mail passes"),
    ("R:30s", "R:25s", "is not longer than command_deadline; set R:30s"),
    (";R:30s", "", "is not longer than command_deadline"),
    ("E:30s", "E:5m", "T=E:300s: each client waits that long"),
    (";E:30s", "", "T=E:300s: each client waits that long"),
    ("E:30s", "E:20s", "is not longer than command_deadline; set E:30s"),
    ("O InputMailFilters=gatehouse", "O InputMailFilters=", "InputMailFilters does not name gatehouse"),
    ("/milter.sock", "/other.sock", "no INPUT_MAIL_FILTER with the socket"),
    ("Kmailertable ", "Kother ", "mailertable is not used"),
    ("Kaccess ", "Kother ", "access is not used"),
    ("KGatehouseHost ", "Kother ", "that ask [ldap d] are missing"),
    ("$(GatehouseAddress ", "$(other ", "that ask [ldap d] are missing"),
    ("$>GatehouseAddresses ", "$>other ", "that ask [ldap d] are missing"),
    ("Kauthinfo ", "Kother ", "authinfo is not used"),
    ("F{GatehouseDomains}", "F{Other}", "relay-domains is not used"),
    ("gatehouserelay", "other", "Local_check_rcpt of mta-config are missing"),
    ("Mrelay2526,", "Mother,", "no mailer relay2526"),
    ("Mdevnull,", "Mother,", "no mailer devnull"),
    ("Name=second,", "Name=other,", "no DAEMON_OPTIONS with Name=second"),
    ("O MaxMessageSize=", "O MaxMessageSize=1000\n#", "MaxMessageSize = 1000 is below what a policy allows"),
    ("O MaxRecipientsPerMessage=", "O MaxRecipientsPerMessage=5\n#", "MaxRecipientsPerMessage = 5 is below"),
    ("O BadRcptThrottle=", "O BadRcptThrottle=1\n#", "BadRcptThrottle = 1 is below"),
    ("O MaxDaemonChildren=", "O MaxDaemonChildren=12\n#", "MaxDaemonChildren = 12 is below"),
    ("Cwlocalhost", "Cwlocalhost Example.com", "class {w} holds example.com"),
    ("# anything else is bogus", "#", "an open relay"),
    ("# anything else is bogus", "# check whether FROM is allowed to use system as relay\n# anything else is bogus",
     "FEATURE(`relay_mail_from')"),
    ("# anything else is bogus", "# allow relaying for hosts which we MX serve\n# anything else is bogus",
     "FEATURE(`relay_based_on_MX')"),
    ("O InputMailFilters=", "O FallbackMXhost=x.example\nO InputMailFilters=", "leaves its route"),
    ("UseCompressedIPv6Addresses=False", "UseCompressedIPv6Addresses=True", "are not found in access"),
    ("Name=second,", "Name=second, InputMailFilters=other;gatehouse2,", "second: InputMailFilters does not name gatehouse"),
    ("O InputMailFilters=", "O DaemonPortOptions=Name=third, Port=25\nO InputMailFilters=",
     "third: no listener matches this service"),
    ("Cwlocalhost", "Cwlocalhost\nFw-o {folder}/names %[^\\#]", "class {w} holds example.com"),
    ("Cwlocalhost", "Cwlocalhost\nC{VirtHost}example.com", "class {VirtHost} holds example.com"),
    ("FR-o /dev/null", "FR-o {folder}/maps/relay-domains", "clients with names in these domains may relay anywhere"),
    ("SBasic_check_mail", "Scheckrcpt\nSBasic_check_mail", "delay_checks"),
)

SENDMAIL_SCRIPT = """#!/bin/sh
exec '{}' run '{}' sendmail "$@"
"""

tap = Tap()


def doctor(front, mta, *more):
    status, out, err = front.house.ctl("doctor", "--mta", mta, "--output", front.maps, *more)
    return status, out + err


def good_all_over(status, said, mta):
    lines = said.splitlines()
    tap.ok(status == 0 and lines[-1] == f"{mta}: good" and all(line.startswith("good: ") for line in lines[:-1]),
           f"{mta} as mta-config says", said)


def private(front):
    os.chmod(os.path.join(front.folder, "password.txt"), 0o600)


class PostfixHere(Front):
    def configure_gatehouse(self):
        private(self)
        super().configure_gatehouse()


class SendmailHere(SendmailFront):
    def configure_gatehouse(self):
        private(self)
        super().configure_gatehouse()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def postfix(front):
    postmap = read(os.path.join(front.mx.folder, "postmap"))
    script = front.house.write("postconf", postmap.replace("/usr/sbin/postmap", "/usr/sbin/postconf"))
    os.chmod(script, 0o755)
    ask = lambda: doctor(front, "postfix", "--postconf", script,
                         "--compiler", os.path.join(front.mx.folder, "postmap"))
    good_all_over(*ask(), "Postfix")
    names = {"socket": "unix:gatehouse/milter.sock", "maps": front.maps,
             "folder": os.path.join(front.mx.queue, "gatehouse")}
    for file, cases, change in (("main.cf", POSTFIX, front.mx.settings), ("master.cf", SERVICES, front.mx.services)):
        path = os.path.join(front.mx.folder, "etc", file)
        good = read(path)
        for text, wanted in cases:
            change(text.format(**names))
            os.utime(path, (0, 0))  # Postfix waits before it believes a file that has just changed
            _, said = ask()
            tap.ok(wanted.format(**names) in said, f"Postfix with {text.splitlines()[0]}", said)
            write(path, good)
    chroots(front, ask, names)
    tap.eq(doctor(front, "postfix", "--postconf", "/nowhere")[0], 1, "no postconf")


def chroots(front, ask, names):
    """What doctor says of a socket is what a client finds."""
    path = os.path.join(front.mx.folder, "etc", "master.cf")
    main = os.path.join(front.mx.folder, "etc", "main.cf")
    good, settings = read(path), read(main)
    for column, milter, reached in (("n", "unix:{folder}/milter.sock", True), ("y", "unix:{folder}/milter.sock", False),
                                    ("-", "unix:{folder}/milter.sock", True), ("y", "unix:/gatehouse/milter.sock", True),
                                    ("n", "unix:/gatehouse/milter.sock", False), ("-", "unix:gatehouse/milter.sock", True),
                                    ("n", "unix:gatehouse/milter.sock", True)):
        text, n = re.subn(" inet n - . - - smtpd", f" inet n - {column} - - smtpd", good)
        tap.eq(n, 2, "the column of both services")
        write(path, text)
        front.mx.settings(f"smtpd_milters = {milter.format(**names)}\nmilter_content_timeout = 30s")
        os.utime(main, (0, 0))
        status, said = ask()
        front.mx.instance("reload")
        wait_until(lambda: "451" not in answer(front) if reached else "451" in answer(front),
                   f"{milter} {column} {'reached' if reached else 'not reached'}")
        tap.eq((status, "cannot reach unix:" in said or "Gatehouse is not asked here" in said),
               (int(not reached), not reached), f"chroot {column}, {milter}: doctor says what a client finds")
        write(main, settings)
    write(path, good)


def answer(front):
    with front.client("127.0.9.9", "first") as client:
        return client.mail()


def sendmail(front):
    path = os.path.join(front.mx.folder, "etc", "sendmail.cf")
    script = front.house.write("sendmail", SENDMAIL_SCRIPT.format(INSTANCE, front.mx.folder))
    os.chmod(script, 0o755)
    ask = lambda: doctor(front, "sendmail", "--sendmail-cf", path, "--sendmail", script,
                         "--compiler", front.mx.makemap)
    good_all_over(*ask(), "Sendmail")
    good = read(path)
    front.house.write("names", "# ours\nlocal.example\nEXAMPLE.com\n")
    for old, new, wanted in SENDMAIL:
        new = new.replace("{folder}", front.folder)
        tap.ok(old in good, f"sendmail.cf has {old}")
        write(path, good.replace(old, new))
        _, said = ask()
        tap.ok(wanted in said, f"Sendmail with {new!r} for {old!r}", said)
    write(path, good)
    for bits, wanted in ((0o775, "451"), (0o755, "250")):
        os.chmod(front.house.run, bits)
        status, said = ask()
        tap.eq((answer(front)[:3], status, f"its folder {front.house.run} is writable by its group" in said),
               (wanted, int(wanted == "451"), wanted == "451"), f"folder of the socket {bits:o}: doctor says what a client finds")
    tap.eq(doctor(front, "sendmail", "--sendmail-cf", "/nowhere")[0], 1, "no sendmail.cf")


with PostfixHere(tap, CONF, FILES) as the_front:
    tap.part(lambda: postfix(the_front))
with SendmailHere(tap, CONF, FILES) as the_front:
    tap.part(lambda: sendmail(the_front))
tap.done()
