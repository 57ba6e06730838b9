// Readers that see more than what is durable: what was written, in its order, and only as long as
// the log has not failed.
//
// Method: a stepped log on a simulated machine, so that it is known what was written and synced;
// and of threads that wait it is known that they sleep.
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "support/watched_thread.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr ReaderOptions kUnsynced{.include_unsynced = true};

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

class UnsyncedReaderTest : public ::testing::Test {
 protected:
  UnsyncedReaderTest() { reopen(); }

  void reopen(uint64_t segment_bytes = 1 << 20) {
    log_.reset();
    log_.emplace(Log::open("/log", {.segment_bytes = segment_bytes,
                                    .env = &env_,
                                    .background = BackgroundWork::stepped})
                     .value());
  }
  Lsn append(const std::string& text, Durability durability = Durability::durable) {
    return log_->append(text, {.durability = durability}).value();
  }
  /// What a reader shows from where it stands, and the code of the error that ends it.
  static std::string drain(Reader& reader) {
    std::string shown;
    while (auto record = reader.next()) {
      if (!*record) return shown + std::string(to_string(record->error().code()));
      shown += text_of(**record) + " ";
    }
    return shown;
  }
  std::string show(ReaderOptions options = {}) {
    Reader reader = log_->reader(log_->first_lsn(), options);
    return drain(reader);
  }
  void step() {
    while (log_->step_background()) {
    }
  }
  void fail_next_sync() {
    env_.fail_call(env_.calls(CallKind::sync) + 1, EIO, FaultSpan::once, CallKind::sync);
  }

  SimEnv env_{SimDisk()};
  std::optional<Log> log_;
};

TEST_F(UnsyncedReaderTest, shows_written_records_when_their_append_returned) {
  append("a");
  append("b", Durability::written);
  EXPECT_EQ(show(), "a ");
  EXPECT_EQ(show(kUnsynced), "a b ");
  append(std::string(9000, 'c'), Durability::written);
  append("d", Durability::written);
  EXPECT_EQ(show(kUnsynced), "a b " + std::string(9000, 'c') + " d ");
  EXPECT_EQ(show(), "a ");
  ASSERT_TRUE(log_->sync());
  EXPECT_EQ(show(), show(kUnsynced));
}

TEST_F(UnsyncedReaderTest, shows_buffered_records_once_they_were_written) {
  Reader reader = log_->reader(log_->first_lsn(), kUnsynced);
  append("a", Durability::buffered);
  EXPECT_EQ(drain(reader), "");
  env_.advance_ns(100'000'000);
  step();
  EXPECT_EQ(drain(reader), "a ");
  EXPECT_EQ(show(), "");
  // A written one takes those before it along.
  append("b", Durability::buffered);
  append("c", Durability::written);
  EXPECT_EQ(drain(reader), "b c ");
}

TEST_F(UnsyncedReaderTest, begins_at_a_record_that_is_not_durable) {
  append("a");
  const Lsn b = append("b", Durability::written);
  append("c", Durability::written);
  Reader unsynced = log_->reader(b, kUnsynced);
  EXPECT_EQ(drain(unsynced), "b c ");
  Reader behind = log_->reader(unsynced.position() + 8, kUnsynced);
  EXPECT_EQ(drain(behind), "not_found");
  Reader durable = log_->reader(b);
  EXPECT_EQ(drain(durable), "not_found");
}

TEST_F(UnsyncedReaderTest, goes_on_across_rotations) {
  reopen(8192);
  Reader reader = log_->reader(log_->first_lsn(), kUnsynced);
  std::string all;
  for (char c = 'a'; c < 'g'; ++c) {
    const std::string payload(c % 2 == 0 ? 2500 : 300, c);
    append(payload, Durability::written);
    EXPECT_EQ(drain(reader), payload + " ");
    all += payload + " ";
    if (c == 'd') step();
  }
  EXPECT_GT(log_->segments().size(), 2U);
  EXPECT_EQ(show(kUnsynced), all);
  ASSERT_TRUE(log_->close());
  reopen(8192);
  EXPECT_EQ(show(), all);
}

TEST_F(UnsyncedReaderTest, shows_nothing_above_the_durable_end_once_the_log_failed) {
  append("a");
  const Lsn b = append("b", Durability::written);
  append("c", Durability::written);
  Reader ahead = log_->reader(b, kUnsynced);
  ASSERT_EQ(text_of(ahead.next()->value()), "b");
  Reader behind = log_->reader(log_->first_lsn(), kUnsynced);
  fail_next_sync();
  ASSERT_FALSE(log_->sync());
  EXPECT_EQ(drain(ahead), "failed");
  EXPECT_EQ(drain(behind), "a failed");
  EXPECT_EQ(show(kUnsynced), "a failed");
  EXPECT_EQ(show(), "a ");
  // The error stays for who waits, and is told once to who does not.
  EXPECT_EQ(drain(behind), "");
  EXPECT_EQ(behind.wait_next()->error().code(), ErrorCode::failed);
}

TEST_F(UnsyncedReaderTest, is_told_of_a_truncation_below_it) {
  const Lsn a = append("a");
  const Lsn b = append("b", Durability::written);
  Reader above = log_->reader(b, kUnsynced);
  Reader below = log_->reader(a, kUnsynced);
  ASSERT_EQ(drain(above), "b ");
  ASSERT_EQ(text_of(below.next()->value()), "a");
  ASSERT_TRUE(log_->truncate_from(b));
  append("x", Durability::written);
  EXPECT_EQ(drain(above), "truncated");
  EXPECT_EQ(drain(below), "x ");
}

TEST_F(UnsyncedReaderTest, does_not_call_it_corruption_where_nothing_was_promised) {
  append("a");
  append(std::string(9000, 'b'), Durability::written);
  auto directory = env_.open_directory("/log", false, 0);
  ASSERT_TRUE(directory);
  auto file = (*directory)->open("00000000000000000001.wal", {.write = true});
  ASSERT_TRUE(file);
  const std::vector<std::byte> zeros(100);
  ASSERT_TRUE((*file)->write_at(8192, zeros, WriteBarrier::none));
  EXPECT_EQ(show(kUnsynced), "a io");
  EXPECT_EQ(show(), "a ");
}

/// A reader at the end of a log, and a thread that waits for its next record.
struct WaitingReader {
  explicit WaitingReader(Reader at_end) : reader(std::move(at_end)) {}

  Reader reader;
  std::string seen;  // for who has joined the thread: texts, and the code of the error at the end
  test::WatchedThread thread{[this](const std::stop_token& stop) {
    while (auto record = reader.wait_next(stop)) {
      if (*record) {
        seen += text_of(**record) + " ";
      } else {
        seen += to_string(record->error().code());
        return;
      }
    }
  }};
};

TEST_F(UnsyncedReaderTest, wakes_up_when_something_was_written_and_others_do_not) {
  append("a");
  WaitingReader durable(log_->reader(log_->end_lsn()));
  WaitingReader unsynced(log_->reader(log_->end_lsn(), kUnsynced));
  ASSERT_TRUE(durable.thread.falls_asleep() && unsynced.thread.falls_asleep());
  append("b", Durability::written);
  ASSERT_TRUE(unsynced.thread.was_woken());
  EXPECT_FALSE(durable.thread.was_woken());
  ASSERT_TRUE(unsynced.thread.falls_asleep());
  fail_next_sync();
  ASSERT_FALSE(log_->sync());
  ASSERT_TRUE(unsynced.thread.was_woken() && durable.thread.was_woken());
  unsynced.thread.join();
  durable.thread.join();
  EXPECT_EQ(unsynced.seen, "b failed");
  EXPECT_EQ(durable.seen, "failed");
}

TEST_F(UnsyncedReaderTest, ends_with_the_log_when_all_was_read) {
  Reader reader = log_->reader(log_->first_lsn(), kUnsynced);
  append("a", Durability::buffered);
  ASSERT_TRUE(log_->close());
  EXPECT_EQ(text_of(reader.wait_next()->value()), "a");
  EXPECT_EQ(reader.wait_next()->error().code(), ErrorCode::closed);
}

}  // namespace
}  // namespace writeahead::testing
