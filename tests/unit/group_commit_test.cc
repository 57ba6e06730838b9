// Goal: appends of many threads share frames, each is answered once and in order, and every failure
// reaches all whom it concerns.
// Method: a simulated machine holds the leader's write in flight while others queue up behind it,
// so that who shares a frame with whom is no matter of luck.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "commit/pending_append.h"
#include "log_state.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::internal {

namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using writeahead::testing::CallKind;
using writeahead::testing::FaultSpan;
using writeahead::testing::SimDisk;
using writeahead::testing::SimEnv;

using Answer = Result<Appended>;

/// A log with its insides, whose first record is there; and threads that append to it.
class GroupCommitTest : public ::testing::Test {
 protected:
  explicit GroupCommitTest(uint64_t segment_bytes = 1 << 20)
      : state_(LogState::open("/log", {.segment_bytes = segment_bytes,
                                       .env = &env_,
                                       .background = BackgroundWork::stepped})
                   .value()) {
    EXPECT_TRUE(append("the first"));
  }
  ~GroupCommitTest() override { join(); }

  Answer append(std::string_view payload) {
    if (auto admitted = state_->admit(payload.size()); !admitted) {
      return std::unexpected(admitted.error());
    }
    PendingAppend one(std::as_bytes(std::span(payload)), {});
    return state_->append(one);
  }
  Answer append(const Batch& batch) {
    if (auto admitted = state_->admit(BatchAccess::longest(batch)); !admitted) {
      return std::unexpected(admitted.error());
    }
    PendingAppend all(batch, BatchOptions{});
    return state_->append(all);
  }

  /// Starts an append whose write is held in flight.
  void start_leader(std::string payload = "the leader's") {
    env_.hold_writes(true);
    start(std::move(payload));
    ASSERT_TRUE(env_.wait_for_held_writes(1));
  }
  /// Starts an append and waits until it is in the queue behind the leader.
  void start_waiter(std::string payload) {
    const uint64_t queued = state_->committer().queued();
    start(std::move(payload));
    while (state_->committer().queued() <= queued) std::this_thread::sleep_for(50us);
  }
  void start_waiters(int count) {
    for (int i = 0; i < count; ++i) start_waiter(fmt::format("waiter {}", i));
  }
  void release_one() { env_.release_write(0); }
  void release_all() {
    env_.hold_writes(false);
    env_.release_write(0);
  }
  /// Waits for all appends that were started.
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] const Answer& answer(size_t index) const { return **answers_[index]; }
  [[nodiscard]] Stats stats() const { return state_->stats(); }
  void fail_next_write(int error, FaultSpan span = FaultSpan::once) {
    env_.fail_call(env_.calls(CallKind::dsync_write) + 1, error, span, CallKind::dsync_write);
  }
  [[nodiscard]] std::string payload_at(Lsn lsn) const {
    const auto record = state_->view().read(lsn);
    if (!record) return std::string(record.error().message());
    return {reinterpret_cast<const char*>(record->payload.data()), record->payload.size()};
  }

  SimEnv env_{SimDisk()};
  const std::shared_ptr<LogState> state_;

 private:
  void start(std::string payload) {
    auto& slot = *answers_.emplace_back(std::make_unique<std::optional<Answer>>());
    threads_.emplace_back([this, &slot, text = std::move(payload)] { slot = append(text); });
  }

  std::vector<std::unique_ptr<std::optional<Answer>>> answers_;
  std::vector<std::thread> threads_;
};

/// Segments of 8 KiB, and the next one is not ready.
class UnpreparedGroupTest : public GroupCommitTest {
 protected:
  UnpreparedGroupTest() : GroupCommitTest(8192) {}
};

/// With room for two records of 1,500 bytes behind the first one, and for no third; the next
/// segments are ready.
class SmallSegmentGroupTest : public GroupCommitTest {
 protected:
  SmallSegmentGroupTest() : GroupCommitTest(8192) {
    while (state_->step()) {
    }
  }
};

TEST_F(GroupCommitTest, appends_that_come_during_a_write_share_the_next_frame) {
  const Stats before = stats();
  start_leader();
  start_waiters(7);
  EXPECT_EQ(stats().frames, before.frames);
  release_one();
  ASSERT_TRUE(env_.wait_for_held_writes(1));
  EXPECT_EQ(stats().frames, before.frames + 1);
  EXPECT_EQ(stats().records, before.records + 1);
  EXPECT_EQ(state_->committer().queued(), 0U);
  release_all();
  join();
  EXPECT_EQ(stats().frames, before.frames + 2);
  EXPECT_EQ(stats().records, before.records + 8);
  EXPECT_EQ(stats().largest_group, 7U);
  Lsn last;
  for (size_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(answer(i)) << answer(i).error().message();
    // In the order of the queue.
    EXPECT_EQ(answer(i)->first_ordinal, 1 + i);
    EXPECT_GT(answer(i)->first_lsn, last);
    last = answer(i)->first_lsn;
    EXPECT_EQ(payload_at(last), i == 0 ? "the leader's" : fmt::format("waiter {}", i - 1));
  }
}

TEST_F(GroupCommitTest, nothing_is_answered_or_readable_before_its_write_is_durable) {
  const Lsn end = state_->committer().durable_lsn();
  start_leader();
  EXPECT_GT(state_->committer().end_lsn(), end);
  EXPECT_EQ(state_->committer().durable_lsn(), end);
  EXPECT_EQ(state_->view().durable_lsn(), end);
  EXPECT_EQ(state_->view().records(), 1U);
  EXPECT_EQ(state_->view().last()->ordinal, 0U);
  release_all();
  join();
  EXPECT_EQ(state_->view().records(), 2U);
  EXPECT_EQ(payload_at(answer(0)->first_lsn), "the leader's");
}

TEST_F(GroupCommitTest, failed_write_answers_the_whole_group_and_all_later_appends) {
  start_leader();
  start_waiters(4);
  const Stats before = stats();
  fail_next_write(EIO);
  release_all();
  join();
  EXPECT_TRUE(answer(0));
  for (size_t i = 1; i <= 4; ++i) {
    ASSERT_FALSE(answer(i));
    EXPECT_EQ(answer(i).error().code(), ErrorCode::failed);
    EXPECT_EQ(answer(i).error().system_error(), EIO);
    EXPECT_EQ(answer(i).error().message(), answer(1).error().message());
  }
  EXPECT_THAT(std::string(answer(1).error().message()), HasSubstr("write segment"));
  EXPECT_EQ(stats().records, before.records + 1);
  // The storage is well again: the log stays failed, writes nothing, and is read on.
  env_.clear_faults();
  const uint64_t writes = env_.calls(CallKind::dsync_write) + env_.calls(CallKind::write);
  const auto later = append("later");
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().message(), answer(1).error().message());
  EXPECT_EQ(payload_at(answer(0)->first_lsn), "the leader's");
  EXPECT_EQ(state_->view().records(), 2U);
  EXPECT_FALSE(state_->step());
  const auto closed = state_->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(), answer(1).error().message());
  EXPECT_EQ(env_.calls(CallKind::dsync_write) + env_.calls(CallKind::write), writes);
}

TEST_F(SmallSegmentGroupTest, failed_write_answers_those_who_did_not_fit_into_its_frame) {
  start_leader();
  for (int i = 0; i < 6; ++i) start_waiter(std::string(1500, 'x'));
  fail_next_write(EIO);
  release_all();
  join();
  EXPECT_TRUE(answer(0));
  for (size_t i = 1; i <= 6; ++i) {
    ASSERT_FALSE(answer(i));
    EXPECT_EQ(answer(i).error().code(), ErrorCode::failed);
    EXPECT_EQ(answer(i).error().message(), answer(1).error().message());
  }
  EXPECT_EQ(stats().frames, 2U);
  EXPECT_EQ(stats().segments_opened, 1U);
}

TEST_F(GroupCommitTest, machine_that_stops_during_a_write_answers_leader_and_waiters) {
  start_leader();
  start_waiters(3);
  env_.crash_now();
  join();
  for (size_t i = 0; i <= 3; ++i) {
    ASSERT_FALSE(answer(i));
    EXPECT_EQ(answer(i).error().code(), ErrorCode::failed);
  }
}

TEST_F(SmallSegmentGroupTest, group_that_does_not_fit_goes_on_in_the_next_segment) {
  start_leader();
  for (int i = 0; i < 6; ++i) start_waiter(std::string(1500, static_cast<char>('a' + i)));
  release_all();
  join();
  for (size_t i = 0; i <= 6; ++i) {
    ASSERT_TRUE(answer(i)) << answer(i).error().message();
    EXPECT_EQ(answer(i)->first_ordinal, 1 + i);
  }
  for (size_t i = 1; i <= 6; ++i) {
    EXPECT_EQ(payload_at(answer(i)->first_lsn), std::string(1500, static_cast<char>('a' + i - 1)));
  }
  // Two, two and two of them.
  EXPECT_EQ(stats().frames, 5U);
  EXPECT_EQ(stats().segments_opened, 3U);
  EXPECT_EQ(stats().largest_group, 2U);
}

TEST_F(UnpreparedGroupTest, no_space_is_answered_at_admission_and_ends_when_space_is_back) {
  ASSERT_TRUE(append(std::string(3000, 'x')));
  env_.set_free_bytes(0);
  const auto refused = append(std::string(1500, 'y'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::no_space);
  EXPECT_EQ(refused.error().system_error(), ENOSPC);
  EXPECT_EQ(stats().no_space, 1U);
  EXPECT_EQ(stats().records, 2U);
  // What needs no new segment is appended even now.
  const auto small = append("small");
  ASSERT_TRUE(small) << small.error().message();
  EXPECT_EQ(append(std::string(1500, 'y')).error().code(), ErrorCode::no_space);
  EXPECT_EQ(stats().no_space, 2U);
  env_.set_free_bytes(UINT64_MAX);
  const auto large = append(std::string(1500, 'y'));
  ASSERT_TRUE(large) << large.error().message();
  EXPECT_EQ(large->first_ordinal, 3U);
  EXPECT_EQ(payload_at(large->first_lsn), std::string(1500, 'y'));
  EXPECT_TRUE(state_->close());
}

TEST_F(SmallSegmentGroupTest, appends_use_up_the_ready_segments_of_a_full_disk) {
  const uint64_t ready = stats().standbys;
  ASSERT_GT(ready, 2U);
  env_.set_free_bytes(0);
  uint64_t appended = 0;
  while (append(std::string(3500, 'x'))) ++appended;
  // One record a segment, the active one too, and no segment is left over.
  EXPECT_EQ(appended, ready + 1);
  EXPECT_EQ(stats().standbys, 0U);
  EXPECT_EQ(append(std::string(3500, 'x')).error().code(), ErrorCode::no_space);
  EXPECT_TRUE(append("small"));
  env_.set_free_bytes(UINT64_MAX);
  EXPECT_TRUE(append(std::string(3500, 'x')));
}

TEST_F(UnpreparedGroupTest, standby_of_a_refused_append_serves_or_is_made_longer) {
  env_.fail_call(env_.calls(CallKind::create) + 1, ENOSPC, FaultSpan::once, CallKind::create);
  EXPECT_EQ(append(std::string(6000, 'x')).error().code(), ErrorCode::no_space);
  const auto larger = append(std::string(20000, 'y'));
  ASSERT_TRUE(larger) << larger.error().message();
  EXPECT_EQ(payload_at(larger->first_lsn), std::string(20000, 'y'));
  EXPECT_TRUE(append("behind"));
  EXPECT_TRUE(state_->close());
}

TEST_F(GroupCommitTest, close_waits_for_appends_that_came_before) {
  start_leader();
  start_waiters(3);
  std::atomic<bool> is_closed = false;
  Result<void> closed;
  std::thread closer([&] {
    closed = state_->close();
    is_closed = true;
  });
  release_one();
  ASSERT_TRUE(env_.wait_for_held_writes(1));
  // The second frame is in flight: close cannot have ended.
  EXPECT_FALSE(is_closed);
  release_all();
  join();
  closer.join();
  EXPECT_TRUE(closed);
  for (size_t i = 0; i <= 3; ++i) EXPECT_TRUE(answer(i));
  EXPECT_EQ(append("late").error().code(), ErrorCode::closed);
  const auto again = LogState::open("/log", {.env = &env_, .background = BackgroundWork::stepped});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ((*again)->report().records, 5U);
  EXPECT_EQ((*again)->report().outcome, RecoveryReport::Outcome::clean);
}

TEST_F(GroupCommitTest, batches_and_single_records_share_a_frame_in_order) {
  Batch batch;
  batch.add("b0");
  batch.add("");
  batch.add(std::string(5000, 'b'));
  start_leader();
  start_waiter("before");
  Answer of_batch = std::unexpected(Error(ErrorCode::io));
  std::thread thread([&] { of_batch = append(batch); });
  while (state_->committer().queued() < 2) std::this_thread::yield();
  start_waiter("behind");
  release_all();
  join();
  thread.join();
  ASSERT_TRUE(of_batch);
  EXPECT_EQ(of_batch->first_ordinal, 3U);
  EXPECT_EQ(answer(1)->end_lsn, of_batch->first_lsn);
  EXPECT_EQ(answer(2)->first_lsn, of_batch->end_lsn);
  EXPECT_EQ(payload_at(batch.lsn(0, *of_batch)), "b0");
  EXPECT_EQ(payload_at(batch.lsn(1, *of_batch)), "");
  EXPECT_EQ(payload_at(batch.lsn(2, *of_batch)), std::string(5000, 'b'));
  EXPECT_EQ(stats().frames, 3U);
  EXPECT_EQ(stats().largest_group, 3U);
}

}  // namespace

}  // namespace writeahead::internal
