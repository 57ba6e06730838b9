// Goal: on a file system that is mounted read-only a log can be read, verified and salvaged from,
// and opening it for writing, or making or destroying one, is an error in one line that says why.
// Method: a file system in memory and one on a device, made read-only with a log on it that was
// closed, that was not, or whose writer is still there.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include "support/counts.h"
#include "support/forked_process.h"
#include "support/mounted.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"

namespace writeahead::test {

namespace {

constexpr Options kOptions{.segment_bytes = 8192, .background = BackgroundWork::stepped};
constexpr uint64_t kRecords = 12;

uint64_t records_of(const ReadOnlyLog& log) {
  uint64_t records = 0;
  for (const auto& record : log.reader(log.first_lsn())) {
    EXPECT_TRUE(record) << record.error().message();
    if (!record) break;
    EXPECT_EQ(record->payload.size(), 1000U);
    ++records;
  }
  return records;
}

class ReadOnlyMountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto refusal = mounting_refusal({ext4_file_system()})) {
      std::cout << "NOT TESTED, for want of file systems: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }
  ~ReadOnlyMountTest() override { print_count(part::kKernel, "calls on read-only mounts", calls_); }

  /// A log of some segments, left by a process that ends without closing it unless `closes`.
  static void make_log(const std::string& path, bool closes) {
    ForkedProcess child([&] {
      auto log = Log::open(path, kOptions);
      if (!log) return 1;
      for (uint64_t i = 0; i < kRecords; ++i) {
        if (!log->append(std::string(1000, 'r'))) return 2;
      }
      if (!closes) ::_exit(0);
      return log->close() ? 0 : 3;
    });
    ASSERT_EQ(child.wait(), 0);
  }

  /// One line, with the reason and the place.
  void expect_refused(const Error& error, const std::string& place) {
    ++calls_;
    const std::string message(error.message());
    EXPECT_EQ(error.system_error(), EROFS) << message;
    EXPECT_TRUE(message.contains("Read-only file system")) << message;
    EXPECT_TRUE(message.contains(place)) << message;
    EXPECT_FALSE(message.contains('\n')) << message;
    EXPECT_TRUE(error.code() == ErrorCode::io || error.code() == ErrorCode::no_space) << message;
  }

  void check(const Mount& disk, const std::string& name) {
    SCOPED_TRACE(disk.at() + " " + name);
    const std::string path = disk.path(name);
    const auto opened = Log::open(path, kOptions);
    ASSERT_FALSE(opened);
    expect_refused(opened.error(), path);
    const auto destroyed = Log::destroy(path);
    ASSERT_FALSE(destroyed);
    expect_refused(destroyed.error(), path);
    const auto made = Log::open(disk.path("new"), kOptions);
    ASSERT_FALSE(made);
    expect_refused(made.error(), disk.path("new"));
    const auto log = ReadOnlyLog::open(path);
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_EQ(records_of(*log), kRecords);
    const auto report = ReadOnlyLog::verify(path);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
    EXPECT_EQ(report->records, kRecords);
    calls_ += 2;
  }
  void check_salvage(const Mount& disk, const std::string& name) {
    const std::string rescued = scratch_.path("rescued");
    const auto report = salvage(disk.path(name), rescued);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->records, kRecords);
    const auto refused = salvage(rescued, disk.path("rescued"));
    ASSERT_FALSE(refused);
    expect_refused(refused.error(), disk.path("rescued"));
    ++calls_;
  }
  void check_all(Mount& disk) {
    ASSERT_NO_FATAL_FAILURE(make_log(disk.path("closed"), true));
    ASSERT_NO_FATAL_FAILURE(make_log(disk.path("left"), false));
    disk.make_read_only();
    for (const char* const name : {"closed", "left"}) {
      ASSERT_NO_FATAL_FAILURE(check(disk, name));
    }
    ASSERT_NO_FATAL_FAILURE(check_salvage(disk, "closed"));
  }

  const ScratchDirectory scratch_;
  uint64_t calls_ = 0;
};

TEST_F(ReadOnlyMountTest, in_memory_is_read_and_refused_for_writing_with_the_reason) {
  Mount disk("none", scratch_.path("disk"), "tmpfs");
  ASSERT_NO_FATAL_FAILURE(check_all(disk));
}

TEST_F(ReadOnlyMountTest, of_a_device_is_read_and_refused_for_writing_with_the_reason) {
  const Mount ram("none", scratch_.path("ram"), "tmpfs");
  make_image(ram.path("image"), ext4_file_system());
  const LoopDevice device(ram.path("image"));
  Mount disk(device.path(), scratch_.path("disk"), "ext4");
  ASSERT_NO_FATAL_FAILURE(check_all(disk));
}

// The mount is the reader's alone: the writer goes on by another one of the same file system.
TEST_F(ReadOnlyMountTest, of_a_live_log_is_followed) {
  const Mount disk("none", scratch_.path("disk"), "tmpfs");
  auto log = Log::open(disk.path("log"), kOptions);
  ASSERT_TRUE(log) << log.error().message();
  for (uint64_t i = 0; i < kRecords; ++i) ASSERT_TRUE(log->append(std::string(1000, 'r')));
  Mount view(disk.at(), scratch_.path("view"));
  view.make_read_only();
  const auto refused = Log::open(view.path("log"), kOptions);
  ASSERT_FALSE(refused);
  const auto read = ReadOnlyLog::open(view.path("log"));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(records_of(*read), kRecords);
  Reader reader = read->reader(read->durable_lsn());
  ASSERT_TRUE(log->append("one more"));
  const auto next = reader.wait_next({}, std::chrono::seconds(60));
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->ordinal, kRecords);
  calls_ += 3;
}

}  // namespace

}  // namespace writeahead::test
