// Devices that keep no byte of a sector whose write is cut off, not even one that was to stay.
//
// Goal: frames that are aligned to such sectors are out of reach of later writes, at every level
// and in recovery, and Stats says when they are; frames that are not can be lost. Method: as in
// power_cut_test.cc, with TearMode::strict: a torn sector holds anything anywhere.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/crash_run.h"

namespace writeahead::testing {
namespace {

CrashSamplerOptions strict() {
  return {.exhaustive_items = 6,
          .random_subsets = 12,
          .single_items = 16,
          .tear = TearMode::strict,
          .seed = sampling_seed()};
}

/// The same course with other sectors and frames.
Workload variant(const char* name, size_t sector_bytes, uint32_t frame_alignment) {
  Workload workload = *find_workload(name);
  workload.name = fmt::format("{}_{}_{}", name, sector_bytes, frame_alignment);
  workload.sector_bytes = sector_bytes;
  workload.frame_alignment = frame_alignment;
  return workload;
}

/// The first complaint over all calls at which the power may be cut.
Complaint sweep(const Workload& workload, std::string_view part = test::part::kCrashes) {
  const uint64_t calls = Script(workload, {}).calls();
  const CrashSampler sampler(strict());
  CrashTally tally(workload, "power cut, strict", Oracle::Names::are_certain, part);
  Complaint found;
  for (uint64_t k = 1; found.empty() && k <= calls + 1; k += kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    found = script.complaint();
    if (!found.empty()) break;
    sampler.each(script.machine().crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
      found = tally.judge(disk, script.model());
      if (!found.empty()) found = fmt::format("call {}, {}: {}", k, to_string(plan), found);
      return found.empty();
    });
  }
  return found;
}

/// That where a complaint is what has to come out.
Complaint sweep_control(const Workload& workload) {
  Complaint found = sweep(workload, {});
  test::print_control(!found.empty());
  return found;
}

/// The same for a power cut in the recovery from one.
Complaint sweep_recovery(const Workload& workload) {
  const uint64_t calls = Script(workload, {}).calls();
  CrashSamplerOptions options = strict();
  options.exhaustive_items = options.random_subsets = options.single_items = 3;
  const CrashSampler sampler(options);
  CrashTally tally(workload, "power cut in recovery, strict");
  Complaint found;
  uint64_t turn = sampling_seed();
  for (uint64_t k = 1; found.empty() && k <= calls + 1; k += 3 * kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    const std::vector<CrashPlan> plans = sampler.plans(script.machine().crashed_disk());
    const CrashPlan& first = plans[turn++ * 7 % plans.size()];
    const SimDisk disk = script.machine().crashed_disk().crash(first);
    const std::vector<SimDisk> crashes = crashes_in_recovery(workload, disk);
    for (uint64_t j = 1; found.empty() && j <= crashes.size(); ++j) {
      sampler.each(crashes[j - 1], [&](const SimDisk& left, const CrashPlan& plan) {
        found = tally.judge(left, script.model());
        if (!found.empty()) {
          found = fmt::format("call {}, {}, recovery call {}, {}: {}", k, to_string(first), j,
                              to_string(plan), found);
        }
        return found.empty();
      });
    }
  }
  return found;
}

bool assumes_powersafe(const Workload& workload) {
  SimEnv env(SimDisk(workload.sector_bytes), workload.machine());
  return Log::open(kLogPath, {.sync_method = workload.sync_method,
                              .frame_alignment = workload.frame_alignment,
                              .env = &env,
                              .background = BackgroundWork::stepped})
      ->stats()
      .assumes_powersafe;
}

std::string name_of(const ::testing::TestParamInfo<Workload>& info) { return info.param.name; }

class AlignedFrames : public ::testing::TestWithParam<Workload> {};

TEST_P(AlignedFrames, lose_nothing_to_a_sector_that_is_torn_as_a_whole) {
  const Workload& workload = GetParam();
  EXPECT_FALSE(assumes_powersafe(workload));
  EXPECT_EQ(sweep(workload), "") << workload.name;
  EXPECT_EQ(sweep_recovery(workload), "") << workload.name;
}

INSTANTIATE_TEST_SUITE_P(
    Workloads, AlignedFrames,
    ::testing::Values(variant("mixed_sizes", 512, 512), variant("levels_mixed", 512, 512),
                      variant("rotation_with_seals", 512, 512),
                      variant("same_length_behind_a_torn_tail", 512, 512),
                      variant("truncated_and_cut_off", 512, 512),
                      variant("trimmed_while_it_grows", 512, 512), variant("idle_log", 512, 512),
                      variant("killed_and_opened_again", 512, 512),
                      variant("mixed_sizes", 4096, 4096), variant("levels_mixed", 4096, 4096),
                      variant("rotation_with_seals", 4096, 4096),
                      variant("same_length_behind_a_torn_tail", 512, 4096),
                      variant("levels_mixed_by_fdatasync", 4096, 4096),
                      variant("levels_mixed_by_buffered_dsync", 512, 4096)),
    name_of);

/// The plan that loses this one of so many sectors, or keeps only it.
CrashPlan plan_of(size_t sectors, size_t sector, bool is_lost) {
  CrashPlan plan{.kept = std::vector<uint8_t>(sectors, is_lost ? 1 : 0),
                 .lost = is_lost ? LostBytes::garbage : LostBytes::old,
                 .tear = TearMode::strict};
  plan.kept[sector] = is_lost ? 0 : 1;
  return plan;
}

// The root of a truncation that nobody was told of lost one sector, and the next write to the same
// slot reached only that one. Where both hold the same there, the slot is whole: what the root
// names has to be there still.
TEST(TornRootSlot, may_be_made_whole_by_the_next_write_that_is_torn) {
  const Workload workload = variant("truncated_and_cut_off", 512, 512);
  constexpr size_t kSlotSectors = kBlockBytes / 512;
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "torn root slot that is made whole");
  for (uint64_t k = 1; k <= calls; ++k) {
    Script script(workload, {.crash_at = k});
    script.stop();
    const SimDisk torn = script.machine().crashed_disk();
    if (torn.undecided_count() != kSlotSectors) continue;  // No slot was being written.
    for (size_t sector = 0; sector < kSlotSectors; ++sector) {
      const SimDisk disk = torn.crash(plan_of(kSlotSectors, sector, true));
      for (const SimDisk& again : crashes_in_recovery(workload, disk)) {
        if (again.undecided_count() != kSlotSectors) continue;
        const SimDisk left = again.crash(plan_of(kSlotSectors, sector, false));
        ASSERT_EQ(tally.judge(left, script.model()), "") << "call " << k << ", sector " << sector;
      }
    }
  }
  EXPECT_GT(tally.states(), 0U);
}

TEST(FramesThatShareSectors, are_lost_to_a_sector_that_is_torn_as_a_whole) {
  for (const Workload& workload :
       {variant("small_records", 512, 0), variant("small_records", 4096, 512),
        variant("levels_mixed", 4096, 512)}) {
    EXPECT_TRUE(assumes_powersafe(workload)) << workload.name;
    EXPECT_NE(sweep_control(workload), "") << workload.name;
  }
}

TEST(FramesThatShareSectors, are_told_of_where_the_page_cache_writes_them) {
  for (const char* const name : {"levels_mixed_by_fdatasync", "levels_mixed_by_buffered_dsync"}) {
    const Workload workload = variant(name, 512, 512);
    EXPECT_TRUE(assumes_powersafe(workload)) << workload.name;
  }
  Workload workload = variant("small_records", 512, 512);
  workload.refuses_direct = true;
  EXPECT_TRUE(assumes_powersafe(workload));
}

}  // namespace
}  // namespace writeahead::testing
