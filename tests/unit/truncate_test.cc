// Goal: truncate_from() takes away exactly what lies at or behind its position, wherever that is,
// and the log goes on from there. Method: every byte position of a log with single records,
// batches and several segments, before and after reopening; then readers, holds and failures.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "support/log_model.h"
#include "support/sanitizers.h"
#include "support/script.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

Options truncate_options(SimEnv& env) {
  return {.segment_bytes = 4608, .env = &env, .background = BackgroundWork::stepped};
}

struct Reference {
  SimDisk disk;
  Records records;
  Lsn end;

  /// Where a record begins or ends.
  [[nodiscard]] bool is_boundary(Lsn lsn) const {
    if (lsn == Lsn{} || lsn == end) return true;
    return std::ranges::any_of(records, [lsn](const RecordView& record) {
      const uint64_t bytes = 16 + (record.payload.size() + 7) / 8 * 8;
      return lsn == record.lsn || lsn == record.lsn + bytes;
    });
  }
  [[nodiscard]] size_t records_below(Lsn lsn) const {
    const auto is_below = [lsn](const RecordView& record) { return record.lsn < lsn; };
    return static_cast<size_t>(std::ranges::count_if(records, is_below));
  }
};

/// Segments of one frame, of two, with batches at their borders, sealed or not.
Reference make_reference(bool closes) {
  Reference made;
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, truncate_options(env)).value();
  const auto append = [&](const std::vector<size_t>& sizes) {
    Batch batch;
    for (const size_t size : sizes)
      batch.add(std::string(size, static_cast<char>('a' + size % 26)));
    EXPECT_TRUE(log.append(batch));
  };
  append({10, 0, 33});
  append({7});
  append({3000, 9});
  append({2000, 5});
  append({1});
  append({3000, 40});
  append({2});
  while (log.step_background()) {
  }
  EXPECT_GE(log.segments().size(), 3U);
  EXPECT_EQ(read_all(log, made.records), "");
  made.end = log.end_lsn();
  if (closes) {
    EXPECT_TRUE(log.close());
  }
  env.crash_now();
  made.disk = env.crashed_disk().crash({});
  return made;
}

void expect_records(const Reference& reference, size_t count, const auto& log, Lsn lsn) {
  Records seen;
  ASSERT_EQ(read_all(log, seen), "") << lsn.value();
  ASSERT_GE(seen.size(), count) << lsn.value();
  Records kept = reference.records;
  kept.resize(count);
  seen.resize(count);
  EXPECT_EQ(compare_readings(kept, seen), "") << lsn.value();
}

TEST(Truncate, at_every_position_of_a_log_cuts_there_or_refuses_and_changes_nothing) {
  const Reference reference = make_reference(false);
  for (Lsn lsn; lsn <= reference.end + 8; lsn = lsn + 1) {
    if (test::kIsSanitized && !reference.is_boundary(lsn) && lsn.value() % 8 != 1) continue;
    SimEnv env(reference.disk);
    auto log = Log::open(kLogPath, truncate_options(env)).value();
    const uint64_t epoch = log.epoch();
    const uint64_t calls_that_write = env.calls(CallKind::dsync_write);
    const auto done = log.truncate_from(lsn);
    if (!reference.is_boundary(lsn)) {
      ASSERT_EQ(code_of(done), ErrorCode::not_found) << lsn.value();
      EXPECT_EQ(env.calls(CallKind::dsync_write), calls_that_write);
      EXPECT_EQ(log.end_lsn(), reference.end);
      continue;
    }
    ASSERT_TRUE(done) << lsn.value() << ": " << done.error().message();
    const size_t kept = reference.records_below(lsn);
    EXPECT_EQ(log.end_lsn(), lsn);
    EXPECT_EQ(log.durable_lsn(), lsn);
    EXPECT_EQ(log.epoch(), epoch + (lsn == reference.end ? 0 : 1));
    expect_records(reference, kept, log, lsn);
    if (kept < reference.records.size()) {
      EXPECT_NE(code_of(log.read(reference.records[kept].lsn)), std::nullopt);
      EXPECT_EQ(code_of(log.find_ordinal(kept)), ErrorCode::not_found);
    }
    // What comes next continues address and number, also once it is read from the files.
    const Lsn next = log.append(std::string(50, 'n')).value();
    EXPECT_GT(next, lsn);
    EXPECT_EQ(log.read(next)->ordinal, kept);
    ASSERT_TRUE(log.append(std::string(500, 'm')));
    env.crash_now();
    SimEnv after(env.crashed_disk().crash({}));
    {
      auto opened = Log::open(kLogPath, truncate_options(after));
      ASSERT_TRUE(opened) << lsn.value() << ": " << opened.error().message();
      EXPECT_EQ(opened->recovery_report().records, kept + 2) << lsn.value();
      expect_records(reference, kept, *opened, lsn);
      EXPECT_EQ(opened->read(next)->ordinal, kept);
      ASSERT_TRUE(opened->close());
    }
    const auto report = ReadOnlyLog::verify(kLogPath, {.env = &after}).value();
    EXPECT_EQ(report.verdict, VerifyReport::Verdict::ok)
        << lsn.value() << ": " << (report.findings.empty() ? "" : report.findings[0].what);
    EXPECT_EQ(report.records, kept + 2) << lsn.value();
    expect_records(reference, kept, ReadOnlyLog::open(kLogPath, {.env = &after}).value(), lsn);
  }
}

TEST(Truncate, of_a_closed_log_twice_and_again_after_reopening_keeps_what_lies_below) {
  const Reference reference = make_reference(true);
  for (size_t first = 0; first < reference.records.size(); ++first) {
    for (size_t second = 0; second <= first; ++second) {
      SimEnv env(reference.disk);
      auto log = std::optional(Log::open(kLogPath, truncate_options(env)).value());
      const Lsn higher = reference.records[first].lsn;
      const Lsn lower = reference.records[second].lsn;
      ASSERT_TRUE(log->truncate_from(higher)) << first;
      if ((first + second) % 2 == 0) {
        ASSERT_TRUE(log->append("between"));
      }
      if ((first + second) % 3 == 0) {
        ASSERT_TRUE(log->close());
        log = Log::open(kLogPath, truncate_options(env)).value();
      }
      ASSERT_TRUE(log->truncate_from(lower)) << first << " " << second;
      expect_records(reference, second, *log, lower);
      EXPECT_EQ(log->end_lsn(), lower);
      const Lsn next = log->append("behind").value();
      ASSERT_TRUE(log->close());
      log = Log::open(kLogPath, truncate_options(env)).value();
      expect_records(reference, second, *log, lower);
      EXPECT_EQ(log->last()->lsn, next);
      EXPECT_EQ(log->recovery_report().records, second + 1);
      ASSERT_TRUE(log->trim_before(lower));
      EXPECT_EQ(log->last()->lsn, next);
      ASSERT_TRUE(log->close());
      EXPECT_EQ(ReadOnlyLog::verify(kLogPath, {.env = &env})->verdict, VerifyReport::Verdict::ok);
    }
  }
}

TEST(Truncate, to_the_first_position_of_a_trimmed_log_empties_it) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, truncate_options(env)).value();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.append(std::string(3000, 'a')));
  ASSERT_TRUE(log.trim_before(log.segments()[2].base_lsn));
  const Lsn first = log.first_lsn();
  EXPECT_EQ(code_of(log.truncate_from(Lsn{})), ErrorCode::trimmed);
  ASSERT_TRUE(log.truncate_from(first));
  EXPECT_TRUE(log.is_empty());
  EXPECT_EQ(log.first_lsn(), first);
  EXPECT_EQ(log.end_lsn(), first);
  ASSERT_TRUE(log.truncate_from(first));
  EXPECT_EQ(log.segments().size(), 1U);
  ASSERT_TRUE(log.append("again"));
  EXPECT_EQ(log.last()->ordinal, 2U);
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  ASSERT_TRUE(log.truncate_from(log.end_lsn()));
  ASSERT_TRUE(log.close());
  auto again = Log::open(kLogPath, truncate_options(env)).value();
  EXPECT_TRUE(again.is_empty());
  ASSERT_TRUE(again.append("more"));
  EXPECT_EQ(again.last()->ordinal, 3U);
}

TEST(Truncate, tells_readers_above_and_lets_those_below_go_on) {
  const Reference reference = make_reference(false);
  for (size_t target = 0; target < reference.records.size(); ++target) {
    SimEnv env(reference.disk);
    auto log = Log::open(kLogPath, truncate_options(env)).value();
    std::vector<Reader> readers;
    std::vector<RecordView> views;
    for (size_t i = 0; i <= reference.records.size(); ++i) {
      readers.push_back(log.reader(log.first_lsn()));
      for (size_t read = 0; read < i; ++read) views.push_back(readers.back().next()->value());
    }
    const Lsn lsn = reference.records[target].lsn;
    ASSERT_TRUE(log.truncate_from(lsn));
    const Lsn next = log.append("new").value();
    for (size_t i = 0; i < readers.size(); ++i) {
      Reader& reader = readers[i];
      if (reader.position() > lsn) {
        EXPECT_EQ(code_of(*reader.next()), ErrorCode::truncated) << target << " " << i;
        EXPECT_FALSE(reader.next());
        continue;
      }
      for (size_t read = i; read < target; ++read) {
        auto record = reader.next();
        ASSERT_TRUE(record && *record) << target << " " << i;
        EXPECT_EQ((*record)->lsn, reference.records[read].lsn);
      }
      auto record = reader.next();
      ASSERT_TRUE(record && *record) << target << " " << i;
      EXPECT_EQ((*record)->lsn, next);
      EXPECT_FALSE(reader.next());
    }
    for (const RecordView& view : views) {
      const RecordView& expected = reference.records[view.ordinal];
      EXPECT_TRUE(std::ranges::equal(view.payload, expected.payload));
    }
  }
}

TEST(Truncate, moves_holds_above_the_end_there_for_good) {
  const Reference reference = make_reference(false);
  SimEnv env(reference.disk);
  const Lsn lsn = reference.records[4].lsn;
  {
    auto log = Log::open(kLogPath, truncate_options(env)).value();
    auto low = log.hold("low", reference.records[1].lsn).value();
    auto high = log.hold("high", reference.records[8].lsn).value();
    ASSERT_TRUE(log.truncate_from(lsn));
    EXPECT_EQ(low.lsn().value(), reference.records[1].lsn);
    EXPECT_EQ(high.lsn().value(), lsn);
    env.crash_now();
  }
  SimEnv next(env.crashed_disk().crash({}));
  auto log = Log::open(kLogPath, truncate_options(next)).value();
  ASSERT_EQ(log.holds().size(), 2U);
  EXPECT_EQ(log.holds()[0].lsn, reference.records[1].lsn);
  EXPECT_EQ(log.holds()[1].lsn, lsn);
}

TEST(Truncate, without_space_for_a_segment_changes_nothing_and_works_later) {
  const Reference reference = make_reference(false);
  SimEnv env(reference.disk);
  auto log = Log::open(kLogPath, truncate_options(env)).value();
  const Lsn lsn = reference.records[3].lsn;
  env.set_free_bytes(0);
  EXPECT_EQ(code_of(log.truncate_from(lsn)), ErrorCode::no_space);
  expect_records(reference, reference.records.size(), log, lsn);
  env.set_free_bytes(1 << 20);
  ASSERT_TRUE(log.append("goes on"));
  ASSERT_TRUE(log.truncate_from(lsn));
  expect_records(reference, 3, log, lsn);
}

TEST(Truncate, that_fails_in_a_write_fails_the_log_which_reopens_at_either_end) {
  const Reference reference = make_reference(false);
  const Lsn lsn = reference.records[3].lsn;
  for (uint64_t write = 1; write <= 3; ++write) {
    SimEnv env(reference.disk);
    {
      auto log = Log::open(kLogPath, truncate_options(env)).value();
      env.fail_call(env.calls(CallKind::dsync_write) + write, EIO, FaultSpan::once,
                    CallKind::dsync_write);
      EXPECT_EQ(code_of(log.truncate_from(lsn)), ErrorCode::failed) << write;
      EXPECT_EQ(code_of(log.append("x")), ErrorCode::failed);
      EXPECT_EQ(code_of(log.truncate_from(lsn)), ErrorCode::failed);
    }
    auto log = Log::open(kLogPath, truncate_options(env)).value();
    const uint64_t records = log.recovery_report().records;
    EXPECT_TRUE(records == 3 || (write == 1 && records == reference.records.size())) << write;
    expect_records(reference, records, log, lsn);
  }
}

TEST(Truncate, of_a_damaged_segment_is_corruption_and_changes_nothing) {
  Reference reference = make_reference(true);
  std::vector<std::byte> bytes = reference.disk.contents("/log/00000000000000000001.wal").value();
  bytes[4096 + 88 + 20] ^= std::byte{1};
  reference.disk.put("/log/00000000000000000001.wal", bytes);
  SimEnv env(reference.disk);
  auto log = Log::open(kLogPath, truncate_options(env)).value();
  EXPECT_EQ(code_of(log.truncate_from(reference.records[2].lsn)), ErrorCode::corruption);
  EXPECT_EQ(log.end_lsn(), reference.end);
  EXPECT_TRUE(log.append("goes on"));
}

/// No header says how long the file was: it is shorter than any that was ever prepared.
TEST(Truncate, into_a_file_that_was_cut_short_before_it_had_a_header_is_corruption) {
  const Reference reference = make_reference(false);
  SimEnv env(reference.disk);
  {
    auto log = Log::open(kLogPath, truncate_options(env)).value();
    ASSERT_TRUE(log.truncate_from(reference.records[4].lsn));
    env.crash_now();
  }
  const SimDisk left = env.crashed_disk().crash({});
  std::string path;
  for (const std::string& file : left.files()) {
    if (file.ends_with(".wal")) path = file;
  }
  for (const size_t bytes : {0, 1, 4095, 4096, 8191}) {
    SimDisk damaged = left;
    damaged.put(path, std::vector<std::byte>(bytes));
    SimEnv next(damaged);
    EXPECT_EQ(code_of(Log::open(kLogPath, truncate_options(next))), ErrorCode::corruption) << bytes;
    EXPECT_TRUE(next.disk().shows_same_as(damaged)) << bytes;
  }
}

TEST(Truncate, beside_appends_gives_each_of_them_an_address_that_was_true) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, truncate_options(env)).value();
  std::atomic<bool> is_done = false;
  std::thread truncater([&] {
    while (!is_done) {
      const auto last = log.last();
      if (last && last->ordinal % 5 == 0) {
        EXPECT_TRUE(log.truncate_from(last->lsn));
      }
      std::this_thread::yield();
    }
  });
  for (uint64_t i = 0; i < 1500; ++i) {
    ASSERT_TRUE(log.append(std::string(i % 300, 'x')));
  }
  is_done = true;
  truncater.join();
  ASSERT_TRUE(log.close());
  EXPECT_EQ(ReadOnlyLog::verify(kLogPath, {.env = &env})->verdict, VerifyReport::Verdict::ok);
}

}  // namespace
}  // namespace writeahead::testing
