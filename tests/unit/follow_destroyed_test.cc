// Goal: who follows a log that is destroyed is told, and does not wait on files that nobody will
// ever write to again; another log in the same place is not taken for the old one.
// Method: two processes on a simulated machine.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "writeahead/log.h"
#include "writeahead/read_only_log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr const char* kPath = "/log";

Options options(SimEnv& env) {
  return {.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
}

std::optional<ErrorCode> code_of(const auto& result) {
  return result ? std::nullopt : std::optional(result.error().code());
}

class FollowDestroyed : public ::testing::TestWithParam<bool> {
 protected:
  FollowDestroyed() {
    auto log = Log::open(kPath, options(writer_)).value();
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(log.append(std::string(3000, 'a')));
    EXPECT_TRUE(log.close());
  }

  void destroy() {
    EXPECT_TRUE(Log::destroy(kPath, options(writer_)));
    if (!GetParam()) return;
    // Another one in its place, with records at the same addresses and behind.
    auto log = Log::open(kPath, options(writer_)).value();
    for (int i = 0; i < 9; ++i) EXPECT_TRUE(log.append(std::string(3000, 'b')));
    EXPECT_TRUE(log.close());
  }

  SimEnv writer_{SimDisk{}};
  std::unique_ptr<SimEnv> process_ = writer_.another_process(2000);
};

TEST_P(FollowDestroyed, a_refresh_says_so) {
  auto log = ReadOnlyLog::open(kPath, {.env = process_.get()}).value();
  EXPECT_TRUE(log.refresh());
  destroy();
  EXPECT_EQ(code_of(log.refresh()), ErrorCode::not_found);
  EXPECT_EQ(code_of(log.refresh()), ErrorCode::not_found);
}

TEST_P(FollowDestroyed, a_reader_that_waits_is_told) {
  auto log = ReadOnlyLog::open(kPath, {.env = process_.get()}).value();
  auto reader = log.reader(log.first_lsn());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(reader.next());
  std::thread destroyer([this] {
    EXPECT_TRUE(process_ && writer_.wait_for_waiters(1));
    destroy();
  });
  const auto told = reader.wait_next();
  destroyer.join();
  ASSERT_TRUE(told);
  EXPECT_EQ(code_of(*told), ErrorCode::not_found);
  EXPECT_NE(told->error().message().find("destroyed"), std::string_view::npos)
      << told->error().message();
}

TEST_P(FollowDestroyed, a_reader_of_what_is_gone_is_told) {
  auto log = ReadOnlyLog::open(kPath, {.map_segments = false, .env = process_.get()}).value();
  auto reader = log.reader(log.first_lsn());
  ASSERT_TRUE(reader.next());
  destroy();
  std::optional<Result<RecordView>> last;
  for (auto record = reader.wait_next(); record; record = reader.wait_next()) {
    last = std::move(record);
    if (!*last) break;
    // What it may still have open is the old log's.
    EXPECT_EQ((*last)->payload.front(), std::byte{'a'});
  }
  ASSERT_TRUE(last);
  EXPECT_EQ(code_of(*last), ErrorCode::not_found);
}

INSTANTIATE_TEST_SUITE_P(MadeAgain, FollowDestroyed, ::testing::Bool());

}  // namespace
}  // namespace writeahead::testing
