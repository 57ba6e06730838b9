// SimEnv stops, fails and shortens exactly the calls it was told to, and answers like a system.
#include "writeahead/testing/sim_env.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>

#include "sim_fixture.h"

namespace writeahead::testing {
namespace {

TEST(SimEnvTest, crash_stops_the_machine_in_the_middle_of_that_call) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b', WriteBarrier::dsync), 0);
  sim.env.crash_at(sim.env.calls() + 1);
  EXPECT_FALSE(sim.env.crashed());
  EXPECT_EQ(write_sector(*file, 1, 'c', WriteBarrier::dsync), EIO);
  EXPECT_TRUE(sim.env.crashed());
  const uint64_t calls = sim.env.calls();
  EXPECT_EQ(write_sector(*file, 2, 'd', WriteBarrier::dsync), EIO);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  EXPECT_EQ(error_of(sim.directory->remove("f")), EIO);
  EXPECT_EQ(error_of(sim.directory->list()), EIO);
  EXPECT_EQ(sim.env.calls(), calls);
  EXPECT_EQ(sectors_of(sim.env.crashed_disk().crash(keep_none()), "/log/f"), "baaa");
  EXPECT_EQ(sectors_of(sim.env.crashed_disk().crash(keep_all()), "/log/f"), "bcaa");
}

TEST(SimEnvTest, crash_at_every_call_of_a_script_sees_each_call_once) {
  const auto script = [](SimEnv& env) {
    auto directory = env.open_directory("/log", false, 0);
    if (!directory) return;
    auto file = (*directory)->open("g", {.write = true, .create = true});
    if (!file) return;
    (void)(*file)->write_at(0, filled(10, 'b'), WriteBarrier::none);
    (void)(*file)->sync_data();
    (void)(*directory)->rename_no_replace("g", "h");
    (void)(*directory)->sync();
  };
  SimEnv whole(Sim::initial(0));
  script(whole);
  EXPECT_EQ(whole.calls(), 6U);
  std::set<std::string> seen;
  for (uint64_t k = 1; k <= whole.calls(); ++k) {
    SimEnv env(Sim::initial(0));
    env.crash_at(k);
    script(env);
    EXPECT_TRUE(env.crashed());
    CrashSampler().each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan&) {
      std::string shown;
      for (const std::string& path : disk.files()) {
        shown += path + "=" + std::to_string(disk.contents(path)->size()) + " ";
      }
      seen.insert(shown);
      return true;
    });
  }
  EXPECT_TRUE(seen.contains("/log/f=0 "));
  EXPECT_TRUE(seen.contains("/log/f=0 /log/g=10 "));
  EXPECT_TRUE(seen.contains("/log/f=0 /log/h=10 "));
}

TEST(SimEnvTest, name_in_flight_at_the_crash_is_undecided) {
  Sim sim;
  sim.env.crash_at(sim.env.calls() + 1);
  EXPECT_EQ(error_of(sim.directory->open("g", {.write = true, .create = true})), EIO);
  const SimDisk disk = sim.env.crashed_disk();
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/g"), "missing");
  EXPECT_EQ(sectors_of(disk.crash(keep_all()), "/log/g"), "");
}

TEST(SimEnvTest, sync_in_flight_at_the_crash_leaves_everything_undecided) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  sim.env.crash_at(sim.env.calls() + 1);
  EXPECT_EQ(error_of(file->sync_data()), EIO);
  const SimDisk disk = sim.env.crashed_disk();
  EXPECT_EQ(sectors_of(disk.crash(keep_none()), "/log/f"), "aaaa");
  EXPECT_EQ(sectors_of(disk.crash(keep_all()), "/log/f"), "baaa");
}

TEST(SimEnvTest, process_kill_keeps_what_completed_and_part_of_the_last_write) {
  Sim sim;
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  sim.env.crash_at(sim.env.calls() + 1);
  EXPECT_EQ(write(*file, kSectorBytes, filled(2 * kSectorBytes, 'c')), EIO);
  EXPECT_EQ(sectors_of(sim.env.killed_disk(), "/log/f"), "baaa");
  EXPECT_EQ(sectors_of(sim.env.killed_disk(kSectorBytes), "/log/f"), "bcaa");
  EXPECT_EQ(sectors_of(sim.env.killed_disk(kSectorBytes + 1), "/log/f"), "bc?a");
  EXPECT_EQ(sectors_of(sim.env.killed_disk().crash(keep_none()), "/log/f"), "aaaa");
}

TEST(SimEnvTest, boot_id_changes_by_a_power_cut_and_not_by_a_kill) {
  Sim sim;
  SimEnv killed(sim.env.killed_disk());
  SimEnv cut(sim.env.crashed_disk().crash(keep_none()));
  EXPECT_EQ(killed.boot_id(), sim.env.boot_id());
  EXPECT_NE(cut.boot_id(), sim.env.boot_id());
  SimEnv chosen(SimDisk{}, {.boot_id = Identifier{std::byte{7}}});
  EXPECT_EQ(chosen.boot_id()[0], std::byte{7});
}

TEST(SimEnvTest, failing_call_fails_once_or_for_ever) {
  Sim sim;
  auto file = sim.open();
  sim.env.fail_call(sim.env.calls() + 2, ENOMEM);
  EXPECT_TRUE(file->info());
  EXPECT_EQ(error_of(file->info()), ENOMEM);
  EXPECT_TRUE(file->info());
  sim.env.fail_call(2, EDQUOT, FaultSpan::for_ever, CallKind::write);
  EXPECT_EQ(write_sector(*file, 0, 'b'), 0);
  EXPECT_EQ(write_sector(*file, 1, 'b'), EDQUOT);
  EXPECT_TRUE(file->info());
  EXPECT_EQ(write_sector(*file, 1, 'b'), EDQUOT);
  sim.env.clear_faults();
  EXPECT_EQ(write_sector(*file, 1, 'b'), 0);
}

TEST(SimEnvTest, interrupted_write_has_written_nothing) {
  Sim sim;
  auto file = sim.open();
  sim.env.fail_call(1, EINTR, FaultSpan::once, CallKind::write);
  EXPECT_EQ(write_sector(*file, 0, 'b'), EINTR);
  EXPECT_EQ(sim.env.disk().undecided_count(), 0U);
}

TEST(SimEnvTest, every_kind_of_call_is_counted_and_can_fail) {
  for (size_t kind = 0; kind < kCallKinds; ++kind) {
    const auto failing = static_cast<CallKind>(kind);
    Sim sim;
    auto file = sim.open();
    sim.env.fail_call(1, EMFILE, FaultSpan::for_ever, failing);
    std::byte one{};
    std::vector<int> errors;
    errors.push_back(error_of(sim.directory->open("f", {})));
    errors.push_back(error_of(sim.directory->open("g", {.create = true})));
    errors.push_back(error_of(file->read_at(0, std::span(&one, 1))));
    errors.push_back(write_sector(*file, 0, 'b'));
    errors.push_back(write_sector(*file, 0, 'b', WriteBarrier::dsync));
    errors.push_back(error_of(file->sync_data()));
    errors.push_back(error_of(sim.directory->sync()));
    errors.push_back(error_of(sim.directory->rename_no_replace("f", "e")));
    errors.push_back(error_of(sim.directory->remove("f")));
    errors.push_back(error_of(sim.directory->list()));
    errors.push_back(error_of(file->lock(LockKind::exclusive)));
    errors.push_back(error_of(file->map({.bytes = 1})));
    errors.push_back(error_of(file->info()));
    errors.push_back(error_of(sim.env.random(std::span(&one, 1))));
    errors.push_back(error_of(sim.directory->open_directory("d", true, 0700)));
    ASSERT_EQ(errors.size(), kCallKinds);
    EXPECT_EQ(errors[kind], EMFILE) << to_string(failing);
    EXPECT_GE(sim.env.calls(failing), 1U);
    for (size_t other = 0; other < kCallKinds; ++other) {
      EXPECT_EQ(errors[other] == EMFILE, other == kind) << to_string(failing) << " " << other;
    }
  }
}

TEST(SimEnvTest, failed_sync_is_reported_once_by_each_open_file) {
  Sim sim;
  auto first = sim.open();
  auto second = sim.open();
  auto third = sim.open();
  EXPECT_EQ(write_sector(*first, 0, 'b'), 0);
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::sync);
  EXPECT_EQ(error_of(first->sync_data()), EIO);
  EXPECT_EQ(error_of(second->sync_data()), EIO);
  EXPECT_EQ(write_sector(*third, 1, 'c', WriteBarrier::dsync), EIO);
  EXPECT_TRUE(first->sync_data());
  EXPECT_TRUE(second->sync_data());
  EXPECT_TRUE(third->sync_data());
  EXPECT_TRUE(sim.open()->sync_data());
}

TEST(SimEnvTest, failed_direct_dsync_write_is_reported_to_its_caller_only) {
  Sim sim({}, kBlockBytes);
  auto first = sim.open(true);
  auto second = sim.open();
  sim.env.fail_call(1, EIO, FaultSpan::once, CallKind::dsync_write);
  EXPECT_EQ(write(*first, 0, Blocks(1, 'b').bytes(), WriteBarrier::dsync), EIO);
  EXPECT_TRUE(second->sync_data());
}

TEST(SimEnvTest, short_transfers_move_so_many_bytes) {
  Sim sim;
  auto file = sim.open();
  sim.env.short_transfer(2, 100);
  EXPECT_EQ(file->write_at(0, filled(300, 'b'), WriteBarrier::none).value(), 300U);
  EXPECT_EQ(file->write_at(0, filled(300, 'c'), WriteBarrier::none).value(), 100U);
  sim.env.limit_transfers(7);
  std::vector<std::byte> out(200);
  EXPECT_EQ(file->read_at(95, out).value(), 7U);
  sim.env.limit_transfers(SIZE_MAX);
  EXPECT_EQ(file->read_at(95, out).value(), 200U);
  EXPECT_EQ(out[4], std::byte{'c'});
  EXPECT_EQ(out[5], std::byte{'b'});
}

TEST(SimEnvTest, short_transfers_are_counted_if_they_were_asked_for_more) {
  Sim sim;
  auto file = sim.open();
  std::vector<std::byte> out(200);
  const uint64_t size = file->info().value().bytes;
  sim.env.limit_transfers(100);
  EXPECT_EQ(file->write_at(0, filled(100, 'b'), WriteBarrier::none).value(), 100U);
  EXPECT_EQ(file->read_at(size - 50, out).value(), 50U);
  EXPECT_EQ(sim.env.short_transfers(), 0U);
  EXPECT_EQ(file->write_at(0, filled(101, 'b'), WriteBarrier::none).value(), 100U);
  EXPECT_EQ(file->read_at(0, out).value(), 100U);
  EXPECT_EQ(sim.env.short_transfers(), 2U);
}

TEST(SimEnvTest, a_limit_of_no_bytes_shortens_writes_alone) {
  Sim sim;
  auto file = sim.open();
  sim.env.limit_transfers(0);
  std::vector<std::byte> out(200);
  EXPECT_EQ(file->read_at(0, out).value(), 200U);
  EXPECT_EQ(file->write_at(0, filled(300, 'b'), WriteBarrier::none).value(), 0U);
  EXPECT_EQ(sim.env.short_transfers(), 1U);
}

TEST(SimEnvTest, write_without_room_is_cut_short_and_then_refused) {
  Sim sim({}, kBlockBytes);
  auto file = sim.open();
  sim.env.set_free_bytes(2 * kBlockBytes);
  EXPECT_EQ(write(*file, 0, filled(kBlockBytes, 'b')), 0);
  EXPECT_EQ(sim.env.free_bytes(), 2 * kBlockBytes);
  EXPECT_EQ(file->write_at(kBlockBytes, filled(3 * kBlockBytes, 'c'), WriteBarrier::none).value(),
            2 * kBlockBytes);
  EXPECT_EQ(sim.env.free_bytes(), 0U);
  EXPECT_EQ(write(*file, 3 * kBlockBytes, filled(1, 'd'), WriteBarrier::dsync), ENOSPC);
  EXPECT_EQ(write(*file, kBlockBytes, filled(2 * kBlockBytes, 'e')), 0);
  EXPECT_EQ(file->info().value().bytes, 3 * kBlockBytes);
  EXPECT_TRUE(sim.directory->remove("f"));
  EXPECT_EQ(sim.env.free_bytes(), 3 * kBlockBytes);
}

TEST(SimEnvTest, direct_file_wants_whole_blocks_and_may_be_refused) {
  Sim sim({}, kBlockBytes);
  auto file = sim.open(true);
  const Blocks blocks(2);
  EXPECT_EQ(error_of(file->read_at(1, blocks.bytes())), EINVAL);
  EXPECT_EQ(error_of(file->read_at(0, blocks.bytes().first(512))), EINVAL);
  EXPECT_EQ(write(*file, 0, blocks.bytes().subspan(512, kBlockBytes)), EINVAL);
  EXPECT_EQ(file->read_at(0, blocks.bytes()).value(), kBlockBytes);
  Sim refusing({.refuses_direct = true});
  EXPECT_EQ(error_of(refusing.directory->open("f", {.direct = true})), EINVAL);
  EXPECT_EQ(error_of(refusing.directory->open("g", {.create = true, .direct = true})), EINVAL);
  EXPECT_EQ(refusing.directory->list().value().size(), 1U);
}

TEST(SimEnvTest, names_answer_like_a_system) {
  Sim sim;
  sim.create("g");
  EXPECT_EQ(error_of(sim.directory->open("g", {.write = true, .create = true})), EEXIST);
  EXPECT_EQ(error_of(sim.directory->open("x", {})), ENOENT);
  EXPECT_EQ(error_of(sim.directory->rename_no_replace("f", "g")), EEXIST);
  EXPECT_EQ(error_of(sim.directory->rename_no_replace("x", "y")), ENOENT);
  EXPECT_EQ(error_of(sim.directory->remove("x")), ENOENT);
  EXPECT_EQ(error_of(sim.directory->open("../f", {})), EINVAL);
  EXPECT_EQ(error_of(sim.directory->open_directory("x", false, 0)), ENOENT);
  EXPECT_EQ(error_of(sim.directory->open_directory("f", true, 0)), ENOTDIR);
  EXPECT_EQ(error_of(sim.env.open_directory("/x/y", true, 0700)), ENOENT);
  EXPECT_EQ(error_of(sim.env.open_directory("/log/f", false, 0)), ENOTDIR);
  EXPECT_EQ(write_sector(*sim.directory->open("f", {}).value(), 0, 'b'), EBADF);
  EXPECT_TRUE(sim.env.open_directory("log/../log/.", false, 0));
}

TEST(SimEnvTest, unusual_files_show_in_info) {
  SimDisk disk = Sim::initial(0);
  disk.put("/log/pipe", {}, SimFileKind::special);
  disk.put("/log/link", {}, SimFileKind::symbolic_link);
  disk.put("/log/theirs", {}, SimFileKind::foreign);
  ASSERT_TRUE(disk.link("/log/f", "/log/backup"));
  SimEnv env(std::move(disk));
  auto directory = env.open_directory("/log", false, 0).value();
  EXPECT_FALSE(directory->open("pipe", {}).value()->info().value().is_regular);
  EXPECT_FALSE(directory->open("theirs", {}).value()->info().value().is_owned);
  EXPECT_EQ(directory->open("f", {}).value()->info().value().links, 2U);
  EXPECT_EQ(error_of(directory->open("link", {})), ELOOP);
}

TEST(SimEnvTest, open_file_keeps_its_bytes_when_its_name_goes) {
  Sim sim;
  auto file = sim.open();
  EXPECT_TRUE(sim.directory->remove("f"));
  EXPECT_EQ(read_sectors(*file), "aaaa");
  EXPECT_EQ(file->info().value().links, 0U);
}

TEST(SimEnvTest, writes_held_in_flight_complete_in_the_order_of_release) {
  for (const bool is_swapped : {false, true}) {
    Sim sim;
    auto file = sim.open();
    sim.env.hold_writes(true);
    std::thread first([&] { write_sector(*file, 0, 'b', WriteBarrier::dsync); });
    ASSERT_TRUE(sim.env.wait_for_held_writes(1));
    std::thread second([&] { write_sector(*file, 0, 'c', WriteBarrier::dsync); });
    ASSERT_TRUE(sim.env.wait_for_held_writes(2));
    EXPECT_EQ(sim.env.disk().undecided_count(), 2U);
    sim.env.release_write(is_swapped ? 1 : 0);
    sim.env.release_write(0);
    first.join();
    second.join();
    EXPECT_EQ(sectors_of(sim.env.disk().crash(keep_none()), "/log/f"),
              is_swapped ? "baaa" : "caaa");
  }
}

TEST(SimEnvTest, crash_fails_held_writes_and_leaves_them_undecided) {
  Sim sim;
  auto file = sim.open();
  sim.env.hold_writes(true);
  int error = 0;
  std::thread writer([&] { error = write_sector(*file, 0, 'b', WriteBarrier::dsync); });
  ASSERT_TRUE(sim.env.wait_for_held_writes(1));
  sim.env.crash_now();
  writer.join();
  EXPECT_EQ(error, EIO);
  EXPECT_EQ(sectors_of(sim.env.crashed_disk().crash(keep_none()), "/log/f"), "aaaa");
  EXPECT_EQ(sectors_of(sim.env.crashed_disk().crash(keep_all()), "/log/f"), "baaa");
}

TEST(SimEnvTest, watched_crashes_are_those_that_stopping_at_each_call_leaves) {
  const auto run = [](Sim& sim) {
    auto file = sim.directory->open("f", {.write = true});
    if (!file) return;
    write_sector(**file, 1, 'b');
    write_sector(**file, 2, 'c', WriteBarrier::dsync);
    static_cast<void>((*file)->sync_data());
    static_cast<void>(sim.directory->rename_no_replace("f", "g"));
    static_cast<void>(sim.directory->sync());
  };
  std::vector<SimDisk> watched;
  Sim whole;
  const uint64_t before = whole.env.calls();
  whole.env.watch_crashes([&](uint64_t call, SimDisk disk) {
    EXPECT_EQ(call, before + watched.size() + 1);
    watched.push_back(std::move(disk));
  });
  run(whole);
  ASSERT_EQ(watched.size(), 6U);
  for (size_t i = 0; i < watched.size(); ++i) {
    Sim stopped;
    stopped.env.crash_at(before + i + 1);
    run(stopped);
    const SimDisk expected = stopped.env.crashed_disk();
    EXPECT_TRUE(watched[i].shows_same_as(expected)) << "call " << i;
    ASSERT_EQ(watched[i].undecided_count(), expected.undecided_count()) << "call " << i;
    for (const CrashPlan& plan : CrashSampler().plans(expected)) {
      EXPECT_TRUE(watched[i].crash(plan).shows_same_as(expected.crash(plan))) << to_string(plan);
    }
  }
}

TEST(SimEnvTest, clocks_move_by_fixed_steps_and_by_hand) {
  SimEnv env(SimDisk{}, {.wall_clock_ns = 500, .monotonic_ns = 100, .clock_step_ns = 10});
  EXPECT_EQ(env.monotonic_ns(), 110U);
  EXPECT_EQ(env.wall_clock_ns(), 520U);
  env.advance_ns(1000);
  env.set_wall_clock_ns(5);
  EXPECT_EQ(env.wall_clock_ns(), 15U);
  EXPECT_EQ(env.monotonic_ns(), 1140U);
}

TEST(SimEnvTest, random_bytes_follow_from_seed_and_boot) {
  const auto draw = [](SimEnv&& env) {
    std::vector<std::byte> bytes(16);
    EXPECT_TRUE(env.random(bytes));
    return bytes;
  };
  EXPECT_EQ(draw(SimEnv(SimDisk{})), draw(SimEnv(SimDisk{})));
  EXPECT_NE(draw(SimEnv(SimDisk{})), draw(SimEnv(SimDisk{}, {.seed = 2})));
  EXPECT_NE(draw(SimEnv(SimDisk{})), draw(SimEnv(SimDisk{}.crash({}))));
}

TEST(SimEnvTest, process_is_told_apart_from_a_later_one_with_its_number) {
  Sim sim;
  const ProcessIdentity self = sim.env.process();
  EXPECT_EQ(self.id, sim.env.process_id());
  EXPECT_TRUE(sim.env.is_alive(self));
  auto other = sim.env.another_process(self.id);
  const ProcessIdentity later = other->process();
  EXPECT_NE(later, self);
  EXPECT_TRUE(sim.env.is_alive(later));
  other.reset();
  EXPECT_FALSE(sim.env.is_alive(later));
  SimEnv restarted(sim.env.killed_disk());
  EXPECT_FALSE(restarted.is_alive(self));
}

TEST(SimEnvTest, trace_shows_the_last_calls) {
  Sim sim({.trace_calls = 2});
  auto file = sim.open();
  EXPECT_EQ(write_sector(*file, 1, 'b'), 0);
  EXPECT_EQ(error_of(sim.directory->remove("x")), ENOENT);
  EXPECT_EQ(sim.env.trace(),
            "3 write /log/f offset=512 length=512 -> 512\n"
            "4 remove /log/x offset=0 length=0 -> -2\n");
}

}  // namespace
}  // namespace writeahead::testing
