"""scripts/bench-rados: builds, starts a cluster, measures in turns, and writes the figures.

In each round the log and etcd run the same on the same disk, and who goes first changes. Faults come last, to each
of them while the other one is stopped.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[1:1] = [str(ROOT / "bench/peers"), str(ROOT / "tests/rados")]

import ceph  # noqa: E402 (found by the path above)
import cluster  # noqa: E402
import figures  # noqa: E402
import machine  # noqa: E402
import stalls  # noqa: E402
import systems  # noqa: E402
from etcd import Etcd  # noqa: E402
from figures import ETCD, OURS  # noqa: E402

STORE = ROOT / "build/bench-rados/results.json"
DOCUMENT = ROOT / "docs/replication.md"
DRIVER = ROOT / "bench/rados/etcd"
# A round takes half a minute; what takes this long hangs.
SECONDS_MAX = 300


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-rados", description=(
        "Measures the targets of a log on Ceph, with etcd beside it, and writes them into docs/replication.md."))
    parser.add_argument("--rounds", type=int, default=3, help="how often all but the stalls is measured (3)")
    parser.add_argument("--repetitions", type=int, default=3, help="how often each fault is made (3)")
    parser.add_argument("--only-report", action="store_true", help="write the figures that were measured last")
    options = parser.parse_args()
    if options.rounds < 1 or options.repetitions < 1:
        parser.error("--rounds and --repetitions take a number from 1")
    return options


def build():
    """The programs that run beside the cluster: (ours, etcd's)."""
    systems.run("install all", "scripts/install")
    systems.run("install etcd", "scripts/install", "--etcd")
    systems.run("configure figures", "cmake", "--preset", "release", "-DWRITEAHEAD_DEVELOPER=ON")
    systems.run("build figures", "cmake", "--build", "--preset", "release", "--target", "rados_figures")
    go = systems.toolchain("go", "/usr/local/go/bin", "golang-go", systems.go_needed((DRIVER / "go.mod").read_text()))
    STORE.parent.mkdir(parents=True, exist_ok=True)
    driver = STORE.parent / "etcd_figures"
    systems.run("build etcd driver", go, "build", "-o", driver, ".", cwd=DRIVER)
    return ROOT / "build/release/bin/rados_figures", driver


def figures_of(system):
    # Nobody waits for what somebody else left to be written.
    os.sync()
    done = subprocess.run(system.figures(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False,
                          timeout=SECONDS_MAX)
    if done.returncode != 0:
        raise figures.Unmeasured(f"{pathlib.Path(system.figures()[0]).name} failed with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure_rounds(compared, count):
    rounds = []
    names = list(compared)
    for number in range(count):
        said = {}
        for name in names[number % len(names):] + names[:number % len(names)]:
            said[name] = figures_of(compared[name])
            for figure in said[name]:
                print(f"{number + 1:2} {name:10} {figure['name']:50} {figure['value']:10.2f} {figure['unit']}", flush=True)
        rounds.append(said)
    return rounds


def measure_stalls(name, system, repetitions):
    return stalls.measure(system, cluster.ROOT, repetitions, lambda text: print(f"   {name:10} {text}", flush=True))


def measure(options):
    ours, driver = build()
    if machine.is_in_memory(cluster.ROOT.parent):
        raise figures.Unmeasured(f"{cluster.ROOT.parent} lies in memory, where nothing is durable; name a directory on a "
                                 "disk in WRITEAHEAD_RADOS_DIR")
    stored = {"command": " ".join(["scripts/bench-rados", *sys.argv[1:]]), "repetitions": options.repetitions,
              "machine": machine.describe(cluster.ROOT.parent)}
    cluster.start()
    log, etcd = ceph.Ceph(ours), Etcd(driver)
    try:
        etcd.start_all()
        stored["versions"] = {"ceph": log.version(), "etcd": etcd.version()}
        stored["rounds"] = measure_rounds({OURS: log, ETCD: etcd}, options.rounds)
        etcd.stop_all()
        stored["stalls"] = {OURS: measure_stalls(OURS, log, options.repetitions)}
        log.rest()
        etcd.start_all()
        stored["stalls"][ETCD] = measure_stalls(ETCD, etcd, options.repetitions)
    except BaseException:
        keep_logs()
        raise
    finally:
        etcd.stop_all()
        cluster.stop()
    STORE.write_text(json.dumps(stored) + "\n")


def keep_logs():
    """What the daemons said, which is removed with the cluster."""
    kept = STORE.parent / "logs"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    for log in (*cluster.ROOT.glob("log/*.log"), *cluster.ROOT.glob("etcd/*.log")):
        shutil.copy(log, kept)
    print(f"bench-rados: the logs of the daemons are in {kept}", file=sys.stderr)


def write_report():
    """Returns whether all targets are met."""
    if not STORE.is_file():
        raise figures.Unmeasured(f"nothing was measured yet: {STORE} does not exist")
    stored = json.loads(STORE.read_text())
    DOCUMENT.write_text(figures.put_between_markers(DOCUMENT.read_text(), figures.section(stored)))
    print(figures.targets(stored), figures.beside_etcd(stored), f"written: {DOCUMENT.relative_to(ROOT)}", sep="\n")
    return figures.are_all_met(stored)


def main():
    options = arguments()
    try:
        if not options.only_report:
            measure(options)
        return 0 if write_report() else 1
    except (figures.Unmeasured, cluster.Failure, systems.BuildError, OSError, ValueError, KeyError,
            subprocess.SubprocessError) as failure:
        print(f"bench-rados: {failure}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    # The cluster is stopped then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
