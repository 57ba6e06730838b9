// Lsn: the address of a byte in the log.
//
// One 64-bit number gives both order and address. It is meant to be stored: eight bytes in a
// caller's index lead straight to the record.
#pragma once

#include <compare>
#include <cstdint>

namespace writeahead {

/// A byte position in the log. A record's Lsn is the position of its first byte and never changes;
/// a later record has a larger one. Lsns are not dense: headers and padding lie between records.
/// No record ever has Lsn 0, so that a default Lsn may stand for "none" in a caller's structures.
class Lsn {
 public:
  constexpr Lsn() = default;
  constexpr explicit Lsn(uint64_t value) : value_(value) {}

  /// The position as a plain number, for storing and printing.
  [[nodiscard]] constexpr uint64_t value() const { return value_; }

  friend constexpr auto operator<=>(Lsn, Lsn) = default;

  /// The position `bytes` further on. The caller keeps within 64 bits.
  friend constexpr Lsn operator+(Lsn lsn, uint64_t bytes) { return Lsn(lsn.value_ + bytes); }
  /// The distance in bytes; `left` must not be smaller than `right`.
  friend constexpr uint64_t operator-(Lsn left, Lsn right) { return left.value_ - right.value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace writeahead
