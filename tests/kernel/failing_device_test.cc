// Goal: from the moment at which a device fails a log's writes, or its flushes, nothing is
// acknowledged any more, and the log says which error it was; the same while the file system is
// read only, and when the device works again. Once it is mounted again the log has all that was
// acknowledged, and of the rest a prefix. Method: threads append to a log on a device that is made
// to answer EIO; the four states, healthy, failing, read only and healed, come in each run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <tuple>

#include "support/append_history.h"
#include "support/counts.h"
#include "support/doomed_writer.h"
#include "support/failing_disk.h"
#include "support/forked_process.h"
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

constexpr uint64_t kRounds = 4;

/// The cause of an append's failure is EIO, or the read-only file system that it led to.
bool is_cause(const Error& error) {
  return error.code() == ErrorCode::failed &&
         (error.system_error() == EIO || error.system_error() == EROFS) &&
         error.message().find(':') != std::string_view::npos;
}

class FailingDeviceTest : public ::testing::TestWithParam<std::tuple<FileSystem, DeviceFault>> {
 protected:
  void SetUp() override {
    if (const auto refusal = failing_disk_refusal(kind())) {
      std::cout << "NOT TESTED, for want of a failing device: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }
  [[nodiscard]] static FileSystem kind() { return std::get<0>(GetParam()); }
  [[nodiscard]] static DeviceFault fault() { return std::get<1>(GetParam()); }

  /// The child, in the first three states and as far into the last as it comes without a mount.
  static DoomedEnd go_through_states(const std::string& path, const Options& options, uint64_t seed,
                                     FailingDisk& disk, DoomedHistory& doomed) {
    auto log = Log::open(path, options);
    if (!log || !append_while_healthy(*log, seed, doomed)) return DoomedEnd::opening_failed;
    disk.fail();
    const DoomedEnd end = append_until_failed(*log, seed, doomed);
    if (end != DoomedEnd::stopped) return end;
    const auto failed = log->append("");
    if (failed || !is_cause(failed.error())) return DoomedEnd::no_cause;
    const int refusal = disk.last_refusal();
    // XFS lets nobody do anything any more.
    if (refusal != (kind().name == "ext4" ? EROFS : EIO)) return DoomedEnd::still_writable;
    // Now the log's mappings are of pages that nobody may store into without being asked.
    disk.write_back();
    disk.heal();
    if (!stays_failed(*log)) return DoomedEnd::not_sticky;
    const auto again = Log::open(path, options);
    if (again || again.error().code() != ErrorCode::io) return DoomedEnd::wrong_code;
    return DoomedEnd::stopped;
  }

  /// One log through all states, and on from there. What is wrong, in words.
  std::optional<std::string> run(Options options) {
    FailingDisk disk(scratch_.path("it"), kind(), fault());
    const std::string path = disk.path("log");
    SharedMemory<DoomedHistory> doomed;
    const uint64_t seed = random_();
    ForkedProcess child(
        [&] { return static_cast<int>(go_through_states(path, options, seed, disk, *doomed)); });
    end_ = child.wait();
    // The device loses its cache as it does when its power is cut: it has promised none of it.
    disk.fail();
    disk.replace_device();
    return check(path, options, *doomed);
  }

  std::optional<std::string> check(const std::string& path, Options options,
                                   DoomedHistory& doomed) {
    const auto report = ReadOnlyLog::verify(path);
    if (!report) return fmt::format("verify: {}", report.error().message());
    if (report->verdict == VerifyReport::Verdict::corruption) {
      return fmt::format("verify: {}", report->findings.front().what);
    }
    HistoryCheck check(doomed.history);
    options.env = nullptr;
    // A second time to see that the first one did not make it worse.
    for (int i = 0; i < 2; ++i) {
      auto log = Log::open(path, options);
      if (!log) return fmt::format("open: {}", log.error().message());
      if (auto wrong = check.read_on(*log)) return wrong;
      const auto done = doomed.history.append_next(*log, kOtherWriter, random_);
      if (!done) return fmt::format("append afterwards: {}", done.error().message());
    }
    return std::nullopt;
  }

  [[nodiscard]] Options random_options() {
    return {.segment_bytes = uint64_t{64 << 10} << (random_() % 4),
            .sync_method = static_cast<SyncMethod>(1 + random_() % 3),
            .frame_alignment = random_() % 2 == 0 ? 0U : 4096U};
  }

  const ScratchDirectory scratch_;
  std::mt19937_64 random_{test_seed()};
  int end_ = 0;
};

TEST_P(FailingDeviceTest, ends_all_acknowledgements_and_loses_none_of_them) {
  SCOPED_TRACE(replay_command());
  const uint64_t rounds = scaled(kRounds);
  uint64_t violations = 0;
  for (uint64_t i = 0; i < rounds && violations == 0; ++i) {
    SCOPED_TRACE(fmt::format("round {}", i));
    const auto wrong = run(random_options());
    const bool is_right = !wrong && end_ == static_cast<int>(DoomedEnd::stopped);
    EXPECT_TRUE(is_right) << "the child ended with " << end_ << "; " << wrong.value_or("");
    violations += is_right ? 0 : 1;
  }
  print_count(part::kKernel, "failed devices", rounds);
  print_count(part::kKernel, "violations", violations);
}

TEST_P(FailingDeviceTest, control_that_does_not_hear_of_it_loses_records) {
  const auto liar = make_lying_env(Env::posix(), Lie::failed_write_succeeds);
  Options options = random_options();
  options.sync_method = SyncMethod::dsync;
  options.env = liar.get();
  std::optional<std::string> wrong;
  for (int i = 0; i < 10 && !wrong; ++i) wrong = run(options);
  print_control(wrong.has_value());
  ASSERT_TRUE(wrong);
  std::cout << *wrong << "\n";
}

INSTANTIATE_TEST_SUITE_P(
    All, FailingDeviceTest,
    ::testing::Combine(::testing::Values(ext4_file_system(), xfs_file_system()),
                       ::testing::Values(DeviceFault::write, DeviceFault::flush)),
    [](const auto& both) {
      return fmt::format("{}_{}", std::get<0>(both.param).name, name_of(std::get<1>(both.param)));
    });

}  // namespace

}  // namespace writeahead::test
