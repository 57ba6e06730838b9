#!/usr/bin/env python3
"""Goal: the program in README.md is the one that is built and run, examples/quickstart/main.cc.

Method: one of the README's blocks of C++ has to equal the lines between the example's two marks. If
none does, the difference to the first block is printed.
"""

import difflib
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLE = "examples/quickstart/main.cc"
MARK = "// [readme]\n"


def main():
    parts = (ROOT / EXAMPLE).read_text().split(MARK)
    if len(parts) != 3:
        print(f"{EXAMPLE}: expected two lines '{MARK.strip()}'")
        return 1
    blocks = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    # The marks stand inside a function; the README shows its lines without the indentation.
    lines = textwrap.dedent(parts[1].rstrip(" "))
    if lines in blocks:
        return 0
    shown = blocks[0] if blocks else ""
    print("".join(difflib.unified_diff(lines.splitlines(True), shown.splitlines(True), EXAMPLE, "README.md")))
    return 1


if __name__ == "__main__":
    sys.exit(main())
