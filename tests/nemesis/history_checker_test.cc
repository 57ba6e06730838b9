// Goal: the checker passes a good history, and names each kind of wrong one by the rule that it
// breaks, with the record, its Lsn and the time. Method: histories made by hand, of two owners and
// two readers, with one thing changed.
#include "nemesis/history_checker.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Scope = Operation::Scope;

constexpr uint64_t kMs = 1'000'000;

/// What was done, in ms and with Lsns of hundreds, to be changed by each test.
struct Course {
  std::vector<Operation> first;   // process 1, an owner
  std::vector<Operation> second;  // process 2, who takes the log over
  std::vector<Operation> reader;  // process 9
  std::vector<FinalRecord> final;
  uint64_t first_lsn = 100;

  [[nodiscard]] std::vector<Violation> check(HistoryCounts* counts = nullptr) const {
    HistoryChecker checker;
    checker.add(1, first);
    checker.add(2, second);
    checker.add(9, reader);
    checker.set_final(final, first_lsn);
    auto violations = checker.check();
    if (counts != nullptr) *counts = checker.counts();
    return violations;
  }
};

Operation open(uint64_t epoch, uint64_t begin, uint64_t end) {
  return {.epoch = epoch,
          .invoked_ns = begin * kMs,
          .answered_ns = end * kMs,
          .kind = Kind::open,
          .outcome = Outcome::done};
}

Operation append(uint64_t process, uint64_t number, uint64_t lsn, uint64_t begin, uint64_t end) {
  return {.id = id_of(process, number),
          .lsn = lsn,
          .epoch = process,
          .invoked_ns = begin * kMs,
          .answered_ns = end * kMs,
          .count = 1,
          .kind = Kind::append,
          .outcome = Outcome::done};
}

Operation without_answer(Operation append) {
  append.lsn = 0;
  append.answered_ns = 0;
  append.outcome = Outcome::none;
  return append;
}

Operation read(uint64_t from, uint64_t end, uint32_t count, uint64_t begin, uint64_t answer) {
  Operation read{.lsn = from,
                 .invoked_ns = begin * kMs,
                 .answered_ns = answer * kMs,
                 .count = count,
                 .scope = Scope::everyone,
                 .kind = Kind::read,
                 .outcome = Outcome::done};
  read.end = end;
  return read;
}

Operation seen(uint64_t process, uint64_t number, uint64_t lsn) {
  return {.id = id_of(process, number), .lsn = lsn, .kind = Kind::seen};
}

Operation point(uint64_t process, uint64_t number, uint64_t lsn, uint64_t begin) {
  Operation point = read(lsn, 0, 0, begin, begin + 1);
  point.id = id_of(process, number);
  point.scope = Scope::own;
  point.kind = Kind::point;
  return point;
}

FinalRecord record(uint64_t process, uint64_t number, uint64_t lsn) {
  return {.lsn = lsn, .id = id_of(process, number)};
}

/// Two owners, one append without an answer that is there and one that is not, a batch, and reads.
Course good_course() {
  Course course;
  course.first = {open(1, 0, 5),
                  append(1, 0, 100, 10, 20),
                  append(1, 1, 200, 12, 20),
                  append(1, 2, 300, 30, 40),
                  without_answer(append(1, 3, 0, 42, 0)),
                  without_answer(append(1, 4, 0, 43, 0)),
                  point(1, 2, 300, 45)};
  course.second = {open(2, 50, 60), append(2, 0, 500, 70, 80), append(2, 1, 600, 70, 80)};
  for (uint8_t i = 0; i < 2; ++i) {
    course.second[1U + i].count = 2;
    course.second[1U + i].index = i;
  }
  course.reader = {read(100, 300, 2, 25, 35), seen(1, 0, 100), seen(1, 1, 200),
                   read(300, 700, 4, 85, 95), seen(1, 2, 300), seen(1, 3, 400),
                   seen(2, 0, 500),           seen(2, 1, 600)};
  course.final = {record(1, 0, 100), record(1, 1, 200), record(1, 2, 300),
                  record(1, 3, 400), record(2, 0, 500), record(2, 1, 600)};
  return course;
}

/// That rule is broken, whatever else is, and the text says these things.
void expect_violation(const std::vector<Violation>& violations, Rule rule,
                      const std::vector<std::string>& texts) {
  std::string all;
  bool is_found = false;
  for (const Violation& violation : violations) {
    all += violation.text + "\n";
    bool has_all = violation.rule == rule;
    for (const std::string& text : texts) has_all &= violation.text.contains(text);
    is_found |= has_all;
  }
  EXPECT_TRUE(is_found) << "rule " << static_cast<int>(rule) << " among:\n" << all;
}

TEST(HistoryChecker, good_history_passes_and_is_counted) {
  HistoryCounts counts;
  const auto violations = good_course().check(&counts);
  for (const Violation& violation : violations) ADD_FAILURE() << violation.text;
  EXPECT_EQ(counts.openings, 2U);
  EXPECT_EQ(counts.acknowledged, 5U);
  EXPECT_EQ(counts.unknown, 2U);
  EXPECT_EQ(counts.unknown_there, 1U);
  EXPECT_EQ(counts.reads, 3U);
  EXPECT_EQ(counts.records_read, 7U);
  EXPECT_EQ(counts.final_records, 6U);
  EXPECT_EQ(counts.zombie_appends, 0U);
}

TEST(HistoryChecker, empty_history_has_nothing_to_count) {
  HistoryCounts counts;
  EXPECT_TRUE(Course{}.check(&counts).empty());
  EXPECT_EQ(counts.acknowledged + counts.reads + counts.final_records, 0U);
}

TEST(HistoryChecker, acknowledged_record_that_is_gone_is_lost) {
  Course course = good_course();
  course.final.pop_back();
  expect_violation(
      course.check(), Rule::acknowledged_is_there,
      {"record 1 of process 2", "at Lsn 600", "answered at 0.080000 s", "not in the final log"});
}

TEST(HistoryChecker, acknowledged_record_at_another_lsn_is_lost) {
  Course course = good_course();
  course.first[3].lsn = 310;
  expect_violation(course.check(), Rule::acknowledged_is_there,
                   {"record 2 of process 1", "at Lsn 310"});
}

TEST(HistoryChecker, acknowledged_record_whose_place_holds_another_one_is_lost) {
  Course course = good_course();
  course.final[2].id = kDamagedId;
  expect_violation(course.check(), Rule::acknowledged_is_there,
                   {"at Lsn 300", "the final log has bytes that nobody wrote there"});
}

TEST(HistoryChecker, acknowledged_record_that_is_there_twice_is_doubled) {
  Course course = good_course();
  course.final.push_back(record(2, 1, 700));
  expect_violation(course.check(), Rule::acknowledged_is_there,
                   {"record 1 of process 2", "in the final log 2 times"});
}

TEST(HistoryChecker, records_that_somebody_trimmed_may_be_gone) {
  Course course = good_course();
  course.final.erase(course.final.begin(), course.final.begin() + 2);
  course.first_lsn = 300;
  Operation trim = read(320, 0, 0, 46, 47);
  trim.kind = Kind::trim;
  course.first.push_back(trim);
  HistoryCounts counts;
  for (const Violation& violation : course.check(&counts)) ADD_FAILURE() << violation.text;
  EXPECT_EQ(counts.trimmed, 2U);
  course.first.back().lsn = 220;
  expect_violation(course.check(), Rule::acknowledged_is_there,
                   {"begins at 300", "was trimmed to 220"});
}

TEST(HistoryChecker, final_log_out_of_order_is_found) {
  Course course = good_course();
  std::swap(course.final[1], course.final[2]);
  expect_violation(course.check(), Rule::acknowledged_is_there, {"has Lsn 200 behind 300"});
}

TEST(HistoryChecker, lsn_that_is_acknowledged_twice_has_two_values) {
  Course course = good_course();
  course.second[1].lsn = 300;
  expect_violation(course.check(), Rule::lsn_has_one_value,
                   {"Lsn 300", "record 2 of process 1", "record 0 of process 2"});
}

TEST(HistoryChecker, lsn_that_a_reader_saw_with_another_value_has_two) {
  Course course = good_course();
  course.reader[5].id = id_of(1, 4);
  expect_violation(course.check(), Rule::lsn_has_one_value,
                   {"Lsn 400", "record 3 of process 1", "record 4 of process 1"});
}

TEST(HistoryChecker, read_with_a_gap_is_no_slice) {
  Course course = good_course();
  course.reader[3].count = 3;
  course.reader.erase(course.reader.begin() + 5);
  expect_violation(
      course.check(), Rule::read_is_a_slice,
      {"read of process 9 from Lsn 300", "begun at 0.085000 s", "saw record 0 of process 2 at 500",
       "the final log has record 3 of process 1 at 400"});
}

TEST(HistoryChecker, read_that_skips_its_beginning_is_no_slice) {
  Course course = good_course();
  course.reader[0].count = 1;
  course.reader.erase(course.reader.begin() + 1);
  expect_violation(course.check(), Rule::read_is_a_slice, {"from Lsn 100", "at 200"});
}

TEST(HistoryChecker, read_of_what_is_not_there_in_the_end_is_no_slice) {
  Course course = good_course();
  course.reader[3].count = 5;
  course.reader.push_back(seen(1, 4, 700));
  expect_violation(course.check(), Rule::read_is_a_slice, {"at 700", "the final log has ended"});
}

TEST(HistoryChecker, damage_that_a_read_found_is_no_slice) {
  Course course = good_course();
  course.reader[0].outcome = Outcome::damaged;
  expect_violation(course.check(), Rule::read_is_a_slice, {"from Lsn 100", "found damage"});
}

TEST(HistoryChecker, read_without_an_answer_says_nothing) {
  Course course = good_course();
  course.reader[3].outcome = Outcome::failed;
  course.reader[3].count = 0;
  course.reader.erase(course.reader.begin() + 4, course.reader.end());
  HistoryCounts counts;
  for (const Violation& violation : course.check(&counts)) ADD_FAILURE() << violation.text;
  EXPECT_EQ(counts.failed_reads, 1U);
  EXPECT_EQ(counts.reads, 2U);
}

TEST(HistoryChecker, append_that_lies_in_front_of_an_earlier_answer_breaks_the_order) {
  Course course = good_course();
  std::swap(course.first[1].lsn, course.first[3].lsn);
  std::swap(course.final[0].id, course.final[2].id);
  expect_violation(course.check(), Rule::order_of_time,
                   {"record 2 of process 1", "begun at 0.030000 s", "lies at 100",
                    "not behind record 0 of process 1"});
}

TEST(HistoryChecker, append_without_an_answer_in_front_of_an_earlier_one_breaks_the_order) {
  Course course = good_course();
  course.final.insert(course.final.begin(), record(1, 4, 50));
  expect_violation(course.check(), Rule::order_of_time,
                   {"record 4 of process 1", "without an answer", "lies at 50"});
}

TEST(HistoryChecker, appends_that_overlap_may_have_either_order) {
  Course course = good_course();
  std::swap(course.first[1].lsn, course.first[2].lsn);
  std::swap(course.final[0].id, course.final[1].id);
  std::swap(course.reader[1].id, course.reader[2].id);
  for (const Violation& violation : course.check()) ADD_FAILURE() << violation.text;
}

TEST(HistoryChecker, read_that_ends_before_an_earlier_answer_does_not_reach) {
  Course course = good_course();
  course.reader[3].count = 3;
  course.reader[3].end = 600;
  course.reader.pop_back();
  expect_violation(course.check(), Rule::read_reaches,
                   {"read of process 9 from Lsn 300", "ended at 600",
                    "the record at 600 had been acknowledged"});
}

TEST(HistoryChecker, read_of_a_fenced_owner_need_reach_its_own_answers_only) {
  Course course = good_course();
  Operation late = read(400, 400, 0, 90, 95);
  late.scope = Scope::own;
  course.first.push_back(late);
  for (const Violation& violation : course.check()) ADD_FAILURE() << violation.text;
  course.first.back().lsn = course.first.back().end = 300;
  expect_violation(course.check(), Rule::read_reaches, {"process 1", "ended at 300"});
}

TEST(HistoryChecker, point_read_that_finds_nothing_does_not_reach) {
  Course course = good_course();
  course.first[6].outcome = Outcome::missing;
  expect_violation(course.check(), Rule::read_reaches, {"point read of process 1 from Lsn 300"});
}

TEST(HistoryChecker, unknown_record_that_is_there_twice_is_doubled) {
  Course course = good_course();
  course.final.push_back(record(1, 3, 700));
  expect_violation(course.check(), Rule::unknown_at_most_once,
                   {"record 3 of process 1", "2 times", "at 700"});
}

TEST(HistoryChecker, refused_record_that_is_there_is_found) {
  Course course = good_course();
  course.first[4].outcome = Outcome::refused;
  expect_violation(course.check(), Rule::unknown_at_most_once,
                   {"record 3 of process 1", "refused", "at 400"});
}

TEST(HistoryChecker, record_that_nobody_appended_is_found) {
  Course course = good_course();
  course.final.push_back(record(7, 7, 700));
  expect_violation(course.check(), Rule::unknown_at_most_once,
                   {"record 7 of process 7 at 700", "never appended"});
}

TEST(HistoryChecker, batch_of_which_a_part_is_there_is_found) {
  Course course = good_course();
  course.second[1] = without_answer(course.second[1]);
  course.second[2] = without_answer(course.second[2]);
  course.final.pop_back();
  expect_violation(course.check(), Rule::unknown_at_most_once,
                   {"batch of 2 records", "record 0 of process 2", "has 1"});
}

TEST(HistoryChecker, epoch_that_falls_along_the_log_is_found) {
  Course course = good_course();
  course.final.push_back(record(1, 4, 700));
  expect_violation(course.check(), Rule::epochs_never_fall,
                   {"record 4 of process 1", "of epoch 1, lies at 700, behind epoch 2"});
}

TEST(HistoryChecker, append_of_an_owner_that_was_taken_over_is_found) {
  Course course = good_course();
  // Nobody has appended with the new epoch yet, so that no epoch falls.
  course.first.push_back(append(1, 5, 450, 62, 64));
  course.final.insert(course.final.begin() + 4, record(1, 5, 450));
  HistoryCounts counts;
  const auto violations = course.check(&counts);
  expect_violation(violations, Rule::epochs_never_fall,
                   {"record 5 of process 1", "at Lsn 450",
                    "although epoch 2 had been opened at "
                    "0.060000 s"});
  EXPECT_EQ(counts.zombie_appends, 1U);
  EXPECT_EQ(counts.zombies_accepted, 1U);
}

TEST(HistoryChecker, refused_append_of_an_owner_that_was_taken_over_is_counted) {
  Course course = good_course();
  course.first.push_back(append(1, 5, 0, 62, 64));
  course.first.back().outcome = Outcome::unknown;
  HistoryCounts counts;
  for (const Violation& violation : course.check(&counts)) ADD_FAILURE() << violation.text;
  EXPECT_EQ(counts.zombie_appends, 1U);
  EXPECT_EQ(counts.zombies_accepted, 0U);
}

TEST(HistoryChecker, append_of_a_fenced_owner_that_the_cluster_made_is_found) {
  Course course = good_course();
  course.first.push_back({.epoch = 1,
                          .invoked_ns = 90 * kMs,
                          .answered_ns = 91 * kMs,
                          .kind = Kind::zombie,
                          .outcome = Outcome::refused});
  HistoryCounts counts;
  for (const Violation& violation : course.check(&counts)) ADD_FAILURE() << violation.text;
  EXPECT_EQ(counts.zombie_changes, 1U);
  EXPECT_EQ(counts.zombie_changes_made, 0U);
  course.first.back().outcome = Outcome::done;
  expect_violation(course.check(), Rule::epochs_never_fall,
                   {"an append of process 1, of epoch 1, at 0.090000 s"});
}

TEST(HistoryChecker, many_violations_of_a_rule_are_counted_and_not_shown) {
  Course course = good_course();
  for (uint64_t i = 0; i < 30; ++i) course.final.push_back(record(7, i, 700 + i));
  const auto violations = course.check();
  EXPECT_LT(violations.size(), 15U);
  expect_violation(violations, Rule::unknown_at_most_once, {"and 20 more"});
}

}  // namespace
}  // namespace writeahead::nemesis
