// Goal: what is durable below the block of the log's end is read through the page cache, by
// whichever call it became durable, and nothing above. Method: an Env that counts reads past the
// cache.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/forwarding_env.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

/// What went through a file, and what goes wrong there.
struct Reads {
  uint64_t count = 0;
  std::optional<uint64_t> wrong_at;  // A byte at this offset is not what it was.
};

class CountingFile final : public ForwardingFile {
 public:
  CountingFile(std::unique_ptr<File> file, Reads& reads)
      : ForwardingFile(std::move(file)), reads_(reads) {}
  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    ++reads_.count;
    auto count = ForwardingFile::read_at(offset, out);
    const auto wrong = reads_.wrong_at;
    if (wrong && *wrong >= offset && *wrong - offset < out.size()) {
      out[*wrong - offset] ^= std::byte{1};
    }
    return count;
  }

 private:
  Reads& reads_;
};

class CountingDirectory final : public ForwardingDirectory {
 public:
  CountingDirectory(std::unique_ptr<Directory> directory, Reads& direct, Reads& cached)
      : ForwardingDirectory(std::move(directory)), direct_(direct), cached_(cached) {}
  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override {
    is_direct_ = flags.direct;
    return ForwardingDirectory::open(name, flags);
  }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<CountingFile>(std::move(file), is_direct_ ? direct_ : cached_);
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<CountingDirectory>(std::move(directory), direct_, cached_);
  }

  bool is_direct_ = false;  // The file that is being opened.
  Reads& direct_;
  Reads& cached_;
};

class CountingEnv final : public ForwardingEnv {
 public:
  explicit CountingEnv(Env& env) : ForwardingEnv(env) {}
  [[nodiscard]] uint64_t direct_reads() const { return direct_.count; }
  /// The page cache shows another byte at this offset of each file than was written; or the device.
  void spoil_cache(uint64_t offset) { cached_.wrong_at = offset; }
  void spoil_device(uint64_t offset) { direct_.wrong_at = offset; }

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<CountingDirectory>(std::move(directory), direct_, cached_);
  }

  Reads direct_;
  Reads cached_;
};

/// A log on a machine of its own.
struct CountedLog {
  SimEnv machine{SimDisk{}};
  CountingEnv env{machine};
  Result<Log> log = Log::open(kLogPath, {.segment_bytes = 4 << 20,
                                         .flush_bytes = 1,
                                         .env = &env,
                                         .background = BackgroundWork::stepped});
};

TEST(ReadSource, durable_records_below_the_last_block_come_through_the_page_cache) {
  for (const auto level : {Durability::durable, Durability::written, Durability::buffered}) {
    CountedLog counted;
    ASSERT_TRUE(counted.log);
    const auto first = counted.log->append(std::string(5000, 'a'), {.durability = level});
    ASSERT_TRUE(first && counted.log->append(std::string(5000, 'b'), {.durability = level}));
    ASSERT_TRUE(counted.log->sync());
    const uint64_t before = counted.env.direct_reads();
    ASSERT_TRUE(counted.log->read(*first));
    EXPECT_EQ(counted.env.direct_reads(), before) << "level " << static_cast<int>(level);
  }
}

TEST(ReadSource, follower_reads_full_blocks_of_the_active_segment_through_the_page_cache) {
  CountedLog counted;
  ASSERT_TRUE(counted.log);
  // Far enough from the end that no read ahead comes to its block.
  const auto append_far_from_end = [&] {
    auto lsn = counted.log->append(std::string(5000, 'a'));
    EXPECT_TRUE(lsn && counted.log->append(std::string(600'000, 'b')));
    return lsn;
  };
  auto next = append_far_from_end();
  auto follower = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
  ASSERT_TRUE(next && follower);
  // What becomes durable later, too: the handle is the same.
  for (int i = 0; i < 2; ++i) {
    const uint64_t before = counted.env.direct_reads();
    const auto record = follower->read(*next);
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(counted.env.direct_reads(), before) << i;
    next = append_far_from_end();
    ASSERT_TRUE(next && follower->refresh());
  }
}

TEST(ReadSource, follower_takes_the_newest_bytes_from_the_writer) {
  CountedLog counted;
  ASSERT_TRUE(counted.log && counted.log->append("a"));
  auto follower = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
  ASSERT_TRUE(follower);
  Reader reader = follower->reader(follower->first_lsn());
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(reader.wait_next());
    const uint64_t before = counted.env.direct_reads();
    const auto last = counted.log->append(std::string(900, 'b'));
    ASSERT_TRUE(last && follower->refresh());
    const auto record = follower->read(*last);
    ASSERT_TRUE(record && record->payload.size() == 900);
    EXPECT_EQ(counted.env.direct_reads(), before) << i;
  }
}

/// Frames behind what the root proves may never have come to the device, whatever the writer shows.
TEST(ReadSource, opening_judges_what_the_device_has_and_not_what_the_writer_shows) {
  CountedLog counted;
  ASSERT_TRUE(counted.log && counted.log->append("proven"));
  counted.machine.advance_ns(2'000'000'000);
  while (counted.log->step_background()) {
  }
  const auto last = counted.log->append(std::string(900, 'b'));
  ASSERT_TRUE(last && ReadOnlyLog::open(kLogPath, {.env = &counted.env}));
  counted.env.spoil_device(kBlockBytes + (*last - counted.log->first_lsn()) + 500);
  const auto follower = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
  ASSERT_FALSE(follower);
  EXPECT_EQ(follower.error().code(), ErrorCode::corruption);
}

/// As for one of a crowd: what is not shown any more comes from the page cache.
TEST(ReadSource, follower_far_behind_takes_the_block_of_the_end_from_the_writer) {
  CountedLog counted;
  ASSERT_TRUE(counted.log && counted.log->append("a"));
  auto follower = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
  ASSERT_TRUE(follower);
  // So many that the window in which the log ends is larger than what is shown.
  for (int i = 0; i < 110; ++i) ASSERT_TRUE(counted.log->append(std::string(900, 'b')));
  ASSERT_TRUE(follower->refresh());
  const uint64_t before = counted.env.direct_reads();
  int count = 0;
  for (const auto& record : follower->reader(follower->first_lsn())) count += record ? 1 : 0;
  EXPECT_EQ(count, 111);
  EXPECT_EQ(counted.env.direct_reads(), before);
}

TEST(ReadSource, follower_of_nobody_reads_the_block_of_the_end_from_the_device) {
  CountedLog counted;
  ASSERT_TRUE(counted.log);
  const auto last = counted.log->append("a");
  auto follower = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
  ASSERT_TRUE(last && follower && counted.log->close());
  const uint64_t before = counted.env.direct_reads();
  ASSERT_TRUE(follower->read(*last));
  EXPECT_GT(counted.env.direct_reads(), before);
}

TEST(ReadSource, records_that_are_not_durable_are_read_past_it) {
  for (const auto level : {Durability::written, Durability::buffered}) {
    CountedLog counted;
    ASSERT_TRUE(counted.log);
    ASSERT_TRUE(counted.log->append(std::string(5000, 'a'), {.durability = level}));
    while (counted.log->step_background()) {
    }
    const uint64_t before = counted.env.direct_reads();
    Reader reader = counted.log->reader(counted.log->first_lsn(), {.include_unsynced = true});
    ASSERT_TRUE(reader.next());
    EXPECT_GT(counted.env.direct_reads(), before) << "level " << static_cast<int>(level);
  }
}

TEST(ReadSource, views_keep_their_bytes_while_their_reader_goes_on) {
  CountedLog counted;
  ASSERT_TRUE(counted.log);
  Reader reader = counted.log->reader(counted.log->first_lsn());
  std::vector<RecordView> views;
  // Each is read when it is the newest, so that no read brings two.
  for (const char fill : {'a', 'b', 'c', 'd'}) {
    ASSERT_TRUE(counted.log->append(std::string(5000, fill)));
    views.push_back(reader.next().value().value());
  }
  for (const RecordView& view : views) {
    const auto fill = static_cast<std::byte>('a' + view.ordinal);
    EXPECT_TRUE(std::ranges::all_of(view.payload, [&](std::byte b) { return b == fill; }));
  }
}

TEST(ReadSource, reader_that_shows_one_record_at_a_time_uses_its_memory_again) {
  CountedLog counted;
  ASSERT_TRUE(counted.log);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(counted.log->append(std::string(300'000, 'a')));
  std::set<const void*> places;
  for (auto& record : counted.log->reader(counted.log->first_lsn())) {
    ASSERT_TRUE(record);
    places.insert(record->pin.get());
  }
  EXPECT_LE(places.size(), 2U);
}

/// A log that was closed, with much before its end and nothing behind.
struct ClosedLog {
  CountedLog counted;
  Lsn first;
  Lsn end;

  ClosedLog() {
    first = counted.log->append(std::string(5000, 'a')).value();
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(counted.log->append(std::string(100'000, 'b')));
    end = counted.log->durable_lsn();
    EXPECT_TRUE(counted.log->close());
  }
  /// Reads past the cache that an opening takes.
  uint64_t open_only_to_read() {
    const uint64_t before = counted.env.direct_reads();
    const auto log = ReadOnlyLog::open(kLogPath, {.env = &counted.env});
    EXPECT_TRUE(log) << log.error().message();
    EXPECT_EQ(log->durable_lsn(), end);
    return counted.env.direct_reads() - before;
  }
  void change(std::string_view name, uint64_t offset) {
    auto directory = counted.machine.open_directory(std::string(kLogPath), false, 0).value();
    auto file = directory->open(name, {.write = true}).value();
    const std::byte damage{0xee};
    EXPECT_TRUE(file->write_at(offset, std::span(&damage, 1), WriteBarrier::dsync));
  }
};

TEST(ReadSource, closed_log_is_judged_by_its_cache_and_not_searched_behind_its_end) {
  ClosedLog closed;
  // The root's slots, headers and the block of the end.
  EXPECT_LE(closed.open_only_to_read(), 8U);
}

TEST(ReadSource, log_with_one_good_slot_is_searched_behind_its_end) {
  ClosedLog closed;
  const uint64_t before = closed.open_only_to_read();
  closed.change("log.root", 100);
  // 3 MiB behind the end, by windows of 1 MiB.
  EXPECT_GE(closed.open_only_to_read(), before + 3);
}

TEST(ReadSource, closed_log_that_the_cache_shows_damaged_is_judged_by_the_device) {
  ClosedLog closed;
  const uint64_t before = closed.open_only_to_read();
  closed.counted.env.spoil_cache(kBlockBytes + closed.first.value() + 100);
  EXPECT_GT(closed.open_only_to_read(), before);
}

TEST(ReadSource, writer_and_verification_judge_a_closed_log_by_the_device) {
  ClosedLog closed;
  // Behind both slots of the root.
  closed.counted.env.spoil_device(kBlockBytes + closed.first.value() + 4500);
  const auto report = ReadOnlyLog::verify(kLogPath, {.env = &closed.counted.env});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::corruption);
  const auto log = Log::open(kLogPath, {.env = &closed.counted.env});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), ErrorCode::corruption) << log.error().message();
}

}  // namespace
}  // namespace writeahead::testing
