// IdCodec: how ids of a type are written to a snapshot, and spread over a hashed index.
// Integers, enums, arrays of them and strings are known; a specialisation adds another type.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "writeahead/export.h"

namespace writeahead::index {

/// A hash of bytes that is the same in every process.
[[nodiscard]] WRITEAHEAD_EXPORT uint64_t hash_bytes(std::span<const std::byte> bytes,
                                                    uint64_t seed) noexcept;

/// A value whose bytes are the value, and nothing else.
template <class T>
concept PlainId = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T> &&
                  std::default_initializable<T> && !std::is_pointer_v<T>;

/// For ids of a type of your own specialise it, with the four members that follow here.
template <class Id>
struct IdCodec;

template <PlainId Id>
struct IdCodec<Id> {
  /// Names what append() writes: a snapshot of another one is not read.
  static constexpr uint64_t kFormat = sizeof(Id);

  static void append(const Id& id, std::vector<std::byte>& out) {
    const auto bytes = std::as_bytes(std::span(&id, 1));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  /// Takes an id off the front of `in`; nothing if none is there.
  [[nodiscard]] static std::optional<Id> take(std::span<const std::byte>& in) {
    if (in.size() < sizeof(Id)) return std::nullopt;
    Id id;
    std::ranges::copy(in.first(sizeof(Id)), std::as_writable_bytes(std::span(&id, 1)).begin());
    in = in.subspan(sizeof(Id));
    return id;
  }
  /// All bits of it count. Different seeds give unrelated hashes.
  [[nodiscard]] static uint64_t hash(const Id& id, uint64_t seed) {
    if constexpr (std::integral<Id> && sizeof(Id) <= sizeof(uint64_t)) {
      // Two rounds of multiplication and folding: each bit of the id reaches each of the hash.
      uint64_t mixed = (static_cast<uint64_t>(id) ^ seed) * 0x9E3779B97F4A7C15;
      mixed = (mixed ^ (mixed >> 32)) * 0xD6E8FEB86659FD93;
      return mixed ^ (mixed >> 32);
    } else {
      return hash_bytes(std::as_bytes(std::span(&id, 1)), seed);
    }
  }
};

template <>
struct IdCodec<std::string> {
  static constexpr uint64_t kFormat = 1ULL << 32;  // No plain id is so long.

  static void append(const std::string& id, std::vector<std::byte>& out) {
    IdCodec<uint64_t>::append(id.size(), out);
    const auto bytes = std::as_bytes(std::span(id));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  [[nodiscard]] static std::optional<std::string> take(std::span<const std::byte>& in) {
    const auto length = IdCodec<uint64_t>::take(in);
    if (!length || *length > in.size()) return std::nullopt;
    std::string id(*length, '\0');
    std::ranges::copy(in.first(*length), std::as_writable_bytes(std::span(id)).begin());
    in = in.subspan(*length);
    return id;
  }
  [[nodiscard]] static uint64_t hash(const std::string& id, uint64_t seed) {
    return hash_bytes(std::as_bytes(std::span(id)), seed);
  }
};

/// A type that an index can have as its ids.
template <class Id>
concept IndexId = std::copyable<Id> && std::equality_comparable<Id> &&
                  requires(const Id& id, std::vector<std::byte>& out,
                           std::span<const std::byte>& in, uint64_t seed) {
                    { IdCodec<Id>::kFormat } -> std::convertible_to<uint64_t>;
                    IdCodec<Id>::append(id, out);
                    { IdCodec<Id>::take(in) } -> std::same_as<std::optional<Id>>;
                    { IdCodec<Id>::hash(id, seed) } -> std::same_as<uint64_t>;
                  };

}  // namespace writeahead::index
