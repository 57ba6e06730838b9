// The bytes of a TagLog's records, which a later version has to read; and bytes that are none.
#include "tag_record.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace writeahead::index::internal {
namespace {

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

constexpr VersionLink kLink{.version = 0x11,
                            .previous_version = 0x22,
                            .known_committed_version = 0x33,
                            .generation = 0x0102030405060708};
constexpr std::string_view kLinkBytes =
    "1100000000000000"
    "2200000000000000"
    "3300000000000000"
    "0807060504030201";

struct Sample {
  std::vector<std::byte> bytes;
  std::string expected;
};

std::vector<Sample> samples() {
  constexpr std::array<Tag, 2> kTags{7, 0x01020304};
  const auto payload = std::as_bytes(std::span("ab", 2));
  const std::array<Pop, 1> pops{Pop{.tag = 7, .up_to = Lsn(0x55)}};
  const std::string link(kLinkBytes);
  return {{encode_tagged(kTags, payload),
           "01020000"
           "07000000"
           "04030201"
           "6162"},
          {encode_pops(pops),
           "02010000"
           "07000000"
           "5500000000000000"},
          {encode_versioned(kLink, kTags, payload), "03020000" + link +
                                                        "07000000"
                                                        "04030201"
                                                        "6162"},
          {encode_stated(kLink), "04000000" + link},
          {encode_cut(kLink, Lsn(0x66)), "05000000" + link + "6600000000000000"},
          {encode_moved({.tag = 7, .lsn = Lsn(0x77)}, 0x88, payload),
           "06010000"
           "07000000"
           "7700000000000000"
           "8800000000000000"
           "6162"}};
}

TEST(TagRecordTest, bytes_are_those_of_the_first_version) {
  for (const Sample& sample : samples()) EXPECT_EQ(hex(sample.bytes), sample.expected);
}

TEST(TagRecordTest, records_come_back_as_they_were) {
  const auto all = samples();
  TagRecord record;
  ASSERT_TRUE(decode_tag_record(all[0].bytes, record));
  EXPECT_EQ(record.kind, TagRecordKind::tagged);
  EXPECT_EQ(record.tags, (std::vector<Tag>{7, 0x01020304}));
  EXPECT_EQ(hex(record.payload), "6162");
  ASSERT_TRUE(decode_tag_record(all[1].bytes, record));
  EXPECT_EQ(record.kind, TagRecordKind::popped);
  EXPECT_TRUE(record.tags.empty());
  ASSERT_EQ(record.pops.size(), 1U);
  EXPECT_EQ(record.pops[0].tag, 7U);
  EXPECT_EQ(record.pops[0].up_to, Lsn(0x55));
  ASSERT_TRUE(decode_tag_record(all[2].bytes, record));
  EXPECT_EQ(record.link, kLink);
  EXPECT_EQ(record.tags.size(), 2U);
  EXPECT_EQ(hex(record.payload), "6162");
  ASSERT_TRUE(decode_tag_record(all[3].bytes, record));
  EXPECT_EQ(record.kind, TagRecordKind::stated);
  EXPECT_EQ(record.link, kLink);
  ASSERT_TRUE(decode_tag_record(all[4].bytes, record));
  EXPECT_EQ(record.kind, TagRecordKind::cut);
  EXPECT_EQ(record.void_from, Lsn(0x66));
  ASSERT_TRUE(decode_tag_record(all[5].bytes, record));
  EXPECT_EQ(record.kind, TagRecordKind::moved);
  EXPECT_TRUE(record.tags.empty());
  EXPECT_EQ(record.move.tag, 7U);
  EXPECT_EQ(record.move.lsn, Lsn(0x77));
  EXPECT_EQ(record.link.version, 0x88U);
  EXPECT_EQ(hex(record.payload), "6162");
}

TEST(TagRecordTest, what_is_cut_short_too_long_or_of_another_kind_is_none) {
  TagRecord record;
  for (const Sample& sample : samples()) {
    const bool has_payload = hex(sample.bytes).ends_with("6162");
    const size_t least = sample.bytes.size() - (has_payload ? 2 : 0);
    for (size_t length = 0; length < least; ++length) {
      EXPECT_FALSE(decode_tag_record(std::span(sample.bytes).first(length), record)) << length;
    }
    auto longer = sample.bytes;
    longer.push_back(std::byte{0});
    EXPECT_EQ(decode_tag_record(longer, record), has_payload);
    for (const unsigned kind : {0U, 7U, 255U}) {
      auto other = sample.bytes;
      other[0] = static_cast<std::byte>(kind);
      EXPECT_FALSE(decode_tag_record(other, record)) << kind;
    }
  }
  EXPECT_FALSE(decode_tag_record(encode_tagged({}, {}), record)) << "it has no tag";
}

}  // namespace
}  // namespace writeahead::index::internal
