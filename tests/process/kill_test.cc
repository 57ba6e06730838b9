// Goal: whatever was acknowledged survives SIGKILL at any moment, and nothing else appears.
// Method: a child appends from four threads to a log of small segments and notes in shared memory
// what it submits and what it is told; it is killed after a random number of acknowledgements or a
// random time, often inside of the opening. Then this process, or the next child, opens the log.
// Always the same directory, so that each recovery starts from what all earlier ones left.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/append_history.h"
#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using Clock = std::chrono::steady_clock;
using Verdict = VerifyReport::Verdict;

constexpr size_t kThreads = 4;
constexpr size_t kParent = 4;  // The writer number of this process.
constexpr auto kPatience = std::chrono::seconds(120);

struct Shared {
  AppendHistory history;
  std::atomic<uint64_t> opened;     // Children that opened the log.
  std::atomic<bool> has_failed;     // A child met an error, which
  std::array<char, 400> complaint;  // says so.
};

/// WRITEAHEAD_KILLS=100000 makes a soak of it.
uint64_t kill_count() {
  const char* const given = std::getenv("WRITEAHEAD_KILLS");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return kIsSanitized ? 40 : 200;
}

int complain(Shared& shared, const Error& error) {
  if (!shared.has_failed.exchange(true)) {
    error.message().copy(shared.complaint.data(), shared.complaint.size() - 1);
  }
  return 3;
}

/// The child: appends until it is killed.
int append_for_ever(const std::string& path, uint64_t segment_bytes, uint64_t seed,
                    Shared& shared) {
  auto log = Log::open(path, {.segment_bytes = segment_bytes});
  if (!log) return complain(shared, log.error());
  shared.opened.fetch_add(1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(seed + i);
      while (true) {
        if (auto done = shared.history.append_next(*log, i, random); !done) {
          complain(shared, done.error());
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 4;
}

class KillTest : public ::testing::Test {
 protected:
  /// Waits for a random moment of the child's life.
  void await_random_moment(ForkedProcess& child) {
    const uint64_t acknowledged = shared_->history.acknowledged.load() + random_() % 250;
    const bool counts = random_() % 2 == 0;
    const auto time = std::chrono::microseconds(random_() % 30'000);
    const auto start = Clock::now();
    while (counts ? shared_->history.acknowledged.load() < acknowledged
                  : Clock::now() < start + time) {
      if (child.ended() || shared_->has_failed || Clock::now() > start + kPatience) return;
      std::this_thread::yield();
    }
  }

  void kill_one() {
    const uint64_t segment_bytes = uint64_t{8192} << (random_() % 4);
    const uint64_t seed = random_();
    const uint64_t opened = shared_->opened.load();
    ForkedProcess child([&] { return append_for_ever(path_, segment_bytes, seed, *shared_); });
    await_random_moment(child);
    ASSERT_EQ(child.kill(), -SIGKILL) << shared_->complaint.data();
    ASSERT_FALSE(shared_->has_failed) << shared_->complaint.data();
    if (shared_->opened.load() == opened) ++killed_in_open_;
  }

  /// Without repairing anything.
  void look() {
    const auto report = ReadOnlyLog::verify(path_);
    // Killed before the log was made.
    if (!report && report.error().code() == ErrorCode::not_found && records_ == 0) return;
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_NE(report->verdict, Verdict::corruption) << report->findings.front().what;
    EXPECT_FALSE(report->is_live);
    const auto log = ReadOnlyLog::open(path_);
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ(log->records(), report->records);
    HistoryCheck copy = check_;
    const auto wrong = copy.read_on(*log);
    ASSERT_FALSE(wrong) << *wrong;
  }

  void recover_and_go_on() {
    auto log = Log::open(path_, {.segment_bytes = 8192, .background = BackgroundWork::stepped});
    ASSERT_TRUE(log) << log.error().message();
    const RecoveryReport& report = log->recovery_report();
    if (report.outcome == RecoveryReport::Outcome::torn_tail) ++torn_tails_;
    const auto wrong = check_.read_on(*log);
    ASSERT_FALSE(wrong) << *wrong;
    ASSERT_EQ(report.records, check_.records());
    for (uint64_t i = random_() % 4; i > 0; --i) {
      const auto done = shared_->history.append_next(*log, kParent, random_);
      ASSERT_TRUE(done) << done.error().message();
    }
    records_ = check_.records();
    const auto closed = log->close();
    ASSERT_TRUE(closed) << closed.error().message();
  }

  void read_all_back() {
    const auto report = ReadOnlyLog::verify(path_);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, Verdict::ok);
    const auto log = ReadOnlyLog::open(path_);
    ASSERT_TRUE(log) << log.error().message();
    HistoryCheck all(shared_->history);
    const auto wrong = all.read_on(*log);
    ASSERT_FALSE(wrong) << *wrong;
    EXPECT_EQ(all.records(), report->records);
    EXPECT_GE(all.records(), shared_->history.acknowledged.load());
    std::cout << fmt::format(
        "{} records, {} of them acknowledged; {} segments; {} torn tails; "
        "{} kills before the log was open\n",
        all.records(), shared_->history.acknowledged.load(), report->segments, torn_tails_,
        killed_in_open_);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<Shared> shared_;
  std::mt19937_64 random_{test_seed()};
  HistoryCheck check_{shared_->history};
  uint64_t records_ = 0;
  uint64_t torn_tails_ = 0;
  uint64_t killed_in_open_ = 0;
};

TEST_F(KillTest, acknowledged_records_survive_kills_at_random_moments) {
  const uint64_t kills = kill_count();
  std::cout << kills << " kills; to replay: " << replay_command() << std::endl;
  SCOPED_TRACE(replay_command());
  for (uint64_t i = 0; i < kills; ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    ASSERT_NO_FATAL_FAILURE(kill_one());
    if (random_() % 8 == 0) {
      ASSERT_NO_FATAL_FAILURE(look());
    }
    // Otherwise the next child recovers what this one left.
    if (random_() % 3 != 0) {
      ASSERT_NO_FATAL_FAILURE(recover_and_go_on());
    }
  }
  ASSERT_NO_FATAL_FAILURE(recover_and_go_on());
  ASSERT_NO_FATAL_FAILURE(read_all_back());
}

}  // namespace

}  // namespace writeahead::test
