// AllocationWatch: how much memory is asked for at once while it lives.
//
// A length in a hostile file must not become an allocation: none is larger than the file is, and
// 64 KiB. Only AddressSanitizer tells of allocations; without it nothing is seen.
#pragma once

#include <cstdint>
#include <string_view>

namespace writeahead::testing {

class AllocationWatch {
 public:
  AllocationWatch();
  AllocationWatch(const AllocationWatch&) = delete;
  AllocationWatch& operator=(const AllocationWatch&) = delete;
  ~AllocationWatch();

  /// Bytes of the largest allocation since the beginning.
  [[nodiscard]] uint64_t largest() const;
  /// Throws a Defect if that is above what input of `bytes` may cause.
  void demand_bounded_by(uint64_t bytes, std::string_view what) const;
};

}  // namespace writeahead::testing
