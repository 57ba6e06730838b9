// Goal: what trim_before() drops, what it keeps readable, and that a log without records goes on at
// the same address. Method: the public interface on a simulated machine with small segments.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "support/damaged_log.h"
#include "support/error_of.h"
#include "support/script.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

Options trim_options(SimEnv& env) {
  // Nothing is kept to be recycled.
  return {.segment_bytes = 8192,
          .standby_segments = 0,
          .env = &env,
          .background = BackgroundWork::stepped};
}

/// Each of these records takes a segment of its own.
std::vector<Lsn> append_segments(Log& log, size_t count) {
  std::vector<Lsn> lsns;
  for (size_t i = 0; i < count; ++i) {
    lsns.push_back(log.append(std::string(3000, static_cast<char>('a' + i))).value());
  }
  return lsns;
}

size_t segment_files(const SimEnv& env) {
  size_t files = 0;
  for (const std::string& path : env.disk().files()) files += path.ends_with(".wal") ? 1 : 0;
  return files;
}

std::string payload_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

TEST(Trim, drops_whole_segments_below_the_position_and_gives_their_space_back) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 5);
  ASSERT_EQ(segment_files(env), 5U);
  ASSERT_TRUE(log.trim_before(lsns[3]));
  EXPECT_EQ(segment_files(env), 2U);
  EXPECT_EQ(log.segments().size(), 2U);
  EXPECT_EQ(log.first_lsn(), log.segments().front().base_lsn);
  EXPECT_EQ(code_of(log.read(lsns[2])), ErrorCode::trimmed);
  EXPECT_EQ(code_of(log.find_ordinal(2)), ErrorCode::trimmed);
  EXPECT_EQ(log.find_ordinal(3).value(), lsns[3]);
  EXPECT_EQ(log.read(lsns[3])->ordinal, 3U);
  EXPECT_EQ(log.last()->lsn, lsns[4]);
  EXPECT_EQ(code_of(*log.reader(lsns[0]).next()), ErrorCode::trimmed);
  ASSERT_TRUE(log.close());

  auto again = Log::open(kLogPath, trim_options(env)).value();
  EXPECT_EQ(again.recovery_report().outcome, RecoveryReport::Outcome::clean);
  EXPECT_EQ(again.recovery_report().records, 2U);
  EXPECT_EQ(again.reader(again.first_lsn()).next()->value().lsn, lsns[3]);
}

TEST(Trim, below_or_inside_the_first_segment_drops_nothing_and_writes_nothing) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 3);
  ASSERT_TRUE(log.trim_before(lsns[1]));
  const uint64_t calls = env.calls();
  for (const Lsn lsn : {Lsn{}, lsns[0], lsns[1], lsns[1] + 100}) {
    ASSERT_TRUE(log.trim_before(lsn));
    EXPECT_EQ(log.read(lsns[1])->lsn, lsns[1]);
  }
  EXPECT_EQ(env.calls(), calls);
}

TEST(Trim, at_the_end_empties_the_log_which_goes_on_at_the_same_place) {
  for (const bool reopens : {false, true}) {
    SimEnv env{SimDisk{}};
    std::optional<Log> log = Log::open(kLogPath, trim_options(env)).value();
    append_segments(*log, 3);
    const Lsn end = log->end_lsn();
    const uint64_t epoch = log->epoch();
    ASSERT_TRUE(log->trim_before(Lsn(UINT64_MAX)));
    const auto check_empty = [&] {
      EXPECT_TRUE(log->is_empty());
      EXPECT_EQ(log->first_lsn(), end);
      EXPECT_EQ(log->end_lsn(), end);
      EXPECT_EQ(log->durable_lsn(), end);
      EXPECT_FALSE(log->reader(end).next());
      EXPECT_EQ(segment_files(env), 0U);
    };
    check_empty();
    EXPECT_EQ(log->epoch(), epoch);
    if (reopens) {
      ASSERT_TRUE(log->close());
      log = Log::open(kLogPath, trim_options(env)).value();
      check_empty();
    }
    auto reader = log->reader(end);
    const Lsn next = log->append("next").value();
    EXPECT_GT(next, end);
    EXPECT_EQ(log->read(next)->ordinal, 3U);
    const auto read = reader.next();
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->lsn, next);
    ASSERT_TRUE(log->trim_before(log->end_lsn()));
    ASSERT_TRUE(log->trim_before(log->end_lsn()));
    EXPECT_EQ(log->find_ordinal(3).error().code(), ErrorCode::trimmed);
    EXPECT_EQ(log->append("more").value() - log->first_lsn(), next - end);
  }
}

TEST(Trim, leaves_views_and_readers_what_they_have) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  for (int i = 0; i < 9; ++i)
    ASSERT_TRUE(log.append(std::string(1000, static_cast<char>('a' + i))));
  auto reader = log.reader(log.first_lsn());
  const RecordView view = reader.next()->value();
  auto behind = log.reader(log.first_lsn());
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  EXPECT_EQ(payload_of(view), std::string(1000, 'a'));
  // The segment that it is in, to its end; what comes next is not there any more.
  size_t read = 1;
  auto record = reader.next();
  for (; record && *record; record = reader.next()) {
    EXPECT_EQ(payload_of(**record), std::string(1000, static_cast<char>('a' + read++)));
  }
  EXPECT_EQ(read, 3U);
  EXPECT_FALSE(record && !*record && (*record).error().code() != ErrorCode::trimmed);
  EXPECT_EQ(code_of(*behind.next()), ErrorCode::trimmed);
}

TEST(Trim, tells_a_reader_that_the_next_segment_is_gone) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 4);
  auto reader = log.reader(lsns[0]);
  ASSERT_TRUE(*reader.next());
  ASSERT_TRUE(log.trim_before(lsns[2]));
  EXPECT_EQ(code_of(*reader.next()), ErrorCode::trimmed);
  EXPECT_FALSE(reader.next());
}

TEST(Trim, works_on_a_full_disk_and_makes_room_for_appends) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 3);
  env.set_free_bytes(0);
  ASSERT_EQ(code_of(log.append(std::string(3000, 'x'))), ErrorCode::no_space);
  ASSERT_TRUE(log.trim_before(lsns[2]));
  EXPECT_TRUE(log.append(std::string(3000, 'x')));
}

TEST(Trim, keeps_a_file_that_cannot_be_removed_for_the_next_time) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 4);
  env.fail_call(env.calls(CallKind::remove) + 1, EACCES, FaultSpan::once, CallKind::remove);
  ASSERT_TRUE(log.trim_before(lsns[2]));
  EXPECT_EQ(segment_files(env), 3U);
  EXPECT_EQ(code_of(log.read(lsns[0])), ErrorCode::trimmed);
  ASSERT_TRUE(log.trim_before(lsns[3]));
  EXPECT_EQ(segment_files(env), 1U);
  EXPECT_TRUE(log.append("more"));
}

TEST(Trim, whose_root_cannot_be_written_fails_the_log_and_removes_nothing) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 3);
  for (const uint64_t slot : {1, 2}) {
    SimEnv copy(env.disk());
    auto victim = Log::open(kLogPath, trim_options(copy)).value();
    copy.fail_call(copy.calls(CallKind::dsync_write) + slot, EIO, FaultSpan::once,
                   CallKind::dsync_write);
    EXPECT_EQ(code_of(victim.trim_before(lsns[2])), ErrorCode::failed);
    EXPECT_EQ(segment_files(copy), 3U);
    EXPECT_EQ(victim.read(lsns[0])->lsn, lsns[0]);
    EXPECT_EQ(code_of(victim.append("x")), ErrorCode::failed);
    EXPECT_EQ(code_of(victim.trim_before(lsns[2])), ErrorCode::failed);
  }
}

TEST(Trim, is_known_to_each_slot_of_the_root_before_a_file_goes) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 3);
  ASSERT_TRUE(log.trim_before(lsns[2]));
  ASSERT_EQ(segment_files(env), 1U);
  for (const uint64_t slot : {0, 1}) {
    SimDisk damaged = env.disk();
    edit(damaged, kRootPath, slot * kBlockBytes, std::vector<std::byte>(kBlockBytes));
    const OpenResult opened = open_and_read(damaged);
    EXPECT_FALSE(opened.code) << opened.message;
    ASSERT_EQ(opened.records.size(), 1U);
    EXPECT_EQ(opened.records[0].lsn, lsns[2]);
  }
}

TEST(Trim, after_close_answers_closed) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  append_segments(log, 2);
  ASSERT_TRUE(log.close());
  EXPECT_EQ(code_of(log.trim_before(Lsn(UINT64_MAX))), ErrorCode::closed);
}

TEST(Trim, to_empty_beside_appends_loses_none_of_them) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  std::atomic<bool> is_done = false;
  std::thread trimmer([&] {
    while (!is_done) EXPECT_TRUE(log.trim_before(log.durable_lsn()));
  });
  Lsn before;
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto lsn = log.append(std::string(i % 700, 'x'));
    ASSERT_TRUE(lsn) << lsn.error().message();
    ASSERT_GT(*lsn, before);
    before = *lsn;
  }
  is_done = true;
  trimmer.join();
  ASSERT_TRUE(log.append("last"));
  EXPECT_EQ(log.last()->ordinal, 2000U);
}

TEST(Hold, keeps_a_trim_from_passing_it_until_it_is_advanced_or_released) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 5);
  auto slow = log.hold("slow", lsns[1]).value();
  auto fast = log.hold("fast", lsns[3]).value();
  ASSERT_TRUE(log.trim_before(Lsn(UINT64_MAX)));
  EXPECT_EQ(log.read(lsns[1])->lsn, lsns[1]);
  EXPECT_EQ(code_of(log.read(lsns[0])), ErrorCode::trimmed);
  ASSERT_TRUE(slow.advance(lsns[2]));
  EXPECT_EQ(slow.lsn().value(), lsns[2]);
  ASSERT_TRUE(log.trim_before(Lsn(UINT64_MAX)));
  EXPECT_EQ(code_of(log.read(lsns[1])), ErrorCode::trimmed);
  EXPECT_EQ(log.read(lsns[2])->lsn, lsns[2]);
  ASSERT_TRUE(slow.release());
  ASSERT_TRUE(log.trim_before(Lsn(UINT64_MAX)));
  EXPECT_EQ(code_of(log.read(lsns[2])), ErrorCode::trimmed);
  EXPECT_EQ(log.read(lsns[3])->lsn, lsns[3]);
  EXPECT_EQ(code_of(slow.lsn()), ErrorCode::not_found);
  EXPECT_EQ(code_of(slow.advance(lsns[4])), ErrorCode::not_found);
  EXPECT_EQ(code_of(slow.release()), ErrorCode::not_found);
}

TEST(Hold, is_found_by_name_after_a_power_cut) {
  SimEnv env{SimDisk{}};
  std::vector<Lsn> lsns;
  {
    auto log = Log::open(kLogPath, trim_options(env)).value();
    lsns = append_segments(log, 4);
    auto hold = log.hold("replica-2", lsns[2]).value();
    ASSERT_TRUE(log.hold("replica-2", lsns[1]));
    ASSERT_TRUE(hold.advance(lsns[3]));  // Not durable before the root is written.
    env.crash_now();
  }
  SimEnv next(env.crashed_disk().crash({}));
  auto log = Log::open(kLogPath, trim_options(next)).value();
  ASSERT_EQ(log.holds().size(), 1U);
  EXPECT_EQ(log.holds()[0].name, "replica-2");
  EXPECT_EQ(log.holds()[0].lsn, lsns[1]);
  ASSERT_TRUE(log.trim_before(lsns[3]));
  EXPECT_EQ(log.read(lsns[1])->lsn, lsns[1]);
}

TEST(Hold, that_was_advanced_is_written_when_the_log_is_idle_and_when_it_is_closed) {
  for (const bool closes : {true, false}) {
    SimEnv env{SimDisk{}};
    auto log = Log::open(kLogPath, trim_options(env)).value();
    const auto lsns = append_segments(log, 3);
    auto first = log.hold("first", lsns[0]).value();
    auto second = log.hold("second", lsns[0]).value();
    env.advance_ns(2'000'000'000);
    while (log.step_background()) {
    }
    ASSERT_TRUE(first.advance(lsns[2]));
    ASSERT_TRUE(second.release());
    if (closes) {
      ASSERT_TRUE(log.close());
      EXPECT_EQ(code_of(first.advance(lsns[2])), ErrorCode::closed);
      EXPECT_EQ(code_of(first.lsn()), ErrorCode::closed);
    } else {
      EXPECT_TRUE(log.step_background());
      EXPECT_FALSE(log.step_background());
    }
    env.crash_now();
    SimEnv next(env.crashed_disk().crash({}));
    auto again = Log::open(kLogPath, trim_options(next)).value();
    ASSERT_EQ(again.holds().size(), 1U);
    EXPECT_EQ(again.holds()[0].lsn, lsns[2]);
  }
}

TEST(Hold, refuses_what_it_cannot_keep) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kLogPath, trim_options(env)).value();
  const auto lsns = append_segments(log, 3);
  ASSERT_TRUE(log.trim_before(lsns[1]));
  EXPECT_EQ(code_of(log.hold("", lsns[1])), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log.hold(std::string(56, 'n'), lsns[1])), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log.hold("late", lsns[0])), ErrorCode::trimmed);
  EXPECT_TRUE(log.holds().empty());
  ASSERT_TRUE(log.hold(std::string(55, 'n'), lsns[1]));
  for (int i = 1; i < 48; ++i) ASSERT_TRUE(log.hold("hold-" + std::to_string(i), lsns[1]));
  EXPECT_EQ(code_of(log.hold("one-more", lsns[1])), ErrorCode::invalid_argument);
  auto moved = log.hold("hold-7", lsns[2]);
  ASSERT_TRUE(moved);
  EXPECT_EQ(code_of(moved->advance(lsns[1])), ErrorCode::invalid_argument);
  ASSERT_TRUE(moved->release());
  ASSERT_TRUE(log.hold("one-more", lsns[1]));
  EXPECT_EQ(log.holds().size(), 48U);
}

TEST(Hold, outlives_the_log_without_harm) {
  SimEnv env{SimDisk{}};
  std::optional<Hold> hold;
  {
    auto log = Log::open(kLogPath, trim_options(env)).value();
    hold = log.hold("consumer", Lsn{}).value();
  }
  EXPECT_EQ(hold->name(), "consumer");
  EXPECT_EQ(code_of(hold->release()), ErrorCode::closed);
}

}  // namespace
}  // namespace writeahead::testing
