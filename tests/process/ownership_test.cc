// Goal: a log has one writing owner at a time, through fork, death and close.
// Method: real processes on one directory. Where a process has to be at a certain point, the test
// waits for what it stores in shared memory.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/forked_process.h"
#include "support/sanitizers.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"

namespace writeahead::test {

namespace {

using ::testing::HasSubstr;

constexpr Options kOwnedLog{.segment_bytes = 65'536, .standby_segments = 1};

/// The body of a process that is to be killed.
int wait_for_the_end() {
  while (true) ::pause();
}

template <class T>
bool is_refused(const Result<T>& result) {
  return !result && result.error().code() == ErrorCode::failed;
}

/// Every file with its bytes, but for the control page.
std::map<std::string, std::string> files_of(const std::string& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().filename() == "control") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

class OwnershipTest : public ::testing::Test {
 protected:
  struct Shared {
    std::atomic<int> step;
    std::atomic<pid_t> grandchild;
  };

  [[nodiscard]] Log open() const { return Log::open(path_, kOwnedLog).value(); }
  [[nodiscard]] std::optional<Error> refusal() const {
    auto log = Log::open(path_, kOwnedLog);
    return log ? std::nullopt : std::optional(log.error());
  }
  /// Waits until the child has come so far; false if it ended before.
  bool await_step(ForkedProcess& child, int step) const {
    while (shared_->step.load() < step) {
      if (child.ended()) return false;
      std::this_thread::yield();
    }
    return true;
  }
  /// What another process is answered when it opens the log: 0 or an ErrorCode and 1.
  [[nodiscard]] int answer_elsewhere() const {
    ForkedProcess other([&] {
      const auto error = refusal();
      return error ? 1 + static_cast<int>(error->code()) : 0;
    });
    return other.wait();
  }

  static constexpr int kLocked = 1 + static_cast<int>(ErrorCode::locked);
  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  SharedMemory<Shared> shared_;
};

TEST_F(OwnershipTest, second_open_in_the_same_process_is_locked_and_says_so) {
  Log log = open();
  const auto error = refusal();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::locked);
  EXPECT_THAT(std::string(error->message()), HasSubstr("this process has it open already"));
  EXPECT_TRUE(log.append("the first owner goes on"));
}

TEST_F(OwnershipTest, open_in_another_process_is_locked_and_names_the_holder) {
  ForkedProcess holder([&] {
    const Log log = open();
    shared_->step = 1;
    return wait_for_the_end();
  });
  ASSERT_TRUE(await_step(holder, 1));
  const auto error = refusal();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::locked);
  EXPECT_THAT(std::string(error->message()),
              HasSubstr(fmt::format("process {} has it open", holder.id())));
  EXPECT_THAT(std::string(error->message()), HasSubstr(path_));
  EXPECT_EQ(holder.kill(), -SIGKILL);
  EXPECT_FALSE(refusal());
}

TEST_F(OwnershipTest, child_that_outlives_a_killed_owner_keeps_the_lock_and_is_blamed) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  ForkedProcess owner([&] {
    const Log log = open();
    const pid_t child = ::fork();
    if (child == 0) return wait_for_the_end();
    shared_->grandchild = child;
    shared_->step = 1;
    return wait_for_the_end();
  });
  ASSERT_TRUE(await_step(owner, 1));
  ASSERT_EQ(owner.kill(), -SIGKILL);
  const auto error = refusal();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::locked);
  EXPECT_THAT(std::string(error->message()), HasSubstr(fmt::format("process {}", owner.id())));
  EXPECT_THAT(std::string(error->message()), HasSubstr("a child that it forked holds"));
  ASSERT_EQ(::kill(shared_->grandchild, SIGKILL), 0);
  ASSERT_EQ(::waitpid(shared_->grandchild, nullptr, 0), shared_->grandchild);
  EXPECT_FALSE(refusal());
}

TEST_F(OwnershipTest, log_in_a_forked_child_refuses_everything_that_writes) {
  std::optional<Log> log(open());
  const Lsn first = log->append("before").value();  // The background thread runs from here on.
  // Until it has prepared what it prepares, it writes files.
  while (log->stats().standbys == 0) std::this_thread::yield();
  const auto files = files_of(path_);
  Reader reader = log->reader(first);
  ForkedProcess child([&] {
    const auto one = log->append("from the child");
    if (one || one.error().code() != ErrorCode::failed) return 1;
    Batch batch;
    batch.add("from the child");
    const auto several = log->append(batch);
    if (several || several.error().code() != ErrorCode::failed) return 2;
    const auto closed = log->close();
    if (closed || closed.error().code() != ErrorCode::failed) return 3;
    if (log->step_background()) return 4;
    const auto waited = reader.wait_next();
    if (!waited || waited->has_value() || waited->error().code() != ErrorCode::failed) return 5;
    if (!is_refused(log->sync()) || !is_refused(log->trim_before(log->end_lsn()))) return 6;
    if (!is_refused(log->truncate_from(first)) || !is_refused(log->hold("child", first))) return 7;
    log.reset();
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(answer_elsewhere(), kLocked);
  auto now = files_of(path_);
  // The owner itself may have proven its idle log meanwhile.
  now["log.root"] = files.at("log.root");
  EXPECT_EQ(now, files);
  const auto second = log->append("after");
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(log->read(first)->ordinal, 0U);
  EXPECT_TRUE(log->close());
  log.reset();
  const Log again = open();
  EXPECT_EQ(again.recovery_report().outcome, RecoveryReport::Outcome::clean);
  EXPECT_EQ(again.recovery_report().records, 2U);
}

/// Every call that there is, in a child; 0 if each is refused.
int call_everything(Log& log, Hold& hold, Reader& reader, Lsn lsn) {
  if (!is_refused(log.append("x")) || !is_refused(log.sync())) return 1;
  if (!is_refused(log.append("x", {.durability = Durability::buffered}))) return 2;
  bool is_told = false;
  log.append_async("x", [&](const Result<Lsn>& answer) { is_told = is_refused(answer); });
  if (!is_told) return 3;
  if (!is_refused(log.try_append_async("x", {}, [](const Result<Lsn>&) {}))) return 4;
  if (!is_refused(log.wait_durable(lsn)) || !is_refused(log.trim_before(lsn))) return 5;
  if (!is_refused(log.truncate_from(lsn)) || !is_refused(log.hold("another", lsn))) return 6;
  if (!is_refused(log.read(lsn)) || !is_refused(log.last())) return 7;
  if (!is_refused(log.find_ordinal(0)) || !is_refused(log.find_time(0))) return 8;
  const auto old = reader.next();
  if (!old || !is_refused(*old)) return 9;
  const auto fresh = log.reader(lsn).wait_next();
  if (!fresh || !is_refused(*fresh)) return 10;
  if (!is_refused(hold.lsn()) || !is_refused(hold.advance(lsn)) || !is_refused(hold.release())) {
    return 11;
  }
  if (log.first_lsn() != Lsn() || !log.is_empty() || !log.segments().empty()) return 12;
  if (!log.holds().empty() || log.stats().records != 0 || log.step_background()) return 13;
  if (log.end_lsn() < lsn || log.durable_lsn() <= lsn || log.epoch() == 0) return 14;
  return is_refused(log.close()) ? 0 : 15;
}

// Whatever lock another thread held at the fork is held for ever in the child.
TEST_F(OwnershipTest, child_hangs_nowhere_and_tells_no_callback_of_the_parent) {
  constexpr int kChildren = kIsSanitized ? 20 : 150;
  std::optional<Log> log(open());
  const Lsn first = log->append("first").value();
  Hold hold = log->hold("parent", first).value();
  std::atomic<bool> is_over = false;
  const pid_t parent = ::getpid();
  std::vector<std::thread> threads;
  const auto repeat = [&](const auto& call) {
    threads.emplace_back([&is_over, call] {
      while (!is_over) call();
    });
  };
  repeat([&] { (void)log->append("x"); });
  repeat([&] {
    log->append_async("y", {.durability = Durability::written}, [&](const Result<Lsn>&) {
      if (::getpid() != parent) std::abort();
    });
    std::this_thread::yield();
  });
  repeat([&] {
    (void)log->read(first);
    (void)log->segments();
  });
  repeat([&] {
    (void)log->stats();
    (void)hold.advance(first);
    (void)log->holds();
  });
  for (int i = 0; i < kChildren && !HasFailure(); ++i) {
    Reader reader = log->reader(first);
    ForkedProcess child([&] {
      ::alarm(60);  // Ends a child that hangs.
      const int end = call_everything(*log, hold, reader, first);
      log.reset();
      return end;
    });
    EXPECT_EQ(child.wait(), 0) << "child " << i;
  }
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(log->close());
}

TEST_F(OwnershipTest, close_gives_up_ownership_although_a_forked_child_lives) {
  Log log = open();
  ASSERT_TRUE(log.append("one"));
  ForkedProcess child([] { return wait_for_the_end(); });
  ASSERT_TRUE(log.close());
  const auto error = refusal();
  EXPECT_FALSE(error) << error->message();
  EXPECT_EQ(answer_elsewhere(), 0);
}

TEST_F(OwnershipTest, destroying_the_log_in_a_child_leaves_the_lock_with_the_parent) {
  std::optional<Log> log(open());
  ForkedProcess child([&] {
    log.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);
  EXPECT_EQ(answer_elsewhere(), kLocked);
  log.reset();
  EXPECT_EQ(answer_elsewhere(), 0);
}

TEST_F(OwnershipTest, open_and_destruction_alternate_between_processes) {
  for (uint64_t round = 0; round < 6; ++round) {
    const auto append_one = [&] {
      auto log = Log::open(path_, kOwnedLog);
      if (!log || log->recovery_report().records != round || !log->append("x")) return 1;
      return 0;
    };
    if (round % 2 == 0) {
      EXPECT_EQ(append_one(), 0);
    } else {
      ForkedProcess child(append_one);
      EXPECT_EQ(child.wait(), 0);
    }
  }
}

TEST_F(OwnershipTest, closed_log_answers_closed) {
  Log log = open();
  const Lsn lsn = log.append("one").value();
  ASSERT_TRUE(log.close());
  EXPECT_TRUE(log.close());
  EXPECT_EQ(log.append("two").error().code(), ErrorCode::closed);
  EXPECT_EQ(log.read(lsn).error().code(), ErrorCode::closed);
  EXPECT_EQ(log.last().error().code(), ErrorCode::closed);
  EXPECT_EQ(log.find_ordinal(0).error().code(), ErrorCode::closed);
  EXPECT_FALSE(log.step_background());
}

}  // namespace

}  // namespace writeahead::test
