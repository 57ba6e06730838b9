// Frames and records: round trips, and everything that must not verify.
// Buffers are exactly as long as what they hold, so that AddressSanitizer sees a read outside.
#include "format/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "format/checksum.h"

namespace writeahead::internal {
namespace {

using Bytes = std::vector<std::byte>;

Identifier log_id(uint8_t fill) {
  Identifier id{};
  id.fill(static_cast<std::byte>(fill));
  return id;
}
const SegmentBinding kBinding = SegmentBinding::of(log_id(7), 3);
constexpr Lsn kLsn{4096};

FrameHeader sample_frame_header() {
  return {.kind = FrameKind::data,
          .length = 4000,
          .epoch = 5,
          .segment_number = 3,
          .lsn = kLsn,
          .watermark = Lsn(4000),
          .time_ns = 1'700'000'000'000'000'000,
          .first_ordinal = 77,
          .record_count = 2,
          .body_checksum = 0x0123456789abcdef};
}

Bytes encoded_header(const FrameHeader& header = sample_frame_header()) {
  Bytes bytes(kFrameHeaderBytes);
  encode_frame_header(header, kBinding, bytes);
  return bytes;
}

void fix_header_checksum(Bytes& bytes) {
  const auto covered = std::span(bytes).first(frame_field::header_checksum.offset);
  frame_field::header_checksum.store(bytes, checksum(covered, kBinding.log_seed));
}

void append_record(Bytes& out, std::string_view payload, Lsn frame_lsn, uint16_t type = 0) {
  const size_t at = out.size();
  const auto bytes = std::as_bytes(std::span(payload));
  out.resize(at + encoded_record_bytes(payload.size()));
  RecordHeader header{.length = static_cast<uint32_t>(payload.size()), .type = type};
  header.checksum =
      record_checksum(payload_hash(bytes), frame_lsn + at, header, kBinding.segment_seed);
  encode_record_header(header, std::span(out).subspan(at));
  std::ranges::copy(bytes, out.begin() + static_cast<ptrdiff_t>(at + kRecordHeaderBytes));
}

/// A frame with these payloads and so much zero padding behind them.
Bytes frame_of(const std::vector<std::string>& payloads, uint64_t padding = 0) {
  Bytes frame(kFrameHeaderBytes);
  FrameHeader header = sample_frame_header();
  header.body_checksum = 0;
  for (const std::string& payload : payloads) {
    const size_t at = frame.size();
    append_record(frame, payload, kLsn, static_cast<uint16_t>(payload.size()));
    header.body_checksum = extend_body_checksum(header.body_checksum, std::span(frame).subspan(at));
  }
  frame.resize(frame.size() + padding);
  header.length = frame.size();
  header.record_count = static_cast<uint32_t>(payloads.size());
  encode_frame_header(header, kBinding, frame);
  return frame;
}

bool is_whole(const Bytes& frame, const SegmentBinding& binding = kBinding, Lsn lsn = kLsn) {
  const auto header = decode_frame_header(frame, lsn, binding);
  if (!header || header->length != frame.size()) return false;
  FrameWalk walk(*header, frame, binding);
  while (walk.next()) {
  }
  return walk.is_whole();
}

TEST(FrameFormat, header_round_trip_keeps_every_field) {
  const FrameHeader header = sample_frame_header();
  const auto decoded = decode_frame_header(encoded_header(), kLsn, kBinding);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->kind, header.kind);
  EXPECT_EQ(decoded->length, header.length);
  EXPECT_EQ(decoded->epoch, header.epoch);
  EXPECT_EQ(decoded->segment_number, header.segment_number);
  EXPECT_EQ(decoded->lsn, header.lsn);
  EXPECT_EQ(decoded->watermark, header.watermark);
  EXPECT_EQ(decoded->time_ns, header.time_ns);
  EXPECT_EQ(decoded->first_ordinal, header.first_ordinal);
  EXPECT_EQ(decoded->record_count, header.record_count);
  EXPECT_EQ(decoded->body_checksum, header.body_checksum);
}

TEST(FrameFormat, header_with_any_bit_flipped_does_not_verify) {
  const Bytes sound = encoded_header();
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    Bytes bytes = sound;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(decode_frame_header(bytes, kLsn, kBinding)) << "bit " << bit;
  }
}

TEST(FrameFormat, header_of_another_place_segment_or_log_does_not_verify) {
  const Bytes bytes = encoded_header();
  EXPECT_TRUE(decode_frame_header(bytes, kLsn, kBinding));
  EXPECT_FALSE(decode_frame_header(bytes, Lsn(4104), kBinding));
  EXPECT_FALSE(decode_frame_header(bytes, Lsn(0), kBinding));
  EXPECT_FALSE(decode_frame_header(bytes, kLsn, SegmentBinding::of(log_id(7), 4)));
  EXPECT_FALSE(decode_frame_header(bytes, kLsn, SegmentBinding::of(log_id(8), 3)));
}

TEST(FrameFormat, header_with_fewer_bytes_than_it_takes_does_not_verify) {
  const Bytes sound = encoded_header();
  for (size_t count = 0; count < sound.size(); ++count) {
    const Bytes bytes(sound.begin(), sound.begin() + static_cast<ptrdiff_t>(count));
    EXPECT_FALSE(decode_frame_header(bytes, kLsn, kBinding)) << count;
  }
}

/// What a field's value means when the checksum is right: each rule of docs/format.md by name.
TEST(FrameFormat, header_whose_checksum_is_right_is_judged_field_by_field) {
  struct Case {
    const char* name;
    void (*change)(std::span<std::byte>);
    bool verifies;
  };
  const std::vector<Case> cases = {
      {"magic", [](auto b) { frame_field::magic.store(b, kFrameMagic + 1); }, false},
      {"kind 0", [](auto b) { frame_field::kind.store(b, 0); }, false},
      {"kind 3", [](auto b) { frame_field::kind.store(b, 3); }, false},
      {"kind seal", [](auto b) { frame_field::kind.store(b, 2); }, true},
      {"flags", [](auto b) { frame_field::flags.store(b, 1); }, false},
      {"length below the header", [](auto b) { frame_field::length.store(b, 80); }, false},
      {"length 0", [](auto b) { frame_field::length.store(b, 0); }, false},
      {"length odd", [](auto b) { frame_field::length.store(b, 4004); }, false},
      {"length huge", [](auto b) { frame_field::length.store(b, ~uint64_t{7}); }, true},
      {"epoch", [](auto b) { frame_field::epoch.store(b, 6); }, true},
      {"segment_number", [](auto b) { frame_field::segment_number.store(b, 4); }, false},
      {"lsn", [](auto b) { frame_field::lsn.store(b, 4104); }, false},
      {"watermark at the frame", [](auto b) { frame_field::watermark.store(b, 4096); }, true},
      {"watermark above it", [](auto b) { frame_field::watermark.store(b, 4097); }, false},
      {"time_ns", [](auto b) { frame_field::time_ns.store(b, 0); }, true},
      {"first_ordinal", [](auto b) { frame_field::first_ordinal.store(b, 0); }, true},
      {"record_count", [](auto b) { frame_field::record_count.store(b, ~uint32_t{0}); }, true},
      {"table_bytes of no whole entry", [](auto b) { frame_field::table_bytes.store(b, 1); },
       false},
      {"table_bytes of one", [](auto b) { frame_field::table_bytes.store(b, 40); }, true},
      {"table_bytes of all", [](auto b) { frame_field::table_bytes.store(b, 3880); }, true},
      {"table_bytes beyond", [](auto b) { frame_field::table_bytes.store(b, 3920); }, false},
      {"table_bytes of too many",
       [](auto b) {
         frame_field::length.store(b, 1 << 20);
         frame_field::table_bytes.store(b, 400'040);
       },
       false},
      {"table_bytes of a seal",
       [](auto b) {
         frame_field::kind.store(b, 2);
         frame_field::table_bytes.store(b, 40);
       },
       false},
      {"body_checksum", [](auto b) { frame_field::body_checksum.store(b, 0); }, true},
  };
  for (const Case& c : cases) {
    Bytes bytes = encoded_header();
    c.change(bytes);
    fix_header_checksum(bytes);
    EXPECT_EQ(decode_frame_header(bytes, kLsn, kBinding).has_value(), c.verifies) << c.name;
  }
}

TEST(FrameFormat, walk_hands_out_records_of_every_length_and_their_places) {
  const std::vector<std::string> payloads = {"", "1", "1234567", "12345678", "123456789", ""};
  const Bytes frame = frame_of(payloads, 64);
  const auto header = decode_frame_header(frame, kLsn, kBinding);
  ASSERT_TRUE(header);
  FrameWalk walk(*header, frame, kBinding);
  FrameWalk skipping(*header, frame, kBinding);
  Lsn lsn = kLsn + kFrameHeaderBytes;
  for (const std::string& payload : payloads) {
    ASSERT_TRUE(walk.next());
    ASSERT_TRUE(skipping.skip());
    const auto bytes = walk.record().payload();
    EXPECT_TRUE(std::ranges::equal(bytes, std::as_bytes(std::span(payload))));
    EXPECT_EQ(walk.record().header.type, payload.size());
    EXPECT_EQ(walk.lsn(), lsn);
    EXPECT_EQ(skipping.lsn(), lsn);
    lsn = lsn + encoded_record_bytes(payload.size());
    EXPECT_EQ(walk.end_lsn(), lsn);
  }
  EXPECT_FALSE(walk.is_whole());
  EXPECT_FALSE(walk.next());
  EXPECT_TRUE(walk.is_whole());
  EXPECT_FALSE(skipping.skip());
  EXPECT_TRUE(skipping.is_whole());
}

/// So many that a walk verifies them in several goes, of lengths with and without padding.
std::vector<std::string> many_payloads() {
  std::vector<std::string> payloads;
  for (size_t i = 0; i < 300; ++i) payloads.push_back(std::string(i * 7 % 300, 'a'));
  return payloads;
}

TEST(FrameFormat, records_before_a_damaged_one_are_shown_wherever_it_stands) {
  const auto payloads = many_payloads();
  const Bytes sound = frame_of(payloads);
  const auto header = decode_frame_header(sound, kLsn, kBinding).value();
  size_t at = kFrameHeaderBytes;
  for (size_t damaged = 0; damaged < payloads.size(); ++damaged) {
    Bytes frame = sound;
    frame[at + kRecordHeaderBytes - 1] ^= std::byte{1};
    FrameWalk walk(header, frame, kBinding);
    size_t shown = 0;
    while (walk.next()) ++shown;
    EXPECT_EQ(shown, damaged);
    EXPECT_FALSE(walk.is_whole());
    EXPECT_FALSE(walk.next());
    const auto verified = verify_frame(header, frame, kBinding, 0);
    EXPECT_EQ(verified.run.records, damaged);
    EXPECT_EQ(verified.run.end, at);
    EXPECT_FALSE(verified.is_whole);
    at += encoded_record_bytes(payloads[damaged].size());
  }
}

TEST(FrameFormat, frame_that_is_verified_in_one_go_has_the_digest_of_its_records) {
  const auto payloads = many_payloads();
  const Bytes frame = frame_of(payloads, 64);
  const auto header = decode_frame_header(frame, kLsn, kBinding).value();
  for (const size_t skipped : {0U, 1U, 5U, 100U, 300U}) {
    uint64_t digest = 7;
    FrameWalk walk(header, frame, kBinding);
    for (size_t i = 0; i < payloads.size(); ++i) {
      ASSERT_TRUE(i < skipped ? walk.skip() : walk.next()) << i;
      digest = extend_digest(digest, walk.record().header.checksum);
    }
    EXPECT_FALSE(walk.next());
    EXPECT_TRUE(walk.is_whole()) << skipped;
    const auto verified = verify_frame(header, frame, kBinding, 7);
    EXPECT_EQ(verified.run.digest, digest);
    EXPECT_TRUE(verified.is_whole);
  }
}

TEST(FrameFormat, walk_of_a_verified_frame_shows_the_same_and_never_leads_outside) {
  const auto payloads = many_payloads();
  const Bytes sound = frame_of(payloads, 64);
  const auto header = decode_frame_header(sound, kLsn, kBinding).value();
  FrameWalk walk(header, sound, kBinding, FrameTrust::is_verified);
  for (const std::string& payload : payloads) {
    ASSERT_TRUE(walk.next());
    EXPECT_TRUE(std::ranges::equal(walk.record().payload(), std::as_bytes(std::span(payload))));
  }
  EXPECT_FALSE(walk.next());
  EXPECT_TRUE(walk.is_whole());
  // Memory that went bad meanwhile.
  for (const uint32_t length : {100'000U, ~0U}) {
    Bytes frame = sound;
    record_field::length.store(std::span(frame).subspan(kFrameHeaderBytes), length);
    FrameWalk damaged(header, frame, kBinding, FrameTrust::is_verified);
    EXPECT_FALSE(damaged.next());
    EXPECT_FALSE(damaged.is_whole());
  }
}

TEST(FrameFormat, body_with_any_bit_flipped_does_not_verify) {
  const Bytes sound = frame_of({"", "abc", "0123456789"}, 16);
  ASSERT_TRUE(is_whole(sound));
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    Bytes frame = sound;
    frame[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_FALSE(is_whole(frame)) << "bit " << bit;
  }
}

TEST(FrameFormat, records_that_are_swapped_or_left_out_break_the_frame) {
  const Bytes sound = frame_of({"aaaaaaaa", "bbbbbbbb"});
  Bytes swapped = sound;
  std::rotate(swapped.begin() + kFrameHeaderBytes, swapped.begin() + kFrameHeaderBytes + 24,
              swapped.end());
  EXPECT_FALSE(is_whole(swapped));
  // One record fewer, with a header that says so, but the body checksum of both.
  Bytes shorter(sound.begin(), sound.begin() + kFrameHeaderBytes + 24);
  frame_field::length.store(shorter, shorter.size());
  frame_field::record_count.store(shorter, 1);
  fix_header_checksum(shorter);
  EXPECT_FALSE(is_whole(shorter));
}

TEST(FrameFormat, record_count_above_what_is_there_ends_the_walk) {
  for (const uint32_t count : {2U, 3U, ~0U}) {
    Bytes frame = frame_of({"only one"}, 40);
    frame_field::record_count.store(frame, count);
    fix_header_checksum(frame);
    EXPECT_FALSE(is_whole(frame)) << count;
  }
}

TEST(FrameFormat, record_that_is_skipped_never_leads_outside) {
  for (const uint32_t length : {9U, 100U, ~0U}) {
    Bytes frame = frame_of({"only one"});
    record_field::length.store(std::span(frame).subspan(kFrameHeaderBytes), length);
    const auto header = decode_frame_header(frame, kLsn, kBinding).value();
    FrameWalk walk(header, frame, kBinding);
    EXPECT_FALSE(walk.skip()) << length;
    EXPECT_FALSE(walk.is_whole()) << length;
  }
}

TEST(RecordFormat, lengths_at_the_borders_never_lead_outside) {
  constexpr uint32_t kMax = ~uint32_t{0};
  for (const size_t room : {0, 1, 7, 8, 15, 16, 17, 24, 32, 100}) {
    for (const uint32_t length : {0U, 1U, 7U, 8U, 9U, 84U, 85U, 100U, kMax - 7, kMax - 1, kMax}) {
      Bytes bytes(room);
      const RecordHeader header{.length = length, .type = 1, .flags = 0, .checksum = 1};
      if (room >= kRecordHeaderBytes) encode_record_header(header, bytes);
      EXPECT_EQ(verify_record(bytes, kLsn, 1).encoded_bytes, 0U) << room << " " << length;
    }
  }
  EXPECT_EQ(encoded_record_bytes(kMax), 16 + (uint64_t{1} << 32));
}

TEST(RecordFormat, record_is_bound_to_its_place_and_segment) {
  Bytes frame(kFrameHeaderBytes);
  append_record(frame, "payload", kLsn, 9);
  const auto record = std::span(frame).subspan(kFrameHeaderBytes);
  const Lsn lsn = kLsn + kFrameHeaderBytes;
  const auto verified = verify_record(record, lsn, kBinding.segment_seed);
  EXPECT_EQ(verified.encoded_bytes, 24U);
  EXPECT_EQ(verified.header.type, 9);
  EXPECT_EQ(verify_record(record, lsn + 8, kBinding.segment_seed).encoded_bytes, 0U);
  const auto other_segment = SegmentBinding::of(log_id(7), 4);
  EXPECT_EQ(verify_record(record, lsn, other_segment.segment_seed).encoded_bytes, 0U);
  const auto other_log = SegmentBinding::of(log_id(8), 3);
  EXPECT_EQ(verify_record(record, lsn, other_log.segment_seed).encoded_bytes, 0U);
}

TEST(RecordFormat, padding_that_is_not_zero_breaks_the_record_whatever_its_checksum) {
  for (size_t length = 0; length <= 8; ++length) {
    Bytes frame(kFrameHeaderBytes);
    append_record(frame, std::string(length, 'x'), kLsn);
    for (size_t at = kFrameHeaderBytes + 16 + length; at < frame.size(); ++at) {
      Bytes changed = frame;
      changed[at] = std::byte{1};
      const auto record = std::span(changed).subspan(kFrameHeaderBytes);
      EXPECT_EQ(
          verify_record(record, kLsn + kFrameHeaderBytes, kBinding.segment_seed).encoded_bytes, 0U);
    }
  }
}

TEST(RecordFormat, unknown_flag_does_not_verify_even_with_its_checksum) {
  Bytes bytes(kRecordHeaderBytes);
  RecordHeader header{.length = 0, .type = 0, .flags = 0x8000, .checksum = 0};
  header.checksum = record_checksum(payload_hash({}), kLsn, header, kBinding.segment_seed);
  encode_record_header(header, bytes);
  EXPECT_EQ(verify_record(bytes, kLsn, kBinding.segment_seed).encoded_bytes, 0U);
}

}  // namespace
}  // namespace writeahead::internal
