// Goal: a device that fails reads makes an opening answer `io` and changes nothing; once it works
// again all records are there. The same for records that are read: an error, and never an end.
// Method: logs, closed and not, on a device that answers EIO to some of its reads, by chance, so
// that they hit the directory, the root, segments and seals; each file is compared before and
// after.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "format/segment_name.h"
#include "support/append_history.h"
#include "support/counts.h"
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
constexpr int kOpenings = 4;
constexpr size_t kWriter = 0;
constexpr uint64_t kAppends = 120;

using Files = std::map<std::string, std::string>;

Files read_files(const std::string& directory) {
  Files files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

/// The name of a file that is not the same in both; empty if all are.
std::string find_difference(const Files& before, const Files& after) {
  for (const auto& [name, content] : before) {
    if (!after.contains(name) || after.at(name) != content) return name;
  }
  for (const auto& [name, content] : after) {
    if (!before.contains(name)) return name;
  }
  return {};
}

class FailingDeviceReadTest : public ::testing::TestWithParam<FileSystem> {
 protected:
  void SetUp() override {
    if (const auto refusal = failing_disk_refusal(GetParam())) {
      std::cout << "NOT TESTED, for want of a failing device: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }

  /// A log of some segments, left by a process that may have closed it; nothing of it is cached.
  void make_log(int percent, std::optional<uint32_t> standbys = std::nullopt) {
    history_.emplace();
    disk_.emplace(scratch_.path("it"), GetParam(), DeviceFault::read, percent);
    path_ = disk_->path("log");
    const uint64_t seed = random_();
    ForkedProcess child([&] {
      std::mt19937_64 random(seed);
      auto log = Log::open(
          path_, {.segment_bytes = uint64_t{8192} << (random() % 2), .standby_segments = standbys});
      if (!log) return 1;
      for (uint64_t i = 0; i < kAppends; ++i) {
        if (!history().append_next(*log, kWriter, random)) return 2;
      }
      const bool closes = random() % 2 == 0;
      if (closes && !log->close()) return 3;
      ::_exit(0);  // And does not close it on the way.
    });
    ASSERT_EQ(child.wait(), 0);
    records_ = history().life.answered.load();
    files_ = read_files(path_);
    disk_->replace_device();
  }

  /// Has in memory what an opening needs before it reads the log: the directory, what the file
  /// system knows of the files, and the page that a writer and its followers share.
  void read_names() {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename() != internal::kControlName) {
        EXPECT_GT(std::filesystem::file_size(entry.path()), 0U) << entry.path();
        continue;
      }
      std::ifstream file(entry.path(), std::ios::binary);
      EXPECT_FALSE(std::string(std::istreambuf_iterator<char>(file), {}).empty());
    }
  }

  /// Reads all, unless the device does not let it. What is wrong, in words.
  template <class AnyLog>
  std::optional<std::string> read_all(const AnyLog& log, bool may_fail) {
    uint64_t records = 0;
    for (auto& record : log.reader(log.first_lsn())) {
      if (record) {
        ++records;
        continue;
      }
      if (!may_fail || record.error().code() != ErrorCode::io) {
        return fmt::format("read: {}", record.error().message());
      }
      ++failed_reads_;
      return std::nullopt;
    }
    if (records == records_) return std::nullopt;
    return fmt::format("{} records are read of {}", records, records_);
  }

  /// Opens the log as one may while reads fail. What is wrong, in words.
  std::optional<std::string> open_while_failing(Env* env) {
    const auto followed = ReadOnlyLog::open(path_, {.env = env});
    if (followed) {
      if (auto wrong = read_all(*followed, true)) return "follower: " + *wrong;
    } else if (followed.error().code() != ErrorCode::io) {
      return fmt::format("follower: {}", followed.error().message());
    }
    const auto log = Log::open(path_, {.env = env});
    if (!log && log.error().code() != ErrorCode::io) {
      return fmt::format("open: {}", log.error().message());
    }
    if (!log) {
      ++failed_openings_;
      return std::nullopt;
    }
    is_opened_ = true;
    return read_all(*log, true);
  }

  /// One log that is opened while reads fail, and afterwards. What is wrong, in words.
  std::optional<std::string> run(int percent, bool are_names_read, Env* env = nullptr) {
    make_log(percent);
    if (HasFatalFailure()) return "no log was made";
    is_opened_ = false;
    // Otherwise few openings get as far as to read a file.
    if (are_names_read) read_names();
    disk_->fail();
    std::optional<std::string> wrong;
    for (int i = 0; i < kOpenings && !is_opened_ && !wrong; ++i) wrong = open_while_failing(env);
    if (wrong) return wrong;
    disk_->replace_device();
    if (!is_opened_) {
      const std::string changed = find_difference(files_, read_files(path_));
      if (!changed.empty()) return "changed: " + changed;
    }
    auto log = Log::open(path_, {.segment_bytes = 8192});
    if (!log) return fmt::format("open afterwards: {}", log.error().message());
    HistoryCheck check(history());
    if (wrong = check.read_on(*log)) return wrong;
    const auto done = history().append_next(*log, kWriter, random_);
    if (!done) return fmt::format("append afterwards: {}", done.error().message());
    return std::nullopt;
  }

  /// Of reads that fail: all, or so many that an opening gets to its end at times.
  [[nodiscard]] int random_percent() {
    return random_() % 4 == 0 ? 100 : static_cast<int>(20 + random_() % 60);
  }

  [[nodiscard]] AppendHistory& history() { return **history_; }

  const ScratchDirectory scratch_;
  std::mt19937_64 random_{test_seed()};
  std::optional<SharedMemory<AppendHistory>> history_;  // of the log at hand
  std::optional<FailingDisk> disk_;
  std::string path_;
  uint64_t records_ = 0;
  Files files_;
  bool is_opened_ = false;
  uint64_t failed_openings_ = 0;
  uint64_t failed_reads_ = 0;
};

TEST_P(FailingDeviceReadTest, opening_answers_io_and_changes_nothing) {
  SCOPED_TRACE(replay_command());
  const uint64_t rounds = scaled(kRounds);
  uint64_t violations = 0;
  for (uint64_t i = 0; i < rounds && violations == 0; ++i) {
    SCOPED_TRACE(fmt::format("round {}", i));
    const auto wrong = run(random_percent(), random_() % 2 == 0);
    EXPECT_FALSE(wrong) << *wrong;
    violations += wrong ? 1 : 0;
  }
  print_count(part::kKernel, "failed openings", failed_openings_);
  print_count(part::kKernel, "violations", violations);
  EXPECT_GE(failed_openings_, rounds) << "too few reads failed";
}

TEST_P(FailingDeviceReadTest, reading_answers_io_until_the_device_has_healed) {
  SCOPED_TRACE(replay_command());
  const uint64_t rounds = scaled(kRounds / 2);
  uint64_t violations = 0;
  // Of some logs the system has everything in memory once they are open: those show nothing here.
  for (uint64_t i = 0; i < 20 * rounds && failed_reads_ < rounds && violations == 0; ++i) {
    SCOPED_TRACE(fmt::format("round {}", i));
    // Standbys are removed by the opening, and XFS frees their inodes some time later: if it can
    // not read what it needs for that, it gives up for good, and does not heal with its device.
    ASSERT_NO_FATAL_FAILURE(make_log(100, 0));
    const auto log = Log::open(path_, {.map_segments = random_() % 2 == 0});
    ASSERT_TRUE(log) << log.error().message();
    disk_->fail();
    auto wrong = read_all(*log, true);
    disk_->heal();
    HistoryCheck check(history());
    if (!wrong) wrong = check.read_on(*log);
    EXPECT_FALSE(wrong) << *wrong;
    violations += wrong ? 1 : 0;
  }
  print_count(part::kKernel, "failed reads", failed_reads_);
  print_count(part::kKernel, "violations", violations);
  EXPECT_EQ(failed_reads_, rounds) << "a read did not fail";
}

TEST_P(FailingDeviceReadTest, control_that_takes_an_error_for_zeros_is_found) {
  const auto liar = make_lying_env(Env::posix(), Lie::read_error_is_zeros);
  std::optional<std::string> wrong;
  for (int i = 0; i < 10 && !wrong; ++i) wrong = run(100, true, liar.get());
  print_control(wrong.has_value());
  ASSERT_TRUE(wrong);
  std::cout << *wrong << "\n";
}

INSTANTIATE_TEST_SUITE_P(All, FailingDeviceReadTest,
                         ::testing::Values(ext4_file_system(), xfs_file_system()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace

}  // namespace writeahead::test
