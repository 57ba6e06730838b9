// Seals, the sparse index in them, and the sizes of segments that keep room for them.
// The bound of the index is what makes room for a seal certain: it is tried with the worst frames.
#include "format/seal.h"

#include <gtest/gtest.h>

#include <vector>

#include "format/checksum.h"
#include "segment/segment_scan.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

using Bytes = std::vector<std::byte>;

const SegmentBinding kSealBinding = SegmentBinding::of(Identifier{std::byte{1}}, 3);

Seal sample_seal(size_t entries) {
  Seal seal{.end_lsn = Lsn(1 << 20),
            .records = 99,
            .first_time_ns = 1000,
            .last_time_ns = 2000,
            .digest = 0xd19e57,
            .index = {}};
  for (size_t i = 0; i < entries; ++i) {
    seal.index.push_back({.lsn = Lsn(i * kIndexInterval), .first_ordinal = i, .time_ns = 1000 + i});
  }
  return seal;
}

Bytes encoded(const Seal& seal) {
  FrameHeader header;
  header.epoch = 2;
  header.segment_number = 3;
  header.first_ordinal = 99;
  return encode_seal(seal, header, kSealBinding);
}

std::optional<Seal> decoded(const Bytes& frame) {
  const auto header = decode_frame_header(frame, Lsn(1 << 20), kSealBinding);
  if (!header || header->length > frame.size()) return std::nullopt;
  return decode_seal(*header, std::span(frame).first(header->length));
}

/// Makes header and body checksums right after a change to the body.
void fix_checksums(Bytes& frame) {
  frame_field::body_checksum.store(frame, checksum(std::span(frame).subspan(kFrameHeaderBytes), 0));
  const auto covered = std::span(frame).first(frame_field::header_checksum.offset);
  frame_field::header_checksum.store(frame, checksum(covered, kSealBinding.log_seed));
}

TEST(SealFormat, round_trip_keeps_everything) {
  for (const size_t entries : {0, 1, 2, 200}) {
    const Seal seal = sample_seal(entries);
    const Bytes frame = encoded(seal);
    EXPECT_EQ(frame.size(), seal_frame_bytes(entries));
    const auto back = decoded(frame);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->end_lsn, seal.end_lsn);
    EXPECT_EQ(back->records, seal.records);
    EXPECT_EQ(back->first_time_ns, seal.first_time_ns);
    EXPECT_EQ(back->last_time_ns, seal.last_time_ns);
    EXPECT_EQ(back->digest, seal.digest);
    EXPECT_EQ(back->index, seal.index);
  }
}

TEST(SealFormat, any_bit_flipped_makes_it_absent) {
  const Bytes sound = encoded(sample_seal(2));
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    Bytes frame = sound;
    frame[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(decoded(frame)) << "bit " << bit;
  }
}

TEST(SealFormat, body_whose_checksums_are_right_is_judged_field_by_field) {
  const auto verdict_of = [](auto field, uint64_t value) {
    Bytes frame = encoded(sample_seal(2));
    using Value = decltype(field.load(frame));
    field.store(std::span(frame).subspan(kFrameHeaderBytes), static_cast<Value>(value));
    fix_checksums(frame);
    return decoded(frame).has_value();
  };
  EXPECT_FALSE(verdict_of(seal_field::end_lsn, 8));
  EXPECT_FALSE(verdict_of(seal_field::index_count, 1));
  EXPECT_FALSE(verdict_of(seal_field::index_count, 3));
  EXPECT_FALSE(verdict_of(seal_field::index_count, ~uint64_t{0}));
  EXPECT_FALSE(verdict_of(seal_field::reserved, 1));
  EXPECT_TRUE(verdict_of(seal_field::records, 0));
  EXPECT_TRUE(verdict_of(seal_field::digest, 0));
}

TEST(SealFormat, frame_of_another_kind_or_too_short_for_a_body_is_no_seal) {
  Bytes frame = encoded(sample_seal(1));
  frame_field::kind.store(frame, 1);
  fix_checksums(frame);
  EXPECT_FALSE(decoded(frame));
  for (uint64_t length = kFrameHeaderBytes; length < seal_frame_bytes(0); length += 8) {
    Bytes cut = encoded(sample_seal(0));
    cut.resize(length);
    frame_field::length.store(cut, length);
    fix_checksums(cut);
    EXPECT_FALSE(decoded(cut)) << length;
  }
}

TEST(SparseIndex, never_has_more_entries_than_the_reserve_counts) {
  // The densest index: frames that begin exactly an interval apart, or just behind it.
  for (const uint64_t step : {uint64_t{8}, uint64_t{96}, kIndexInterval - 8, kIndexInterval,
                              kIndexInterval + 8, 3 * kIndexInterval}) {
    std::vector<IndexEntry> index;
    index.reserve(1000);
    FrameHeader header;
    for (Lsn lsn; lsn < Lsn(50 * kIndexInterval); lsn = lsn + step) {
      header.lsn = lsn;
      add_to_index(index, header);
      const uint64_t frame_bytes = (lsn - Lsn(0)) + kFrameHeaderBytes;
      ASSERT_LE(seal_frame_bytes(index.size()), seal_reserve_bytes(frame_bytes)) << step;
    }
    for (size_t i = 1; i < index.size(); ++i) {
      ASSERT_GE(index[i].lsn - index[i - 1].lsn, kIndexInterval);
    }
  }
}

/// All sizes that matter: every block up to 8 MiB, and around each step of the reserve's blocks.
std::vector<uint64_t> segment_sizes() {
  std::vector<uint64_t> sizes;
  for (uint64_t size = kMinSegmentBytes; size < (8ULL << 20); size += 1364) sizes.push_back(size);
  // 24 bytes an interval: a block of reserve fills after about 171 intervals.
  for (uint64_t intervals = 160; intervals < 180; ++intervals) {
    for (int64_t blocks = -3; blocks <= 3; ++blocks) {
      sizes.push_back(kSegmentHeaderBytes + intervals * kIndexInterval +
                      static_cast<uint64_t>(blocks * static_cast<int64_t>(kBlockBytes)));
    }
  }
  for (uint64_t size = 1ULL << 24; size <= (1ULL << 40); size *= 2) {
    for (const uint64_t more : {0ULL, 1ULL, 4095ULL, 4096ULL, 65536ULL})
      sizes.push_back(size + more);
  }
  return sizes;
}

TEST(SegmentSize, file_holds_the_segment_and_the_seal_and_no_block_more) {
  for (const uint64_t size : segment_sizes()) {
    const uint64_t prepared = prepared_bytes_for(size);
    const uint64_t data_end = round_up(size, kBlockBytes);
    EXPECT_EQ(prepared % kBlockBytes, 0U);
    const uint64_t reserve = seal_reserve_bytes(data_end - kSegmentHeaderBytes);
    EXPECT_GE(prepared, data_end + reserve) << size;
    EXPECT_LT(prepared, data_end + reserve + kBlockBytes) << size;
  }
}

TEST(SegmentSize, limit_of_the_frames_is_the_size_that_was_asked_for) {
  for (const uint64_t size : segment_sizes()) {
    const uint64_t prepared = prepared_bytes_for(size);
    EXPECT_GE(frames_end_limit(prepared), round_up(size, kBlockBytes)) << size;
  }
}

TEST(SegmentSize, limit_of_the_frames_leaves_room_for_the_seal_in_any_file) {
  std::vector<uint64_t> files = segment_sizes();
  for (uint64_t bytes = kSegmentHeaderBytes + 1; bytes < kSegmentHeaderBytes + 600; ++bytes) {
    files.push_back(bytes);
  }
  files.push_back(1ULL << 62);
  for (const uint64_t prepared : files) {
    const uint64_t limit = frames_end_limit(prepared);
    EXPECT_EQ(limit % kBlockBytes, 0U);
    if (limit <= kSegmentHeaderBytes) continue;  // No room for a frame.
    const uint64_t reserve = seal_reserve_bytes(limit - kSegmentHeaderBytes);
    EXPECT_LE(limit + reserve, prepared) << prepared;
    const uint64_t next = limit + kBlockBytes;
    EXPECT_GT(next + seal_reserve_bytes(next - kSegmentHeaderBytes), prepared) << prepared;
  }
}

}  // namespace
}  // namespace writeahead::internal
