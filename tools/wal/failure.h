// Failure: why a verb ended without success, and the one line that says so.
//
// Everything in the command that can fail answers with an Outcome; only main prints the failure, so
// that there is exactly one line on standard error whatever went wrong.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "exit_code.h"
#include "writeahead/result.h"

namespace wal {

struct Failure {
  ExitCode code = ExitCode::environment;
  std::string message;  ///< `verb object: cause`, without the command's name in front.
};

template <class T>
using Outcome = std::expected<T, Failure>;

/// The library's error as a failure.
[[nodiscard]] std::unexpected<Failure> failure_of(const writeahead::Error& error);

/// A failed system call of the command's own; `action` is `verb object`.
[[nodiscard]] std::unexpected<Failure> system_failure(std::string_view action, int error_number);

/// Input or arguments that no retry will make right.
[[nodiscard]] std::unexpected<Failure> usage_failure(std::string message);

/// Writes the failure to standard error as one line.
void print(const Failure& failure);

}  // namespace wal
