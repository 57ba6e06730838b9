// Goal: who opened the root of a log just before it was destroyed, and gets its lock just behind
// that, does not take a file without a name for a log. Method: an Env that destroys the log between
// these two calls of an opening.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "support/hooked_env.h"
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
