// Goal: followers in other processes get every record once and in order, over rotations and trims,
// and over writers that are killed. Method: forked followers that check what they get, and keep in
// shared memory how far they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using namespace std::chrono_literals;

constexpr Options kTinySegments{.segment_bytes = 4608};
constexpr size_t kFollowers = kIsSanitized ? 2 : 10;

struct Progress {
  std::atomic<uint64_t> records;  // how many there will be; 0: not known yet
  struct Follower {
    std::atomic<uint64_t> records;
    std::atomic<uint64_t> lsn;
  };
  std::array<Follower, kFollowers> followers;
};

/// What a record says is its number, so that whoever reads it knows what it should be.
std::string payload_of(uint64_t ordinal) {
  return std::to_string(ordinal) + std::string(ordinal % 100, '.');
}

class FollowProcessTest : public ::testing::Test {
 protected:
  /// The body of a follower, from the first record to the last.
  int follow(size_t index) {
    auto log = ReadOnlyLog::open(path_);
    if (!log) return 10;
    Progress::Follower& self = shared_->followers[index];
    Reader reader = log->reader(log->first_lsn());
    for (uint64_t next = 0; shared_->records == 0 || next < shared_->records;) {
      const auto record = reader.wait_next({}, 20ms);
      if (!record) continue;
      if (!*record) return 20 + static_cast<int>(record->error().code());
      const std::string expected = payload_of(next);
      const std::string_view got(reinterpret_cast<const char*>((*record)->payload.data()),
                                 (*record)->payload.size());
      if ((*record)->ordinal != next || got != expected) return 11;
      self.records = ++next;
      self.lsn = reader.position().value();
    }
    return 0;
  }
  void start_followers(size_t count) {
    ASSERT_TRUE(Log::open(path_, kTinySegments));
    for (size_t i = 0; i < count; ++i) {
      followers_.push_back(std::make_unique<ForkedProcess>([this, i] { return follow(i); }));
    }
  }
  /// Waits until a follower has so many records; false if it ended before.
  bool await(size_t index, uint64_t records) {
    while (shared_->followers[index].records < records) {
      if (followers_[index]->ended()) return shared_->followers[index].records >= records;
      std::this_thread::yield();
    }
    return true;
  }
  void expect_all_end_well() {
    for (const auto& follower : followers_) EXPECT_EQ(follower->wait(), 0);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<Progress> shared_;
  std::vector<std::unique_ptr<ForkedProcess>> followers_;
};

TEST_F(FollowProcessTest, followers_get_all_records_once_over_a_thousand_rotations_and_trims) {
  constexpr uint64_t kRotations = kIsSanitized ? 100 : 1000;
  constexpr uint64_t kTrimEvery = 50;
  start_followers(kFollowers);
  Log log = Log::open(path_, kTinySegments).value();
  uint64_t records = 0;
  for (uint64_t trimmed = 0; log.stats().segments_opened <= kRotations;) {
    Batch batch;
    for (int i = 0; i < 30; ++i) batch.add(payload_of(records++));
    ASSERT_TRUE(log.append(batch));
    if (log.stats().segments_opened < trimmed + kTrimEvery) continue;
    trimmed = log.stats().segments_opened;
    uint64_t lowest = log.end_lsn().value();
    for (const auto& follower : shared_->followers) lowest = std::min(lowest, follower.lsn.load());
    ASSERT_TRUE(log.trim_before(Lsn(lowest)));
  }
  shared_->records = records;
  // Nobody needs the end of the writer to get the last record.
  expect_all_end_well();
}

TEST_F(FollowProcessTest, follower_goes_on_over_writers_that_are_killed) {
  constexpr int kWriters = kIsSanitized ? 3 : 12;
  start_followers(1);
  for (int i = 0; i < kWriters; ++i) {
    ForkedProcess writer([this] {
      auto log = Log::open(path_, kTinySegments);
      if (!log) return 1;
      const auto last = log->last();
      for (uint64_t next = last ? last->ordinal + 1 : 0;; ++next) {
        const auto level = next % 3 == 0 ? Durability::durable : Durability::written;
        if (!log->append(payload_of(next), {.durability = level})) return 2;
      }
    });
    ASSERT_TRUE(await(0, shared_->followers[0].records + 100));
    ASSERT_EQ(writer.kill(), -SIGKILL);
  }
  // What the last one left behind is delivered, too, though nobody says that it is durable.
  const auto end = ReadOnlyLog::open(path_);
  ASSERT_TRUE(end) << end.error().message();
  shared_->records = end->records();
  expect_all_end_well();
}

}  // namespace
}  // namespace writeahead::test
