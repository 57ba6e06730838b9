// The three tables of recovery are total and unambiguous, and each row is about what it says.
// Goes through every combination of facts, then picks the crash or damage behind each row by label.
#include "recovery/decision.h"

#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <string_view>

namespace writeahead::internal {
namespace {

template <size_t kFacts>
std::string show(const std::array<bool, kFacts>& facts) {
  std::string text;
  for (const bool fact : facts) text += fact ? 'Y' : 'N';
  return text;
}

/// Demands exactly one row for every combination, and that every row is some combination's.
template <class Verdict, size_t kFacts>
void check_table(std::span<const Rule<Verdict, kFacts>> rules) {
  std::map<std::string_view, size_t> reached;
  for (uint32_t bits = 0; bits < (1U << kFacts); ++bits) {
    std::array<bool, kFacts> facts{};
    for (size_t i = 0; i < kFacts; ++i) facts[i] = (bits >> i & 1U) != 0;
    size_t matching = 0;
    for (const auto& rule : rules) {
      if (!rule.matches(facts)) continue;
      ++matching;
      ++reached[rule.label];
    }
    EXPECT_EQ(matching, 1U) << show(facts);
    EXPECT_TRUE(decide(rules, facts).matches(facts)) << show(facts);
  }
  std::set<std::string_view> labels;
  for (const auto& rule : rules) {
    EXPECT_TRUE(labels.insert(rule.label).second) << "two rows are called " << rule.label;
    EXPECT_GT(reached[rule.label], 0U) << rule.label << " is never reached";
  }
}

template <class Facts, class Fact>
Facts facts_of(std::initializer_list<Fact> set) {
  Facts facts{};
  for (const Fact fact : set) facts[fact] = true;
  return facts;
}

struct Decided {
  std::string_view label;
  int verdict;
};
template <class Verdict>
Decided expected(std::string_view label, Verdict verdict) {
  return {label, static_cast<int>(verdict)};
}
bool operator==(const Decided& a, const Decided& b) {
  return a.label == b.label && a.verdict == b.verdict;
}
std::ostream& operator<<(std::ostream& out, const Decided& decided) {
  return out << decided.label << " -> " << decided.verdict;
}

Decided root(std::initializer_list<RootFact> set) {
  const auto& rule = decide(root_rules(), facts_of<RootFacts>(set));
  return expected(rule.label, rule.verdict);
}
Decided segment(std::initializer_list<SegmentFact> set) {
  const auto& rule = decide(segment_rules(), facts_of<SegmentFacts>(set));
  return expected(rule.label, rule.verdict);
}
Decided tail(std::initializer_list<TailFact> set) {
  const auto& rule = decide(tail_rules(), facts_of<TailFacts>(set));
  return expected(rule.label, rule.verdict);
}

TEST(Decision, each_combination_of_root_facts_has_exactly_one_row) { check_table(root_rules()); }
TEST(Decision, each_combination_of_segment_facts_has_exactly_one_row) {
  check_table(segment_rules());
}
TEST(Decision, each_combination_of_tail_facts_has_exactly_one_row) { check_table(tail_rules()); }

TEST(Decision, one_bad_root_slot_skips_an_epoch_and_both_are_damage_only_beside_data) {
  EXPECT_EQ(root({slot_a_valid, slot_b_valid, segments_in_use}),
            expected("both slots", RootVerdict::use));
  EXPECT_EQ(root({slot_a_valid, segments_in_use}),
            expected("second slot bad", RootVerdict::use_and_skip));
  EXPECT_EQ(root({slot_b_valid, segments_in_use}),
            expected("first slot bad", RootVerdict::use_and_skip));
  EXPECT_EQ(root({segments_in_use}), expected("no root beside data", RootVerdict::corruption));
  EXPECT_EQ(root({}), expected("no root, no data", RootVerdict::create));
}

TEST(Decision, slots_of_two_logs_are_damage_and_a_newer_version_beats_everything) {
  EXPECT_EQ(root({slot_a_valid, slot_b_valid, slots_differ_in_log}),
            expected("slots of two logs", RootVerdict::corruption));
  // The slot that does not verify has no log id: comparing it must not matter.
  EXPECT_EQ(root({slot_a_valid, slots_differ_in_log}),
            expected("second slot bad", RootVerdict::use_and_skip));
  // A newer version that wrote one slot may have put the log into a state nobody here knows.
  EXPECT_EQ(root({slot_unsupported, slot_a_valid}),
            expected("newer version", RootVerdict::unsupported));
  EXPECT_EQ(root({slot_unsupported, segments_in_use}),
            expected("newer version", RootVerdict::unsupported));
}

TEST(Decision, a_header_that_verifies_for_its_number_is_data_and_another_one_is_foreign) {
  EXPECT_EQ(segment({header_own}), expected("data", SegmentVerdict::data));
  EXPECT_EQ(segment({header_own, proven_inside}), expected("data", SegmentVerdict::data));
  EXPECT_EQ(segment({header_foreign}), expected("foreign", SegmentVerdict::corruption));
  EXPECT_EQ(segment({header_unsupported}), expected("newer version", SegmentVerdict::unsupported));
}

TEST(Decision, an_unused_header_is_a_standby_unless_frames_or_the_root_say_otherwise) {
  EXPECT_EQ(segment({header_unused}), expected("standby", SegmentVerdict::standby));
  EXPECT_EQ(segment({header_unused, orphan_at_base}),
            expected("first write without header", SegmentVerdict::torn_start));
  EXPECT_EQ(segment({header_unused, orphan_at_base, orphan_states_watermark}),
            expected("frames without header", SegmentVerdict::corruption));
  EXPECT_EQ(segment({header_unused, proven_inside}),
            expected("standby that was proven", SegmentVerdict::corruption));
  EXPECT_EQ(segment({header_unused, orphan_at_base, proven_inside}),
            expected("proven without header", SegmentVerdict::corruption));
}

TEST(Decision, a_damaged_header_never_makes_a_standby_of_a_segment_in_use) {
  EXPECT_EQ(segment({}), expected("first write with torn header", SegmentVerdict::torn_start));
  EXPECT_EQ(segment({orphan_at_base}),
            expected("first write with torn header", SegmentVerdict::torn_start));
  EXPECT_EQ(segment({orphan_states_watermark}),
            expected("damaged header, frames", SegmentVerdict::corruption));
  EXPECT_EQ(segment({orphan_at_base, orphan_states_watermark}),
            expected("damaged header, frames", SegmentVerdict::corruption));
  EXPECT_EQ(segment({proven_inside}),
            expected("damaged header, proven", SegmentVerdict::corruption));
}

TEST(Decision, a_segment_that_a_truncation_began_is_finished_unless_it_held_anything) {
  EXPECT_EQ(segment({truncation_begins, header_own}), expected("data", SegmentVerdict::data));
  for (const bool is_zero : {true, false}) {
    const SegmentFact header = is_zero ? header_unused : truncation_begins;
    EXPECT_EQ(segment({truncation_begins, header}),
              expected("truncation to be finished", SegmentVerdict::begun));
    EXPECT_EQ(segment({truncation_begins, header, orphan_at_base}),
              expected("truncation without header", SegmentVerdict::corruption));
    EXPECT_EQ(segment({truncation_begins, header, orphan_states_watermark}),
              expected("truncation, lost beginning", SegmentVerdict::corruption));
    EXPECT_EQ(segment({truncation_begins, header, proven_inside}),
              expected("truncation that was proven", SegmentVerdict::corruption));
  }
}

TEST(Decision, bytes_behind_the_end_are_torn_only_if_nothing_proves_that_they_were_durable) {
  EXPECT_EQ(tail({}), expected("end", TailVerdict::clean));
  EXPECT_EQ(tail({residue_behind}), expected("torn tail", TailVerdict::torn_tail));
  EXPECT_EQ(tail({residue_behind, witness_behind}),
            expected("witness behind the break", TailVerdict::corruption));
  EXPECT_EQ(tail({residue_behind, proven_above}),
            expected("root proves more", TailVerdict::corruption));
  // All bytes gone: zeros are no proof that nothing was there.
  EXPECT_EQ(tail({proven_above}), expected("root proves more", TailVerdict::corruption));
  EXPECT_EQ(tail({residue_behind, ordinal_breaks}),
            expected("ordinals break", TailVerdict::corruption));
  EXPECT_EQ(tail({residue_behind, sealed_at_end}),
            expected("sealed without successor", TailVerdict::corruption));
}

}  // namespace
}  // namespace writeahead::internal
