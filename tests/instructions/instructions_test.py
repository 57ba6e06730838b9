#!/usr/bin/env python3
"""Goal: no path of the library takes a fifth more instructions than it did when it was looked at last.

Method: callgrind counts the instructions of bench/paths in user space, whatever else the machine does;
the difference of two runs with different numbers of operations is the path alone. What a path takes is
written in BASELINE, as Debian 12's compiler makes it and an x86-64 processor with AVX2 runs it. More than 1.2 times that fails, and so does less than 0.8 times, for then the baseline does not
guard any more: write the new figure there.

    instructions_test.py PATHS [PATH...]    the program, and the paths to count; all by default
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Path: (operations of the shorter run, of the longer one, instructions an operation).
BASELINE = {
    "append": (100, 1100, 3080),
    "append_async": (20_000, 60_000, 1150),
    "append_batch": (5, 55, 126_500),
    "read_active": (1000, 21000, 1065),
    "read_sealed": (1000, 21000, 625),
    "read_many": (1000, 21000, 555),
    "replay": (50_000, 200_000, 360),
}
MOST, LEAST = 1.2, 0.8
# callgrind counts one for each of their steps, and which length they are used for depends on the machine.
WITHOUT_STRING_INSTRUCTIONS = ("glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:"
                               "glibc.cpu.x86_rep_stosb_threshold=0x7fffffff")


def instructions(program, path, count):
    with tempfile.TemporaryDirectory(dir=pathlib.Path.cwd()) as scratch:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={scratch}/out", program, path,
             str(count), scratch],
            stderr=subprocess.PIPE, text=True, env={**os.environ, "GLIBC_TUNABLES": WITHOUT_STRING_INSTRUCTIONS})
        if done.returncode != 0:
            sys.exit(f"{path}: {done.stderr}")
        return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def main():
    program, *wanted = sys.argv[1:]
    failures = 0
    for path in wanted or BASELINE:
        fewer, more, baseline = BASELINE[path]
        each = (instructions(program, path, more) - instructions(program, path, fewer)) / (more - fewer)
        verdict = "more" if each > MOST * baseline else "fewer" if each < LEAST * baseline else "as before"
        print(f"{path}: {each:.0f} instructions an operation, {baseline} when looked at last: {verdict}")
        failures += verdict != "as before"
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
