// Goal: what becomes of the source, or of the copy, while it is being copied is followed or told,
// and nothing is taken from whoever goes on with the copy. Method: copies whose progress is told to
// a test, which acts then, so that each step comes at a known place.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "format/bytes.h"
#include "format/root_slot.h"
#include "format/segment_name.h"
#include "support/copied_log.h"
#include "support/error_of.h"
#include "support/sim_objects.h"
#include "writeahead/object_store.h"
#include "writeahead/read_only_log.h"

namespace writeahead::testing {
namespace {

using Phase = CopyProgress::Phase;
const std::string kSource(kLogPath);
const std::string kObjects = "sim://log";
constexpr int kMostLooks = 400;  // of some ten milliseconds

/// Returns up to where the copy has to be before the next step; nothing: it is to be tried again.
using Step = std::function<std::optional<Lsn>()>;

/// Follows until the last step is made, and the copy is where that says.
Result<CopyReport> follow(SimEnv& env, const std::string& destination,
                          const std::vector<Step>& steps) {
  std::stop_source stop;
  Lsn least;
  size_t next = 0;
  int looks = 0;
  const auto on_progress = [&](const CopyProgress& progress) {
    if (progress.phase != Phase::following || progress.copied_lsn < least) return;
    if (next == steps.size() || ++looks > kMostLooks) {
      stop.request_stop();
    } else if (const auto reached = steps[next]()) {
      least = *reached;
      ++next;
    }
  };
  auto report = copy_log(
      kSource, destination,
      {.follows = true, .on_progress = on_progress, .stop = stop.get_token(), .env = &env});
  EXPECT_EQ(next, steps.size());
  return report;
}

Log open_source(SimEnv& env) { return Log::open(kSource, reference_options(env)).value(); }

format::RootState root_of(const SimDisk& disk, const std::string& path) {
  const auto bytes = disk.contents(path + "/log.root").value();
  std::array<format::DecodedRootSlot, 2> slots;
  for (size_t i = 0; i < slots.size(); ++i) {
    slots[i] = format::decode_root_slot(
        std::span(bytes).subspan(i * format::kRootSlotBytes, format::kRootSlotBytes));
  }
  return slots[slots[1].sequence > slots[0].sequence ? 1 : 0].root;
}

TEST(LogCopyMeanwhile, truncation_of_what_was_just_copied_is_told_as_one) {
  SimEnv env(make_reference_log().disk);
  auto log = open_source(env);
  Lsn given_up;
  const auto report = follow(env, kCopyPath,
                             {[&] {
                                given_up = log.append("given up").value();
                                return log.end_lsn();
                              },
                              [&] {
                                EXPECT_TRUE(log.truncate_from(given_up));
                                return Lsn{};
                              }});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::truncated) << report.error().message();
  ASSERT_TRUE(log.append("instead") && log.close());
  EXPECT_EQ(code_of(copy_log(kSource, kCopyPath, {.env = &env})), ErrorCode::truncated);
}

TEST(LogCopyMeanwhile, trim_past_a_copy_that_lags_begins_it_again) {
  SimEnv env(make_reference_log().disk);
  std::optional<Log> log;
  const auto report = follow(env, kCopyPath, {[&] {
                               log.emplace(open_source(env));
                               for (uint64_t i = 0; i < 60; ++i)
                                 EXPECT_TRUE(log->append(payload_of(i)));
                               EXPECT_TRUE(log->close());
                               log.emplace(open_source(env));
                               EXPECT_TRUE(log->trim_before(log->segments().back().base_lsn));
                               EXPECT_TRUE(log->append("newest"));
                               return log->end_lsn();
                             }});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->first_lsn, log->first_lsn());
  EXPECT_EQ(records_at(env, kCopyPath), records_at(env, kSource));
}

TEST(LogCopyMeanwhile, holds_of_an_idle_source_come_along) {
  SimEnv env(make_reference_log().disk);
  auto log = open_source(env);
  std::optional<Hold> hold;
  const auto report = follow(env, kCopyPath,
                             {[&] {
                                hold.emplace(log.hold("reader", log.end_lsn()).value());
                                return log.end_lsn();
                              },
                              [&]() -> std::optional<Lsn> {
                                const auto source = root_of(env.disk(), kSource);
                                const auto copy = root_of(env.disk(), kCopyPath);
                                EXPECT_FALSE(source.holds.empty());
                                if (copy.holds != source.holds) return std::nullopt;
                                return Lsn{};
                              }});
  EXPECT_TRUE(report) << report.error().message();
}

TEST(LogCopyMeanwhile, segments_that_go_while_they_are_compared_are_passed_over) {
  SimEnv env(make_reference_log({.segments = 40}).disk);
  bool is_trimmed = false;
  const auto on_progress = [&](const CopyProgress& progress) {
    if (progress.phase != Phase::comparing || is_trimmed) return;
    is_trimmed = true;
    auto log = open_source(env);
    EXPECT_TRUE(log.trim_before(log.segments().back().base_lsn));
    EXPECT_TRUE(log.close());
  };
  const auto report =
      copy_log(kSource, kCopyPath, {.compares = true, .on_progress = on_progress, .env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(is_trimmed && report->is_complete);
  EXPECT_EQ(difference(env.disk(), kSource, kCopyPath), "");
}

/// The file of a segment of which so far only the root says that a truncation began it; or nothing.
std::string begun_by_truncation(const SimDisk& disk) {
  const uint64_t number = root_of(disk, kSource).truncation.number;
  const std::string path = kSource + "/" + format::segment_name(number);
  const auto bytes = disk.contents(path);
  const bool is_begun =
      bytes && format::is_zero(std::span(*bytes).first(format::kSegmentHeaderBytes));
  return is_begun ? path : std::string();
}

TEST(LogCopyMeanwhile, segment_that_never_got_its_header_has_a_fitting_one_in_the_copy) {
  const ReferenceLog reference = make_reference_log();
  SimEnv made(reference.disk);
  std::vector<SimDisk> crashes;
  {
    auto log = open_source(made);
    made.watch_crashes([&](uint64_t, const SimDisk& disk) { crashes.push_back(disk.crash({})); });
    ASSERT_TRUE(log.truncate_from(reference.records[3].lsn));
  }
  int begun = 0;
  for (SimDisk& crashed : crashes) {
    const std::string path = begun_by_truncation(crashed);
    if (path.empty()) continue;
    ++begun;
    // A backup shares the file when the truncation is finished, so that it is left as it is.
    crashed.make_directory("/backup");
    ASSERT_TRUE(crashed.link(path, "/backup/segment"));
    SimEnv env(crashed);
    auto log = open_source(env);
    ASSERT_TRUE(log.append("behind") && log.close());
    // By now its root has a higher epoch than the segment behind.
    ASSERT_TRUE(open_source(env).close());
    const auto report = copy_log(kSource, kCopyPath, {.env = &env});
    ASSERT_TRUE(report) << report.error().message();
    const auto again = copy_log(kSource, kCopyPath, {.env = &env});
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(records_at(env, kCopyPath), records_at(env, kSource));
    const auto verified = ReadOnlyLog::verify(kCopyPath, {.env = &env});
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(verified->verdict, VerifyReport::Verdict::ok);
  }
  EXPECT_GE(begun, 1);
}

// Objects.

class LogCopyObjectsMeanwhile : public ::testing::Test {
 protected:
  LogCopyObjectsMeanwhile() { test::register_client(client_); }
  static std::vector<uint64_t> ordinals() {
    std::vector<uint64_t> found;
    auto log = ReadOnlyLog::open(kObjects).value();
    for (auto& record : log.reader(log.first_lsn())) found.push_back(record.value().ordinal);
    return found;
  }
  std::shared_ptr<test::SimObjects> objects_ = std::make_shared<test::SimObjects>();
  std::shared_ptr<test::SimClient> client_ = std::make_shared<test::SimClient>(objects_);
};

TEST_F(LogCopyObjectsMeanwhile, copy_that_somebody_opened_stays_with_them) {
  SimEnv env(make_reference_log().disk);
  std::optional<Log> owner;
  std::optional<Log> writer;
  const auto report = follow(env, kObjects, {[&] {
                               owner.emplace(Log::open(kObjects).value());
                               // The source's writer comes back, under an epoch of its own.
                               writer.emplace(open_source(env));
                               return Lsn{};
                             }});
  EXPECT_EQ(code_of(report), ErrorCode::fenced);
  EXPECT_TRUE(owner->append("mine"));
}

TEST_F(LogCopyObjectsMeanwhile, copy_that_somebody_opened_is_not_said_to_be_complete) {
  SimEnv env(make_reference_log().disk);
  std::optional<Log> owner;
  const auto on_progress = [&](const CopyProgress& progress) {
    if (progress.phase == Phase::finishing) owner.emplace(Log::open(kObjects).value());
  };
  const auto report = copy_log(kSource, kObjects, {.on_progress = on_progress, .env = &env});
  EXPECT_EQ(code_of(report), ErrorCode::fenced);
  EXPECT_TRUE(owner && owner->append("mine"));
}

/// Openings of the source that nobody looked at before it was owned.
TEST_F(LogCopyObjectsMeanwhile, owner_of_the_copy_is_believed_whoever_opened_the_source) {
  SimEnv env(make_reference_log().disk);
  bool is_opened = false;
  int looks = 0;
  const auto on_progress = [&](const CopyProgress& progress) {
    if (progress.phase == Phase::copying && !std::exchange(is_opened, true)) {
      for (int opening = 0; opening < 3; ++opening) {
        auto log = open_source(env);
        EXPECT_TRUE(log.append("under an epoch of its own") && log.close());
      }
    }
    if (progress.phase != Phase::finishing) return;
    const auto verified = ReadOnlyLog::verify(kObjects);
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_TRUE(verified->is_live);
    ++looks;
  };
  const auto report = copy_log(kSource, kObjects, {.on_progress = on_progress, .env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GE(looks, 2);
}

TEST_F(LogCopyObjectsMeanwhile, records_that_a_truncation_cut_off_never_come_to_objects) {
  SimEnv env(make_reference_log().disk);
  auto log = open_source(env);
  const auto report = follow(env, kObjects, {[&] {
                               Batch batch;
                               for (uint64_t i = 0; i < 6; ++i) batch.add(payload_of(i));
                               const auto range = log.append(batch).value();
                               EXPECT_TRUE(log.truncate_from(batch.lsn(3, range)));
                               return Lsn{};
                             }});
  EXPECT_EQ(code_of(report), ErrorCode::invalid_argument);
  const auto left = records_at(env, kSource).value();
  EXPECT_LE(ordinals().size(), left.size());
}

TEST_F(LogCopyObjectsMeanwhile, full_store_is_told_and_gone_on_with) {
  SimEnv env(make_reference_log().disk);
  auto log = open_source(env);
  const auto full = follow(env, kObjects, {[&] {
                             objects_->fill_up(true);
                             EXPECT_TRUE(log.append("too much"));
                             return Lsn{};
                           }});
  EXPECT_EQ(code_of(full), ErrorCode::no_space);
  objects_->fill_up(false);
  ASSERT_TRUE(log.close());
  const auto report = copy_log(kSource, kObjects, {.env = &env});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(ordinals().size(), records_at(env, kSource)->size());
}

TEST_F(LogCopyObjectsMeanwhile, another_address_of_the_source_is_the_same_place) {
  register_object_store("alias", [client = client_](const std::string&) {
    return Result<ObjectAddress>(
        ObjectAddress{.store = client, .name = "log", .patience_ms = 2000});
  });
  auto writer = Log::open(kObjects).value();
  ASSERT_TRUE(writer.append("mine"));
  EXPECT_EQ(code_of(copy_log(kObjects, "alias://log")), ErrorCode::invalid_argument);
  EXPECT_TRUE(writer.append("still mine"));
}

}  // namespace
}  // namespace writeahead::testing
