// Segment header, root slot and names of segments: round trips, and every change to one field.
// A block verifies whole or not at all; with its checksum made right each field has its own rule.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "format/checksum.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "format/segment_name.h"

namespace writeahead::internal {
namespace {

using Bytes = std::vector<std::byte>;

SegmentHeader sample_header() {
  SegmentHeader header{.cause = SegmentCause::rotate,
                       .log_id = {},
                       .number = 9,
                       .epoch = 4,
                       .base_lsn = Lsn(123456),
                       .base_ordinal = 789,
                       .prepared_bytes = 1 << 20,
                       .created_ns = 1'700'000'000'000'000'000,
                       .ignorable_features = 0x80,
                       .link = {.number = 8, .end_lsn = Lsn(123456), .digest = 0xfeed},
                       .link_end_ordinal = 787};
  header.log_id.fill(std::byte{0x5a});
  return header;
}

RootState sample_root(size_t holds = 2) {
  RootState root{.log_id = {},
                 .epoch = 12,
                 .is_clean = true,
                 .first = {.number = 5, .lsn = Lsn(50), .ordinal = 500},
                 .proven = {.number = 6, .lsn = Lsn(60)},
                 .truncation_count = 3,
                 .truncation = {.number = 6,
                                .base_lsn = Lsn(55),
                                .ordinal = 505,
                                .link = {.number = 5, .end_lsn = Lsn(55), .digest = 0xabcd}},
                 .ignorable_features = 0x40,
                 .holds = {}};
  root.log_id.fill(std::byte{0xa5});
  for (size_t i = 0; i < holds; ++i) {
    root.holds.push_back({.name = std::string(i % (kMaxHoldNameBytes + 1), 'h'), .lsn = Lsn(i)});
  }
  return root;
}

Bytes encoded(const SegmentHeader& header) {
  Bytes block(kSegmentHeaderBytes, std::byte{0xff});
  encode_segment_header(header, block);
  return block;
}
Bytes encoded(const RootState& root, uint64_t sequence = 31) {
  Bytes slot(kRootSlotBytes, std::byte{0xff});
  encode_root_slot(root, sequence, slot);
  return slot;
}

/// Both structures keep their checksum in the last eight bytes.
void fix_checksum(Bytes& block) {
  static_assert(root_field::checksum.offset == segment_field::checksum.offset);
  const auto covered = std::span(block).first(root_field::checksum.offset);
  root_field::checksum.store(block, checksum(covered, 0));
}

void flip(Bytes& block, size_t bit) { block[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8)); }

struct Case {
  std::string name;
  std::function<void(std::span<std::byte>)> change;
  HeaderState state;
};
template <class T>
Case set(std::string name, Field<T> field, uint64_t value, HeaderState state) {
  return {std::move(name), [=](auto block) { field.store(block, static_cast<T>(value)); }, state};
}

TEST(SegmentHeaderFormat, round_trip_keeps_every_field) {
  const SegmentHeader header = sample_header();
  const auto decoded = decode_segment_header(encoded(header));
  ASSERT_EQ(decoded.state, HeaderState::valid);
  EXPECT_EQ(decoded.header.cause, header.cause);
  EXPECT_EQ(decoded.header.log_id, header.log_id);
  EXPECT_EQ(decoded.header.number, header.number);
  EXPECT_EQ(decoded.header.epoch, header.epoch);
  EXPECT_EQ(decoded.header.base_lsn, header.base_lsn);
  EXPECT_EQ(decoded.header.base_ordinal, header.base_ordinal);
  EXPECT_EQ(decoded.header.prepared_bytes, header.prepared_bytes);
  EXPECT_EQ(decoded.header.created_ns, header.created_ns);
  EXPECT_EQ(decoded.header.ignorable_features, header.ignorable_features);
  EXPECT_EQ(decoded.header.link, header.link);
  EXPECT_EQ(decoded.header.link_end_ordinal, header.link_end_ordinal);
}

TEST(SegmentHeaderFormat, any_bit_flipped_makes_it_invalid) {
  const Bytes sound = encoded(sample_header());
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    Bytes block = sound;
    flip(block, bit);
    ASSERT_EQ(decode_segment_header(block).state, HeaderState::invalid) << "bit " << bit;
  }
}

TEST(SegmentHeaderFormat, zeros_and_short_blocks_are_told_apart_from_damage) {
  EXPECT_EQ(decode_segment_header(Bytes(kSegmentHeaderBytes)).state, HeaderState::zero);
  EXPECT_EQ(decode_segment_header(Bytes(kSegmentHeaderBytes - 1)).state, HeaderState::invalid);
  EXPECT_EQ(decode_segment_header({}).state, HeaderState::invalid);
}

TEST(SegmentHeaderFormat, header_whose_checksum_is_right_is_judged_field_by_field) {
  using namespace segment_field;
  constexpr uint64_t kTooFar = (uint64_t{1} << 62) + 1;
  const std::vector<Case> cases = {
      set("magic", magic, kSegmentMagic + 1, HeaderState::invalid),
      set("version 0", version, 0, HeaderState::unsupported),
      set("version 2", version, 2, HeaderState::unsupported),
      set("cause 0", cause, 0, HeaderState::invalid),
      set("cause 5", cause, 5, HeaderState::invalid),
      set("number 0", number, 0, HeaderState::invalid),
      set("number too far", number, kTooFar, HeaderState::invalid),
      set("number just near enough", number, kTooFar - 1, HeaderState::valid),
      set("epoch", epoch, 0, HeaderState::valid),
      set("epoch too far", epoch, kTooFar, HeaderState::invalid),
      set("base_lsn too far", base_lsn, kTooFar, HeaderState::invalid),
      set("base_ordinal too far", base_ordinal, kTooFar, HeaderState::invalid),
      set("prepared_bytes 0", prepared_bytes, 0, HeaderState::invalid),
      set("prepared_bytes of a header", prepared_bytes, 4096, HeaderState::invalid),
      set("prepared_bytes too far", prepared_bytes, kTooFar, HeaderState::invalid),
      set("created_ns", created_ns, 0, HeaderState::valid),
      set("required_features numbered", required_features, 1, HeaderState::valid),
      set("required_features low", required_features, 2, HeaderState::unsupported),
      set("required_features high", required_features, uint64_t{1} << 63, HeaderState::unsupported),
      set("ignorable_features", ignorable_features, ~uint64_t{0}, HeaderState::valid),
      set("link_number", link_number, 0, HeaderState::valid),
      set("link_end_lsn", link_end_lsn, 0, HeaderState::valid),
      set("link_digest", link_digest, 0, HeaderState::valid),
      set("link_end_ordinal", link_end_ordinal, 0, HeaderState::valid),
  };
  for (const Case& c : cases) {
    Bytes block = encoded(sample_header());
    c.change(block);
    EXPECT_EQ(decode_segment_header(block).state, HeaderState::invalid) << c.name;
    fix_checksum(block);
    EXPECT_EQ(decode_segment_header(block).state, c.state) << c.name;
  }
}

TEST(RootFormat, round_trip_keeps_every_field) {
  for (const size_t holds : {size_t{0}, size_t{1}, kMaxHolds}) {
    RootState root = sample_root(holds);
    root.is_copying = holds == 1;
    const auto decoded = decode_root_slot(encoded(root));
    ASSERT_EQ(decoded.state, HeaderState::valid);
    EXPECT_EQ(decoded.sequence, 31U);
    EXPECT_EQ(decoded.root.log_id, root.log_id);
    EXPECT_EQ(decoded.root.epoch, root.epoch);
    EXPECT_EQ(decoded.root.is_clean, root.is_clean);
    EXPECT_EQ(decoded.root.is_copying, root.is_copying);
    EXPECT_EQ(decoded.root.first, root.first);
    EXPECT_EQ(decoded.root.proven, root.proven);
    EXPECT_EQ(decoded.root.truncation_count, root.truncation_count);
    EXPECT_EQ(decoded.root.truncation, root.truncation);
    EXPECT_EQ(decoded.root.ignorable_features, root.ignorable_features);
    EXPECT_EQ(decoded.root.holds, root.holds);
  }
}

TEST(RootFormat, hold_names_of_every_length_come_back) {
  for (size_t length = 0; length <= kMaxHoldNameBytes; ++length) {
    RootState root = sample_root(0);
    root.holds = {{.name = std::string(length, 'n'), .lsn = Lsn(~uint64_t{0})}};
    EXPECT_EQ(decode_root_slot(encoded(root)).root.holds, root.holds);
  }
}

TEST(RootFormat, any_bit_flipped_makes_it_invalid) {
  const Bytes sound = encoded(sample_root(kMaxHolds));
  for (size_t bit = 0; bit < sound.size() * 8; ++bit) {
    Bytes slot = sound;
    flip(slot, bit);
    ASSERT_EQ(decode_root_slot(slot).state, HeaderState::invalid) << "bit " << bit;
  }
  EXPECT_EQ(decode_root_slot(Bytes(kRootSlotBytes)).state, HeaderState::zero);
  EXPECT_EQ(decode_root_slot(Bytes(kRootSlotBytes - 1)).state, HeaderState::invalid);
}

TEST(RootFormat, slot_whose_checksum_is_right_is_judged_field_by_field) {
  using namespace root_field;
  const auto in_hold = [](auto field, size_t index) {
    return decltype(field){static_cast<uint32_t>(holds.offset + index * kHoldBytes + field.offset)};
  };
  const std::vector<Case> cases = {
      set("magic", magic, kRootMagic + 1, HeaderState::invalid),
      set("version 0", version, 0, HeaderState::unsupported),
      set("version 2", version, 2, HeaderState::unsupported),
      set("unknown flag", flags, 0x80000000, HeaderState::valid),
      set("sequence", sequence, 0, HeaderState::valid),
      set("epoch", epoch, 0, HeaderState::valid),
      set("first_number 0", first_number, 0, HeaderState::invalid),
      set("first_number max", first_number, ~uint64_t{0}, HeaderState::invalid),
      set("first_lsn", first_lsn, 0, HeaderState::valid),
      set("first_ordinal", first_ordinal, 0, HeaderState::valid),
      set("proven_number", proven_number, 0, HeaderState::valid),
      set("proven_lsn", proven_lsn, 0, HeaderState::valid),
      set("truncation_count", truncation_count, 0, HeaderState::valid),
      set("truncation_number", truncation_number, 0, HeaderState::valid),
      set("truncation_base_lsn", truncation_base_lsn, 0, HeaderState::valid),
      set("truncation_ordinal", truncation_ordinal, 0, HeaderState::valid),
      set("truncation_link_number", truncation_link_number, 0, HeaderState::valid),
      set("truncation_link_end_lsn", truncation_link_end_lsn, 0, HeaderState::valid),
      set("truncation_link_digest", truncation_link_digest, 0, HeaderState::valid),
      set("copying", required_features, 1, HeaderState::valid),
      set("required_features", required_features, 2, HeaderState::unsupported),
      set("required_features high", required_features, uint64_t{1} << 63, HeaderState::unsupported),
      set("ignorable_features", ignorable_features, ~uint64_t{0}, HeaderState::valid),
      set("48 holds", hold_count, 48, HeaderState::valid),
      set("49 holds", hold_count, 49, HeaderState::invalid),
      set("hold_count max", hold_count, ~uint32_t{0}, HeaderState::invalid),
      set("hold name 55", in_hold(hold_field::name_bytes, 0), 55, HeaderState::valid),
      set("hold name 56", in_hold(hold_field::name_bytes, 0), 56, HeaderState::invalid),
      set("hold name 255", in_hold(hold_field::name_bytes, 1), 255, HeaderState::invalid),
      // Behind the holds that count nothing is looked at.
      set("hold that does not count", in_hold(hold_field::name_bytes, 2), 255, HeaderState::valid),
  };
  for (const Case& c : cases) {
    Bytes slot = encoded(sample_root());
    c.change(slot);
    EXPECT_EQ(decode_root_slot(slot).state, HeaderState::invalid) << c.name;
    fix_checksum(slot);
    EXPECT_EQ(decode_root_slot(slot).state, c.state) << c.name;
  }
}

TEST(SegmentName, number_has_one_name_and_the_name_leads_back) {
  EXPECT_EQ(segment_name(7), "00000000000000000007.wal");
  for (const uint64_t number : {uint64_t{1}, uint64_t{10}, uint64_t{1} << 63, ~uint64_t{0}}) {
    EXPECT_EQ(parse_segment_name(segment_name(number)), number);
    EXPECT_EQ(segment_name(number).size(), 24U);
  }
}

TEST(SegmentName, any_other_name_is_none) {
  for (const char* name : {"",
                           ".wal",
                           "1.wal",
                           "01.wal",
                           "0000000000000000001.wal",
                           "000000000000000000001.wal",
                           "00000000000000000000.wal",
                           "18446744073709551616.wal",
                           "99999999999999999999.wal",
                           "00000000000000000001",
                           "00000000000000000001.WAL",
                           "00000000000000000001.wal ",
                           "00000000000000000001.wal.tmp",
                           "00000000000000000001.log",
                           "+0000000000000000001.wal",
                           "-0000000000000000001.wal",
                           " 0000000000000000001.wal",
                           "0x000000000000000001.wal",
                           "0000000000000000000a.wal",
                           "0000000000/000000001.wal",
                           "../00000000000000001.wal"}) {
    EXPECT_EQ(parse_segment_name(name), std::nullopt) << name;
  }
  EXPECT_EQ(parse_segment_name(std::string_view("0000000000000000001\0.wal", 24)), std::nullopt);
  EXPECT_EQ(parse_segment_name("18446744073709551615.wal"), ~uint64_t{0});
}

}  // namespace
}  // namespace writeahead::internal
