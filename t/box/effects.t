#!/usr/bin/python3
"""check warns of keys that cannot have an effect as things stand, reads files that nobody needs now, and never fails for it."""
import os
import re
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House
from tap import Tap

tap = Tap()
IN = "[listener in]\nrat = rat\n"
LISTS = "[addresslist a]\naddresses = @a.example\n"
FILES = {"rat": "example.com ACCEPT\n", "exceptions": "@a.example ALLOW\n", "scores": "", "routes": ""}

# A configuration without the listener, and the keys that are warned of.
POLICIES = [
    ("[policy A]\nreject_code = 550\nreject_text = x\n", ["reject_code", "reject_text"]),
    ("[policy A]\naccess = reject\nreject_code = 550\nreject_text = x\nmax_connections_per_ip = 3\n", []),
    ("[policy BLOCKED]\nreject_text = x\nmax_message_size = 1M\nspam_scan = no\n", ["max_message_size", "spam_scan"]),
    ("[policy A]\naccess = tcprefuse\nreject_text = x\nmax_connections_per_ip = 3\n", ["reject_text"]),
    ("[policy A]\naccess = continue\nmax_connections_per_ip = 3\n", ["max_connections_per_ip"]),
    ("[policy DEFAULT]\nreject_text = x\nmax_recipients_per_hour_text = x\n", []),
    ("[policy A]\nmax_recipients_per_hour_code = 450\nmax_recipients_per_hour_text = x\n",
     ["max_recipients_per_hour_code", "max_recipients_per_hour_text"]),
    ("[policy A]\nmax_recipients_per_hour = 5\nmax_recipients_per_hour_code = 450\n", []),
    ("[policy THROTTLED]\nmax_recipients_per_hour_code = 450\n", []),
    (LISTS + "[policy A]\nmax_sender_recipients_code = 450\nmax_sender_recipients_text = x\nsender_rate_exempt = a\n",
     ["max_sender_recipients_code", "max_sender_recipients_text", "sender_rate_exempt"]),
    (LISTS + "[policy A]\nmax_sender_recipients = 9\nmax_sender_recipients_code = 450\nsender_rate_exempt = a\n", []),
    ("[policy DEFAULT]\nsender_rate_period = 2h\n", ["sender_rate_period"]),
    ("[policy DEFAULT]\nsender_rate_period = 2h\n[policy A]\nmax_auth_recipients = 5\n", []),
    ("[policy A]\nmax_auth_recipients_code = 450\nmax_auth_recipients_text = x\n", ["max_auth_recipients_code", "max_auth_recipients_text"]),
    ("[policy A]\nauth = off\nmax_auth_recipients = 9\nmax_auth_recipients_code = 450\n", ["max_auth_recipients", "max_auth_recipients_code"]),
    ("[policy A]\nmax_invalid_recipients_per_hour = 0\ndhap_drop = no\ndhap_code = 450\ndhap_text = x\n", ["dhap_drop", "dhap_code", "dhap_text"]),
    ("[policy A]\ndhap_drop = no\ndhap_code = 450\ndhap_text = x\n", []),
    ("[policy RELAYED]\nmax_invalid_recipients_per_hour = 9\ndhap_text = x\n", ["max_invalid_recipients_per_hour", "dhap_text"]),
    ("[policy RELAYED]\nmax_invalid_recipients_per_hour = unlimited\n", []),
    ("[policy TRUSTED]\nuse_reputation = no\nsignificant_bits = 24\nsignificant_bits6 = 56\n", ["use_reputation", "significant_bits", "significant_bits6"]),
    ("[policy A]\nuse_reputation = no\nsignificant_bits = 24\nsignificant_bits6 = 56\n", []),
    ("[policy A]\nspam_scan = no\nvirus_scan = yes\n", ["spam_scan", "virus_scan"]),
    ("[policy DEFAULT]\nvirus_scan = no\n", ["virus_scan"]),
    (LISTS + "[policy A]\ntls_required_senders = a\n", ["tls_required_senders"]),
    (LISTS + "[policy A]\ntls = required\ntls_required_senders = a\n", ["tls_required_senders"]),
    (LISTS + "[policy A]\ntls = preferred\ntls_required_senders = a\n", []),
    (LISTS + "[policy DEFAULT]\ntls_required_senders = a\n[policy A]\ntls = preferred\n", []),
    ("[policy A]\ntls = preferred\ntls_verify_client = yes\n", ["tls_verify_client"]),
    ("[policy A]\ntls_verify_client = no\n", []),
    ("[policy DEFAULT]\ntls_verify_client = yes\n", ["tls_verify_client"]),
    ("[policy DEFAULT]\ntls_verify_client = yes\n[policy A]\ntls = required\n", []),
    ("[policy A]\nauth_requires_tls = yes\n", ["auth_requires_tls"]),
    ("[policy A]\nauth = off\ntls = preferred\nauth_requires_tls = yes\n", ["auth_requires_tls"]),
    ("[policy A]\ntls = preferred\nauth_requires_tls = yes\n", []),
    ("[policy A]\nmalformed_sender_code = 550\nnonexistent_sender_text = x\nunresolvable_sender_code = 450\nno_mx = accept_a\n",
     ["malformed_sender_code", "nonexistent_sender_text", "unresolvable_sender_code", "no_mx"]),
    ("[policy A]\nmalformed_sender_text = x\nnonexistent_sender_code = 550\nunresolvable_sender_text = x\n",
     ["malformed_sender_text", "nonexistent_sender_code", "unresolvable_sender_text"]),
    ("[policy A]\nverify_sender = yes\nmalformed_sender_code = 550\nnonexistent_sender_text = x\nunresolvable_sender_code = 450\nno_mx = accept_a\n", []),
    ("[policy A]\nuse_exceptions = yes\n", ["use_exceptions"]),
    ("[policy A]\nuse_exceptions = no\n", []),
    ("[policy ACCEPTED]\nbanner_text = hi\nbanner_hostname = x\nbanner_code = 221\n[policy A]\nbanner_text = hi\n", ["banner_text"]),
    ("[policy DEFAULT]\nbanner_text = hi\n", []),
]


def warned(err):
    """The sections and keys of all warnings, and the lines."""
    lines = [line for line in err.splitlines() if "warning:" in line and not re.search(r" uses? th(is|ese) ", line)]
    return [re.search(r"warning: \[(.*?)\](?: (\w+):)?", line).groups() if "[" in line else line for line in lines], lines


@tap.part
def policies():
    with House(IN, FILES, start=False) as it:
        for conf, keys in POLICIES:
            it.configure(conf + IN)
            status, _out, err = it.ctl("check")
            got, lines = warned(err)
            tap.eq((status, sorted(key for _section, key in got)), (0, sorted(keys)), conf.replace("\n", " | "))
            tap.ok(all(re.match(r"\S+/gatehouse\.conf:\d+: warning: \[policy \w+\] \w+: \S", line) for line in lines), "... in form", lines)


@tap.part
def by_other_sections():
    with House(IN, FILES, start=False) as it:
        it.configure("[policy A]\nspam_scan = no\n" + IN, header="X-Gatehouse")
        tap.eq(warned(it.ctl("check")[2])[0], [], "scan flags act with a header")
        it.configure("[exceptions]\nfile = exceptions\n[policy ACCEPTED]\nuse_exceptions = yes\n" + IN)
        tap.eq(warned(it.ctl("check")[2])[0], [], "exceptions of a table")
        it.configure("[policy BLOCKED]\nmax_message_size = 1M\n" + IN + "reject_at = rcpt\n")
        tap.eq(warned(it.ctl("check")[2])[0], [], "a client that is refused late may authenticate")
        it.configure("[policy A]\nmalformed_sender_code = 450\n" + IN + "allow_partial_domain = no\n")
        tap.eq(warned(it.ctl("check")[2])[0], [], "senders without a domain that a listener refuses")
        it.configure("[policy B]\nbanner_text = hi\n" + IN + "default_policy = B\n")
        tap.eq(warned(it.ctl("check")[2])[0], [], "the greeting of ALL")


@tap.part
def in_hat_files():
    hat = """$P ACCEPT {
  tls = "preferred"
  tls_verify = "on"
  smtp_banner_text = "hi"
  spam_check = "off"
}
$Q ACCEPT { smtp_banner_text = "hi" }
192.0.2.1 ACCEPT { smtpauth_requiretls = "on" }
A: 192.0.2.2 $P
ALL $Q
"""
    with House(IN + "hat = hat\n", {**FILES, "hat": hat}, start=False) as it:
        status, _out, err = it.ctl("check")
        tap.eq((status, [line.replace(it.folder + "/", "") for line in err.splitlines()]), (0, [
            "hat:3:16: warning: $P tls_verify: has an effect with tls = required only",
            "hat:4:22: warning: $P smtp_banner_text: has an effect in the policy of ALL only: the MTA greets before the client's group is known",
            "hat:5:16: warning: $P spam_check: has an effect with [gatehouse] header only",
            "hat:8:42: warning: smtpauth_requiretls: has an effect where neither tls nor auth is off",
        ]), "policies of a HAT text file")


OTHERS = [
    (IN + "default_domain = a.example\nallow_partial_domain = no\n", [("listener in", "default_domain")]),
    ("[policy DEFAULT]\nverify_sender = yes\n" + IN + "default_domain = a.example\nallow_partial_domain = yes\n",
     [("listener in", "default_domain"), ("listener in", "allow_partial_domain")]),
    ("[policy ACCEPTED]\nverify_sender = yes\n" + IN + "default_domain = a.example\n", [("listener in", "default_domain")]),
    ("[policy ACCEPTED]\nverify_sender = yes\n[group ALLOWED_LIST]\nsenders = 192.0.2.1\n" + IN + "default_domain = a.example\n", []),
    ("[listener in]\ncallahead = c\nldap_accept = l\n[callahead c]\n[ldap l]\nuri = ldap://127.0.0.1\naccept_query = (a={a})\n",
     [("listener in", "rat"), ("listener in", "callahead"), ("listener in", "ldap_accept")]),
    ("[listener out]\ntype = private\nrecipient_delimiter = +\n", [("listener out", "groups"), ("listener out", "recipient_delimiter")]),
    (IN + "recipient_delimiter = +\n", []),
    ("[reputation]\nmap = 127.0.4.0-100 -> -10..10\nsource = file:scores\ntimeout = 1s\n" + IN,
     [("reputation", "map"), ("reputation", "timeout")]),
    ("[reputation]\nmap = 127.0.4.0-100 -> -10..10\nsource = dns:a.example\ntimeout = 1s\n" + IN, []),
    ("[dns]\nhost_lookup = off\n[group SUSPECTLIST]\nunverified = no_ptr\n" + IN, [("group SUSPECTLIST", "unverified")]),
    ("[group SUSPECTLIST]\nunverified = no_ptr\n" + IN, []),
    ("[callahead c]\nverify = yes\nfailure_action = accept\nfailure_code = 450\nfailure_text = x\ntemporary_action = accept\n"
     "temporary_code = 450\ntemporary_text = x\n" + IN,
     [("callahead c", key) for key in ("verify", "failure_code", "failure_text", "temporary_code", "temporary_text")]),
    ("[callahead c]\ntls = may\nverify = yes\nfailure_code = 450\ntemporary_text = x\n" + IN, []),
    ("[ldap l]\nuri = ldap://127.0.0.1\ntls_priority = NORMAL\nldap_error = accept\nrouting_host_attr = a\ncallahead_attr = b\n" + IN,
     [("ldap l", key) for key in ("tls_priority", "ldap_error", "routing_host_attr", "callahead_attr")]),
    ("[ldap l]\nuri = ldaps://127.0.0.1\naccept_query = (a={a})\nldap_error = accept\n[tls]\nciphers = DEFAULT\n" + IN,
     [("tls", "ciphers")]),
    ("[tls]\nmin_version = 1.3\n" + IN, [("tls", None)]),
    ("[tls]\nciphers = DEFAULT\n[callahead c]\ntls = may\n" + IN, []),
    ("[routes]\ntransport = smtp\n" + IN, [("routes", "transport")]),
    ("[routes]\ntransport = smtp\nfile = routes\n" + IN, []),
    ("[exceptions]\nfile = exceptions\n" + IN, [("exceptions", "file")]),
]


@tap.part
def other_sections():
    with House(IN, FILES, start=False) as it:
        for conf, keys in OTHERS:
            it.configure(conf)
            status, _out, err = it.ctl("check")
            tap.eq((status, sorted(map(str, warned(err)[0]))), (0, sorted(map(str, keys))), conf.replace("\n", " | "))
        it.configure(IN, log="stderr", log_facility="mail")
        tap.eq(warned(it.ctl("check")[2])[0], [("gatehouse", "log_facility")], "log_facility without syslog")
    with House(IN, FILES, at="inet", gatehouse={"socket_mode": "0600"}, start=False) as it:
        tap.eq(warned(it.ctl("check")[2])[0], [("gatehouse", "socket_mode")], "socket_mode without a unix socket")


@tap.part
def files_nobody_needs():
    """A missing file is an error at its key, used or not."""
    with House(IN, FILES, start=False) as it:
        for section, key in (("tls", "ca_file"), ("tls", "ca_dir"), ("tls", "certificate"), ("tls", "key"),
                             ("auth x", "password_file"), ("group X", "senders_file"), ("addresslist x", "addresses_file"),
                             ("exceptions", "file"), ("routes", "file"), ("ldap x", "bind_password_file")):
            more = {"auth x": "user = u\n", "ldap x": "uri = ldap://127.0.0.1\nbind_dn = cn=x\n"}.get(section, "")
            it.configure(f"[{section}]\n{more}{key} = gone\n" + IN)
            status, _out, err = it.ctl("check")
            told = [line for line in err.splitlines() if "warning:" not in line]
            tap.ok(status == 1 and len(told) == 1 and re.match(rf"\S+/gatehouse\.conf:\d+: \[{section}\] {key}: cannot (open|read) \S+/gone: No such file", told[0]),
                   f"[{section}] {key}", err)
        it.configure("[tls]\nca_file = gone\nca_dir = rat\ncertificate = none\nkey = .\n" + IN)
        status, _out, err = it.ctl("check")
        tap.eq((status, len([line for line in err.splitlines() if "warning:" not in line])), (1, 4), "all of [tls] at once")
        password = it.write("password", "secret\n")
        os.chmod(password, 0o644)
        it.configure("[auth x]\nuser = u\npassword_file = password\n" + IN)
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and "is accessible to others than its owner" in err, "a password that others may read", err)
        os.chmod(password, 0o600)
        tap.eq(it.ctl("check")[0], 0, "... and that nobody may")


@tap.part
def password_of_root():
    """The daemon need not be able to read what is for gatehousectl maps."""
    with House("[auth x]\nuser = u\npassword_file = password\n" + IN, {**FILES, "password": "secret\n"}, start=False) as it:
        os.chmod(os.path.join(it.folder, "password"), 0o600)
        it.start()
        tap.ok(it.alive(), "it starts")


@tap.part
def references():
    """What a table or a list names must be there, and what is listed twice decides once."""
    with House(IN, {**FILES, "routes": "a.example: [h.example] auth=here\nb.example: [h.example] auth=gone\n", "password": "x\n"}, start=False) as it:
        os.chmod(os.path.join(it.folder, "password"), 0o600)
        it.configure("[auth here]\nuser = u\npassword_file = password\n[routes]\nfile = routes\n" + IN)
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and err.count("there is no section") == 1 and f"{it.folder}/routes:2: auth=gone: there is no section [auth gone]" in err,
               "the credentials of a route", err)
        it.write("routes", "a.example: [h.example] auth=here\n")
        tap.eq(it.ctl("check")[0], 0, "... that are there")
        it.configure("[group A]\nsenders = 192.0.2.1\n[group ALLOWED_LIST]\nsenders = 192.0.2.2\n" + IN + "groups = A, WHITELIST\n  A ALLOWED_LIST\n")
        status, _out, err = it.ctl("check")
        tap.eq((status, re.findall(r"warning: \[listener in\] groups: (\w+) is never reached", err)), (0, ["A", "ALLOWED_LIST"]), "a group that is listed twice")
        it.configure(IN + "".join(f"[listener {name}]\nlocal_port = {port}\nrat = rat\n" for name, port in (("a", 25), ("b", 26), ("c", 25))))
        status, _out, err = it.ctl("check")
        tap.eq((status, re.findall(r"\d: \[listener (\w+)\] never serves: \[listener (\w+)\]", err)), (1, [("c", "a")]), "listeners that match the same")


@tap.part
def statuses_of_defaults():
    """A status that comes from a default takes the class of the code."""
    with House(IN, FILES, start=False) as it:
        it.configure("[callahead c]\nunknown_code = 450\nfailure_code = 550\ntemporary_code = 550\n" + IN + "callahead = c\n")
        tap.eq(it.ctl("check")[:2], (0, f"{it.path}: good\n"), "of call-ahead")
        trace = ["trace", "--offline", "--ip", "192.0.2.1", "--from", "a@b.example", "--to", "x@example.com", "--callahead"]
        for answer, line in (("user_unknown", "450 4.1.1 User unknown"), ("server_ill", "550 5.4.3 Recipient verification unavailable"),
                             ("temporary", "550 5.2.1 Recipient temporarily unavailable")):
            out = it.ctl(*trace, answer)[1]
            tap.ok(line in out, f"{answer}: {line}", out)
        it.configure("[callahead c]\nunknown_code = 450\nunknown_text = 5.1.1 gone\n" + IN + "callahead = c\n")
        status, _out, err = it.ctl("check")
        tap.ok(status == 1 and "[callahead c] unknown_text: the status 5.1.1 does not fit the code 450" in err, "one that was written must fit", err)


tap.done()
