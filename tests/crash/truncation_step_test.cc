// Goal: a truncation at any record, of a batch, of a segment or of the log, has happened or not
// after a crash at any of its steps, and never half; with a reader above and below, and a hold
// above it. Method: each boundary of a small log, each call of the truncation and of the append
// behind it, each disk that the sampler makes of the crash, recovered, appended to and recovered
// again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "support/sanitizers.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

Options options(SimEnv& env) {
  return {.segment_bytes = 4608,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

struct Reference {
  SimDisk disk;
  std::vector<Lsn> lsns;  // of all records, and the end
};

/// Segments of one frame and of two, with batches that end where the segment does.
Reference make_reference() {
  Reference made;
  SimEnv env{SimDisk{}};
  auto log = Log::open(std::string(kLogPath), options(env)).value();
  for (const std::vector<size_t>& sizes :
       std::vector<std::vector<size_t>>{{10, 0, 33}, {7}, {3000, 9}, {2000, 5}, {1}}) {
    Batch batch;
    for (const size_t size : sizes) batch.add(std::string(size, 'r'));
    const Appended range = log.append(batch).value();
    for (size_t i = 0; i < sizes.size(); ++i) made.lsns.push_back(batch.lsn(i, range));
  }
  EXPECT_GE(log.segments().size(), 2U);
  made.lsns.push_back(log.end_lsn());
  EXPECT_TRUE(log.hold("consumer", made.lsns[6]));
  env.crash_now();
  made.disk = env.crashed_disk().crash({});
  return made;
}

class TruncationStep : public ::testing::Test {
 protected:
  /// Truncates to `kept` records and appends one, up to a crash at call `k`; false if there is
  /// none.
  bool run(size_t kept, uint64_t k) {
    SimEnv env(reference_.disk);
    is_truncated_ = false;
    is_appended_ = false;
    {
      auto log = Log::open(std::string(kLogPath), options(env)).value();
      Reader below = log.reader(reference_.lsns[0]);
      Reader above = log.reader(reference_.lsns[reference_.lsns.size() - 2]);
      static_cast<void>(below.next());
      static_cast<void>(above.next());
      env.crash_at(env.calls() + k);
      is_truncated_ = log.truncate_from(reference_.lsns[kept]).has_value();
      is_appended_ = is_truncated_ && log.append("behind").has_value();
    }
    const bool is_crashed = env.crashed();
    if (!is_crashed) env.crash_now();
    CrashSampler({.exhaustive_items = 6})
        .each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
          ++states_;
          judge(disk, kept, fmt::format("{} records, call {}, {}", kept, k, to_string(plan)));
          return !HasFailure();
        });
    return is_crashed && !HasFailure();
  }

  void judge(const SimDisk& disk, size_t kept, const std::string& what) const {
    const size_t all = reference_.lsns.size() - 1;
    const OpenResult opened = open_and_read(disk);
    ASSERT_EQ(opened.code, std::nullopt) << what << ": " << opened.message;
    const size_t count = opened.records.size();
    const bool is_old = count == all && !is_truncated_;
    const bool is_cut = count == kept && !is_appended_;
    const bool is_new = count == kept + 1 && opened.records.back().payload.size() == 6;
    EXPECT_TRUE(is_old || is_cut || is_new) << what << ": " << count << " records";
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(opened.records[i].ordinal, i) << what;
      if (is_old || i < kept) {
        EXPECT_EQ(opened.records[i].lsn, reference_.lsns[i]) << what;
      }
    }
    SimEnv env(disk);
    env.set_wall_clock_ns(0);  // It was set back, and no time of a frame may fall.
    {
      auto log = Log::open(std::string(kLogPath), options(env)).value();
      const auto holds = log.holds();
      ASSERT_EQ(holds.size(), 1U) << what;
      EXPECT_LE(holds[0].lsn, log.end_lsn()) << what;
      EXPECT_EQ(holds[0].lsn,
                is_old ? reference_.lsns[6] : std::min(reference_.lsns[6], reference_.lsns[kept]))
          << what;
      ASSERT_TRUE(log.append("once more")) << what;
      std::vector<uint64_t> times;
      for (auto& record : log.reader(log.first_lsn())) times.push_back(record->time_ns);
      EXPECT_TRUE(std::ranges::is_sorted(times)) << what;
    }
    const auto report = ReadOnlyLog::verify(std::string(kLogPath), {.env = &env}).value();
    EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok) << what;
    EXPECT_EQ(report.records, count + 1) << what;
  }

  const Reference reference_ = make_reference();
  bool is_truncated_ = false;
  bool is_appended_ = false;
  uint64_t states_ = 0;
};

TEST_F(TruncationStep,
       crash_at_any_call_of_a_truncation_at_any_record_leaves_all_or_what_is_below) {
  for (size_t kept = 0; kept + 1 < reference_.lsns.size(); ++kept) {
    for (uint64_t k = 1; run(kept, k); k += test::case_step(4)) {
    }
    if (HasFailure()) return;
  }
  std::cout << states_ << " states" << std::endl;
  EXPECT_GT(states_, 1000U / test::case_step(4));
}

}  // namespace
}  // namespace writeahead::testing
