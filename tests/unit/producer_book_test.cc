// ProducerBook: what it knows, in which order it forgets, and its table.
// Against a plain map and list of everything that was noted, at random.
#include "retention/producer_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/test_seed.h"

namespace writeahead::internal {
namespace {

ProducerEntry entry_of(uint64_t producer, uint64_t number, uint64_t lsn) {
  return {.last = {.producer = producer, .number = number},
          .range = {.first_lsn = Lsn(lsn), .end_lsn = Lsn(lsn + 10), .first_ordinal = lsn / 10}};
}

std::vector<std::byte> table_of(const ProducerBook& book) {
  std::vector<std::byte> table(book.table_bytes());
  book.encode(table);
  return table;
}

void expect_entries(const ProducerBook& book, const std::vector<ProducerEntry>& expected) {
  const auto table = table_of(book);
  ASSERT_EQ(table.size(), expected.size() * kProducerEntryBytes);
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto entry = decode_producer_entry(std::span(table).subspan(i * kProducerEntryBytes));
    EXPECT_EQ(entry.last, expected[i].last) << i;
    EXPECT_EQ(entry.range.first_lsn, expected[i].range.first_lsn) << i;
    EXPECT_EQ(entry.range.end_lsn, expected[i].range.end_lsn) << i;
    EXPECT_EQ(entry.range.first_ordinal, expected[i].range.first_ordinal) << i;
    const ProducerEntry* const found = book.find(expected[i].last.producer);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->last, expected[i].last);
  }
}

TEST(ProducerBook, random_courses_keep_the_newest_of_each_in_the_order_of_their_addresses) {
  SCOPED_TRACE(test::replay_command());
  std::mt19937_64 random(test::test_seed());
  for (int course = 0; course < 50; ++course) {
    ProducerBook book;
    std::vector<ProducerEntry> expected;
    size_t most = kMostProducers;
    for (uint64_t lsn = 100; lsn < 5000; lsn += 10) {
      const uint64_t producer = random() % 40;
      std::erase_if(expected, [&](const auto& entry) { return entry.last.producer == producer; });
      if (expected.size() == most) expected.erase(expected.begin());
      expected.push_back(entry_of(producer, lsn, lsn));
      book.reserve();
      book.note(expected.back());
      if (random() % 50 == 0) {
        const Lsn below(lsn - random() % 300);
        book.forget_below(below);
        std::erase_if(expected, [&](const auto& entry) { return entry.range.first_lsn < below; });
      }
      if (random() % 100 == 0) {
        most = 1 + random() % 30;
        book.limit_to(most);
        if (expected.size() > most) expected.erase(expected.begin(), expected.end() - most);
      }
      EXPECT_EQ(book.end_lsn(), expected.empty() ? Lsn() : expected.back().range.end_lsn);
    }
    expect_entries(book, expected);
    // It goes on where it was moved to.
    ProducerBook moved = std::move(book);
    moved.reserve();
    moved.note(entry_of(1000, 1, 9000));
    if (expected.size() == most) expected.erase(expected.begin());
    expected.push_back(entry_of(1000, 1, 9000));
    expect_entries(moved, expected);
    if (HasFailure()) return;
  }
}

TEST(ProducerBook, never_has_more_than_ten_thousand) {
  ProducerBook book;
  for (uint64_t i = 0; i < kMostProducers + 5; ++i) {
    book.reserve();
    book.note(entry_of(i, 1, 100 + i * 10));
  }
  EXPECT_EQ(book.table_bytes(), kMostTableBytes);
  EXPECT_EQ(book.find(4), nullptr);
  EXPECT_NE(book.find(5), nullptr);
  EXPECT_TRUE(is_producer_table(table_of(book), Lsn(1'000'000)));
}

TEST(ProducerTable, entries_that_cannot_be_are_refused) {
  const auto table = [](std::initializer_list<ProducerEntry> entries) {
    std::vector<std::byte> bytes(entries.size() * kProducerEntryBytes);
    size_t at = 0;
    for (const ProducerEntry& entry : entries) {
      encode_producer_entry(entry, std::span(bytes).subspan(at));
      at += kProducerEntryBytes;
    }
    return bytes;
  };
  const ProducerEntry a = entry_of(1, 1, 100);
  const ProducerEntry b = entry_of(2, 1, 110);
  EXPECT_TRUE(is_producer_table({}, Lsn(0)));
  EXPECT_TRUE(is_producer_table(table({a, b}), Lsn(120)));
  EXPECT_FALSE(is_producer_table(table({a, b}), Lsn(119)))
      << "it ends behind the frame's beginning";
  EXPECT_FALSE(is_producer_table(table({b, a}), Lsn(120))) << "not in order";
  EXPECT_FALSE(is_producer_table(table({a, a}), Lsn(120))) << "twice in one place";
  ProducerEntry empty = a;
  empty.range.end_lsn = empty.range.first_lsn;
  EXPECT_FALSE(is_producer_table(table({empty}), Lsn(120)));
  ProducerEntry far = a;
  far.range.first_ordinal = UINT64_MAX;
  EXPECT_FALSE(is_producer_table(table({far}), Lsn(120)));
}

}  // namespace
}  // namespace writeahead::internal
