// A frame that a misdirected write brought to another place of its segment, whose header is
// damaged, too: salvage believes the frames that stand where they belong.
//
// The frame's own Lsn says where the segment would begin if it stood right. Believed, it cuts off
// the end of the segment before, and leaves the other frames without a place.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

/// All records of a log whose segments need not follow each other.
std::vector<StoredRecord> records_in(Env& env, const std::string& path) {
  std::vector<StoredRecord> records;
  const auto log = ReadOnlyLog::open(path, {.env = &env}).value();
  for (const SegmentInfo& info : log.segments()) {
    for (const auto& record : log.reader(info.base_lsn)) {
      if (!record || record->lsn >= info.end_lsn) break;
      records.push_back({.lsn = record->lsn,
                         .ordinal = record->ordinal,
                         .type = record->type,
                         .payload = {record->payload.begin(), record->payload.end()}});
    }
  }
  return records;
}

TEST(SalvageMisplaced, frame_does_not_say_where_a_segment_without_header_begins) {
  const ReferenceLog log = make_reference_log();
  const SegmentLayout& segment = log.segments[1];
  ASSERT_GT(segment.frames.size(), 5U);
  for (size_t moved = 1; moved < 4; ++moved) {
    SCOPED_TRACE(moved);
    SimDisk damaged = log.disk;
    flip_bit(damaged, segment.path, 0);
    const auto bytes = log.disk.contents(segment.path).value();
    const uint64_t from = segment.frames[moved];
    const uint64_t length = segment.frames[moved + 1] - from;
    // Over the first one: it is met before all that stand right.
    edit(damaged, segment.path, segment.frames[0], std::span(bytes).subspan(from, length));
    SimEnv env(damaged);
    const auto report = salvage(kLogPath, "/new", {.env = &env});
    ASSERT_TRUE(report) << report.error().message();
    const auto kept = records_in(env, "/new");
    for (const StoredRecord& record : log.records) {
      const uint64_t frame = record.ordinal - segment.first_record;  // Wraps for those before.
      const bool is_overwritten =
          frame < segment.frames.size() && segment.frames[frame] < segment.frames[0] + length;
      const bool is_kept = std::ranges::find(kept, record) != kept.end();
      EXPECT_EQ(is_kept, !is_overwritten) << record.ordinal;
    }
    EXPECT_LE(report->lost.size(), 1U);
  }
}

}  // namespace
}  // namespace writeahead::testing
