// Segment names to numbers and back.
// One number has one name.
#include "format/segment_name.h"

#include <algorithm>
#include <charconv>
#include <memory>

namespace writeahead::internal {
namespace {
constexpr size_t kDigits = 20;
constexpr std::string_view kSuffix = ".wal";
}  // namespace

std::string segment_name(uint64_t number) {
  // By hand: an opening asks for the name of every segment that there is.
  std::string name(kDigits, '0');
  for (auto digit = name.rbegin(); number != 0; ++digit, number /= 10) {
    *digit = static_cast<char>('0' + number % 10);
  }
  return name.append(kSuffix);
}

std::optional<uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits = name.substr(0, kDigits);
  const auto is_digit = [](char character) { return character >= '0' && character <= '9'; };
  if (!std::ranges::all_of(digits, is_digit)) return std::nullopt;
  uint64_t number = 0;
  const auto parsed =
      std::from_chars(std::to_address(digits.begin()), std::to_address(digits.end()), number);
  if (parsed.ec != std::errc{} || number == 0) return std::nullopt;
  return number;
}

}  // namespace writeahead::internal
