// Goal: EIO from the k-th barrier ends all acknowledgements, and so does SIGKILL at it; what was
// acknowledged is there afterwards, and nothing that was not submitted. Method: a child with one
// thread does the same things each time, its system calls are traced, and strace makes the k-th
// call of a kind fail, or kills the child as it begins. Then this process opens the log and goes
// on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/append_history.h"
#include "support/counts.h"
#include "support/forked_process.h"
#include "support/lying_env.h"
#include "support/scratch_directory.h"
#include "support/system_calls.h"
#include "support/test_scale.h"
#include "support/test_seed.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

namespace writeahead::test {

namespace {

using testing::Lie;
using testing::make_lying_env;

constexpr size_t kWriter = 0;
constexpr size_t kParent = 4;  // The writer number of this process.
constexpr uint64_t kAppends = 110;
constexpr uint64_t kMostCalls = 100;

enum End : int { done, failed, acknowledged_after, wrong_code };

/// The child: appends, syncs now and then, and does all background work itself.
int run_course(const std::string& path, const Options& options, AppendHistory& history) {
  std::mt19937_64 random(1);  // the same course each time
  auto log = Log::open(path, options);
  if (!log) return failed;
  bool has_failed = false;
  for (uint64_t i = 0; i < kAppends; ++i) {
    // What was written without a barrier goes into the next one.
    const auto level = i % 8 == 3 ? Durability::written : Durability::durable;
    const auto answer = history.append_next(*log, kWriter, random, level);
    if (answer && has_failed) return acknowledged_after;
    has_failed = has_failed || (!answer && answer.error().code() == ErrorCode::failed);
    if (!answer && !has_failed) return wrong_code;
    if (i % 16 == 3 && log->sync() && has_failed) return acknowledged_after;
    while (log->step_background()) {
    }
  }
  const auto closed = log->close();
  if (closed && has_failed) return acknowledged_after;
  return has_failed || !closed ? failed : done;
}

/// Which barrier fails in logs that use which method.
struct Target {
  SyncMethod method;
  std::string call;
  uint64_t most_calls;  // how many there are, roughly
  uint64_t runs;        // of each fault
  friend std::ostream& operator<<(std::ostream& out, const Target& target) {
    return out << to_string(target.method) << " " << target.call;
  }
};

class InjectedFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto refusal = tracing_refusal()) {
      std::cout << "NOT TESTED, for want of tracing: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }

  /// One course with a fault at calls that are said in strace's words. What is wrong, in words.
  std::optional<std::string> run(const Target& target, const std::string& fault,
                                 const std::string& when, Env* env = nullptr) {
    const ScratchDirectory scratch(ScratchDirectory::memory());
    const std::string path = scratch.path("log");
    Options options{.segment_bytes = 8192,
                    .sync_method = target.method,
                    .standby_segments = 1,
                    .env = env,
                    .background = BackgroundWork::stepped};
    SharedMemory<AppendHistory> history;
    const std::string& call = target.call;
    const Trace trace =
        trace_process(scratch.path("list"), [&] { return run_course(path, options, *history); }, {},
                      {"trace=" + call, fmt::format("inject={}:{}:when={}", call, fault, when)});
    is_hit_ = trace.end == -SIGKILL || std::ranges::any_of(trace.calls, [](const auto& line) {
                return line.text.find("INJECTED") != std::string::npos;
              });
    if (trace.end == acknowledged_after) return "acknowledged after a failure";
    if (trace.end == wrong_code) return "a failure with another code";
    options.env = nullptr;
    return check(path, options, *history);
  }

  static std::optional<std::string> check(const std::string& path, const Options& options,
                                          AppendHistory& history) {
    std::mt19937_64 random(2);
    HistoryCheck check(history);
    for (int i = 0; i < 2; ++i) {
      auto log = Log::open(path, options);
      if (!log) return fmt::format("open: {}", log.error().message());
      if (auto wrong = check.read_on(*log)) return wrong;
      const auto done = history.append_next(*log, kParent, random);
      if (!done) return fmt::format("append afterwards: {}", done.error().message());
    }
    return std::nullopt;
  }

  std::mt19937_64 random_{test_seed()};
  bool is_hit_ = false;
};

class BarrierFaultTest : public InjectedFaultTest, public ::testing::WithParamInterface<Target> {};

TEST_P(BarrierFaultTest, ends_acknowledgements_and_loses_none) {
  SCOPED_TRACE(replay_command());
  const Target& target = GetParam();
  uint64_t hits = 0;
  uint64_t violations = 0;
  const uint64_t runs = scaled(target.runs);
  for (const std::string fault : {"error=EIO", "signal=SIGKILL"}) {
    for (uint64_t i = 0; i < runs; ++i) {
      // The first ones make the log, and are of many kinds; of the others any may do.
      const uint64_t first = std::min(runs / 2, target.most_calls);
      const uint64_t k = i < first ? i + 1 : first + 1 + random_() % (target.most_calls - first);
      const auto wrong = run(target, fault, std::to_string(k));
      EXPECT_FALSE(wrong) << fault << " at call " << k << ": " << *wrong;
      violations += wrong ? 1 : 0;
      hits += is_hit_ ? 1 : 0;
    }
  }
  EXPECT_GE(hits, runs) << "faults were not met";
  print_count(part::kKernel, "injected faults", hits);
  print_count(part::kKernel, "violations", violations);
}

/// A sync that is left out does no harm while the system lives; writes that are, do.
TEST_F(InjectedFaultTest, control_that_does_not_hear_of_it_loses_records) {
  const auto liar = make_lying_env(Env::posix(), Lie::failed_write_succeeds);
  for (const SyncMethod method : {SyncMethod::direct_dsync, SyncMethod::dsync}) {
    const Target target{method, "pwritev2", kMostCalls, 1};
    const auto wrong = run(target, "error=EIO", "40+", liar.get());
    print_control(wrong.has_value());
    EXPECT_TRUE(wrong);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BarrierFaultTest,
    ::testing::Values(Target{SyncMethod::direct_dsync, "pwritev2", kMostCalls, 36},
                      Target{SyncMethod::dsync, "pwritev2", kMostCalls, 36},
                      Target{SyncMethod::fdatasync, "fdatasync", kMostCalls, 36},
                      Target{SyncMethod::automatic, "fdatasync", 20, 10},
                      Target{SyncMethod::automatic, "fsync", 12, 10}),
    [](const auto& target) {
      return std::string(to_string(target.param.method)) + "_" + target.param.call;
    });

}  // namespace

}  // namespace writeahead::test
