// A power cut at each call of every course of a few steps, with each way in which it can fall out.
//
// Goal: no mixture of steps that is short is left out, whoever thought of it or not. Method: all
// courses of kSmallSteps with up to kSmallFrames frames. What a cut leaves of a course's beginning
// is what it leaves of that shorter course, which is one of them too: so each is cut at the calls
// of its last step. Where up to ten items are undecided, all their subsets are judged, else a
// sample with all subsets of the names. The powersafe cuts leave out sectors that nothing changed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "support/crash_run.h"
#include "support/lying_env.h"
#include "support/sanitizers.h"
#include "support/small_scope.h"
#include "support/test_scale.h"

namespace writeahead::testing {
namespace {

/// One more for a soak, and one less under sanitizers: that takes the sixfold time.
size_t max_steps() {
  if (test::kIsSanitized) return 3;
  return test::test_scale() >= 8 ? 5 : 4;
}

/// Cuts courses short and judges what that leaves, up to the first complaint.
class SmallScope {
 public:
  /// Of the calls one of so many.
  SmallScope(SmallTail tail, std::string_view part, uint64_t every_nth, Interference base = {})
      : tail_(tail),
        every_nth_(every_nth),
        base_(std::move(base)),
        any_(*small_course(small_course_name("", tail))),
        tally_(any_, "", Oracle::Names::are_certain, part) {}

  /// Cuts the last step of a course; of one without steps, the opening. False if it calls nothing.
  bool cut(const std::string& steps) {
    const Workload workload = named(steps);
    const uint64_t calls = Script(workload, base_).calls();
    const uint64_t before =
        steps.empty() ? 0 : Script(named(steps.substr(0, steps.size() - 1)), base_).calls();
    ++scripts_;
    if (calls == before) return false;
    for (uint64_t k = before + 1; k <= calls + 1 && complaint_.empty(); ++k) {
      if (turn_++ % every_nth_ == 0) cut_at(workload, k);
    }
    return true;
  }

  [[nodiscard]] uint64_t scripts() const { return scripts_; }
  [[nodiscard]] uint64_t complete_cuts() const { return complete_cuts_; }
  [[nodiscard]] uint64_t sampled_cuts() const { return sampled_cuts_; }
  [[nodiscard]] uint64_t states() const { return tally_.states(); }
  /// How the first state that is wrong came about, and what is wrong with it.
  [[nodiscard]] const Complaint& complaint() const { return complaint_; }
  [[nodiscard]] const CrashRun& run() const { return run_; }

 private:
  [[nodiscard]] Workload named(std::string_view steps) const {
    return *small_course(small_course_name(steps, tail_));
  }

  void cut_at(const Workload& workload, uint64_t k) {
    Interference interference = base_;
    interference.crash_at = k;
    Script script(workload, interference);
    script.stop();
    complaint_ = script.complaint();
    run_ = {.workload = workload.name, .steps = {{k, {}}}};
    if (!complaint_.empty()) return;
    const SimDisk disk = script.machine().crashed_disk();
    const uint64_t key = script.model().key_among_courses();
    const TearMode tear = tail_ == SmallTail::packed ? TearMode::powersafe : TearMode::strict;
    const SmallPlans all = small_plans(disk, tear, sampling_seed());
    ++(all.is_complete ? complete_cuts_ : sampled_cuts_);
    for (const CrashPlan& plan : all.plans) {
      complaint_ = tally_.judge(disk.crash(plan), script.model(), key);
      run_.steps[0].plan = plan;
      if (!complaint_.empty()) return;
    }
  }

  const SmallTail tail_;
  const uint64_t every_nth_;
  const Interference base_;
  const Workload any_;  // All that the oracle needs is the same for each course.
  CrashTally tally_;
  uint64_t scripts_ = 0;
  uint64_t complete_cuts_ = 0;
  uint64_t sampled_cuts_ = 0;
  uint64_t turn_ = sampling_seed();
  Complaint complaint_;
  CrashRun run_;
};

std::string name_of(SmallTail tail) { return tail == SmallTail::packed ? "packed" : "aligned"; }

class SmallScopes : public ::testing::TestWithParam<SmallTail> {};

TEST_P(SmallScopes, lose_nothing_at_whatever_call_the_power_is_cut) {
  SmallScope scope(GetParam(), test::part::kSmallScope, test::case_step(8));
  for (std::vector<std::string> courses = {""}; !courses.empty();) {
    std::vector<std::string> longer;
    for (const std::string& steps : courses) {
      // A step that calls nothing leaves the course that it was.
      if (!scope.cut(steps)) continue;
      ASSERT_EQ(scope.complaint(), "") << report(scope.run(), scope.complaint());
      if (steps.size() < max_steps())
        std::ranges::move(longer_courses(steps), std::back_inserter(longer));
    }
    courses = std::move(longer);
  }
  EXPECT_GT(scope.states(), scope.scripts());
  EXPECT_EQ(scope.sampled_cuts(), 0U) << "a cut leaves too much undecided for all subsets";
  test::print_count(test::part::kSmallScope, "scripts", scope.scripts());
  test::print_count(test::part::kSmallScope, "cuts with all subsets", scope.complete_cuts());
  fmt::print("small scope, {}: {} scripts, {} states, 0 violations\n", name_of(GetParam()),
             scope.scripts(), scope.states());
}

INSTANTIATE_TEST_SUITE_P(Tails, SmallScopes,
                         ::testing::Values(SmallTail::packed, SmallTail::aligned),
                         [](const auto& tested) { return name_of(tested.param); });

TEST(SmallScopeCourses, are_all_that_there_are) {
  // Of up to three steps all 7^n, and of four those of which not all four make a frame.
  std::vector<std::string> all = {""};
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].size() < 4) std::ranges::move(longer_courses(all[i]), std::back_inserter(all));
  }
  EXPECT_EQ(all.size(), 1U + 7U + 49U + 343U + 2401U - 256U);
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

TEST(SmallScopeCourses, are_found_by_their_names) {
  const Workload* const aligned = find_workload("small_aligned_abx");
  ASSERT_NE(aligned, nullptr);
  EXPECT_EQ(aligned->frame_alignment, kBlockBytes);
  EXPECT_EQ(Script(*aligned, {}).model().records().size(), 3U);
  EXPECT_EQ(find_workload("small_abz"), nullptr);
  EXPECT_NE(find_workload("small_records"), nullptr);
  EXPECT_EQ(find_workload("small_records")->name, "small_records");
}

/// The first course that finds the lie, of the shortest that do. Each call is tried, under
/// sanitizers too: a lie may show at one of them alone.
std::string find_lie(SmallTail tail, Lie lie) {
  SmallScope scope(tail, {}, 1, {.wrap = [lie](Env& env) { return make_lying_env(env, lie); }});
  std::vector<std::string> courses = {""};
  for (size_t i = 0; i < courses.size() && scope.complaint().empty(); ++i) {
    scope.cut(courses[i]);
    if (courses[i].size() < 3) {
      std::ranges::move(longer_courses(courses[i]), std::back_inserter(courses));
    }
  }
  test::print_control(!scope.complaint().empty());
  return scope.complaint().empty() ? "" : scope.run().workload;
}

TEST(SmallScopeControl, systems_that_lie_are_found) {
  for (const SmallTail tail : {SmallTail::packed, SmallTail::aligned}) {
    if (test::kIsSanitized && tail == SmallTail::aligned) break;  // It takes long.
    for (const Lie lie : {Lie::dsync_is_a_plain_write, Lie::file_sync_does_nothing,
                          Lie::names_sync_does_nothing, Lie::second_slot_is_lost}) {
      const std::string found = find_lie(tail, lie);
      EXPECT_NE(found, "") << static_cast<int>(lie);
      fmt::print("lie {} is found by {}\n", static_cast<int>(lie), found);
    }
  }
}

}  // namespace
}  // namespace writeahead::testing
