// Reads and writes that transfer less than asked, as every Env may.
//
// Goal: a short transfer is gone on with or is an error; it is never the end of a log, a bad root
// or damage. Method: each workload with one transfer cut short, and with all of them.
#include <gtest/gtest.h>

#include "support/crash_run.h"

namespace writeahead::testing {
namespace {

class ShortTransfer : public ::testing::TestWithParam<Workload> {};

void run_with(const Workload& workload, Interference interference, bool must_succeed) {
  Script script(workload, interference);
  interference.trace_calls = 1000;
  const auto trace = [&] { return Script(workload, interference).machine().trace(); };
  ASSERT_EQ(script.complaint(), "") << trace();
  ASSERT_FALSE(must_succeed && script.has_failed()) << trace();
  script.stop();
  ASSERT_EQ(Oracle(workload).judge(script.machine().crashed_disk().crash({}), script.model()), "")
      << trace();
}

TEST_P(ShortTransfer, of_any_single_call_is_survived) {
  const Workload& workload = GetParam();
  Script whole(workload, {});
  uint64_t transfers = whole.calls();
  for (uint64_t k = 1; k <= transfers; k += kEveryNth) {
    for (const size_t bytes : {1, 511, 512, 4095, 4096, 5000}) {
      SCOPED_TRACE(::testing::Message() << "transfer " << k << " of " << bytes << " bytes");
      run_with(workload, {.short_transfer = {{k, bytes}}}, false);
      if (HasFailure()) return;
    }
  }
}

TEST_P(ShortTransfer, of_all_calls_is_survived) {
  const Workload& workload = GetParam();
  for (const size_t bytes : {1, 500, 4095, 4096, 5000, 8192}) {
    SCOPED_TRACE(::testing::Message() << "at most " << bytes << " bytes");
    // Direct writes that never reach a block boundary cannot go on.
    run_with(workload, {.transfer_limit = bytes}, bytes >= kBlockBytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Workloads, ShortTransfer, ::testing::ValuesIn(workloads()), workload_name);

}  // namespace
}  // namespace writeahead::testing
