// Goal: what a truncation, a trim or the cut of a recovery took away does not come back by a
// salvage, whatever is damaged besides. Method: such a log on a simulated disk, with old bytes put
// back where they stood.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "format/frame.h"
#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

constexpr const char* kNewPath = "/new";

std::string path_of(uint64_t number) {
  return std::string(kLogPath) + "/" + format::segment_name(number);
}

std::vector<Lsn> lsns_of(const Log& log) {
  std::vector<Lsn> lsns;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) return {};
    lsns.push_back(record->lsn);
  }
  return lsns;
}

/// The addresses in the salvaged log.
std::vector<Lsn> salvage_disk(const SimDisk& damaged, SalvageReport* report = nullptr) {
  SimEnv env(damaged);
  auto salvaged = salvage(std::string(kLogPath), kNewPath, {.env = &env});
  EXPECT_TRUE(salvaged) << salvaged.error().message();
  if (!salvaged) return {};
  if (report != nullptr) *report = *salvaged;
  EXPECT_EQ(ReadOnlyLog::verify(kNewPath, {.env = &env})->verdict, VerifyReport::Verdict::ok);
  auto log = Log::open(kNewPath, reference_options(env));
  EXPECT_TRUE(log) << log.error().message();
  return log ? lsns_of(*log) : std::vector<Lsn>{};
}

/// A log that was truncated inside of a batch, two segments back, and went on.
struct TruncatedLog {
  SimDisk disk;
  SimDisk before;  ///< Without the truncation: its files are those that are void.
  std::vector<Lsn> lsns;
  uint64_t cut_segment = 0;
  uint64_t new_segment = 0;

  explicit TruncatedLog(bool closes) {
    SimEnv env{SimDisk{}};
    auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
    std::vector<Lsn> all;
    Batch batch;
    for (int i = 0; i < 3; ++i) batch.add(std::string(300, 'b'));
    for (int i = 0; i < 9; ++i) {
      const Appended range = log.append(batch).value();
      for (size_t j = 0; j < 3; ++j) all.push_back(batch.lsn(j, range));
    }
    before = env.disk().shut_down();
    const auto segments = log.segments();
    EXPECT_EQ(segments.size(), 3U);
    cut_segment = segments.front().number;
    // In the middle of a batch.
    EXPECT_TRUE(log.truncate_from(all[7]));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(log.append(std::string(500, 'n')));
    lsns = lsns_of(log);
    EXPECT_EQ(lsns.size(), 10U);
    new_segment = log.segments().back().number;
    if (closes) {
      EXPECT_TRUE(log.close());
    }
    env.crash_now();
    disk = env.crashed_disk().crash({});
  }

  /// The files that the truncation removed are back: a crash may leave them.
  [[nodiscard]] SimDisk with_void_files() const {
    SimDisk all = disk;
    for (uint64_t number = cut_segment + 1; number < new_segment; ++number) {
      all.put(path_of(number), before.contents(path_of(number)).value());
    }
    return all;
  }
};

TEST(SalvageHistory, what_a_truncation_took_away_stays_away) {
  for (const bool closes : {false, true}) {
    const TruncatedLog log(closes);
    SimDisk damaged = log.with_void_files();
    EXPECT_EQ(salvage_disk(damaged), log.lsns);
    flip_bit(damaged, path_of(log.new_segment), 8 * 60);
    EXPECT_EQ(salvage_disk(damaged), log.lsns) << "without the new segment's header";
    damaged.erase(kRootPath);
    EXPECT_EQ(salvage_disk(damaged), log.lsns) << "nor the root";
    damaged = log.with_void_files();
    damaged.erase(path_of(log.new_segment));
    SalvageReport report;
    auto kept = log.lsns;
    kept.resize(7);
    EXPECT_EQ(salvage_disk(damaged, &report), kept) << "without the new segment";
    EXPECT_TRUE(report.has_loss() || !closes);
    EXPECT_GE(report.end_lsn, closes ? log.lsns.back() : log.lsns[6]);
  }
}

TEST(SalvageHistory, trimmed_segments_that_are_still_there_stay_away) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  std::vector<Lsn> all;
  for (int i = 0; i < 4; ++i) all.push_back(log.append(std::string(3000, 'a')).value());
  const SimDisk before = env.disk().shut_down();
  const auto hold = log.hold("replica", all[3]).value();
  ASSERT_TRUE(log.trim_before(all[2]));
  ASSERT_TRUE(log.close());
  SimDisk disk = env.disk().shut_down();
  for (const uint64_t number : {1, 2}) {
    disk.put(path_of(number), before.contents(path_of(number)).value());
  }
  flip_bit(disk, path_of(4), 8 * 60);
  SalvageReport report;
  EXPECT_EQ(salvage_disk(disk, &report), (std::vector<Lsn>{all[2], all[3]}));
  EXPECT_TRUE(report.lost.empty());
  SimEnv next(disk);
  ASSERT_TRUE(salvage(std::string(kLogPath), kNewPath, {.env = &next}));
  auto again = Log::open(kNewPath, reference_options(next)).value();
  ASSERT_EQ(again.holds().size(), 1U);
  EXPECT_EQ(again.holds().front().name, "replica");
  EXPECT_EQ(again.holds().front().lsn, all[3]);
}

/// Behind the cut of a recovery a whole frame of the epoch before may be left: of a write that was
/// in flight with the torn one.
TEST(SalvageHistory, what_a_recovery_cut_stays_away) {
  for (const bool goes_on : {false, true}) {
    SimEnv env{SimDisk{}};
    auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(log.append(std::string(300, 'a')));
    const auto lsns = lsns_of(log);
    env.crash_now();
    const SimDisk crashed = env.crashed_disk().crash({});
    const auto old = crashed.contents(path_of(1)).value();
    // The last two frames were never acknowledged, and the first of them tore: cut both.
    SimDisk torn = crashed;
    const uint64_t cut = kBlockBytes + lsns[4].value() - format::kFrameHeaderBytes;
    edit(torn, path_of(1), cut, std::vector<std::byte>(old.size() - cut));
    SimEnv next(torn);
    auto recovered = Log::open(std::string(kLogPath), reference_options(next)).value();
    if (goes_on) {
      ASSERT_TRUE(recovered.append("x"));
    }
    const auto expected = lsns_of(recovered);
    ASSERT_EQ(expected.size(), goes_on ? 5U : 4U);
    next.crash_now();
    SimDisk stale = next.crashed_disk().crash({});
    const uint64_t behind = kBlockBytes + lsns[5].value() - format::kFrameHeaderBytes;
    edit(stale, path_of(1), behind, std::span(old).subspan(behind));
    EXPECT_EQ(salvage_disk(stale), expected) << goes_on;
  }
}

TEST(SalvageHistory, a_salvaged_log_can_be_salvaged_again) {
  const ReferenceLog log = make_reference_log();
  SimDisk damaged = log.disk;
  flip_bit(damaged, log.segments[1].path, (log.segments[1].frames[2] + 100) * 8);
  SimEnv env(damaged);
  ASSERT_TRUE(salvage(std::string(kLogPath), kNewPath, {.env = &env}));
  const auto again = salvage(kNewPath, "/newer", {.env = &env});
  ASSERT_TRUE(again) << again.error().message();
  ASSERT_EQ(again->lost.size(), 1U);
  EXPECT_FALSE(again->has_loss());
  EXPECT_EQ(again->lost.front().range.records, 1U);
  auto first = Log::open(kNewPath, reference_options(env)).value();
  auto second = Log::open("/newer", reference_options(env)).value();
  EXPECT_EQ(lsns_of(first), lsns_of(second));
  EXPECT_EQ(first.end_lsn(), second.end_lsn());
}

/// Truncation and trim work on both sides of a gap, and at its edges.
TEST(SalvageHistory, a_salvaged_log_can_be_truncated_and_trimmed_around_its_gap) {
  const ReferenceLog log = make_reference_log();
  SimDisk damaged = log.disk;
  const uint64_t lost = log.segments[1].first_record + 2;
  flip_bit(damaged, log.segments[1].path, (log.segments[1].frames[2] + 100) * 8);
  SimEnv env(damaged);
  ASSERT_TRUE(salvage(std::string(kLogPath), kNewPath, {.env = &env}));
  const Lsn gap_end(log.records[lost + 1].lsn.value() - format::kFrameHeaderBytes);
  const Lsn gap_begin(log.records[lost].lsn.value() - format::kFrameHeaderBytes);
  auto opened = Log::open(kNewPath, reference_options(env)).value();
  for (const Lsn lsn : {log.records[lost].lsn, gap_begin + 8, gap_end}) {
    const auto done = opened.truncate_from(lsn);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::not_found) << done.error().message();
  }
  const uint64_t records = log.records.size();
  ASSERT_TRUE(opened.truncate_from(log.records[lost + 1].lsn));
  EXPECT_EQ(lsns_of(opened).size(), lost);
  EXPECT_EQ(opened.last()->ordinal, lost - 1);
  const Lsn next = opened.append("next").value();
  EXPECT_EQ(opened.read(next)->ordinal, lost + 1);
  ASSERT_TRUE(opened.truncate_from(gap_begin));
  EXPECT_EQ(lsns_of(opened).size(), lost);
  EXPECT_EQ(opened.append("again").value(), log.records[lost].lsn);
  ASSERT_TRUE(opened.trim_before(gap_begin));
  ASSERT_TRUE(opened.close());
  opened = Log::open(kNewPath, reference_options(env)).value();
  EXPECT_EQ(lsns_of(opened).back(), log.records[lost].lsn);
  EXPECT_LT(lsns_of(opened).size(), records);
  EXPECT_EQ(opened.recovery_report().records, lsns_of(opened).size());
}

}  // namespace
}  // namespace writeahead::testing
