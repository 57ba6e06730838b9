#!/usr/bin/env python3
"""Goal: the shared library exports the public interface: all of it, and nothing else.

Method: every dynamic symbol has to be in namespace writeahead and outside of writeahead::internal; and
every function and object of the static library that is there has to be a dynamic symbol of the shared one.

  exports_test.py NM SHARED_LIBRARY STATIC_LIBRARY
"""

import re
import subprocess
import sys

# What the compiler makes for a class or a static object, by the name of that.
MADE = re.compile(r"^(?:vtable|VTT|typeinfo|typeinfo name|guard variable|construction vtable) for ")
PUBLIC = re.compile(r"^writeahead::(?!internal::)")


def symbols(nm, *arguments):
    """{name: type} of the symbols that the file defines."""
    listing = subprocess.run([nm, "--demangle", "--defined-only", *arguments], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    lines = (line.split(maxsplit=2) for line in listing.splitlines())
    return {MADE.sub("", fields[2]): fields[1] for fields in lines if len(fields) == 3 and len(fields[1]) == 1}


def main(nm, shared, static):
    exported = symbols(nm, "--dynamic", shared)
    # Weak ones (V, W) are made again wherever they are needed.
    public = {name for name, kind in symbols(nm, "--extern-only", static).items()
              if PUBLIC.match(name) and kind in "TDBR"}
    wrong = [f"exported, although it is not public: {name}" for name in exported if not PUBLIC.match(name)]
    wrong += [f"public, but not exported (WRITEAHEAD_EXPORT is missing?): {name}"
              for name in public - exported.keys()]
    if not public:
        wrong.append(f"{static} has no public symbols")
    print("\n".join(sorted(wrong)) or f"{len(exported)} symbols are exported, {len(public)} have to be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
