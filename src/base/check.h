// WRITEAHEAD_CHECK: an assertion that stays on in every build.
//
// It stands just before a write that would be wrong if the condition failed: a wrong write is worse
// than none, so the process aborts. It is never used for input, files or I/O errors.
#pragma once

namespace writeahead::internal {

/// Prints `condition` with its place to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace writeahead::internal

#define WRITEAHEAD_CHECK(condition) \
  ((condition) ? (void)0 : ::writeahead::internal::check_failed(#condition, __FILE__, __LINE__))
