// Goal: a hold that is used while its log is being destroyed looks at nothing of the log. Method:
// an Env in which the log is destroyed just when the hold asks for its process; this program
// overwrites memory that is given back.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "support/error_of.h"
#include "support/forwarding_env.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

/// Does something the next time that it is asked for the process, before it answers.
class InterruptedEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  void interrupt_next(std::function<void()> interruption) { next_ = std::move(interruption); }
  uint64_t process_id() override {
    if (const auto interruption = std::exchange(next_, nullptr)) interruption();
    return ForwardingEnv::process_id();
  }

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return directory;
  }

  std::function<void()> next_;
};

TEST(HoldDestruction, use_of_a_hold_meanwhile_looks_at_nothing_of_the_log) {
  using Use = std::function<std::optional<ErrorCode>(Hold&)>;
  const Use kUses[] = {[](Hold& hold) { return code_of(hold.lsn()); },
                       [](Hold& hold) { return code_of(hold.advance(Lsn(8))); },
                       [](Hold& hold) { return code_of(hold.release()); }};
  for (const Use& use : kUses) {
    SimEnv machine{SimDisk{}};
    InterruptedEnv env(machine);
    std::optional<Log> log =
        Log::open(kLogPath, {.env = &env, .background = BackgroundWork::stepped}).value();
    Hold hold = log->hold("consumer", log->first_lsn()).value();
    env.interrupt_next([&] { log.reset(); });
    EXPECT_EQ(use(hold), ErrorCode::closed);
    EXPECT_FALSE(log) << "it was destroyed";
  }
}

}  // namespace
}  // namespace writeahead::testing
