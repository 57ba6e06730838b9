// Goal: whoever reads the newest bytes of a segment from the ring behind the control page gets what
// was written there, or nothing. Method: a ring in memory; the last test has a writer and a reader
// at it at once.
#include "root/newest_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "format/control_page.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kBegin = kBlockBytes;

/// What stands in a segment: each word tells where.
std::byte byte_at(uint64_t number, uint64_t offset) {
  const uint64_t word = (number << 48) + offset / 8 * 0x9e3779b97f4a7c15;
  return static_cast<std::byte>(word >> (offset % 8 * 8));
}
std::vector<std::byte> bytes_of(uint64_t number, uint64_t offset, size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = byte_at(number, offset + i);
  return bytes;
}

class NewestBytesTest : public ::testing::Test {
 protected:
  NewestBytesTest() {
    std::ranges::fill(memory_.span(), std::byte{0});
    newest_.clear();
  }
  void show(uint64_t number, uint64_t offset, size_t count) {
    newest_.show(number, offset, bytes_of(number, offset, count));
  }
  /// "right", "wrong", or "none".
  std::string read(uint64_t number, uint64_t offset, size_t count) {
    std::vector<std::byte> out(count);
    if (!read_newest(memory_.span(), number, offset, out)) return "none";
    return out == bytes_of(number, offset, count) ? "right" : "wrong";
  }

  AlignedBuffer memory_{kControlFileBytes};
  NewestBytes newest_{memory_.span()};
};

TEST_F(NewestBytesTest, nothing_is_there_before_the_first_frame) {
  EXPECT_EQ(read(0, 0, 8), "none");
  EXPECT_EQ(read(1, kBegin, 8), "none");
}

TEST_F(NewestBytesTest, frames_are_there_from_the_first_to_the_end_of_the_last) {
  show(1, kBegin, 104);
  show(1, kBegin + 104, 216);
  EXPECT_EQ(read(1, kBegin, 320), "right");
  EXPECT_EQ(read(1, kBegin + 100, 10), "right");
  for (size_t skipped = 0; skipped < 17; ++skipped) {
    for (size_t count = 1; count < 19; ++count) {
      ASSERT_EQ(read(1, kBegin + skipped, count), "right") << skipped << ", " << count;
    }
  }
  EXPECT_EQ(read(1, kBegin, 321), "none");
  EXPECT_EQ(read(1, kBegin - 1, 8), "none");
  EXPECT_EQ(read(2, kBegin, 8), "none");
}

TEST_F(NewestBytesTest, what_was_written_over_is_gone) {
  uint64_t end = kBegin;
  for (; end < kBegin + 3 * kNewestRingBytes; end += 1000) show(1, end, 1000);
  const uint64_t begin = end - kNewestRingBytes;
  EXPECT_EQ(read(1, begin, kNewestRingBytes), "right");
  EXPECT_EQ(read(1, begin - 8, 8), "none");
  EXPECT_EQ(read(1, begin - 1, 8), "none");
  EXPECT_EQ(read(1, end - 8, 8), "right");
}

TEST_F(NewestBytesTest, another_segment_and_a_gap_begin_anew) {
  show(1, kBegin, 800);
  show(2, kBegin, 80);
  EXPECT_EQ(read(1, kBegin, 80), "none");
  EXPECT_EQ(read(2, kBegin, 80), "right");
  EXPECT_EQ(read(2, kBegin + 80, 8), "none");
  show(2, kBegin + 4096, 80);
  EXPECT_EQ(read(2, kBegin, 80), "none");
  EXPECT_EQ(read(2, kBegin + 80, 8), "none");
  EXPECT_EQ(read(2, kBegin + 4096, 80), "right");
}

TEST_F(NewestBytesTest, large_frame_is_left_out_and_those_behind_it_are_not) {
  show(1, kBegin, 800);
  show(1, kBegin + 800, kNewestRingBytes + 8);
  EXPECT_EQ(read(1, kBegin, 8), "none");
  const uint64_t end = kBegin + 800 + kNewestRingBytes + 8;
  EXPECT_EQ(read(1, end - 8, 8), "none");
  show(1, end, kNewestRingBytes);
  EXPECT_EQ(read(1, end, kNewestRingBytes), "right");
  EXPECT_EQ(read(1, end - 8, 8), "none");
}

TEST_F(NewestBytesTest, nothing_is_there_once_it_was_cleared) {
  show(1, kBegin, 800);
  newest_.clear();
  EXPECT_EQ(read(1, kBegin, 8), "none");
  show(1, kBegin + 800, 80);
  EXPECT_EQ(read(1, kBegin, 8), "none");
  EXPECT_EQ(read(1, kBegin + 800, 80), "right");
}

/// The reader asks for the oldest bytes that may be there, which go first.
TEST_F(NewestBytesTest, reader_beside_the_writer_gets_right_bytes_or_none) {
  constexpr int kFrames = 40'000;
  constexpr uint64_t kNumberUnit = 1ULL << 40;
  std::atomic<uint64_t> durable = 0;  // number and end in one
  std::atomic<bool> is_over = false;
  uint64_t right = 0;
  std::string wrong;
  std::thread reader([&] {
    std::minstd_rand random(2);
    std::vector<std::byte> out;
    while (!is_over.load() && wrong.empty()) {
      const uint64_t seen = durable.load(std::memory_order_acquire);
      const uint64_t number = seen / kNumberUnit;
      const uint64_t end = seen % kNumberUnit;
      if (number == 0) continue;
      const uint64_t length = std::min<uint64_t>(end - kBegin, kNewestRingBytes - random() % 2048);
      out.resize(std::min<uint64_t>(length, 1 + random() % 3000));
      if (!read_newest(memory_.span(), number, end - length, out)) continue;
      ++right;
      if (out != bytes_of(number, end - length, out.size())) {
        wrong = std::to_string(number) + " at " + std::to_string(end - length);
      }
    }
  });
  std::minstd_rand random(1);
  uint64_t number = 1;
  uint64_t end = kBegin;
  for (int i = 0; i < kFrames; ++i) {
    if (end > kBegin + 4 * kNewestRingBytes) {
      ++number;
      end = kBegin;
    }
    const size_t count = 8 * (1 + random() % 256);
    show(number, end, count);
    end += count;
    durable.store(number * kNumberUnit + end, std::memory_order_release);
  }
  is_over.store(true);
  reader.join();
  EXPECT_EQ(wrong, "");
  EXPECT_GT(right, 0U);
}

}  // namespace
}  // namespace writeahead::internal
