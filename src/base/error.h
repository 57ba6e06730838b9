// Builders of Error: every message of the library reads `verb object: cause (path, offset, lsn)`.
// They allocate only when something failed, and never throw: without memory the code remains.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "writeahead/env.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// Where something failed, as far as it is known.
struct Place {
  std::string_view path = {};
  std::optional<uint64_t> offset = {};
  std::optional<Lsn> lsn = {};
};

/// `action` is the verb and its object, `cause` the reason: "read segment", "checksum differs".
[[nodiscard]] Error make_error(ErrorCode code, std::string_view action, std::string_view cause,
                               const Place& place = {}, int system_error = 0) noexcept;

/// What a call answers in a child of the process that opened the log at `path`.
[[nodiscard]] Error forked_error(std::string_view action, std::string_view path) noexcept;

/// An error of the system, code `io`; ENOSPC and EDQUOT become `no_space` only by with_code.
[[nodiscard]] Error io_error(std::string_view action, SystemError error,
                             const Place& place = {}) noexcept;

/// The same message under another code.
[[nodiscard]] Error with_code(const Error& error, ErrorCode code) noexcept;

/// Whether the error says that the storage is full.
[[nodiscard]] bool is_out_of_space(SystemError error) noexcept;

/// The error of making something new: `no_space` where the system says "not now" and not "the
/// storage is broken": no room, no descriptor, no memory, no permission.
[[nodiscard]] Error shortage_error(std::string_view action, SystemError error,
                                   const Place& place = {}) noexcept;

/// "<directory>/<name>", or nothing without memory.
[[nodiscard]] std::string join_path(std::string_view directory, std::string_view name) noexcept;

}  // namespace writeahead::internal
