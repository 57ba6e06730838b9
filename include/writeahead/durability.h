// Durability: what an append has to survive before it answers; options of appends with it.
//
// Levels may be mixed freely in one log: there is one order, and a record is never durable before
// the ones that lie in front of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "writeahead/export.h"
#include "writeahead/producer_number.h"

namespace writeahead {

/// What is certain when an append has succeeded.
enum class Durability : uint8_t {
  durable,   ///< The record survives power loss.
  written,   ///< The kernel has it: it survives the end of this process. It is durable after the
             ///< next durable append, sync(), or Options::sync_interval_ms.
  buffered,  ///< This process has it, in memory. It is written after Options::flush_interval_ms, or
             ///< with the next frame, and durable as above.
};

/// The level's name as it stands above.
[[nodiscard]] WRITEAHEAD_EXPORT std::string_view to_string(Durability durability);

/// What a caller says about an append of one record.
struct AppendOptions {
  uint16_t type = 0;  ///< The caller's own mark; stored, returned, never interpreted.
  Durability durability = Durability::durable;
  /// Makes it an append that may be repeated: producer_number.h says how.
  std::optional<ProducerNumber> producer_number = std::nullopt;
};

/// What a caller says about an append of a batch.
struct BatchOptions {
  Durability durability = Durability::durable;
  /// Of the batch as a whole: a repeat answers where all of its records are.
  std::optional<ProducerNumber> producer_number = std::nullopt;
};

}  // namespace writeahead
