"""scripts/bench-peers: builds all, lets them run in turns, and writes the report.

The runs of a scenario go round by round: in each, every system runs it once on the same directory, in
an order that moves on, so that what disturbs the machine disturbs all alike.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import machine
import systems
from results import INDEX, OWN_SCENARIOS, SCENARIOS, Results, rocksdb_targets
from systems import OURS, ROOT

STORE = ROOT / "build/bench-peers/results.json"
DATA = ROOT / "build/bench-peers/data"
REPORT = ROOT / "docs/performance.md"
PLOTS = ROOT / "docs/plots"
# A scenario takes seconds; what takes this long hangs.
SECONDS_MAX = 900


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-peers", description=(
        "Compares the log with others on one disk and writes docs/performance.md."))
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=DATA, metavar="DIR",
                        help="where to measure; not on a tmpfs (build/bench-peers/data)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each scenario is run (5)")
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=list(SCENARIOS),
                        help="only these, separated by commas")
    parser.add_argument("--only-report", action="store_true",
                        help="write the report from what was measured last")
    options = parser.parse_args()
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    if unknown:
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1")
    return options


def run_once(system, scenario, directory):
    """What one run printed: {"result": ...} for each scenario in it, or {"failure": ...}."""
    more = ("--series",) if scenario == "rotate_timeline" else ()
    try:
        done = subprocess.run(system.call(directory, scenario, *more), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS_MAX,
                              check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            return [{"scenario": scenario, "failure": said[-1]}]
        printed = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as failure:
        return [{"scenario": scenario, "failure": str(failure)}]
    # A driver prints one result, our command a list of them.
    results = printed.pop("scenarios", None)
    if results is None:
        return [{"scenario": scenario, "result": printed}]
    return [{"scenario": result["scenario"], "result": {**printed, **result}} for result in results]


def say(name, round_number, run):
    result = run.get("result", {})
    what = (run.get("failure") or result.get("unsupported")
            or f"{result.get('latency_us', {}).get('p50', '-'):>9} us  {result.get('seconds', 0):8.2f} s")
    print(f"{run['scenario']:15} {round_number + 1:2} {name:20} {what}", flush=True)


def measure_index(directory):
    """The figures of the index library, or why there are none."""
    try:
        of_index, of_rocksdb = systems.build_index()
        printed = [subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
                                  timeout=SECONDS_MAX).stdout
                   for command in ([of_index, directory, "--json"], [of_rocksdb, "bench", directory])]
        found = [json.loads(line) for line in printed[0].splitlines()] + rocksdb_targets(printed[1])
        for figure in found:
            print(f"{INDEX:15}    {figure['name']}: {figure['value']:.2f} {figure['unit']}", flush=True)
        return {"figures": found}
    except (systems.BuildError, OSError, subprocess.SubprocessError, ValueError) as failure:
        return {"failure": str(failure)}


def measure(options, compared, stored):
    """Runs all and stores what they say after each round of each scenario."""
    for scenario in options.scenarios:
        if scenario == INDEX:
            stored["index"] = measure_index(options.directory)
            continue
        # Peers have none of our own scenarios.
        takers = [system for system in compared if system.name == OURS or scenario not in OWN_SCENARIOS]
        for round_number in range(options.rounds):
            for system in takers[round_number % len(takers):] + takers[:round_number % len(takers)]:
                # Nobody waits for what somebody else left to be written or discarded.
                os.sync()
                for run in run_once(system, scenario, options.directory):
                    stored["runs"].append({"round": round_number, "system": system.name, **run})
                    say(system.name, round_number, run)
            store(stored)
    stored["machine"]["load_after"] = round(os.getloadavg()[0], 1)
    store(stored)


def store(stored):
    STORE.parent.mkdir(parents=True, exist_ok=True)
    draft = STORE.with_suffix(".new")
    draft.write_text(json.dumps(stored) + "\n")
    draft.replace(STORE)


def build_and_measure(options):
    options.directory.mkdir(parents=True, exist_ok=True)
    options.directory = options.directory.resolve()
    if machine.is_in_memory(options.directory):
        sys.exit(f"bench-peers: {options.directory} lies in memory, where nothing is durable; name a directory "
                 "on the disk in question")
    try:
        built = systems.build_all()
    except systems.BuildError as failure:
        sys.exit(f"bench-peers: {failure}")
    need_matplotlib()
    absent = [part for part in built if isinstance(part, systems.Absent)]
    for part in absent:
        print(f"left out: {part.name}: {part.reason}")
    stored = {"command": " ".join(["scripts/bench-peers", *sys.argv[1:]]), "rounds": options.rounds,
              "machine": machine.describe(options.directory), "runs": [],
              "absent": [{"name": part.name, "reason": part.reason} for part in absent]}
    scratch = options.directory / f"bench-peers.{os.getpid()}"
    scratch.mkdir()
    options.directory = scratch
    try:
        measure(options, [part for part in built if isinstance(part, systems.System)], stored)
    finally:
        # Also what a driver left that was killed.
        shutil.rmtree(scratch, ignore_errors=True)


def need_matplotlib():
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit("bench-peers: the plots need Debian's python3-matplotlib")


def count_instructions():
    """Of an append, by callgrind: counted and not timed, so that it is done when the page is written. Nothing
    where the program or valgrind is missing."""
    try:
        counted = subprocess.run([sys.executable, ROOT / "tests/instructions/instructions_test.py",
                                  ROOT / "build/release/bin/paths", "append"], cwd=STORE.parent, text=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS_MAX).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"^append: (\d+) instructions", counted, re.MULTILINE)
    return int(found[1]) if found else None


def write_report():
    """Returns whether all of our own runs did well."""
    if not STORE.is_file():
        sys.exit(f"bench-peers: nothing was measured yet: {STORE} does not exist")
    need_matplotlib()
    import plots
    import report
    results = Results({**json.loads(STORE.read_text()), "instructions": count_instructions()})
    REPORT.write_text(report.page(results, plots.draw_all(results, PLOTS)))
    print(f"written: {REPORT.relative_to(ROOT)}, {PLOTS.relative_to(ROOT)}/")
    return not any(run["system"] == OURS and "failure" in run for run in results.stored["runs"])


def main():
    options = arguments()
    if not options.only_report:
        build_and_measure(options)
    return 0 if write_report() else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
