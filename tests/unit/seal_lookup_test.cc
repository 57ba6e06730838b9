// Look-ups by number and time in segments that nobody has read since the log was opened.
//
// Goal: they read little of a sealed segment, find the same as a reader does, and leave damage to
// who reads the records. Method: a log of several sealed segments on a simulated machine, opened
// again for each question, so that nothing of it is known; the bytes of its reads are counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/seal.h"
#include "format/segment_header.h"
#include "support/damaged_log.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kSegmentBytes = 4 << 20;
constexpr size_t kPayloadBytes = 20'000;
constexpr size_t kRecords = 500;

class SealLookupTest : public ::testing::Test {
 protected:
  SealLookupTest() {
    SimEnv env{SimDisk()};
    Log log = open(env);
    std::string payload(kPayloadBytes, 'x');
    for (size_t i = 0; i < kRecords; i += 2) {
      Batch batch;
      batch.add(payload);
      batch.add(payload);
      const auto range = log.append(batch);
      lsns_.push_back(batch.lsn(0, range.value()));
      lsns_.push_back(batch.lsn(1, range.value()));
      env.advance_ns(1'000'000);
    }
    for (const auto& record : log.reader(log.first_lsn())) times_.push_back(record->time_ns);
    segments_ = log.segments();
    EXPECT_TRUE(log.close());
    disk_ = env.disk().shut_down();
  }
  static Log open(SimEnv& env) {
    return Log::open(
               "/log",
               {.segment_bytes = kSegmentBytes, .env = &env, .background = BackgroundWork::stepped})
        .value();
  }
  static std::string path_of(uint64_t number) {
    return "/log/0000000000000000000" + std::to_string(number) + ".wal";
  }
  /// Inverts a byte of a segment, at an address of the log or behind the segment's end.
  void damage(const SegmentInfo& segment, Lsn lsn) {
    auto bytes = disk_.contents(path_of(segment.number)).value();
    bytes[4096 + (lsn - segment.base_lsn)] ^= std::byte{0xff};
    disk_.put(path_of(segment.number), bytes);
  }
  /// Bytes that `question` reads, mapped ones with them.
  template <class Question>
  static uint64_t bytes_read(SimEnv& env, const Question& question) {
    const std::string before = env.trace();
    question();
    const std::string trace = env.trace().substr(before.size());
    uint64_t bytes = 0;
    for (size_t at = trace.find("length="); at != std::string::npos;
         at = trace.find("length=", at + 1)) {
      bytes += std::stoull(trace.substr(at + 7));
    }
    return bytes;
  }

  std::vector<Lsn> lsns_;
  std::vector<uint64_t> times_;
  std::vector<SegmentInfo> segments_;
  SimDisk disk_;
};

TEST_F(SealLookupTest, finds_each_record_and_reads_little) {
  ASSERT_GE(segments_.size(), 3U);
  for (size_t i = 0; i < kRecords; i += 7) {
    SimEnv env(disk_);
    Log log = open(env);
    const uint64_t by_number =
        bytes_read(env, [&] { EXPECT_EQ(log.find_ordinal(i).value(), lsns_[i]); });
    EXPECT_LT(by_number, kSegmentBytes / 4) << i;
    // The first record of a frame is that of its time.
    const uint64_t by_time =
        bytes_read(env, [&] { EXPECT_EQ(log.find_time(times_[i]).value(), lsns_[i / 2 * 2]); });
    EXPECT_LT(by_time, kSegmentBytes / 4) << i;
    EXPECT_EQ(log.read(lsns_[i])->ordinal, i);
  }
}

TEST_F(SealLookupTest, lag_of_a_hold_is_known_by_reading_little) {
  for (size_t i = 1; i < kRecords; i += 7) {
    SimEnv env(disk_);
    env.advance_ns(3'000'000'000);
    Log log = open(env);
    ASSERT_TRUE(log.hold("consumer", lsns_[i]));
    Stats stats;
    EXPECT_LT(bytes_read(env, [&] { stats = log.stats(); }), kSegmentBytes / 4) << i;
    ASSERT_EQ(stats.holds.size(), 1U);
    EXPECT_EQ(stats.holds[0].records, kRecords - i);
    EXPECT_EQ(stats.holds[0].bytes, log.durable_lsn() - lsns_[i]);
    // The machine's clock goes on as it is asked.
    EXPECT_NEAR(static_cast<double>(stats.holds[0].age_ns.value()),
                static_cast<double>(env.wall_clock_ns() - times_[i]), 1e5);
    EXPECT_EQ(log.read(lsns_[i])->ordinal, i);
    EXPECT_EQ(log.stats().holds[0].records, kRecords - i) << "where the segment was read";
  }
}

TEST_F(SealLookupTest, lag_of_a_hold_behind_the_last_record_of_a_segment_is_that_of_the_next) {
  ASSERT_GE(segments_.size(), 3U);
  for (size_t i = 0; i < 2; ++i) {
    SimEnv env(disk_);
    Log log = open(env);
    const Lsn next = segments_[i + 1].base_lsn;
    const auto first = std::ranges::upper_bound(lsns_, next);
    ASSERT_TRUE(log.hold("consumer", *(first - 1) + 1));
    Stats stats;
    EXPECT_LT(bytes_read(env, [&] { stats = log.stats(); }), kSegmentBytes / 2) << i;
    EXPECT_EQ(stats.holds.at(0).records, static_cast<uint64_t>(lsns_.end() - first));
  }
}

TEST_F(SealLookupTest, finds_times_between_records_and_at_both_ends) {
  for (size_t i = 0; i + 2 < kRecords; i += 14) {
    SimEnv env(disk_);
    Log log = open(env);
    EXPECT_EQ(log.find_time(times_[i] + 1).value(), lsns_[i + 2]);
  }
  SimEnv env(disk_);
  Log log = open(env);
  EXPECT_EQ(log.find_time(0).value(), lsns_[0]);
  EXPECT_EQ(log.find_time(times_.back() + 1).error().code(), ErrorCode::not_found);
  EXPECT_EQ(log.find_ordinal(kRecords).error().code(), ErrorCode::not_found);
}

TEST_F(SealLookupTest, leaves_damage_elsewhere_in_the_segment_to_who_reads_there) {
  damage(segments_[0], lsns_[10] + 100);
  SimEnv env(disk_);
  Log log = open(env);
  EXPECT_EQ(log.find_ordinal(100).value(), lsns_[100]);
  EXPECT_EQ(log.find_time(times_[100]).value(), lsns_[100]);
  EXPECT_EQ(log.read(lsns_[100]).error().code(), ErrorCode::corruption);
  // What does not verify on the way is judged at once.
  EXPECT_EQ(log.find_ordinal(10).error().code(), ErrorCode::corruption);
}

TEST_F(SealLookupTest, does_without_a_seal_that_is_damaged) {
  damage(segments_[0], segments_[0].end_lsn + 120);
  SimEnv env(disk_);
  Log log = open(env);
  EXPECT_EQ(log.find_ordinal(100).value(), lsns_[100]);
  EXPECT_EQ(log.find_time(times_[101]).value(), lsns_[100]);
}

TEST_F(SealLookupTest, does_without_a_seal_that_speaks_of_other_records) {
  const SegmentInfo& segment = segments_[0];
  auto bytes = disk_.contents(path_of(segment.number)).value();
  const auto header = format::decode_segment_header(bytes).header;
  const auto binding = format::SegmentBinding::of(header.log_id, header.number);
  const auto place = std::span(bytes).subspan(4096 + (segment.end_lsn - segment.base_lsn));
  const auto frame = format::decode_frame_header(place, segment.end_lsn, binding).value();
  auto seal = format::decode_seal(frame, place.first(frame.length)).value();
  ++seal.digest;
  seal.last_time_ns = 0;
  std::ranges::copy(format::encode_seal(seal, frame, binding), place.begin());
  disk_.put(path_of(segment.number), bytes);
  SimEnv env(disk_);
  Log log = open(env);
  EXPECT_EQ(log.find_time(times_[101]).value(), lsns_[100]);
}

TEST_F(SealLookupTest, answers_trimmed_where_the_log_begins_behind) {
  SimEnv env(disk_);
  Log log = open(env);
  ASSERT_TRUE(log.trim_before(segments_[1].base_lsn));
  EXPECT_EQ(log.find_ordinal(0).error().code(), ErrorCode::trimmed);
  EXPECT_EQ(log.find_time(0).value(), segments_[1].base_lsn + (lsns_[0] - segments_[0].base_lsn));
}

}  // namespace
}  // namespace writeahead::testing
