#!/usr/bin/env python3
"""Goal: what the changelog says of a mended defect, that a test catches it now, is true of a test that
is there.

Method: each entry below "Fixed" names one at least, as `kind.Suite.test`, whose end may be left out:
`kind.Suite.begins_like_this...`. Names are looked for in tests/<kind>/*_test.cc. Entries that name
nothing, or what is not there, have to be found, too.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = re.compile(r"`([a-z]+)\.([A-Z]\w*)(?:\.(\w+))?(\.\.\.)?`")


def tests_of(kind):
    """`Suite.test` of each test of a kind."""
    texts = [path.read_text() for path in sorted((ROOT / "tests" / kind).glob("*_test.cc"))]
    pattern = r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)"
    return {".".join(found) for text in texts for found in re.findall(pattern, text)}


def entries_of(changelog):
    fixed = "".join(re.findall(r"^### Fixed\n(.*?)(?=^##|\Z)", changelog, re.DOTALL | re.MULTILINE))
    return [" ".join(entry.split()) for entry in re.split(r"^- ", fixed, flags=re.MULTILINE)[1:]]


def complaints(changelog):
    for entry in entries_of(changelog):
        names = list(NAME.finditer(entry))
        if not names:
            yield f"names no test: {entry}"
        for name in names:
            kind, suite, test, is_cut = name.groups()
            wanted = f"{suite}.{test}" if test else suite
            tests = tests_of(kind)
            if not (any(there.startswith(wanted) for there in tests) if is_cut else wanted in tests):
                yield f"names {name[0]}, which is not there: {entry}"


def main():
    planted = "### Fixed\n\n- Nothing.\n- One (`unit.Limits.that_is_not_there...`).\n## 0\n- Old.\n"
    if len(list(complaints(planted))) != 2:
        print("what is wrong is not found")
        return 1
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if not entries_of(changelog):
        print("CHANGELOG.md: no entry below Fixed")
        return 1
    found = list(complaints(changelog))
    print("".join(f"CHANGELOG.md: {complaint}\n" for complaint in found), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
