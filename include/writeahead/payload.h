// Payload: a view of the bytes of one record, from whatever holds them.
// Nothing is copied by making one; every append takes its bytes this way.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace writeahead {

/// A contiguous range of one-byte elements that is not an array: vector<char>, span<uint8_t>, ...
/// (An array is left out because a string literal is one, with a zero byte that nobody means.)
template <class R>
concept ByteRange =
    std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    sizeof(std::ranges::range_value_t<R>) == 1 &&
    std::is_trivially_copyable_v<std::ranges::range_value_t<R>> &&
    !std::is_array_v<std::remove_cvref_t<R>> && !std::convertible_to<R, std::string_view>;

/// The bytes of a record, not owned: they must stay in place until the call that takes them
/// returns. Any bytes and any length are allowed, none as well.
class Payload {
 public:
  Payload(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Payload(std::string_view text) : bytes_(std::as_bytes(std::span(text))) {}
  Payload(const char* text) : Payload(std::string_view(text)) {}
  Payload(const std::string& text) : Payload(std::string_view(text)) {}
  template <ByteRange R>
    requires(!std::same_as<std::remove_cvref_t<R>, Payload>)
  Payload(R&& range)
      : bytes_(std::as_bytes(std::span(std::ranges::data(range), std::ranges::size(range)))) {}

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// What a caller says about a record beside its bytes.
struct RecordOptions {
  uint16_t type = 0;  ///< The caller's own mark; stored, returned, never interpreted.
};

}  // namespace writeahead
