// Goal: after the first write or sync that the kernel fails nothing is acknowledged any more, and a
// later reopening finds all that was, and of the rest a prefix; although the file system goes on as
// if nothing had happened: on ext4 and XFS the next sync succeeds, and on all three reads show the
// bytes that never reached the device. Method: threads append to a log on a device in memory that
// runs out of room for blocks which the file system takes for written. Then a fresh mount.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "support/append_history.h"
#include "support/counts.h"
#include "support/doomed_writer.h"
#include "support/forked_process.h"
#include "support/image_disk.h"
#include "support/lying_env.h"
#include "support/mounted.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using testing::Lie;
using testing::make_lying_env;

constexpr uint64_t kRounds = 6;

class FailedSyncTest : public ::testing::TestWithParam<std::tuple<FileSystem, SyncMethod>> {
 protected:
  void SetUp() override {
    if (const auto refusal = mounting_refusal({kind()})) {
      std::cout << "NOT TESTED, for want of file systems: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }
  [[nodiscard]] static FileSystem kind() { return std::get<0>(GetParam()); }
  [[nodiscard]] static SyncMethod method() { return std::get<1>(GetParam()); }

  /// The child.
  static DoomedEnd run_into_failure(const std::string& path, const Options& options, uint64_t seed,
                                    ImageDisk& disk, DoomedHistory& history) {
    auto log = Log::open(path, options);
    if (!log || !append_while_healthy(*log, seed, history)) return DoomedEnd::opening_failed;
    disk.run_out_of_room(path);
    const DoomedEnd end = append_until_failed(*log, seed, history);
    return end == DoomedEnd::stopped && !stays_failed(*log) ? DoomedEnd::not_sticky : end;
  }

  /// One log from its beginning to a failure, and on from there. What is wrong, in words.
  std::optional<std::string> fail_once(Options options) {
    ImageDisk disk(scratch_.path("it"), kind(), true);
    const std::string path = disk.path("log");
    SharedMemory<DoomedHistory> doomed;
    const uint64_t seed = random_();
    ForkedProcess child(
        [&] { return static_cast<int>(run_into_failure(path, options, seed, disk, *doomed)); });
    end_ = child.wait();
    disk.mend();
    const auto report = ReadOnlyLog::verify(path);
    if (!report) return fmt::format("verify: {}", report.error().message());
    if (report->verdict == VerifyReport::Verdict::corruption) {
      return fmt::format("verify: {}", report->findings.front().what);
    }
    HistoryCheck check(doomed->history);
    options.env = nullptr;
    // A second time to see that the first one did not make it worse.
    for (int i = 0; i < 2; ++i) {
      auto log = Log::open(path, options);
      if (!log) return fmt::format("open: {}", log.error().message());
      if (auto wrong = check.read_on(*log)) return wrong;
      const auto done = doomed->history.append_next(*log, kOtherWriter, random_);
      if (!done) return fmt::format("append afterwards: {}", done.error().message());
    }
    return std::nullopt;
  }

  [[nodiscard]] Options random_options() {
    return {.segment_bytes = uint64_t{64 << 10} << (random_() % 4),
            .sync_method = method(),
            .frame_alignment = random_() % 2 == 0 ? 0U : 4096U};
  }

  const ScratchDirectory scratch_;
  std::mt19937_64 random_{test_seed()};
  int end_ = 0;
};

TEST_P(FailedSyncTest, ends_all_acknowledgements_and_loses_none_of_them) {
  SCOPED_TRACE(replay_command());
  uint64_t violations = 0;
  uint64_t failures = 0;
  uint64_t refusals = 0;
  const uint64_t rounds = scaled(kRounds);
  // Where the room ends is by chance: a round that only ran out of segments does not count.
  for (uint64_t i = 0; failures < rounds && i < 10 * rounds && violations == 0; ++i) {
    SCOPED_TRACE(fmt::format("round {}", i));
    const auto wrong = fail_once(random_options());
    const bool is_stopped = end_ == static_cast<int>(DoomedEnd::stopped);
    const bool is_right =
        !wrong && (is_stopped || end_ == static_cast<int>(DoomedEnd::only_refused));
    EXPECT_TRUE(is_right) << "the child ended with " << end_ << "; " << wrong.value_or("");
    failures += is_stopped ? 1 : 0;
    refusals += is_stopped ? 0 : 1;
    violations += is_right ? 0 : 1;
  }
  EXPECT_TRUE(failures == rounds || violations != 0)
      << failures << " failures, and " << refusals << " rounds without one";
  print_count(part::kKernel, "failed syncs", failures);
  print_count(part::kKernel, "violations", violations);
}

TEST_P(FailedSyncTest, control_that_does_not_hear_of_it_loses_records) {
  const bool syncs = method() == SyncMethod::fdatasync;
  const auto liar =
      make_lying_env(Env::posix(), syncs ? Lie::failed_sync_succeeds : Lie::failed_write_succeeds);
  Options options = random_options();
  options.env = liar.get();
  std::optional<std::string> wrong;
  for (int i = 0; i < 10 && !wrong; ++i) wrong = fail_once(options);
  print_control(wrong.has_value());
  EXPECT_TRUE(wrong);
}

FileSystem with_sparse_blocks(FileSystem kind, const std::vector<std::string>& further) {
  kind.make.insert(kind.make.end(), further.begin(), further.end());
  return kind;
}

INSTANTIATE_TEST_SUITE_P(
    All, FailedSyncTest,
    ::testing::Combine(
        ::testing::Values(with_sparse_blocks(ext4_file_system(), {"-E", "nodiscard"}),
                          with_sparse_blocks(xfs_file_system(), {"-K"}),
                          with_sparse_blocks(btrfs_file_system(), {"-K"})),
        ::testing::Values(SyncMethod::direct_dsync, SyncMethod::dsync, SyncMethod::fdatasync)),
    [](const auto& both) {
      return std::get<0>(both.param).name + "_" + std::string(to_string(std::get<1>(both.param)));
    });

}  // namespace

}  // namespace writeahead::test
