// AppendBuffer: what stands around a frame in the write that carries it.
#include "segment/append_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/test_seed.h"

namespace writeahead::internal {
namespace {

bool is_all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

/// A frame of ones at `offset` of segment 1, behind a prefix of ones.
void put_frame(AppendBuffer& buffer, uint64_t offset, uint64_t bytes) {
  buffer.reserve(bytes);
  buffer.begin(1, offset, bytes);
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

/// Frames at random places of a few segments, often behind one another: whatever the buffer says it
/// has of the block before a frame is what the segment has there.
TEST(AppendBuffer, has_the_beginning_of_a_block_only_where_it_wrote_it_itself) {
  SCOPED_TRACE(test::replay_command());
  std::mt19937_64 random(test::test_seed());
  constexpr uint64_t kSegments = 3;
  constexpr uint64_t kBytes = 64 << 10;
  std::vector<std::vector<std::byte>> segments(kSegments, std::vector<std::byte>(kBytes));
  AppendBuffer buffer;
  uint64_t segment = 0;
  uint64_t end = 0;
  int kept = 0;
  for (int i = 0; i < 5000; ++i) {
    if (random() % 8 == 0) segment = random() % kSegments;
    if (random() % 8 == 0) end = random() % kBytes;
    if (random() % 50 == 0) buffer.shrink();
    const uint64_t bytes =
        std::min(kBytes - end, random() % 8 == 0 ? random() % 9000 : 1 + random() % 300);
    const auto stored = std::span(segments[segment]);
    buffer.reserve(bytes);
    buffer.begin(segment, end, bytes);
    const auto before = stored.subspan(round_down(end, kBlockBytes), end % kBlockBytes);
    if (buffer.has_prefix()) {
      ASSERT_TRUE(std::ranges::equal(buffer.prefix(), before)) << "frame " << i;
      kept += before.empty() ? 0 : 1;
    } else {
      std::ranges::copy(before, buffer.prefix().begin());
    }
    std::ranges::generate(buffer.frame(), [&] { return static_cast<std::byte>(random()); });
    std::ranges::copy(buffer.frame(), stored.subspan(end).begin());
    end += bytes;
  }
  EXPECT_GT(kept, 1000);
}

TEST(AppendBuffer, knows_nothing_of_what_it_had_in_memory_that_it_gave_back) {
  AppendBuffer buffer;
  put_frame(buffer, 0, (9 << 20) + 100);
  put_frame(buffer, (9 << 20) + 100, 64);
  EXPECT_FALSE(buffer.has_prefix()) << "that frame began in another block";
  put_frame(buffer, (9 << 20) + 164, 64);
  EXPECT_TRUE(buffer.has_prefix());
  buffer.shrink();
  put_frame(buffer, (9 << 20) + 228, 64);
  EXPECT_FALSE(buffer.has_prefix());
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
