// Goal: point reads that know where the records of the active segment lie answer as a search does,
// also behind truncations, rotations and trims, and of damaged records. Method: an Env that calls a
// hook at each read; reads that go without a search show as a single one, and those of a window in
// memory as none.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "format/checksum.h"
#include "format/record.h"
#include "format/segment_name.h"
#include "read/record_windows.h"
#include "support/error_of.h"
#include "support/forwarding_env.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using ::writeahead::internal::ReadSource;
using ::writeahead::internal::RecordWindows;
using ::writeahead::internal::SegmentReader;
using ::writeahead::internal::SegmentView;
using ReadHook = std::function<void()>;

class HookedFile final : public ForwardingFile {
 public:
  HookedFile(std::unique_ptr<File> file, const ReadHook& hook)
      : ForwardingFile(std::move(file)), hook_(hook) {}
  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    auto count = ForwardingFile::read_at(offset, out);
    if (hook_) hook_();
    return count;
  }

 private:
  const ReadHook& hook_;
};

class HookedDirectory final : public ForwardingDirectory {
 public:
  HookedDirectory(std::unique_ptr<Directory> directory, const ReadHook& hook)
      : ForwardingDirectory(std::move(directory)), hook_(hook) {}

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<HookedFile>(std::move(file), hook_);
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<HookedDirectory>(std::move(directory), hook_);
  }

  const ReadHook& hook_;
};

class ReadHookEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  ReadHook hook;

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<HookedDirectory>(std::move(directory), hook);
  }
};

constexpr uint64_t kRecords = 600;

std::string payload_of(uint64_t i) {
  // Some longer than what is read at first.
  return std::string(i % 50 == 7 ? 3000 : 20 + i % 300, static_cast<char>('a' + i % 26));
}

/// A log of one segment, on a machine of its own.
class PlacedRecordsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log_.emplace(Log::open(kLogPath, options()).value());
    for (uint64_t i = 0; i < kRecords; ++i) {
      lsns_.push_back(log_->append(payload_of(i), {.type = static_cast<uint16_t>(i)}).value());
    }
  }
  Options options() {
    return {.segment_bytes = 1 << 20, .env = &env_, .background = BackgroundWork::stepped};
  }

  /// Reads until a read needs no search any more: one read of the file for a record.
  template <class AnyLog>
  void earn(const AnyLog& log) {
    ASSERT_GT(reads_of(log, lsns_[kRecords / 2 + 3]), 1U) << "the first one is a search";
    for (int i = 0; i < 100; ++i) {
      // In the middle, where a search is more than one read.
      if (reads_of(log, lsns_[kRecords / 2 + 3]) == 1) return;
    }
    FAIL() << "the places were never looked for";
  }
  /// Reads all of them until they need no read of the file any more, but for the few that lie in
  /// two windows.
  void warm_up() {
    earn(*log_);
    for (int i = 0; i < RecordWindows::kReadsToEarn; ++i) {
      for (const Lsn lsn : lsns_) ASSERT_TRUE(log_->read(lsn));
    }
    ASSERT_EQ(reads_of(*log_, lsns_[100]), 0U);
    ASSERT_EQ(reads_of(*log_, lsns_[400]), 0U);
  }
  void damage(uint64_t record) {
    auto directory = machine_.open_directory(kLogPath, false, 0).value();
    auto file = directory->open(::writeahead::internal::segment_name(1), {.write = true}).value();
    const std::byte other{0xff};
    constexpr uint64_t kBehindHeaders = 4096 + 20;
    ASSERT_TRUE(
        file->write_at(kBehindHeaders + lsns_[record].value(), {&other, 1}, WriteBarrier::none));
  }
  template <class AnyLog>
  uint64_t reads_of(const AnyLog& log, Lsn lsn) {
    uint64_t reads = 0;
    env_.hook = [&] { ++reads; };
    EXPECT_TRUE(log.read(lsn));
    env_.hook = nullptr;
    return reads;
  }

  SimEnv machine_{SimDisk{}};
  ReadHookEnv env_{machine_};
  std::optional<Log> log_;
  std::vector<Lsn> lsns_;
};

void expect_record(const Result<RecordView>& read, Lsn lsn, uint64_t number) {
  ASSERT_TRUE(read) << read.error().message();
  const std::string payload = payload_of(number);
  EXPECT_EQ(read->lsn, lsn);
  EXPECT_EQ(read->ordinal, number);
  EXPECT_EQ(read->type, number);
  EXPECT_TRUE(std::ranges::equal(read->payload, std::as_bytes(std::span(payload)))) << number;
}

TEST_F(PlacedRecordsTest, answer_as_a_search_does) {
  std::vector<uint64_t> times;
  for (auto& record : log_->reader(lsns_[0])) times.push_back(record->time_ns);
  earn(*log_);
  for (uint64_t i = 0; i < kRecords; ++i) {
    const auto read = log_->read(lsns_[i]);
    expect_record(read, lsns_[i], i);
    EXPECT_EQ(read->time_ns, times[i]);
  }
  EXPECT_EQ(code_of(log_->read(lsns_[5] + 8)), ErrorCode::not_found);
  EXPECT_EQ(code_of(log_->read(log_->end_lsn())), ErrorCode::not_found);
}

TEST_F(PlacedRecordsTest, later_records_are_searched_and_then_known) {
  earn(*log_);
  for (uint64_t i = kRecords; i < 2 * kRecords; ++i) {
    lsns_.push_back(log_->append(payload_of(i), {.type = static_cast<uint16_t>(i)}).value());
    expect_record(log_->read(lsns_[i]), lsns_[i], i);
  }
  const Lsn later = lsns_[kRecords * 3 / 2];
  for (int i = 0; i < 100 && reads_of(*log_, later) != 1; ++i) {
  }
  EXPECT_EQ(reads_of(*log_, later), 1U);
  for (uint64_t i = 0; i < 2 * kRecords; ++i) expect_record(log_->read(lsns_[i]), lsns_[i], i);
}

TEST_F(PlacedRecordsTest, views_keep_their_bytes_when_the_log_is_gone) {
  earn(*log_);
  const auto read = log_->read(lsns_[7]);
  log_.reset();
  expect_record(read, lsns_[7], 7);
}

TEST_F(PlacedRecordsTest, truncated_record_is_gone_and_its_successor_is_read) {
  earn(*log_);
  ASSERT_TRUE(log_->truncate_from(lsns_[300]));
  EXPECT_EQ(code_of(log_->read(lsns_[300])), ErrorCode::not_found);
  EXPECT_EQ(code_of(log_->read(lsns_[400])), ErrorCode::not_found);
  expect_record(log_->read(lsns_[299]), lsns_[299], 299);
  // The addresses are used again, by other records.
  while (log_->end_lsn() <= lsns_[400]) ASSERT_TRUE(log_->append("other"));
  EXPECT_EQ(code_of(log_->read(lsns_[400])), ErrorCode::not_found);
}

TEST_F(PlacedRecordsTest, record_that_is_truncated_while_it_is_read_is_not_handed_out) {
  earn(*log_);
  env_.hook = [&] {
    env_.hook = nullptr;
    EXPECT_TRUE(log_->truncate_from(lsns_[300]));
  };
  EXPECT_FALSE(log_->read(lsns_[400]));
}

TEST_F(PlacedRecordsTest, trimmed_record_is_trimmed) {
  earn(*log_);
  while (log_->stats().segments_opened < 2) {
    ASSERT_TRUE(log_->append(std::string(100'000, 'x')));
  }
  expect_record(log_->read(lsns_[4]), lsns_[4], 4);
  ASSERT_TRUE(log_->trim_before(log_->end_lsn()));
  EXPECT_EQ(code_of(log_->read(lsns_[4])), ErrorCode::trimmed);
}

TEST_F(PlacedRecordsTest, damaged_record_is_corruption) {
  earn(*log_);
  damage(100);
  EXPECT_EQ(code_of(log_->read(lsns_[100])), ErrorCode::corruption);
  expect_record(log_->read(lsns_[200]), lsns_[200], 200);
}

TEST_F(PlacedRecordsTest, read_often_are_read_from_memory) {
  warm_up();
  uint64_t reads = 0;
  env_.hook = [&] { ++reads; };
  for (uint64_t i = 0; i < kRecords; ++i) expect_record(log_->read(lsns_[i]), lsns_[i], i);
  env_.hook = nullptr;
  // The one that lies in two windows is read, in two steps if it is long, and so are those that
  // reach into the last window, which is not full yet.
  EXPECT_LT(reads, 2 * kRecords / 5);
  EXPECT_EQ(code_of(log_->read(lsns_[5] + 8)), ErrorCode::not_found);
}

TEST_F(PlacedRecordsTest, view_of_a_window_outlives_the_log) {
  warm_up();
  const auto read = log_->read(lsns_[100]);
  log_.reset();
  expect_record(read, lsns_[100], 100);
}

TEST_F(PlacedRecordsTest, truncated_record_of_a_window_is_gone) {
  warm_up();
  ASSERT_TRUE(log_->truncate_from(lsns_[300]));
  EXPECT_EQ(code_of(log_->read(lsns_[400])), ErrorCode::not_found);
  while (log_->end_lsn() <= lsns_[400]) ASSERT_TRUE(log_->append("other"));
  EXPECT_EQ(code_of(log_->read(lsns_[400])), ErrorCode::not_found);
  expect_record(log_->read(lsns_[100]), lsns_[100], 100);
}

TEST_F(PlacedRecordsTest, trimmed_record_of_a_window_is_trimmed) {
  warm_up();
  while (log_->stats().segments_opened < 2) {
    ASSERT_TRUE(log_->append(std::string(100'000, 'x')));
  }
  expect_record(log_->read(lsns_[100]), lsns_[100], 100);
  ASSERT_TRUE(log_->trim_before(log_->end_lsn()));
  EXPECT_EQ(code_of(log_->read(lsns_[100])), ErrorCode::trimmed);
}

TEST_F(PlacedRecordsTest, damaged_record_of_a_window_is_corruption) {
  earn(*log_);
  damage(100);
  for (int i = 0; i < RecordWindows::kReadsToEarn; ++i) ASSERT_TRUE(log_->read(lsns_[101]));
  ASSERT_EQ(reads_of(*log_, lsns_[101]), 0U);
  EXPECT_EQ(code_of(log_->read(lsns_[100])), ErrorCode::corruption);
}

constexpr uint64_t kRecordBytes = 24;
constexpr uint64_t kHeaderBytes = 4096;

/// Has a record of 8 bytes at each Lsn that is a multiple of a window's size, and counts the
/// windows that are read.
class CountingReader final : public SegmentReader {
 public:
  uint64_t windows = 0;
  [[nodiscard]] uint64_t bytes() const override { return 1 << 20; }
  [[nodiscard]] const std::string& path() const override { return path_; }
  Result<void> read(uint64_t offset, std::span<std::byte> out, ReadSource) override {
    if (out.size() == RecordWindows::kWindowBytes) ++windows;
    std::ranges::fill(out, std::byte{0});
    const uint64_t lsn = (offset + out.size() - kHeaderBytes) / RecordWindows::kWindowBytes *
                         RecordWindows::kWindowBytes;
    const uint64_t at = kHeaderBytes + lsn;
    if (at < offset || at + kRecordBytes > offset + out.size()) return {};
    const auto record = out.subspan(at - offset, kRecordBytes);
    ::writeahead::internal::encode_record_header({.length = 8}, record);
    ::writeahead::internal::RecordRun run{.end = 0, .digest = 0};
    const auto payload = record.last(8);
    ::writeahead::internal::add_to_run(run, record, Lsn(lsn), 0,
                                       ::writeahead::internal::payload_hash(payload));
    return {};
  }
  void allow_cache_below(uint64_t) override {}
  Result<void> sync() override { return {}; }

 private:
  std::string path_ = "segment";
};

/// How many windows are read for so many records of one of them.
uint64_t windows_read(RecordWindows& windows, uint64_t index, int records, Lsn end) {
  CountingReader reader;
  SegmentView segment;
  segment.end_lsn = end;
  for (int i = 0; i < records; ++i) {
    EXPECT_TRUE(windows.read(reader, segment, Lsn(index * RecordWindows::kWindowBytes)));
  }
  return reader.windows;
}

TEST(RecordWindowsTest, window_is_read_once_when_it_was_earned) {
  RecordWindows windows;
  const Lsn end(1 << 20);
  EXPECT_EQ(windows_read(windows, 1, RecordWindows::kReadsToEarn - 1, end), 0U);
  EXPECT_EQ(windows_read(windows, 1, 1, end), 1U);
  EXPECT_EQ(windows_read(windows, 1, 100, end), 0U);
}

TEST(RecordWindowsTest, window_beyond_what_is_durable_is_not_read) {
  RecordWindows windows;
  const uint64_t end = 2 * RecordWindows::kWindowBytes - kHeaderBytes;
  EXPECT_EQ(windows_read(windows, 1, 100, Lsn(end - 8)), 0U);
  EXPECT_EQ(windows_read(windows, 1, 100, Lsn(end)), 1U) << "it grew";
}

TEST(RecordWindowsTest, oldest_window_goes_unless_it_is_used) {
  constexpr int kEarning = RecordWindows::kReadsToEarn;
  RecordWindows windows(2);
  const Lsn end(1 << 20);
  EXPECT_EQ(windows_read(windows, 0, kEarning, end), 1U);
  EXPECT_EQ(windows_read(windows, 1, kEarning, end), 1U);
  // Nobody came to 0 since it was loaded; to 1 somebody does.
  EXPECT_EQ(windows_read(windows, 1, 1, end), 0U);
  EXPECT_EQ(windows_read(windows, 2, kEarning, end), 1U);
  EXPECT_EQ(windows_read(windows, 1, 100, end), 0U);
  // Now 1 is the oldest, and in use: whoever comes for the first time leaves it.
  EXPECT_EQ(windows_read(windows, 0, kEarning, end), 0U);
  EXPECT_EQ(windows_read(windows, 1, 1, end), 0U) << "it is still there";
  EXPECT_EQ(windows_read(windows, 2, 1, end), 0U) << "and so is the other one";
  int tries = 0;
  while (windows_read(windows, 0, kEarning, end) == 0U) ASSERT_LT(++tries, 4);
}

TEST_F(PlacedRecordsTest, of_a_follower_answer_as_a_search_does) {
  const auto follower = ReadOnlyLog::open(kLogPath, {.env = &env_});
  ASSERT_TRUE(follower);
  earn(*follower);
  for (uint64_t i = 0; i < kRecords; ++i) expect_record(follower->read(lsns_[i]), lsns_[i], i);
}

TEST_F(PlacedRecordsTest, follower_is_not_handed_what_the_writer_took_back) {
  const auto follower = ReadOnlyLog::open(kLogPath, {.env = &env_});
  ASSERT_TRUE(follower);
  earn(*follower);
  // Into its memory, too.
  for (int i = 0; i < RecordWindows::kReadsToEarn; ++i) {
    for (const Lsn lsn : lsns_) ASSERT_TRUE(follower->read(lsn));
  }
  ASSERT_EQ(reads_of(*follower, lsns_[400]), 0U);
  ASSERT_TRUE(log_->truncate_from(lsns_[300]));
  EXPECT_FALSE(follower->read(lsns_[400]));
  expect_record(follower->read(lsns_[299]), lsns_[299], 299);
}

}  // namespace
}  // namespace writeahead::testing
