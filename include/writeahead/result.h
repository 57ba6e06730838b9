// Error and Result: how every fallible call of the library answers.
//
// Nothing throws across the public surface but std::bad_alloc; nothing prints and nothing exits.
// A success allocates nothing for its result.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "writeahead/export.h"

namespace writeahead {

/// What went wrong, as far as a caller can act on it.
enum class ErrorCode : uint8_t {
  invalid_argument,    ///< The call itself is wrong; the log is untouched.
  not_found,           ///< No log in that directory, or no record at that address.
  trimmed,             ///< The address lies below the first Lsn; the record was dropped on purpose.
  truncated,           ///< The position was removed by a truncation.
  corruption,          ///< Bytes that were durable are damaged. Nothing on disk was changed.
  unsupported_format,  ///< A newer version of this library wrote the log.
  io,                  ///< The system refused or failed a call; see system_error().
  no_space,            ///< No room, memory or descriptor for this append now; nothing was written.
  locked,              ///< Another process, or this one, has the log open for writing.
  fenced,              ///< A newer writer has taken over.
  failed,       ///< An earlier I/O error stopped the log; the message carries the first cause.
  closed,       ///< The log was closed.
  too_large,    ///< The record is above Options::max_record_bytes; nothing was written.
  would_block,  ///< The call would have had to wait.
  repeated,     ///< The producer has appended a higher number; nothing was written.
};

/// The code's name as it stands above, for messages and logs.
[[nodiscard]] WRITEAHEAD_EXPORT std::string_view to_string(ErrorCode code);

/// One error: a code, the system's error number if there was one, and one line that says what
/// failed, where and why: `verb object: cause (path, offset, lsn)`. Cheap to copy; never throws.
class WRITEAHEAD_EXPORT Error {
 public:
  explicit Error(ErrorCode code, std::string message = {}, int system_error = 0) noexcept;

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// The errno of the call that failed, 0 when no system call was the cause.
  [[nodiscard]] int system_error() const noexcept { return system_error_; }
  /// One line without a newline. The code's name if there was no memory for more.
  [[nodiscard]] std::string_view message() const noexcept;

 private:
  ErrorCode code_;
  int system_error_;
  std::shared_ptr<const std::string> message_;
};

/// The answer of a call that can fail.
template <class T>
using Result = std::expected<T, Error>;

}  // namespace writeahead
