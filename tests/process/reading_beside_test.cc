// Goal: whoever only reads sees a sound prefix of a log beside its writer, whatever that does, and
// the writer notices nothing of it.
// Method: a child appends as fast as it can to a log of small segments, so that it rotates all the
// time; this process opens and verifies the log again and again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/append_history.h"
#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using Verdict = VerifyReport::Verdict;

constexpr Options kSmallSegments{.segment_bytes = 8192};
constexpr size_t kWriterThreads = 2;

/// Names with size and time of the last change.
std::map<std::string, std::string> state_of(const std::string& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    const auto time = entry.last_write_time().time_since_epoch().count();
    const auto bytes = entry.is_regular_file() ? entry.file_size() : 0;
    files[entry.path()] = std::to_string(bytes) + " bytes, " + std::to_string(time);
  }
  return files;
}

/// A log with what was appended to it. Tests take a new one now and then: to read all of a log
/// again and again takes quadratic time.
class Beside {
 public:
  /// The body of a writer: appends until it is killed.
  int append_for_ever() {
    auto log = Log::open(path_, kSmallSegments);
    if (!log) return 3;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kWriterThreads; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937_64 random(i);
        while (history_->append_next(*log, i, random)) {
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return 4;
  }
  /// The body of a writer that opens and closes all the time.
  int reopen_for_ever() {
    std::mt19937_64 random(1);
    while (true) {
      auto log = Log::open(path_, kSmallSegments);
      if (!log) return 3;
      for (uint64_t i = random() % 30; i > 0; --i) {
        if (!history_->append_next(*log, 0, random)) return 4;
      }
      if (!log->close()) return 5;
    }
  }
  /// Waits until so many records are acknowledged; false if the writer ended before.
  bool await_records(ForkedProcess& writer, uint64_t count) {
    while (history_->life.answered.load() < count) {
      if (writer.ended()) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void verify_once() {
    const auto report = ReadOnlyLog::verify(path_);
    ASSERT_TRUE(report) << report.error().message();
    for (const Finding& finding : report->findings) {
      ADD_FAILURE() << finding.file << " offset " << finding.offset << ": " << finding.what;
    }
    ASSERT_EQ(report->verdict, Verdict::ok);
  }
  void read_once() {
    const uint64_t acknowledged = history_->life.answered.load();
    const auto log = ReadOnlyLog::open(path_);
    ASSERT_TRUE(log) << log.error().message();
    EXPECT_GE(log->records(), acknowledged);
    EXPECT_GE(log->records(), check_.records());
    const auto wrong = check_.read_prefix(*log);
    ASSERT_FALSE(wrong) << *wrong;
    EXPECT_EQ(check_.records(), log->records());
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] uint64_t acknowledged() const { return history_->life.answered.load(); }
  [[nodiscard]] HistoryCheck& check() { return check_; }

 private:
  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<AppendHistory> history_;
  HistoryCheck check_{*history_};
};

constexpr int kLogs = kIsSanitized ? 2 : 8;
constexpr int kRounds = kIsSanitized ? 6 : 12;

TEST(ReadingBesideTest, verify_beside_a_rotating_writer_finds_nothing) {
  for (int log = 0; log < kLogs; ++log) {
    Beside beside;
    ForkedProcess writer([&] { return beside.append_for_ever(); });
    ASSERT_TRUE(beside.await_records(writer, 1));
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_NO_FATAL_FAILURE(beside.verify_once());
    }
    ASSERT_TRUE(beside.await_records(writer, 200));
    const auto report = ReadOnlyLog::verify(beside.path());
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(report->is_live);
    EXPECT_GT(report->segments, 3U);
    EXPECT_EQ(writer.kill(), -SIGKILL);
  }
}

TEST(ReadingBesideTest, readers_beside_a_rotating_writer_see_a_growing_prefix) {
  for (int log = 0; log < kLogs; ++log) {
    Beside beside;
    ForkedProcess writer([&] { return beside.append_for_ever(); });
    ASSERT_TRUE(beside.await_records(writer, 1));
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_NO_FATAL_FAILURE(beside.read_once());
    }
    EXPECT_EQ(writer.kill(), -SIGKILL);
    const auto end = ReadOnlyLog::open(beside.path());
    ASSERT_TRUE(end) << end.error().message();
    const auto wrong = beside.check().read_on(*end);
    EXPECT_FALSE(wrong) << *wrong;
  }
}

TEST(ReadingBesideTest, openings_and_closings_of_the_writer_look_like_no_damage) {
  for (int log = 0; log < kLogs; ++log) {
    Beside beside;
    ForkedProcess writer([&] { return beside.reopen_for_ever(); });
    ASSERT_TRUE(beside.await_records(writer, 1));
    for (int i = 0; i < kRounds; ++i) {
      ASSERT_NO_FATAL_FAILURE(beside.verify_once());
      ASSERT_NO_FATAL_FAILURE(beside.read_once());
    }
    EXPECT_EQ(writer.kill(), -SIGKILL);
  }
}

TEST(ReadingBesideTest, read_only_log_outlives_its_writer_and_the_next_one) {
  Beside beside;
  std::optional<ReadOnlyLog> log;
  {
    ForkedProcess writer([&] { return beside.append_for_ever(); });
    ASSERT_TRUE(beside.await_records(writer, 300));
    log.emplace(ReadOnlyLog::open(beside.path()).value());
    EXPECT_EQ(writer.kill(), -SIGKILL);
  }
  ForkedProcess next([&] { return beside.reopen_for_ever(); });
  ASSERT_TRUE(beside.await_records(next, beside.acknowledged() + 30));
  const auto wrong = beside.check().read_prefix(*log);
  EXPECT_FALSE(wrong) << *wrong;
  EXPECT_EQ(beside.check().records(), log->records());
  EXPECT_GE(log->records(), 300U);
}

TEST(ReadingBesideTest, reading_takes_no_lock_and_writes_nothing) {
  const Beside beside;
  const std::string& path = beside.path();
  {
    Log log = Log::open(path, kSmallSegments).value();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(log.append(std::string(200, 'x')));
  }
  const auto before = state_of(path);
  const auto reader = ReadOnlyLog::open(path);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->records(), 100U);
  for (const auto& record : reader->reader(reader->first_lsn())) ASSERT_TRUE(record);
  const auto report = ReadOnlyLog::verify(path);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->is_live) << "the log was closed, though by this process";
  EXPECT_EQ(state_of(path), before);
  // A writer comes beside the reader, and both go on.
  auto log = Log::open(path, kSmallSegments);
  ASSERT_TRUE(log) << log.error().message();
  ASSERT_TRUE(log->append("one more"));
  EXPECT_EQ(reader->records(), 100U);
  EXPECT_EQ(reader->last()->ordinal, 99U);
  EXPECT_EQ(ReadOnlyLog::open(path)->records(), 101U);
}

}  // namespace

}  // namespace writeahead::test
