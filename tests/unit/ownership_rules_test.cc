// Rules of opening that protect what is not this log's: a half-created log may be created, and a
// log that is there may not; a directory whose mode cannot be looked at is left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "support/damaged_log.h"
#include "support/forwarding_env.h"

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

class UnknownModeDirectory final : public ForwardingDirectory {
 public:
  using ForwardingDirectory::ForwardingDirectory;
  SystemResult<bool> is_writable_by_all() override { return std::unexpected(SystemError{EIO}); }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override { return file; }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return directory;
  }
};

/// An Env that cannot tell the modes of directories.
class UnknownModeEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<UnknownModeDirectory>(std::move(directory));
  }
};

TEST(DirectoryMode, that_cannot_be_told_refuses_the_opening_and_changes_nothing) {
  SimEnv env{SimDisk{}};
  UnknownModeEnv unknown(env);
  ASSERT_TRUE(Log::open(std::string(kLogPath), reference_options(env))->append("record"));
  const uint64_t calls = env.calls();
  Options options = reference_options(env);
  options.env = &unknown;
  const auto refused = Log::open(std::string(kLogPath), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::io);
  EXPECT_EQ(refused.error().system_error(), EIO);
  EXPECT_THAT(std::string(refused.error().message()), ::testing::HasSubstr("/log"));
  EXPECT_EQ(env.calls() - calls, 1U) << "it was only opened\n" << env.trace();
  EXPECT_FALSE(Log::open(std::string(kLogPath), reference_options(env))->is_empty());
}

}  // namespace
}  // namespace writeahead::testing
