#!/usr/bin/env python3
"""Faults against a log on a Ceph cluster of this machine, and whether it keeps its rules: see scripts/rados-nemesis."""

import argparse
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import processes  # noqa: E402
import cluster  # noqa: E402
import faults  # noqa: E402
from processes import Failure  # noqa: E402
from run import Run  # noqa: E402

MUTANT_RUNS = 20
# Seconds between the deaths of writers, where the schedule is for mutants, and how many there are.
KILL_SECONDS, KILLS = 1.2, 4


class Totals:
    """What all runs counted, in the words of the checker."""

    def __init__(self):
        self.counts = {}
        self.played = {}

    def add(self, run):
        for totals, parts in ((self.counts, run.counts), (self.played, run.played)):
            for what, number in parts.items():
                totals[what] = totals.get(what, 0) + number

    def print(self, runs):
        print(f"counted: nemesis: seeded runs: {runs}")
        for what, number in self.counts.items():
            print(f"counted: nemesis: {what}: {number}")
        for kind in faults.KINDS:
            name = kind.__name__
            print(f"counted: nemesis faults: {name.replace('_', ' ')}: {self.played.get(name, 0)}")


def parse(words):
    parser = argparse.ArgumentParser(prog="rados-nemesis", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="seeded runs (1)")
    parser.add_argument("--seconds", type=float, default=60, help="of faults in each (60)")
    parser.add_argument("--zombie-seconds", type=float, default=10, help="a stopped writer stays so (10)")
    parser.add_argument("--seed", type=int, help="of the first run; the others count on from it (a fresh one)")
    parser.add_argument("--mutants", action="store_true", help="plants the four defects, one after the other, "
                        f"and demands that each is caught within {MUTANT_RUNS} runs; with --runs 0 only that")
    parser.add_argument("--program", type=pathlib.Path, default=processes.PROGRAM)
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path(f"{cluster.ROOT}-nemesis"),
                        help="of histories; those of runs without a finding are removed (%(default)s)")
    parser.add_argument("--quiet", action="store_true", help="a line a run")
    return parser.parse_args(words)


def judge(run, course):
    """Plays a course, and returns what is wrong: that the course was not to its end, too."""
    wrong = []
    try:
        try:
            course(run)
        except (Failure, cluster.Failure) as failure:
            wrong.append(f"failed run: {failure}")
            heal()
        return wrong + run.end()
    except Failure as failure:
        return [*wrong, f"failed run: {failure}"]
    finally:
        run.kill_all()


def heal():
    try:
        processes.heal_cluster()
    except cluster.Failure as failure:
        sys.exit(f"rados-nemesis: the cluster does not heal: {failure}")


def torment(arguments, seed, totals):
    """One seeded run. Whether nothing was wrong."""
    # A tenth of a per cent of the answers is lost on top of what the faults make of them.
    run = Run("torment", seed, arguments.directory, ("--lost-answers", "0.001"), is_quiet=arguments.quiet)

    def course(run):
        run.begin()
        run.torment(arguments.seconds, arguments.zombie_seconds)
        processes.heal_cluster()
        run.await_progress()
        if run.fenced == 0:
            raise Failure("no writer was fenced after a takeover")

    wrong = judge(run, course)
    if not wrong and 0 in (run.counts["appends of zombies"], run.counts["appends of zombies at the cluster itself"]):
        wrong = ["failed run: no zombie appended"]
    run.counts["owners that were told of their takeover"] = run.fenced
    totals.add(run)
    took = time.monotonic() - run.began
    summary = ", ".join(f"{run.counts.get(what, 0)} {what}" for what in (
        "acknowledged records", "of unknown result", "records read", "openings", "appends of zombies",
        "appends of zombies at the cluster itself"))
    print(f"seed {seed}: {'WRONG' if wrong else 'ok'}, {took:.0f} s, {summary}; "
          f"{', '.join(f'{kind} {count}' for kind, count in run.played.items())}", flush=True)
    for line in wrong:
        print(f"  {line}")
    if wrong:
        print(f"  again: scripts/rados-nemesis --seed {seed} --seconds {arguments.seconds:g}; "
              f"the histories are in {run.directory}", flush=True)
    else:
        run.clean()
    return not wrong


def kill_writers(run):
    """Writers that append now and then, and die; answers get lost."""
    run.begin()
    for _ in range(KILLS):
        run.wait(KILL_SECONDS)
        run.say(f"kill -9 of writer {run.newest.number}")
        run.newest.process.kill()
    run.wait(KILL_SECONDS)


def hand_over(run):
    """A writer that is stopped, and goes on when another one has opened the log and not appended yet."""
    run.begin()
    old = run.newest
    old.signal(signal.SIGSTOP)
    new = run.start_writer("machine", ("--delay-ms", "2000"))
    run.wait_until(lambda: new.is_opened, 30, "the second writer does not open the log")
    old.signal(signal.SIGCONT)
    run.wait(3)


# Each defect with the course and the load in which it matters.
RARE = ("--singles", "2", "--batches", "0", "--asyncs", "0", "--pause-us", "20000")
DEFECTS = {
    "no_epoch_guard": (hand_over, ()),
    "no_length_guard": (kill_writers, (*RARE, "--lost-answers", "0.2")),
    "blind_retry": (kill_writers, (*RARE, "--lost-answers", "0.2")),
    "early_ack": (kill_writers, (*RARE, "--lost-answers", "0.2")),
}


def is_caught(arguments, defect, course, options, first_seed):
    for number in range(MUTANT_RUNS):
        run = Run(defect, first_seed + number, arguments.directory, (*options, "--defect", defect), 30, True)
        wrong = [line for line in judge(run, course) if line.startswith("violation")]
        run.clean()
        if wrong:
            print(f"defect {defect}: caught by run {number + 1}, seed {run.seed}: {wrong[0]}", flush=True)
            return True
    print(f"defect {defect}: NOT CAUGHT by {MUTANT_RUNS} runs from seed {first_seed} on")
    return False


def control(arguments, course, options, seed):
    """The same course without a defect."""
    run = Run(course.__name__, seed, arguments.directory, (*options, "--defect", "none"), 30, True)
    wrong = judge(run, course)
    print(f"control: {course.__name__}, seed {seed}: {'WRONG' if wrong else 'ok'}", flush=True)
    for line in wrong:
        print(f"  {line}")
    if not wrong:
        run.clean()
    return not wrong


def plant_defects(arguments, seed):
    is_right = True
    courses = dict.fromkeys(DEFECTS.values())
    for course, options in courses:
        is_right &= control(arguments, course, options, seed)
    caught = [is_caught(arguments, defect, course, options, seed) for defect, (course, options) in DEFECTS.items()]
    print(f"counted: controls: planted faults: {len(caught)}")
    print(f"counted: controls: found: {sum(caught)}")
    return is_right and all(caught)


def main(words):
    arguments = parse(words)
    processes.PROGRAM = arguments.program.resolve()
    if not processes.PROGRAM.exists():
        sys.exit(f"rados-nemesis: {processes.PROGRAM} is not built")
    seed = arguments.seed
    if seed is None:
        seed = int(os.environ.get("WRITEAHEAD_SEED", random.SystemRandom().randrange(10**9)))
    print(f"seed {seed}", flush=True)
    heal()
    totals = Totals()
    good = sum(torment(arguments, seed + number, totals) for number in range(arguments.runs))
    is_right = good == arguments.runs
    if arguments.runs:
        totals.print(arguments.runs)
        print(f"{good} of {arguments.runs} runs without a finding")
    if arguments.mutants:
        is_right &= plant_defects(arguments, seed)
    return 0 if is_right else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except cluster.Failure as failure:
        sys.exit(f"rados-nemesis: {failure}")
