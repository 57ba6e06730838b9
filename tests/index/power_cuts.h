// What a power cut at each call of a course leaves, judged: for whatever the index library makes of
// a log.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "support/counts.h"
#include "support/log_path.h"
#include "support/sanitizers.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {

using writeahead::test::kIsSanitized;
using writeahead::testing::kLogPath;
using writeahead::testing::SimDisk;
using writeahead::testing::SimEnv;

/// What is counted of it; see support/counts.h.
inline constexpr std::string_view kPart = "index crashes";

/// Of small segments, so that a course meets many, and stepped, so that it is the same each time.
inline Options simulated(SimEnv& env) {
  return {.segment_bytes = 4608,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

/// Snapshots only make an opening quick: without them it has to come to the same.
inline void remove_snapshots(SimEnv& env) {
  const auto directory = env.open_directory(std::string(kLogPath) + "/index", false, 0);
  if (!directory) return;
  const auto names = (*directory)->list();
  ASSERT_TRUE(names);
  for (const auto& name : *names) ASSERT_TRUE((*directory)->remove(name));
}

/// Whether the tags of the log have put anything into their spill file.
inline bool has_spilled(const SimEnv& env) {
  const auto bytes = env.disk().contents(std::string(kLogPath) + "/index/tags.spill");
  return bytes && !bytes->empty();
}

/// Says in words what is wrong with a disk; nothing if nothing is.
using Judge = std::function<std::optional<std::string>(const SimDisk& disk)>;

/// Judged states, which it counts and prints; a failure of the test for the first that is wrong.
class JudgedStates {
 public:
  explicit JudgedStates(Judge judge) : judge_(std::move(judge)) {}
  JudgedStates(const JudgedStates&) = delete;
  JudgedStates& operator=(const JudgedStates&) = delete;
  ~JudgedStates() {
    writeahead::test::print_count(kPart, "states", states_);
    writeahead::test::print_count(kPart, "violations", violations_);
  }

  bool visit(const SimDisk& disk, const std::string& what) {
    ++states_;
    const auto wrong = judge_(disk);
    violations_ += wrong ? 1 : 0;
    EXPECT_FALSE(wrong) << what << ": " << *wrong;
    return !wrong;
  }
  [[nodiscard]] uint64_t states() const { return states_; }
  [[nodiscard]] bool are_right() const { return violations_ == 0; }

 private:
  const Judge judge_;
  uint64_t states_ = 0;
  uint64_t violations_ = 0;
};

/// A course of calls, and what the test notes of it, from the beginning each time.
using Course = std::function<void(SimEnv& env)>;

/// Runs `course` on a machine and judges what a kill at each of its calls leaves, in the middle of
/// a write or before it or behind it.
inline void judge_every_kill(const Course& course, const Judge& judge) {
  JudgedStates states(judge);
  for (uint64_t k = 1; states.are_right(); k += kIsSanitized ? 16 : 1) {
    SimEnv env{SimDisk{}};
    env.crash_at(k);
    course(env);
    if (!env.crashed()) break;
    for (const size_t bytes : {size_t{0}, size_t{100}, SIZE_MAX}) {
      states.visit(env.killed_disk(bytes), fmt::format("call {}, {} bytes", k, bytes));
    }
  }
}

/// The same for a power cut at each call, or each `stride`th: by all that the test has noted of the
/// course up to there. At least so many states, or the test is none.
inline void judge_every_power_cut(uint64_t least_states, const Course& course, const Judge& judge,
                                  uint64_t stride = 1) {
  using writeahead::testing::LostBytes;
  const writeahead::testing::CrashSampler sampler(
      {.exhaustive_items = kIsSanitized ? 2U : 6U,
       .random_subsets = writeahead::test::scaled(kIsSanitized ? 64 : 16),
       .single_items = kIsSanitized ? 1U : 8U,
       .lost = {LostBytes::old, LostBytes::zero, LostBytes::garbage},
       .seed = writeahead::test::test_seed()});
  SCOPED_TRACE(writeahead::test::replay_command());
  JudgedStates states(judge);
  SimEnv env{SimDisk{}};
  env.watch_crashes([&](uint64_t call, const SimDisk& crashed) {
    if (!states.are_right() || call % (kIsSanitized ? 8 * stride : stride) != 0) return;
    sampler.each(crashed, [&](const SimDisk& disk, const writeahead::testing::CrashPlan& plan) {
      return states.visit(disk, fmt::format("call {}, {}", call, to_string(plan)));
    });
  });
  course(env);
  EXPECT_GT(states.states(), kIsSanitized ? 100U / stride : least_states);
}

}  // namespace writeahead::index::test
