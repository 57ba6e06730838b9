#!/usr/bin/env python3
"""Has spin go through every state of a model, and of each of its controls.

  check_model.py MODEL.pml

The controls are the names in the model's head, behind "Controls": each is a -D that breaks one rule,
and has to end in an error. The model itself must not, and every line of it has to be reached.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def run(command, directory):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout


def explore(model, control=None):
    """(errors, states, unreached lines) of the whole search."""
    with tempfile.TemporaryDirectory() as directory:
        defines = [f"-D{control}"] if control else []
        run(["spin", *defines, "-a", str(model)], directory)
        run(["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"], directory)
        output = run(["./pan", "-m1000000"], directory)
        if "max search depth too small" in output or "Search not completed" in output and not control:
            sys.exit(f"{model.name}: the search is not complete\n{output}")
        errors = int(re.search(r"errors: (\d+)", output).group(1))
        states = int(re.search(r"(\d+) states, stored", output).group(1))
        unreached = re.findall(r"\.pml:(\d+), state \d+, \"(?!-end-)(.*)\"", output)
        return errors, states, unreached, output


def main():
    model = pathlib.Path(sys.argv[1]).resolve()
    head = model.read_text().split("*/")[0]
    controls = re.findall(r"\b[A-Z][A-Z_]{3,}\b", head.split("refuse:")[1])
    errors, states, unreached, output = explore(model)
    if errors:
        sys.exit(f"{model.name}: an invariant does not hold\n{output}")
    if unreached:
        sys.exit(f"{model.name}: not reached: {unreached}")
    print(f"counted: concurrency: states of models: {states}")
    for control in controls:
        found = explore(model, control)[0] > 0
        print("counted: controls: planted faults: 1")
        print(f"counted: controls: found: {int(found)}")
        if not found:
            sys.exit(f"{model.name}: {control} passes")
    print(f"{model.name}: {states} states, {len(controls)} controls")


main()
