// Segment names to numbers and back.
// One number has one name.
#include "format/segment_name.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>

namespace writeahead::internal {
namespace {
constexpr size_t kDigits = 20;
constexpr std::string_view kSuffix = ".wal";
}  // namespace

std::string segment_name(uint64_t number) { return fmt::format("{:020}{}", number, kSuffix); }

std::optional<uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits = name.substr(0, kDigits);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  uint64_t number = 0;
  const auto parsed =
      std::from_chars(std::to_address(digits.begin()), std::to_address(digits.end()), number);
  if (parsed.ec != std::errc{} || number == 0) return std::nullopt;
  return number;
}

}  // namespace writeahead::internal
