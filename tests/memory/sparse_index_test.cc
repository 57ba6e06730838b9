// Goal: an append whose frame finds no memory in the sparse index of its segment is answered: the
// frame is written by then, and the index may be sparser. Method: a segment whose index is full,
// and one more frame, with each request for memory refused.
#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <optional>
#include <string>

#include "format/seal.h"
#include "memory/patient_env.h"
#include "memory/refusing_allocator.h"
#include "segment/segment_scan.h"
#include "support/log_path.h"
#include "writeahead/log.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {
namespace {

using test::Arming;
using test::refusal;
using ::writeahead::internal::kIndexInterval;
using ::writeahead::internal::SegmentContents;

constexpr uint64_t kEntries = 16;  // that an index has room for from the beginning

TEST(SparseIndex, that_finds_no_memory_stays_as_it_is) {
  SegmentContents contents;
  contents.index.reserve(1);
  ::writeahead::internal::FrameHeader header;
  header.length = kIndexInterval;
  header.record_count = 1;
  for (uint64_t i = 0; i < 2; ++i) {
    header.lsn = Lsn(i * kIndexInterval);
    header.first_ordinal = i;
    EXPECT_TRUE(test::succeeds_without_memory([&] { contents.extend(header, i); }));
    EXPECT_EQ(refusal.refused, i) << "only the second needs some";
  }
  EXPECT_EQ(contents.index.size(), 1U);
  EXPECT_EQ(contents.end_lsn, Lsn(2 * kIndexInterval));
  EXPECT_EQ(contents.end_ordinal, 2U);
}

/// Appends a record to a segment whose index is full, with the k-th request refused. Whether that
/// was none, and the append succeeded beside a refusal.
struct Outcome {
  bool is_over = false;
  bool is_spared = false;
};
Outcome append_with_refusal(uint64_t k) {
  SimEnv machine{SimDisk{}};
  PatientEnv env(machine);
  const Options options{.segment_bytes = 4 << 20,
                        .standby_segments = 0,
                        .env = &env,
                        .background = BackgroundWork::stepped};
  auto log = Log::open(kLogPath, options).value();
  const std::string payload(kIndexInterval, 'p');
  for (uint64_t i = 0; i < kEntries; ++i) EXPECT_TRUE(log.append(payload));
  std::optional<Result<Lsn>> answer;
  refusal = {.k = k};
  try {
    const Arming armed(true);
    answer = log.append(payload);
  } catch (const std::bad_alloc&) {
  }
  const bool was_refused = refusal.refused != 0;
  refusal = {};
  const bool is_acknowledged = answer && *answer;
  // Whatever became of it, the log goes on and holds what was acknowledged, and nothing else.
  EXPECT_TRUE(log.append("more"));
  for (uint64_t i = 0; i < kEntries + (is_acknowledged ? 2 : 1); ++i) {
    EXPECT_TRUE(log.find_ordinal(i)) << "record " << i;
  }
  EXPECT_TRUE(log.close());
  auto again = Log::open(kLogPath, options).value();
  EXPECT_EQ(again.recovery_report().records, kEntries + (is_acknowledged ? 2 : 1));
  EXPECT_EQ(again.segments().size(), 1U);
  return {.is_over = !was_refused, .is_spared = was_refused && is_acknowledged};
}

TEST(SparseIndex, append_that_finds_no_memory_in_it_is_acknowledged) {
  bool is_spared = false;
  for (uint64_t k = 1;; ++k) {
    SCOPED_TRACE("request " + std::to_string(k));
    const Outcome outcome = append_with_refusal(k);
    if (outcome.is_over || HasFailure()) break;
    is_spared = is_spared || outcome.is_spared;
  }
  EXPECT_TRUE(is_spared) << "no refusal came behind the write";
}

}  // namespace
}  // namespace writeahead::testing
