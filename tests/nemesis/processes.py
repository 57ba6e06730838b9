"""The processes of a run: writers and observers of one log, and the cluster that they reach."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "rados"))
import cluster  # noqa: E402

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "rados_nemesis"
FENCED = 5
# Asked to, log not opened, log failed, fenced, killed by a fault.
ENDS = (0, 3, 4, FENCED, -signal.SIGKILL)
PLACES = ("client", "machine")


class Failure(Exception):
    """Why a run says nothing, or something bad, in one line."""


class Process:
    """One of rados_nemesis, in the client's namespace, which can be cut, or in the machine's own."""

    def __init__(self, verb, address, directory, number, place, options=()):
        self.number, self.place = number, place
        self.log = directory / f"{number}.{verb}.log"
        words = [str(PROGRAM), verb, address, str(directory / f"{number}.history"), *map(str, options)]
        if place == "client":
            words = ["nsenter", "-t", str(cluster.holder_of("client")), "-n", *words]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self.began = time.monotonic()
        self.is_stopped = False
        self.is_opened = False
        self.acknowledgements = 0
        self.read_to = 0

    def look(self):
        """Takes in what it said since; whether it lives."""
        with open(self.log, "rb") as said:
            said.seek(self.read_to)
            whole, newline, _ = said.read().rpartition(b"\n")
        self.read_to += len(whole) + len(newline)
        for line in whole.splitlines():
            self.is_opened |= line.startswith(b"opened ")
            self.acknowledgements += line.startswith(b"acknowledged ")
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)
        if number == signal.SIGSTOP:
            self.is_stopped = True
        elif number == signal.SIGCONT:
            self.is_stopped = False

    def end(self, seconds):
        """Asks it to go, and makes it. What is wrong with how it ended, if anything is."""
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()
            return f"violation: process {self.number} did not end within {seconds} s after everything was healed"
        return None if code in ENDS else f"violation: process {self.number} ended with {code}: {self.last_words()}"

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "nothing"


def is_stopped(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def is_reached(node):
    """Whether a packet to a node comes back: nobody listens there, and its kernel says so."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        try:
            probe.connect((cluster.address(node), 9))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


def kill_daemon(daemon, number=signal.SIGKILL):
    pid = cluster.pid_of(daemon)
    if pid is None:
        raise Failure(f"{daemon} did not run")
    os.kill(pid, number)
    deadline = time.monotonic() + 5
    while number == signal.SIGKILL and cluster.pid_of(daemon):
        if time.monotonic() > deadline:
            raise Failure(f"{daemon} survived SIGKILL")
        time.sleep(0.01)
    return pid


def flags_of_pool():
    for line in cluster.ceph("osd", "dump").stdout.splitlines():
        if line.startswith("pool ") and f"'{cluster.POOL}'" in line:
            return line.partition(" flags ")[2].split()[0].split(",")
    raise Failure("the monitor does not tell the flags of the pool")


def set_ratios(full, backfillfull, nearfull):
    # The highest of the three counts, so that the order does not matter.
    for name, value in (("nearfull", nearfull), ("backfillfull", backfillfull), ("full", full)):
        cluster.ceph("osd", f"set-{name}-ratio", str(value))


def heal_cluster():
    """Everything as it was at the start."""
    for node in cluster.NODES:
        cluster.set_link(node, "up")
    for daemon in cluster.DAEMONS:
        pid = cluster.pid_of(daemon)
        if pid is None:
            cluster.start_daemon(daemon)
        else:
            os.kill(pid, signal.SIGCONT)
    set_ratios(0.95, 0.9, 0.85)
    cluster.await_service()
