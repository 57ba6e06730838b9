// Log::destroy: what it removes and what it leaves; interrupted at any call, and with failing
// calls.
//
// Goal: whatever is left is the whole log, one that opens without a record, or none, and another
// call finishes it; files of other names stay. Method: a closed, an unclosed and a damaged log,
// each call of their destruction in turn, and the disks that a power cut may leave of it.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "format/segment_name.h"
#include "support/damaged_log.h"
#include "support/sanitizers.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

constexpr const char* kForeign = "/log/notes.txt";

CrashSampler few_states() {
  return CrashSampler({.exhaustive_items = 4,
                       .random_subsets = 8,
                       .single_items = 3,
                       .lost = {LostBytes::old, LostBytes::garbage},
                       .seed = 1});
}

std::string path() { return std::string(kLogPath); }

Result<void> destroy(SimEnv& env) { return Log::destroy(path(), {.env = &env}); }

/// With copies of torn tails, and with files of others.
SimDisk with_more_files(SimDisk disk) {
  const std::vector<std::byte> bytes(100, std::byte{7});
  disk.put("/log/torn/00000000000000000001-4096", bytes);
  disk.put("/log/torn/00000000000000000001-4096.1", bytes);
  disk.put(kForeign, bytes);
  return disk;
}

/// What is wrong with a disk on which a log was being destroyed.
std::string judge(const SimDisk& disk, const ReferenceLog& log, bool was_damaged) {
  if (!disk.contents(kForeign)) return "a file of somebody else is gone";
  SimEnv env(disk);
  Options options = reference_options(env);
  options.create_if_missing = false;
  const bool is_none = !disk.contents(kRootPath);
  {
    auto opened = Log::open(path(), options);
    if (opened) {
      size_t records = 0;
      for (auto& record : opened->reader(opened->first_lsn())) records += record ? 1 : 1000;
      if (is_none) return "it opens without a root";
      if (records != 0 && records != log.records.size()) return "it is neither whole nor empty";
      if (!opened->append("goes on")) return "it does not go on";
    } else if (!was_damaged && (!is_none || opened.error().code() != ErrorCode::not_found)) {
      return "it does not open: " + std::string(opened.error().message());
    }
  }
  SimEnv next(env.disk().shut_down());
  const auto again = destroy(next);
  if (!again && again.error().code() != ErrorCode::not_found) {
    return "it cannot be destroyed: " + std::string(again.error().message());
  }
  next.crash_now();
  const SimDisk left = next.crashed_disk().crash({});
  if (left.files() != std::vector<std::string>{kForeign}) return "files are left";
  return {};
}

struct Case {
  std::string name;
  ReferenceLog log;
  bool is_damaged = false;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  all.push_back({"closed", make_reference_log()});
  all.push_back({"unclosed", make_reference_log({.closes = false})});
  all.push_back({"damaged", make_reference_log(), true});
  flip_bit(all.back().log.disk, all.back().log.segments[1].path, 8 * 50);
  all.push_back({"one slot bad", make_reference_log()});
  flip_bit(all.back().log.disk, kRootPath, 8 * 50);
  all.push_back({"no root", make_reference_log(), true});
  all.back().log.disk.erase(kRootPath);
  for (Case& c : all) c.log.disk = with_more_files(c.log.disk);
  return all;
}

TEST(Destroy, removes_the_logs_own_files_and_no_others) {
  for (const Case& c : cases()) {
    SimEnv env(c.log.disk);
    const auto destroyed = destroy(env);
    ASSERT_TRUE(destroyed) << c.name << destroyed.error().message();
    env.crash_now();
    const SimDisk disk = env.crashed_disk().crash({});
    EXPECT_EQ(disk.files(), std::vector<std::string>{kForeign}) << c.name;
    EXPECT_EQ(disk.names(kLogPath), std::vector<std::string>{"notes.txt"}) << c.name;
  }
}

TEST(Destroy, removes_a_directory_that_is_empty_then) {
  SimEnv env(make_reference_log().disk);
  ASSERT_TRUE(destroy(env));
  EXPECT_FALSE(env.disk().names(kLogPath));
  const auto again = destroy(env);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::not_found);
  auto log = Log::open(path(), reference_options(env));
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_EQ(log->end_lsn(), Lsn(0));
  EXPECT_TRUE(log->append("new"));
}

TEST(Destroy, answers_locked_while_somebody_has_the_log) {
  const ReferenceLog log = make_reference_log();
  SimEnv env(log.disk);
  auto open = Log::open(path(), reference_options(env));
  ASSERT_TRUE(open);
  const auto refused = destroy(env);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::locked);
  EXPECT_EQ(open->read(log.records.front().lsn)->ordinal, 0U);
  ASSERT_TRUE(open->append("goes on"));
  ASSERT_TRUE(open->close());
  EXPECT_TRUE(destroy(env));
}

TEST(Destroy, leaves_a_directory_without_a_log_alone) {
  SimDisk disk;
  disk.put(kForeign, std::vector<std::byte>(3));
  SimEnv env(disk);
  const auto refused = destroy(env);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::not_found);
  EXPECT_TRUE(env.disk().shows_same_as(disk));
}

TEST(Destroy, interrupted_at_any_call_leaves_a_whole_log_an_empty_one_or_none) {
  for (const Case& c : cases()) {
    SimEnv whole(c.log.disk);
    ASSERT_TRUE(destroy(whole));
    for (uint64_t k = 1; k <= whole.calls(); k += test::case_step(3)) {
      SimEnv env(c.log.disk);
      env.crash_at(k);
      EXPECT_FALSE(destroy(env));
      const auto check = [&](const SimDisk& disk, const std::string& plan) {
        const std::string complaint = judge(disk, c.log, c.is_damaged);
        EXPECT_EQ(complaint, "") << c.name << " call " << k << " " << plan << "\n" << env.trace();
        return complaint.empty();
      };
      few_states().each(env.crashed_disk(), [&](const SimDisk& disk, const CrashPlan& plan) {
        return check(disk, to_string(plan));
      });
      check(env.killed_disk(), "killed");
      if (HasFailure()) return;
    }
  }
}

/// In the model a name whose sync failed may come back whoever syncs the directory later; so what
/// is judged is what the running machine shows.
TEST(Destroy, a_call_that_fails_leaves_a_whole_log_an_empty_one_or_none) {
  for (const Case& c : cases()) {
    SimEnv whole(c.log.disk);
    ASSERT_TRUE(destroy(whole));
    for (uint64_t k = 1; k <= whole.calls(); k += test::case_step(3)) {
      for (const int error : {EIO, EACCES, ENOSPC}) {
        for (const FaultSpan span : {FaultSpan::once, FaultSpan::for_ever}) {
          SimEnv env(c.log.disk);
          env.fail_call(k, error, span);
          const auto destroyed = destroy(env);
          const SimDisk disk = env.disk().shut_down();
          EXPECT_FALSE(destroyed && disk.contents(kRootPath)) << c.name << k;
          EXPECT_EQ(judge(disk, c.log, c.is_damaged), "")
              << c.name << " call " << k << " fails with " << error << "\n"
              << env.trace();
          if (HasFailure()) return;
        }
      }
    }
  }
}

}  // namespace
}  // namespace writeahead::testing
