// Goal: every call of an open log may be made beside every other one.
// Method: threads that append and threads that read on one log with small segments, on the disk and
// with the background thread; most is found when this runs under ThreadSanitizer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/append_history.h"
#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

constexpr size_t kAppenders = 4;
constexpr uint64_t kAppends = kIsSanitized ? 150 : 500;

/// What the readers of one log share.
struct Stress {
  Log& log;
  const AppendHistory& history;
  std::atomic<bool> is_over = false;
  std::atomic<uint64_t> reads = 0;

  void expect(bool is_so, std::string_view what) const {
    if (!is_so) ADD_FAILURE() << what;
  }

  void read_points(std::mt19937_64& random) {
    const uint64_t writer = random() % kAppenders;
    const uint64_t submitted = history.writers[writer].submitted.load();
    if (submitted == 0) return;
    const Lsn lsn(history.writers[writer].acknowledged[random() % submitted].load());
    if (lsn == Lsn()) return;
    const auto record = log.read(lsn);
    expect(record && record->lsn == lsn, record ? "another record" : record.error().message());
  }
  void read_all(std::mt19937_64&) {
    HistoryCheck check(history);
    const uint64_t acknowledged = history.life.answered.load();
    const auto wrong = check.read_prefix(log);
    expect(!wrong, wrong.value_or(""));
    expect(check.records() >= acknowledged, "a reader misses what was acknowledged");
  }
  void look_up(std::mt19937_64& random) {
    const auto last = log.last();
    if (!last) return expect(last.error().code() == ErrorCode::not_found, last.error().message());
    const uint64_t ordinal = random() % (last->ordinal + 1);
    const auto lsn = log.find_ordinal(ordinal);
    if (!lsn) return expect(false, lsn.error().message());
    const auto record = log.read(*lsn);
    expect(record && record->ordinal == ordinal, "the ordinal leads elsewhere");
  }
  void ask(std::mt19937_64&) {
    const Lsn durable = log.durable_lsn();
    expect(log.end_lsn() >= durable, "the end lies before what is durable");
    const Stats stats = log.stats();
    expect(stats.records >= stats.frames, "a frame without a record");
    uint64_t records = 0;
    for (const SegmentInfo& segment : log.segments()) records += segment.records;
    expect(records >= stats.records, "the segments miss what was acknowledged");
    expect(log.first_lsn() <= durable, "the log begins behind its end");
    expect(!log.is_empty() || durable == log.first_lsn(), "empty, with something in it");
    log.step_background();
  }
};

TEST(AppendStressTest, all_calls_beside_each_other) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  const SharedMemory<AppendHistory> history;
  Log log = Log::open(path, {.segment_bytes = 16384}).value();
  Stress stress{.log = log, .history = *history};
  std::vector<std::thread> appenders;
  for (size_t i = 0; i < kAppenders; ++i) {
    appenders.emplace_back([&, i] {
      std::mt19937_64 random(i);
      for (uint64_t n = 0; n < kAppends; ++n) {
        const auto done = history->append_next(log, i, random);
        stress.expect(done.has_value(), done ? "" : done.error().message());
      }
    });
  }
  std::vector<std::thread> readers;
  for (const auto call :
       {&Stress::read_points, &Stress::read_all, &Stress::look_up, &Stress::ask}) {
    readers.emplace_back([&, call] {
      std::mt19937_64 random(7);
      while (!stress.is_over) {
        (stress.*call)(random);
        ++stress.reads;
      }
    });
  }
  for (std::thread& thread : appenders) thread.join();
  stress.is_over = true;
  for (std::thread& thread : readers) thread.join();
  EXPECT_GT(stress.reads, 0U);
  HistoryCheck check(*history);
  auto wrong = check.read_on(log);
  EXPECT_FALSE(wrong) << *wrong;
  EXPECT_EQ(check.records(), history->life.answered.load());
  EXPECT_EQ(log.stats().records, check.records());
  ASSERT_TRUE(log.close());
  const auto report = ReadOnlyLog::verify(path);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  EXPECT_EQ(report->records, check.records());
}

TEST(AppendStressTest, close_beside_appends_and_reads_lets_each_end_well) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path("log");
  const SharedMemory<AppendHistory> history;
  for (int round = 0; round < 10; ++round) {
    Log log = Log::open(path, {.segment_bytes = 16384}).value();
    const uint64_t goal = history->life.answered.load() + 20;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kAppenders; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937_64 random(round * 10 + i);
        auto done = history->append_next(log, i, random);
        while (done) done = history->append_next(log, i, random);
        EXPECT_EQ(done.error().code(), ErrorCode::closed) << done.error().message();
      });
    }
    threads.emplace_back([&] {
      auto last = log.last();
      while (last || last.error().code() == ErrorCode::not_found) last = log.last();
      EXPECT_EQ(last.error().code(), ErrorCode::closed) << last.error().message();
    });
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        while (history->life.answered.load() < goal) std::this_thread::yield();
        EXPECT_TRUE(log.close());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  HistoryCheck check(*history);
  const auto log = ReadOnlyLog::open(path);
  ASSERT_TRUE(log);
  const auto wrong = check.read_on(*log);
  EXPECT_FALSE(wrong) << *wrong;
}

}  // namespace

}  // namespace writeahead::test
