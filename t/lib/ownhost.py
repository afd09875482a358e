"""A network and names of this process's own, so that a test may have port 25 and port 53.

    ownhost.enter(folder, hosts="127.0.0.1 localhost\\n")    # before any thread

What is started afterwards shares them: a network with nothing but the loopback interface, and
FOLDER/hosts, resolv.conf (127.0.0.1) and nsswitch.conf (files, then DNS) in place of those of /etc.
Needs root.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

FILES = {
    "hosts": "127.0.0.1 localhost\n",
    "resolv.conf": "nameserver 127.0.0.1\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n",
}


def unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "no namespaces of our own: " + os.strerror(number))


def interface_up(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", name.encode("ascii"), IFF_UP))


def enter(folder, **files):
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    interface_up("lo")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for name, text in {**FILES, **{key.replace("_", "."): text for key, text in files.items()}}.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)


def enter_dev(folder):
    """A /dev of the calling thread's own, with little in it, where a test may put a log socket."""
    dev = os.path.join(folder, "dev")
    unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    os.mkdir(dev)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", dev], check=True)
    for name in ("null", "zero", "full", "random", "urandom"):
        with open(os.path.join(dev, name), "wb"):
            pass
        subprocess.run(["mount", "--bind", "/dev/" + name, os.path.join(dev, name)], check=True)
    subprocess.run(["mount", "--move", dev, "/dev"], check=True)
