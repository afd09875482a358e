"""Accounts for AUTH in a private Postfix, kept by Cyrus SASL in a sasldb of its own.

    mx.settings(sasldb(mx, "mx.example.com", {"joe": "secret"}))

PLAIN and CRAM-MD5, for an smtpd in its chroot. In {auth_authen} joe is joe@mx.example.com.
"""

import os
import subprocess

DATABASE = "etc/sasldb2"  # below the queue, which is the root of smtpd


def sasldb(mx, realm, passwords):
    """Settings for main.cf."""
    folder = os.path.join(mx.folder, "etc", "sasl")
    database = os.path.join(mx.queue, DATABASE)
    os.mkdir(folder)
    os.makedirs(os.path.dirname(database), exist_ok=True)
    for user, password in passwords.items():
        subprocess.run(
            ["/usr/sbin/saslpasswd2", "-p", "-c", "-f", database, "-u", realm, user],
            input=password.encode("utf-8"),
            check=True,
        )
    os.chmod(database, 0o644)  # smtpd reads it as its own user; the passwords are no secret
    with open(os.path.join(folder, "smtpd.conf"), "w", encoding="utf-8") as file:
        file.write(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN CRAM-MD5\n"
            f"sasldb_path: /{DATABASE}\n"
        )
    return (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = cyrus\nsmtpd_sasl_path = smtpd\n"
        f"smtpd_sasl_local_domain = {realm}\ncyrus_sasl_config_path = {folder}\n"
    )
