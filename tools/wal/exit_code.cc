// The table from the library's error codes to exit codes. It has no default, so that the compiler
// asks for a row when the library gets a new code.
#include "exit_code.h"

#include <cerrno>

namespace wal {

using writeahead::Error;
using writeahead::ErrorCode;

ExitCode exit_code_of(const Error& error) {
  switch (error.code()) {
    case ErrorCode::corruption:
      return ExitCode::damage;

    case ErrorCode::invalid_argument:
    case ErrorCode::too_large:
      return ExitCode::usage;

    case ErrorCode::not_found:
      // A path that leads through something else than a directory is in the way, not missing.
      return error.system_error() == 0 || error.system_error() == ENOENT ? ExitCode::not_there
                                                                         : ExitCode::environment;
    case ErrorCode::trimmed:
    case ErrorCode::truncated:
      return ExitCode::not_there;

    case ErrorCode::unsupported_format:
    case ErrorCode::io:
    case ErrorCode::no_space:
    case ErrorCode::locked:
    case ErrorCode::fenced:
    case ErrorCode::failed:
    case ErrorCode::closed:
    case ErrorCode::would_block:
    case ErrorCode::repeated:
      return ExitCode::environment;
  }
  return ExitCode::environment;
}

}  // namespace wal
