// Sizes and numbers as they stand on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wal {

/// Bytes with an optional suffix K, M, G or T (or small), in powers of 1024: `4608`, `64M`. Nothing
/// for zero, signs, fractions, anything behind the suffix, and what does not fit 64 bits.
[[nodiscard]] std::optional<uint64_t> parse_size(std::string_view text);

/// A plain decimal number of 64 bits; nothing for signs, blanks and what does not fit.
[[nodiscard]] std::optional<uint64_t> parse_number(std::string_view text);

}  // namespace wal
