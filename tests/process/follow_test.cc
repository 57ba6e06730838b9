// Goal: followers in other processes get every record once and in order, over rotations and trims,
// and over writers that are killed. Method: forked followers that check what they get, and keep in
// shared memory how far they are.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "format/control_page.h"
#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "support/system_calls.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using namespace std::chrono_literals;
namespace control_field = internal::control_field;

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
  // The files of trimmed segments got new records, under followers that may have had them open.
  EXPECT_GE(log.stats().recycled, kRotations / 10);
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

/// A follower that asks for the beginning of the log whenever it was overtaken by a trim.
int follow_over_trims(const std::string& path, SharedMemory<Progress>& shared,
                      const std::atomic<bool>& is_held) {
  auto log = ReadOnlyLog::open(path);
  if (!log) return 10;
  Progress::Follower& self = shared->followers[0];
  uint64_t next = 0;
  Reader reader = log->reader(log->first_lsn());
  for (bool was_trimmed = false; shared->records == 0 || next < shared->records;) {
    while (is_held) std::this_thread::yield();
    const auto record = reader.wait_next({}, 20ms);
    if (!record) continue;
    if (!*record) {
      // Told once, with the one code that says so, and never with a gap instead.
      if (was_trimmed || record->error().code() != ErrorCode::trimmed) return 12;
      if (auto refreshed = log->refresh(); !refreshed) return 13;
      reader = log->reader(log->first_lsn());
      was_trimmed = true;
      continue;
    }
    const uint64_t ordinal = (*record)->ordinal;
    const std::string_view got(reinterpret_cast<const char*>((*record)->payload.data()),
                               (*record)->payload.size());
    if (was_trimmed ? ordinal < next : ordinal != next) return 11;
    if (got != payload_of(ordinal)) return 14;
    if (was_trimmed) self.lsn.fetch_add(1);
    was_trimmed = false;
    self.records = next = ordinal + 1;
  }
  return 0;
}

TEST_F(FollowProcessTest, follower_that_a_trim_overtakes_is_told_and_goes_on_at_the_beginning) {
  constexpr uint64_t kRounds = kIsSanitized ? 3 : 10;
  const SharedMemory<std::atomic<bool>> is_held;
  ASSERT_TRUE(Log::open(path_, kTinySegments));
  followers_.push_back(
      std::make_unique<ForkedProcess>([&] { return follow_over_trims(path_, shared_, *is_held); }));
  Log log = Log::open(path_, kTinySegments).value();
  uint64_t records = 0;
  const auto append = [&](uint64_t batches) {
    for (; batches > 0; --batches) {
      Batch batch;
      for (int i = 0; i < 30; ++i) batch.add(payload_of(records++));
      ASSERT_TRUE(log.append(batch));
    }
  };
  for (uint64_t round = 0; round < kRounds; ++round) {
    append(10);
    ASSERT_TRUE(await(0, records));
    is_held->store(true);
    append(100);
    ASSERT_TRUE(log.trim_before(log.durable_lsn()));
    append(round % 2 == 0 ? 0 : 2);
    is_held->store(false);
    append(1);
  }
  shared_->records = records;
  expect_all_end_well();
  EXPECT_GE(shared_->followers[0].lsn, kRounds / 2) << "it was overtaken";
}

/// What a writer stores into the control page, in this order. When it opens the log, the epoch is 0
/// before the first of these and the new one before the last.
constexpr std::array kAnnounced{
    control_field::boot_id.offset,          control_field::boot_id.offset + 8,
    control_field::log_id.offset,           control_field::log_id.offset + 8,
    control_field::process_id.offset,       control_field::process_start_time.offset,
    control_field::truncation_count.offset, control_field::durable_lsn.offset,
    control_field::wake_word.offset};
constexpr size_t kAnnounceStores = kAnnounced.size() + 2;
/// When a record became durable.
constexpr std::array kPublished{control_field::durable_lsn.offset, control_field::wake_word.offset};

class ControlPage {
 public:
  explicit ControlPage(const std::string& path) : file_(::open(path.c_str(), O_RDWR)) {
    if (file_ < 0) throw std::runtime_error("no control page");
  }
  ControlPage(const ControlPage&) = delete;
  ControlPage& operator=(const ControlPage&) = delete;
  ~ControlPage() { ::close(file_); }

  [[nodiscard]] uint64_t load(uint32_t offset) const {
    uint64_t word = 0;
    return ::pread(file_, &word, sizeof word, offset) == sizeof word ? word : 0;
  }
  void store(uint32_t offset, uint64_t word) const {
    if (::pwrite(file_, &word, sizeof word, offset) != sizeof word) std::abort();
  }

 private:
  int file_;
};

using Words = std::map<uint32_t, uint64_t>;

Words words_of(const ControlPage& page) {
  Words words;
  for (const uint32_t field : kAnnounced) words[field] = page.load(field);
  words[control_field::epoch.offset] = page.load(control_field::epoch.offset);
  return words;
}

/// The page behind so many stores of an opening.
Words announce_partly(Words words, const Words& opened, size_t stores) {
  constexpr uint32_t kEpoch = control_field::epoch.offset;
  constexpr size_t kEpochAgain = kAnnounced.size();  // the store that gives the new epoch
  if (stores > 0) words[kEpoch] = 0;
  for (size_t i = 0; i + 1 < kAnnounced.size(); ++i) {
    if (stores > 1 + i) words[kAnnounced[i]] = opened.at(kAnnounced[i]);
  }
  if (stores > kEpochAgain) words[kEpoch] = opened.at(kEpoch);
  if (stores > kEpochAgain + 1) words[kAnnounced.back()] = opened.at(kAnnounced.back());
  return words;
}

/// The body of a writer that ends as if it was killed behind so many of the stores of its opening.
int die_in_opening(const std::string& path, size_t stores) {
  const ControlPage page(path + "/control");
  const Words before = words_of(page);
  auto log = Log::open(path, kTinySegments);
  if (!log) return 1;
  const Words opened = words_of(page);
  for (const auto& [field, word] : announce_partly(before, opened, stores)) page.store(field, word);
  ::raise(SIGKILL);
  return 2;
}

/// The same for the stores that tell of a record.
int die_in_append(const std::string& path, uint64_t next, size_t stores) {
  const ControlPage page(path + "/control");
  auto log = Log::open(path, kTinySegments);
  if (!log || (log->last() ? log->last()->ordinal + 1 : 0) != next) return 1;
  const Words opened = words_of(page);
  if (!log->append(payload_of(next))) return 2;
  for (size_t i = stores; i < kPublished.size(); ++i) {
    page.store(kPublished[i], opened.at(kPublished[i]));
  }
  ::raise(SIGKILL);
  return 3;
}

TEST_F(FollowProcessTest, follower_goes_on_over_writers_that_are_killed_inside_an_update) {
  start_followers(1);
  uint64_t next = 0;
  // The follower sees the page as the dead writer leaves it, and not what came in between.
  const auto run = [&](const std::function<int()>& body) {
    followers_[0]->send_signal(SIGSTOP);
    ForkedProcess writer(body);
    const int end = writer.wait();
    followers_[0]->send_signal(SIGCONT);
    ASSERT_EQ(end, -SIGKILL);
  };
  const auto append = [&](size_t stores) {
    SCOPED_TRACE(::testing::Message() << stores << " stores of an append");
    ASSERT_NO_FATAL_FAILURE(run([&] { return die_in_append(path_, next, stores); }));
    ++next;
    // Nobody says so, and the follower is to find out by itself, before there is another writer.
    ASSERT_TRUE(await(0, next)) << followers_[0]->wait();
  };
  for (size_t i = 0; i <= kPublished.size(); ++i) ASSERT_NO_FATAL_FAILURE(append(i));
  for (size_t i = 0; i <= kAnnounceStores; ++i) {
    SCOPED_TRACE(::testing::Message() << i << " stores of an opening");
    ASSERT_NO_FATAL_FAILURE(run([&] { return die_in_opening(path_, i); }));
    ASSERT_NO_FATAL_FAILURE(append(i % (kPublished.size() + 1)));
  }
  shared_->records = next;
  expect_all_end_well();
}

/// Follows as any reader does, and marks in the list of its calls where each record was handed out.
int follow_marked(const std::string& path, SharedMemory<Progress>& shared) {
  auto log = ReadOnlyLog::open(path);
  if (!log) return 10;
  Reader reader = log->reader(log->first_lsn());
  for (uint64_t next = 0; shared->records == 0 || next < shared->records;) {
    mark_place();
    const auto record = reader.wait_next();
    mark_place();
    if (!record || !*record || (*record)->ordinal != next) return 11;
    shared->followers[0].records = ++next;
  }
  return 0;
}

TEST_F(FollowProcessTest, records_are_delivered_by_a_wake_up_and_not_by_the_poll) {
  if (const auto refusal = tracing_refusal()) {
    std::cout << "NOT TESTED, for want of tracing: " << *refusal << std::endl;
    GTEST_SKIP() << *refusal;
  }
  constexpr uint64_t kRecords = 120;
  ASSERT_TRUE(Log::open(path_, kTinySegments));
  const auto write = [&] {
    Log log = Log::open(path_, kTinySegments).value();
    for (uint64_t i = 0; i < kRecords; ++i) {
      while (shared_->followers[0].records < i) std::this_thread::yield();
      // Long enough to fall asleep, and now and then for some polls that find nothing.
      const auto until = std::chrono::steady_clock::now() + (i % 10 == 0 ? 130ms : 3ms);
      while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
      if (i + 1 == kRecords) shared_->records = kRecords;
      ASSERT_TRUE(log.append(std::string(1000, 'x')));
    }
    while (shared_->followers[0].records < kRecords) std::this_thread::yield();
  };
  const auto trace =
      trace_process(scratch_.path("list"), [&] { return follow_marked(path_, shared_); }, write);
  ASSERT_EQ(trace.end, 0);
  uint64_t waited = 0;
  uint64_t polled = 0;
  uint64_t by_poll = 0;
  for (const auto& calls : trace.marked()) {
    const SystemCall* last = nullptr;
    for (const SystemCall& call : calls) {
      if (call.name != "futex") continue;
      last = &call;
      polled += call.text.contains("ETIMEDOUT") ? 1 : 0;
    }
    if (last == nullptr) continue;
    ++waited;
    by_poll += last->text.contains("ETIMEDOUT") ? 1 : 0;
  }
  std::cout << waited << " records waited for, " << by_poll << " of them delivered by a poll; "
            << polled << " polls" << std::endl;
  EXPECT_GT(waited, kRecords / 2);
  EXPECT_GT(polled, 0U);
  // A time-out may meet the wake-up.
  EXPECT_LE(by_poll, 1U);
}

}  // namespace
}  // namespace writeahead::test
