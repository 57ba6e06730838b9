// Batch: what it encodes is what a frame will hold, and it knows each record's address.
// Its bytes are compared with what an append of it leaves in the log.
#include "writeahead/batch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "format/record.h"
#include "support/damaged_log.h"

namespace writeahead {
namespace {

using testing::reference_options;
using testing::SimDisk;
using testing::SimEnv;

TEST(Batch, lsn_of_each_record_leads_to_it) {
  SimEnv env(SimDisk{});
  auto log = Log::open("/log", reference_options(env)).value();
  ASSERT_TRUE(log.append("before"));
  Batch batch;
  std::vector<std::string> payloads;
  for (const size_t length : {0, 1, 7, 8, 9, 15, 16, 100}) payloads.emplace_back(length, 'p');
  for (size_t i = 0; i < payloads.size(); ++i) {
    batch.add(payloads[i], {.type = static_cast<uint16_t>(i)});
  }
  uint64_t bytes = 0;
  for (const auto& payload : payloads) bytes += internal::encoded_record_bytes(payload.size());
  EXPECT_EQ(batch.size(), payloads.size());
  EXPECT_EQ(batch.encoded_bytes(), bytes);
  // A batch may be appended again, and has other addresses then.
  for (int round = 0; round < 2; ++round) {
    const Appended range = log.append(batch).value();
    EXPECT_EQ(range.end_lsn - range.first_lsn, bytes);
    EXPECT_EQ(batch.lsn(0, range), range.first_lsn);
    for (size_t i = 0; i < payloads.size(); ++i) {
      const auto record = log.read(batch.lsn(i, range)).value();
      EXPECT_EQ(record.ordinal, range.first_ordinal + i);
      EXPECT_EQ(record.type, i);
      EXPECT_TRUE(std::ranges::equal(record.payload, std::as_bytes(std::span(payloads[i]))));
    }
  }
}

TEST(Batch, is_empty_and_reusable_after_clear) {
  SimEnv env(SimDisk{});
  auto log = Log::open("/log", reference_options(env)).value();
  Batch batch;
  EXPECT_TRUE(batch.is_empty());
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::invalid_argument);
  batch.add("gone");
  batch.clear();
  EXPECT_TRUE(batch.is_empty());
  EXPECT_EQ(batch.encoded_bytes(), 0U);
  batch.add("kept");
  const Appended range = log.append(batch).value();
  EXPECT_EQ(range.first_ordinal, 0U);
  const auto record = log.read(range.first_lsn).value();
  EXPECT_TRUE(std::ranges::equal(record.payload, std::as_bytes(std::span("kept", 4))));
}

TEST(Batch, too_large_record_is_refused_by_the_append_and_clear_forgets_it) {
  constexpr size_t kBytes = size_t{1} << 32;
  void* const memory =
      ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "no address space for 4 GiB";
  const std::span huge(static_cast<const std::byte*>(memory), kBytes);
  SimEnv env(SimDisk{});
  auto log = Log::open("/log", reference_options(env)).value();
  Batch batch;
  batch.add(huge);
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::too_large);
  batch.add("small");
  EXPECT_EQ(log.append(batch).error().code(), ErrorCode::too_large);
  batch.clear();
  batch.add("small");
  EXPECT_TRUE(log.append(batch));
  ::munmap(memory, kBytes);
}

TEST(Batch, one_that_fills_its_own_segment_to_the_last_byte_is_taken) {
  // Sizes at which the seal of the segment needs one more entry than its neighbour does.
  for (const uint64_t data_bytes : {uint64_t{165} * 65536 - 4096, uint64_t{165} * 65536,
                                    uint64_t{164} * 65536, uint64_t{16} * 4096}) {
    for (const uint64_t less : {0, 8, 4088, 4096}) {
      SimEnv env(SimDisk{});
      auto options = reference_options(env);
      auto log = Log::open("/log", options).value();
      ASSERT_TRUE(log.append("before"));
      const std::string payload(data_bytes - less - 88 - 16, 'x');
      const auto lsn = log.append(payload);
      ASSERT_TRUE(lsn) << lsn.error().message();
      ASSERT_TRUE(log.append("behind"));
      while (log.step_background()) {
      }
      EXPECT_EQ(log.read(*lsn).value().payload.size(), payload.size());
      EXPECT_TRUE(log.close());
    }
  }
}

}  // namespace
}  // namespace writeahead
