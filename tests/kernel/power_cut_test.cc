// Goal: whatever was acknowledged as durable survives a power cut at any moment, on a real file
// system whose own recovery comes first; what was acknowledged with a lower level is lost from some
// record on or not at all, and nothing else appears. Method: a child works on a log from several
// threads, with all levels, trims, truncations and rotations, on a file system in a file that is
// mounted from a loop device. FS_IOC_SHUTDOWN takes everything from the kernel that is not on the
// device; then the child is killed, and the file system mounted again. Always the same log, so that
// each recovery starts from what all earlier ones left.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <optional>
#include <random>
#include <string>

#include "support/counts.h"
#include "support/forked_process.h"
#include "support/image_disk.h"
#include "support/killed_writer.h"
#include "support/life_signs.h"
#include "support/log_history.h"
#include "support/lying_env.h"
#include "support/mounted.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

using testing::Lie;
using testing::make_lying_env;

constexpr LifeSpan kSpan{.longest = std::chrono::milliseconds(8), .most_answers = 200};

struct Course {
  FileSystem kind;
  std::string counted;
  uint64_t cuts;
  friend std::ostream& operator<<(std::ostream& out, const Course& course) {
    return out << course.kind;
  }
};

class PowerCutTest : public ::testing::TestWithParam<Course> {
 protected:
  void SetUp() override {
    if (const auto refusal = mounting_refusal({GetParam().kind})) {
      std::cout << "NOT TESTED, for want of file systems: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
    disk_.emplace(scratch_.path("it"), GetParam().kind);
  }

  void cut_one(const Options& options) {
    const uint64_t seed = random_();
    LifeSigns& life = history_->life;
    life.may_fail = false;
    RandomMoment moment(life, kSpan, random_);
    ForkedProcess child([&] { return work_until_killed(path_, options, seed, *history_); });
    moment.await(child);
    ASSERT_FALSE(child.ended()) << life.complaint.data();
    // From here on it may be told of errors; whatever it still acknowledges has to be there.
    life.may_fail = true;
    disk_->cut_power();
    child.kill();
    ASSERT_FALSE(life.has_failed) << life.complaint.data();
    if (!moment.is_open()) ++cut_in_open_;
    disk_->mount_again();
  }

  /// Cuts until something is missing, with a promise that nobody keeps.
  void expect_losses(SurvivingLog& log, const Options& options) {
    std::optional<std::string> wrong;
    for (int i = 0; i < 40 && !wrong; ++i) {
      ASSERT_NO_FATAL_FAILURE(cut_one(options));
      wrong = log.recover({.segment_bytes = 8192}, false);
    }
    print_control(wrong.has_value());
    ASSERT_TRUE(wrong);
    std::cout << *wrong << "\n";
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("it/disk/log");
  std::optional<ImageDisk> disk_;
  SharedMemory<LogHistory> history_;
  std::mt19937_64 random_{test_seed()};
  uint64_t cut_in_open_ = 0;
};

TEST_P(PowerCutTest, loses_nothing_that_was_acknowledged_as_durable) {
  const uint64_t cuts = scaled(GetParam().cuts);
  std::cout << cuts << " cuts; to replay: " << replay_command() << std::endl;
  SCOPED_TRACE(replay_command());
  SurvivingLog log(path_, *history_, Durability::durable);
  uint64_t violations = 0;
  for (uint64_t i = 0; i < cuts && violations == 0; ++i) {
    SCOPED_TRACE(fmt::format("cut {}", i));
    ASSERT_NO_FATAL_FAILURE(cut_one(random_writer_options(random_)));
    if (const auto wrong = log.look_or_recover(random_)) {
      ++violations;
      ADD_FAILURE() << *wrong;
    }
  }
  const auto wrong = log.recover({.segment_bytes = 8192}, true);
  EXPECT_FALSE(wrong) << *wrong;
  print_count(part::kKernel, GetParam().counted, cuts);
  print_count(part::kKernel, "violations", violations + (wrong ? 1 : 0));
  std::cout << fmt::format(
      "{} records answered, {} of lower levels lost; {} trims, {} truncations; {} torn tails; "
      "{} cuts before the log was open\n",
      history_->life.answered.load(), log.check().lost_in_memory(), history_->trims.load(),
      history_->truncations.load(), log.torn_tails(), cut_in_open_);
  // The test is worth nothing if hardly anything happened.
  EXPECT_GT(history_->life.answered.load(), cuts);
  EXPECT_GT(history_->trims, cuts / 4);
  EXPECT_GT(history_->truncations, cuts / 10);
}

TEST_P(PowerCutTest, control_whose_writes_with_barriers_have_none_loses_records) {
  const auto liar = make_lying_env(Env::posix(), Lie::dsync_is_a_plain_write);
  SurvivingLog log(path_, *history_, Durability::durable);
  expect_losses(log,
                {.segment_bytes = 1 << 20, .sync_method = SyncMethod::dsync, .env = liar.get()});
}

TEST_P(PowerCutTest, control_whose_syncs_do_nothing_loses_records) {
  const auto liar = make_lying_env(Env::posix(), Lie::file_sync_does_nothing);
  SurvivingLog log(path_, *history_, Durability::durable);
  expect_losses(
      log, {.segment_bytes = 1 << 20, .sync_method = SyncMethod::fdatasync, .env = liar.get()});
}

INSTANTIATE_TEST_SUITE_P(All, PowerCutTest,
                         ::testing::Values(Course{ext4_file_system(), "power cuts on ext4", 1500},
                                           Course{xfs_file_system(), "power cuts on XFS", 400}),
                         [](const auto& course) { return course.param.kind.name; });

}  // namespace

}  // namespace writeahead::test
