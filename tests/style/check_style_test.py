#!/usr/bin/env python3
"""Tests of scripts/check-style: each rule finds what it is for, and leaves alone what only looks like it."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "check-style"
loader = importlib.machinery.SourceFileLoader("check_style", str(SCRIPT))
check_style = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_style", loader))
loader.exec_module(check_style)

HEAD = "// What the file owns,\n// in two lines.\n"


def rules_found(tree):
    """The rules that a tree of {path: text} breaks, as a sorted list of path:line [rule]."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for path, text in tree.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        return sorted(f"{line.split(': ')[0]} {line[line.rindex('['):]}"
                      for line in check_style.findings(root))


class CheckStyle(unittest.TestCase):
    def finds(self, rule, path, line, **others):
        self.assertEqual(rules_found({path: HEAD + line + "\n", **others}), [f"{path}:3 [{rule}]"], line)

    def passes(self, path, line, **others):
        self.assertEqual(rules_found({path: HEAD + line + "\n", **others}), [], line)

    def test_system_calls_stay_in_env(self):
        for line in ("#include <fcntl.h>", "#include <sys/mman.h>", "#include <linux/fs.h>", "  ::fsync(fd);",
                     "  return ::open(path, 0);", "#include <filesystem>"):
            self.finds("system", "src/commit/a.cc", line)
            self.passes("src/env/a.cc", line)
            self.passes("tests/unit/a_test.cc", line)
        self.finds("system", "tools/wal/a.cc", "#include <fcntl.h>")
        self.passes("tools/wal/a.cc", "#include <unistd.h>")
        self.passes("tools/wal/a.cc", "  ::isatty(1);")
        self.finds("system", "testing/a.cc", "#include <unistd.h>")
        for line in ("  Log::open(dir);", "// calls ::open()", '  f("::open()");', "  std::vector<int>::size_type n();",
                     "  ::new (place) Frame();", "  f<T>::close();"):
            self.passes("src/log.cc", line)

    def test_structs_are_made_of_bytes_in_format_only(self):
        for line in ("  std::memcpy(&header, bytes, 8);", "  auto* h = reinterpret_cast<const Header*>(p);",
                     "  reinterpret_cast<uint32_t*>(p);"):
            self.finds("bytes", "src/segment/a.cc", line)
            self.passes("src/format/a.cc", line)
            self.passes("src/env/a.cc", line)
        for line in ("  reinterpret_cast<const char*>(p);", "  reinterpret_cast<std::byte const*>(p);",
                     "  reinterpret_cast<std::uintptr_t>(p);", "// not memcpy"):
            self.passes("src/segment/a.cc", line)

    def test_library_does_not_print_or_end_the_program(self):
        for line in ('  std::cerr << "x";', '  printf("x");', '  fmt::print("x");', "  std::abort();", "  exit(1);",
                     "  ::_exit(1);"):
            self.assertIn("src/log.cc:3 [output]", rules_found({"src/log.cc": HEAD + line + "\n"}), line)
            self.passes("tools/wal/a.cc", line)
        for line in ("  frame.abort();", "  Frame::exit();", '  fmt::format("x");', "  std::snprintf(b, 1, f);",
                     "  on_exit(1);"):
            self.passes("src/log.cc", line)
        self.passes("src/base/check.h", "  std::abort();")

    def test_includes_go_down(self):
        below = {"src/format/frame.h": HEAD, "src/env/posix.h": HEAD, "src/log_state.h": HEAD, "src/base/b.h": HEAD}
        self.passes("src/segment/a.h", '#include "format/frame.h"', **below)
        self.passes("src/log.cc", '#include "log_state.h"', **below)
        self.passes("src/format/a.h", '#include "base/b.h"', **below)
        self.passes("src/env/a.h", '#include "writeahead/env.h"', **below)
        self.finds("layers", "src/env/a.h", '#include "format/frame.h"', **below)
        self.finds("layers", "src/segment/a.h", '#include "log_state.h"', **below)
        self.finds("layers", "src/format/a.h", '#include "env/posix.h"', **below)
        self.finds("layers", "src/format/a.h", '#include "frame.h"', **below)
        self.finds("layers", "include/writeahead/a.h", '#include "format/frame.h"', **below)
        self.finds("layers", "tools/wal/a.cc", '#include "format/frame.h"', **below)
        self.passes("tools/wal/a.cc", '#include "verb.h"', **{"tools/wal/verb.h": HEAD})
        self.passes("tests/unit/a_test.cc", '#include "format/frame.h"', **below)
        self.assertEqual(rules_found({"src/other/a.h": HEAD}), ["src/other/a.h:1 [layers]"])

    def test_words_of_the_glossary(self):
        for line in ("int chunk_size = 0;", "class JournalReader;", "// prunes old segments", "void run_gc();",
                     "// is purged", "int logfile;", "// pruning", "kMaxChunks"):
            self.finds("words", "src/log.cc", line)
        for line in ("// ext4 commits its journal here", "std::views::chunk(4);", "// GCC, gcc and journey"):
            self.passes("src/log.cc", line)
        self.passes("tools/wal/a.cc", "int chunk;")

    def test_length(self):
        self.assertEqual(rules_found({"src/log.cc": HEAD + "int a;\n" * 398}), [])
        self.assertEqual(rules_found({"src/log.cc": HEAD + "int a;\n" * 399}), ["src/log.cc:401 [length]"])
        self.assertEqual(rules_found({"tests/a_test.cc": HEAD + "int a;\n" * 399}), [])

    def test_plain_text(self):
        for line in ("// \u00fc", "\tint a;", "int a; ", "// " + "x" * 98):
            self.finds("text", "tests/a_test.cc", line)
        self.passes("tests/a_test.cc", "// " + "x" * 97)
        self.passes("tests/a_test.cc", "// https://example.org/" + "x" * 97)
        self.assertEqual(rules_found({"src/a.h": HEAD + "int a;"}), ["src/a.h:3 [text]"])

    def test_marks_have_an_issue(self):
        self.finds("marks", "tools/wal/a.cc", "// TODO: later")
        self.finds("marks", "tests/CMakeLists.txt", "# FIXME")
        self.passes("tools/wal/a.cc", "// TODO(#12): the device may lie; ask it")

    def test_files_begin_with_what_they_own(self):
        for text in ("#pragma once\n", "// one line\n#pragma once\n", "// Copyright X\n// one line\n"):
            self.assertEqual(rules_found({"include/writeahead/a.h": text}), ["include/writeahead/a.h:1 [opening]"])
        self.assertEqual(rules_found({"src/a.h": "// SPDX-License-Identifier: Apache-2.0\n\n" + HEAD}), [])

    def test_links_lead_somewhere(self):
        tree = {"docs/a.md": "[b](b.md#part) [r](../README.md) [u](https://x.org) [s](#here) `[q](q.md)`\n",
                "docs/b.md": "```\n[c](c.md)\n```\n", "README.md": "[docs](docs/)\n"}
        self.assertEqual(rules_found(tree), [])
        self.assertEqual(rules_found({"a.md": "\n[b](b.md)\n"}), ["a.md:2 [links]"])

    def test_comments_and_literals_are_told_from_code(self):
        for line in ("/* ::open( */ int a;", 'auto s = R"x(::open("a")x";', "int a = 1'000'000; // ::open(",
                     "char c = '\"'; // ::open("):
            self.passes("src/log.cc", line)
        self.finds("system", "src/log.cc", "char c = '\"'; ::open(path);")
        self.finds("system", "src/log.cc", "int a = 1'000; ::open('x');")

    def test_exceptions_need_the_rule_and_a_reason(self):
        self.passes("src/log.cc", "  ::open(p);  // style-ok(system): the reason")
        self.assertEqual(rules_found({"src/log.cc": HEAD + "// style-ok(system): the reason\n::open(p);\n"}), [])
        self.finds("system", "src/log.cc", "  ::open(p);  // style-ok(system):")
        self.finds("system", "src/log.cc", "  ::open(p);  // style-ok(bytes): the reason")

    def test_build_and_hidden_directories_are_left_out(self):
        self.assertEqual(rules_found({"build/a.md": "[b](b.md)\n", ".cache/a.md": "[b](b.md)\n"}), [])


if __name__ == "__main__":
    unittest.main()
