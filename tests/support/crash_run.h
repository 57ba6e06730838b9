// CrashRun: one way to a crashed disk, as a line that can be printed and followed again; and
// CrashTally: what a sweep over many of them has seen.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "support/counts.h"
#include "support/log_model.h"
#include "support/oracle.h"
#include "support/sanitizers.h"
#include "support/workload.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {

/// The name of a test that is run once for each workload.
inline std::string workload_name(const ::testing::TestParamInfo<Workload>& info) {
  return info.param.name;
}

/// Sanitizers slow everything down by so much: fewer states are tried then.
inline constexpr uint64_t kEveryNth = test::kIsSanitized ? 32 : 1;

/// The seed of all sampling: WRITEAHEAD_SEED, else 1.
[[nodiscard]] uint64_t sampling_seed();

/// A crash at call `k` that falls out as `plan` says.
struct CrashStep {
  uint64_t k = 0;
  CrashPlan plan;
};

/// The first step cuts a workload short, each further one the recovery from the disk before.
struct CrashRun {
  std::string workload;
  std::vector<CrashStep> steps;

  /// Judges the end of it; `trace` gets the calls that led there.
  [[nodiscard]] Complaint replay(std::string& trace) const;
};
/// `NAME:K,KEPT,LOST,SEED:K,KEPT,...`
[[nodiscard]] std::string to_string(const CrashRun& run);
[[nodiscard]] CrashRun parse_crash_run(std::string_view line);

/// Recovers the log on `disk` up to its call `k`; the machine as it is then.
[[nodiscard]] SimDisk crash_in_recovery(const Workload& workload, const SimDisk& disk, uint64_t k,
                                        std::string* trace = nullptr);
/// The same for each call of the recovery: the first leads to the first element.
[[nodiscard]] std::vector<SimDisk> crashes_in_recovery(const Workload& workload,
                                                       const SimDisk& disk);

/// Judges each state once and counts. Prints at the end its counts, as those of `part` if that is
/// not empty, and a line about itself if `what` is not.
class CrashTally {
 public:
  CrashTally(const Workload& workload, const std::string& what,
             Oracle::Names names = Oracle::Names::are_certain,
             std::string_view part = test::part::kCrashes);
  CrashTally(const CrashTally&) = delete;
  CrashTally& operator=(const CrashTally&) = delete;
  ~CrashTally();

  /// Nothing if the state was judged before.
  [[nodiscard]] Complaint judge(const SimDisk& disk, const LogModel& model) {
    return judge(disk, model, model.key());
  }
  /// The same where `key` is what tells this model from all others.
  [[nodiscard]] Complaint judge(const SimDisk& disk, const LogModel& model, uint64_t key);
  [[nodiscard]] uint64_t states() const { return states_; }

 private:
  const Oracle oracle_;
  const std::string name_;
  const std::string_view part_;
  const std::clock_t begin_ = std::clock();  // Processor time: others use the machine, too.
  uint64_t states_ = 0;
  uint64_t judged_ = 0;
  uint64_t violations_ = 0;
  std::unordered_set<uint64_t> seen_;
};

/// For the failure message: what is wrong, the line that replays it, and the last calls.
[[nodiscard]] std::string report(const CrashRun& run, const Complaint& complaint);

}  // namespace writeahead::testing
