// Little-endian integers in byte spans, and Field: where a value stands in a structure on disk.
//
// Every structure of the format is written and read through Fields, and docs/format.md is compared
// with the same Fields by a test, so that code and page cannot drift apart.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace writeahead::internal {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian; a big-endian machine needs byte swaps here");

/// A value of type T at a fixed offset of a structure.
template <std::unsigned_integral T>
struct Field {
  uint32_t offset;

  [[nodiscard]] T load(std::span<const std::byte> structure) const {
    T value;
    std::memcpy(&value, structure.data() + offset, sizeof(T));
    return value;
  }
  void store(std::span<std::byte> structure, T value) const {
    std::memcpy(structure.data() + offset, &value, sizeof(T));
  }
};

/// A run of bytes at a fixed offset of a structure.
template <size_t N>
struct BytesField {
  uint32_t offset;
};

/// A field as docs/format.md lists it.
struct FieldDescription {
  std::string_view name;
  uint32_t offset;
  uint32_t bytes;
};

template <class T>
constexpr FieldDescription describe(std::string_view name, Field<T> field) {
  return {name, field.offset, sizeof(T)};
}
template <size_t N>
constexpr FieldDescription describe(std::string_view name, BytesField<N> field) {
  return {name, field.offset, N};
}

/// Whether all bytes are zero.
[[nodiscard]] inline bool is_zero(std::span<const std::byte> bytes) {
  // The first byte is zero and each equals the one before it: one memcmp over the whole range.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Copies all of `from` to the beginning of `to`. (std::ranges::copy goes byte by byte with
/// GCC 12.)
inline void copy_bytes(std::span<const std::byte> from, std::span<std::byte> to) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

/// `value` rounded up to a multiple of `unit`, a power of two. The caller excludes overflow.
[[nodiscard]] constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) & ~(unit - 1);
}
[[nodiscard]] constexpr uint64_t round_down(uint64_t value, uint64_t unit) {
  return value & ~(unit - 1);
}

}  // namespace writeahead::internal
