// SimRandom: the simulator's only source of chance; the same seed gives the same numbers on every
// machine and standard library.
#pragma once

#include <cstdint>

namespace writeahead::testing::internal {

/// SplitMix64.
class SimRandom {
 public:
  explicit SimRandom(uint64_t seed) noexcept : state_(seed) {}

  uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  /// Below `limit`, which is not 0.
  uint64_t below(uint64_t limit) noexcept { return next() % limit; }

 private:
  uint64_t state_;
};

}  // namespace writeahead::testing::internal
