"""The log on the cluster of scripts/rados-cluster, as bench_rados and stalls see a system."""

import json
import os
import signal
import time

import cluster
from figures import Unmeasured

WHOLE_SECONDS = 90
LOG = "stalls"


class Ceph:
    def __init__(self, program):
        self.program = program

    def address(self, name):
        return f"rados://{cluster.POOL}/{name}?conf={cluster.CONFIGURATION}"

    def figures(self):
        return [self.program, self.address("figures"), "--json"]

    def appends(self):
        return [self.program, self.address(LOG), "--appends"]

    @staticmethod
    def version():
        return cluster.ceph("--version").stdout.split()[2]

    @staticmethod
    def active_segment():
        listed = cluster.inside("client", "rados", "-c", str(cluster.CONFIGURATION), "-p", cluster.POOL, "ls").stdout
        segments = sorted(name for name in listed.split() if name.startswith(f"{LOG}.seg."))
        if not segments:
            raise Unmeasured("the log has no segment")
        return segments[-1]

    def primary(self):
        mapped = cluster.ceph("osd", "map", cluster.POOL, self.active_segment(), "--format", "json").stdout
        return f"osd.{json.loads(mapped)['acting_primary']}"

    def await_whole(self):
        """Until all OSDs are up and nothing is left to be copied of the placement groups."""
        deadline = time.monotonic() + WHOLE_SECONDS
        while not self.is_whole():
            if time.monotonic() > deadline:
                raise Unmeasured(f"the cluster is not whole after {WHOLE_SECONDS} s")
            time.sleep(0.2)

    def is_whole(self):
        osds = json.loads(cluster.ceph("osd", "dump", "--format", "json").stdout)
        if not all(osd["up"] for osd in osds["osds"]):
            return False
        pool = next(pool for pool in osds["pools"] if pool["pool_name"] == cluster.POOL)
        return all(self.state(f"{pool['pool']}.{number:x}") == "active+clean" for number in range(pool["pg_num"]))

    @staticmethod
    def state(group):
        asked = cluster.ceph("tell", group, "query", check=False)
        return json.loads(asked.stdout)["state"] if asked.returncode == 0 else "unknown"

    def kill(self, node):
        pid = cluster.pid_of(node)
        if pid is None:
            raise Unmeasured(f"{node} ended by itself")
        os.kill(pid, signal.SIGKILL)

    def start(self, node):
        cluster.restart(node)

    def rest(self):
        """Ends the daemons for good, and leaves the networks and the directory."""
        for daemon in cluster.DAEMONS:
            self.kill(daemon)
