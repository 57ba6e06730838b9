// The end of the process alone, at each call of each workload: the machine goes on.
//
// Goal: what the kernel has, durable or not, is found by the next process, and what that one serves
// survives a power cut from then on. Method: as for power cuts, but the disk keeps all completed
// writes as pending, and any beginning of the write in flight.
#include <gtest/gtest.h>

#include "support/crash_run.h"

namespace writeahead::testing {
namespace {

class ProcessKill : public ::testing::TestWithParam<Workload> {};

TEST_P(ProcessKill, leaves_what_was_written_to_the_next_process) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "process kill");
  for (uint64_t k = 1; k <= calls + 1; k += kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    for (const size_t bytes : {size_t{0}, size_t{1}, size_t{512}, size_t{4000}, size_t{4096},
                               size_t{4608}, size_t{8192}, SIZE_MAX}) {
      ASSERT_EQ(tally.judge(script.machine().killed_disk(bytes), script.model()), "")
          << workload.name << " killed at call " << k << " with " << bytes << " bytes written\n"
          << Script(workload, {.crash_at = k, .trace_calls = 100}).machine().trace();
    }
  }
}

TEST_P(ProcessKill, followed_by_a_power_cut_in_the_recovery_leaves_the_acknowledged_records) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "process kill, then power cut in recovery");
  const CrashSampler sampler({.exhaustive_items = 3,
                              .random_subsets = 2,
                              .single_items = 2,
                              .lost = {LostBytes::old, LostBytes::garbage},
                              .seed = sampling_seed()});
  for (uint64_t k = 1; k <= calls + 1; k += kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    for (const size_t bytes : {size_t{0}, size_t{4608}, SIZE_MAX}) {
      const SimDisk disk = script.machine().killed_disk(bytes);
      const std::vector<SimDisk> crashes = crashes_in_recovery(workload, disk);
      for (uint64_t j = 1 + k % 2; j <= crashes.size(); j += 2) {
        sampler.each(crashes[j - 1], [&](const SimDisk& left, const CrashPlan& plan) {
          const Complaint complaint = tally.judge(left, script.model());
          EXPECT_EQ(complaint, "") << workload.name << " killed at call " << k << " with " << bytes
                                   << " bytes written, power cut at call " << j
                                   << " of the recovery with " << to_string(plan);
          return complaint.empty();
        });
        if (HasFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Workloads, ProcessKill, ::testing::ValuesIn(workloads()), workload_name);

}  // namespace
}  // namespace writeahead::testing
