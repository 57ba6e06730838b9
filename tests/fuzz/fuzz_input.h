// Input: the bytes that a fuzzer gives, taken from the front as choices and numbers.
//
// Behind its end everything is zero, so that each input has a meaning, and a shorter one often the
// same: what is left out at the end is the simplest choice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace writeahead::testing {

class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_empty() const { return bytes_.empty(); }
  [[nodiscard]] std::span<const std::byte> rest() const { return bytes_; }

  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto first = static_cast<uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return first;
  }
  /// Little-endian, of so many bytes.
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t{byte()} << (8 * i);
    return value;
  }
  /// Of one byte or, for large limits, two.
  uint64_t below(uint64_t limit) { return number(limit > 256 ? 2 : 1) % limit; }
  /// One of those that `choices` holds.
  template <class Choices>
  auto choose(const Choices& choices) {
    return choices[below(std::size(choices))];
  }
  /// So many bytes, or all that are left.
  std::span<const std::byte> take(size_t count) {
    const auto taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace writeahead::testing
