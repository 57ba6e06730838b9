// Goal: after SIGKILL at any moment a log is what was done to it, with appends of all levels, trims
// and truncations from several threads, and rotations all the time. What was answered as durable or
// written is there, buffered records are lost as a suffix or not at all, and nothing comes back.
// Method: as in kill_test.cc, with the notes of support/log_history.h.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/forked_process.h"
#include "support/log_history.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(120);

struct Shared {
  LogHistory history;
  std::atomic<uint64_t> opened;  // children that opened the log
};

/// WRITEAHEAD_KILLS=100000 makes a soak of it.
uint64_t kill_count() {
  const char* const given = std::getenv("WRITEAHEAD_KILLS");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return kIsSanitized ? 40 : 500;
}

/// The child: works until it is killed.
int work_for_ever(const std::string& path, uint64_t seed, Shared& shared) {
  std::mt19937_64 random(seed);
  auto log = Log::open(path, {.segment_bytes = uint64_t{4608} << (random() % 4),
                              .async_bytes = random() % 2 == 0 ? 4096U : 64U << 20,
                              .sync_interval_ms = 5,
                              .flush_interval_ms = 1,
                              .frame_alignment = random() % 4 == 0 ? 4096U : 0U});
  LogHistory& history = shared.history;
  if (!log) {
    history.complain(log.error());
    return 3;
  }
  history.note_opening(*log);
  shared.opened.fetch_add(1);
  std::deque<HistoryWriter> writers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < LogHistory::kWriters; ++i) {
    HistoryWriter& writer = writers.emplace_back(history, *log, i, random());
    threads.emplace_back([&] {
      while (true) {
        if (auto done = writer.step(); !done) return history.complain(done.error());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 4;
}

class MixedKillTest : public ::testing::Test {
 protected:
  /// Waits for a random moment of the child's life; mostly one at which it works.
  void await_random_moment(ForkedProcess& child, uint64_t opened) {
    const LogHistory& history = shared_->history;
    const bool may_be_opening = random_() % 8 == 0;
    const auto time = std::chrono::microseconds(random_() % 12'000);
    const uint64_t answers = history.answered.load() + random_() % 150;
    const bool counts = !may_be_opening && random_() % 2 == 0;
    const auto start = Clock::now();
    auto since = start;
    while (true) {
      const auto now = Clock::now();
      if (shared_->opened.load() == opened && !may_be_opening) since = now;
      if (counts ? history.answered.load() >= answers && since != now : now > since + time) return;
      if (child.ended() || history.has_failed || now > start + kPatience) return;
      std::this_thread::yield();
    }
  }

  void kill_one() {
    const uint64_t seed = random_();
    const uint64_t opened = shared_->opened.load();
    ForkedProcess child([&] { return work_for_ever(path_, seed, *shared_); });
    await_random_moment(child, opened);
    ASSERT_EQ(child.kill(), -SIGKILL) << shared_->history.complaint.data();
    ASSERT_FALSE(shared_->history.has_failed) << shared_->history.complaint.data();
    if (shared_->opened.load() == opened) ++killed_in_open_;
  }

  /// Without repairing anything. What is found stays.
  void look() {
    const auto report = ReadOnlyLog::verify(path_);
    // Killed before the log was made.
    if (!report && report.error().code() == ErrorCode::not_found && check_.records() == 0) return;
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_NE(report->verdict, VerifyReport::Verdict::corruption) << report->findings.front().what;
    const auto log = ReadOnlyLog::open(path_);
    ASSERT_TRUE(log) << log.error().message();
    const auto wrong = check_.compare(*log);
    ASSERT_FALSE(wrong) << *wrong;
    EXPECT_EQ(check_.records(), report->records);
  }

  void recover() {
    auto log = Log::open(path_, {.segment_bytes = 8192, .background = BackgroundWork::stepped});
    ASSERT_TRUE(log) << log.error().message();
    if (log->recovery_report().outcome == RecoveryReport::Outcome::torn_tail) ++torn_tails_;
    const auto wrong = check_.compare(*log);
    ASSERT_FALSE(wrong) << *wrong;
    ASSERT_EQ(log->recovery_report().records, check_.records());
    if (random_() % 2 == 0) {
      const auto closed = log->close();
      ASSERT_TRUE(closed) << closed.error().message();
    }
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<Shared> shared_;
  std::mt19937_64 random_{test_seed()};
  LogHistoryCheck check_{shared_->history};
  uint64_t torn_tails_ = 0;
  uint64_t killed_in_open_ = 0;
};

TEST_F(MixedKillTest, log_is_what_was_done_to_it_after_kills_at_random_moments) {
  const uint64_t kills = kill_count();
  std::cout << kills << " kills; to replay: " << replay_command() << std::endl;
  SCOPED_TRACE(replay_command());
  for (uint64_t i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    ASSERT_NO_FATAL_FAILURE(kill_one());
    // Now and then the next child recovers what nobody has looked at.
    const uint64_t pick = random_() % 8;
    if (pick < 3) {
      ASSERT_NO_FATAL_FAILURE(look());
    } else if (pick < 6) {
      ASSERT_NO_FATAL_FAILURE(recover());
    }
  }
  ASSERT_NO_FATAL_FAILURE(recover());
  const LogHistory& history = shared_->history;
  std::cout << fmt::format(
      "{} records answered, {} of them lost from memory; {} trims, {} truncations; "
      "{} torn tails; {} kills before the log was open\n",
      history.answered.load(), check_.lost_in_memory(), history.trims.load(),
      history.truncations.load(), torn_tails_, killed_in_open_);
  // The test is worth nothing if hardly anything happened.
  EXPECT_GT(history.answered, kills);
  EXPECT_GT(history.trims, kills / 4);
  EXPECT_GT(history.truncations, kills / 10);
}

}  // namespace

}  // namespace writeahead::test
