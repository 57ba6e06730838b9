// The crash tests find what they are there for: on a system that breaks its promises they fail.
//
// Method: the same sweep as of the other tests, with an Env in between that tells one lie; it has
// to end in a complaint.
#include <gtest/gtest.h>

#include <cerrno>

#include "support/crash_run.h"
#include "support/lying_env.h"

namespace writeahead::testing {
namespace {

/// The first complaint about a workload on a system that lies, over all calls at which it may stop.
Complaint sweep(const char* workload_name, Lie lie, const Interference& base = {}) {
  const Workload& workload = *find_workload(workload_name);
  Interference interference = base;
  interference.wrap = [lie](Env& env) { return make_lying_env(env, lie); };
  const uint64_t calls = Script(workload, interference).calls();
  CrashTally tally(workload, "negative control", Oracle::Names::are_certain, {});
  const CrashSampler sampler({.exhaustive_items = 3, .random_subsets = 4, .single_items = 4});
  Complaint found;
  for (uint64_t k = 1; found.empty() && k <= calls + 1; ++k) {
    interference.crash_at = k;
    Script script(workload, interference);
    script.stop();
    found = script.complaint();
    if (!found.empty()) break;
    sampler.each(script.machine().crashed_disk(), [&](const SimDisk& disk, const CrashPlan&) {
      found = tally.judge(disk, script.model());
      return found.empty();
    });
  }
  return found;
}

Complaint sweep_faults(const char* workload_name, Lie lie, CallKind kind) {
  Complaint found;
  for (uint64_t k = 1; found.empty() && k <= 12; ++k) {
    found = sweep(workload_name, lie, {.fault = Fault{.k = k, .error = EIO, .kind = kind}});
  }
  return found;
}

void expect_complaint(const Complaint& found) {
  test::print_control(!found.empty());
  EXPECT_NE(found, "");
}

TEST(NegativeControl, a_barrier_that_is_none_is_found) {
  expect_complaint(sweep("small_records", Lie::dsync_is_a_plain_write));
  expect_complaint(sweep("rotation_with_seals", Lie::dsync_is_a_plain_write));
}

TEST(NegativeControl, a_sync_that_does_nothing_is_found) {
  expect_complaint(sweep("synced_by_fdatasync", Lie::file_sync_does_nothing));
  expect_complaint(sweep("rotation_at_every_record", Lie::file_sync_does_nothing));
}

TEST(NegativeControl, names_that_are_not_synced_are_found) {
  expect_complaint(sweep("small_records", Lie::names_sync_does_nothing));
  expect_complaint(sweep("rotation_at_every_record", Lie::names_sync_does_nothing));
}

TEST(NegativeControl, a_write_error_that_is_ignored_is_found) {
  expect_complaint(
      sweep_faults("small_records", Lie::failed_write_succeeds, CallKind::dsync_write));
}

TEST(NegativeControl, a_sync_error_that_is_ignored_is_found) {
  expect_complaint(sweep_faults("synced_by_fdatasync", Lie::failed_sync_succeeds, CallKind::sync));
}

TEST(NegativeControl, a_read_error_taken_for_the_end_is_found) {
  expect_complaint(
      sweep_faults("closed_and_opened_again", Lie::read_error_is_the_end, CallKind::read));
}

TEST(NegativeControl, a_short_write_taken_for_a_whole_one_is_found) {
  Complaint found;
  for (uint64_t k = 1; found.empty() && k <= 30; ++k) {
    found = sweep("large_records", Lie::short_write_was_complete, {.short_transfer = {{k, 4096}}});
  }
  expect_complaint(found);
}

TEST(NegativeControl, a_file_that_goes_before_both_slots_agree_is_found) {
  expect_complaint(sweep("trimmed_while_it_grows", Lie::second_slot_is_lost));
}

}  // namespace
}  // namespace writeahead::testing
