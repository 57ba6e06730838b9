// Goal: a record costs one write and one barrier, also where a segment ends, and the appending
// thread asks the system for nothing else. Method: strace of a child that marks where each append
// begins and ends; what its background thread does is told apart by the thread.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "support/system_calls.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

constexpr size_t kAppends = 60;
constexpr size_t kWarmUp = 20;
// Three frames a segment.
constexpr uint64_t kSegmentBytes = 8192;
constexpr size_t kPayloadBytes = 1000;

constexpr std::array<std::string_view, 4> kWrites{"pwrite64", "pwritev2", "pwritev", "write"};
constexpr std::array<std::string_view, 4> kBarriers{"fdatasync", "fsync", "sync_file_range",
                                                    "msync"};
// Clocks that the kernel does not answer in the process itself, and the leader's wait for company.
constexpr std::array<std::string_view, 2> kHarmless{"clock_gettime", "sched_yield"};

template <class Names>
size_t count(const std::vector<SystemCall>& calls, const Names& names) {
  return std::ranges::count_if(calls, [&](const SystemCall& call) {
    return std::ranges::find(names, call.name) != std::end(names);
  });
}

std::string text_of(const std::vector<SystemCall>& calls) {
  std::string text;
  for (const SystemCall& call : calls) text += "  " + call.text + "\n";
  return text;
}

/// In one call, or buffered and then by one that syncs it.
enum class Way : uint8_t { durable, buffered_and_synced };

Result<Lsn> append_one(Log& log, const std::string& payload, Way way) {
  if (way == Way::durable) return log.append(payload);
  const auto lsn = log.append(payload, {.durability = Durability::buffered});
  if (auto synced = log.sync(); !synced) return std::unexpected(synced.error());
  return lsn;
}

/// The child: single appends, each into a log whose next segments are ready.
int append_marked(const std::string& path, SyncMethod method, BackgroundWork background, Way way) {
  auto log = Log::open(path, {.segment_bytes = kSegmentBytes,
                              .sync_method = method,
                              .standby_segments = 4,
                              .flush_interval_ms = 1000,  // However long tracing takes.
                              .background = background});
  if (!log) return 2;
  const std::string payload(kPayloadBytes, 'x');
  const bool is_stepped = background == BackgroundWork::stepped;
  for (size_t i = 0; i < kWarmUp + kAppends; ++i) {
    if (i >= kWarmUp) mark_place();
    const auto lsn = append_one(*log, payload, way);
    if (i >= kWarmUp) mark_place();
    if (!lsn) return 3;
    while (is_stepped && log->step_background()) {
    }
    // They are made by twos: with three of them nothing is done beside the next append.
    while (!is_stepped && log->stats().standbys < 3) std::this_thread::yield();
  }
  // Rotations have to be among them, and none that prepared its segment itself.
  return log->stats().segments_opened > kAppends / 4 ? 0 : 4;
}

class SystemCallsTest : public ::testing::TestWithParam<SyncMethod> {
 protected:
  void SetUp() override {
    if (const auto refusal = tracing_refusal()) {
      std::cout << "NOT TESTED, for want of tracing: " << *refusal << std::endl;
      GTEST_SKIP() << *refusal;
    }
  }
  void trace(BackgroundWork background, Way way = Way::durable) {
    const std::string path = scratch_.path(way == Way::durable ? "log" : "synced log");
    const auto trace = trace_process(
        scratch_.path("list"), [&] { return append_marked(path, GetParam(), background, way); });
    ASSERT_EQ(trace.end, 0) << text_of(trace.calls);
    parts_ = trace.marked();
    ASSERT_EQ(parts_.size(), kAppends);
    const size_t barriers = GetParam() == SyncMethod::fdatasync ? 1 : 0;
    for (const auto& calls : parts_) {
      SCOPED_TRACE(text_of(calls));
      EXPECT_EQ(count(calls, kWrites), 1U);
      EXPECT_EQ(count(calls, kBarriers), barriers);
    }
  }

  void expect_few_wakes() const {
    constexpr std::array<std::string_view, 1> kWakes{"futex"};
    size_t with_wake = 0;
    for (const auto& calls : parts_) {
      const size_t wakes = count(calls, kWakes);
      with_wake += wakes != 0 ? 1 : 0;
      const size_t expected = count(calls, kWrites) + count(calls, kBarriers) + wakes;
      EXPECT_EQ(calls.size() - count(calls, kHarmless), expected) << text_of(calls);
    }
    std::cout << with_wake << " of " << kAppends << " appends with a wake" << std::endl;
    // One of three begins a segment, and so makes work. The rest is left for two threads that meet.
    EXPECT_LT(with_wake, kAppends / 2);
  }

  const ScratchDirectory scratch_;
  std::vector<std::vector<SystemCall>> parts_;
};

TEST_P(SystemCallsTest, append_makes_one_write_with_its_barrier_and_no_other_call) {
  ASSERT_NO_FATAL_FAILURE(trace(BackgroundWork::stepped));
  if (kIsSanitized) return;  // The sanitizer makes calls of its own.
  for (const auto& calls : parts_) {
    const size_t expected = count(calls, kWrites) + count(calls, kBarriers);
    EXPECT_EQ(calls.size() - count(calls, kHarmless), expected) << text_of(calls);
  }
}

TEST_P(SystemCallsTest, append_wakes_the_background_thread_only_for_work) {
  for (const Way way : {Way::durable, Way::buffered_and_synced}) {
    SCOPED_TRACE(way == Way::durable ? "durable" : "buffered and synced");
    ASSERT_NO_FATAL_FAILURE(trace(BackgroundWork::thread, way));
    if (!kIsSanitized) expect_few_wakes();
  }
}

INSTANTIATE_TEST_SUITE_P(All, SystemCallsTest,
                         ::testing::Values(SyncMethod::direct_dsync, SyncMethod::dsync,
                                           SyncMethod::fdatasync),
                         [](const auto& method) { return std::string(to_string(method.param)); });

}  // namespace

}  // namespace writeahead::test
