// Goal: what an opening cuts is never lost: at each moment it is in the segment, or in a whole copy
// in torn/, whatever a power cut leaves.
// Method: a log whose newest frame is torn, a power cut at each call of its recovery, and the disks
// that may come of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/damaged_log.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

using Bytes = std::vector<std::byte>;

/// Everything here is the same in each run.
constexpr uint64_t kSeed = 1;

/// A log of which a byte in the middle of the newest frame is wrong.
struct TornLog {
  TornLog() {
    flip_bit(log.disk, log.last().path, (log.last().frames.back() + 100) * 8);
    bytes = in_segment(log.disk, log.last().end - log.last().frames.back());
    // What is cut ends at the last byte that is not zero.
    while (bytes.back() == std::byte{0}) bytes.pop_back();
  }
  /// What stands where the torn bytes did.
  [[nodiscard]] Bytes in_segment(const SimDisk& disk, size_t count) const {
    const auto whole = disk.contents(log.last().path).value();
    const auto at = std::span(whole).subspan(log.last().frames.back(), count);
    return {at.begin(), at.end()};
  }
  [[nodiscard]] bool is_copied(const SimDisk& disk) const {
    return std::ranges::any_of(disk.files(), [&](const std::string& path) {
      return path.starts_with("/log/torn/") && disk.contents(path) == bytes;
    });
  }

  ReferenceLog log = make_reference_log({.closes = false});
  Bytes bytes;
};

TEST(TornCopy, is_durable_before_any_byte_is_cut) {
  const TornLog torn;
  SimEnv env(torn.log.disk);
  std::vector<SimDisk> crashes;
  env.watch_crashes([&](uint64_t, SimDisk disk) { crashes.push_back(std::move(disk)); });
  {
    auto log = Log::open(std::string(kLogPath), reference_options(env));
    ASSERT_TRUE(log) << log.error().message();
    ASSERT_EQ(log->recovery_report().outcome, RecoveryReport::Outcome::torn_tail);
    ASSERT_EQ(env.disk().contents(log->recovery_report().copy_path), torn.bytes);
  }
  const CrashSampler sampler({.exhaustive_items = 6, .random_subsets = 16, .seed = kSeed});
  uint64_t states = 0;
  uint64_t cut = 0;
  for (size_t k = 0; k < crashes.size(); ++k) {
    sampler.each(crashes[k], [&](const SimDisk& disk, const CrashPlan& plan) {
      ++states;
      if (torn.in_segment(disk, torn.bytes.size()) == torn.bytes) return true;
      ++cut;
      EXPECT_TRUE(torn.is_copied(disk)) << "call " << k + 1 << ", " << to_string(plan);
      return !HasFailure();
    });
  }
  test::print_count(test::part::kCrashes, "states of a cut and its copy", states);
  EXPECT_GT(cut, states / 10) << "or the copy was hardly asked for";
  EXPECT_GT(states, cut + states / 10);
}

}  // namespace
}  // namespace writeahead::testing
