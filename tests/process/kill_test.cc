// Goal: whatever was acknowledged survives SIGKILL at any moment, and nothing else appears.
// Method: a child appends from four threads to a log of small segments and notes in shared memory
// what it submits and what it is told; it is killed after a random number of acknowledgements or a
// random time, often inside of the opening. Then this process, or the next child, opens the log.
// Always the same directory, so that each recovery starts from what all earlier ones left.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/append_history.h"
#include "support/counts.h"
#include "support/forked_process.h"
#include "support/life_signs.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using Verdict = VerifyReport::Verdict;

constexpr size_t kThreads = 4;
constexpr size_t kParent = 4;  // The writer number of this process.
constexpr LifeSpan kSpan{.longest = std::chrono::milliseconds(12), .most_answers = 100};

/// The child: appends until it is killed.
int append_for_ever(const std::string& path, uint64_t segment_bytes, uint64_t seed,
                    AppendHistory& history) {
  auto log = Log::open(path, {.segment_bytes = segment_bytes});
  if (!log) {
    history.life.complain(log.error());
    return 3;
  }
  history.life.opened.add(1);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(seed + i);
      while (true) {
        const auto done = history.append_next(*log, i, random);
        if (!done) return history.life.complain(done.error());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return 4;
}

class KillTest : public ::testing::Test {
 protected:
  void kill_one() {
    const uint64_t segment_bytes = uint64_t{8192} << (random_() % 4);
    const uint64_t seed = random_();
    LifeSigns& life = history_->life;
    RandomMoment moment(life, kSpan, random_);
    ForkedProcess child([&] { return append_for_ever(path_, segment_bytes, seed, *history_); });
    moment.await(child);
    ASSERT_EQ(child.kill(), -SIGKILL) << life.complaint.data();
    ASSERT_FALSE(life.has_failed) << life.complaint.data();
    if (!moment.is_open()) ++killed_in_open_;
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
      const auto done = history_->append_next(*log, kParent, random_);
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
    HistoryCheck all(*history_);
    const auto wrong = all.read_on(*log);
    ASSERT_FALSE(wrong) << *wrong;
    EXPECT_EQ(all.records(), report->records);
    EXPECT_GE(all.records(), history_->life.answered.load());
    std::cout << fmt::format(
        "{} records, {} of them acknowledged; {} segments; {} torn tails; "
        "{} kills before the log was open\n",
        all.records(), history_->life.answered.load(), report->segments, torn_tails_,
        killed_in_open_);
  }

  /// Up to the first thing that is wrong.
  void kill_and_judge(uint64_t kills) {
    while (kills_ < kills) {
      SCOPED_TRACE(fmt::format("kill {}", kills_));
      ASSERT_NO_FATAL_FAILURE(kill_one());
      ++kills_;
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

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<AppendHistory> history_;
  std::mt19937_64 random_{test_seed()};
  HistoryCheck check_{*history_};
  uint64_t kills_ = 0;
  uint64_t records_ = 0;
  uint64_t torn_tails_ = 0;
  uint64_t killed_in_open_ = 0;
};

TEST_F(KillTest, acknowledged_records_survive_kills_at_random_moments) {
  // Not more in a soak, either: this log is never trimmed.
  const uint64_t kills = std::min<uint64_t>(scaled(200), 4000);
  std::cout << kills << " kills; to replay: " << replay_command() << std::endl;
  SCOPED_TRACE(replay_command());
  kill_and_judge(kills);
  print_count(part::kKernel, "kills", kills_);
  print_count(part::kKernel, "violations", HasFailure() ? 1 : 0);
}

}  // namespace

}  // namespace writeahead::test
