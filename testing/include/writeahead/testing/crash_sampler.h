// CrashSampler: which of the states that a power cut can leave are tried.
//
// With few undecided items all subsets of them; with many the edges, where mistakes live, and some
// subsets at random. Each with every choice of what a lost sector holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "writeahead/testing/crash_plan.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

/// What CrashSampler tries.
struct CrashSamplerOptions {
  size_t exhaustive_items = 10;    ///< All subsets up to so many undecided items.
  size_t random_subsets = 16;      ///< Above that, so many at random.
  size_t single_items = SIZE_MAX;  ///< Above that, so many items are lost, and kept, alone.
  std::vector<LostBytes> lost = {LostBytes::old, LostBytes::zero, LostBytes::garbage};
  TearMode tear = TearMode::powersafe;
  uint64_t seed = 1;  ///< Of random subsets and garbage. Print it on failure.
};

/// Gives the crash states of a disk, one by one. Immutable, so thread-safe.
class CrashSampler {
 public:
  /// Returns false to stop. Print to_string(plan) on failure: disk.crash(plan) repeats the state.
  using Visit = std::function<bool(SimDisk crashed, const CrashPlan& plan)>;

  explicit CrashSampler(CrashSamplerOptions options = {}) : options_(std::move(options)) {}

  /// Every plan for this disk: at least one. Subsets are tried in the order none, all, singles,
  /// prefixes and suffixes in time, random.
  [[nodiscard]] std::vector<CrashPlan> plans(const SimDisk& disk) const;
  /// Visits the disk of each plan; returns how many it visited.
  size_t each(const SimDisk& disk, const Visit& visit) const;

 private:
  CrashSamplerOptions options_;
};

}  // namespace writeahead::testing
