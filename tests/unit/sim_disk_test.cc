// SimDisk keeps what is durable apart from what is not: each rule of sim_disk.h, by writing through
// a SimEnv, cutting the power in a chosen way and looking at what is left.
#include "writeahead/testing/sim_disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "sim_fixture.h"

namespace writeahead::testing {
namespace {

TEST(SimDiskTest, write_without_barrier_is_shown_but_not_durable) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 1, 'b'), 0);
  EXPECT_EQ(read_sectors(*file), "abaa");
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(disk.undecided_count(), 1U);
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/f"), "aaaa");
  EXPECT_EQ(sectors_of(disk.crash(keep_all()), "/log/f"), "abaa");
}

TEST(SimDiskTest, sync_makes_writes_of_every_descriptor_durable) {
  Sim sim;
  auto file = sim.open();
  auto other = sim.directory->open("f", {}).value();
  EXPECT_EQ(write_sector(*file, 1, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 4, 'c'), 0);
  EXPECT_TRUE(other->sync_data());
  EXPECT_EQ(sim.env.disk().undecided_count(), 0U);
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "abaac");
}

TEST(SimDiskTest, dsync_write_makes_only_its_own_sectors_durable) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 1, 'c', WriteBarrier::dsync), 0);
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "acaa");
}

TEST(SimDiskTest, direct_dsync_write_flushes_no_earlier_direct_write) {
  Sim sim({}, 2 * kBlockBytes);
  auto file = sim.open(true);
  EXPECT_EQ(write(*file, 0, Blocks(1, 'b').bytes()), 0);
  EXPECT_EQ(write(*file, kBlockBytes, Blocks(1, 'c').bytes(), WriteBarrier::dsync), 0);
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "aaaaaaaacccccccc");
}

TEST(SimDiskTest, dsync_write_takes_its_whole_sector_from_the_cache) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write(*file, 0, filled(256, 'b')), 0);
  EXPECT_EQ(write(*file, 256, filled(256, 'b'), WriteBarrier::dsync), 0);
  EXPECT_EQ(sim.env.disk().undecided_count(), 0U);
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "baaa");
}

TEST(SimDiskTest, dsync_write_makes_the_size_durable_that_it_needs) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 5, 'b', WriteBarrier::dsync), 0);
  EXPECT_EQ(write_sector(*file, 7, 'c'), 0);
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "aaaa0b");
}

TEST(SimDiskTest, overlapping_writes_reach_the_medium_in_either_order) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 0, 'c'), 0);
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(sectors_of(disk.crash({.kept = {1, 0}}), "/log/f"), "baaa");
  EXPECT_EQ(sectors_of(disk.crash({.kept = {0, 1}}), "/log/f"), "caaa");
  EXPECT_EQ(sectors_of(disk.crash({.kept = {1, 1}}), "/log/f"), "caaa");
}

TEST(SimDiskTest, each_sector_of_one_write_is_lost_on_its_own) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write(*file, 0, filled(3 * kSectorBytes, 'b')), 0);
  EXPECT_EQ(sectors_of(sim.env.disk().crash({.kept = {1, 0, 1}}), "/log/f"), "baba");
}

TEST(SimDiskTest, sector_without_its_size_is_gone_and_later_growth_reads_zeros) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 4, 'b'), 0);
  ASSERT_EQ(sim.env.disk().undecided_count(), 2U);
  SimDisk lost = sim.env.disk().crash({.kept = {1, 0}});
  EXPECT_EQ(sectors_of(lost, "/log/f"), "aaaa");
  SimEnv next(std::move(lost));
  auto again = next.open_directory("/log", false, 0).value()->open("f", {.write = true}).value();
  EXPECT_EQ(write_sector(*again, 5, 'c'), 0);
  EXPECT_EQ(read_sectors(*again), "aaaa0c");
}

TEST(SimDiskTest, size_without_its_sector_shows_zeros) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 4, 'b'), 0);
  EXPECT_EQ(sectors_of(sim.env.disk().crash({.kept = {0, 1}}), "/log/f"), "aaaa0");
}

TEST(SimDiskTest, lost_size_may_take_a_value_between) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 4, 'b'), 0);
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const SimDisk disk =
        sim.env.disk().crash({.kept = {1, 0}, .lost = LostBytes::garbage, .seed = seed});
    sizes.insert(disk.contents("/log/f")->size());
  }
  EXPECT_GT(sizes.size(), 10U);
  EXPECT_GE(*sizes.begin(), 4 * kSectorBytes);
  EXPECT_LT(*sizes.rbegin(), 5 * kSectorBytes);
}

TEST(SimDiskTest, synced_file_without_a_synced_name_is_gone) {
  Sim sim;
  auto file = sim.create("g");
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_TRUE(file->sync_data());
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/g"), "missing");
  EXPECT_TRUE(sim.directory->sync());
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/g"), "b");
}

TEST(SimDiskTest, synced_name_without_synced_bytes_is_an_empty_file) {
  Sim sim;
  auto file = sim.create("g");
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_TRUE(sim.directory->sync());
  EXPECT_EQ(sim.env.disk().crash(keep_none()).contents("/log/g")->size(), 0U);
}

TEST(SimDiskTest, each_change_of_names_is_lost_on_its_own) {
  Sim sim;
  sim.create("g");
  EXPECT_TRUE(sim.directory->sync());
  sim.create("h");
  EXPECT_TRUE(sim.directory->rename_no_replace("f", "e"));
  EXPECT_TRUE(sim.directory->remove("g"));
  using Names = std::vector<std::string>;
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(disk.undecided_count(), 3U);
  EXPECT_EQ(disk.crash({.kept = {0, 0, 0}}).names("/log"), (Names{"f", "g"}));
  EXPECT_EQ(disk.crash({.kept = {1, 0, 0}}).names("/log"), (Names{"f", "g", "h"}));
  EXPECT_EQ(disk.crash({.kept = {0, 1, 0}}).names("/log"), (Names{"e", "g"}));
  EXPECT_EQ(disk.crash({.kept = {0, 0, 1}}).names("/log"), (Names{"f"}));
  EXPECT_TRUE(sim.directory->sync());
  EXPECT_EQ(sim.env.disk().crash(keep_none()).names("/log"), (Names{"e", "h"}));
}

TEST(SimDiskTest, lost_first_of_two_renames_leaves_one_name) {
  Sim sim;
  EXPECT_TRUE(sim.directory->rename_no_replace("f", "g"));
  EXPECT_TRUE(sim.directory->rename_no_replace("g", "h"));
  EXPECT_EQ(sim.env.disk().crash({.kept = {0, 1}}).names("/log"), (std::vector<std::string>{"h"}));
}

TEST(SimDiskTest, lost_directory_takes_what_is_in_it_along) {
  Sim sim;
  auto below = sim.directory->open_directory("torn", true, 0700).value();
  ASSERT_TRUE(below->open("x", {.write = true, .create = true}));
  EXPECT_TRUE(below->sync());
  EXPECT_EQ(sim.env.disk().crash(keep_none()).files(), (std::vector<std::string>{"/log/f"}));
  EXPECT_TRUE(sim.directory->sync());
  EXPECT_EQ(sim.env.disk().crash(keep_none()).files(),
            (std::vector<std::string>{"/log/f", "/log/torn/x"}));
}

TEST(SimDiskTest, sync_parent_makes_the_directory_s_own_name_durable) {
  SimEnv env(SimDisk{});
  auto directory = env.open_directory("/data/", true, 0700).value();
  EXPECT_TRUE(directory->sync());
  EXPECT_FALSE(env.disk().crash(keep_none()).names("/data"));
  EXPECT_TRUE(env.sync_parent("/data/."));
  EXPECT_TRUE(env.disk().crash(keep_none()).names("/data"));
}

TEST(SimDiskTest, direct_read_does_not_show_bytes_whose_sync_failed) {
  Sim sim({}, kBlockBytes);
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_EQ(read_sectors(*file), "baaaaaaa");
  EXPECT_EQ(read_sectors(*sim.open(true)), "aaaaaaaa");
}

TEST(SimDiskTest, direct_write_whose_sync_failed_is_not_on_the_device) {
  Sim sim({}, kBlockBytes);
  auto file = sim.open(true);
  EXPECT_EQ(write(*file, 0, Blocks(1, 'b').bytes()), 0);
  EXPECT_EQ(read_sectors(*file), "bbbbbbbb");
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_EQ(read_sectors(*file), "aaaaaaaa");
  EXPECT_EQ(read_sectors(*sim.open()), "bbbbbbbb");
}

TEST(SimDiskTest, sector_written_again_takes_the_size_along_whose_sync_failed) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 4, 'b'), 0);
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_EQ(write_sector(*file, 4, 'c'), 0);
  EXPECT_TRUE(file->sync_data());
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "aaaac");
}

TEST(SimDiskTest, sync_after_a_failed_one_succeeds_and_writes_nothing) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 4, 'c'), 0);
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_TRUE(file->sync_data());
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/f"), "aaaa");
  EXPECT_EQ(sectors_of(disk.crash(keep_all()), "/log/f"), "baaac");
  EXPECT_EQ(sectors_of(disk.shut_down(), "/log/f"), "aaaa");
}

TEST(SimDiskTest, bytes_written_again_after_a_failed_sync_become_durable) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 1, 'b'), 0);
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_EQ(write_sector(*file, 0, 'c'), 0);
  EXPECT_TRUE(file->sync_data());
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "caaa");
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_all()), "/log/f"), "cbaa");
}

TEST(SimDiskTest, failed_dsync_write_may_have_written_any_part) {
  Sim sim;
  auto file = sim.open();
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::dsync_write);
  EXPECT_EQ(write(*file, 0, filled(2 * kSectorBytes, 'b'), WriteBarrier::dsync), EIO);
  EXPECT_EQ(read_sectors(*file), "bbaa");
  EXPECT_TRUE(file->sync_data());
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(sectors_of(disk.crash({.kept = {0, 1}}), "/log/f"), "abaa");
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/f"), "aaaa");
}

TEST(SimDiskTest, failed_write_leaves_earlier_pending_bytes_below_it_unknown) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  sim.env.fail_call(2, EIO, FaultSpan::once, CallKind::write);
  EXPECT_EQ(write_sector(*file, 0, 'c'), EIO);
  EXPECT_TRUE(file->sync_data());
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/f"), "aaaa");
  EXPECT_EQ(sectors_of(disk.crash({.kept = {1, 0}}), "/log/f"), "baaa");
}

TEST(SimDiskTest, names_of_a_failed_directory_sync_stay_undecided) {
  Sim sim;
  sim.create("g");
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::directory_sync);
  EXPECT_EQ(error_of(sim.directory->sync()), EIO);
  sim.create("h");
  EXPECT_TRUE(sim.directory->sync());
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(disk.undecided_count(), 1U);
  EXPECT_EQ(disk.crash(keep_none()).names("/log"), (std::vector<std::string>{"f", "h"}));
  EXPECT_EQ(disk.crash(keep_all()).names("/log"), (std::vector<std::string>{"f", "g", "h"}));
}

TEST(SimDiskTest, direct_read_writes_dirty_pages_back_but_makes_nothing_durable) {
  Sim sim({}, kBlockBytes);
  auto buffered = sim.open();
  auto direct = sim.open(true);
  EXPECT_EQ(write_sector(*buffered, 0, 'b'), 0);
  EXPECT_EQ(read_sectors(*direct), "baaaaaaa");
  EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"), "aaaaaaaa");
}

TEST(SimDiskTest, buffered_read_shows_a_direct_write) {
  Sim sim({}, kBlockBytes);
  auto buffered = sim.open();
  EXPECT_EQ(read_sectors(*buffered), "aaaaaaaa");
  EXPECT_EQ(write(*sim.open(true), 0, Blocks(1, 'b').bytes()), 0);
  EXPECT_EQ(read_sectors(*buffered), "bbbbbbbb");
}

TEST(SimDiskTest, powersafe_tear_keeps_bytes_that_are_written_again_unchanged) {
  Sim sim;
  auto file = sim.open();
  std::vector<std::byte> block = filled(kSectorBytes, 'a');
  std::fill(block.begin() + 100, block.begin() + 200, std::byte{'b'});
  EXPECT_EQ(write(*file, 0, block), 0);
  bool is_torn = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const LostBytes lost : {LostBytes::zero, LostBytes::garbage}) {
      const auto bytes =
          *sim.env.disk().crash({.kept = {}, .lost = lost, .seed = seed}).contents("/log/f");
      for (size_t i = 0; i < bytes.size(); ++i) {
        const bool is_free = i >= 100 && i < 200;
        is_torn |= is_free && bytes[i] != std::byte{'a'} && bytes[i] != std::byte{'b'};
        ASSERT_TRUE(is_free || bytes[i] == std::byte{'a'}) << i;
      }
    }
  }
  EXPECT_TRUE(is_torn);
}

TEST(SimDiskTest, strict_tear_reaches_the_whole_sector_and_no_other) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write(*file, kSectorBytes + 500, filled(1, 'b')), 0);
  const SimDisk disk = sim.env.disk();
  EXPECT_EQ(sectors_of(disk.crash(keep_none(LostBytes::zero, TearMode::strict)), "/log/f"), "a0aa");
  const SimDisk torn = disk.crash(keep_none(LostBytes::garbage, TearMode::strict));
  const std::string shown = sectors_of(torn, "/log/f");
  EXPECT_EQ(shown[0], 'a');
  EXPECT_NE(shown[1], 'a');
  EXPECT_EQ(shown.substr(2), "aa");
}

TEST(SimDiskTest, disk_with_large_sectors_tears_at_them) {
  SimDisk disk(kBlockBytes);
  disk.put("/f", filled(kBlockBytes, 'a'));
  SimEnv env(std::move(disk));
  auto file = env.open_directory("/", false, 0).value()->open("f", {.write = true}).value();
  EXPECT_EQ(write(*file, 0, filled(kBlockBytes, 'b')), 0);
  EXPECT_EQ(env.disk().undecided_count(), 1U);
}

TEST(SimDiskTest, copies_do_not_see_each_other_s_changes) {
  Sim sim;
  const SimDisk before = sim.env.disk();
  EXPECT_EQ(write_sector(*sim.open(), 0, 'b', WriteBarrier::dsync), 0);
  EXPECT_EQ(sectors_of(before, "/log/f"), "aaaa");
  EXPECT_FALSE(before.shows_same_as(sim.env.disk()));
  EXPECT_TRUE(before.shows_same_as(SimDisk(before)));
}

TEST(SimDiskTest, same_plan_gives_the_same_disk) {
  Sim sim;
  EXPECT_EQ(write(*sim.open(), 0, filled(4 * kSectorBytes, 'b')), 0);
  CrashPlan plan = keep_none(LostBytes::garbage);
  const SimDisk first = sim.env.disk().crash(plan);
  EXPECT_TRUE(first.shows_same_as(sim.env.disk().crash(plan)));
  plan.seed = 2;
  EXPECT_FALSE(first.shows_same_as(sim.env.disk().crash(plan)));
}

TEST(SimDiskTest, digest_differs_with_bytes_sizes_and_names_and_with_nothing_else) {
  Sim sim;
  const uint64_t before = sim.env.disk().digest();
  SimDisk other = sim.env.disk();
  EXPECT_EQ(other.digest(), before);
  other.put("/log/f", *sim.env.disk().contents("/log/f"));
  EXPECT_EQ(other.digest(), before) << "the same bytes";
  std::vector<std::byte> bytes = *other.contents("/log/f");
  bytes.push_back(std::byte{0});
  other.put("/log/f", bytes);
  EXPECT_NE(other.digest(), before) << "one byte more";
  bytes.pop_back();
  bytes.back() ^= std::byte{1};
  other.put("/log/f", bytes);
  EXPECT_NE(other.digest(), before) << "one bit";
  other = sim.env.disk();
  other.put("/log/g", {});
  EXPECT_NE(other.digest(), before) << "one name more";
  other.erase("/log/g");
  EXPECT_EQ(other.digest(), before);
  // What was hashed before is changed in place when nobody shares it.
  other = SimDisk();
  EXPECT_EQ(write_sector(*sim.open(), 1, 'c', WriteBarrier::dsync), 0);
  EXPECT_NE(sim.env.disk().digest(), before);
}

TEST(SimDiskTest, crash_leaves_nothing_undecided_and_counts_a_boot) {
  Sim sim;
  EXPECT_EQ(write_sector(*sim.open(), 0, 'b'), 0);
  sim.create("g");
  const SimDisk crashed = sim.env.disk().crash(keep_all());
  EXPECT_EQ(crashed.undecided_count(), 0U);
  EXPECT_EQ(crashed.boots(), sim.env.disk().boots() + 1);
}

}  // namespace
}  // namespace writeahead::testing
