// LogIdentity: which log this is, and which course it took.
// What is derived of a log and kept elsewhere, such as an index, is compared by it.
#pragma once

#include <cstdint>

#include "writeahead/env.h"

namespace writeahead {

/// Tells a log from every other, for what is derived of it and kept elsewhere.
struct LogIdentity {
  Identifier log_id{};       ///< Of no other log but a copy of this one.
  uint64_t truncations = 0;  ///< How often Log::truncate_from was done, over all openings.
  friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

}  // namespace writeahead
