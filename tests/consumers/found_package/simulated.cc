// A test of a user: a log on the simulated machine of WriteAhead::testing, which loses its power.
// Exits with 0 if what was acknowledged is there afterwards.
#include <utility>

#include "writeahead/log.h"
#include "writeahead/testing/crash_plan.h"
#include "writeahead/testing/sim_disk.h"
#include "writeahead/testing/sim_env.h"

int main() {
  using namespace writeahead;
  testing::SimEnv env(testing::SimDisk{});
  auto log = Log::open("log", {.segment_bytes = 64 << 10, .env = &env});
  const auto lsn = log ? log->append("survives") : Result<Lsn>(std::unexpected(log.error()));
  env.crash_now();
  testing::SimEnv next(env.crashed_disk().crash(testing::CrashPlan{}));
  const auto reopened = Log::open("log", {.env = &next});
  return lsn && reopened && reopened->read(*lsn) ? 0 : 1;
}
