// The attributes of a log's objects, which guards go by.
// All of them are named here and nowhere else; docs/format.md says what each means.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "writeahead/object_store.h"

namespace writeahead::internal {

namespace attribute {
inline constexpr std::string_view kFormat = "format";
inline constexpr std::string_view kLife = "life";
inline constexpr std::string_view kDestroyed = "destroyed";
inline constexpr std::string_view kEpoch = "epoch";
inline constexpr std::string_view kOwner = "owner";
inline constexpr std::string_view kActive = "active";
inline constexpr std::string_view kRemoved = "removed";
inline constexpr std::string_view kSequence = "sequence";
inline constexpr std::string_view kBase = "base";
inline constexpr std::string_view kLength = "len";
inline constexpr std::string_view kCapacity = "capacity";

/// What the format is called.
inline constexpr std::string_view kFormatName = "writeahead 1";

[[nodiscard]] inline std::string_view text_of(const ObjectView& view, std::string_view attribute) {
  const auto found = view.attributes.find(attribute);
  return found == view.attributes.end() ? std::string_view{} : std::string_view(found->second);
}

/// As the store reads it for a guard: 0 if it is missing.
[[nodiscard]] inline uint64_t number_of(const ObjectView& view, std::string_view attribute) {
  const std::string_view text = text_of(view, attribute);
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace attribute

}  // namespace writeahead::internal
