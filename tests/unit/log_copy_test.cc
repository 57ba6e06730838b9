// Goal: a copy is the same log as its source, whatever that has been through, and what is none is
// refused with nothing changed. Method: copies between directories of a simulated machine, and
// between these and objects in memory, in both directions and with lost answers.
#include "writeahead/log_copy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/copied_log.h"
#include "support/error_of.h"
#include "support/paths.h"
#include "support/sim_objects.h"
#include "writeahead/read_only_log.h"

namespace writeahead::testing {
namespace {

const std::string kSource(kLogPath);
const std::string kObjects = "sim://log";

CopyOptions plain(SimEnv& env) { return {.env = &env}; }

class LogCopyOf : public ::testing::TestWithParam<CopyCase> {};

TEST_P(LogCopyOf, directory_is_the_same_log) {
  SimEnv env(GetParam().disk);
  const auto records = records_at(env, kSource).value();
  const auto report = copy_log(kSource, kCopyPath, plain(env));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->is_complete);
  EXPECT_EQ(report->copied_records, records.size());
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
  EXPECT_EQ(records_at(env, kCopyPath), records);
  const auto verified = ReadOnlyLog::verify(kCopyPath, {.env = &env});
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->verdict, VerifyReport::Verdict::ok);
  EXPECT_TRUE(verified->findings.empty());
  // Once more there is nothing to do.
  const auto again = copy_log(kSource, kCopyPath, plain(env));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(again->is_complete);
  EXPECT_EQ(again->copied_bytes, 0U);
}

TEST_P(LogCopyOf, copy_goes_on_as_its_source_would) {
  SimEnv env(GetParam().disk);
  ASSERT_TRUE(copy_log(kSource, kCopyPath, plain(env)));
  auto log = Log::open(kSource, reference_options(env)).value();
  auto copy = Log::open(kCopyPath, reference_options(env)).value();
  EXPECT_GE(copy.epoch(), log.epoch());
  EXPECT_EQ(copy.identity().log_id, log.identity().log_id);
  ASSERT_EQ(copy.holds().size(), log.holds().size());
  for (size_t i = 0; i < log.holds().size(); ++i) {
    EXPECT_EQ(copy.holds()[i].name, log.holds()[i].name);
    EXPECT_EQ(copy.holds()[i].lsn, log.holds()[i].lsn);
  }
  for (uint64_t i = 0; i < 20; ++i) {
    const auto lsn = log.append(payload_of(i));
    ASSERT_TRUE(lsn);
    EXPECT_EQ(copy.append(payload_of(i)), *lsn);
  }
  ASSERT_TRUE(log.close() && copy.close());
  EXPECT_EQ(records_at(env, kCopyPath), records_at(env, kSource));
}

INSTANTIATE_TEST_SUITE_P(Kinds, LogCopyOf, ::testing::ValuesIn(copy_cases()),
                         [](const auto& kind) { return kind.param.name; });

TEST(LogCopyTest, golden_logs_are_copied_byte_for_byte) {
  namespace fs = std::filesystem;
  size_t logs = 0;
  const fs::path golden = fs::path(test::source_directory()) / "tests/golden/format1";
  for (const auto& directory : fs::directory_iterator(golden)) {
    SimDisk disk;
    for (const auto& file : fs::directory_iterator(directory)) {
      std::ifstream in(file.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      if (file.path().filename() == "listing.txt") continue;
      disk.put(kSource + "/" + file.path().filename().string(), std::as_bytes(std::span(bytes)));
    }
    SimEnv env(disk);
    const auto report = copy_log(kSource, kCopyPath, plain(env));
    ASSERT_TRUE(report) << directory.path() << report.error().message();
    EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "") << directory.path();
    EXPECT_EQ(records_at(env, kCopyPath), records_at(env, kSource)) << directory.path();
    ++logs;
  }
  EXPECT_GE(logs, 7U);
}

TEST(LogCopyTest, another_log_and_one_that_was_written_to_are_refused_unchanged) {
  SimEnv env(make_reference_log().disk);
  auto other = Log::open(kCopyPath, reference_options(env)).value();
  ASSERT_TRUE(other.append("mine") && other.close());
  SimDisk before = env.disk();
  auto refused = copy_log(kSource, kCopyPath, plain(env));
  EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_TRUE(env.disk().shows_same_as(before));

  ASSERT_TRUE(copy_log(kSource, "/second", plain(env)));
  auto second = Log::open("/second", reference_options(env)).value();
  ASSERT_TRUE(second.append("mine") && second.close());
  before = env.disk();
  refused = copy_log(kSource, "/second", plain(env));
  ASSERT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message().find("written to since"), std::string::npos);
  EXPECT_TRUE(env.disk().shows_same_as(before));

  // As long as what was appended here, and not the same.
  auto log = Log::open(kSource, reference_options(env)).value();
  ASSERT_TRUE(log.append("your") && log.append("more") && log.close());
  before = env.disk();
  refused = copy_log(kSource, "/second", plain(env));
  ASSERT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_NE(refused.error().message().find("other bytes"), std::string::npos);
  EXPECT_TRUE(env.disk().shows_same_as(before));
  EXPECT_EQ(code_of(copy_log(kSource, kSource, plain(env))), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(copy_log("/nothing", kCopyPath, plain(env))), ErrorCode::not_found);
}

TEST(LogCopyTest, owned_destination_is_locked) {
  SimEnv env(make_reference_log().disk);
  ASSERT_TRUE(copy_log(kSource, kCopyPath, plain(env)));
  const auto owner = Log::open(kCopyPath, reference_options(env)).value();
  EXPECT_EQ(code_of(copy_log(kSource, kCopyPath, plain(env))), ErrorCode::locked);
}

TEST(LogCopyTest, owned_source_is_copied_up_to_its_end_and_named) {
  SimEnv env(make_reference_log().disk);
  auto log = Log::open(kSource, reference_options(env)).value();
  ASSERT_TRUE(log.append("newest"));
  const auto refused = copy_log(kSource, kCopyPath, {.waits = false, .env = &env});
  ASSERT_EQ(code_of(refused), ErrorCode::locked);
  EXPECT_NE(refused.error().message().find("has it open"), std::string::npos);
  EXPECT_EQ(records_at(env, kCopyPath), records_at(env, kSource));
  ASSERT_TRUE(log.close());
  const auto report = copy_log(kSource, kCopyPath, {.waits = false, .env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->is_complete);
  EXPECT_EQ(report->copied_records, 0U);
}

TEST(LogCopyTest, source_that_was_trimmed_or_truncated_too_far_is_told) {
  SimEnv env(make_reference_log().disk);
  ASSERT_TRUE(copy_log(kSource, kCopyPath, plain(env)));
  auto log = Log::open(kSource, reference_options(env)).value();
  const auto records = records_at(env, kSource).value();
  ASSERT_TRUE(log.truncate_from(records[records.size() - 2].lsn));
  ASSERT_TRUE(log.append("instead") && log.close());
  EXPECT_EQ(code_of(copy_log(kSource, kCopyPath, plain(env))), ErrorCode::truncated);

  ASSERT_TRUE(copy_log(kSource, "/second", plain(env)));
  log = Log::open(kSource, reference_options(env)).value();
  for (uint64_t i = 0; i < 30; ++i) ASSERT_TRUE(log.append(payload_of(i)));
  ASSERT_TRUE(log.trim_before(log.segments().back().base_lsn) && log.close());
  EXPECT_EQ(code_of(copy_log(kSource, "/second", plain(env))), ErrorCode::trimmed);
}

TEST(LogCopyTest, damage_of_the_source_is_told_and_not_copied) {
  ReferenceLog log = make_reference_log();
  flip_bit(log.disk, log.segments[1].path, (log.segments[1].frames[2] + 100) * 8);
  SimEnv env(log.disk);
  const auto report = copy_log(kSource, kCopyPath, plain(env));
  ASSERT_EQ(code_of(report), ErrorCode::corruption);
  const auto copied = records_at(env, kCopyPath);
  ASSERT_TRUE(copied);
  EXPECT_LT(copied->size(), log.segments[1].record_at(log.segments[1].frames[2]) + 1);
}

TEST(LogCopyTest, comparing_finds_what_changed_in_a_closed_segment) {
  SimEnv env(make_reference_log().disk);
  ASSERT_TRUE(copy_log(kSource, kCopyPath, plain(env)));
  SimDisk disk = env.disk().shut_down();
  flip_bit(disk, std::string(kCopyPath) + "/00000000000000000002.wal", 5000 * 8);
  SimEnv next(disk);
  EXPECT_TRUE(copy_log(kSource, kCopyPath, plain(next)));
  EXPECT_EQ(code_of(copy_log(kSource, kCopyPath, {.compares = true, .env = &next})),
            ErrorCode::invalid_argument);
}

/// Follows until `is_reached` says so of the copy's end.
class Follower {
 public:
  explicit Follower(SimEnv& env)
      : thread_([this, &env](const std::stop_token& stop) {
          report_ = copy_log(kSource, kCopyPath,
                             {.follows = true,
                              .on_progress =
                                  [this](const CopyProgress& progress) {
                                    reached_ = progress.copied_lsn.value();
                                    reached_.notify_all();
                                  },
                              .stop = stop,
                              .env = &env});
          has_ended_ = true;
          reached_ = UINT64_MAX;
          reached_.notify_all();
        }) {}

  /// False if it ended before.
  bool reach(Lsn lsn) {
    for (uint64_t at = reached_; at < lsn.value(); at = reached_) reached_.wait(at);
    return !has_ended_;
  }
  Result<CopyReport> end() {
    thread_.request_stop();
    thread_.join();
    return *report_;
  }

 private:
  std::atomic<uint64_t> reached_ = 0;
  std::atomic<bool> has_ended_ = false;
  std::optional<Result<CopyReport>> report_;
  std::jthread thread_;
};

TEST(LogCopyTest, follower_keeps_up_over_rotations_trims_and_writers) {
  SimEnv env(make_reference_log().disk);
  auto log = std::make_unique<Log>(Log::open(kSource, reference_options(env)).value());
  Follower follower(env);
  for (uint64_t i = 0; i < 60; ++i) {
    const auto lsn = log->append(payload_of(i));
    ASSERT_TRUE(lsn);
    while (log->step_background()) {
    }
    if (i % 10 == 5) {
      ASSERT_TRUE(follower.reach(log->durable_lsn()));
      // The copy is read while it is made.
      auto copy = ReadOnlyLog::open(kCopyPath, {.env = &env});
      ASSERT_TRUE(copy) << copy.error().message();
      EXPECT_TRUE(copy->read(*lsn));
    }
    if (i == 25) {
      ASSERT_TRUE(log->trim_before(*lsn));
    }
    if (i == 45) {
      log = nullptr;  // Another opening, of another epoch.
      log = std::make_unique<Log>(Log::open(kSource, reference_options(env)).value());
    }
  }
  ASSERT_TRUE(follower.reach(log->durable_lsn()));
  const auto report = follower.end();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->is_complete);
  EXPECT_EQ(report->end_lsn, log->end_lsn());
  ASSERT_TRUE(log->close());
  const auto done = copy_log(kSource, kCopyPath, plain(env));
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(done->is_complete);
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
}

/// Openings of the source while it is followed.
TEST(LogCopyTest, copy_has_an_epoch_above_those_of_its_source) {
  SimEnv env(make_reference_log().disk);
  Follower follower(env);
  Lsn end;
  for (int opening = 0; opening < 5; ++opening) {
    auto log = Log::open(kSource, reference_options(env)).value();
    end = log.append("under an epoch of its own").value();
    ASSERT_TRUE(follower.reach(log.durable_lsn()));
    // Its owner is believed: or else what it writes just now would be judged.
    auto copy = ReadOnlyLog::open(kCopyPath, {.env = &env});
    ASSERT_TRUE(copy) << copy.error().message();
    EXPECT_TRUE(copy->read(end));
    const auto verified = ReadOnlyLog::verify(kCopyPath, {.env = &env});
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_TRUE(verified->is_live);
    ASSERT_TRUE(log.close());
  }
  ASSERT_TRUE(follower.end());
}

/// The frame that the truncation cut holds records which the log has not: a copy that is stopped
/// right behind it has none of them.
TEST(LogCopyTest, truncation_comes_with_the_frame_that_it_cuts) {
  SimEnv env(truncated_disk(true));
  const auto all = records_at(env, kSource).value();
  for (uint64_t calls = 1; calls < 40; ++calls) {
    uint64_t told = 0;
    std::stop_source stop;
    const std::string path = fmt::format("/copy{}", calls);
    const auto report = copy_log(kSource, path,
                                 {.on_progress =
                                      [&](const CopyProgress&) {
                                        if (++told == calls) stop.request_stop();
                                      },
                                  .stop = stop.get_token(),
                                  .env = &env});
    ASSERT_TRUE(report) << report.error().message();
    const auto part = records_at(env, path);
    ASSERT_TRUE(part) << calls;
    EXPECT_TRUE(std::ranges::equal(*part, all | std::views::take(part->size()))) << calls;
  }
}

TEST(LogCopyTest, copy_waits_for_the_writer_and_takes_what_it_still_appends) {
  SimEnv env(make_reference_log().disk);
  auto log = Log::open(kSource, reference_options(env)).value();
  bool has_waited = false;
  const auto report =
      copy_log(kSource, kCopyPath,
               {.on_progress =
                    [&](const CopyProgress& progress) {
                      if (progress.phase != CopyProgress::Phase::waiting || has_waited) return;
                      has_waited = true;
                      EXPECT_NE(progress.waits_for.find("has it open"), std::string::npos);
                      for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(log.append(payload_of(i)));
                      ASSERT_TRUE(log.close());
                    },
                .env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(has_waited && report->is_complete);
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
}

TEST(LogCopyTest, stopped_copy_is_a_closed_log_and_gone_on_with) {
  SimEnv env(make_reference_log({.segments = 8}).disk);
  std::stop_source stop;
  const auto report = copy_log(kSource, kCopyPath,
                               {.on_progress =
                                    [&](const CopyProgress& progress) {
                                      if (progress.copied_bytes > 6000) stop.request_stop();
                                    },
                                .stop = stop.get_token(),
                                .env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->is_complete);
  EXPECT_GT(report->copied_records, 0U);
  const auto part = records_at(env, kCopyPath).value();
  const auto all = records_at(env, kSource).value();
  ASSERT_LT(part.size(), all.size());
  EXPECT_TRUE(std::ranges::equal(part, all | std::views::take(part.size())));
  const auto rest = copy_log(kSource, kCopyPath, plain(env));
  ASSERT_TRUE(rest) << rest.error().message();
  EXPECT_EQ(report->copied_records + rest->copied_records, all.size());
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
}

TEST(LogCopyTest, frames_larger_than_a_piece_are_copied) {
  SimEnv env(SimDisk{});
  Options options = reference_options(env);
  options.segment_bytes = 24 << 20;
  auto log = Log::open(kSource, options).value();
  for (const size_t bytes : {size_t{10}, size_t{9} << 20, size_t{100}, size_t{9} << 20}) {
    ASSERT_TRUE(log.append(std::string(bytes, 'r')));
  }
  ASSERT_TRUE(log.close());
  ASSERT_TRUE(copy_log(kSource, kCopyPath, plain(env)));
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
}

// Objects.

class LogCopyObjectsTest : public ::testing::Test {
 protected:
  LogCopyObjectsTest() { connect(); }
  std::shared_ptr<test::SimClient> connect() {
    auto client = std::make_shared<test::SimClient>(objects_);
    test::register_client(client);
    return client;
  }
  static std::vector<StoredRecord> records() {
    std::vector<StoredRecord> found;
    auto log = ReadOnlyLog::open(kObjects);
    if (!log) return found;
    for (auto& record : log->reader(log->first_lsn())) {
      if (!record) {
        ADD_FAILURE() << record.error().message();
        break;
      }
      found.push_back({.lsn = record->lsn,
                       .ordinal = record->ordinal,
                       .type = record->type,
                       .payload = {record->payload.begin(), record->payload.end()}});
    }
    return found;
  }
  std::shared_ptr<test::SimObjects> objects_ = std::make_shared<test::SimObjects>();
};

TEST_F(LogCopyObjectsTest, directories_and_back_are_the_same_log) {
  for (const CopyCase& source : copy_cases()) {
    objects_ = std::make_shared<test::SimObjects>();
    connect();
    SimEnv env(source.disk);
    const auto there = copy_log(kSource, kObjects, plain(env));
    if (source.name.starts_with("truncated")) {
      EXPECT_EQ(code_of(there), ErrorCode::invalid_argument);
      EXPECT_TRUE(objects_->names().empty());
      continue;
    }
    ASSERT_TRUE(there) << source.name << there.error().message();
    EXPECT_TRUE(there->is_complete);
    EXPECT_EQ(records(), records_at(env, kSource)) << source.name;
    const auto verified = ReadOnlyLog::verify(kObjects);
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(verified->verdict, VerifyReport::Verdict::ok);
    const auto back = copy_log(kObjects, kCopyPath, plain(env));
    ASSERT_TRUE(back) << source.name << back.error().message();
    EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "") << source.name;
    auto log = Log::open(kObjects).value();
    ASSERT_TRUE(log.append("goes on") && log.close());
    EXPECT_EQ(code_of(copy_log(kSource, kObjects, plain(env))), ErrorCode::invalid_argument);
  }
}

TEST_F(LogCopyObjectsTest, a_writer_of_objects_is_fenced_and_loses_nothing) {
  SimEnv env{SimDisk{}};
  auto log = Log::open(kObjects, {.segment_bytes = 8192}).value();
  for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(log.append(payload_of(i)));
  const auto report = copy_log(kObjects, kCopyPath, plain(env));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->is_complete);
  EXPECT_EQ(code_of(log.append("late")), ErrorCode::fenced);
  EXPECT_EQ(records_at(env, kCopyPath), records());
  EXPECT_EQ(records().size(), 20U);
}

TEST_F(LogCopyObjectsTest, refused_destination_is_not_taken_from_its_writer) {
  SimEnv env(make_reference_log().disk);
  auto owner = Log::open(kObjects).value();
  ASSERT_TRUE(owner.append("mine"));
  EXPECT_EQ(code_of(copy_log(kSource, kObjects, plain(env))), ErrorCode::invalid_argument);
  EXPECT_TRUE(owner.append("still mine"));
}

/// Each change in turn is the last one that is made, or one whose answer is lost.
TEST_F(LogCopyObjectsTest, copies_that_end_anywhere_and_answers_that_are_lost_harm_nothing) {
  const SimDisk disk = make_reference_log().disk;
  SimEnv whole(disk);
  const auto all = records_at(whole, kSource).value();
  const auto client = connect();
  ASSERT_TRUE(copy_log(kSource, kObjects, plain(whole)));
  const uint64_t changes = client->changes();
  using Fate = test::LostAnswer::Fate;
  for (uint64_t call = 1; call <= changes; ++call) {
    for (const Fate fate : {Fate::made, Fate::never, Fate::later}) {
      objects_ = std::make_shared<test::SimObjects>();
      connect()->lose({.call = call, .fate = fate, .calls_later = 1 + call % 3});
      SimEnv env(disk);
      const auto report = copy_log(kSource, kObjects, plain(env));
      ASSERT_TRUE(report) << call << report.error().message();
      ASSERT_EQ(records(), all) << call;
    }
    objects_ = std::make_shared<test::SimObjects>();
    connect()->stop_at(call);
    SimEnv env(disk);
    ASSERT_FALSE(copy_log(kSource, kObjects, plain(env)));
    connect();
    const auto part = records();
    EXPECT_TRUE(std::ranges::equal(part, all | std::views::take(part.size()))) << call;
    const auto report = copy_log(kSource, kObjects, plain(env));
    ASSERT_TRUE(report) << call << report.error().message();
    ASSERT_EQ(records(), all) << call;
    const auto back = copy_log(kObjects, kCopyPath, plain(env));
    ASSERT_TRUE(back) << call << back.error().message();
    ASSERT_EQ(difference(env.disk(), kSource, kCopyPath), "") << call;
  }
}

}  // namespace
}  // namespace writeahead::testing
