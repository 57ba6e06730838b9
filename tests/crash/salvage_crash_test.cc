// A salvage that is interrupted at any call, or of which any call fails.
//
// Goal: the damaged log is as it was; the new directory does not open, or is complete; and it never
// opens as a log without records, as if there had been nothing to save. Method: one damaged log,
// each call of its salvage in turn, and the disks that a power cut may leave of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "support/sanitizers.h"
#include "writeahead/salvage.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

/// Everything here is the same in each run.
constexpr uint64_t kSeed = 1;
constexpr const char* kNewPath = "/new";

CrashSampler few_states() {
  return CrashSampler({.exhaustive_items = 3,
                       .random_subsets = 6,
                       .single_items = 2,
                       .lost = {LostBytes::old, LostBytes::zero, LostBytes::garbage},
                       .seed = kSeed});
}

/// A log in the middle of which a frame is damaged, and whose last one is, too.
SimDisk damaged_disk() {
  const ReferenceLog log = make_reference_log();
  SimDisk disk = log.disk;
  flip_bit(disk, log.segments[1].path, (log.segments[1].frames[2] + 100) * 8);
  flip_bit(disk, log.last().path, (log.last().frames.back() + 100) * 8);
  return disk;
}

std::vector<uint64_t> ordinals_of(const Log& log) {
  std::vector<uint64_t> ordinals;
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) return {};
    ordinals.push_back(record->ordinal);
  }
  return ordinals;
}

std::vector<std::string> new_files(const SimDisk& disk) {
  auto files = disk.files();
  std::erase_if(files, [](const std::string& path) { return !path.starts_with(kNewPath); });
  return files;
}

bool has_same_log(const SimDisk& a, const SimDisk& b) {
  for (const std::string& path : b.files()) {
    if (path.starts_with("/log/") && a.contents(path) != b.contents(path)) return false;
  }
  return a.names(kLogPath) == b.names(kLogPath);
}

/// What is wrong with a disk on which a salvage was going on; `is_done`: it had reported success.
std::string judge(const SimDisk& disk, const SimDisk& damaged,
                  const std::vector<uint64_t>& expected, bool is_done) {
  if (!has_same_log(disk, damaged)) return "the damaged log was changed";
  // Whatever opens a log by default would make one here.
  const bool is_empty = new_files(disk).empty();
  SimEnv env(disk);
  auto log = Log::open(kNewPath, reference_options(env));
  if (log) {
    if (is_empty && !is_done) return {};
    if (ordinals_of(*log) != expected) return "it opens, and is not complete";
    return log->close() ? "" : "it does not close";
  }
  if (is_done) return "it does not open: " + std::string(log.error().message());
  if (log.error().code() != ErrorCode::corruption) return std::string(log.error().message());
  if (log.error().message().find("salvage") == std::string_view::npos) {
    return "it does not say why it does not open: " + std::string(log.error().message());
  }
  if (!Log::destroy(kNewPath, {.env = &env})) return "it cannot be destroyed";
  return {};
}

bool tells_of_unreadable(const SalvageReport& report) {
  return !report.findings.empty() || std::ranges::any_of(report.lost, [](const auto& loss) {
    return loss.reason.find("cannot be ") != std::string::npos;
  });
}

struct Course {
  SimDisk damaged = damaged_disk();
  std::vector<uint64_t> expected;
  uint64_t calls = 0;

  Course() {
    SimEnv env(damaged);
    const auto report = salvage(std::string(kLogPath), kNewPath, {.env = &env});
    EXPECT_TRUE(report && report->lost.size() == 2);
    calls = env.calls();
    auto log = Log::open(kNewPath, reference_options(env));
    if (log) expected = ordinals_of(*log);
    EXPECT_FALSE(expected.empty());
  }
};

TEST(SalvageCrash, at_any_call_leaves_a_whole_log_or_one_that_does_not_open) {
  const Course course;
  uint64_t states = 0;
  for (uint64_t k = 1; k <= course.calls + 1; k += test::case_step(5)) {
    SimEnv env(course.damaged);
    env.crash_at(k);
    const auto report = salvage(std::string(kLogPath), kNewPath, {.env = &env});
    env.crash_now();
    const auto check = [&](const SimDisk& disk, const std::string& plan) {
      ++states;
      const std::string complaint =
          judge(disk, course.damaged, course.expected, report.has_value());
      EXPECT_EQ(complaint, "") << "call " << k << " " << plan << "\n" << env.trace();
      return complaint.empty();
    };
    few_states().each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
      return check(disk, to_string(plan));
    });
    check(env.killed_disk(), "killed");
    if (HasFailure()) return;
  }
  EXPECT_GT(states, course.calls);
}

TEST(SalvageCrash, a_call_that_fails_ends_it_or_shows_in_the_report) {
  const Course course;
  for (uint64_t k = 1; k <= course.calls; k += test::case_step(5)) {
    for (const int error : {EIO, ENOSPC, EMFILE}) {
      for (const FaultSpan span : {FaultSpan::once, FaultSpan::for_ever}) {
        SimEnv env(course.damaged);
        env.fail_call(k, error, span);
        const auto report = salvage(std::string(kLogPath), kNewPath, {.env = &env});
        env.crash_now();
        few_states().each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
          // Of blocks that could not be read, less than all may be there.
          std::vector<uint64_t> expected = course.expected;
          if (report && report->records != expected.size()) {
            SimEnv look(disk);
            auto log = Log::open(kNewPath, reference_options(look));
            if (log) expected = ordinals_of(*log);
            EXPECT_EQ(expected.size(), report->records);
            EXPECT_TRUE(tells_of_unreadable(*report));
          }
          const std::string complaint = judge(disk, course.damaged, expected, report.has_value());
          EXPECT_EQ(complaint, "")
              << "call " << k << " fails with " << error << " " << to_string(plan) << "\n"
              << env.trace();
          return complaint.empty();
        });
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace writeahead::testing
