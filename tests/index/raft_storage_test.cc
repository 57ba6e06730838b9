// Goal: the example's storage for a Raft node keeps whole steps, whatever comes: conflicts,
// restarts, compactions, snapshots of a leader, and power cuts. Method: the cases that every such
// storage has to pass; courses that chance decides, against a model; one course with a power cut at
// each call.
#include "raft_storage/raft_storage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "index/power_cuts.h"
#include "support/error_of.h"
#include "support/test_seed.h"

namespace writeahead::index::test {
namespace {

using raft_storage::Entry;
using raft_storage::HardState;
using raft_storage::RaftStorage;
using raft_storage::Snapshot;
using raft_storage::Step;

Result<std::unique_ptr<RaftStorage>> open(SimEnv& env) {
  return RaftStorage::open(kLogPath, simulated(env));
}

/// What a node holds.
struct Model {
  HardState hard_state;
  Snapshot snapshot;
  std::vector<Entry> entries;
  friend bool operator==(const Model&, const Model&) = default;

  [[nodiscard]] uint64_t last_index() const { return snapshot.index + entries.size(); }
  [[nodiscard]] std::optional<uint64_t> term(uint64_t index) const {
    if (index == snapshot.index) return snapshot.term;
    if (index < snapshot.index || index > last_index()) return std::nullopt;
    return entries[index - snapshot.index - 1].term;
  }
  void take_snapshot(const Snapshot& taken) {
    const bool is_kept = term(taken.index) == taken.term;
    std::erase_if(entries,
                  [&](const Entry& entry) { return !is_kept || entry.index <= taken.index; });
    snapshot = taken;
  }
  void take(const Step& step) {
    if (step.snapshot) take_snapshot(*step.snapshot);
    for (const Entry& entry : step.entries) {
      entries.resize(entry.index - snapshot.index - 1);
      entries.push_back(entry);
    }
    if (step.hard_state) hard_state = *step.hard_state;
  }
};

Model model_of(const RaftStorage& storage) {
  Model found{
      .hard_state = storage.hard_state(), .snapshot = storage.snapshot().value(), .entries = {}};
  found.entries = storage.entries(storage.first_index(), storage.last_index() + 1).value();
  for (const Entry& entry : found.entries) EXPECT_EQ(storage.term(entry.index), entry.term);
  EXPECT_EQ(storage.term(storage.first_index() - 1), found.snapshot.term);
  EXPECT_EQ(storage.term(storage.last_index() + 1), std::nullopt);
  return found;
}

Step entries(std::vector<Entry> entries) {
  return {.hard_state = {}, .entries = std::move(entries), .snapshot = {}};
}

class RaftStorageTest : public ::testing::Test {
 protected:
  void reopen() {
    storage_.reset();
    storage_ = std::move(open(env_).value());
  }
  /// As it is, and as it is found again.
  void expect(const Model& model) {
    EXPECT_EQ(model_of(*storage_), model);
    reopen();
    EXPECT_EQ(model_of(*storage_), model);
  }

  SimEnv env_{SimDisk{}};
  std::unique_ptr<RaftStorage> storage_ = std::move(open(env_).value());
};

TEST_F(RaftStorageTest, empty_one_has_no_entry_and_no_term) {
  EXPECT_EQ(storage_->first_index(), 1U);
  EXPECT_EQ(storage_->last_index(), 0U);
  expect(Model());
}

TEST_F(RaftStorageTest, step_is_kept_whole) {
  ASSERT_TRUE(storage_->save({.hard_state = {{.term = 3, .vote = 1, .commit = 1}},
                              .entries = {{1, 2, "a"}, {2, 3, "b"}},
                              .snapshot = {}}));
  expect({.hard_state = {.term = 3, .vote = 1, .commit = 1},
          .snapshot = {},
          .entries = {{1, 2, "a"}, {2, 3, "b"}}});
  EXPECT_EQ(storage_->entries(2, 3).value(), (std::vector<Entry>{{2, 3, "b"}}));
  EXPECT_EQ(testing::code_of(storage_->entries(2, 4)), ErrorCode::not_found);
}

TEST_F(RaftStorageTest, conflicting_entry_takes_all_behind_it_away) {
  ASSERT_TRUE(storage_->save(entries({{1, 1, "a"}, {2, 1, "b"}, {3, 1, "c"}, {4, 1, "d"}})));
  ASSERT_TRUE(storage_->save(entries({{2, 2, "B"}})));
  expect({.hard_state = {}, .snapshot = {}, .entries = {{1, 1, "a"}, {2, 2, "B"}}});
  ASSERT_TRUE(storage_->save(entries({{1, 3, "A"}, {2, 3, "B3"}})));
  expect({.hard_state = {}, .snapshot = {}, .entries = {{1, 3, "A"}, {2, 3, "B3"}}});
}

TEST_F(RaftStorageTest, conflict_does_not_forget_a_vote_that_was_given_since) {
  ASSERT_TRUE(storage_->save(entries({{1, 1, "a"}, {2, 1, "b"}})));
  ASSERT_TRUE(storage_->save(
      {.hard_state = {{.term = 5, .vote = 9, .commit = 0}}, .entries = {}, .snapshot = {}}));
  ASSERT_TRUE(storage_->save(entries({{1, 5, "A"}})));
  expect({.hard_state = {.term = 5, .vote = 9, .commit = 0},
          .snapshot = {},
          .entries = {{1, 5, "A"}}});
}

TEST_F(RaftStorageTest, refuses_gaps_and_what_goes_back_and_keeps_nothing_of_them) {
  ASSERT_TRUE(storage_->save(entries({{1, 1, "a"}, {2, 1, "b"}})));
  ASSERT_TRUE(storage_->compact(1, "A"));
  const Model before = model_of(*storage_);
  for (const Step& wrong :
       {entries({{4, 1, ""}}), entries({{3, 1, ""}, {5, 1, ""}}), entries({{1, 2, ""}}),
        Step{.hard_state = {}, .entries = {}, .snapshot = {{.index = 0, .term = 0, .data = ""}}}}) {
    EXPECT_EQ(testing::code_of(storage_->save(wrong)), ErrorCode::invalid_argument);
  }
  EXPECT_EQ(testing::code_of(storage_->compact(1, "")), ErrorCode::invalid_argument);
  EXPECT_EQ(testing::code_of(storage_->compact(3, "")), ErrorCode::invalid_argument);
  expect(before);
}

TEST_F(RaftStorageTest, compaction_keeps_what_is_behind_it_and_gives_space_back) {
  std::vector<Entry> all;
  for (uint64_t i = 1; i <= 50; ++i) {
    all.push_back({i, 1, fmt::format("{} {}", i, std::string(500, 'x'))});
    ASSERT_TRUE(storage_->save({.hard_state = {{.term = 1, .vote = 2, .commit = i}},
                                .entries = {all.back()},
                                .snapshot = {}}));
  }
  const size_t files = env_.disk().files().size();
  ASSERT_TRUE(storage_->compact(48, "state"));
  EXPECT_LT(env_.disk().files().size(), files / 2);
  expect({.hard_state = {.term = 1, .vote = 2, .commit = 50},
          .snapshot = {.index = 48, .term = 1, .data = "state"},
          .entries = {all[48], all[49]}});
  ASSERT_TRUE(storage_->compact(50, "all"));
  expect({.hard_state = {.term = 1, .vote = 2, .commit = 50},
          .snapshot = {.index = 50, .term = 1, .data = "all"},
          .entries = {}});
}

TEST_F(RaftStorageTest, snapshot_of_a_leader_replaces_another_course_and_keeps_the_same_one) {
  ASSERT_TRUE(storage_->save(entries({{1, 1, "a"}, {2, 1, "b"}, {3, 1, "c"}})));
  const auto install = [&](uint64_t index, uint64_t term) {
    return storage_->save({.hard_state = {},
                           .entries = {},
                           .snapshot = {{.index = index, .term = term, .data = "s"}}});
  };
  ASSERT_TRUE(install(2, 1));
  expect({.hard_state = {},
          .snapshot = {.index = 2, .term = 1, .data = "s"},
          .entries = {{3, 1, "c"}}});
  ASSERT_TRUE(install(3, 2));
  expect({.hard_state = {}, .snapshot = {.index = 3, .term = 2, .data = "s"}, .entries = {}});
  ASSERT_TRUE(install(90, 3));
  ASSERT_TRUE(storage_->save(entries({{91, 3, "x"}})));
  expect({.hard_state = {},
          .snapshot = {.index = 90, .term = 3, .data = "s"},
          .entries = {{91, 3, "x"}}});
}

/// A step that makes sense for `model`.
Step step_for(const Model& model, std::mt19937_64& random) {
  Step step;
  if (random() % 3 == 0) {
    step.hard_state = {.term = model.hard_state.term + random() % 2,
                       .vote = random() % 4,
                       .commit = random() % 100};
  }
  uint64_t last = model.last_index();
  if (random() % 12 == 0) {
    step.snapshot = {.index = model.snapshot.index + random() % 8,
                     .term = random() % 3,
                     .data = fmt::format("s{}", random() % 1000)};
    if (model.term(step.snapshot->index) != step.snapshot->term) last = step.snapshot->index;
  }
  const uint64_t least = step.snapshot ? step.snapshot->index : model.snapshot.index;
  uint64_t index = last + 1;
  if (random() % 3 == 0 && last > least) index = least + 1 + random() % (last - least);
  for (uint64_t i = random() % 4; i > 0; --i) {
    step.entries.push_back({index++, random() % 3,
                            std::string(random() % 300, static_cast<char>('a' + random() % 26))});
  }
  return step;
}

/// Steps and compactions; `note` is told what the node holds before and after each, and keeps
/// going as long as the machine does.
void run_course(SimEnv& env, uint64_t seed, int steps,
                const std::function<void(const Model& before, const Model& after)>& note) {
  std::mt19937_64 random(seed);
  Model model;
  for (int opening = 0; opening < 4; ++opening) {
    auto storage = open(env);
    if (!storage) return;
    for (int i = 0; i < steps; ++i) {
      Model after = model;
      if (random() % 8 == 0 && !model.entries.empty()) {
        const uint64_t index = model.entries[random() % model.entries.size()].index;
        after.take_snapshot({.index = index, .term = *model.term(index), .data = "own"});
        note(model, after);
        if (!(*storage)->compact(index, "own")) return;
      } else {
        const Step step = step_for(model, random);
        after.take(step);
        note(model, after);
        if (!(*storage)->save(step)) return;
      }
      model = after;
      note(model, model);
      ASSERT_EQ(model_of(**storage), model) << "seed " << seed << ", step " << i;
    }
    if (opening % 2 == 0 && !(*storage)->close()) return;
  }
}

TEST(RaftStorageCourseTest, any_course_is_what_the_model_says_over_reopenings) {
  const uint64_t seed = writeahead::test::test_seed();
  SCOPED_TRACE(writeahead::test::replay_command());
  for (uint64_t i = 0; i < 50; ++i) {
    SimEnv env{SimDisk{}};
    run_course(env, seed + i, 40, [](const Model&, const Model&) {});
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(RaftStorageCourseTest, power_cut_at_any_call_leaves_whole_steps) {
  Model before;
  Model after;
  const auto judge = [&](const SimDisk& disk) -> std::optional<std::string> {
    SimEnv env(disk);
    const auto storage = open(env);
    if (!storage) return fmt::format("it does not open: {}", storage.error().message());
    const Model found = model_of(**storage);
    if (found == before || found == after) return std::nullopt;
    return "it holds something else";
  };
  judge_every_power_cut(
      3000,
      [&](SimEnv& env) {
        run_course(env, 1, 15, [&](const Model& is, const Model& will_be) {
          before = is;
          after = will_be;
        });
      },
      judge);
}

}  // namespace
}  // namespace writeahead::index::test
