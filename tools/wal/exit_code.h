// ExitCode: what the command tells the shell.
//
// The numbers are part of the command's interface: scripts branch on them. They say what a caller
// can do about the outcome, not which part of the library found it.
#pragma once

#include "writeahead/result.h"

namespace wal {

enum class ExitCode : int {
  good = 0,         ///< Done; also a torn tail that `verify` reports, and a closed pipe.
  damage = 1,       ///< Corruption.
  usage = 2,        ///< The call or its input is wrong; the same call will fail again.
  environment = 3,  ///< The system or another process is in the way.
  not_there = 4,    ///< No log in that directory, or no record at that address.
};

/// The exit code for an error of the library.
[[nodiscard]] ExitCode exit_code_of(const writeahead::Error& error);

}  // namespace wal
