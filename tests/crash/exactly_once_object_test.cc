// Goal: in a log in objects each append of a producer is there once, at the address that it was
// told, whichever answer of the store was lost, wherever the owner stopped, and whenever another
// one took over: the producer makes again what it was not answered, to whoever owns the log then.
// Method: on objects in memory; each change of a course is in turn the one whose answer is lost, at
// which the owner stops, or before which another one comes.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/counts.h"
#include "support/error_of.h"
#include "support/object_courses.h"
#include "support/sanitizers.h"
#include "support/sim_objects.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {
namespace {

using ::writeahead::testing::code_of;
using Fate = LostAnswer::Fate;

const std::string kAddress = "sim://log";
constexpr uint64_t kNumbers = 24;
constexpr uint64_t kProducers = 2;

Options small_segments() { return {.segment_bytes = 8192, .background = BackgroundWork::stepped}; }

/// What each producer was told, by its numbers.
struct Told {
  std::array<std::map<uint64_t, Lsn>, kProducers> answers;

  [[nodiscard]] bool is_done() const {
    for (const auto& producer : answers) {
      if (producer.size() != kNumbers) return false;
    }
    return true;
  }
};

std::string payload_of(uint64_t producer, uint64_t number) {
  return std::to_string(producer) + ":" + std::to_string(number) +
         std::string(number * 131 % 700, 'x');
}

/// Goes on from the first number without an answer, and makes the last one with an answer again.
/// Ends where an append fails: that one may be there or not.
void produce(Log& log, Told& told) {
  for (uint64_t number = 1; number <= kNumbers; ++number) {
    for (uint64_t producer = 0; producer < kProducers; ++producer) {
      auto& answers = told.answers[producer];
      if (answers.size() > number) continue;
      const bool is_repeat = answers.contains(number);
      const ProducerNumber mark{.producer = producer, .number = number};
      Batch batch;
      batch.add(payload_of(producer, number));
      if (number % 4 == 0) batch.add("second");
      const auto range = log.append(batch, BatchOptions{.producer_number = mark});
      // The next one may be there already, without an answer.
      if (is_repeat && code_of(range) == ErrorCode::repeated) continue;
      if (!range) return;
      if (is_repeat) {
        EXPECT_EQ(range->first_lsn, answers[number]);
      }
      answers[number] = range->first_lsn;
      while (log.step_background()) {
      }
    }
  }
}

void produce(Told& told) {
  auto log = Log::open(kAddress, small_segments());
  if (!log) return;
  produce(*log, told);
  (void)log->close();
}

/// All numbers are there once, where their producers were told.
void expect_each_once(const Told& told) {
  ASSERT_TRUE(told.is_done());
  auto log = ReadOnlyLog::open(kAddress).value();
  std::array<std::map<uint64_t, std::vector<Lsn>>, kProducers> found;
  for (auto& record : log.reader(log.first_lsn())) {
    ASSERT_TRUE(record) << record.error().message();
    const ProducerNumber mark = record->producer_number.value();
    found.at(mark.producer)[mark.number].push_back(record->lsn);
  }
  for (uint64_t producer = 0; producer < kProducers; ++producer) {
    ASSERT_EQ(found[producer].size(), kNumbers);
    for (const auto& [number, lsns] : found[producer]) {
      EXPECT_EQ(lsns.size(), number % 4 == 0 ? 2U : 1U) << producer << ":" << number;
      EXPECT_EQ(lsns.front(), told.answers[producer].at(number)) << producer << ":" << number;
    }
  }
  const auto verified = ReadOnlyLog::verify(kAddress);
  ASSERT_TRUE(verified) << verified.error().message();
  EXPECT_EQ(verified->verdict, VerifyReport::Verdict::ok);
}

uint64_t changes_of_a_course() {
  const auto client = std::make_shared<SimClient>(std::make_shared<SimObjects>());
  register_client(client);
  Told told;
  produce(told);
  expect_each_once(told);
  return client->changes();
}

TEST(ExactlyOnceObjects, producers_repeat_after_lost_answers_and_owners_that_stop) {
  const uint64_t changes = changes_of_a_course();
  ASSERT_GT(changes, 40U);
  uint64_t states = 0;
  for_each_stop(changes, kIsSanitized ? 5 : 1, 1, [&](const OwnerFault& fault) {
    const auto objects = std::make_shared<SimObjects>();
    register_owner(objects, fault);
    Told told;
    produce(told);
    // Two owners, one after the other, as the producers know nothing of the first one's end.
    for (int owner = 0; owner < 2; ++owner) {
      register_owner(objects);
      produce(told);
    }
    expect_each_once(told);
    ++states;
  });
  print_count(part::kObjects, "owners that stopped under producers", states);
}

TEST(ExactlyOnceObjects, producers_repeat_to_whoever_took_the_log_over) {
  const uint64_t changes = changes_of_a_course();
  uint64_t states = 0;
  const auto run = [&](uint64_t call, const LostAnswer& lost) {
    SCOPED_TRACE(::testing::Message() << "taken over before change " << call << ", lost "
                                      << lost.call << ", " << lost.calls_later);
    const auto objects = std::make_shared<SimObjects>();
    const auto client = register_owner(objects, {.lost = lost});
    Told told;
    std::optional<Log> successor;
    client->before(call, [&] {
      register_client(std::make_shared<SimClient>(objects));
      successor.emplace(Log::open(kAddress, small_segments()).value());
      // Another way to the same log: whatever is on its way to the old owner comes here, too.
      Told beside = told;
      produce(*successor, beside);
      EXPECT_TRUE(beside.is_done());
    });
    produce(told);
    ASSERT_TRUE(successor);
    for (uint64_t producer = 0; producer < kProducers; ++producer) {
      // Numbers that went past this way are there already: only the last one has an answer.
      const ProducerNumber last{.producer = producer, .number = kNumbers};
      Batch batch;
      batch.add(payload_of(producer, kNumbers));
      batch.add("second");
      EXPECT_TRUE(successor->append(batch, BatchOptions{.producer_number = last}));
      for (auto& record : successor->reader(successor->first_lsn())) {
        const ProducerNumber mark = record.value().producer_number.value();
        if (mark.producer == producer) {
          told.answers[producer].try_emplace(mark.number, record->lsn);
        }
      }
    }
    expect_each_once(told);
    ASSERT_TRUE(successor->close());
    ++states;
  };
  for (uint64_t call = 3; call <= changes; call += kIsSanitized ? 5 : 1) {
    run(call, {});
    for (const uint64_t later : kLater) {
      run(call, {.call = call - 1, .fate = Fate::later, .calls_later = later});
    }
    if (::testing::Test::HasFailure()) return;
  }
  print_count(part::kObjects, "takeovers under producers", states);
}

}  // namespace
}  // namespace writeahead::test
