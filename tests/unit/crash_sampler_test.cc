// CrashSampler tries what it says: all subsets of few items, the edges of many, and repeatably.
#include "writeahead/testing/crash_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim_fixture.h"

namespace writeahead::testing {
namespace {

TEST(CrashSamplerTest, few_items_give_every_subset_once_for_each_kind_of_loss) {
  Sim sim;
  EXPECT_EQ(write(*sim.open(), 0, filled(3 * kSectorBytes, 'b')), 0);
  std::set<std::string> seen;
  const size_t visited = CrashSampler({.lost = {LostBytes::old}})
                             .each(sim.env.disk(), [&](const SimDisk& disk, const CrashPlan&) {
                               seen.insert(sectors_of(disk, "/log/f"));
                               return true;
                             });
  EXPECT_EQ(visited, 8U);
  EXPECT_EQ(seen.size(), 8U);
  EXPECT_EQ(CrashSampler().plans(sim.env.disk()).size(), 7U * 3 + 1);
}

TEST(CrashSamplerTest, disk_without_undecided_items_gives_one_state) {
  EXPECT_EQ(CrashSampler().plans(SimDisk()).size(), 1U);
}

TEST(CrashSamplerTest, many_items_give_none_all_singles_and_cuts_in_time) {
  Sim sim;
  EXPECT_EQ(write_sector(*sim.create("g"), 2, 'b'), 0);
  EXPECT_EQ(write(*sim.open(), 0, filled(20 * kSectorBytes, 'b')), 0);
  const SimDisk disk = sim.env.disk();
  const auto items = disk.undecided();
  const size_t count = items.size();
  std::set<std::vector<uint8_t>> subsets;
  bool has_cut = false;
  for (const CrashPlan& plan : CrashSampler({.random_subsets = 0}).plans(disk)) {
    subsets.insert(plan.kept);
    std::vector<std::pair<uint64_t, uint8_t>> by_time;
    for (size_t i = 0; i < count; ++i) by_time.emplace_back(items[i].order, plan.kept[i]);
    std::ranges::sort(by_time);
    has_cut |=
        std::ranges::is_sorted(by_time, std::greater(), [](auto item) { return item.second; });
  }
  EXPECT_TRUE(has_cut);
  EXPECT_TRUE(subsets.contains(std::vector<uint8_t>(count, 0)));
  EXPECT_TRUE(subsets.contains(std::vector<uint8_t>(count, 1)));
  for (size_t i = 0; i < count; ++i) {
    std::vector<uint8_t> single(count, 0);
    single[i] = 1;
    EXPECT_TRUE(subsets.contains(single));
    std::ranges::for_each(single, [](uint8_t& kept) { kept ^= 1; });
    EXPECT_TRUE(subsets.contains(single));
  }
  EXPECT_LE(subsets.size(), 2 * count + 4);
  EXPECT_LE(CrashSampler({.random_subsets = 0, .single_items = 2}).plans(disk).size(), 8U * 3);
}

TEST(CrashSamplerTest, visitor_stops_the_walk_and_its_plan_repeats_the_state) {
  Sim sim;
  EXPECT_EQ(write(*sim.open(), 0, filled(4 * kSectorBytes, 'b')), 0);
  const SimDisk disk = sim.env.disk();
  size_t visits = 0;
  const size_t visited =
      CrashSampler().each(disk, [&](const SimDisk& crashed, const CrashPlan& plan) {
        EXPECT_TRUE(crashed.shows_same_as(disk.crash(plan))) << to_string(plan);
        return ++visits < 5;
      });
  EXPECT_EQ(visited, 5U);
}

TEST(CrashSamplerTest, plan_prints_in_one_line) {
  EXPECT_EQ(to_string(CrashPlan{.kept = {0, 1}, .lost = LostBytes::zero, .seed = 7}),
            "kept=01 lost=zero tear=powersafe seed=7");
}

}  // namespace
}  // namespace writeahead::testing
