// Goal: repeats that nobody waits for, and repeats of many threads at once, are told what the first
// append is told, once and in order. Method: callbacks in a stepped log; threads that all make the
// same appends.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "support/sanitizers.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

AppendOptions marked(uint64_t producer, uint64_t number,
                     Durability durability = Durability::durable) {
  return {.durability = durability,
          .producer_number = ProducerNumber{.producer = producer, .number = number}};
}

BatchOptions marked_batch(uint64_t producer, uint64_t number) {
  return {.producer_number = ProducerNumber{.producer = producer, .number = number}};
}

class RepeatBeside : public ::testing::Test {
 protected:
  Log open(BackgroundWork background = BackgroundWork::stepped) {
    return Log::open("/log", {.segment_bytes = 8192,
                              .standby_segments = 0,
                              .env = &env_,
                              .background = background})
        .value();
  }
  static void step(Log& log) {
    while (log.step_background()) {
    }
  }
  SimEnv env_{SimDisk()};
};

TEST_F(RepeatBeside, repeat_that_nobody_waits_for_is_told_the_first_lsn_in_order) {
  Log log = open();
  std::vector<std::pair<std::string, Result<Lsn>>> told;
  const auto tell = [&](std::string who) {
    return [&told, who = std::move(who)](Result<Lsn> lsn) { told.emplace_back(who, lsn); };
  };
  log.append_async("a", marked(7, 1), tell("first"));
  log.append_async("a", marked(7, 1), tell("repeat"));
  log.append_async("b", tell("plain"));
  log.append_async("a", marked(7, 1), tell("again"));
  log.append_async("z", marked(7, 0), tell("lower"));
  EXPECT_TRUE(told.empty());
  step(log);
  ASSERT_EQ(told.size(), 5U);
  const auto is_first = [](const auto& answer) { return answer.first == "first"; };
  const Lsn first = std::ranges::find_if(told, is_first)->second.value();
  std::optional<Lsn> plain;
  for (const auto& [who, lsn] : told) {
    if (who == "lower") {
      EXPECT_EQ(code_of(lsn), ErrorCode::repeated);
    } else if (who == "plain") {
      plain = lsn.value();
    } else {
      EXPECT_EQ(lsn.value(), first) << who;
    }
  }
  EXPECT_GT(plain, first);
  EXPECT_EQ(log.last()->ordinal, 1U);
  // Once it is durable nothing is to be written, and it is told all the same.
  told.clear();
  const Lsn end = log.end_lsn();
  log.append_async("a", marked(7, 1), tell("late"));
  step(log);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].second.value(), first);
  EXPECT_EQ(log.end_lsn(), end);
  EXPECT_EQ(log.stats().async_bytes, 0U);
}

/// A buffered append has its level at once; but callbacks have the order of the addresses.
TEST_F(RepeatBeside, buffered_repeat_is_not_told_before_the_first_one) {
  Log log = open();
  std::vector<int> told;
  const auto tell = [&](int who) {
    return [&told, who](const Result<Lsn>&) { told.push_back(who); };
  };
  log.append_async("a", marked(7, 1, Durability::buffered), tell(1));
  log.append_async("a", marked(7, 1, Durability::buffered), tell(2));
  step(log);
  EXPECT_EQ(told, (std::vector<int>{1, 2}));
}

TEST_F(RepeatBeside, numbered_append_does_not_join_a_frame_of_a_plain_segment) {
  std::optional<Lsn> told;
  {
    Log log = open();
    ASSERT_TRUE(log.append("the segment is a plain one"));
    log.append_async("plain", [](const Result<Lsn>& lsn) { EXPECT_TRUE(lsn); });
    log.append_async("a", marked(7, 1), [&](Result<Lsn> lsn) { told = lsn.value(); });
    step(log);
    EXPECT_EQ(log.segments().size(), 2U);
    ASSERT_TRUE(log.close());
  }
  Log log = open();
  EXPECT_EQ(log.append("a", marked(7, 1)).value(), told);
}

TEST_F(RepeatBeside, repeat_is_not_told_before_the_first_append_is_durable) {
  Log log = open();
  const Lsn lsn = log.append("a", marked(7, 1, Durability::buffered)).value();
  std::optional<Lsn> told;
  ASSERT_TRUE(log.try_append_async("a", marked(7, 1), [&](Result<Lsn> answer) {
    told = answer.value();
    EXPECT_GT(log.durable_lsn(), lsn);
  }));
  EXPECT_FALSE(told);
  step(log);
  EXPECT_EQ(told, lsn);
}

TEST_F(RepeatBeside, repeat_fails_with_the_append_that_it_repeats) {
  Log log = open();
  std::vector<ErrorCode> told;
  const auto tell = [&](const Result<Lsn>& lsn) { told.push_back(lsn.error().code()); };
  env_.fail_call(env_.calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                 CallKind::dsync_write);
  log.append_async("a", marked(7, 1), tell);
  log.append_async("a", marked(7, 1), tell);
  step(log);
  EXPECT_EQ(told, (std::vector<ErrorCode>{ErrorCode::failed, ErrorCode::failed}));
}

TEST_F(RepeatBeside, batches_that_nobody_waits_for_are_told_the_whole_first_answer) {
  Log log = open();
  Batch batch;
  batch.add("a");
  batch.add("bcd");
  std::vector<Appended> told;
  const auto tell = [&](Result<Appended> range) { told.push_back(range.value()); };
  log.append_async("in front", [](const Result<Lsn>& lsn) { EXPECT_TRUE(lsn); });
  log.append_async(batch, marked_batch(7, 1), tell);
  ASSERT_TRUE(log.try_append_async(batch, marked_batch(7, 1), tell));
  step(log);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].first_lsn, told[1].first_lsn);
  EXPECT_EQ(told[0].end_lsn, told[1].end_lsn);
  EXPECT_EQ(told[0].first_ordinal, 1U);
  EXPECT_EQ(told[1].first_ordinal, 1U);
  EXPECT_EQ(log.read(batch.lsn(1, told[1]))->payload.size(), 3U);
  EXPECT_EQ(log.last()->ordinal, 2U);
}

/// All threads append the same, each in an order of its own for different producers, and by every
/// way there is.
TEST_F(RepeatBeside, appends_that_many_threads_make_at_once_are_there_once) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kProducers = 3;
  const uint64_t numbers = test::kIsSanitized ? 60 : 300;
  Log log = open(BackgroundWork::thread);
  std::vector<std::vector<Lsn>> answers(kThreads, std::vector<Lsn>(kProducers * numbers));
  const auto run = [&](uint64_t thread) {
    for (uint64_t number = 0; number < numbers; ++number) {
      for (uint64_t i = 0; i < kProducers; ++i) {
        const uint64_t producer = (i + thread) % kProducers;
        const std::string payload = std::to_string(producer) + ":" + std::to_string(number);
        Lsn& answer = answers[thread][producer * numbers + number];
        const auto options =
            marked(producer, number + 1, static_cast<Durability>((thread + number) % kThreads % 3));
        const auto note = [&answer](const Result<Lsn>& lsn) {
          // Another thread may be ahead.
          EXPECT_TRUE(lsn || lsn.error().code() == ErrorCode::repeated) << lsn.error().message();
          if (lsn) answer = *lsn;
        };
        if ((thread + number) % 2 == 0) {
          note(log.append(payload, options));
        } else {
          log.append_async(payload, options, note);
        }
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (uint64_t thread = 0; thread < kThreads; ++thread) threads.emplace_back(run, thread);
  }
  ASSERT_TRUE(log.close());
  log = open();
  std::set<std::string> found;
  uint64_t records = 0;
  for (const auto& record : log.reader(log.first_lsn())) {
    ASSERT_TRUE(record);
    ++records;
    const std::string text(reinterpret_cast<const char*>(record->payload.data()),
                           record->payload.size());
    EXPECT_TRUE(found.insert(text).second) << text << " is there twice";
    const ProducerNumber mark = record->producer_number.value();
    for (const auto& answer : answers) {
      const Lsn told = answer[mark.producer * numbers + mark.number - 1];
      EXPECT_TRUE(told == Lsn() || told == record->lsn) << text;
    }
  }
  EXPECT_EQ(records, kProducers * numbers);
}

}  // namespace
}  // namespace writeahead::testing
