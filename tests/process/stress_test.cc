// Goal: everything at once, by eight threads, is right and ends: appends of all kinds, syncs,
// reads, a follower, rotations, trims, truncations, and a close with appends on their way; what was
// acknowledged then and not taken away is there. Method: real files and small segments; every
// payload says what it is, and whoever reads one checks it. For ThreadSanitizer above all.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "support/counts.h"
#include "support/marked_payload.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using namespace std::chrono_literals;

class StressTest : public ::testing::Test {
 protected:
  using Random = std::minstd_rand;

  /// The next payload of a writer; small ones above all.
  std::string next_payload(uint64_t writer, Random& random) {
    const uint64_t number = submitted_.at(writer)++;
    const uint64_t most = random() % 32 == 0 ? 6000 : 300;
    return payload_of({.writer = writer,
                       .number = number,
                       .batch_first = number,
                       .batch_count = 1,
                       .bytes = sizeof(Mark) + random() % most});
  }
  /// Whether a call went as calls may go while others trim, truncate and close.
  void expect_only(const Error& error, std::initializer_list<ErrorCode> allowed, const char* what) {
    for (const ErrorCode code : allowed) {
      if (error.code() == code) return;
    }
    ADD_FAILURE() << what << ": " << error.message();
    stops_ = true;
  }

  void append(uint64_t writer, Random& random) {
    constexpr std::array kLevels{Durability::durable, Durability::written, Durability::buffered};
    const Durability level = kLevels.at(random() % kLevels.size());
    if (random() % 4 == 0) {
      Batch batch;
      for (uint64_t i = 1 + random() % 4; i > 0; --i) batch.add(next_payload(writer, random));
      const auto range = log_->append(batch, level);
      if (!range) return expect_only(range.error(), {ErrorCode::closed}, "append a batch");
      appended_ += batch.size();
    } else {
      const auto lsn = log_->append(next_payload(writer, random), {.durability = level});
      if (!lsn) return expect_only(lsn.error(), {ErrorCode::closed}, "append");
      ++appended_;
      newest_ = lsn->value();
    }
  }
  void append_async(uint64_t writer, Random& random) {
    ++started_;
    const bool is_kept = keeps_all_;
    const std::string payload = next_payload(writer, random);
    const uint64_t number = mark_of(std::as_bytes(std::span(payload)))->number;
    log_->append_async(payload, {}, [this, is_kept, writer, number](Result<Lsn> lsn) {
      ++answered_;
      if (lsn) ++appended_;
      if (lsn && is_kept) keep(*lsn, writer, number);
      if (!lsn) expect_only(lsn.error(), {ErrorCode::closed}, "append_async");
    });
    // Some come back from a callback's neighbourhood, some in a row.
    if (random() % 8 == 0) std::this_thread::yield();
  }
  /// Nothing takes this record back any more, though a trim may take it away.
  void keep(Lsn lsn, uint64_t writer, uint64_t number) {
    const std::scoped_lock lock(kept_mutex_);
    kept_.push_back({lsn, writer, number});
  }
  /// From here on there are no truncations, and what is acknowledged stays.
  void append_known_tail(uint64_t writer) {
    {
      const std::scoped_lock lock(truncation_mutex_);
      keeps_all_ = true;
    }
    Random random(static_cast<uint32_t>(test_seed() + 7));
    for (uint64_t i = 0; i < kTailRecords; ++i) {
      const uint64_t number = submitted_.at(writer);
      const auto lsn = log_->append(next_payload(writer, random));
      ASSERT_TRUE(lsn) << lsn.error().message();
      keep(*lsn, writer, number);
    }
  }
  /// All that nothing took away is in the log, each record at its address.
  void expect_kept(const ReadOnlyLog& log) {
    uint64_t found = 0;
    for (const Kept& kept : kept_) {
      const auto record = log.read(kept.lsn);
      if (!record && record.error().code() == ErrorCode::trimmed) continue;
      ASSERT_TRUE(record) << kept.lsn.value() << ": " << record.error().message();
      const auto mark = mark_of(record->payload);
      ASSERT_TRUE(mark && mark->writer == kept.writer && mark->number == kept.number)
          << "another record is at " << kept.lsn.value();
      ++found;
    }
    EXPECT_GT(found, 0U);
    print_count(part::kConcurrency, "acknowledged records found after a close", found);
  }

  void wait(Random& random) {
    const auto synced = random() % 2 == 0 ? log_->sync() : log_->wait_durable(Lsn(newest_), 2ms);
    if (synced) return;
    // What is waited for may be truncated, and time may be over.
    expect_only(synced.error(), {ErrorCode::closed, ErrorCode::would_block, ErrorCode::not_found},
                "sync or wait");
  }
  void check(const RecordView& record) {
    const auto mark = mark_of(record.payload);
    if (!mark || mark->number >= submitted_.at(mark->writer)) {
      ADD_FAILURE() << "the record at " << record.lsn.value() << " was never appended";
      stops_ = true;
    }
    ++read_;
  }
  void read(Random& random) {
    const Lsn from = random() % 2 == 0 ? log_->first_lsn() : Lsn(newest_);
    const auto record = log_->read(from);
    if (record) return check(*record);
    expect_only(record.error(),
                {ErrorCode::closed, ErrorCode::not_found, ErrorCode::trimmed, ErrorCode::truncated},
                "read");
  }
  /// From wherever it is; again from the beginning when that was taken away.
  void follow(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      Reader reader = log_->reader(log_->first_lsn());
      std::optional<uint64_t> last;
      while (auto record = reader.wait_next(stop)) {
        if (!*record) {
          const ErrorCode code = record->error().code();
          if (code == ErrorCode::closed) return;
          expect_only(record->error(),
                      {ErrorCode::truncated, ErrorCode::trimmed, ErrorCode::not_found}, "follow");
          break;
        }
        check(**record);
        // A truncation that lies above the reader leaves its order as it is.
        EXPECT_TRUE(!last || (*record)->ordinal == *last + 1);
        last = (*record)->ordinal;
      }
    }
  }
  void trim_or_truncate(Random& random) {
    const auto segments = log_->segments();
    if (segments.size() > 6) {
      const auto done = log_->trim_before(segments[segments.size() / 2].base_lsn);
      if (!done) return expect_only(done.error(), {ErrorCode::closed}, "trim");
      ++trims_;
    }
    if (random() % 8 != 0) return;
    const std::scoped_lock lock(truncation_mutex_);
    if (keeps_all_) return;
    const auto done = log_->truncate_from(Lsn(newest_));
    if (done) ++truncations_;
    if (!done) {
      expect_only(done.error(), {ErrorCode::closed, ErrorCode::not_found, ErrorCode::trimmed},
                  "truncate");
    }
  }

  /// A thread that does so until `count` times, or until it is enough.
  std::jthread repeat(uint64_t count, uint64_t number, std::function<void(Random&)> body) {
    return std::jthread([=, this] {
      Random random(static_cast<uint32_t>(test_seed() + number));
      for (uint64_t i = 0; i < count && !stops_; ++i) body(random);
    });
  }

  /// All threads at once, until the log is closed under them; behind truncations, or behind records
  /// that are to be kept.
  void run(bool closes_behind_tail) {
    // Not as few as sanitizers get elsewhere: it is made for one of them.
    const uint64_t rounds = scaled(kIsSanitized ? 32 * 1'500 : 6'000);
    auto opened = Log::open(path_, {.segment_bytes = 32 << 10, .sync_interval_ms = 5});
    ASSERT_TRUE(opened) << opened.error().message();
    log_.emplace(std::move(*opened));
    {
      std::jthread follower([this](const std::stop_token& stop) { follow(stop); });
      std::vector<std::jthread> others;
      for (uint64_t writer : {0, 1}) {
        others.push_back(repeat(rounds / 8, writer, [=, this](Random& r) { append(writer, r); }));
      }
      // As long as there is a log to append to: the last ones are on their way when it is closed.
      others.push_back(repeat(UINT64_MAX, 2, [this](Random& r) { append_async(2, r); }));
      others.push_back(repeat(rounds / 8, 3, [this](Random& r) { wait(r); }));
      others.push_back(repeat(rounds, 4, [this](Random& r) { read(r); }));
      others.push_back(repeat(rounds, 5, [this](Random& r) { read(r); }));
      std::jthread cutter([this](const std::stop_token& stop) {
        Random random(static_cast<uint32_t>(test_seed() + 6));
        for (; !stop.stop_requested(); std::this_thread::yield()) trim_or_truncate(random);
      });
      // The two that append are waited for, and then it is closed under the others.
      others[0].join();
      others[1].join();
      if (closes_behind_tail) append_known_tail(0);
      const auto closed = log_->close();
      EXPECT_TRUE(closed) << closed.error().message();
      stops_ = true;
    }
    EXPECT_EQ(answered_, started_) << "a callback was not called, or twice";
    EXPECT_GT(trims_, 0U);
    EXPECT_GT(truncations_, 0U);
  }

  static constexpr uint64_t kTailRecords = 20;
  struct Kept {
    Lsn lsn;
    uint64_t writer;
    uint64_t number;
  };

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  std::optional<Log> log_;
  std::array<std::atomic<uint64_t>, 3> submitted_{};
  std::atomic<uint64_t> appended_ = 0, started_ = 0, answered_ = 0, read_ = 0;
  std::atomic<uint64_t> trims_ = 0, truncations_ = 0, newest_ = 0;
  std::atomic<bool> stops_ = false;
  std::mutex truncation_mutex_;
  std::atomic<bool> keeps_all_ = false;
  std::mutex kept_mutex_;
  std::vector<Kept> kept_;
};

TEST_F(StressTest, eight_threads_do_everything_at_once_and_one_closes) {
  SCOPED_TRACE(replay_command());
  ASSERT_NO_FATAL_FAILURE(run(false));
  const uint64_t rotations = log_->stats().segments_opened;
  const Lsn end = log_->end_lsn();
  EXPECT_EQ(log_->durable_lsn(), end);
  log_.reset();
  const auto report = ReadOnlyLog::verify(path_);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  EXPECT_EQ(report->end_lsn, end);
  print_count(part::kConcurrency, "appends under stress", appended_);
  print_count(part::kConcurrency, "reads", read_);
  print_count(part::kConcurrency, "rotations", rotations);
  print_count(part::kConcurrency, "trims and truncations", trims_ + truncations_);
}

TEST_F(StressTest, what_is_acknowledged_last_is_there_after_a_close_under_appends) {
  SCOPED_TRACE(replay_command());
  ASSERT_NO_FATAL_FAILURE(run(true));
  const Lsn end = log_->end_lsn();
  log_.reset();
  const auto report = ReadOnlyLog::verify(path_);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->verdict, VerifyReport::Verdict::ok);
  EXPECT_EQ(report->end_lsn, end);
  const auto log = ReadOnlyLog::open(path_);
  ASSERT_TRUE(log) << log.error().message();
  ASSERT_NO_FATAL_FAILURE(expect_kept(*log));
  print_count(part::kConcurrency, "appends under stress", appended_);
}

}  // namespace
}  // namespace writeahead::test
