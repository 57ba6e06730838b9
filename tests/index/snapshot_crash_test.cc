// Goal: whenever the machine stops, the log opens, and an index of it holds exactly what the log
// does: snapshots cost time when they are lost, and nothing ever. Method: a course with appends,
// snapshots, a trim, a truncation and reopenings on simulated storage; each call of it in turn, by
// power cut and by a kill; each disk that the sampler makes of it, opened, compared with a fold of
// the whole log, gone on with, and opened from the snapshot that this writes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "index/changes.h"
#include "index/power_cuts.h"
#include "support/hooked_env.h"

namespace writeahead::index::test {
namespace {

Result<Log> open_log(SimEnv& env) { return Log::open(kLogPath, simulated(env)); }
IndexOptions options() { return {.snapshot_bytes = 2048, .background = BackgroundWork::stepped}; }

template <class Index>
auto open_index(Log& log) {
  return Index::open(log, changes_extractor<uint64_t>(), options());
}

/// Goes on as long as the machine does.
template <class Index>
void run_course(SimEnv& env) {
  for (int opening = 0; opening < 3; ++opening) {
    auto log = open_log(env);
    if (!log) return;
    auto index = open_index<Index>(*log);
    if (!index) return;
    for (int i = 0; i < 24; ++i) {
      if (!log->append(fmt::format("p{} p{} e{}{}", i % 11, i % 7, i % 5, std::string(90, ' ')))) {
        return;
      }
      (*index)->step_background();
      log->step_background();
    }
    if (opening == 1 && !log->trim_before(Lsn(log->end_lsn().value() - 3000))) return;
    if (opening == 2) {
      const auto last = log->last();
      if (!last || !log->truncate_from(log->find_ordinal(last->ordinal - 5).value())) return;
      if (!log->append("p3 e4") || !(*index)->write_snapshot()) return;
    }
    if (opening != 0 && !(*index)->close()) return;
    index->reset();
    if (opening != 1 && !log->close()) return;
  }
}

/// What is wrong with the log and its index on `disk`.
template <class Index>
std::optional<std::string> judge(const SimDisk& disk) {
  SimEnv env(disk);
  for (const std::string_view behind : {"p1 e3 p100", "p2 e100"}) {
    auto log = open_log(env);
    if (!log) return fmt::format("the log does not open: {}", log.error().message());
    auto index = open_index<Index>(*log);
    if (!index) return fmt::format("the index does not open: {}", index.error().message());
    if (auto wrong = difference(**index, *log)) return wrong;
    if (!log->append(behind)) return "the log does not go on";
    if (!(*index)->close()) return "the index does not go on";
    if (auto wrong = difference(**index, *log)) return wrong;
  }
  auto log = open_log(env);
  auto index = open_index<Index>(*log);
  if ((*index)->opening().replayed_records != 0) return "the snapshot of just now is not used";
  return difference(**index, *log);
}

template <class Index>
class SnapshotCrashTest : public ::testing::Test {};
using Kinds = ::testing::Types<IdIndex<uint64_t, IndexOrder::hashed, IndexValues::last>,
                               IdIndex<uint64_t, IndexOrder::ordered, IndexValues::all>>;
TYPED_TEST_SUITE(SnapshotCrashTest, Kinds);

TYPED_TEST(SnapshotCrashTest, power_cut_at_any_call_leaves_an_index_that_is_right) {
  judge_every_power_cut(10'000, run_course<TypeParam>, judge<TypeParam>);
}

TYPED_TEST(SnapshotCrashTest, kill_at_any_call_leaves_an_index_that_is_right) {
  judge_every_kill(run_course<TypeParam>, judge<TypeParam>);
}

TYPED_TEST(SnapshotCrashTest, failing_call_of_an_opening_is_told_and_the_next_one_is_right) {
  SimEnv made{SimDisk{}};
  {
    auto log = open_log(made).value();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, i / 2)));
    ASSERT_TRUE(open_index<TypeParam>(log).value()->close());
    ASSERT_TRUE(log.append("p1 e3"));
    ASSERT_TRUE(log.close());
  }
  uint64_t failed = 0;
  for (const bool has_index : {true, false}) {
    for (const int error : {EIO, ENOSPC}) {
      for (uint64_t k = 1; !this->HasFailure(); ++k) {
        SimEnv env(made.disk());
        auto log = open_log(env).value();
        // A name of its own: then the files are to be made.
        IndexOptions named = options();
        if (!has_index) named.name = "another";
        const uint64_t calls = env.calls();
        env.fail_call(calls + k, error);
        auto index = TypeParam::open(log, changes_extractor<uint64_t>(), named);
        const bool is_over = env.calls() < calls + k;
        env.clear_faults();
        if (!index) {
          ++failed;
          EXPECT_EQ(index.error().code(), error == EIO ? ErrorCode::io : ErrorCode::no_space) << k;
          EXPECT_EQ(index.error().message().find('\n'), std::string_view::npos);
          index = TypeParam::open(log, changes_extractor<uint64_t>(), named);
        }
        ASSERT_TRUE(index) << index.error().message();
        EXPECT_EQ(difference(**index, log), std::nullopt) << k;
        if (is_over) break;
      }
    }
  }
  EXPECT_GT(failed, 10U);
}

/// A log whose snapshots are written while something else happens to it.
struct DisturbedLog {
  SimEnv env{SimDisk{}};
  std::function<void()> disturb;  // once, at the next write of a snapshot
  const std::unique_ptr<Env> hooked = writeahead::testing::make_hooked_env(
      env, [this](writeahead::testing::CallKind kind, std::string_view name) {
        if (kind != writeahead::testing::CallKind::write || !name.ends_with(".new")) return;
        if (const auto once = std::exchange(disturb, nullptr)) once();
      });
  std::optional<Log> log;

  DisturbedLog() {
    Options options{
        .segment_bytes = 64 << 10, .env = hooked.get(), .background = BackgroundWork::stepped};
    log.emplace(Log::open(kLogPath, options).value());
  }
  /// More than a snapshot writes at once.
  void fill() {
    for (int i = 0; i < 100; ++i) {
      std::string text;
      for (int id = 0; id < 700; ++id) text += fmt::format("p{} ", i * 700 + id);
      ASSERT_TRUE(log->append(text));
    }
  }
};

TYPED_TEST(SnapshotCrashTest, snapshot_of_a_log_that_is_truncated_meanwhile_is_not_written) {
  for (const bool cuts_what_is_in_it : {true, false}) {
    DisturbedLog disturbed;
    disturbed.fill();
    Log& log = *disturbed.log;
    auto index = open_index<TypeParam>(log).value();
    disturbed.disturb = [&] {
      const Lsn cut = cuts_what_is_in_it ? log.find_ordinal(5).value() : log.append("p1").value();
      ASSERT_TRUE(log.truncate_from(cut));
    };
    const auto refused = index->write_snapshot();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::truncated) << refused.error().message();
    EXPECT_EQ(index->stats().snapshot_failures, 1U);
    ASSERT_TRUE(index->write_snapshot());
    EXPECT_EQ(difference(*index, log), std::nullopt);
    index.reset();
    index = open_index<TypeParam>(log).value();
    EXPECT_EQ(index->opening().replayed_records, 0U);
    EXPECT_EQ(difference(*index, log), std::nullopt);
  }
}

/// What a record erased that lies behind a part and was trimmed is no entry after an opening,
/// though the part has it.
TYPED_TEST(SnapshotCrashTest, part_that_is_older_than_the_beginning_of_the_log_says_nothing) {
  DisturbedLog disturbed;
  disturbed.fill();
  Log& log = *disturbed.log;
  auto index = open_index<TypeParam>(log).value();
  Lsn last;
  disturbed.disturb = [&] {
    for (int i = 0; i < 200; ++i) last = log.append(fmt::format("e{} p200000", i)).value();
    for (int i = 0; i < 100; ++i) last = log.append(std::string(2000, ' ') + "p200001").value();
    ASSERT_TRUE(index->advance_to(last));
    ASSERT_TRUE(log.trim_before(last));
  };
  ASSERT_TRUE(index->write_snapshot());
  index.reset();
  index = open_index<TypeParam>(log).value();
  EXPECT_TRUE(index->opening().refused_snapshots.empty());
  uint64_t stale = 0;
  index->visit([&](uint64_t, Lsn lsn) { stale += lsn < log.first_lsn() ? 1 : 0; });
  EXPECT_EQ(stale, 0U);
  EXPECT_EQ(index->find(0), std::nullopt);
  EXPECT_EQ(difference(*index, log), std::nullopt);
}

/// A rebuild puts off what it takes in: what was erased meanwhile, by a record that is trimmed
/// before it is read, is no entry either.
TYPED_TEST(SnapshotCrashTest,
           log_that_is_trimmed_during_a_rebuild_leaves_no_entry_of_what_is_gone) {
  DisturbedLog disturbed;
  disturbed.fill();
  Log& log = *disturbed.log;
  ASSERT_TRUE(log.append("e0"));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(log.append(std::string(2000, ' ') + "p200000"));
  const Lsn last = log.append("p200001").value();
  const IdExtractor<uint64_t> changes = changes_extractor<uint64_t>();
  bool has_trimmed = false;
  const auto trim_on_the_way = [&](const RecordView& record, IdEdits<uint64_t>& edits) {
    if (record.ordinal == 20) has_trimmed = log.trim_before(last).has_value();
    changes(record, edits);
  };
  auto index = TypeParam::open(log, trim_on_the_way, options()).value();
  ASSERT_TRUE(has_trimmed);
  uint64_t stale = 0;
  index->visit([&](uint64_t, Lsn lsn) { stale += lsn < log.first_lsn() ? 1 : 0; });
  EXPECT_EQ(stale, 0U);
  EXPECT_EQ(index->find(0), std::nullopt);
}

/// Behind the last look: then the opening sees it.
TYPED_TEST(SnapshotCrashTest, snapshot_of_a_log_that_is_truncated_in_its_last_write_is_not_used) {
  DisturbedLog disturbed;
  Log& log = *disturbed.log;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", i)));
  auto index = open_index<TypeParam>(log).value();
  disturbed.disturb = [&] { ASSERT_TRUE(log.truncate_from(log.find_ordinal(5).value())); };
  ASSERT_TRUE(index->write_snapshot());
  ASSERT_TRUE(log.append("p100"));
  index.reset();
  index = open_index<TypeParam>(log).value();
  EXPECT_EQ(index->opening().refused_snapshots.size(), 1U);
  EXPECT_EQ(difference(*index, log), std::nullopt);
}

TYPED_TEST(SnapshotCrashTest, failing_call_of_a_snapshot_is_told_and_the_next_one_succeeds) {
  for (const int error : {EIO, ENOSPC}) {
    for (uint64_t k = 1; !this->HasFailure(); ++k) {
      SimEnv env{SimDisk{}};
      auto log = open_log(env).value();
      auto index = open_index<TypeParam>(log).value();
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, i / 2)));
      ASSERT_TRUE(index->write_snapshot());
      ASSERT_TRUE(log.append("p1 e3"));
      ASSERT_TRUE(index->advance());
      const uint64_t calls = env.calls();
      env.fail_call(calls + k, error);
      const auto written = index->write_snapshot();
      const bool is_over = env.calls() < calls + k;
      env.clear_faults();
      if (!written) {
        EXPECT_EQ(written.error().code(), error == EIO ? ErrorCode::io : ErrorCode::no_space)
            << written.error().message();
        EXPECT_EQ(index->stats().snapshot_failures, 1U);
        const auto paths = env.disk().files();
        const auto is_leftover = [](const std::string& path) { return path.ends_with(".new"); };
        EXPECT_TRUE(std::ranges::none_of(paths, is_leftover)) << k;
      }
      ASSERT_TRUE(index->write_snapshot()) << k;
      EXPECT_EQ(difference(*index, log), std::nullopt);
      index.reset();
      index = open_index<TypeParam>(log).value();
      EXPECT_EQ(index->opening().replayed_records, 0U) << k;
      if (is_over) break;
    }
  }
}

TYPED_TEST(SnapshotCrashTest, control_whose_index_forgets_is_found) {
  SimEnv env{SimDisk{}};
  auto log = open_log(env).value();
  ASSERT_TRUE(log.append("p1 p2"));
  ASSERT_TRUE(log.append("e1"));
  const auto forgetful = [](const RecordView& record, IdEdits<uint64_t>& edits) {
    each_change(text_of(record), [&](char kind, uint64_t id) {
      if (kind == 'p') edits.put(id);
    });
  };
  auto index = TypeParam::open(log, forgetful, options()).value();
  const bool is_found = difference(*index, log).has_value();
  writeahead::test::print_control(is_found);
  EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace writeahead::index::test
