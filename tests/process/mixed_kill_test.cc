// Goal: after SIGKILL at any moment a log is what was done to it, with appends of all levels, trims
// and truncations from several threads, and rotations all the time. What was answered as durable or
// written is there, buffered records are lost as a suffix or not at all, and nothing comes back.
// Method: a child notes what it does as support/log_history.h says, and is killed after a random
// number of answers or a random time. Then this process, or the next child, opens the log.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>

#include "support/counts.h"
#include "support/forked_process.h"
#include "support/killed_writer.h"
#include "support/life_signs.h"
#include "support/log_history.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

constexpr LifeSpan kSpan{.longest = std::chrono::milliseconds(12), .most_answers = 150};

/// On the disk a child is mostly killed while it waits, in memory while it works.
struct Place {
  std::string name;
  std::filesystem::path path;
  uint64_t kills;
  friend std::ostream& operator<<(std::ostream& out, const Place& place) {
    return out << place.name;
  }
};

class MixedKillTest : public ::testing::TestWithParam<Place> {
 protected:
  void kill_one() {
    const uint64_t seed = random_();
    const Options options = random_writer_options(random_);
    LifeSigns& life = history_->life;
    RandomMoment moment(life, kSpan, random_);
    ForkedProcess child([&] { return work_until_killed(path_, options, seed, *history_); });
    moment.await(child);
    ASSERT_EQ(child.kill(), -SIGKILL) << life.complaint.data();
    ASSERT_FALSE(life.has_failed) << life.complaint.data();
    if (!moment.is_open()) ++killed_in_open_;
  }

  const ScratchDirectory scratch_{GetParam().path};
  const std::string path_ = scratch_.path("log");
  SharedMemory<LogHistory> history_;
  std::mt19937_64 random_{test_seed()};
  SurvivingLog log_{path_, *history_, Durability::written};
  uint64_t killed_in_open_ = 0;
};

TEST_P(MixedKillTest, log_is_what_was_done_to_it_after_kills_at_random_moments) {
  const uint64_t least_kills = scaled(GetParam().kills);
  std::cout << least_kills << " kills or more; to replay: " << replay_command() << std::endl;
  SCOPED_TRACE(replay_command());
  uint64_t violations = 0;
  uint64_t kills = 0;
  // The test is worth nothing if hardly anything happened: a few kills may meet no truncation.
  const auto has_seen_all = [&] {
    return history_->life.answered.load() > kills && history_->trims > 0 &&
           history_->truncations > 0;
  };
  const auto goes_on = [&] {
    return kills < least_kills || (!has_seen_all() && kills < 50 * least_kills);
  };
  for (; violations == 0 && goes_on(); ++kills) {
    SCOPED_TRACE(fmt::format("kill {}", kills));
    ASSERT_NO_FATAL_FAILURE(kill_one());
    if (const auto wrong = log_.look_or_recover(random_)) {
      ++violations;
      ADD_FAILURE() << *wrong;
    }
  }
  const auto wrong = log_.recover({.segment_bytes = 8192}, true);
  EXPECT_FALSE(wrong) << *wrong;
  print_count(part::kKernel, "kills", kills);
  print_count(part::kKernel, "violations", violations + (wrong ? 1 : 0));
  std::cout << fmt::format(
      "{} records answered, {} of them lost from memory; {} trims, {} truncations; "
      "{} torn tails; {} kills before the log was open\n",
      history_->life.answered.load(), log_.check().lost_in_memory(), history_->trims.load(),
      history_->truncations.load(), log_.torn_tails(), killed_in_open_);
  EXPECT_TRUE(has_seen_all());
}

/// The same with a promise that nobody gave: that buffered records survive. It has to be found out.
TEST_P(MixedKillTest, control_that_takes_buffered_records_for_safe_finds_losses) {
  SurvivingLog log(path_, *history_, Durability::buffered);
  std::optional<std::string> wrong;
  for (int i = 0; i < 200 && !wrong; ++i) {
    ASSERT_NO_FATAL_FAILURE(kill_one());
    wrong = log.recover({.segment_bytes = 8192}, false);
  }
  print_control(wrong.has_value());
  EXPECT_TRUE(wrong);
}

INSTANTIATE_TEST_SUITE_P(All, MixedKillTest,
                         ::testing::Values(Place{"disk", std::filesystem::temp_directory_path(),
                                                 400},
                                           Place{"memory", ScratchDirectory::memory(), 1400}),
                         [](const auto& place) { return place.param.name; });

}  // namespace

}  // namespace writeahead::test
