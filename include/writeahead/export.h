// WRITEAHEAD_EXPORT: marks what a shared library of WriteAhead offers to those who link it.
//
// Everything else in it is hidden. Every public class with a member that is defined in src/, every
// public class with virtual members, and every public function defined there carries the mark; what
// is defined in a header needs none.
#pragma once

#define WRITEAHEAD_EXPORT __attribute__((visibility("default")))
