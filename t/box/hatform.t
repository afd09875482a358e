#!/usr/bin/python3
"""HAT text files with the names of the vendor's form: they act, and an import refuses restrictions it does not know."""
import json
import os
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
CONF = """[dns]
host_lookup = off
[addresslist partners]
addresses = @partner.example
[addresslist ours]
addresses = vip@ours.example
[listener in]
hat = hat
rat = rat
"""
RAT = "example.com ACCEPT\n"
FORM = """$P
    ACCEPT {
        smtpauth_allow = "on"
        smtpauth_requiretls = "on"
        tls = "preferred"
        tls_exceptions = "partners"
        dhap_limit = 1
        dhap_action = "drop"
        dhap_message = "bye"
        use_significant_bits = "on"
        significant_bits = 24
        env_sender_rate_limit = 1
        env_sender_rate_limit_code = 450
        env_sender_rate_limit_text = "slowly"
        env_sender_rate_limit_exceptions = "ours"
    }
$Q
    ACCEPT {
        smtpauth_allow = "off"
        tls = "required"
        tls_verify = "on"
    }
$R
    ACCEPT {
        sender_vrfy = "on"
        sender_vrfy_bad_domain_smtp_code = 450
        sender_vrfy_bad_domain_smtp_text = "who?"
    }
Q:
    192.0.2.2
        $Q
R:
    192.0.2.3
        $R
ALL
    $P
"""


def tls(more=None):
    return {"tls_version": "TLSv1.3", **(more or {})}


@tap.part
def acts():
    with House(CONF, {"rat": RAT, "hat": FORM}) as it:
        tap.eq(it.ctl("check")[2], "", "check says nothing")
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.mail("<a@partner.example>").line, "530 5.7.0 Must issue a STARTTLS command first", "tls_exceptions")
            mta.macros("M", auth_authen="joe")
            tap.eq(mta.mail("<a@b.example>").line, "538 5.7.11 Encryption required", "smtpauth_requiretls")
        with it.session("192.0.2.1") as mta:
            tap.eq(mta.mail("<a@b.example>").line, "continue", "smtpauth_allow = on needs none")
            tap.eq(mta.rcpt("<a@example.com>").line, "continue", "a first recipient")
            tap.eq(mta.rcpt("<b@example.com>").line, "450 4.7.1 slowly", "env_sender_rate_limit")
        with it.session("192.0.2.1") as mta:
            mta.mail("<vip@ours.example>")
            tap.eq([mta.rcpt(f"<{name}@example.com>").line for name in "abc"], ["continue"] * 3, "... and its exceptions")
            tap.eq(mta.rcpt("<a@example.org>").line, "550 5.7.1 bye", "dhap_message")
            tap.eq(mta.mail("<a@b.example>").line, "421 4.7.1 bye", "dhap_action = drop")
        with it.session("192.0.2.99") as mta:
            tap.eq(mta.mail("<a@b.example>").line, "421 4.7.1 bye", "use_significant_bits: the network's counter")
        with it.session("192.0.2.2") as mta:
            mta.macros("M", tls())
            tap.eq(mta.mail("<a@b.example>").line, "530 5.7.0 Valid client certificate required", "tls_verify")
            mta.macros("M", tls({"auth_authen": "joe", "verify": "OK"}))
            tap.eq(mta.mail("<a@b.example>").line, "503 5.7.0 Authentication not allowed here", "smtpauth_allow = off")
        with it.session("192.0.2.3") as mta:
            tap.eq(mta.mail("<joe>").line, "450 4.5.4 who?", "sender_vrfy and its code")


@tap.part
def sample():
    """All of them in one line, as somebody might write them by hand."""
    text = ('$P ACCEPT { smtpauth_allow = "on" smtpauth_requiretls = "on" tls_verify = "on" dhap_action = "drop" '
            'dhap_message = "bye" use_significant_bits = "on" }\nALL $P\n')
    with House(CONF, {"rat": RAT, "hat": text}, start=False) as it:
        status, _out, err = it.ctl("check")
        tap.ok(status == 0 and "unknown" not in err and "without effect" not in err, "nothing is unknown", err)
        status, out, _err = it.ctl("hat", "export", "in")
        it.write("hat", out)
        tap.ok(status == 0 and 'dhap_message = "bye"' in out and it.ctl("hat", "export", "in")[1] == out,
               "the export reads as the same table", out)


@tap.part
def imported():
    unknown = '$P ACCEPT { accept_untagged_bounces = "on" dkim_signing = "on" }\n192.0.2.1 REJECT\nALL $P\n'
    restricting = '192.0.2.1 ACCEPT { dhap_limits = 1 }\n$P ACCEPT { x = 1 }\nALL ACCEPT\n'.split("\n")
    restricting = "\n".join([restricting[1], restricting[0], 'ALL ACCEPT { TLS_level = "high" max_hops = 5 }', ""])
    with House(CONF, {"rat": RAT, "hat": FORM}, start=False) as it:
        status, _out, err = it.ctl("hat", "import", "in", "-", stdin=unknown)
        tap.ok(status == 0 and err.count("kept, but without effect") == 2 and "a restriction" not in err,
               "keys that restrict nothing are kept", err)
        tap.ok("accept_untagged_bounces" in it.ctl("hat", "export", "in")[1], "... for exports")
        with open(os.path.join(it.folder, "hat"), encoding="utf-8") as file:
            before = file.read()
        status, out, err = it.ctl("hat", "import", "in", "-", stdin=restricting)
        tap.eq((status, out), (1, ""), "unknown restrictions are not taken")
        for key, place in (("dhap_limits", "stdin:2:34"), ("TLS_level", "stdin:3:26"), ("max_hops", "stdin:3:44")):
            tap.ok(f"{place}: {key} restricts clients" in err, f"... {key} is told", err)
        tap.ok("--force" in err, "... and how it can be done", err)
        with open(os.path.join(it.folder, "hat"), encoding="utf-8") as file:
            tap.eq(file.read(), before, "... and nothing was replaced")
        status, _out, err = it.ctl("hat", "import", "--force", "in", "-", stdin=restricting)
        tap.eq(status, 0, "--force takes them" + ("" if status == 0 else err))
        tap.eq(it.ctl("check")[0], 0, "check only warns")
        status, out, _err = it.ctl("trace", "--offline", "--ip", "192.0.2.1", "--from", "a@b.example", "--to", "c@example.com", "--json")
        tap.eq((status, json.loads(out)["verdict"]), (0, "accept"), "the table is in effect")


tap.done()
