// Courses by chance, crashed and disturbed at a few of their calls each.
//
// Goal: mixtures that nobody thought of. WRITEAHEAD_COURSES says how many (for a soak: a million),
// WRITEAHEAD_SEED where they begin; a failure prints the line that WRITEAHEAD_REPLAY follows.
// Without it the last share begins somewhere else in each run, and says where.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "support/crash_run.h"
#include "support/random_course.h"
#include "support/test_seed.h"

namespace writeahead::testing {
namespace {

uint64_t courses() {
  const char* const text = std::getenv("WRITEAHEAD_COURSES");
  return text == nullptr ? 800 / kEveryNth : std::strtoull(text, nullptr, 10);
}

/// The course with this number is number % kShares of them: each share is a test of its own.
constexpr uint64_t kShares = 4;

class RandomCourse : public ::testing::TestWithParam<uint64_t> {
 protected:
  static bool is_fresh() { return GetParam() == kShares - 1; }
  static uint64_t seed() { return is_fresh() ? test::test_seed() : sampling_seed(); }

  void SetUp() override {
    if (is_fresh()) fmt::print("fresh seed: {}\n", test::replay_command());
  }
  /// The seeds of this share.
  static std::vector<uint64_t> seeds() {
    std::vector<uint64_t> seeds;
    for (uint64_t i = GetParam(); i < courses(); i += kShares) {
      seeds.push_back(seed() * 1'000'000 + i);
    }
    return seeds;
  }
};

TEST_P(RandomCourse, survives_power_cuts_in_it_and_in_its_recovery) {
  SCOPED_TRACE(test::replay_command());
  const CrashSampler sampler(
      {.exhaustive_items = 3, .random_subsets = 4, .single_items = 2, .seed = seed()});
  for (const uint64_t seed : seeds()) {
    const Workload workload = random_course(seed);
    const uint64_t calls = Script(workload, {}).calls();
    CrashTally tally(workload, "");
    for (uint64_t i = 0; i < 8; ++i) {
      const uint64_t k = 1 + (seed * 7919 + i * 104729) % (calls + 1);
      Script script(workload, {.crash_at = k});
      script.stop();
      ASSERT_EQ(script.complaint(), "") << workload.name << " up to call " << k;
      const auto judge = [&](const SimDisk& disk, std::vector<CrashStep> steps) {
        const Complaint complaint = tally.judge(disk, script.model());
        if (complaint.empty()) return true;
        ADD_FAILURE() << report({.workload = workload.name, .steps = std::move(steps)}, complaint);
        return false;
      };
      sampler.each(script.machine().crashed_disk(),
                   [&](const SimDisk& disk, const CrashPlan& plan) {
                     if (!judge(disk, {{k, plan}})) return false;
                     const std::vector<SimDisk> crashes = crashes_in_recovery(workload, disk);
                     const uint64_t j = 1 + plan.seed % crashes.size();
                     const SimDisk& stopped = crashes[j - 1];
                     const std::vector<CrashPlan> plans = sampler.plans(stopped);
                     const CrashPlan& second = plans[plan.seed / 64 % plans.size()];
                     return judge(stopped.crash(second), {{k, plan}, {j, second}});
                   });
      if (HasFailure()) return;
    }
  }
}

/// Opened again by another process, and after a power cut.
void fail_call(const Workload& workload, const Fault& fault, uint64_t seed) {
  SCOPED_TRACE(fmt::format("{}: call {} fails with {} {}", workload.name, fault.k, fault.error,
                           fault.span == FaultSpan::once ? "once" : "for ever"));
  const Oracle oracle(workload, Oracle::Names::may_return);
  Script script(workload, {.fault = fault});
  ASSERT_EQ(script.complaint(), "");
  script.stop();
  const SimDisk disk = script.machine().crashed_disk();
  ASSERT_EQ(oracle.judge(disk, script.model()), "") << "reopened";
  for (const CrashPlan& plan : CrashSampler({.exhaustive_items = 1,
                                             .random_subsets = 2,
                                             .single_items = 1,
                                             .lost = {LostBytes::garbage},
                                             .seed = seed})
                                   .plans(disk)) {
    ASSERT_EQ(oracle.judge(disk.crash(plan), script.model()), "")
        << "power cut " << to_string(plan);
  }
}

TEST_P(RandomCourse, survives_a_failing_call) {
  SCOPED_TRACE(test::replay_command());
  constexpr std::array kCourseErrors = {EIO, ENOSPC, EIO, ENOMEM};
  for (const uint64_t seed : seeds()) {
    const Workload workload = random_course(seed);
    const uint64_t calls = Script(workload, {}).calls();
    for (uint64_t i = 0; i < 8; ++i) {
      // Behind the creation, whose limits failing_call_test.cc states.
      const Fault fault{.k = 25 + (seed * 7919 + i * 104729) % calls,
                        .error = kCourseErrors[i % kCourseErrors.size()],
                        .span = i % 3 == 0 ? FaultSpan::for_ever : FaultSpan::once};
      ASSERT_NO_FATAL_FAILURE(fail_call(workload, fault, seed));
    }
  }
}

/// What a soak has found stays in every run.
TEST(RandomCourseFound, failing_calls_are_survived) {
  // The cut of a torn tail fails, and the cache shows its zeros to an opening that cannot read past
  // it: the torn bytes come back with a power cut, and are cut once more.
  constexpr uint64_t kSeed = 675025487007711;
  fail_call(random_course(kSeed), {.k = 154, .error = EIO, .span = FaultSpan::for_ever}, kSeed);
}

INSTANTIATE_TEST_SUITE_P(Shares, RandomCourse, ::testing::Range(uint64_t{0}, kShares));

}  // namespace
}  // namespace writeahead::testing
