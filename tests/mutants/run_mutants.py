#!/usr/bin/env python3
"""Plants bugs in the library, one at a time, and demands that a named test finds each.

  run_mutants.py BUILD_DIR [NAME...]      only the mutants with these names

An entry of the .toml files beside this one is

  [[mutant]]
  name = "what_the_bug_does"
  file = "commit/committer.cc"            below src/, or from the root on if it begins with "index/"
  old = '''lines that occur once in it'''
  new = '''what stands there instead'''
  killed_by = "unit_tests GroupCommitTest.name_of_one_test"
  attempts = 5                            left out where the test sees the bug each time
  [[mutant.also]]                         with file, old and new, where a second rule covers the first

The test has to pass with the library as it is built in BUILD_DIR, and to fail, to abort or to hang
with the changed file linked in place of the one in the library. Nothing of BUILD_DIR is changed.
Where threads may happen to spare a mutant, one failure in so many attempts kills it, and the unchanged
test has to pass as often: a test that fails now and then would kill anything.

The control is a mutant without a bug, one for each program and each file: it has to survive.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = ROOT / "src"
LIBRARIES = ("index/libwriteahead_index.a", "src/libwriteahead.a")
CORES = 2
HANGS_S = 20  # longer than any of the tests takes on a busy machine
SLOW_S = 10  # a test takes 2 s where nothing else runs
BUSY_S = 3  # who is not done by then most likely waits, and leaves its core to the next one

# GCC takes more than twice as long for it.
COMPILER = "clang++-19"
# Most of a compilation is reading these, and the library's own headers.
HEADERS = """algorithm array atomic charconv chrono condition_variable deque expected fmt/format.h functional
             map memory mutex optional span stop_token string string_view thread utility variant vector
             absl/container/btree_map.h absl/container/flat_hash_map.h"""

cores = threading.BoundedSemaphore(CORES)


class Unfit(Exception):
    """The mutant, or its test, is not what the list says."""


def output_of(command, directory):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Unfit(f"{shlex.join(command)}\n{done.stdout}")
    return done.stdout


class Build:
    """How BUILD_DIR compiles the library and links the test programs."""

    def __init__(self, directory, work):
        self.directory = directory
        self.work = work
        with open(directory / "compile_commands.json", encoding="utf-8") as commands:
            self.compiles = {entry["file"]: shlex.split(entry["command"]) for entry in json.load(commands)}
        self.links = {}
        self.passed = {}
        self.slowest = (0.0, "")
        self.lock = threading.Lock()
        header = work / "headers.h"
        included = [f"<{name}>" for name in HEADERS.split()]
        included += [f'"{path}"' for path in sorted(SOURCES.rglob("*.h"))]
        header.write_text("".join(f"#include {name}\n" for name in included), encoding="utf-8")
        self.headers = work / "headers.pch"
        any_source = SOURCES / "commit/committer.cc"
        output_of([*self.compiler(any_source), "-x", "c++-header", "-o", str(self.headers), str(header)], directory)

    def compiler(self, source):
        """The command for a source of the library, without its files; quick, and without warnings."""
        command = self.compiles[str(source)]
        command = command[:command.index("-o")]
        # The precompiled header of the build is optimised, and GCC's: this one has its own.
        if "-include" in command:
            at = command.index("-include")
            del command[at:at + 2]
        at = next(i for i, word in enumerate(command) if re.search(r"\+\+(-\d+)?$", word))
        return [COMPILER, *command[at + 1:], "-O0", "-g0", "-w", "-fpch-instantiate-templates"]

    def compile(self, source, text, to):
        changed = to.with_suffix(".cc")
        changed.write_text(text, encoding="utf-8")
        output_of([*self.compiler(source), "-include-pch", str(self.headers), "-o", str(to), "-c", str(changed)],
                  self.directory)

    def link(self, program, objects, to):
        """Of an archive only what is missing is linked: not what `objects` stand for."""
        with self.lock:
            if program not in self.links:
                printed = output_of(["ninja", "-t", "commands", "-s", f"bin/{program}"], self.directory)
                self.links[program] = shlex.split(re.fullmatch(r": && (.*) && :\s*", printed)[1])
        command = list(self.links[program])
        command[command.index("-o") + 1] = str(to)
        at = min(command.index(library) for library in LIBRARIES if library in command)
        command[at:at] = map(str, objects)
        output_of([*command, "-Wl,--strip-debug"], self.directory)

    def demand_pass(self, program, test, times):
        """Once for each test and number of times, whoever comes first."""
        with self.lock:
            future = self.passed.get((program, test, times))
            is_first = future is None
            if is_first:
                future = self.passed[program, test, times] = concurrent.futures.Future()
        if is_first:
            future.set_result(self.complaint(program, test, times))
        if future.result() is not None:
            raise Unfit(f"{program} {test} {future.result()}")

    def complaint(self, program, test, times):
        """What is wrong with the unchanged test; None if it may judge a mutant."""
        for _ in range(times):
            try:
                passes, seconds, output = run(self.directory / "bin" / program, test, self.work)
            except OSError as problem:
                return f"does not run: {problem}"
            if not passes or "[==========] 1 test from" not in output or "[  SKIPPED ]" in output:
                print(output, file=sys.stderr)
                return "is not one test that passes"
            if seconds > SLOW_S:
                return f"takes {seconds:.1f} s, which is above {SLOW_S}"
            with self.lock:
                self.slowest = max(self.slowest, (seconds, test))
        return None


def run(program, test, directory):
    """(whether it passes, the seconds that it took, what it printed). Holds a core while it works."""
    command = [str(program), f"--gtest_filter={test}", "--gtest_fail_fast"]
    with contextlib.ExitStack() as core:
        core.enter_context(cores)
        begin = time.monotonic()
        process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        for limit in (BUSY_S, HANGS_S - BUSY_S):
            try:
                output, _ = process.communicate(timeout=limit)
                return process.returncode == 0, time.monotonic() - begin, output.decode(errors="replace")
            except subprocess.TimeoutExpired:
                core.close()
        os.killpg(process.pid, signal.SIGKILL)  # with what it forked
        process.communicate()
        return False, time.monotonic() - begin, "it hangs"


def changed(change):
    """(the source file, its text with the bug)."""
    source = (ROOT if change["file"].startswith("index/") else SOURCES) / change["file"]
    text = source.read_text(encoding="utf-8")
    if text.count(change["old"]) != 1:
        raise Unfit(f"what it replaces occurs {text.count(change['old'])} times in {change['file']}")
    return source, text.replace(change["old"], change["new"])


def try_mutant(build, mutant):
    """(whether its test kills it, what to say of it)."""
    program, test = mutant["killed_by"].split()
    attempts = mutant.get("attempts", 1)
    changes = [changed(change) for change in [mutant, *mutant.get("also", [])]]
    build.demand_pass(program, test, attempts)
    with tempfile.TemporaryDirectory(dir=build.work) as name:
        scratch = pathlib.Path(name)
        objects = [scratch / f"{i}.o" for i in range(len(changes))]
        with cores:
            for (source, text), to in zip(changes, objects):
                build.compile(source, text, to)
            build.link(program, objects, scratch / program)
        for _ in range(attempts):
            passes, seconds, output = run(scratch / program, test, scratch)
            if not passes:
                break
    how = " (a hang)" if output == "it hangs" else ""
    return not passes, f"SURVIVED {test}" if passes else f"killed in {seconds:.1f} s{how} by {test}"


def load(names):
    mutants = []
    for path in sorted(HERE.glob("*.toml")):
        with open(path, "rb") as file:
            mutants += tomllib.load(file)["mutant"]
    known = [mutant["name"] for mutant in mutants]
    wrong = sorted({name for name in known if known.count(name) > 1} | {name for name in names if name not in known})
    if wrong:
        sys.exit(f"not the name of one mutant: {', '.join(wrong)}")
    return [mutant for mutant in mutants if not names or mutant["name"] in names]


def controls(mutants):
    """For each program and each file a mutant without a bug, judged by the first test that is its or the file's:
    to be compiled by itself, and otherwise than the library, kills nothing."""
    first = {mutant["killed_by"].split()[0]: mutant for mutant in reversed(mutants)}
    first |= {mutant["file"]: mutant for mutant in reversed(mutants)}
    return [{**mutant, "name": f"control of {what}", "new": mutant["old"], "also": []}
            for what, mutant in first.items()]


def main():
    directory = pathlib.Path(sys.argv[1]).resolve()
    mutants = load(sys.argv[2:])
    survivors = controls(mutants)
    count = {"killed": 0, "controls that survived": 0}
    # One that waits for a test that hangs needs no core: hence more threads.
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(4 * CORES) as pool:
        build = Build(directory, pathlib.Path(work))
        tries = {pool.submit(try_mutant, build, mutant): mutant for mutant in mutants + survivors}
        for done in concurrent.futures.as_completed(tries):
            mutant = tries[done]
            try:
                is_killed, verdict = done.result()
                count["killed"] += is_killed and mutant not in survivors
                count["controls that survived"] += not is_killed and mutant in survivors
            except Unfit as problem:
                verdict = f"UNFIT: {problem}"
            print(f"{mutant['name']}: {verdict}", flush=True)
    print(f"The slowest test took {build.slowest[0]:.1f} s: {build.slowest[1]}")
    print(f"counted: mutants: killed: {count['killed']}")
    print(f"counted: mutants: of mutants: {len(mutants)}")
    print(f"counted: mutants: controls that survived: {count['controls that survived']}")
    sys.exit(count != {"killed": len(mutants), "controls that survived": len(survivors)})


main()
