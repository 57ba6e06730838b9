// CallKind: the calls of an Env that a SimEnv counts, fails and records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace writeahead::testing {

/// Each call that can fail or change something is counted, as one of these.
enum class CallKind : uint8_t {
  open,    ///< Of an existing file or directory.
  create,  ///< Of a file.
  read,
  write,  ///< Without barrier.
  dsync_write,
  sync,
  directory_sync,  ///< Directory::sync and Env::sync_parent.
  rename,
  remove,
  list,
  lock,
  map,
  info,
  random,
  make_directory,
};
inline constexpr size_t kCallKinds = 15;

/// The kind's name as it stands above.
[[nodiscard]] std::string_view to_string(CallKind kind);

/// How long a call fails.
enum class FaultSpan : uint8_t {
  once,      ///< That call.
  for_ever,  ///< That call and each later one.
};

}  // namespace writeahead::testing
