// Goal: two frames whose writes are in flight together are both there in the end, in whatever order
// the device is done with them.
// Method: a simulated machine holds both writes, and lets the one or the other be done first; then
// the power is cut.
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <thread>

#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/crash_sampler.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

/// Above 64 KiB, and no multiple of a block.
constexpr size_t kBytes = 70'000;

Options options_on(SimEnv& env) {
  return {.segment_bytes = 1 << 20, .env = &env, .background = BackgroundWork::stepped};
}

/// Appends 'a', then 'b' and 'c' in flight together, of which `done_first` is done first. The disk
/// after a power cut.
void append_together(size_t done_first, SimDisk& disk) {
  SimEnv env{SimDisk()};
  Log log = Log::open(std::string(kLogPath), options_on(env)).value();
  ASSERT_TRUE(log.append(std::string(kBytes, 'a')));
  env.hold_writes(true);
  std::optional<Result<Lsn>> first;
  std::optional<Result<Lsn>> second;
  std::thread one([&] { first = log.append(std::string(kBytes, 'b')); });
  const bool is_first_held = env.wait_for_held_writes(1);
  std::thread two([&] { second = log.append(std::string(kBytes, 'c')); });
  const bool are_both_held = env.wait_for_held_writes(2);
  env.release_write(are_both_held ? done_first : 0);
  env.hold_writes(false);
  env.release_write(0);
  one.join();
  two.join();
  ASSERT_TRUE(is_first_held && are_both_held);
  ASSERT_TRUE(*first && *second);
  env.crash_now();
  disk = env.crashed_disk().crash({});
}

TEST(FramesInFlight, are_both_there_whichever_is_done_first) {
  for (const size_t done_first : {size_t{0}, size_t{1}}) {
    SimDisk disk;
    append_together(done_first, disk);
    if (HasFatalFailure()) return;
    SimEnv next(disk);
    auto log = Log::open(std::string(kLogPath), options_on(next));
    ASSERT_TRUE(log) << log.error().message();
    std::string found;
    for (auto& record : log->reader(log->first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      ASSERT_EQ(record->payload.size(), kBytes);
      found += static_cast<char>(record->payload[0]);
    }
    EXPECT_EQ(found, "abc") << "write " << done_first << " was done first";
  }
}

}  // namespace
}  // namespace writeahead::testing
