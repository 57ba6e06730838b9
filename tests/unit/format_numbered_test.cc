// Records with a mark and frames with a producer table: what verifies and what does not.
// Buffers are exactly as long as what they hold, so that AddressSanitizer sees a read outside.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/checksum.h"
#include "format/frame.h"

namespace writeahead::internal {
namespace {

using Bytes = std::vector<std::byte>;

const SegmentBinding kBinding = SegmentBinding::of(Identifier{std::byte{7}}, 3);
constexpr Lsn kLsn{4096};

bool is_whole(const Bytes& frame) {
  const auto header = decode_frame_header(frame, kLsn, kBinding);
  if (!header || header->length != frame.size()) return false;
  FrameWalk walk(*header, frame, kBinding);
  while (walk.next()) {
  }
  return walk.is_whole();
}

/// A record with a mark, as it stands at kLsn.
Bytes marked_record(std::string_view payload, const ProducerNumber& mark) {
  const auto bytes = std::as_bytes(std::span(payload));
  Bytes record(encoded_record_bytes(payload.size(), mark));
  encode_record(bytes, 9, mark, record);
  RecordHeader header = decode_record_header(record);
  header.checksum =
      record_checksum(marked_hash(payload_hash(bytes), mark), kLsn, header, kBinding.segment_seed);
  encode_record_header(header, record);
  return record;
}

TEST(NumberedFormat, record_with_a_mark_verifies_with_every_bit_as_it_was) {
  const ProducerNumber mark{.producer = 0x1122334455667788, .number = 77};
  for (size_t length = 0; length < 20; ++length) {
    const std::string payload(length, 'p');
    const Bytes sound = marked_record(payload, mark);
    const auto record = verify_record(sound, kLsn, kBinding.segment_seed);
    ASSERT_EQ(record.encoded_bytes, sound.size());
    EXPECT_EQ(record.mark(), mark);
    EXPECT_TRUE(std::ranges::equal(record.payload(), std::as_bytes(std::span(payload))));
    EXPECT_EQ(record.payload_hash(),
              marked_hash(payload_hash(std::as_bytes(std::span(payload))), mark));
    for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
      Bytes bytes = sound;
      bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      EXPECT_EQ(verify_record(bytes, kLsn, kBinding.segment_seed).encoded_bytes, 0U) << bit;
    }
  }
}

TEST(NumberedFormat, mark_that_is_cut_off_does_not_verify) {
  for (uint32_t length = 0; length < kMarkBytes; ++length) {
    Bytes bytes(encoded_record_bytes(length));
    RecordHeader header{.length = length, .type = 0, .flags = kNumberedFlag, .checksum = 0};
    const auto content = std::span(bytes).subspan(kRecordHeaderBytes, length);
    header.checksum = record_checksum(payload_hash(content), kLsn, header, kBinding.segment_seed);
    encode_record_header(header, bytes);
    EXPECT_EQ(verify_record(bytes, kLsn, kBinding.segment_seed).encoded_bytes, 0U) << length;
  }
}

/// A frame with a producer table of so many entries and one record with a mark.
Bytes frame_with_table(uint32_t entries) {
  FrameHeader header;
  header.segment_number = kBinding.number;
  header.lsn = kLsn;
  header.table_bytes = static_cast<uint32_t>(entries * kProducerEntryBytes);
  Bytes frame(header.records_begin());
  for (uint32_t i = 0; i < entries; ++i) {
    const ProducerEntry entry{
        .last = {.producer = i, .number = 5},
        .range = {.first_lsn = Lsn(100 + i * 8), .end_lsn = Lsn(108 + i * 8), .first_ordinal = i}};
    encode_producer_entry(entry,
                          std::span(frame).subspan(kFrameHeaderBytes + i * kProducerEntryBytes));
  }
  RecordRun run = begin_run(header, frame, 0);
  const Mark mark = ProducerNumber{.producer = 3, .number = 6};
  frame.resize(frame.size() + encoded_record_bytes(5, mark));
  encode_record(std::as_bytes(std::span(std::string_view("hello"))), 1, mark,
                std::span(frame).subspan(run.end));
  add_to_run(run, frame, kLsn, kBinding.segment_seed,
             marked_hash(payload_hash(std::as_bytes(std::span(std::string_view("hello")))), *mark));
  header.length = frame.size();
  header.record_count = 1;
  header.body_checksum = run.body_checksum;
  encode_frame_header(header, kBinding, frame);
  return frame;
}

TEST(NumberedFormat, frame_with_a_table_verifies_with_every_bit_as_it_was) {
  for (const uint32_t entries : {0U, 1U, 3U}) {
    const Bytes sound = frame_with_table(entries);
    ASSERT_TRUE(is_whole(sound));
    const auto header = decode_frame_header(sound, kLsn, kBinding);
    FrameWalk walk(*header, sound, kBinding);
    ASSERT_TRUE(walk.next());
    EXPECT_EQ(walk.lsn(), kLsn + header->records_begin());
    EXPECT_EQ(walk.record().mark(), (ProducerNumber{.producer = 3, .number = 6}));
    FrameWalk skipping(*header, sound, kBinding);
    while (skipping.skip()) {
    }
    EXPECT_TRUE(skipping.is_whole());
    EXPECT_TRUE(verify_frame(*header, sound, kBinding, 0).is_whole);
    for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
      Bytes bytes = sound;
      bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      EXPECT_FALSE(is_whole(bytes)) << "bit " << bit;
    }
  }
}

}  // namespace
}  // namespace writeahead::internal
