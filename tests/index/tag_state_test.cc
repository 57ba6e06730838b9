// TagState against a plain map of addresses and places: pushed, moved, popped, lost, spilled,
// dumped and loaded in any order.
#include "tag_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "support/sanitizers.h"
#include "support/test_seed.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::internal {
namespace {

using testing::SimDisk;
using testing::SimEnv;

/// What a log says of a tag.
struct Event {
  enum class Kind : uint8_t { push, move, pop };
  Kind kind;
  Lsn at;   // the record that says it
  Lsn lsn;  // what it is of, or up to where
};

Result<void> take_in(const Event& event, const SpillFile* spill, TagState& state) {
  if (event.kind == Event::Kind::move) return state.move(event.lsn, event.at, spill);
  if (event.kind == Event::Kind::pop) return state.pop(event.lsn, spill);
  state.push(event.lsn);
  return {};
}

/// A tag of a log, beside what it has to know.
struct TaggedLog {
  TagState state;
  std::map<Lsn, Lsn> model;  // of each address the place
  std::vector<Event> events;
  Lsn end = Lsn(1);

  void append(Event::Kind kind, Lsn lsn, const SpillFile* spill) {
    events.push_back({.kind = kind, .at = end, .lsn = lsn});
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(take_in(events.back(), spill, state));  // Once counts.
    if (kind == Event::Kind::pop) {
      std::erase_if(model, [&](const auto& entry) { return entry.first < lsn; });
    } else {
      model[lsn] = end;
    }
    go_on();
  }
  void push() { append(Event::Kind::push, end, nullptr); }
  /// What a mover does: for those that are due, in the order that it is told.
  void move_below(Lsn limit, size_t most, const SpillFile* spill) {
    std::vector<TagPlace> due;
    ASSERT_TRUE(state.copy_due(limit, most, spill, due));
    ASSERT_LE(due.size(), most);
    for (const TagPlace& place : due) {
      ASSERT_EQ(model.at(place.lsn), place.at);
      append(Event::Kind::move, place.lsn, spill);
    }
  }
  /// As if the log began at `first`: what an opening without a snapshot makes of it.
  void make_anew(Lsn first, const SpillFile* spill) {
    state = TagState();
    std::erase_if(events, [&](const Event& event) { return event.at < first; });
    for (const Event& event : events) ASSERT_TRUE(take_in(event, spill, state));
  }
  void go_on() { end = end + 100; }

  void expect_same(Lsn from, size_t most, const SpillFile* spill) const {
    ASSERT_EQ(state.size(), model.size());
    ASSERT_EQ(state.is_empty(), model.empty());
    std::optional<Lsn> first;
    for (const auto& [_, at] : model) first = std::min(first.value_or(at), at);
    ASSERT_EQ(state.first_needed(), first);
    std::vector<TagPlace> expected;
    for (auto next = model.lower_bound(from); next != model.end() && expected.size() < most;
         ++next) {
      expected.push_back({.lsn = next->first, .at = next->second});
    }
    if (most != 0) {
      ASSERT_EQ(state.has_from(from), !expected.empty());
    }
    std::vector<TagPlace> found;
    ASSERT_TRUE(state.copy_from(from, most, spill, found));
    ASSERT_EQ(found, expected);
  }
};

TEST(TagStateTest, has_what_was_pushed_where_it_was_moved_to) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  SimEnv env{SimDisk{}};
  ASSERT_TRUE((*env.open_directory("/log", true, 0700))->open_directory("index", true, 0700));
  const auto spill = SpillFile::create(env, "/log/index", "tags").value();
  TaggedLog log;
  const int rounds = writeahead::test::kIsSanitized ? 1500 : 6000;
  for (int round = 0; round < rounds; ++round) {
    const auto some = [&] { return Lsn(random() % (log.end.value() + 10)); };
    for (uint64_t i = random() % 200; i > 0; --i) log.push();
    for (uint64_t i = random() % 100; i > 0; --i) log.go_on();  // Records of others.
    switch (random() % 16) {
      case 0:
        // Of a record or between two, or all.
        log.append(Event::Kind::pop, random() % 4 == 0 ? log.end : some(), spill.get());
        break;
      case 1:
        ASSERT_TRUE(log.state.spill(*spill));
        break;
      case 2: {
        const uint64_t most = log.state.first_needed().value_or(log.end).value();
        const Lsn first(random() % 2 == 0 ? most : random() % (most + 1));
        ASSERT_NO_FATAL_FAILURE(log.make_anew(first, spill.get()));
        break;
      }
      case 3: {
        std::vector<std::byte> bytes;
        ASSERT_TRUE(log.state.dump(Lsn(), spill.get(), bytes));
        std::span<const std::byte> rest = bytes;
        const Lsn popped = log.state.popped();
        log.state = TagState();
        ASSERT_TRUE(log.state.load(rest));
        EXPECT_TRUE(rest.empty());
        EXPECT_EQ(log.state.popped(), popped);
        break;
      }
      default:
        ASSERT_NO_FATAL_FAILURE(log.move_below(some(), random() % 300, spill.get()));
    }
    ASSERT_TRUE(log.state.is_whole());
    ASSERT_NO_FATAL_FAILURE(log.expect_same(some(), random() % 2000, spill.get())) << round;
  }
}

/// However far the moves got before: nothing is left below the limit once none is due.
TEST(TagStateTest, moves_come_to_an_end_with_nothing_below_the_limit) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  TaggedLog log;
  for (int pass = 0; pass < 300; ++pass) {
    for (uint64_t i = random() % 30; i > 0; --i) log.push();
    for (uint64_t i = random() % 4; i > 0; --i) {
      ASSERT_NO_FATAL_FAILURE(
          log.move_below(Lsn(random() % log.end.value()), random() % 20, nullptr));
    }
    const Lsn limit = log.end;
    for (int i = 0;; ++i) {
      const auto first = log.state.first_needed();
      if (!first || *first >= limit) break;
      ASSERT_LT(i, 20'000);
      ASSERT_NO_FATAL_FAILURE(log.move_below(limit, 1 + random() % 20, nullptr));
    }
    ASSERT_NO_FATAL_FAILURE(log.expect_same(Lsn(), SIZE_MAX, nullptr));
    if (pass % 10 == 9) log.append(Event::Kind::pop, Lsn(random() % log.end.value()), nullptr);
    if (pass % 7 == 6) {
      const Lsn first = log.state.first_needed().value_or(log.end);
      ASSERT_NO_FATAL_FAILURE(log.make_anew(first, nullptr));
      ASSERT_NO_FATAL_FAILURE(log.expect_same(Lsn(), SIZE_MAX, nullptr));
    }
  }
}

/// Else the rest of a log does not tell where the second record belongs.
TEST(TagStateTest, nothing_is_moved_for_the_first_time_while_others_are_moved_again) {
  TaggedLog log;
  for (int i = 0; i < 3; ++i) log.push();       // At 1, 101 and 201.
  log.move_below(Lsn(102), SIZE_MAX, nullptr);  // The first two to 301 and 401,
  log.move_below(Lsn(302), 1, nullptr);         // and the first one to 501.
  std::vector<TagPlace> due;
  ASSERT_TRUE(log.state.copy_due(Lsn(300), 1, nullptr, due));
  EXPECT_EQ(due, (std::vector<TagPlace>{{.lsn = Lsn(101), .at = Lsn(401)}}));
  for (int i = 0; i < 3; ++i) log.move_below(Lsn(450), 1, nullptr);
  ASSERT_NO_FATAL_FAILURE(log.make_anew(*log.state.first_needed(), nullptr));
  ASSERT_NO_FATAL_FAILURE(log.expect_same(Lsn(), SIZE_MAX, nullptr));
}

/// Somebody else trimmed the log, which nobody should.
TEST(TagStateTest, what_is_trimmed_is_dropped_wherever_it_lies) {
  for (const uint64_t first : {0, 1, 450, 1050, 1250, 1350, 1950, 3000}) {
    TaggedLog log;
    for (int i = 0; i < 10; ++i) log.push();
    log.move_below(Lsn(400), 100, nullptr);
    log.move_below(Lsn(500), 100, nullptr);
    log.move_below(Lsn(1200), 1, nullptr);
    ASSERT_TRUE(log.state.drop_lost(Lsn(first), nullptr));
    std::erase_if(log.model, [&](const auto& entry) { return entry.second < Lsn(first); });
    ASSERT_NO_FATAL_FAILURE(log.expect_same(Lsn(), SIZE_MAX, nullptr)) << first;
  }
}

TEST(TagStateTest, move_of_what_was_popped_is_passed_over) {
  TaggedLog log;
  for (int i = 0; i < 3; ++i) log.push();
  std::vector<TagPlace> due;
  ASSERT_TRUE(log.state.copy_due(log.end, 2, nullptr, due));
  ASSERT_TRUE(log.state.pop(due[1].lsn, nullptr));
  ASSERT_TRUE(log.state.move(due[0].lsn, log.end, nullptr));
  EXPECT_EQ(log.state.size(), 2U);
  EXPECT_EQ(log.state.first_needed(), due[1].at);
  ASSERT_TRUE(log.state.move(due[1].lsn, log.end + 100, nullptr));
  std::vector<TagPlace> all;
  ASSERT_TRUE(log.state.copy_from(Lsn(), SIZE_MAX, nullptr, all));
  EXPECT_EQ(all.front(), (TagPlace{.lsn = due[1].lsn, .at = log.end + 100}));
}

TEST(TagStateTest, bytes_that_are_no_dump_are_refused) {
  TaggedLog log;
  for (int i = 0; i < 5; ++i) log.push();
  ASSERT_NO_FATAL_FAILURE(log.move_below(Lsn(150), 2, nullptr));
  std::vector<std::byte> bytes;
  ASSERT_TRUE(log.state.dump(Lsn(), nullptr, bytes));
  for (size_t length = 0; length < bytes.size(); ++length) {
    std::span<const std::byte> rest = std::span(bytes).first(length);
    EXPECT_FALSE(TagState().load(rest)) << length;
  }
}

}  // namespace
}  // namespace writeahead::index::internal
