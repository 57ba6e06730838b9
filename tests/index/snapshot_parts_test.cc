// A dump whose parts are of different moments, and the records behind it: what is loaded and then
// caught up with has to be what was there all along.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "index/changes.h"
#include "support/sanitizers.h"
#include "support/test_seed.h"
#include "writeahead/index/detail/id_contents.h"

namespace writeahead::index::test {
namespace {

using internal::ContentsPart;
using internal::IdContents;
using writeahead::test::kIsSanitized;

/// As if it came from a log.
RecordView record_of(const std::string& text, uint64_t lsn) {
  return {.lsn = Lsn(lsn), .payload = std::as_bytes(std::span(text)), .pin = nullptr};
}

template <class Contents>
std::vector<std::pair<uint64_t, Lsn>> all_of(const Contents& contents) {
  std::vector<std::pair<uint64_t, Lsn>> all;
  contents.all().visit([&](uint64_t id, Lsn lsn) { all.emplace_back(id, lsn); });
  std::ranges::sort(all);
  return all;
}

template <class Contents>
void expect_same_after_a_dump_in_parts(uint64_t ids, int records_between) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  Contents contents(changes_extractor<uint64_t>(), 0);
  contents.clear(random());
  std::vector<std::string> records(1);  // No record has Lsn 0.
  const auto append = [&] {
    records.push_back(fmt::format("p{} e{} p{}", random() % ids, random() % ids, random() % ids));
    const RecordView record = record_of(records.back(), records.size() - 1);
    contents.apply(std::span(&record, 1));
  };
  for (uint64_t i = 0; i < ids; ++i) append();

  std::vector<std::pair<ContentsPart, uint64_t>> parts;
  contents.begin_dump();
  for (ContentsPart part; contents.dump_next(Lsn(0), part).value(); part = {}) {
    parts.emplace_back(part, records.size());
    for (int i = 0; i < records_between; ++i) append();
  }
  ASSERT_GT(parts.size(), 1U);

  Contents loaded(changes_extractor<uint64_t>(), 0);
  loaded.clear(contents.hash_seed());
  uint64_t begin = UINT64_MAX;
  for (const auto& [part, position] : parts) {
    ASSERT_TRUE(loaded.load_next(part.bytes, part.entries, Lsn(position)));
    begin = std::min(begin, position);
  }
  for (uint64_t lsn = begin; lsn < records.size(); ++lsn) {
    const RecordView record = record_of(records[lsn], lsn);
    loaded.apply(std::span(&record, 1));
  }
  EXPECT_EQ(all_of(loaded), all_of(contents));
  EXPECT_EQ(loaded.entries(), contents.entries());
}

TEST(SnapshotPartsTest, hashed_parts_of_different_moments_meet) {
  expect_same_after_a_dump_in_parts<IdContents<uint64_t, IndexOrder::hashed, IndexValues::last>>(
      2000, 50);
  expect_same_after_a_dump_in_parts<IdContents<uint64_t, IndexOrder::hashed, IndexValues::all>>(
      2000, 50);
}

TEST(SnapshotPartsTest, ordered_parts_of_different_moments_meet) {
  expect_same_after_a_dump_in_parts<IdContents<uint64_t, IndexOrder::ordered, IndexValues::last>>(
      kIsSanitized ? 120'000 : 300'000, kIsSanitized ? 5000 : 20'000);
  expect_same_after_a_dump_in_parts<IdContents<uint64_t, IndexOrder::ordered, IndexValues::all>>(
      kIsSanitized ? 90'000 : 200'000, kIsSanitized ? 5000 : 20'000);
}

}  // namespace
}  // namespace writeahead::index::test
