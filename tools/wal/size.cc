// Parsing by hand, since the standard functions take signs, blanks and trailing text, and `-1`
// would become the largest number there is.
#include "size.h"

#include <charconv>
#include <limits>

namespace wal {

namespace {

/// How far the suffix shifts the number to the left; nothing if it is none.
std::optional<unsigned> shift_of(char suffix) {
  switch (suffix) {
    case 'k':
    case 'K':
      return 10;
    case 'm':
    case 'M':
      return 20;
    case 'g':
    case 'G':
      return 30;
    case 't':
    case 'T':
      return 40;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc() || stop != text.end()) {
    return std::nullopt;
  }
  return value;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    if (const auto suffix = shift_of(text.back())) {
      shift = *suffix;
      text.remove_suffix(1);
    }
  }
  const auto value = parse_number(text);
  if (!value || *value == 0 || *value > std::numeric_limits<uint64_t>::max() >> shift) {
    return std::nullopt;
  }
  return *value << shift;
}

}  // namespace wal
