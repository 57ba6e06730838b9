// A seal that is damaged has no effect, and is written again: that of the segment before the last
// one at the next opening, that of an older one once the segment was read.
//
// Each bit of a seal is flipped in turn; afterwards verify finds nothing at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/counts.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"

namespace writeahead::testing {
namespace {

using Verdict = VerifyReport::Verdict;

constexpr size_t kSlowStep = 61;  // under sanitizers

/// Opens the log, with a reading of all of it if `reads`, does the background's work, and closes.
SimDisk go_on(const SimDisk& disk, bool reads) {
  SimEnv env(disk);
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  if (reads) {
    for (const auto& record : log.reader(log.first_lsn())) {
      EXPECT_TRUE(record) << record.error().message();
    }
  }
  EXPECT_TRUE(log.append("one more"));
  while (log.step_background()) {
  }
  EXPECT_TRUE(log.close());
  return env.disk().shut_down();
}

/// Flips the bits of this segment's seal, lets the log go on, and demands that the seal is there.
void expect_written_again(const ReferenceLog& log, const SegmentLayout& segment, bool reads) {
  ASSERT_GT(segment.seal_end, segment.end);
  const SimDisk undamaged = go_on(log.disk, reads);
  const auto sound = undamaged.contents(segment.path).value();
  uint64_t flipped = 0;
  for (uint64_t bit = segment.end * 8; bit < segment.seal_end * 8;
       bit += test::case_step(kSlowStep)) {
    SimDisk damaged = log.disk;
    flip_bit(damaged, segment.path, bit);
    const auto before = verify(damaged).value();
    ASSERT_EQ(before.verdict, Verdict::ok);
    ASSERT_EQ(before.findings.size(), 1U) << "bit " << bit << " of the file is not seen";
    const SimDisk mended = go_on(damaged, reads);
    const auto after = verify(mended).value();
    ASSERT_EQ(after.verdict, Verdict::ok);
    ASSERT_TRUE(after.findings.empty())
        << segment.path << " bit " << bit << ": " << place_of(after.findings[0]) << " "
        << after.findings[0].what;
    ASSERT_EQ(after.records, log.records.size() + 1);
    // The frames are as they were; a later epoch may stand in the seal.
    const auto written = mended.contents(segment.path).value();
    ASSERT_EQ(written.size(), sound.size());
    const auto end = static_cast<ptrdiff_t>(segment.end);
    ASSERT_TRUE(std::equal(sound.begin(), sound.begin() + end, written.begin()));
    ++flipped;
  }
  test::print_count(test::part::kDamage, "damaged seals written again", flipped);
}

TEST(SealAgain, of_the_segment_before_the_last_one_is_written_by_the_next_opening) {
  const ReferenceLog log = make_reference_log();
  expect_written_again(log, log.segments[log.segments.size() - 2], false);
}

TEST(SealAgain, of_an_older_segment_is_written_once_the_segment_was_read) {
  const ReferenceLog log = make_reference_log();
  expect_written_again(log, log.segments.front(), true);
}

TEST(SealAgain, of_an_older_segment_is_left_as_it_is_by_an_opening_that_reads_nothing_of_it) {
  const ReferenceLog log = make_reference_log();
  SimDisk damaged = log.disk;
  flip_bit(damaged, log.segments.front().path, log.segments.front().end * 8);
  EXPECT_EQ(verify(go_on(damaged, false)).value().findings.size(), 1U);
}

}  // namespace
}  // namespace writeahead::testing
