#!/usr/bin/env python3
"""A Ceph cluster for tests on this machine: see scripts/rados-cluster, which installs what this needs."""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

OSDS = ("osd.0", "osd.1", "osd.2")
DAEMONS = ("mon.a", *OSDS)
NODES = (*DAEMONS, "client")
POOL = "wal"
BOOT_SECONDS, STOP_SECONDS, COMMAND_SECONDS = 120, 20, 60

ROOT = pathlib.Path(os.environ.get("WRITEAHEAD_RADOS_DIR", "/tmp/writeahead-rados"))
# What tells the networks of several clusters apart.
HASH = hashlib.sha256(str(ROOT).encode()).digest()
# Of a directory that this script made.
MARK = "writeahead-cluster"
# In the environment of the processes that hold its namespaces.
HOLDER = "WRITEAHEAD_HOLDER"
LINK = "wa" + HASH.hex()[:6]
NETWORK = f"10.{64 + HASH[3] % 128}.{HASH[4]}"
SWITCH = "switch"
CONFIGURATION = ROOT / "ceph.conf"


class Failure(Exception):
    """What goes wrong, in one line."""


def run(*words, check=True, seconds=COMMAND_SECONDS):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(words)}: no answer within {seconds} s") from None
    except FileNotFoundError:
        raise Failure(f"{words[0]}: there is no such program") from None
    if check and done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()
        raise Failure(f"{' '.join(words)}: {last[-1] if last else 'it failed'}")
    return done


def address(node):
    return f"{NETWORK}.{10 + NODES.index(node)}"


def inside(node, *words, **options):
    return run("nsenter", "-t", str(holder_of(node)), "-n", *words, **options)


def cmdline(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def holder_of(node):
    """The process that keeps a node's network namespace, which has no name: names need mounts."""
    try:
        pid = int((ROOT / "run" / f"{node}.holder").read_text())
        # By then the number may be another process's.
        if f"{HOLDER}={ROOT}".encode() in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            return pid
    except (OSError, ValueError):
        pass
    raise Failure("there is no cluster: start it first")


def make_space(node):
    holder = subprocess.Popen(("unshare", "--net", "sleep", "infinity"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                              env={**os.environ, HOLDER: str(ROOT)})
    (ROOT / "run" / f"{node}.holder").write_text(str(holder.pid))
    deadline = time.monotonic() + COMMAND_SECONDS
    while holder.poll() is None and cmdline(holder.pid)[0] != b"sleep":
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    holder_of(node)


def ceph(*words, **options):
    return inside("client", "ceph", "-c", str(CONFIGURATION), "--connect-timeout", "10", *words, **options)


def pid_of(daemon):
    """None unless that process runs and is the daemon."""
    try:
        pid = int((ROOT / "run" / f"{daemon}.pid").read_text())
        kind, number = daemon.split(".")
        words = cmdline(pid)
        is_dead = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, ValueError):
        return None
    is_it = words[0].endswith(f"ceph-{kind}".encode()) and number.encode() in words and str(CONFIGURATION).encode() in words
    return pid if is_it and not is_dead else None


def make_network():
    make_space(SWITCH)
    inside(SWITCH, "ip", "link", "add", "br0", "type", "bridge")
    inside(SWITCH, "ip", "link", "set", "br0", "up")
    for node in NODES:
        make_space(node)
        inside(SWITCH, "ip", "link", "add", link_of(node), "type", "veth", "peer", "name", "eth0", "netns",
               str(holder_of(node)))
        inside(SWITCH, "ip", "link", "set", link_of(node), "master", "br0", "up")
        inside(node, "ip", "addr", "add", f"{address(node)}/24", "dev", "eth0")
        inside(node, "ip", "link", "set", "eth0", "up")
        inside(node, "ip", "link", "set", "lo", "up")
    # The machine itself is on the switch, too, so that every program here reaches the cluster.
    run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "vhost", "netns", str(holder_of(SWITCH)))
    inside(SWITCH, "ip", "link", "set", "vhost", "master", "br0", "up")
    run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", LINK)
    run("ip", "link", "set", LINK, "up")


def link_of(node):
    return "v" + node.replace(".", "")


def drop_network():
    run("ip", "link", "del", LINK, check=False)
    for node in (*NODES, SWITCH):
        try:
            os.kill(holder_of(node), signal.SIGKILL)
        except (Failure, ProcessLookupError):
            pass


def configure(fsid):
    CONFIGURATION.write_text(f"""[global]
fsid = {fsid}
mon_host = [v2:{address("mon.a")}:13300]
mon_initial_members = a
public_network = {NETWORK}.0/24
cluster_network = {NETWORK}.0/24
ms_bind_ipv4 = true
ms_bind_ipv6 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {ROOT}/run
crash_dir = {ROOT}/run
admin_socket = {ROOT}/run/$cluster-$name.$pid.asok
pid_file = {ROOT}/run/$name.pid
log_file = {ROOT}/log/$name.log
mon_data = {ROOT}/mon.$id
osd_data = {ROOT}/osd.$id
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = 3221225472
bluestore_block_db_create = false
osd_memory_target = 939524096
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 2
debug_ms = 0
debug_osd = 0
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
mon_allow_pool_delete = true
osd_crush_chooseleaf_type = 0
osd_crush_update_on_start = false
osd_heartbeat_interval = 1
osd_heartbeat_grace = 5
mon_osd_min_down_reporters = 1
mon_osd_down_out_interval = 600
osd_recovery_sleep_hdd = 0
osd_scrub_begin_hour = 3
osd_scrub_end_hour = 4

[client]
log_file =
admin_socket =
""")


def start_daemon(daemon):
    kind, number = daemon.split(".")
    (ROOT / "run" / f"{daemon}.pid").unlink(missing_ok=True)
    inside(daemon, f"ceph-{kind}", "-i", number, "-c", str(CONFIGURATION))


def make_cluster():
    fsid = run("uuidgen").stdout.strip()
    for name in ("log", *DAEMONS):
        (ROOT / name).mkdir(mode=0o700)
    configure(fsid)
    run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:{address('mon.a')}:13300]", str(ROOT / "monmap"))
    inside("mon.a", "ceph-mon", "--mkfs", "-i", "a", "--monmap", str(ROOT / "monmap"), "-c", str(CONFIGURATION))
    start_daemon("mon.a")
    making = []
    for osd in OSDS:
        number = osd.split(".")[1]
        uuid = run("uuidgen").stdout.strip()
        ceph("osd", "new", uuid)
        making.append(subprocess.Popen(
            ("nsenter", "-t", str(holder_of(osd)), "-n", "ceph-osd", "-i", number, "--mkfs", "--osd-uuid", uuid, "-c",
             str(CONFIGURATION)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        ceph("osd", "crush", "add", osd, "1.0", "root=default", f"host=h{number}")
    for osd, made in zip(OSDS, making):
        if made.wait(BOOT_SECONDS) != 0:
            raise Failure(f"{osd} could not be made: see {ROOT}/log/{osd}.log")
        start_daemon(osd)
    ceph("osd", "pool", "create", POOL, "8", "8", "replicated")


def is_serving():
    """Whether the pool takes an object: that needs two OSDs of each placement group."""
    put = ("rados", "-c", str(CONFIGURATION), "-p", POOL)
    done = inside("client", "timeout", "10", *put, "put", "writeahead-probe", str(CONFIGURATION), check=False)
    if done.returncode == 0:
        inside("client", "timeout", "10", *put, "rm", "writeahead-probe", check=False)
    return done.returncode == 0


def await_service():
    deadline = time.monotonic() + BOOT_SECONDS
    while not is_serving():
        if time.monotonic() > deadline:
            raise Failure(f"the pool does not serve after {BOOT_SECONDS} s: see {ROOT}/log")
        time.sleep(0.2)


def start():
    if any(pid_of(daemon) for daemon in DAEMONS):
        raise Failure(f"there is a cluster in {ROOT} already: stop it first")
    if os.geteuid() != 0:
        raise Failure("only root may make network namespaces")
    clear()
    try:
        ROOT.mkdir(mode=0o700)
        (ROOT / MARK).touch()
        (ROOT / "run").mkdir(mode=0o700)
        make_network()
        make_cluster()
        await_service()
    except BaseException:
        for log in sorted((ROOT / "log").glob("*.log")):
            print(f"{log}:", *log.read_text(errors="replace").splitlines()[-5:], sep="\n", file=sys.stderr)
        stop()
        raise
    return status()


def clear():
    """What is left of one that was not stopped, after a reboot for example; never what somebody else put there."""
    if ROOT.exists() and any(ROOT.iterdir()) and not (ROOT / MARK).exists():
        raise Failure(f"{ROOT} holds something else: name an empty directory, or none, in WRITEAHEAD_RADOS_DIR")
    drop_network()
    shutil.rmtree(ROOT, ignore_errors=True)


def stop():
    # OSDs before the monitor, to which they say that they go.
    for group in (OSDS, ("mon.a",)):
        pids = [pid for pid in map(pid_of, group) if pid]
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(map(pid_of, group)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in filter(None, map(pid_of, group)):
            os.kill(pid, signal.SIGKILL)
        while any(map(pid_of, group)):
            time.sleep(0.05)
    clear()
    return 0


def status():
    pids = {daemon: pid_of(daemon) for daemon in DAEMONS}
    for daemon in (*OSDS, "mon.a"):
        print(f"{daemon} {pids[daemon]} up" if pids[daemon] else f"{daemon} - down")
    if not CONFIGURATION.exists():
        return 1
    print(f"rados://{POOL}/log?conf={CONFIGURATION}")
    return 0 if all(pids.values()) else 1


def restart(daemon):
    if daemon not in DAEMONS:
        raise Failure(f"there is no daemon {daemon}: {', '.join(DAEMONS)}")
    if pid_of(daemon):
        raise Failure(f"{daemon} runs")
    start_daemon(daemon)
    return 0


def set_link(node, state):
    if node not in NODES:
        raise Failure(f"there is no node {node}: {', '.join(NODES)}")
    inside(SWITCH, "ip", "link", "set", link_of(node), state)
    return 0


def execute(words):
    os.execvp("nsenter", ("nsenter", "-t", str(holder_of("client")), "-n", *words))


def main(words):
    match words:
        case ["start"]:
            return start()
        case ["stop"]:
            return stop()
        case ["status"]:
            return status()
        case ["restart", daemon]:
            return restart(daemon)
        case ["cut", node]:
            return set_link(node, "down")
        case ["heal", node]:
            return set_link(node, "up")
        case ["exec", *command] if command:
            return execute(command)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        print(f"rados-cluster: {failure}", file=sys.stderr)
        sys.exit(1)
