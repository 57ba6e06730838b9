// A copy that a power cut interrupts at any call.
//
// Goal: whatever it leaves opens and holds the records of the source up to some point, and nothing
// else; the source is as good as before; and copying again ends with the same log. Method: each
// kind of log, copied whole and gone on with; each call of the copy in turn, and the disks that a
// power cut there may leave. A log whose frames were made durable one by one has in each the proof
// that the one before is durable: as an opening without the mark of a copy would believe it.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "format/root_slot.h"
#include "support/copied_log.h"
#include "support/counts.h"
#include "support/error_of.h"
#include "support/sanitizers.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/crash_sampler.h"

namespace writeahead::testing {
namespace {

const std::string kSource(kLogPath);
constexpr uint64_t kSeed = 1;

CrashSampler few_states() {
  return CrashSampler({.exhaustive_items = 3,
                       .random_subsets = 4,
                       .single_items = 3,
                       .lost = {LostBytes::old, LostBytes::garbage},
                       .seed = kSeed});
}

Result<CopyReport> copy(SimEnv& env) { return copy_log(kSource, kCopyPath, {.env = &env}); }

/// Whether `part` is what `whole` begins with, but for what a trim may have taken.
bool is_beginning(const std::vector<StoredRecord>& part, const std::vector<StoredRecord>& whole) {
  if (part.empty()) return true;
  const auto begin = std::ranges::find(whole, part.front());
  return std::ranges::equal(
      part, std::ranges::subrange(begin, whole.end()) | std::views::take(part.size()));
}

/// A source, what the copy has of it before, and all records that it ever had there.
struct Course {
  SimDisk disk;
  std::vector<StoredRecord> all;
  std::vector<StoredRecord> left;  // by the source
};

Course course_of(const SimDisk& disk) {
  SimEnv env(disk);
  const auto records = records_at(env, kSource).value();
  return {.disk = disk, .all = records, .left = records};
}

/// Copied half way; then the source grew over some segments, and gave up its first ones.
Course course_to_go_on() {
  SimEnv env(make_reference_log({.segments = 2, .frames_in_last = 3}).disk);
  EXPECT_TRUE(copy(env));
  auto log = Log::open(kSource, reference_options(env)).value();
  std::vector<Lsn> lsns;
  for (uint64_t i = 100; i < 130; ++i) {
    lsns.push_back(log.append(payload_of(i)).value());
    while (log.step_background()) {
    }
  }
  Course course;
  course.all = records_at(env, kSource).value();
  EXPECT_TRUE(log.trim_before(lsns[1]));
  EXPECT_TRUE(log.close());
  course.left = records_at(env, kSource).value();
  EXPECT_LT(course.left.size(), course.all.size());
  course.disk = env.disk().shut_down();
  return course;
}

/// What is wrong with a disk on which a copy was going on.
std::string judge(const SimDisk& disk, const Course& course) {
  {
    SimEnv env(disk);
    const auto source = records_at(env, kSource);
    if (!source || *source != course.left) return "the source is not what it was";
  }
  {
    SimEnv env(disk);
    const auto seen = ReadOnlyLog::open(kCopyPath, {.env = &env});
    if (!seen && seen.error().code() != ErrorCode::not_found) {
      return "it does not open to be read: " + std::string(seen.error().message());
    }
    if (seen) {
      const auto records = records_at(env, kCopyPath);
      if (!records || !is_beginning(*records, course.all)) return "it shows something else";
    }
  }
  {
    SimEnv env(disk);
    auto log = Log::open(kCopyPath, reference_options(env));
    if (!log) return "it does not open: " + std::string(log.error().message());
    if (!log->close()) return "it does not close";
    const auto records = records_at(env, kCopyPath);
    if (!records || !is_beginning(*records, course.all)) return "it has something else";
  }
  SimEnv env(disk);
  const auto report = copy(env);
  if (!report) return "it is not gone on with: " + std::string(report.error().message());
  if (!report->is_complete) return "it is not complete";
  const SimDisk done = env.disk().shut_down();
  if (auto differs = difference(done, kSource, kCopyPath); !differs.empty()) return differs;
  SimEnv next(done);
  if (records_at(next, kCopyPath) != course.left) return "copied again it has something else";
  auto log = Log::open(kCopyPath, reference_options(next));
  if (!log || !log->append("behind") || !log->close()) return "nothing can be appended";
  const auto verified = ReadOnlyLog::verify(kCopyPath, {.env = &next});
  if (!verified || verified->verdict != VerifyReport::Verdict::ok) return "it does not verify";
  return "";
}

uint64_t try_all(const Course& course, const std::string& name) {
  std::unordered_set<uint64_t> seen;
  uint64_t states = 0;
  SimEnv env(course.disk);
  bool has_failed = false;
  env.watch_crashes([&](uint64_t call, const SimDisk& crashed) {
    if (has_failed || call % test::case_step(16) != 0) return;
    few_states().each(crashed, [&](const SimDisk& disk, const CrashPlan& plan) {
      ++states;
      if (!seen.insert(disk.digest()).second) return true;
      const std::string complaint = judge(disk, course);
      EXPECT_EQ(complaint, "") << name << ", call " << call << " " << to_string(plan);
      has_failed = !complaint.empty();
      return !has_failed;
    });
  });
  const auto report = copy(env);
  EXPECT_TRUE(report) << name << ": " << report.error().message();
  EXPECT_GT(states, env.calls() / test::case_step(16));
  return states;
}

TEST(LogCopyCrash, at_any_call_leaves_a_beginning_of_the_source) {
  uint64_t states = 0;
  for (const CopyCase& source : copy_cases()) {
    states += try_all(course_of(source.disk), source.name);
    if (::testing::Test::HasFailure()) return;
  }
  test::print_count(test::part::kCrashes, "copies cut short", states);
}

TEST(LogCopyCrash, at_any_call_of_a_copy_that_goes_on_leaves_a_beginning_of_the_source) {
  const uint64_t states = try_all(course_to_go_on(), "to go on");
  test::print_count(test::part::kCrashes, "copies cut short", states);
}

bool has_both_slots(const SimDisk& disk) {
  const auto root = disk.contents(std::string(kCopyPath) + "/log.root").value();
  const auto is_valid = [&](size_t i) {
    const auto slot = std::span(root).subspan(i * format::kRootSlotBytes, format::kRootSlotBytes);
    return format::decode_root_slot(slot).state == format::HeaderState::valid;
  };
  return is_valid(0) && is_valid(1);
}

/// What a copy left whose root then lost a slot, opened; each call of that is the last one in turn.
void open_with_a_bad_slot(const SimDisk& left, const Course& course, uint64_t slot,
                          uint64_t& states) {
  SimDisk disk = left;
  flip_bit(disk, std::string(kCopyPath) + "/log.root", (slot * format::kRootSlotBytes + 64) * 8);
  SimEnv env(disk);
  bool is_open = false;
  env.watch_crashes([&](uint64_t call, const SimDisk& crashed) {
    // A log that is open writes seals of its own.
    if (is_open || ::testing::Test::HasFailure()) return;
    const SimDisk after = crashed.crash({.kept = {}, .lost = LostBytes::old, .seed = kSeed});
    ++states;
    const std::string complaint = judge(after, course);
    EXPECT_EQ(complaint, "") << "slot " << slot << ", call " << call;
  });
  const auto log = Log::open(kCopyPath, reference_options(env));
  is_open = true;
  EXPECT_TRUE(log) << log.error().message();
}

/// The mark of a copy goes only when what was not committed is gone.
TEST(LogCopyCrash, an_opening_beside_a_bad_slot_of_the_root_is_cut_short_anywhere) {
  uint64_t states = 0;
  const Course course = course_to_go_on();
  SimEnv count(course.disk);
  ASSERT_TRUE(copy(count));
  std::unordered_set<uint64_t> seen;
  for (uint64_t k = 1; k <= count.calls(); k += test::case_step(48)) {
    SimEnv env(course.disk);
    env.crash_at(k);
    [[maybe_unused]] const auto report = copy(env);
    for (const LostBytes lost : {LostBytes::old, LostBytes::garbage}) {
      const SimDisk left = env.crashed_disk().crash({.kept = {}, .lost = lost, .seed = k});
      // One that was just being written may be bad already.
      if (lost == LostBytes::garbage && !has_both_slots(left)) continue;
      if (!seen.insert(left.digest()).second) continue;
      for (const uint64_t slot : {0, 1}) open_with_a_bad_slot(left, course, slot, states);
      if (::testing::Test::HasFailure()) return;
    }
  }
  test::print_count(test::part::kCrashes, "openings behind copies cut short", states);
}

TEST(LogCopyCrash, a_call_that_fails_leaves_what_the_next_copy_goes_on_with) {
  for (const CopyCase& source : copy_cases()) {
    const Course course = course_of(source.disk);
    SimEnv count(course.disk);
    ASSERT_TRUE(copy(count)) << source.name;
    for (uint64_t k = 1; k <= count.calls(); k += 3 * test::case_step(5)) {
      for (const FaultSpan span : {FaultSpan::once, FaultSpan::for_ever}) {
        SimEnv env(course.disk);
        env.fail_call(k, EIO, span);
        const auto report = copy(env);
        env.crash_now();
        const SimDisk crashed = env.crashed_disk();
        for (const LostBytes lost : {LostBytes::old, LostBytes::garbage}) {
          const SimDisk disk = crashed.crash({.kept = {}, .lost = lost, .seed = kSeed});
          const std::string complaint = judge(disk, course);
          ASSERT_EQ(complaint, "") << source.name << ", call " << k;
          if (!report) continue;
          SimEnv next(disk);
          EXPECT_EQ(records_at(next, kCopyPath), course.left) << source.name << ", call " << k;
        }
      }
    }
  }
}

}  // namespace
}  // namespace writeahead::testing
