// The decisions of recovery: three pure tables from facts to verdicts.
//
// Each row is a label, a pattern over the facts and a verdict; the rows stand in decision.cc beside
// the crash or the damage that yields them. A test goes through all combinations of facts and
// demands exactly one row for each. Nothing here reads, writes or knows about files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"

namespace writeahead::internal {

/// What a row asks of one fact.
enum class Pattern : uint8_t { no, yes, any };

/// One row: a pattern for each fact, and what follows.
template <class Verdict, size_t kFacts>
struct Rule {
  std::string_view label;
  std::array<Pattern, kFacts> facts;
  Verdict verdict;

  [[nodiscard]] constexpr bool matches(const std::array<bool, kFacts>& actual) const {
    for (size_t i = 0; i < kFacts; ++i) {
      if (facts[i] != Pattern::any && (facts[i] == Pattern::yes) != actual[i]) return false;
    }
    return true;
  }
};

/// The one row that matches; the tests show that there always is exactly one.
template <class Verdict, size_t kFacts>
const Rule<Verdict, kFacts>& decide(std::span<const Rule<Verdict, kFacts>> rules,
                                    const std::array<bool, kFacts>& facts) {
  for (const auto& rule : rules) {
    if (rule.matches(facts)) return rule;
  }
  constexpr bool kIsComplete = false;  // A row matches every combination of facts.
  WRITEAHEAD_CHECK(kIsComplete);
  return rules.front();
}

// The root.

enum class RootVerdict : uint8_t {
  use,           ///< Go on from the newest valid slot.
  use_and_skip,  ///< The same; the bad slot may have held the next epoch: skip one.
  create,        ///< There is no log yet.
  corruption,
  unsupported,
};
// NOLINTBEGIN(readability-identifier-naming): the last enumerators are counts, not facts.
enum RootFact : uint8_t {
  slot_unsupported,  ///< A slot verifies and is of a version or feature that is not known.
  slot_a_valid,
  slot_b_valid,
  slots_differ_in_log,  ///< Both are valid, and of different logs.
  segments_in_use,      ///< A segment file's first two blocks hold more than zeros.
  kRootFacts,
};
using RootRule = Rule<RootVerdict, kRootFacts>;
using RootFacts = std::array<bool, kRootFacts>;
[[nodiscard]] std::span<const RootRule> root_rules();

// A segment file with a number at or above the root's first.

enum class SegmentVerdict : uint8_t {
  data,        ///< Its header verifies for its number.
  standby,     ///< Prepared; holds nothing.
  torn_start,  ///< A first write that tore: back to standby.
  begun,       ///< Begun by the last truncation, which has to be finished: its header is missing.
  corruption,
  unsupported,
};
enum SegmentFact : uint8_t {
  header_unsupported,  ///< It verifies and is of a version or feature that is not known.
  header_own,          ///< It verifies for this log and number.
  header_foreign,      ///< It verifies for another log, or another number at or above the first.
  header_unused,       ///< All zero, or of this log with a number below the first.
  orphan_at_base,      ///< A frame header verifies for the number behind the header block.
  orphan_states_watermark,  ///< A frame header in it states a watermark above its base.
  proven_inside,            ///< The root's proven position lies in it, above its base at least.
  truncation_begins,        ///< The root's last truncation began it.
  kSegmentFacts,
};
using SegmentRule = Rule<SegmentVerdict, kSegmentFacts>;
using SegmentFacts = std::array<bool, kSegmentFacts>;
[[nodiscard]] std::span<const SegmentRule> segment_rules();

// The end of the last data segment, at the first break X.

enum class TailVerdict : uint8_t {
  clean,      ///< The log ends at X.
  torn_tail,  ///< It does, and what lies behind is cut.
  corruption,
};
enum TailFact : uint8_t {
  sealed_at_end,   ///< A seal stands at X, which proves a next segment with data.
  ordinal_breaks,  ///< A frame header verifies at X, of no older epoch, with a wrong ordinal.
  witness_behind,  ///< Evidence behind X states a watermark above X.
  proven_above,    ///< The root proves more than X.
  residue_behind,  ///< Something of a frame is left behind X: find_evidence() says what counts.
  kTailFacts,
};
// NOLINTEND(readability-identifier-naming)
using TailRule = Rule<TailVerdict, kTailFacts>;
using TailFacts = std::array<bool, kTailFacts>;
[[nodiscard]] std::span<const TailRule> tail_rules();

}  // namespace writeahead::internal
