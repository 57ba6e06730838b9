// Goal: a log in objects loses, doubles and reorders nothing, whichever answer of the store is
// lost, whenever its owner stops, and whenever another owner takes it over. Method: the courses run
// on objects in memory; each change of a course is in turn the one whose answer is lost, at which
// the owner stops, or before which another one comes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
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

Options options() {
  // Few records a segment, so that a course rotates.
  return {.segment_bytes = 8192, .background = BackgroundWork::stepped};
}

/// What was appended, and what its appender was told.
struct History {
  struct Record {
    std::string payload;
    std::optional<Lsn> acknowledged;
  };
  std::vector<Record> records;
  Lsn trimmed;  // at the most

  void append(Log& log, const std::string& payload) {
    const auto lsn = log.append(payload);
    records.push_back(
        {.payload = payload, .acknowledged = lsn ? std::optional(*lsn) : std::nullopt});
  }
};

std::string payload_of(std::string_view owner, int i) {
  return std::string(owner) + std::to_string(i) +
         std::string(static_cast<size_t>(i) * 131 % 700, 'x');
}

/// Appends, rotates, seals, holds, trims, and trims to nothing. What fails is no error here: an
/// owner may be stopped.
void run_course(History& history, std::string_view owner, int records) {
  auto log = Log::open(kAddress, options());
  if (!log) return;
  for (int i = 0; i < records; ++i) {
    history.append(*log, payload_of(owner, i));
    while (log->step_background()) {
    }
    if (i == records / 2) {
      // Some segments go, and some stay.
      const auto& kept = history.records[history.records.size() - 3].acknowledged;
      if (kept) {
        history.trimmed = std::max(history.trimmed, *kept);
        (void)log->trim_before(*kept);
      }
      if (auto hold = log->hold("consumer", log->first_lsn())) (void)hold->release();
    }
    if (i == records * 3 / 4) {
      history.trimmed = std::max(history.trimmed, log->end_lsn());
      (void)log->trim_before(log->end_lsn());
    }
  }
  (void)log->close();
}

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

/// The log as a reader finds it, against what was told.
void expect_sound(const History& history) {
  std::map<Lsn, std::string> found;
  {
    auto log = ReadOnlyLog::open(kAddress);
    if (!log) {
      // Nobody was told that there is one.
      ASSERT_EQ(log.error().code(), ErrorCode::not_found) << log.error().message();
      for (const auto& record : history.records) EXPECT_FALSE(record.acknowledged);
      return;
    }
    EXPECT_LE(log->first_lsn(), history.trimmed);
    Lsn last;
    for (auto& record : log->reader(log->first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      EXPECT_TRUE(found.empty() || record->lsn > last);
      last = record->lsn;
      found.emplace(record->lsn, text_of(*record));
    }
    const auto verified = ReadOnlyLog::verify(kAddress);
    ASSERT_TRUE(verified) << verified.error().message();
    EXPECT_EQ(verified->verdict, VerifyReport::Verdict::ok);
    std::multiset<std::string> payloads;
    for (const auto& [lsn, payload] : found) payloads.insert(payload);
    for (const auto& record : history.records) {
      if (record.acknowledged && *record.acknowledged >= log->first_lsn()) {
        ASSERT_TRUE(found.contains(*record.acknowledged))
            << record.payload.substr(0, 8) << " is lost";
        EXPECT_EQ(found[*record.acknowledged], record.payload);
      }
      EXPECT_LE(payloads.count(record.payload), 1U) << record.payload.substr(0, 8) << " is doubled";
    }
    // Nothing is there that nobody appended.
    for (const auto& payload : payloads) {
      EXPECT_TRUE(std::ranges::any_of(
          history.records, [&](const auto& record) { return record.payload == payload; }));
    }
  }
}

/// How many changes a whole course makes.
uint64_t changes_of_a_course() {
  const auto client = std::make_shared<SimClient>(std::make_shared<SimObjects>());
  register_client(client);
  History history;
  run_course(history, "a", 30);
  expect_sound(history);
  for (const auto& record : history.records) EXPECT_TRUE(record.acknowledged);
  return client->changes();
}

TEST(ObjectLogCrash, lost_answers_lose_and_double_nothing) {
  const uint64_t changes = changes_of_a_course();
  ASSERT_GT(changes, 40U);
  uint64_t states = 0;
  for_each_lost_answer(changes, [&](const OwnerFault& fault) {
    register_owner(std::make_shared<SimObjects>(), fault);
    History history;
    run_course(history, "a", 30);
    for (const auto& record : history.records) {
      ASSERT_TRUE(record.acknowledged) << "one lost answer is asked for";
    }
    expect_sound(history);
    run_course(history, "b", 4);
    expect_sound(history);
    ++states;
  });
  print_count(part::kObjects, "lost answers", states);
}

/// Whatever waits for space is there once when there is some, also if an answer was lost before.
TEST(ObjectLogCrash, full_store_loses_and_doubles_nothing) {
  const uint64_t changes = changes_of_a_course();
  uint64_t states = 0;
  uint64_t refused = 0;
  const auto run = [&](uint64_t full, uint64_t count, const LostAnswer& lost) {
    const OwnerFault fault{.lost = lost};
    SCOPED_TRACE(::testing::Message()
                 << "full at " << full << ", " << count << " times; " << fault);
    const auto objects = std::make_shared<SimObjects>();
    register_owner(objects, fault)->be_full(full, count);
    History history;
    run_course(history, "a", 30);
    // Only what makes the log is refused at once, the first change or that again.
    ASSERT_TRUE(history.records.size() == 30 || (full <= 2 && history.records.empty()));
    for (const auto& record : history.records) ASSERT_TRUE(record.acknowledged);
    expect_sound(history);
    register_owner(objects);
    run_course(history, "b", 4);
    expect_sound(history);
    refused += objects->refusals();
    ++states;
  };
  for (uint64_t full = 1; full <= changes; full += case_step(4)) {
    for (const uint64_t count : {1U, 3U}) {
      run(full, count, {});
      for (const uint64_t later : kLater) {
        run(full, count, {.call = full - 1, .fate = Fate::later, .calls_later = later});
        run(full, count, {.call = full + count, .fate = Fate::later, .calls_later = later});
      }
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, states);
  print_count(part::kObjects, "full stores", states);
}

/// Reads that are not answered in time are made again, and never taken for something that is not
/// there.
TEST(ObjectLogCrash, lost_reads_change_nothing) {
  const auto objects = std::make_shared<SimObjects>();
  const auto client = std::make_shared<SimClient>(objects);
  register_client(client);
  History history;
  run_course(history, "a", 30);
  run_course(history, "b", 4);
  expect_sound(history);
  const uint64_t reads = client->reads();
  ASSERT_GT(reads, 20U);
  uint64_t states = 0;
  for (uint64_t call = 1; call <= reads; ++call) {
    for (const uint64_t count : {1U, 3U}) {
      SCOPED_TRACE(::testing::Message() << "read " << call << ", " << count << " times");
      const auto deaf = std::make_shared<SimClient>(std::make_shared<SimObjects>());
      register_client(deaf);
      deaf->lose_reads(call, count);
      History heard;
      run_course(heard, "a", 30);
      run_course(heard, "b", 4);
      for (const auto& record : heard.records) ASSERT_TRUE(record.acknowledged);
      expect_sound(heard);
      ++states;
    }
  }
  print_count(part::kObjects, "lost reads", states);
}

TEST(ObjectLogCrash, owner_that_stops_anywhere_loses_nothing) {
  const uint64_t changes = changes_of_a_course();
  uint64_t states = 0;
  for_each_stop(changes, case_step(4), 6, [&](const OwnerFault& fault) {
    const auto objects = std::make_shared<SimObjects>();
    register_owner(objects, fault);
    History history;
    run_course(history, "a", 30);
    // Whoever comes next finds all of it, goes on, and is not in the way of the one after.
    for (const char* const owner : {"b", "c"}) {
      register_owner(objects);
      if (fault.lost.fate != Fate::later) expect_sound(history);
      const size_t before = history.records.size();
      run_course(history, owner, 12);
      ASSERT_EQ(history.records.size(), before + 12);
      for (size_t i = before; i < history.records.size(); ++i) {
        ASSERT_TRUE(history.records[i].acknowledged);
      }
    }
    expect_sound(history);
    ++states;
  });
  print_count(part::kObjects, "owners that stopped", states);
}

/// Another owner before `call` of the first one, who goes on: everything that it appends from then
/// on is refused, for ever.
/// `is_full`: the store is, at the change before, so that it comes to one who waits for space.
void run_takeover(uint64_t call, bool appends_at_once, bool is_full, const LostAnswer& lost,
                  uint64_t& refused) {
  SCOPED_TRACE(::testing::Message()
               << "taken over before change " << call << ", lost " << lost.call << ", "
               << lost.calls_later << (appends_at_once ? ", appended to at once" : "")
               << (is_full ? ", full" : ""));
  const auto objects = std::make_shared<SimObjects>();
  const auto client = register_owner(objects, {.lost = lost});
  if (is_full) client->be_full(call - 1, 1);
  History history;
  History later;
  std::optional<Log> successor;
  client->before(call, [&] {
    register_client(std::make_shared<SimClient>(objects));
    successor.emplace(Log::open(kAddress, options()).value());
    if (appends_at_once) later.append(*successor, payload_of("b", 0));
  });
  run_course(history, "a", 30);
  ASSERT_TRUE(successor);
  for (int i = 1; i < 12; ++i) later.append(*successor, payload_of("b", i));
  for (const auto& record : later.records) ASSERT_TRUE(record.acknowledged);
  // Whatever was acknowledged to the old owner lies in front of what the new one appended.
  for (const auto& record : history.records) {
    refused += record.acknowledged ? 0 : 1;
    EXPECT_TRUE(!record.acknowledged || *record.acknowledged < *later.records[0].acknowledged);
  }
  History both = history;
  both.records.insert(both.records.end(), later.records.begin(), later.records.end());
  ASSERT_TRUE(successor->close());
  expect_sound(both);
}

TEST(ObjectLogCrash, fenced_owner_appends_nothing) {
  const uint64_t changes = changes_of_a_course();
  uint64_t states = 0;
  uint64_t refused = 0;
  // Behind the change by which it became the owner, and that again: before it is who takes over.
  for (uint64_t call = 3; call <= changes; call += case_step(4)) {
    for (const bool appends_at_once : {false, true}) {
      run_takeover(call, appends_at_once, false, {}, refused);
      // The first ones make the log, and are refused at once.
      ++states;
      if (call > 3) {
        run_takeover(call, appends_at_once, true, {}, refused);
        ++states;
      }
      for (const uint64_t lost : {call, call - 1}) {
        for (const uint64_t later : kLater) {
          run_takeover(call, appends_at_once, false,
                       {.call = lost, .fate = Fate::later, .calls_later = later}, refused);
          ++states;
        }
      }
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(refused, 1000U / case_step(4));
  print_count(part::kObjects, "takeovers", states);
  print_count(part::kObjects, "appends of fenced owners that were refused", refused);
}

/// Two that take the log over at once, before it was ever opened: one of them has it then, and
/// whatever was acknowledged to either is there.
TEST(ObjectLogCrash, owners_that_come_together_share_nothing) {
  uint64_t states = 0;
  for (const uint64_t call : {1U, 2U, 3U}) {
    for (const uint64_t later : kLater) {
      for (uint64_t lost = 0; lost <= call; ++lost) {
        SCOPED_TRACE(::testing::Message()
                     << "before " << call << ", lost " << lost << ", " << later);
        const auto objects = std::make_shared<SimObjects>();
        const auto client = std::make_shared<SimClient>(objects);
        register_client(client);
        client->lose({.call = lost, .fate = Fate::later, .calls_later = later});
        History both;
        std::optional<Log> other;
        client->before(call, [&] {
          register_client(std::make_shared<SimClient>(objects));
          if (auto log = Log::open(kAddress, options())) other.emplace(std::move(*log));
        });
        run_course(both, "a", 6);
        const bool has_first = both.records.size() == 6 && both.records.back().acknowledged;
        ASSERT_TRUE(other);
        both.append(*other, payload_of("b", 0));
        EXPECT_NE(has_first, both.records.back().acknowledged.has_value());
        (void)other->close();
        expect_sound(both);
        ++states;
      }
    }
  }
  print_count(part::kObjects, "owners that came together", states);
}

TEST(ObjectLogCrash, fenced_owner_is_told_so) {
  const auto objects = std::make_shared<SimObjects>();
  register_client(std::make_shared<SimClient>(objects));
  auto old = Log::open(kAddress, options()).value();
  ASSERT_TRUE(old.append("first"));
  auto log = Log::open(kAddress, options()).value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(code_of(old.append("late")), ErrorCode::fenced);
  EXPECT_EQ(code_of(old.trim_before(old.end_lsn())), ErrorCode::fenced);
  ASSERT_TRUE(log.append("second"));
  EXPECT_EQ(log.last()->ordinal, 1U);
}

}  // namespace
}  // namespace writeahead::test
