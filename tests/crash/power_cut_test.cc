// A power cut at each call of each workload, with each way in which it can fall out.
//
// Goal: whatever a power cut leaves, the log opens and holds what was acknowledged. Method: run the
// workload up to its k-th call for each k, take the states that CrashSampler makes of the disk, and
// let the Oracle judge each. WRITEAHEAD_SEED changes what is sampled, and one sweep samples afresh
// in each run without it; WRITEAHEAD_REPLAY follows the line that a failure prints.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "support/crash_run.h"
#include "support/test_seed.h"

namespace writeahead::testing {
namespace {

struct Calls {
  uint64_t first;
  uint64_t last;
  uint64_t every;
};

/// Cuts the power at each of the calls, and judges what the sampler makes of that.
void cut_at_calls(const Workload& workload, const CrashSampler& sampler, CrashTally& tally,
                  Calls calls) {
  for (uint64_t k = calls.first; k <= calls.last; k += calls.every) {
    Script script(workload, {.crash_at = k});
    script.stop();
    ASSERT_EQ(script.complaint(), "") << workload.name << " up to call " << k;
    sampler.each(script.machine().crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
      const Complaint complaint = tally.judge(disk, script.model());
      if (complaint.empty()) return true;
      ADD_FAILURE() << report({.workload = workload.name, .steps = {{k, plan}}}, complaint);
      return false;
    });
    if (::testing::Test::HasFailure()) return;
  }
}

class PowerCut : public ::testing::TestWithParam<Workload> {};

TEST_P(PowerCut, leaves_the_acknowledged_records_at_whatever_call_it_comes) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, fmt::format("power cut at {} calls", calls));
  const CrashSampler sampler(
      {.exhaustive_items = 10, .random_subsets = 48, .seed = sampling_seed()});
  cut_at_calls(workload, sampler, tally, {.first = 1, .last = calls + 1, .every = kEveryNth});
}

// Most states of the sweep above are all subsets of few pieces, whatever the seed. Here few are
// taken whole, so that the samples differ from run to run.
TEST_P(PowerCut, leaves_the_acknowledged_records_in_samples_that_nobody_took_before) {
  SCOPED_TRACE(test::replay_command());
  const Workload& workload = GetParam();
  const uint64_t seed = test::test_seed();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, fmt::format("power cut, fresh seed {}", seed));
  const CrashSampler sampler({.exhaustive_items = 3, .random_subsets = 24, .seed = seed});
  cut_at_calls(workload, sampler, tally,
               {.first = 1 + seed % 3, .last = calls + 1, .every = 3 * kEveryNth});
}

TEST_P(PowerCut, in_a_recovery_leaves_the_acknowledged_records) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "power cut in recovery");
  const CrashSampler outer(
      {.exhaustive_items = 2, .random_subsets = 3, .single_items = 2, .seed = sampling_seed()});
  const CrashSampler inner({.exhaustive_items = 3,
                            .random_subsets = 2,
                            .single_items = 2,
                            .lost = {LostBytes::old, LostBytes::garbage},
                            .seed = sampling_seed() + 1});
  uint64_t turn = sampling_seed();
  for (uint64_t k = 1; k <= calls + 1; k += kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    const std::vector<CrashPlan> plans = outer.plans(script.machine().crashed_disk());
    const CrashStep first{.k = k, .plan = plans[turn++ * 7 % plans.size()]};
    const SimDisk disk = script.machine().crashed_disk().crash(first.plan);
    const std::vector<SimDisk> crashes = crashes_in_recovery(workload, disk);
    for (uint64_t j = 1; j <= crashes.size(); ++j) {
      inner.each(crashes[j - 1], [&](const SimDisk& left, const CrashPlan& plan) {
        const Complaint complaint = tally.judge(left, script.model());
        if (complaint.empty()) return true;
        ADD_FAILURE() << report({.workload = workload.name, .steps = {first, {j, plan}}},
                                complaint);
        return false;
      });
      if (HasFailure()) return;
    }
  }
}

TEST_P(PowerCut, in_the_recovery_from_a_cut_in_a_recovery_leaves_the_acknowledged_records) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "power cut in the recovery from one in a recovery");
  const CrashSampler sampler({.exhaustive_items = 3,
                              .random_subsets = 2,
                              .single_items = 1,
                              .lost = {LostBytes::old, LostBytes::garbage},
                              .seed = sampling_seed() + 2});
  uint64_t turn = sampling_seed();
  const auto cut = [&](const SimDisk& disk, uint64_t k, std::vector<CrashStep>& steps) {
    const std::vector<CrashPlan> plans = sampler.plans(disk);
    steps.push_back({k, plans[turn++ * 7 % plans.size()]});
    return disk.crash(steps.back().plan);
  };
  // Every seventh call: over all workloads each kind of place is met.
  for (uint64_t k = 1 + turn % 7; k <= calls + 1; k += 7 * kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    std::vector<CrashStep> steps;
    const SimDisk first = cut(script.machine().crashed_disk(), k, steps);
    const std::vector<SimDisk> crashes = crashes_in_recovery(workload, first);
    for (uint64_t j = 1; j <= crashes.size(); ++j) {
      steps.resize(1);
      const SimDisk second = cut(crashes[j - 1], j, steps);
      const std::vector<SimDisk> later_crashes = crashes_in_recovery(workload, second);
      for (uint64_t i = 1; i <= later_crashes.size(); ++i) {
        sampler.each(later_crashes[i - 1], [&](const SimDisk& left, const CrashPlan& plan) {
          const Complaint complaint = tally.judge(left, script.model());
          if (complaint.empty()) return true;
          ADD_FAILURE() << report(
              {.workload = workload.name, .steps = {steps[0], steps[1], {i, plan}}}, complaint);
          return false;
        });
        if (HasFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Workloads, PowerCut, ::testing::ValuesIn(workloads()), workload_name);

TEST(PowerCutReplay, follows_the_line_in_the_environment) {
  const char* const line = std::getenv("WRITEAHEAD_REPLAY");
  if (line == nullptr) return;
  std::string trace;
  EXPECT_EQ(parse_crash_run(line).replay(trace), "") << trace;
}

TEST(PowerCutReplay, reads_the_line_that_it_writes) {
  const CrashRun run{
      .workload = "small_records",
      .steps = {
          {7, {.kept = {1, 0, 1}, .lost = LostBytes::zero, .seed = 18446744073709551615U}},
          {12, {.kept = {}, .lost = LostBytes::garbage, .tear = TearMode::strict, .seed = 3}}}};
  EXPECT_EQ(to_string(run), "small_records:7,101,z,18446744073709551615:12,,G,3");
  EXPECT_EQ(to_string(parse_crash_run(to_string(run))), to_string(run));
}

}  // namespace
}  // namespace writeahead::testing
