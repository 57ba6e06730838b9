// AppendBuffer: what stands around a frame in the write that carries it.
#include "segment/append_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/test_seed.h"

namespace writeahead::internal {
namespace {

bool is_all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

/// A frame of ones at `offset`, behind a prefix of ones.
void put_frame(AppendBuffer& buffer, uint64_t offset, uint64_t bytes) {
  buffer.reserve(bytes);
  buffer.begin(offset, bytes);
  std::ranges::fill(buffer.prefix(), std::byte{0xff});
  std::ranges::fill(buffer.frame(), std::byte{0xff});
}

std::span<const std::byte> behind_frame(AppendBuffer& buffer) {
  return buffer.blocks().subspan(buffer.prefix().size() + buffer.frame().size());
}

TEST(AppendBuffer, is_zero_behind_the_frame_whatever_was_there_before) {
  SCOPED_TRACE(test::replay_command());
  std::mt19937_64 random(test::test_seed());
  AppendBuffer buffer;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t longest = random() % 4 == 0 ? 300'000 : 9000;
    put_frame(buffer, random() % (1 << 20), 1 + random() % longest);
    ASSERT_TRUE(is_all_zero(behind_frame(buffer))) << "frame " << i;
    ASSERT_EQ(buffer.blocks().size() % kBlockBytes, 0U);
    if (random() % 50 == 0) std::ranges::fill(buffer.header_block(), std::byte{0xff});
    if (random() % 100 == 0) buffer.shrink();
  }
}

TEST(AppendBuffer, gives_back_what_a_large_frame_needed) {
  AppendBuffer buffer;
  put_frame(buffer, 0, 9 << 20);
  buffer.shrink();
  put_frame(buffer, 100, 64);
  EXPECT_TRUE(is_all_zero(behind_frame(buffer)));
  EXPECT_EQ(buffer.blocks().size(), kBlockBytes);
}

}  // namespace
}  // namespace writeahead::internal
