// Each allocation of a course of a TagLog's calls fails once.
//
// Goal: want of memory is std::bad_alloc or an error, and the same call again makes it good: each
// tag has what was acknowledged and not popped, in order, in the open log and in one that is made
// of its records. Method: that of failing_allocation_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "memory/patient_env.h"
#include "memory/refusing_allocator.h"
#include "spill_file.h"
#include "support/log_path.h"
#include "support/sanitizers.h"
#include "tag_contents.h"
#include "tag_record.h"
#include "writeahead/index/tag_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index {
namespace {

using internal::Pop;
using test::Arming;
using test::has_memory_for;
using test::refusal;
using testing::kLogPath;
using testing::PatientEnv;
using testing::SimDisk;
using testing::SimEnv;

/// A record of a tag; one whose append failed may be there or not.
struct Entry {
  std::string text;
  bool is_sure = false;
};

class TagCourse {
 public:
  TagCourse() { open(); }

  void append(const std::vector<Tag>& tags) {
    for (bool is_done = false; !is_done;) {
      const std::string text = fmt::format("record {}", ++number_);
      is_done = attempt([&] {
        auto lsn = log_->append(text, tags);
        if (lsn) last_ = *lsn;
        return lsn.has_value();
      });
      for (const Tag tag : tags) entries_[tag].push_back({.text = text, .is_sure = is_done});
    }
  }
  void append_version(uint64_t committed) {
    const VersionLink link{.version = version_ + 1,
                           .previous_version = version_,
                           .known_committed_version = committed,
                           .generation = generation_};
    const std::string text = fmt::format("version {}", link.version);
    // One that is there already is answered again.
    until_done([&] { return log_->append_version(link, text, {1}).has_value(); });
    ++version_;
    entries_[1].push_back({.text = text, .is_sure = true});
  }
  void lock() {
    ++generation_;
    until_done([&] { return log_->lock(generation_).has_value(); });
  }
  void truncate_last_two() {
    until_done([&] { return log_->truncate_from_version(version_ - 1).has_value(); });
    version_ -= 2;
    auto& entries = entries_[1];
    entries.resize(entries.size() - 2);
  }
  /// All but the last `count`.
  void pop(Tag tag, size_t count) {
    std::vector<TaggedRecord> records;
    {
      const Arming disarmed(false);
      records = log_->peek(tag, Lsn(), UINT64_MAX).value();
    }
    const Lsn up_to = records.at(records.size() - count).lsn;
    until_done([&] { return log_->pop(tag, up_to).has_value(); });
    auto& entries = entries_[tag];
    // What is shown tells which of the unsure ones are there.
    std::erase_if(
        entries, [&](const Entry& entry) { return !entry.is_sure && !shows(records, entry.text); });
    for (Entry& entry : entries) entry.is_sure = true;
    entries.erase(entries.begin(), entries.end() - static_cast<std::ptrdiff_t>(count));
  }
  void move_forward(Tag tag) {
    until_done([&] { return log_->move_forward(tag, last_ + 1).has_value(); });
  }
  void step() {
    until_done([&] {
      log_->step_background();
      return true;
    });
  }
  void reopen(bool closes) {
    if (closes) {
      attempt([&] { return log_->close().has_value(); });
    }
    log_.reset();
    open();
  }
  /// What is wrong with what the tags show.
  std::string complaint() {
    for (const auto& [tag, entries] : entries_) {
      const auto records = log_->peek(tag, Lsn(), UINT64_MAX);
      if (!records) return fmt::format("tag {}: {}", tag, records.error().message());
      auto next = records->begin();
      for (const Entry& entry : entries) {
        if (next != records->end() && text_of(*next) == entry.text) {
          ++next;
        } else if (entry.is_sure) {
          return fmt::format("tag {} does not show '{}'", tag, entry.text);
        }
      }
      if (next != records->end()) return fmt::format("tag {} shows '{}'", tag, text_of(*next));
    }
    return "";
  }

 private:
  static std::string text_of(const TaggedRecord& record) {
    return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
  }
  static bool shows(const std::vector<TaggedRecord>& records, const std::string& text) {
    return std::ranges::any_of(records,
                               [&](const auto& record) { return text_of(record) == text; });
  }
  /// One time. A log that has failed is opened again.
  bool attempt(const std::function<bool()>& call) {
    bool is_done = false;
    const bool has_memory = has_memory_for([&] { is_done = call(); });
    if (has_memory && is_done) return true;
    const Arming disarmed(false);
    if (!log_->log().sync()) {
      log_.reset();
      open();
    }
    return false;
  }
  void until_done(const std::function<bool()>& call) {
    for (int attempts = 0; !attempt(call); ++attempts) ASSERT_LT(attempts, 3);
  }
  void open() {
    const TagLogOptions options{.log = {.segment_bytes = 8192,
                                        .standby_segments = 0,
                                        .env = &env_,
                                        .background = BackgroundWork::stepped},
                                .tags = 4,
                                .snapshot_bytes = 2000,
                                .slow_tag_bytes = 6000};
    for (int attempts = 0; log_ == nullptr; ++attempts) {
      ASSERT_LT(attempts, 3);
      has_memory_for([&] {
        if (auto opened = TagLog::open(kLogPath, options)) log_ = std::move(*opened);
      });
    }
  }

  SimEnv machine_{SimDisk{}};
  PatientEnv env_{machine_};
  std::unique_ptr<TagLog> log_;
  std::map<Tag, std::vector<Entry>> entries_;
  int number_ = 0;
  uint64_t version_ = 0;
  uint64_t generation_ = 0;
  Lsn last_;
};

void take_plain_course(TagCourse& course) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      course.append({1});
      course.append({1, 2});
      course.append({3});
    }
    course.move_forward(1);
    course.pop(3, 2);
    course.step();
    course.pop(1, 3);
    course.reopen(round == 1);
  }
}

void take_course_of_versions(TagCourse& course) {
  for (uint64_t round = 0; round < 4; ++round) {
    for (uint64_t i = 0; i < 6; ++i) course.append_version(i == 3 ? 2 + 3 * round : 0);
    course.lock();
    course.truncate_last_two();
    course.append_version(0);
    course.move_forward(1);
    course.reopen(round % 2 == 0);
  }
}

void expect_right_whichever_request_is_refused(const std::function<void(TagCourse&)>& take) {
  const uint64_t step = test::kIsSanitized ? 7 : 1;
  uint64_t runs = 0;
  for (uint64_t k = 1; !::testing::Test::HasFailure(); k += step) {
    refusal = {.is_for_ever = false, .k = k};
    TagCourse course;
    take(course);
    const uint64_t refused = refusal.refused;
    refusal = {};
    EXPECT_EQ(course.complaint(), "") << "request " << k;
    course.reopen(false);
    EXPECT_EQ(course.complaint(), "") << "request " << k << ", reopened";
    if (refused == 0) break;
    ++runs;
  }
  std::cout << runs << " requests refused" << std::endl;
  EXPECT_GT(runs, test::kIsSanitized ? 50U : 500U);
}

TEST(TagLogMemory, each_refused_request_is_made_good_by_the_next_call) {
  expect_right_whichever_request_is_refused(take_plain_course);
}

/// What has to look into spilled places twice may be left half done: then it is told.
TEST(TagLogMemory, pop_that_is_left_half_done_is_told_or_made_good) {
  SimEnv machine{SimDisk{}};
  PatientEnv env(machine);
  ASSERT_TRUE((*env.open_directory("/log", true, 0700))->open_directory("index", true, 0700));
  std::vector<std::vector<std::byte>> payloads;
  std::vector<RecordView> records;
  const auto add = [&](std::vector<std::byte> payload) {
    payloads.push_back(std::move(payload));
    records.push_back({.lsn = Lsn(100 * payloads.size()), .payload = payloads.back(), .pin = {}});
  };
  constexpr uint64_t kRecords = 1200;
  constexpr std::array<Tag, 1> kTag{1};
  payloads.reserve(2 * kRecords + 1);
  for (uint64_t i = 0; i < kRecords; ++i) add(internal::encode_tagged(kTag, {}));
  for (uint64_t i = 1; i <= kRecords; ++i) {
    add(internal::encode_moved({.tag = 1, .lsn = Lsn(100 * i)}, 0, {}));
  }
  const Pop pop{.tag = 1, .up_to = Lsn(30'000)};
  add(internal::encode_pops(std::span(&pop, 1)));
  uint64_t told = 0;
  for (uint64_t k = 1;; ++k) {
    internal::TagContents contents(
        1, [&] { return internal::SpillFile::create(env, "/log/index", "tags"); });
    contents.apply(std::span(records).first(2 * kRecords));
    ASSERT_FALSE(contents.spill_failure());
    refusal = {.is_for_ever = false, .k = k};
    const bool has_memory = has_memory_for([&] { contents.apply(std::span(records).last(1)); });
    refusal = {};
    if (!has_memory) contents.apply(std::span(records).last(1));
    if (contents.failure()) {
      EXPECT_EQ(contents.failure()->code(), ErrorCode::no_space);
      ++told;
    } else {
      EXPECT_EQ(contents.records(1), kRecords - 299) << k;
      EXPECT_EQ(contents.first_needed(1), Lsn(100 * (kRecords + 300))) << k;
    }
    if (has_memory) break;
    ASSERT_LT(k, 1000U);
  }
  EXPECT_GT(told, 0U);
}

TEST(TagLogMemory, each_refused_request_of_versions_is_made_good_by_the_next_call) {
  expect_right_whichever_request_is_refused(take_course_of_versions);
}

}  // namespace
}  // namespace writeahead::index
