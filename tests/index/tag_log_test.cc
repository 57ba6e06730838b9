// TagLog: what each tag's consumer gets, in which order, after which pops, trims and reopenings.
#include "writeahead/index/tag_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "support/test_seed.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {
namespace {

using testing::code_of;
using writeahead::test::ScratchDirectory;

class TagLogTest : public ::testing::Test {
 protected:
  static TagLogOptions options() {
    return {.log = {.segment_bytes = 16 << 10, .background = BackgroundWork::stepped},
            .tags = 1000};
  }
  std::unique_ptr<TagLog> open(const TagLogOptions& options = TagLogTest::options()) {
    auto log = TagLog::open(path_, options);
    EXPECT_TRUE(log) << log.error().message();
    return std::move(*log);
  }
  static std::vector<std::string> texts(const std::vector<TaggedRecord>& records) {
    std::vector<std::string> texts;
    for (const TaggedRecord& record : records) {
      texts.emplace_back(reinterpret_cast<const char*>(record.payload.data()),
                         record.payload.size());
    }
    return texts;
  }
  static std::vector<std::string> all_of(TagLog& log, Tag tag, Lsn from = Lsn()) {
    auto records = log.peek(tag, from, UINT64_MAX);
    EXPECT_TRUE(records) << records.error().message();
    return texts(*records);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
};

using Texts = std::vector<std::string>;

TEST_F(TagLogTest, peek_shows_each_tag_its_records_in_order) {
  auto log = open();
  ASSERT_TRUE(log->append("a", {1}));
  ASSERT_TRUE(log->append("b", {1, 2}));
  const Lsn third = log->append("c", {2}, {.type = 7}).value();
  ASSERT_TRUE(log->append("d", {1, 1}));  // Twice the same tag is once.
  EXPECT_EQ(all_of(*log, 1), (Texts{"a", "b", "d"}));
  EXPECT_EQ(all_of(*log, 2), (Texts{"b", "c"}));
  EXPECT_EQ(all_of(*log, 2, third), Texts{"c"});
  EXPECT_EQ(all_of(*log, 2, third + 1), Texts{});
  EXPECT_EQ(all_of(*log, 3), Texts{});
  EXPECT_EQ(log->peek(2, third, 1)->at(0).type, 7);
  EXPECT_EQ(log->peek(2, third, 1)->at(0).lsn, third);
  EXPECT_EQ(log->info(1)->records, 3U);
}

TEST_F(TagLogTest, peek_ends_at_so_many_bytes_and_shows_one_at_least) {
  auto log = open();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->append(std::string(100, 'x'), {5}));
  EXPECT_EQ(log->peek(5, Lsn(), 0)->size(), 1U);
  EXPECT_EQ(log->peek(5, Lsn(), 299)->size(), 2U);
  EXPECT_EQ(log->peek(5, Lsn(), 300)->size(), 3U);
  EXPECT_EQ(log->peek(5, Lsn(), 1 << 20)->size(), 10U);
}

TEST_F(TagLogTest, pop_is_kept_over_a_reopening_and_gives_space_back) {
  auto log = open();
  std::vector<Lsn> lsns;
  for (int i = 0; i < 200; ++i) {
    lsns.push_back(log->append(std::string(500, 'x'), {static_cast<Tag>(i % 2)}).value());
  }
  ASSERT_TRUE(log->pop(0, lsns[100]));
  EXPECT_EQ(log->info(0)->records, 50U);
  EXPECT_EQ(log->info(1)->records, 100U);
  EXPECT_EQ(log->info(1)->first, lsns[1]);
  EXPECT_EQ(log->log().first_lsn(), Lsn(log->log().segments()[0].base_lsn));
  const Lsn first = log->log().first_lsn();
  log.reset();
  log = open();
  EXPECT_EQ(log->info(0)->records, 50U);
  EXPECT_EQ(log->info(0)->popped, lsns[100]);
  EXPECT_EQ(all_of(*log, 0).size(), 50U);
  ASSERT_TRUE(log->pop(1, lsns[150]));
  EXPECT_GT(log->log().first_lsn(), first);
  EXPECT_LE(log->log().first_lsn(), lsns[100]);
  ASSERT_TRUE(log->pop(0, lsns[100]));  // Again; nothing happens.
  ASSERT_TRUE(log->pop(0, lsns[50]));
  EXPECT_EQ(log->info(0)->popped, lsns[100]);
  EXPECT_EQ(all_of(*log, 1).size(), 25U);
}

TEST_F(TagLogTest, snapshot_knows_what_was_popped) {
  auto log = open();
  std::vector<Lsn> lsns;
  for (int i = 0; i < 10; ++i) lsns.push_back(log->append("x", {1}).value());
  ASSERT_TRUE(log->pop(1, lsns[4]));
  ASSERT_TRUE(log->close());
  log.reset();
  log = open();
  EXPECT_EQ(log->stats().records, 0U);
  EXPECT_EQ(log->info(1)->popped, lsns[4]);
  EXPECT_EQ(all_of(*log, 1).size(), 6U);
  ASSERT_TRUE(log->pop(1, lsns[2]));
  EXPECT_EQ(all_of(*log, 1).size(), 6U);
}

TEST_F(TagLogTest, log_is_trimmed_to_nothing_once_all_is_popped) {
  auto log = open();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(log->append(std::string(500, 'x'), {1, 2}));
  const Lsn end = log->log().durable_lsn();
  ASSERT_TRUE(log->pop(1, end));
  EXPECT_GT(log->log().segments().size(), 5U);
  ASSERT_TRUE(log->pop(2, end));
  EXPECT_LE(log->log().segments().size(), 1U);
  ASSERT_TRUE(log->append("next", {2}));
  log.reset();
  log = open();
  EXPECT_EQ(all_of(*log, 2), Texts{"next"});
  EXPECT_EQ(all_of(*log, 1), Texts{});
}

TEST_F(TagLogTest, refuses_what_makes_no_sense) {
  auto log = open();
  EXPECT_EQ(code_of(log->append("x", {1000})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->append("x", std::span<const Tag>())), ErrorCode::invalid_argument);
  const std::vector<Tag> too_many(1 << 24);
  EXPECT_EQ(code_of(log->append("x", too_many)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->peek(1000, Lsn(), 1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->wait_peek(1000, Lsn(), 1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->pop(1000, Lsn())), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->info(1000)), ErrorCode::invalid_argument);
  ASSERT_TRUE(log->append("x", {1}));
  EXPECT_EQ(code_of(log->pop(1, log->log().end_lsn() + 1)), ErrorCode::invalid_argument);
  EXPECT_EQ(all_of(*log, 1), Texts{"x"});
  TagLogOptions none = options();
  none.tags = 0;
  EXPECT_EQ(code_of(TagLog::open(scratch_.path("other"), none)), ErrorCode::invalid_argument);
}

/// How often the thread has slept.
uint64_t switches_of_this_thread() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_nvcsw);
}

TEST_F(TagLogTest, record_wakes_whom_it_concerns_and_one_more) {
  TagLogOptions threaded = options();
  threaded.log.background = BackgroundWork::thread;
  auto log = open(threaded);
  constexpr uint64_t kIdle = 20;
  constexpr uint64_t kAppends = 200;
  std::atomic<uint64_t> waiting = 0;
  std::atomic<uint64_t> switches = 0;
  std::stop_source stop;
  std::vector<std::jthread> idle;
  for (Tag tag = 100; tag < 100 + kIdle; ++tag) {
    idle.emplace_back([&, tag] {
      const uint64_t before = switches_of_this_thread();
      ++waiting;
      EXPECT_TRUE(log->wait_peek(tag, Lsn(), 1, stop.get_token())->empty());
      switches += switches_of_this_thread() - before;
    });
  }
  while (waiting != kIdle) std::this_thread::yield();
  Lsn from;
  for (uint64_t i = 0; i < kAppends; ++i) {
    std::jthread producer([&] { ASSERT_TRUE(log->append("x", {1})); });
    const auto records = log->wait_peek(1, from, 1);
    ASSERT_EQ(records->size(), 1U);
    from = records->front().lsn + 1;
  }
  stop.request_stop();
  idle.clear();
  // The leader is woken by each, and a few times for a lock.
  EXPECT_LT(switches, 6 * kAppends) << "all of them would be " << kIdle * kAppends;
}

TEST_F(TagLogTest, opening_with_fewer_tags_keeps_the_records_of_the_others) {
  const std::string large(6000, 'x');
  {
    auto log = open();
    ASSERT_TRUE(log->append("of the last tag", {999}));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->append(large, {1}));
  }
  TagLogOptions fewer = options();
  fewer.tags = 10;
  for (const bool closes : {false, true}) {
    auto log = open(fewer);
    EXPECT_EQ(code_of(log->peek(999, Lsn(), 1)), ErrorCode::invalid_argument);
    ASSERT_TRUE(log->append(large, {1}));
    ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
    if (closes) {
      ASSERT_TRUE(log->close());
    }
  }
  EXPECT_EQ(all_of(*open(), 999), Texts{"of the last tag"});
}

TEST_F(TagLogTest, limits_that_would_trim_what_is_not_popped_are_refused) {
  for (uint64_t Options::* const limit :
       {&Options::retain_bytes, &Options::retain_segments, &Options::retain_seconds}) {
    TagLogOptions limited = options();
    limited.log.*limit = 1;
    EXPECT_EQ(code_of(TagLog::open(path_, limited)), ErrorCode::invalid_argument);
  }
}

TEST_F(TagLogTest, pop_whose_record_failed_is_recorded_by_the_next_one) {
  TagLogOptions full = options();
  full.log.quota_bytes = 3 * full.log.segment_bytes;
  auto log = open(full);
  ASSERT_TRUE(log->append("keeps all", {2}));
  Result<Lsn> lsn = Lsn();
  std::vector<Lsn> lsns;
  for (const size_t size : {4000, 10}) {
    while ((lsn = log->append(std::string(size, 'x'), {1}))) lsns.push_back(*lsn);
  }
  const Lsn up_to = lsns.back();
  EXPECT_EQ(code_of(log->pop(1, up_to)), ErrorCode::no_space);
  EXPECT_EQ(log->info(1)->records, 1U) << "it holds as long as the log is open";
  Result<void> popped = log->pop(2, lsns.front());
  for (int i = 0; i < 10 && !popped; ++i) {
    log->step_background();
    popped = log->pop(2, lsns.front());
  }
  ASSERT_TRUE(popped) << popped.error().message();
  ASSERT_TRUE(log->pop(1, up_to));
  log.reset();
  EXPECT_EQ(open(full)->info(1)->records, 1U);
}

/// Where the record of a pop has no room but what it gives up.
TEST_F(TagLogTest, pop_gives_space_back_on_a_full_disk) {
  TagLogOptions full = options();
  full.log.quota_bytes = 4 * full.log.segment_bytes;
  auto log = open(full);
  Result<Lsn> lsn = Lsn();
  for (int size : {4000, 10}) {
    while ((lsn = log->append(std::string(size, 'x'), {1}))) {
    }
    EXPECT_EQ(code_of(lsn), ErrorCode::no_space);
  }
  const Lsn end = log->log().durable_lsn();
  for (int i = 0; i < 10 && log->step_background(); ++i) {
  }
  auto popped = log->pop(1, end);
  for (int i = 0; i < 10 && code_of(popped) == ErrorCode::no_space; ++i) {
    log->step_background();
    popped = log->pop(1, end);
  }
  ASSERT_TRUE(popped) << popped.error().message();
  ASSERT_TRUE(log->append("more", {1}));
  log.reset();
  EXPECT_EQ(all_of(*open(full), 1), Texts{"more"});
}

TEST_F(TagLogTest, refuses_a_log_of_other_records) {
  {
    auto log = Log::open(path_).value();
    ASSERT_TRUE(log.append("of somebody else"));
  }
  const auto refused = TagLog::open(path_, options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unsupported_format);
}

TEST_F(TagLogTest, waiting_peek_gets_what_is_appended_later_or_nothing_in_time) {
  TagLogOptions threaded = options();
  threaded.log.background = BackgroundWork::thread;
  auto log = open(threaded);
  EXPECT_TRUE(log->wait_peek(3, Lsn(), 100, {}, std::chrono::milliseconds(1))->empty());
  std::vector<std::jthread> consumers;
  std::atomic<int> right = 0;
  for (Tag tag = 0; tag < 8; ++tag) {
    consumers.emplace_back([&, tag] {
      Lsn from;
      for (int i = 0; i < 50; ++i) {
        const auto records = log->wait_peek(tag, from, 0);
        if (!records || records->size() != 1) return;
        right += texts(*records).front() == fmt::format("{} {}", tag, i) ? 1 : 0;
        from = records->front().lsn + 1;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    for (Tag tag = 0; tag < 8; ++tag) ASSERT_TRUE(log->append(fmt::format("{} {}", tag, i), {tag}));
  }
  consumers.clear();
  EXPECT_EQ(right, 400);
  std::jthread stopped([&](const std::stop_token& stop) {
    EXPECT_TRUE(log->wait_peek(9, Lsn(), 100, stop)->empty());
  });
}

/// What does not go to the file stays in memory, and is no reason to refuse anything.
TEST(TagLogSpillTest, failing_spill_is_told_and_nothing_is_lost) {
  for (const bool fails_to_make : {true, false}) {
    testing::SimEnv env{testing::SimDisk{}};
    const TagLogOptions options{
        .log = {.env = &env, .background = BackgroundWork::stepped}, .tags = 4, .index_bytes = 1};
    auto log = TagLog::open("/log", options).value();
    const auto append_some = [&] {
      for (int i = 0; i < 600; ++i) {
        ASSERT_TRUE(log->append("x", {1, 2}, {.durability = Durability::buffered}));
      }
      ASSERT_TRUE(log->log().sync());
    };
    if (!fails_to_make) {
      append_some();
      ASSERT_TRUE(log->peek(1, Lsn(), 1));
    }
    append_some();
    const size_t expected = fails_to_make ? 600 : 1200;
    const auto kind = fails_to_make ? testing::CallKind::create : testing::CallKind::write;
    env.fail_call(env.calls(kind) + 1, ENOSPC, testing::FaultSpan::for_ever, kind);
    EXPECT_EQ(log->peek(1, Lsn(), UINT64_MAX)->size(), expected);
    EXPECT_NE(log->stats().last_failure.find("spill"), std::string::npos);
    EXPECT_EQ(log->peek(2, Lsn(), UINT64_MAX)->size(), expected);
    env.clear_faults();
    append_some();
    EXPECT_EQ(log->peek(2, Lsn(), UINT64_MAX)->size(), expected + 600);
    EXPECT_EQ(log->stats().last_failure, "") << "it was tried again";
    ASSERT_TRUE(log->close());
    log.reset();
    env.fail_call(env.calls(testing::CallKind::write) + 1, ENOSPC, testing::FaultSpan::for_ever,
                  testing::CallKind::write);
    log = TagLog::open("/log", options).value();
    EXPECT_EQ(log->peek(1, Lsn(), UINT64_MAX)->size(), expected + 600);
    EXPECT_NE(log->stats().last_failure, "");
  }
}

/// A pop that cannot look into what was spilled: what the tags are is not known any more then,
/// until the log is opened again, and nothing of it is kept.
TEST(TagLogSpillTest, failing_look_into_what_was_spilled_is_told_until_an_opening) {
  testing::SimEnv env{testing::SimDisk{}};
  const TagLogOptions options{
      .log = {.env = &env, .background = BackgroundWork::stepped}, .tags = 4, .index_bytes = 1};
  auto log = TagLog::open("/log", options).value();
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(log->append("x", {1}, {.durability = Durability::buffered}));
  }
  ASSERT_TRUE(log->log().sync());
  const Lsn middle = log->peek(1, Lsn(), UINT64_MAX)->at(300).lsn;
  const auto kind = testing::CallKind::read;
  env.fail_call(env.calls(kind) + 1, EIO, testing::FaultSpan::once, kind);
  EXPECT_EQ(code_of(log->pop(1, middle)), ErrorCode::io);
  EXPECT_EQ(code_of(log->peek(1, Lsn(), 1)), ErrorCode::io);
  EXPECT_FALSE(log->close()) << "a snapshot is made of what is not right";
  log.reset();
  log = TagLog::open("/log", options).value();
  EXPECT_EQ(log->peek(1, Lsn(), UINT64_MAX)->size(), 600U);
}

/// Against what each tag should have, with pops, snapshots, spilling and reopenings in between.
TEST_F(TagLogTest, shows_what_was_appended_and_not_popped_whatever_comes_in_between) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  TagLogOptions tight = options();
  tight.index_bytes = 4 << 10;
  tight.snapshot_bytes = 64 << 10;
  auto log = open(tight);
  constexpr Tag kTags = 20;
  std::map<Tag, std::map<Lsn, std::string>> model;
  for (int i = 0; i < 20'000; ++i) {
    const Tag tag = static_cast<Tag>(random() % kTags);
    switch (random() % 200) {
      case 0: {
        auto& records = model[tag];
        if (records.empty()) break;
        const auto at =
            std::next(records.begin(), static_cast<std::ptrdiff_t>(random() % records.size()));
        ASSERT_TRUE(log->log().sync());
        ASSERT_TRUE(log->pop(tag, at->first));
        records.erase(records.begin(), at);
        break;
      }
      case 1:
        if (random() % 20 != 0) break;
        ASSERT_TRUE(log->log().sync());
        if (random() % 2 == 0) {
          ASSERT_TRUE(log->close());
        }
        log.reset();
        log = open(tight);
        break;
      case 2: {
        ASSERT_TRUE(log->log().sync());
        Texts expected;
        for (const auto& [lsn, text] : model[tag]) expected.push_back(text);
        ASSERT_EQ(all_of(*log, tag), expected) << i;
        break;
      }
      default: {
        const std::vector<Tag> tags{tag, static_cast<Tag>(random() % kTags)};
        const std::string text = fmt::format("{} {}", i, std::string(random() % 50, '.'));
        const Lsn lsn = log->append(text, tags, {.durability = Durability::buffered}).value();
        for (const Tag each : tags) model[each][lsn] = text;
      }
    }
  }
}

}  // namespace
}  // namespace writeahead::index::test
