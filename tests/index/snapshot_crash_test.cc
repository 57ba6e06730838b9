// Goal: whenever the machine stops, the log opens, and an index of it holds exactly what the log
// does: snapshots cost time when they are lost, and nothing ever. Method: a course with appends,
// snapshots, a trim, a truncation and reopenings on simulated storage; each call of it in turn, by
// power cut and by a kill; each disk that the sampler makes of it, opened, compared with a fold of
// the whole log, gone on with, and opened from the snapshot that this writes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "index/changes.h"
#include "support/counts.h"
#include "support/log_path.h"
#include "support/sanitizers.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {
namespace {

using writeahead::test::kIsSanitized;
using writeahead::testing::CrashPlan;
using writeahead::testing::CrashSampler;
using writeahead::testing::kLogPath;
using writeahead::testing::LostBytes;
using writeahead::testing::SimDisk;
using writeahead::testing::SimEnv;

constexpr std::string_view kPart = "index crashes";

Result<Log> open_log(SimEnv& env) {
  return Log::open(kLogPath, {.segment_bytes = 4608,
                              .standby_segments = 0,
                              .env = &env,
                              .background = BackgroundWork::stepped});
}
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

CrashSampler sampler() {
  return CrashSampler({.exhaustive_items = kIsSanitized ? 2U : 6U,
                       .random_subsets = kIsSanitized ? 2U : 16U,
                       .single_items = kIsSanitized ? 1U : 8U,
                       .lost = {LostBytes::old, LostBytes::zero, LostBytes::garbage},
                       .seed = 1});
}

template <class Index>
class SnapshotCrashTest : public ::testing::Test {
 protected:
  void visit(const SimDisk& disk, const std::string& what) {
    ++states_;
    if (const auto wrong = judge<Index>(disk)) {
      ++violations_;
      ADD_FAILURE() << what << ": " << *wrong;
    }
  }
  ~SnapshotCrashTest() override {
    writeahead::test::print_count(kPart, "states", states_);
    writeahead::test::print_count(kPart, "violations", violations_);
  }

  uint64_t states_ = 0;
  uint64_t violations_ = 0;
};

using Kinds = ::testing::Types<IdIndex<uint64_t, IndexOrder::hashed, IndexValues::last>,
                               IdIndex<uint64_t, IndexOrder::ordered, IndexValues::all>>;
TYPED_TEST_SUITE(SnapshotCrashTest, Kinds);

TYPED_TEST(SnapshotCrashTest, power_cut_at_any_call_leaves_an_index_that_is_right) {
  SimEnv env{SimDisk{}};
  env.watch_crashes([&](uint64_t call, const SimDisk& crashed) {
    if (this->HasFailure() || (kIsSanitized && call % 8 != 0)) return;
    sampler().each(crashed, [&](const SimDisk& disk, const CrashPlan& plan) {
      this->visit(disk, fmt::format("call {}, {}", call, to_string(plan)));
      return !this->HasFailure();
    });
  });
  run_course<TypeParam>(env);
  EXPECT_GT(this->states_, kIsSanitized ? 100U : 10'000U);
}

TYPED_TEST(SnapshotCrashTest, kill_at_any_call_leaves_an_index_that_is_right) {
  for (uint64_t k = 1; !this->HasFailure(); k += kIsSanitized ? 16 : 1) {
    SimEnv env{SimDisk{}};
    env.crash_at(k);
    run_course<TypeParam>(env);
    if (!env.crashed()) break;
    for (const size_t bytes : {size_t{0}, size_t{100}, SIZE_MAX}) {
      this->visit(env.killed_disk(bytes), fmt::format("call {}, {} bytes", k, bytes));
    }
  }
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
      }
      ASSERT_TRUE(index->write_snapshot()) << k;
      EXPECT_EQ(difference(*index, log), std::nullopt);
      index.reset();
      index = open_index<TypeParam>(log).value();
      EXPECT_EQ(index->opening().replayed_records, 0U) << k;
      ++this->states_;
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
