// Names of files in a log's directory.
//
// A segment's is its number with 20 digits and ".wal": fixed width, so that names sort as numbers
// and no number has two names. Every other name is nobody's business here and never touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace writeahead::internal {

inline constexpr std::string_view kRootName = "log.root";
inline constexpr std::string_view kControlName = "control";
inline constexpr std::string_view kTornDirectoryName = "torn";
/// Is there while a salvage makes the log.
inline constexpr std::string_view kSalvageName = "salvage";

/// "00000000000000000007.wal" for 7.
[[nodiscard]] std::string segment_name(uint64_t number);

/// The number that `name` stands for; nothing for any other name, for 0 and on overflow.
[[nodiscard]] std::optional<uint64_t> parse_segment_name(std::string_view name);

}  // namespace writeahead::internal
