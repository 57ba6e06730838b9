// What processes of a simulated machine share by a file: locks, mappings, words to sleep on; and
// what the others see when one of them is killed. No test sleeps: it waits for the other to sleep.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "sim_fixture.h"

namespace writeahead::testing {
namespace {

constexpr uint64_t kLongNs = 60'000'000'000;

std::unique_ptr<File> open_in(SimEnv& env, OpenFlags flags = {}) {
  return env.open_directory("/log", false, 0).value()->open("f", flags).value();
}

std::atomic_ref<uint32_t> word_of(MappedRegion& region, size_t offset = 0) {
  return std::atomic_ref(*reinterpret_cast<uint32_t*>(&region.bytes()[offset]));
}

TEST(SimSharingTest, exclusive_lock_belongs_to_one_open_file_until_it_is_destroyed) {
  Sim sim;
  auto first = sim.open();
  auto other = sim.env.another_process(1001);
  auto second = open_in(*other);
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_EQ(error_of(second->lock(LockKind::exclusive)), EWOULDBLOCK);
  EXPECT_EQ(error_of(second->lock(LockKind::shared)), EWOULDBLOCK);
  first.reset();
  EXPECT_TRUE(second->lock(LockKind::exclusive));
}

TEST(SimSharingTest, shared_locks_go_together_and_refuse_an_exclusive_one) {
  Sim sim;
  auto first = sim.open();
  auto second = sim.open();
  auto keeper = sim.open();
  EXPECT_TRUE(first->lock(LockKind::shared));
  EXPECT_TRUE(second->lock(LockKind::shared));
  EXPECT_EQ(error_of(keeper->lock(LockKind::exclusive)), EWOULDBLOCK);
  first->unlock();
  EXPECT_EQ(error_of(keeper->lock(LockKind::exclusive)), EWOULDBLOCK);
  second.reset();
  EXPECT_TRUE(keeper->lock(LockKind::exclusive));
  keeper->unlock();
  EXPECT_TRUE(first->lock(LockKind::shared));
}

TEST(SimSharingTest, refused_conversion_loses_the_lock) {
  Sim sim;
  auto first = sim.open();
  auto second = sim.open();
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_TRUE(first->lock(LockKind::shared));
  EXPECT_TRUE(second->lock(LockKind::shared));
  EXPECT_EQ(error_of(first->lock(LockKind::exclusive)), EWOULDBLOCK);
  EXPECT_TRUE(second->lock(LockKind::exclusive));
}

TEST(SimSharingTest, lock_is_on_the_file_and_not_on_its_name) {
  Sim sim;
  auto first = sim.open();
  EXPECT_TRUE(first->lock(LockKind::exclusive));
  EXPECT_TRUE(sim.directory->rename_no_replace("f", "g"));
  auto renamed = sim.open(false, "g");
  EXPECT_EQ(error_of(renamed->lock(LockKind::shared)), EWOULDBLOCK);
  EXPECT_TRUE(sim.create("f")->lock(LockKind::exclusive));
}

TEST(SimSharingTest, mapping_of_a_closed_file_holds_no_lock) {
  Sim sim;
  auto file = sim.open();
  EXPECT_TRUE(file->lock(LockKind::shared));
  auto region = file->map({.bytes = 1}).value();
  file.reset();
  EXPECT_TRUE(sim.open()->lock(LockKind::exclusive));
}

TEST(SimSharingTest, killed_process_gives_its_locks_back_and_does_nothing_more) {
  Sim sim;
  auto other = sim.env.another_process(1001);
  auto theirs = open_in(*other, {.write = true});
  auto directory = other->open_directory("/log", false, 0).value();
  auto mine = sim.open();
  EXPECT_TRUE(theirs->lock(LockKind::exclusive));
  EXPECT_EQ(write_sector(*theirs, 0, 'b'), 0);
  const ProcessIdentity process = other->process();
  EXPECT_TRUE(sim.env.is_alive(process));
  other->kill();
  EXPECT_FALSE(sim.env.is_alive(process));
  EXPECT_TRUE(mine->lock(LockKind::exclusive));
  const uint64_t calls = sim.env.calls();
  EXPECT_EQ(error_of(theirs->lock(LockKind::exclusive)), EIO);
  EXPECT_EQ(write_sector(*theirs, 1, 'c'), EIO);
  EXPECT_EQ(error_of(directory->remove("f")), EIO);
  EXPECT_EQ(error_of(other->open_directory("/log", false, 0)), EIO);
  EXPECT_EQ(sim.env.calls(), calls);
  EXPECT_EQ(write_sector(*mine, 2, 'd'), 0);
  EXPECT_EQ(read_sectors(*mine), "bada");
  EXPECT_FALSE(sim.env.crashed());
}

TEST(SimSharingTest, kill_loses_the_held_writes_of_that_process) {
  Sim sim;
  auto other = sim.env.another_process(1001);
  auto theirs = open_in(*other, {.write = true});
  sim.env.hold_writes(true);
  int error = 0;
  std::thread writer([&] { error = write_sector(*theirs, 0, 'b'); });
  ASSERT_TRUE(sim.env.wait_for_held_writes(1));
  other->kill();
  writer.join();
  EXPECT_EQ(error, EIO);
  EXPECT_EQ(read_sectors(*sim.open()), "aaaa");
}

TEST(SimSharingTest, mappings_share_memory_and_show_later_writes) {
  Sim sim;
  auto file = sim.open();
  auto first = file->map({.bytes = kBlockBytes, .writable = true}).value();
  auto other = sim.env.another_process(1001);
  auto second = open_in(*other)->map({.bytes = kBlockBytes}).value();
  EXPECT_EQ(first->bytes()[0], std::byte{'a'});
  first->bytes()[kBlockBytes - 1] = std::byte{1};
  EXPECT_EQ(second->bytes()[kBlockBytes - 1], std::byte{1});
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(second->bytes()[0], std::byte{'b'});
  first.reset();
  second.reset();
  EXPECT_EQ(file->map({.bytes = 2 * kBlockBytes}).value()->bytes()[kBlockBytes - 1], std::byte{1});
}

TEST(SimSharingTest, mapping_follows_its_file_through_removal_growth_and_recycling) {
  Sim sim({}, kBlockBytes);
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  EXPECT_TRUE(sim.directory->rename_no_replace("f", "recycled"));
  auto recycled = sim.open(false, "recycled");
  EXPECT_EQ(write(*recycled, 0, filled(2 * kBlockBytes, 'b')), 0);
  EXPECT_EQ(sectors_in(region->bytes()), "bbbbbbbb");
  auto larger = recycled->map({.bytes = 2 * kBlockBytes}).value();
  EXPECT_EQ(sectors_in(larger->bytes()), "bbbbbbbbbbbbbbbb");
  EXPECT_TRUE(sim.directory->remove("recycled"));
  const Blocks blocks(1, 'c');
  EXPECT_EQ(write(*recycled, 512, blocks.bytes()), 0);
  EXPECT_EQ(sectors_in(region->bytes()), "bccccccc");
  EXPECT_EQ(sectors_in(larger->bytes()), "bccccccccbbbbbbb");
  recycled.reset();
  EXPECT_EQ(sectors_in(region->bytes()), "bccccccc");
}

TEST(SimSharingTest, direct_write_shows_in_a_mapping) {
  Sim sim({}, kBlockBytes);
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  EXPECT_EQ(write(*sim.open(true), 0, Blocks(1, 'b').bytes(), WriteBarrier::dsync), 0);
  EXPECT_EQ(sectors_in(region->bytes()), "bbbbbbbb");
}

TEST(SimSharingTest, mapping_is_refused_as_by_a_system) {
  Sim sim;
  auto file = sim.directory->open("f", {}).value();
  EXPECT_EQ(error_of(file->map({.bytes = 0})), EINVAL);
  EXPECT_EQ(error_of(file->map({.bytes = 1, .writable = true})), EACCES);
  EXPECT_TRUE(file->map({.bytes = kBlockBytes, .populate = true}));
  EXPECT_TRUE(file->map({.bytes = kBlockBytes + 1}));
  EXPECT_EQ(error_of(file->map({.bytes = kBlockBytes + 1, .populate = true})), EIO);
}

TEST(SimSharingTest, waiter_in_another_process_is_woken) {
  Sim sim;
  auto writer = sim.open()->map({.bytes = kBlockBytes, .writable = true}).value();
  auto other = sim.env.another_process(1001);
  auto reader = open_in(*other)->map({.bytes = kBlockBytes}).value();
  const uint32_t before = word_of(*reader, 8).load();
  bool is_woken = false;
  std::thread thread([&] { is_woken = reader->wait(8, before, kLongNs); });
  ASSERT_TRUE(sim.env.wait_for_waiters(1));
  word_of(*writer, 8).store(before + 1);
  writer->wake_all(8);
  thread.join();
  EXPECT_TRUE(is_woken);
  EXPECT_EQ(sim.env.timed_out_waits(), 0U);
}

TEST(SimSharingTest, wait_for_a_word_that_has_changed_returns_at_once) {
  Sim sim;
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  EXPECT_TRUE(region->wait(4, word_of(*region, 4).load() + 1, kLongNs));
  EXPECT_EQ(sim.env.timed_out_waits(), 0U);
}

TEST(SimSharingTest, wait_that_nobody_ends_times_out_and_is_counted) {
  Sim sim;
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  region->wake_all(0);  // Before the wait: not kept for it.
  EXPECT_FALSE(region->wait(0, word_of(*region).load(), 1'000'000));
  EXPECT_FALSE(region->wait(0, word_of(*region).load(), 0));
  EXPECT_EQ(sim.env.timed_out_waits(), 2U);
}

TEST(SimSharingTest, wait_takes_the_shortest_time_that_there_is) {
  Sim sim;
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  sim.env.set_shortest_wait_ns(5'000'000);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_FALSE(region->wait(0, word_of(*region).load(), 1));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(5));
}

TEST(SimSharingTest, wake_reaches_all_waiters_of_that_word_and_no_other) {
  Sim sim({}, 2 * kBlockBytes);
  auto region = sim.open()->map({.bytes = kBlockBytes}).value();
  // A larger mapping has an image of its own, and the same words.
  auto larger = sim.open()->map({.bytes = 2 * kBlockBytes}).value();
  const uint32_t value = word_of(*region).load();
  std::atomic<int> woken = 0;
  const auto wait_at = [&](MappedRegion& where, size_t offset) {
    if (where.wait(offset, value, kLongNs)) ++woken;
  };
  std::thread first([&] { wait_at(*region, 0); });
  std::thread second([&] { wait_at(*larger, 0); });
  std::thread third([&] { wait_at(*region, 4); });
  ASSERT_TRUE(sim.env.wait_for_waiters(3));
  region->wake_all(0);
  first.join();
  second.join();
  EXPECT_EQ(woken, 2);
  region->wake_all(4);
  third.join();
  EXPECT_EQ(woken, 3);
}

TEST(SimSharingTest, crash_and_kill_end_waits_without_waking) {
  for (const bool is_kill : {false, true}) {
    Sim sim;
    auto other = sim.env.another_process(1001);
    auto region = open_in(*other)->map({.bytes = kBlockBytes}).value();
    bool is_woken = true;
    std::thread thread([&] { is_woken = region->wait(0, word_of(*region).load(), kLongNs); });
    ASSERT_TRUE(sim.env.wait_for_waiters(1));
    if (is_kill) {
      other->kill();
    } else {
      sim.env.crash_now();
    }
    thread.join();
    EXPECT_FALSE(is_woken);
    EXPECT_EQ(sim.env.timed_out_waits(), 0U);
  }
}

}  // namespace
}  // namespace writeahead::testing
