// Goal: what append() accepts, what it refuses, and what goes on behind it: seals and the proof of
// an idle log. Method: the public interface, on a simulated machine where time and faults matter,
// and on the disk where the background thread does.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead {

namespace {

using testing::CallKind;
using testing::SimDisk;
using testing::SimEnv;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kSmallSegment = 65'536;

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

class AppendTest : public ::testing::Test {
 protected:
  Log open(Options options = {.segment_bytes = kSmallSegment}) {
    options.env = &env_;
    options.standby_segments = 0;
    options.background = BackgroundWork::stepped;
    return Log::open("/log", options).value();
  }
  SimEnv env_{SimDisk()};
};

/// Waits for a condition that the background thread will bring about; false if it does not.
bool eventually(const std::function<bool()>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(100);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST_F(AppendTest, record_of_exactly_max_record_bytes_is_taken_and_one_more_is_too_large) {
  Log log = open({.max_record_bytes = 10'000, .segment_bytes = 8192});
  const std::string largest(10'000, 'm');
  const auto lsn = log.append(largest);
  ASSERT_TRUE(lsn) << lsn.error().message();
  EXPECT_EQ(log.append(largest + "m").error().code(), ErrorCode::too_large);
  Batch batch;
  batch.add("small");
  batch.add(largest + "m");
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::too_large);
  EXPECT_EQ(text_of(log.read(*lsn).value()), largest);
  EXPECT_EQ(log.stats().records, 1U);
  EXPECT_TRUE(log.append("and on"));
  EXPECT_EQ(log.last()->ordinal, 1U);
}

TEST_F(AppendTest, empty_batch_is_an_invalid_argument_and_an_empty_record_is_none) {
  Log log = open();
  EXPECT_EQ(log.append(Batch()).error().code(), ErrorCode::invalid_argument);
  Batch batch;
  batch.add("x");
  batch.clear();
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(log.is_empty());
  const auto lsn = log.append("", {.type = 7});
  ASSERT_TRUE(lsn);
  const auto record = log.read(*lsn);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->payload.empty());
  EXPECT_EQ(record->type, 7);
}

TEST_F(AppendTest, batch_larger_than_a_segment_gets_a_segment_of_its_size) {
  Log log = open({.segment_bytes = 8192});
  ASSERT_TRUE(log.append("first"));
  Batch batch;
  for (int i = 0; i < 50; ++i) batch.add(std::string(997, static_cast<char>('A' + i)));
  const auto range = log.append(batch);
  ASSERT_TRUE(range) << range.error().message();
  ASSERT_TRUE(log.append("last"));
  EXPECT_EQ(log.stats().frames, 3U);
  for (size_t i = 0; i < batch.size(); ++i) {
    const auto record = log.read(batch.lsn(i, *range));
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->ordinal, 1 + i);
    EXPECT_EQ(text_of(*record), std::string(997, static_cast<char>('A' + i)));
  }
  ASSERT_TRUE(log.close());
  const Log again = open({.segment_bytes = 8192});
  EXPECT_EQ(again.recovery_report().records, 52U);
}

TEST_F(AppendTest, records_of_every_length_around_the_segment_boundary_read_back) {
  // From a record that leaves room for the next frame to one that leaves none.
  for (size_t bytes = 3900; bytes < 4120; ++bytes) {
    SimEnv env{SimDisk()};
    Log log = Log::open("/log", {.segment_bytes = 8192,
                                 .standby_segments = 0,
                                 .env = &env,
                                 .background = BackgroundWork::stepped})
                  .value();
    const std::string payload(bytes, 'p');
    const auto first = log.append(payload);
    const auto second = log.append("s");
    ASSERT_TRUE(first && second) << bytes;
    EXPECT_EQ(text_of(log.read(*first).value()), payload);
    EXPECT_EQ(text_of(log.read(*second).value()), "s");
    ASSERT_TRUE(log.close());
    log = Log::open("/log",
                    {.standby_segments = 0, .env = &env, .background = BackgroundWork::stepped})
              .value();
    EXPECT_EQ(text_of(log.read(*first).value()), payload);
    EXPECT_EQ(text_of(log.last().value()), "s");
  }
}

TEST_F(AppendTest, idle_second_writes_the_proof_once) {
  Log log = open();
  ASSERT_TRUE(log.append("one"));
  EXPECT_FALSE(log.step_background());
  env_.advance_ns(kSecond - kSecond / 100);
  EXPECT_FALSE(log.step_background());
  const uint64_t writes = env_.calls(CallKind::dsync_write);
  env_.advance_ns(kSecond / 50);
  EXPECT_TRUE(log.step_background());
  EXPECT_EQ(env_.calls(CallKind::dsync_write), writes + 2) << "both slots of the root";
  EXPECT_FALSE(log.step_background());
  env_.advance_ns(10 * kSecond);
  EXPECT_FALSE(log.step_background());
  ASSERT_TRUE(log.append("two"));
  env_.advance_ns(2 * kSecond);
  EXPECT_TRUE(log.step_background());
  EXPECT_EQ(env_.calls(CallKind::dsync_write), writes + 5);
}

TEST_F(AppendTest, damage_to_the_newest_record_is_found_once_it_was_proven) {
  for (const bool is_proven : {false, true}) {
    SimEnv env{SimDisk()};
    const Options options{.segment_bytes = kSmallSegment,
                          .standby_segments = 0,
                          .env = &env,
                          .background = BackgroundWork::stepped};
    Log log = Log::open("/log", options).value();
    ASSERT_TRUE(log.append("one"));
    if (is_proven) {
      env.advance_ns(2 * kSecond);
      ASSERT_TRUE(log.step_background());
    }
    SimDisk disk = env.killed_disk();
    const std::string path = "/log/00000000000000000001.wal";
    auto bytes = disk.contents(path).value();
    const auto at = std::ranges::search(bytes, std::as_bytes(std::span("one", 3)));
    ASSERT_FALSE(at.empty());
    at.front() ^= std::byte{1};
    disk.put(path, bytes);
    SimEnv next(std::move(disk));
    auto again = Log::open(
        "/log", {.standby_segments = 0, .env = &next, .background = BackgroundWork::stepped});
    if (is_proven) {
      ASSERT_FALSE(again);
      EXPECT_EQ(again.error().code(), ErrorCode::corruption);
    } else {
      ASSERT_TRUE(again) << again.error().message();
      EXPECT_EQ(again->recovery_report().outcome, RecoveryReport::Outcome::torn_tail);
    }
  }
}

TEST_F(AppendTest, each_step_writes_one_seal_that_is_due) {
  Log log = open({.segment_bytes = 8192});
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(log.append(std::string(1500, 'x')));
  const uint64_t segments = log.segments().size();
  ASSERT_EQ(segments, 30U);
  for (uint64_t i = 1; i < segments; ++i) {
    EXPECT_TRUE(log.step_background());
    EXPECT_EQ(log.stats().seals, i);
  }
  EXPECT_FALSE(log.step_background());
  const auto infos = log.segments();
  for (uint64_t i = 0; i + 1 < segments; ++i) {
    EXPECT_EQ(infos[i].state, SegmentInfo::State::sealed) << i;
  }
  EXPECT_EQ(infos.back().state, SegmentInfo::State::active);
}

TEST(BackgroundTest, thread_writes_seals_and_the_proof_of_an_idle_log) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  const auto root = [&] {
    std::ifstream file(path + "/log.root", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  Log log = Log::open(path, {.segment_bytes = 8192}).value();
  const std::string before = root();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(log.append(std::string(1500, 'x')));
  const uint64_t segments = log.segments().size();
  EXPECT_TRUE(eventually([&] { return log.stats().seals == segments - 1; }));
  EXPECT_TRUE(eventually([&] { return root() != before; }));
  ASSERT_TRUE(log.close());
  EXPECT_EQ(log.stats().seals, segments - 1);
}

// An append leaves a thread that will look soon alone; this one would not, for an hour.
TEST(BackgroundTest, append_reminds_a_thread_that_sleeps_for_long) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  const auto root = [&] {
    std::ifstream file(path + "/log.root", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  Log log = Log::open(path, {.retain_seconds = 3600}).value();
  for (int i = 0; i < 2; ++i) {
    const std::string before = root();
    ASSERT_TRUE(log.append("x"));
    EXPECT_TRUE(eventually([&] { return root() != before; }));
  }
  // Both writes of the flush and of the sync that follows it have their times.
  const auto lsn = log.append("y", {.durability = Durability::buffered});
  ASSERT_TRUE(lsn);
  EXPECT_TRUE(log.wait_durable(*lsn, std::chrono::minutes(1)));
}

TEST(BackgroundTest, close_and_destruction_end_a_thread_that_rests_sleeps_or_never_ran) {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  for (int i = 0; i < 20; ++i) {
    Log log = Log::open(path, {.segment_bytes = kSmallSegment}).value();
    for (int j = 0; j < i % 3; ++j) ASSERT_TRUE(log.append("x"));
    if (i % 2 == 0) {
      ASSERT_TRUE(log.close());
    }
  }
}

}  // namespace

}  // namespace writeahead
