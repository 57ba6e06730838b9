// The segments of an open log as a table: which of them is to be sealed next.
//
// Method: tables of segments that hold nothing but their headers, without a file behind them.
#include "segment/segment_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>

namespace writeahead::internal {
namespace {

constexpr uint64_t kBytes = 100;  // that each segment holds

class SegmentTableTest : public ::testing::Test {
 protected:
  static SegmentHeader header_of(uint64_t number) {
    SegmentHeader header;
    header.number = number;
    header.base_lsn = Lsn(4096 + number * kBytes);
    header.base_ordinal = number;
    header.cause = SegmentCause::rotate;
    header.prepared_bytes = 8192;
    return header;
  }
  /// Adds a segment that nobody looked into, as an opening does.
  void add(uint64_t number) { table_.add(SegmentTable::prepare(header_of(number), nullptr)); }
  void verify(uint64_t number, bool is_sealed = false) {
    table_.set_verified(number, SegmentContents::empty(header_of(number)), is_sealed);
  }
  std::optional<uint64_t> next() {
    const auto segment = table_.next_unsealed();
    return segment ? std::optional(segment->header.number) : std::nullopt;
  }
  /// The last segment gets a frame.
  void fill_last(uint64_t number) {
    SegmentContents contents = SegmentContents::empty(header_of(number));
    contents.end_lsn = contents.end_lsn + kBytes;
    table_.set_contents(std::move(contents));
  }

  SegmentTable table_{LogStart{.number = 1, .lsn = Lsn(4196), .ordinal = 1}};
};

TEST_F(SegmentTableTest, seals_are_due_where_contents_are_known_and_the_oldest_comes_first) {
  for (uint64_t number = 1; number <= 6; ++number) add(number);
  fill_last(6);
  EXPECT_EQ(next(), std::nullopt);
  verify(4);
  verify(2);
  verify(3, true);
  for (const uint64_t number : {2, 4}) {
    EXPECT_EQ(next(), number);
    EXPECT_EQ(next(), number);  // until it is sealed
    table_.set_sealed(number);
  }
  EXPECT_EQ(next(), std::nullopt);
  verify(1);
  verify(5);
  EXPECT_EQ(next(), 1U);
  table_.set_sealed(1);
  EXPECT_EQ(next(), 5U);
}

TEST_F(SegmentTableTest, a_seal_waits_for_the_first_frame_of_the_next_segment) {
  add(1);
  fill_last(1);
  add(2);
  EXPECT_EQ(next(), std::nullopt);
  fill_last(2);
  EXPECT_EQ(next(), 1U);
  table_.set_sealed(1);
  EXPECT_EQ(next(), std::nullopt);
}

TEST_F(SegmentTableTest, no_seal_is_due_where_the_segment_was_trimmed) {
  for (uint64_t number = 1; number <= 4; ++number) add(number);
  fill_last(4);
  EXPECT_EQ(next(), std::nullopt);
  verify(1);
  verify(2);
  table_.trim({.number = 2, .lsn = header_of(2).base_lsn, .ordinal = 2});
  EXPECT_EQ(next(), 2U);
}

}  // namespace
}  // namespace writeahead::internal
