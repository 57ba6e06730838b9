// Goal: what cannot be copied is refused, with the reason, and a destination that somebody else
// makes or shares meanwhile stays theirs. Method: sources and destinations of each such kind.
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "format/segment_name.h"
#include "support/copied_log.h"
#include "support/error_of.h"
#include "support/forwarding_env.h"
#include "support/object_courses.h"
#include "support/sim_objects.h"
#include "writeahead/read_only_log.h"

namespace writeahead::testing {
namespace {

using Fate = test::LostAnswer::Fate;

const std::string kSource(kLogPath);
const std::string kCopy = "/copy";
const std::string kObjects = "sim://log";

void expect_refusal(const Result<CopyReport>& report, ErrorCode code, std::string_view cause) {
  ASSERT_EQ(code_of(report), code);
  EXPECT_NE(report.error().message().find(cause), std::string_view::npos)
      << report.error().message();
}

TEST(LogCopyRefusal, log_that_was_never_opened_is_none) {
  SimDisk disk;
  const std::vector<std::byte> zeros(8192);
  disk.put(kSource + "/log.root", zeros);
  SimEnv env(disk);
  expect_refusal(copy_log(kSource, kCopy, {.env = &env}), ErrorCode::not_found,
                 "no log was ever opened there");
}

TEST(LogCopyRefusal, last_segment_that_a_backup_shares_is_not_gone_on_with) {
  SimEnv env(make_reference_log().disk);
  ASSERT_TRUE(copy_log(kSource, kCopy, {.env = &env}));
  const auto last = ReadOnlyLog::open(kCopy, {.env = &env}).value().segments().back().number;
  SimDisk disk = env.disk();
  disk.make_directory("/backup");
  ASSERT_TRUE(disk.link(kCopy + "/" + format::segment_name(last), "/backup/segment"));
  SimEnv shared(disk);
  expect_refusal(copy_log(kSource, kCopy, {.env = &shared}), ErrorCode::invalid_argument,
                 "its last segment has a second name");
}

/// Somebody makes a log when the copy is about to make the directory.
class MakingEnv final : public ForwardingEnv {
 public:
  explicit MakingEnv(Env& env) : ForwardingEnv(env), env_(env) {}
  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override {
    if (create && !std::exchange(is_made_, true)) {
      auto theirs = Log::open(path, {.env = &env_}).value();
      EXPECT_TRUE(theirs.append("theirs") && theirs.close());
    }
    return ForwardingEnv::open_directory(path, create, mode);
  }

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return directory;
  }

  Env& env_;
  bool is_made_ = false;
};

TEST(LogCopyRefusal, log_that_somebody_makes_meanwhile_stays_theirs) {
  SimEnv env(make_reference_log().disk);
  MakingEnv making(env);
  expect_refusal(copy_log(kSource, kCopy, {.env = &making}), ErrorCode::invalid_argument,
                 "there is a log already");
  EXPECT_EQ(ReadOnlyLog::open(kCopy, {.env = &env}).value().records(), 1U);
}

class LogCopyRefusalOfObjects : public ::testing::Test {
 protected:
  LogCopyRefusalOfObjects() { test::register_client(client_); }
  std::shared_ptr<test::SimObjects> objects_ = std::make_shared<test::SimObjects>();
  std::shared_ptr<test::SimClient> client_ = std::make_shared<test::SimClient>(objects_);
};

TEST_F(LogCopyRefusalOfObjects, segment_or_frame_that_no_object_takes_is_too_large) {
  SimEnv env{SimDisk()};
  Options options = {
      .segment_bytes = 130 << 20, .env = &env, .background = BackgroundWork::stepped};
  ASSERT_TRUE(Log::open("/segments", options).value().append("a"));
  expect_refusal(copy_log("/segments", kObjects, {.env = &env}), ErrorCode::too_large,
                 "copy a log with a smaller segment_bytes");
  EXPECT_TRUE(objects_->names().empty());
  options.segment_bytes = 100 << 20;
  options.max_record_bytes = 1 << 30;
  auto log = Log::open("/frames", options).value();
  ASSERT_TRUE(log.append("a") && log.append(std::string(81 << 20, 'l')) && log.close());
  expect_refusal(copy_log("/frames", kObjects, {.env = &env}), ErrorCode::too_large,
                 "a frame is more than the destination takes at once");
  // What is in front of it is there.
  EXPECT_EQ(ReadOnlyLog::open(kObjects).value().records(), 1U);
}

TEST_F(LogCopyRefusalOfObjects, log_that_somebody_makes_meanwhile_is_not_taken_from_them) {
  SimEnv env(make_reference_log().disk);
  std::optional<Log> theirs;
  client_->before(1, [&] {
    test::register_client(std::make_shared<test::SimClient>(objects_));
    theirs.emplace(Log::open(kObjects).value());
  });
  expect_refusal(copy_log(kSource, kObjects, {.env = &env}), ErrorCode::invalid_argument,
                 "there is a log already");
  EXPECT_TRUE(theirs->append("mine"));
}

/// Whoever makes it has its head, and not yet its root, when the copy looks.
TEST_F(LogCopyRefusalOfObjects, log_that_is_just_being_made_is_its_makers_once_it_is_one) {
  SimEnv env(make_reference_log().disk);
  uint64_t refused = 0;
  for (uint64_t later = 1; later <= 4; ++later) {
    const auto objects = std::make_shared<test::SimObjects>();
    test::register_owner(
        objects, {.lost = {.call = 2, .fate = Fate::later, .calls_later = later}, .stop = 3});
    EXPECT_FALSE(Log::open(kObjects));
    test::register_owner(objects);
    const auto copied = copy_log(kSource, kObjects, {.env = &env});
    if (copied) continue;
    ++refused;
    expect_refusal(copied, ErrorCode::invalid_argument, "there is a log already");
    // It was not taken over.
    EXPECT_EQ(ReadOnlyLog::open(kObjects).value().epoch(), 1U) << later;
  }
  EXPECT_GT(refused, 0U);
}

}  // namespace
}  // namespace writeahead::testing
