// Goal: a writer that comes, appends and closes while somebody looks at the log leaves no trace in
// the control page, and is not taken for a torn tail all the same.
// Method: it does so before the k-th read of a file, for every k.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "support/hooked_env.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kRecords = 9;
constexpr uint64_t kMore = 1;  // A second one would testify to the first.

/// Appends so many records and closes.
void write(Env& env, uint64_t records) {
  auto log = Log::open(std::string(kLogPath), {.segment_bytes = 8192,
                                               .standby_segments = 0,
                                               .env = &env,
                                               .background = BackgroundWork::stepped});
  ASSERT_TRUE(log) << log.error().message();
  for (uint64_t i = 0; i < records; ++i) ASSERT_TRUE(log->append(std::string(700, 'r')));
  ASSERT_TRUE(log->close());
}

/// Calls look(env) for a log that somebody else writes before its k-th read, for each k.
template <class Look>
void look_beside_writer(const Look& look) {
  uint64_t k = 1;
  for (bool has_come = true; has_come; ++k) {
    SimEnv writer{SimDisk{}};
    write(writer, kRecords);
    const auto other = writer.another_process(2000);
    has_come = false;
    uint64_t reads = 0;
    const auto hooked = make_hooked_env(*other, [&](CallKind kind, std::string_view) {
      if (kind != CallKind::read || ++reads != k) return;
      has_come = true;
      write(writer, kMore);
    });
    SCOPED_TRACE(::testing::Message() << "before read " << k);
    look(*hooked);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(k, 5U);
}

TEST(OpeningBetween, is_no_torn_tail_to_a_verification) {
  look_beside_writer([](Env& env) {
    const auto report = ReadOnlyLog::verify(std::string(kLogPath), {.env = &env});
    ASSERT_TRUE(report) << report.error().message();
    for (const Finding& finding : report->findings) ADD_FAILURE() << finding.what;
    EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  });
}

TEST(OpeningBetween, leaves_a_reader_all_that_was_there_before) {
  look_beside_writer([](Env& env) {
    const auto log = ReadOnlyLog::open(std::string(kLogPath), {.env = &env});
    ASSERT_TRUE(log) << log.error().message();
    uint64_t records = 0;
    for (auto& record : log->reader(log->first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      ++records;
    }
    EXPECT_TRUE(records == kRecords || records == kRecords + kMore) << records;
  });
}

}  // namespace
}  // namespace writeahead::testing
