// Records that are taken in in bulk, as a rebuild does: to the same contents, and with no memory
// left behind.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "index/changes.h"
#include "support/allocated_bytes.h"
#include "support/test_seed.h"
#include "writeahead/index/detail/id_contents.h"

namespace writeahead::index::test {
namespace {

using internal::IdContents;

template <class Contents>
class BulkTest : public ::testing::Test {};

using AllContents = ::testing::Types<IdContents<uint64_t, IndexOrder::hashed, IndexValues::last>,
                                     IdContents<uint64_t, IndexOrder::hashed, IndexValues::all>,
                                     IdContents<uint64_t, IndexOrder::ordered, IndexValues::last>,
                                     IdContents<uint64_t, IndexOrder::ordered, IndexValues::all>>;
TYPED_TEST_SUITE(BulkTest, AllContents);

/// As if they came from a log.
std::vector<RecordView> views_of(const std::vector<std::string>& texts) {
  std::vector<RecordView> views;
  for (const std::string& text : texts) {
    views.push_back(
        {.lsn = Lsn(views.size() + 1), .payload = std::as_bytes(std::span(text)), .pin = nullptr});
  }
  return views;
}

TYPED_TEST(BulkTest, has_what_one_by_one_would_have) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  std::vector<std::string> texts(20'000);
  for (std::string& text : texts) {
    for (uint64_t i = random() % 3; i > 0; --i) {
      text += fmt::format("{}{} ", random() % 4 == 0 ? 'e' : 'p', random() % 5000);
    }
  }
  const std::vector<RecordView> views = views_of(texts);
  const auto contents_of = [&](bool is_bulk) {
    TypeParam contents(changes_extractor<uint64_t>(), 0);
    contents.clear(1);
    if (is_bulk) contents.begin_bulk();
    contents.apply(views);
    if (is_bulk) contents.end_bulk();
    std::vector<std::pair<uint64_t, Lsn>> all;
    contents.all().visit([&](uint64_t id, Lsn lsn) { all.emplace_back(id, lsn); });
    std::ranges::sort(all);
    EXPECT_EQ(contents.entries(), all.size());
    return all;
  };
  EXPECT_EQ(contents_of(true), contents_of(false));
}

TYPED_TEST(BulkTest, keeps_no_memory_of_what_was_put_off) {
  TypeParam contents([](const RecordView& record, auto& edits) { edits.erase(record.lsn.value()); },
                     0);
  contents.clear(1);
  const std::vector<RecordView> views = views_of(std::vector<std::string>(300'000));
  const uint64_t before = testing::allocated_bytes();
  contents.begin_bulk();
  for (size_t i = 0; i < views.size(); i += 100) contents.apply(std::span(views).subspan(i, 100));
  EXPECT_GT(testing::allocated_bytes() - before, 300'000 * sizeof(uint64_t));
  contents.end_bulk();
  EXPECT_LT(testing::allocated_bytes() - before, 64U << 10);
}

}  // namespace
}  // namespace writeahead::index::test
