"""Accounts for AUTH in a private Postfix or Sendmail, kept by Cyrus SASL in a sasldb of its own.

    mx.settings(sasldb(mx, "mx.example.com", {"joe": "secret"}))              # Postfix
    mx.lines(sasldb_of_sendmail(mx, "mx.example.com", {"joe": "secret"}))     # Sendmail

PLAIN and CRAM-MD5; with Postfix for an smtpd in its chroot. In {auth_authen} joe is
joe@mx.example.com.
"""

import os
import subprocess

DATABASE = "etc/sasldb2"  # below the queue, which is the root of smtpd
CONF = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN CRAM-MD5\nsasldb_path: {}\n"


def write_accounts(database, realm, passwords):
    for user, password in passwords.items():
        subprocess.run(
            ["/usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", realm, user],
            input=password.encode("utf-8"),
            check=True,
        )


def write_conf(folder, name, database):
    os.mkdir(folder)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(CONF.format(database))


def sasldb(mx, realm, passwords):
    """Settings for main.cf."""
    folder = os.path.join(mx.folder, "etc", "sasl")
    database = os.path.join(mx.queue, DATABASE)
    os.makedirs(os.path.dirname(database), exist_ok=True)
    write_accounts(database, realm, passwords)
    os.chmod(database, 0o644)  # smtpd reads it as its own user; the passwords are no secret
    write_conf(folder, "smtpd.conf", "/" + DATABASE)
    return (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = cyrus\nsmtpd_sasl_path = smtpd\n"
        f"smtpd_sasl_local_domain = {realm}\ncyrus_sasl_config_path = {folder}\n"
    )


def sasldb_of_sendmail(mx, realm, passwords):
    """Lines for sendmail.mc, behind its mailers."""
    folder = os.path.join(mx.folder, "etc", "sasl")
    database = os.path.join(mx.folder, "etc", "sasldb2")
    write_accounts(database, realm, passwords)
    os.chmod(database, 0o600)
    write_conf(folder, "Sendmail.conf", database)
    return f"define(`confAUTH_REALM', `{realm}')dnl\nLOCAL_CONFIG\nESASL_CONF_PATH={folder}\n"
