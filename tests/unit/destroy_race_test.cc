// Goal: who opened the root of a log just before it was destroyed, and gets its lock just behind
// that, does not take a file without a name for a log; nor does who opened its directory just
// before go wrong in one without a name. Method: an Env that destroys the log between two calls of
// an opening.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "support/forwarding_env.h"
#include "support/hooked_env.h"
#include "support/scratch_directory.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

constexpr const char* kPath = "/log";

/// An Env that runs `hook` before the first lock that is taken.
std::unique_ptr<Env> before_first_lock(Env& env, std::function<void()> hook) {
  return make_hooked_env(env, [hook = std::move(hook)](CallKind kind, std::string_view) mutable {
    if (kind == CallKind::lock && hook) std::exchange(hook, nullptr)();
  });
}

TEST(DestroyRace, an_opening_in_between_does_not_own_what_has_no_name) {
  for (const bool is_made_again : {false, true}) {
    SimEnv env{SimDisk{}};
    const Options options{.env = &env, .background = BackgroundWork::stepped};
    ASSERT_TRUE(Log::open(kPath, options)->append("old"));
    const std::unique_ptr<Env> hooked = before_first_lock(env, [&] {
      ASSERT_TRUE(Log::destroy(kPath, options));
      if (!is_made_again) return;
      ASSERT_TRUE(Log::open(kPath, options)->append("new"));
    });
    Options racing = options;
    racing.env = hooked.get();
    const auto refused = Log::open(kPath, racing);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::locked) << refused.error().message();
    auto again = Log::open(kPath, racing);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->is_empty(), !is_made_again);
  }
}

/// An Env that runs `hook` behind the first directory that is opened.
class DirectoryHookEnv final : public ForwardingEnv {
 public:
  DirectoryHookEnv(Env& env, std::function<void()> hook)
      : ForwardingEnv(env), hook_(std::move(hook)) {}

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    if (hook_) std::exchange(hook_, nullptr)();
    return directory;
  }

  std::function<void()> hook_;
};

/// The log is destroyed, and made again or not, when an opening has only its directory. A real one:
/// in a simulated one that is gone, files can still be made.
void open_where_the_directory_goes(bool is_made_again) {
  const test::ScratchDirectory scratch(test::ScratchDirectory::memory());
  const std::string path = scratch.path("log");
  Env& env = Env::posix();
  const Options options{.segment_bytes = 8192, .env = &env, .background = BackgroundWork::stepped};
  ASSERT_TRUE(Log::open(path, options)->append("old"));
  DirectoryHookEnv hooked(env, [&] {
    ASSERT_TRUE(Log::destroy(path, options));
    ASSERT_FALSE(env.open_directory(path, false, 0)) << "the directory goes, too";
    if (is_made_again) {
      ASSERT_TRUE(Log::open(path, options)->append("new"));
    }
  });
  Options racing = options;
  racing.env = &hooked;
  const auto refused = Log::open(path, racing);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::locked) << refused.error().message();
  auto again = Log::open(path, racing);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->is_empty(), !is_made_again);
}

TEST(DestroyRace, an_opening_whose_directory_goes_meanwhile_is_told_to_try_again) {
  for (const bool is_made_again : {false, true}) open_where_the_directory_goes(is_made_again);
}

TEST(DestroyRace, two_that_destroy_do_not_disturb_a_log_that_is_made_behind_the_first) {
  SimEnv env{SimDisk{}};
  const Options options{.env = &env, .background = BackgroundWork::stepped};
  ASSERT_TRUE(Log::open(kPath, options)->append("old"));
  const std::unique_ptr<Env> hooked = before_first_lock(env, [&] {
    ASSERT_TRUE(Log::destroy(kPath, options));
    ASSERT_TRUE(Log::open(kPath, options)->append("new"));
  });
  Options racing = options;
  racing.env = hooked.get();
  EXPECT_FALSE(Log::destroy(kPath, racing));
  auto log = Log::open(kPath, options);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_FALSE(log->is_empty());
}

}  // namespace
}  // namespace writeahead::testing
