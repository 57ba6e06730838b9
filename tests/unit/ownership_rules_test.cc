// Rules of opening that protect what is not this log's: a half-created log may be created, and a
// log that is there may not.
#include <gtest/gtest.h>

#include "support/damaged_log.h"

namespace writeahead::testing {
namespace {

TEST(ErrorIfExists, refuses_a_log_and_takes_a_half_created_one) {
  SimDisk disk;
  disk.make_directory(kLogPath);
  disk.put("/log/log.root", {});  // A crash came before its first slot.
  SimEnv env(std::move(disk));
  Options options = reference_options(env);
  options.error_if_exists = true;
  {
    auto log = Log::open(std::string(kLogPath), options);
    ASSERT_TRUE(log) << log.error().message();
  }
  auto again = Log::open(std::string(kLogPath), options);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace writeahead::testing
