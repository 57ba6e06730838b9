// Payloads that say who appended them and as which record, so that one that is altered, doubled,
// out of order or from nowhere shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace writeahead::test {

/// What stands at the beginning of each payload; the rest follows from it.
struct Mark {
  uint64_t writer;
  uint64_t number;       // among the records of that writer
  uint64_t batch_first;  // number of the first record of its append
  uint64_t batch_count;
  uint64_t bytes;  // of the whole payload
};

[[nodiscard]] std::string payload_of(const Mark& mark);
/// The mark of a payload that payload_of made; nothing if a byte of it differs.
[[nodiscard]] std::optional<Mark> mark_of(std::span<const std::byte> payload);

}  // namespace writeahead::test
