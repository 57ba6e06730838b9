// Each call of each workload fails, once and for ever, with each error that could be treated
// differently.
//
// Goal: after a failed write or sync nothing is acknowledged any more, a shortage alone stops
// nothing, and what was acknowledged is there afterwards: at a reopening on the running machine,
// whose cache and device disagree then, and after a power cut. Method: Script demands the first
// while it runs, the Oracle the rest of the disks that it leaves.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "support/crash_run.h"

namespace writeahead::testing {
namespace {

class FailingCall : public ::testing::TestWithParam<Workload> {};

constexpr std::array kErrors = {EIO, ENOSPC, EDQUOT, EFBIG, EROFS, EINTR, EAGAIN, ENOMEM, EMFILE};

/// Of the directory and of its parent.
constexpr uint64_t kCreationSyncs = 2;
constexpr std::string_view kLeftOut = "calls left out";

CrashSampler few_states() {
  return CrashSampler({.exhaustive_items = 2,
                       .random_subsets = 2,
                       .single_items = 1,
                       .lost = {LostBytes::old, LostBytes::garbage},
                       .seed = sampling_seed()});
}

/// Whether a call syncs a name before the log was ever open, by the line of a trace. In the model a
/// name whose sync failed stays undecided whoever syncs its directory later, so a root that such a
/// creation leaves behind may vanish with the log in it. Nothing but another name could help.
/// File systems with metadata logging stop at such an error instead; see the limits of durability.
bool syncs_name_of_creation(const std::string& trace, uint64_t k) {
  const size_t root_written = std::min(trace.find("write /log/log.root"), trace.size());
  const size_t line = ("\n" + trace).find(fmt::format("\n{} directory_sync ", k));
  return line < root_written;
}

/// Runs the workload with the fault and judges what it leaves: on the running machine, and after a
/// power cut.
void run_with(const Workload& workload, const Fault& fault, CrashTally& tally) {
  const std::string what =
      fmt::format("{}: call {}{} fails with {} {}", workload.name,
                  fault.kind ? std::string(to_string(*fault.kind)) + " " : std::string(), fault.k,
                  fault.error, fault.span == FaultSpan::once ? "once" : "for ever");
  const auto trace = [&] {
    return Script(workload, {.fault = fault, .trace_calls = 1000}).machine().trace();
  };
  Script script(workload, {.fault = fault});
  ASSERT_EQ(script.complaint(), "") << what << "\n" << trace();
  script.stop();
  const SimDisk disk = script.machine().crashed_disk();
  ASSERT_EQ(tally.judge(disk, script.model()), "") << what << ", reopened\n" << trace();
  few_states().each(disk, [&](const SimDisk& left, const CrashPlan& plan) {
    const Complaint complaint = tally.judge(left, script.model());
    EXPECT_EQ(complaint, "") << what << ", power cut " << to_string(plan) << "\n" << trace();
    return complaint.empty();
  });
}

TEST_P(FailingCall, never_leads_to_a_lost_record_or_a_false_acknowledgement) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  const std::string creation =
      Script(workload, {.crash_at = 25, .trace_calls = 1000}).machine().trace();
  CrashTally tally(workload, "failing calls", Oracle::Names::may_return, test::part::kFailures);
  uint64_t runs = 0;
  uint64_t left_out = 0;
  for (uint64_t k = 1; k <= calls; k += kEveryNth) {
    if (syncs_name_of_creation(creation, k)) {
      ++left_out;
      continue;
    }
    for (const int error : kErrors) {
      for (const FaultSpan span : {FaultSpan::once, FaultSpan::for_ever}) {
        run_with(workload, {.k = k, .error = error, .span = span}, tally);
        ++runs;
      }
    }
    if (HasFailure()) return;
  }
  test::print_count(test::part::kFailures, "runs with a failing call", runs);
  test::print_count(test::part::kFailures, kLeftOut, left_out);
  EXPECT_LE(left_out, kCreationSyncs) << "what is left out is more than was meant";
}

TEST_P(FailingCall, of_one_kind_for_ever_loses_nothing) {
  const Workload& workload = GetParam();
  CrashTally tally(workload, "one kind of call fails for ever", Oracle::Names::may_return,
                   test::part::kFailures);
  for (size_t i = 0; i < kCallKinds; ++i) {
    const auto kind = static_cast<CallKind>(i);
    // The first syncs of a directory belong to the creation.
    const uint64_t first = kind == CallKind::directory_sync ? 1 + kCreationSyncs : 1;
    test::print_count(test::part::kFailures, kLeftOut, first - 1);
    for (uint64_t k = first; k <= 12; k += 1 + (kEveryNth > 1 ? 3 : 0)) {
      const int error = kErrors[(k + i) % kErrors.size()];
      run_with(workload, {.k = k, .error = error, .span = FaultSpan::for_ever, .kind = kind},
               tally);
      if (HasFailure()) return;
    }
  }
}

TEST_P(FailingCall, in_a_recovery_leaves_the_log_as_it_was) {
  const Workload& workload = GetParam();
  const uint64_t calls = Script(workload, {}).calls();
  CrashTally tally(workload, "failing calls in recovery", Oracle::Names::may_return,
                   test::part::kFailures);
  uint64_t turn = sampling_seed();
  uint64_t left_out = 0;
  for (uint64_t k = 1; k <= calls + 1; k += 2 * kEveryNth) {
    Script script(workload, {.crash_at = k});
    script.stop();
    const SimDisk crashed = script.machine().crashed_disk();
    const std::vector<CrashPlan> plans = few_states().plans(crashed);
    const CrashPlan plan = plans[turn++ % plans.size()];
    const SimDisk disk = turn % 3 == 0 ? script.machine().killed_disk() : crashed.crash(plan);
    std::string whole;
    static_cast<void>(crash_in_recovery(workload, disk, UINT64_MAX, &whole));
    const uint64_t recovery_calls = crashes_in_recovery(workload, disk).size();
    for (uint64_t j = 1; j <= recovery_calls; ++j) {
      const int error = kErrors[turn++ % kErrors.size()];
      if (script.model().epoch() == 0 && syncs_name_of_creation(whole, j)) {
        ++left_out;
        continue;
      }
      SimEnv env(disk, workload.machine(100));
      env.fail_call(j, error, j % 2 == 0 ? FaultSpan::once : FaultSpan::for_ever);
      auto log = Log::open(kLogPath, {.segment_bytes = workload.segment_bytes,
                                      .sync_method = workload.sync_method,
                                      .frame_alignment = workload.frame_alignment,
                                      .env = &env,
                                      .background = BackgroundWork::stepped});
      const auto what = [&] {
        return fmt::format("{} to call {} with {}, recovery call {} fails with {}\n{}",
                           workload.name, k, to_string(plan), j, error, env.trace());
      };
      LogModel model = script.model();
      if (log) {
        // Cleaning up may fail and be done later, the decision may not.
        ASSERT_EQ(model.settle(log->recovery_report().records), "") << what();
        ASSERT_EQ(model.take_epoch(log->epoch()), "") << what();
      } else {
        const ErrorCode code = log.error().code();
        // A lock that is refused with EAGAIN is somebody else's.
        ASSERT_TRUE(code == ErrorCode::io || code == ErrorCode::no_space ||
                    (code == ErrorCode::locked && error == EAGAIN))
            << describe("open", log.error()) << "\n"
            << what();
      }
      env.crash_now();
      ASSERT_EQ(tally.judge(env.crashed_disk(), model), "") << "reopened: " << what();
      few_states().each(env.crashed_disk(), [&](const SimDisk& left, const CrashPlan& cut) {
        const Complaint complaint = tally.judge(left, model);
        EXPECT_EQ(complaint, "") << "power cut " << to_string(cut) << ": " << what();
        return complaint.empty();
      });
      if (HasFailure()) return;
    }
  }
  test::print_count(test::part::kFailures, kLeftOut, left_out);
}

TEST(FailingCalls, a_segment_that_was_removed_holds_nothing_when_its_name_comes_back) {
  SimEnv env{SimDisk{}};
  Options options{.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
  LogModel model;
  const auto append = [&](Log& log, char fill, size_t size) {
    const Bytes payload(size, static_cast<std::byte>(fill));
    model.submit({payload}, 0);
    auto lsn = log.append(payload);
    return lsn && model.acknowledge({{*lsn}}, model.records().size() - 1).empty();
  };
  {
    auto log = Log::open(kLogPath, options);
    ASSERT_TRUE(log && append(*log, 'a', 3000));
    // The first write of the second segment fails: any part of it may come to light later.
    env.fail_call(env.calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                  CallKind::dsync_write);
    ASSERT_FALSE(append(*log, 'b', 3000));
  }
  // Recovery removes that segment, and the sync of its name fails.
  env.fail_call(env.calls(CallKind::directory_sync) + 1, EIO, FaultSpan::once,
                CallKind::directory_sync);
  ASSERT_FALSE(Log::open(kLogPath, options));
  auto log = Log::open(kLogPath, options);
  ASSERT_TRUE(log);
  ASSERT_EQ(model.settle(log->recovery_report().records), "");
  ASSERT_TRUE(append(*log, 'c', 100));
  env.crash_now();
  const Workload workload{.name = "removed_segment", .steps = nullptr};
  const SimDisk disk = env.crashed_disk();
  for (const CrashPlan& plan : CrashSampler({.exhaustive_items = 4}).plans(disk)) {
    ASSERT_EQ(Oracle(workload, Oracle::Names::may_return).judge(disk.crash(plan), model), "")
        << to_string(plan);
  }
  CrashPlan name_alone{.kept = {}, .lost = LostBytes::old};
  for (const Undecided& item : disk.undecided()) {
    name_alone.kept.push_back(item.kind == Undecided::Kind::name ? 0 : 1);
  }
  EXPECT_EQ(Oracle(workload, Oracle::Names::may_return).judge(disk.crash(name_alone), model), "");
}

TEST(FailingCalls, a_root_slot_that_only_the_cache_may_hold_is_not_relied_on) {
  // Without direct access an opening cannot tell it from one that is durable.
  SimEnv env(SimDisk{}, {.refuses_direct = true});
  Options options{.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
  {
    auto log = Log::open(kLogPath, options);
    ASSERT_TRUE(log && log->append(std::string(100, 'a')));
    env.fail_call(env.calls(CallKind::dsync_write) + 1, EIO, FaultSpan::once,
                  CallKind::dsync_write);
    ASSERT_EQ(log->close().error().code(), ErrorCode::io);
  }
  std::vector<SimDisk> crashes;
  env.watch_crashes([&](uint64_t, SimDisk disk) { crashes.push_back(std::move(disk)); });
  ASSERT_TRUE(Log::open(kLogPath, options));
  for (const SimDisk& crashed : crashes) {
    CrashSampler({.exhaustive_items = 4, .seed = sampling_seed()})
        .each(crashed, [&](const SimDisk& left, const CrashPlan& plan) {
          SimEnv next(left, {.refuses_direct = true});
          options.env = &next;
          const auto log = Log::open(kLogPath, options);
          EXPECT_TRUE(log) << to_string(plan) << ": " << log.error().message();
          return log && log->recovery_report().records == 1;
        });
  }
}

INSTANTIATE_TEST_SUITE_P(Workloads, FailingCall, ::testing::ValuesIn(workloads()), workload_name);

}  // namespace
}  // namespace writeahead::testing
