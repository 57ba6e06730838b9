"""Three members of etcd, in the network namespaces of the OSDs and on their disk."""

import json
import signal
import subprocess
import time

import cluster
from figures import Unmeasured

NODES = cluster.OSDS
CLIENTS, PEERS = 2379, 2380
DIRECTORY = cluster.ROOT / "etcd"
# In its favour: no limit ends the run, and a member that comes back calls for no election, as is the default of 3.5.
# All else is as it comes.
OPTIONS = ("--quota-backend-bytes", str(8 << 30), "--pre-vote")
READY_SECONDS = 60


def url(node, port):
    return f"http://{cluster.address(node)}:{port}"


class Etcd:
    def __init__(self, program):
        self.program = program
        self.members = {}

    @staticmethod
    def endpoints():
        return ",".join(url(node, CLIENTS) for node in NODES)

    def figures(self):
        return [self.program, self.endpoints(), "figures"]

    def appends(self):
        return [self.program, self.endpoints(), "appends"]

    @staticmethod
    def version():
        return cluster.run("etcd", "--version").stdout.splitlines()[0].split()[-1]

    def start_all(self):
        DIRECTORY.mkdir(mode=0o700, exist_ok=True)
        for node in NODES:
            self.start(node)
        self.await_whole()

    def start(self, node):
        members = ",".join(f"{name}={url(name, PEERS)}" for name in NODES)
        with (DIRECTORY / f"{node}.log").open("ab") as log:
            self.members[node] = subprocess.Popen(
                ("nsenter", "-t", str(cluster.holder_of(node)), "-n", "etcd", "--name", node,
                 "--data-dir", DIRECTORY / node, "--initial-cluster", members, "--initial-cluster-state", "new",
                 "--listen-peer-urls", url(node, PEERS), "--initial-advertise-peer-urls", url(node, PEERS),
                 "--listen-client-urls", url(node, CLIENTS), "--advertise-client-urls", url(node, CLIENTS), *OPTIONS),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop_all(self):
        for member in self.members.values():
            member.send_signal(signal.SIGTERM)
        for member in self.members.values():
            try:
                member.wait(READY_SECONDS)
            except subprocess.TimeoutExpired:
                member.kill()
                member.wait()
        self.members = {}

    def status(self):
        """{node: what it says of itself}, of those that answer."""
        said = cluster.run("env", "ETCDCTL_API=3", "etcdctl", "--endpoints", self.endpoints(), "--command-timeout", "2s",
                           "endpoint", "status", "--write-out", "json", check=False).stdout
        of_endpoint = {one["Endpoint"]: one["Status"] for one in json.loads(said or "[]") or []}
        # A number that is 0 is left out.
        return {node: of_endpoint[url(node, CLIENTS)] for node in NODES if url(node, CLIENTS) in of_endpoint}

    def primary(self):
        for node, said in self.status().items():
            if said.get("leader") == said["header"]["member_id"]:
                return node
        raise Unmeasured("no member of etcd leads")

    def await_whole(self):
        """Until all members answer, agree about the leader, and have all that was committed when they were asked."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_whole():
            if time.monotonic() > deadline:
                raise Unmeasured(f"etcd is not whole after {READY_SECONDS} s: see {DIRECTORY}")
            time.sleep(0.2)

    def is_whole(self):
        first, second = self.status(), self.status()
        if len(first) != len(NODES) or len(second) != len(NODES):
            return False
        leaders = {said.get("leader", 0) for said in second.values()}
        committed = max(said.get("raftIndex", 0) for said in first.values())
        return len(leaders) == 1 and 0 not in leaders and all(
            said.get("raftAppliedIndex", 0) >= committed for said in second.values())

    def kill(self, node):
        self.members[node].kill()
        self.members[node].wait()
