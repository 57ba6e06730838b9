// Goal: every call that takes a log's path takes an address, or says in one line why it does not;
// what is listed of a log in objects is what is stored; and what verifies of a damaged one is
// salvaged. Method: objects in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/error_of.h"
#include "support/hooked_env.h"
#include "support/scratch_directory.h"
#include "support/sim_objects.h"
#include "writeahead/log.h"
#include "writeahead/object_store.h"
#include "writeahead/read_only_log.h"
#include "writeahead/salvage.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::test {
namespace {

using ::writeahead::testing::CallKind;
using ::writeahead::testing::code_of;
using ::writeahead::testing::make_hooked_env;
using ::writeahead::testing::SimDisk;
using ::writeahead::testing::SimEnv;

const std::string kAddress = "sim://log";

class ObjectAddressTest : public ::testing::Test {
 protected:
  ObjectAddressTest() { register_client(std::make_shared<SimClient>(objects_)); }

  static Log open(const std::string& path = kAddress) {
    return Log::open(path, {.segment_bytes = 8192, .background = BackgroundWork::stepped}).value();
  }
  /// Of some segments, all but the last one sealed. Closing writes no seal of objects.
  void make_log(bool is_sealed = true) {
    Log log = open();
    for (int i = 0; i < 20; ++i) append(log);
    while (is_sealed && log.step_background()) {
    }
  }
  void append(Log& log) {
    lsns_.push_back(log.append(std::to_string(lsns_.size()) + std::string(700, 'p')).value());
  }
  /// The object of a segment.
  [[nodiscard]] std::string segment(uint64_t number) const {
    for (const std::string& name : objects_->names()) {
      if (name.ends_with("000" + std::to_string(number))) return name;
    }
    ADD_FAILURE() << "there is no segment " << number;
    return {};
  }
  [[nodiscard]] uint64_t bytes_of(const std::string& object) const {
    std::vector<std::byte> bytes(1 << 20);
    return objects_->read(object, 0, bytes)->bytes;
  }
  [[nodiscard]] std::string new_path() const { return scratch_.path("new"); }
  /// The salvaged log has the records of `kept` where they were, and nothing else.
  void expect_records(const std::vector<size_t>& kept) const {
    Log log = open(new_path());
    std::vector<Lsn> found;
    for (auto& record : log.reader(log.first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      found.push_back(record->lsn);
      EXPECT_EQ(record->lsn, lsns_.at(record->ordinal));
    }
    std::vector<Lsn> expected;
    for (const size_t i : kept) expected.push_back(lsns_.at(i));
    EXPECT_EQ(found, expected);
    EXPECT_TRUE(log.append("it goes on"));
  }
  /// Those that lie in that segment, or do not.
  [[nodiscard]] std::vector<size_t> records(uint64_t number, bool is_in_it) const {
    std::vector<size_t> found;
    const auto log = ReadOnlyLog::open(kAddress).value();
    for (const SegmentInfo& info : log.segments()) {
      if (info.number != number) continue;
      for (size_t i = 0; i < lsns_.size(); ++i) {
        const bool lies_in_it = lsns_[i] >= info.base_lsn && lsns_[i] < info.end_lsn;
        if (lies_in_it == is_in_it) found.push_back(i);
      }
    }
    return found;
  }

  const std::shared_ptr<SimObjects> objects_ = std::make_shared<SimObjects>();
  const ScratchDirectory scratch_;
  std::vector<Lsn> lsns_;
};

TEST_F(ObjectAddressTest, address_is_told_from_a_directory) {
  for (const char* const address : {"sim://log", "rados://pool/log", "a1+b-c://x", "UPPER://x"}) {
    EXPECT_TRUE(is_object_address(address)) << address;
  }
  for (const char* const path :
       {"log", "/a/b", "/a/sim://log", "./sim://log", "://log", "a:/b", "a_b://c", ""}) {
    EXPECT_FALSE(is_object_address(path)) << path;
  }
}

TEST_F(ObjectAddressTest, scheme_that_nobody_opens_is_refused_by_every_call) {
  const auto refused_by = [&](std::string_view call, const auto& result) {
    ASSERT_FALSE(result) << call;
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_argument) << call;
    EXPECT_NE(result.error().message().find("other://"), std::string_view::npos) << call;
    EXPECT_EQ(result.error().message().find('\n'), std::string_view::npos) << call;
  };
  const std::string address = "other://pool/log";
  refused_by("open", Log::open(address));
  refused_by("destroy", Log::destroy(address));
  refused_by("open read-only", ReadOnlyLog::open(address));
  refused_by("verify", ReadOnlyLog::verify(address));
  refused_by("salvage", salvage(address, new_path()));
  refused_by("salvage to", salvage(scratch_.path("log"), address));
}

TEST_F(ObjectAddressTest, env_has_no_part_in_it) {
  make_log();
  SimEnv env{SimDisk()};
  EXPECT_EQ(code_of(Log::open(kAddress, {.env = &env})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(Log::destroy(kAddress, {.env = &env})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(ReadOnlyLog::open(kAddress, {.env = &env})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(ReadOnlyLog::verify(kAddress, {.env = &env})), ErrorCode::invalid_argument);
  EXPECT_TRUE(ReadOnlyLog::open(kAddress)) << "it is still there";
}

TEST_F(ObjectAddressTest, segments_are_listed_with_what_is_stored) {
  Log log = open();
  auto follower = ReadOnlyLog::open(kAddress).value();
  for (int i = 0; i < 20; ++i) append(log);
  while (log.step_background()) {
  }
  ASSERT_TRUE(follower.refresh());
  for (const auto& segments :
       {log.segments(), follower.segments(), ReadOnlyLog::open(kAddress)->segments()}) {
    ASSERT_GT(segments.size(), 3U);
    for (const SegmentInfo& info : segments) {
      EXPECT_EQ(info.bytes, bytes_of(segment(info.number))) << info.number;
    }
  }
  EXPECT_LT(log.segments().back().bytes, 8192U) << "its capacity";
}

TEST_F(ObjectAddressTest, salvage_copies_a_log_that_is_whole) {
  make_log();
  {
    Log log = open();
    append(log);
  }
  const auto report = salvage(kAddress, new_path());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->lost.empty());
  EXPECT_TRUE(report->findings.empty());
  EXPECT_EQ(report->records, lsns_.size());
  EXPECT_EQ(report->kept.front().file, segment(1));
  std::vector<size_t> all(lsns_.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  expect_records(all);
}

TEST_F(ObjectAddressTest, salvage_goes_around_a_damaged_frame) {
  make_log();
  const std::string damaged = segment(2);
  const std::vector<size_t> inside = records(2, true);
  ASSERT_GT(inside.size(), 2U);
  objects_->damage(damaged, 4096 + 100);
  const auto report = salvage(kAddress, new_path());
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(report->lost.size(), 1U);
  EXPECT_TRUE(report->has_loss());
  EXPECT_LT(report->lost[0].range.begin, lsns_[inside.front()]) << "its frame has a header";
  EXPECT_LE(report->lost[0].range.end, lsns_[inside[1]]);
  EXPECT_EQ(report->lost[0].range.file, damaged);
  EXPECT_EQ(report->lost[0].range.offset, 4096U);
  std::vector<size_t> kept;
  for (size_t i = 0; i < lsns_.size(); ++i) {
    if (i != inside.front()) kept.push_back(i);
  }
  expect_records(kept);
}

TEST_F(ObjectAddressTest, salvage_tells_of_each_object_that_is_missing) {
  make_log();
  const uint64_t last = ReadOnlyLog::open(kAddress)->segments().back().number;
  for (uint64_t i = 0; i < 6; ++i) {
    const uint64_t number = i % 3 == 2 ? last : 1 + i % 3;
    SCOPED_TRACE(i);
    lsns_.clear();
    ASSERT_TRUE(Log::destroy(kAddress));
    make_log(i < 3);
    const std::string gone = segment(number);
    const auto kept = records(number, false);
    objects_->remove(gone);
    const auto report = salvage(kAddress, new_path());
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(report->has_loss());
    EXPECT_TRUE(std::ranges::any_of(report->findings,
                                    [&](const Finding& finding) { return finding.file == gone; }));
    expect_records(kept);
    ASSERT_TRUE(Log::destroy(new_path()));
  }
}

/// The head's attributes say which objects there are; its bytes are the root.
TEST_F(ObjectAddressTest, salvage_does_without_a_root) {
  make_log();
  objects_->damage("log.head", 100);
  ASSERT_FALSE(Log::open(kAddress));
  const auto report = salvage(kAddress, new_path());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->findings.empty());
  EXPECT_EQ(report->records, lsns_.size());
}

TEST_F(ObjectAddressTest, salvage_of_no_log_or_to_no_directory_is_refused) {
  EXPECT_EQ(code_of(salvage(kAddress, new_path())), ErrorCode::not_found);
  make_log();
  EXPECT_EQ(code_of(salvage(kAddress, "sim://new")), ErrorCode::invalid_argument);
  EXPECT_EQ(objects_->names().size(), 1 + ReadOnlyLog::open(kAddress)->segments().size());
}

/// No writer shows before it writes: what it writes ends the salvage.
TEST_F(ObjectAddressTest, salvage_beside_a_writer_is_of_one_moment_or_none) {
  for (const bool trims : {false, true}) {
    make_log();
    Log writer = open();
    SimEnv env{SimDisk()};
    bool is_done = false;
    const auto hooked = make_hooked_env(env, [&](CallKind, std::string_view) {
      if (std::exchange(is_done, true)) return;
      if (trims) {
        EXPECT_TRUE(writer.trim_before(lsns_.back()));
      } else {
        EXPECT_TRUE(writer.append("meanwhile"));
      }
    });
    EXPECT_EQ(code_of(salvage(kAddress, "/new", {.env = hooked.get()})), ErrorCode::io);
    EXPECT_TRUE(is_done);
    EXPECT_EQ(code_of(Log::open("/new", {.env = &env})), ErrorCode::corruption);
    EXPECT_TRUE(salvage(kAddress, new_path())) << "the writer is there, and rests";
    ASSERT_TRUE(Log::destroy(new_path()));
    ASSERT_TRUE(Log::destroy(kAddress));
    lsns_.clear();
  }
}

}  // namespace
}  // namespace writeahead::test
