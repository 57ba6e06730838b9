// What comes next depends on the seed alone, not on what became of the step before.
#include "support/random_course.h"

#include <array>

namespace writeahead::testing {
namespace {

class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t limit) {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % limit;
  }

 private:
  uint64_t state_;
};

size_t random_size(Chance& chance) {
  constexpr std::array kLimits = {2, 20, 200, 600, 1200, 4200, 9000};
  return chance.below(static_cast<uint64_t>(kLimits[chance.below(kLimits.size())]));
}

std::vector<size_t> random_sizes(Chance& chance) {
  std::vector<size_t> sizes(chance.below(4) == 0 ? 1 + chance.below(6) : 1);
  for (size_t& size : sizes) size = random_size(chance);
  return sizes;
}

/// Keeps each item with a probability of its own for each cut.
Script::Keep random_keep(Chance& chance) {
  const uint64_t share = chance.below(5);
  const uint64_t seed = chance.below(UINT64_MAX);
  return [=](size_t index, const Undecided&) { return Chance(seed + index).below(4) < share; };
}

LostBytes random_lost(Chance& chance) { return static_cast<LostBytes>(chance.below(3)); }

void take_course(Script& script, uint64_t seed) {
  Chance chance(seed);
  script.open();
  const uint64_t steps = 8 + chance.below(12);
  for (uint64_t i = 0; i < steps; ++i) {
    const uint64_t kind = chance.below(25);
    if (kind < 11) {
      script.append(random_sizes(chance));
    } else if (kind < 13) {
      script.step_background();
    } else if (kind == 13) {
      script.advance_seconds(2);
      script.step_background();
    } else if (kind == 14) {
      script.close();
      script.open();
    } else if (kind == 15) {
      const auto keep = random_keep(chance);
      script.cut_power(keep, random_lost(chance));
      script.open();
    } else if (kind < 19) {
      const std::vector<size_t> sizes = random_sizes(chance);
      const auto keep = random_keep(chance);
      const LostBytes lost = random_lost(chance);
      script.cut_power_in_append(sizes, keep, lost, chance.below(6));
      script.open();
    } else if (kind < 22) {
      script.trim(chance.below(8) == 0 ? SIZE_MAX : chance.below(12));
    } else if (kind < 24) {
      script.truncate(chance.below(12));
    } else {
      const std::vector<size_t> sizes = random_sizes(chance);
      script.kill_in_append(sizes, chance.below(6000));
      script.open();
    }
  }
}

}  // namespace

Workload random_course(uint64_t seed) {
  Chance chance(~seed);
  constexpr std::array kSegmentSizes = {4608, 8192, 12288, 20480};
  Workload workload{
      .name = "random_" + std::to_string(seed),
      .segment_bytes = static_cast<uint64_t>(kSegmentSizes[chance.below(kSegmentSizes.size())]),
      .steps = [seed](Script& script) { take_course(script, seed); }};
  const uint64_t method = chance.below(8);
  workload.refuses_direct = method == 0 || method == 1;
  if (method == 1 || method == 2) workload.sync_method = SyncMethod::fdatasync;
  if (method == 3) workload.sync_method = SyncMethod::dsync;
  return workload;
}

}  // namespace writeahead::testing
