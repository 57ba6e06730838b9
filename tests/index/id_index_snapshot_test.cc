// What an index of any kind makes of its snapshots: of good ones, and of those that are damaged,
// missing, or of another log, another course of this one, or another index.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "index/changes.h"
#include "index/id_index_kinds.h"

namespace writeahead::index::test {
namespace {

template <class KindType>
class IdIndexSnapshotTest : public IdIndexFixture<KindType> {
 protected:
  /// A snapshot of a log with some records, and what is left when both are closed.
  void make_snapshot() {
    Log log = this->open_log();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, i / 2)));
    auto index = this->open_index(log);
    ASSERT_TRUE(index->close());
  }
  std::vector<std::filesystem::path> snapshots() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(this->path_ + "/index")) {
      if (entry.path().extension() == ".snapshot") found.push_back(entry.path());
    }
    return found;
  }
  /// Opens log and index; the index has to be right, and to have refused a snapshot that way.
  void expect_rebuild(std::string_view refusal,
                      const IndexOptions& options = IdIndexFixture<KindType>::options()) {
    Log log = this->open_log();
    const auto index = this->open_index(log, options);
    EXPECT_EQ(difference(*index, log), std::nullopt);
    ASSERT_EQ(index->opening().refused_snapshots.size(), 1U);
    EXPECT_NE(index->opening().refused_snapshots[0].find(refusal), std::string::npos)
        << index->opening().refused_snapshots[0];
    EXPECT_EQ(index->opening().loaded_entries, 0U);
  }
};
TYPED_TEST_SUITE(IdIndexSnapshotTest, Kinds, KindNames);

TYPED_TEST(IdIndexSnapshotTest, opens_from_its_snapshot_and_the_records_behind_it) {
  this->make_snapshot();
  Log log = this->open_log();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, 100 + i)));
  const auto index = this->open_index(log);
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_GT(index->opening().loaded_entries, 0U);
  EXPECT_EQ(index->opening().replayed_records, 50U);
  EXPECT_TRUE(index->opening().refused_snapshots.empty());
}

TYPED_TEST(IdIndexSnapshotTest, keeps_one_snapshot_and_none_without_need) {
  this->make_snapshot();
  Log log = this->open_log();
  auto index = this->open_index(log);
  ASSERT_TRUE(index->close());
  EXPECT_EQ(index->stats().snapshots, 0U);
  ASSERT_TRUE(log.append("p1"));
  ASSERT_TRUE(index->write_snapshot());
  ASSERT_TRUE(log.append("p2"));
  ASSERT_TRUE(index->write_snapshot());
  EXPECT_EQ(index->stats().snapshots, 2U);
  EXPECT_EQ(this->snapshots().size(), 1U);
}

TYPED_TEST(IdIndexSnapshotTest, every_damaged_byte_of_a_snapshot_costs_a_rebuild) {
  this->make_snapshot();
  const auto file = this->snapshots().at(0);
  std::string bytes;
  {
    std::ifstream in(file, std::ios::binary);
    bytes = {std::istreambuf_iterator<char>(in), {}};
  }
  Log log = this->open_log();
  const auto write = [&](std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  };
  const auto judge = [&](size_t where) {
    const auto index = this->open_index(log);
    EXPECT_EQ(difference(*index, log), std::nullopt) << where;
    EXPECT_EQ(index->opening().refused_snapshots.size(), 1U) << where;
  };
  for (size_t i = 0; i < bytes.size(); i += i < 300 ? 1 : 37) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    write(damaged);
    judge(i);
    if (this->HasFailure()) return;
  }
  for (const size_t length : {size_t{0}, size_t{79}, size_t{100}, bytes.size() - 1}) {
    write(bytes.substr(0, length));
    judge(length);
  }
  write(bytes + "more");
  judge(bytes.size() + 4);
}

TYPED_TEST(IdIndexSnapshotTest, missing_snapshot_costs_a_rebuild) {
  this->make_snapshot();
  std::filesystem::remove_all(this->path_ + "/index");
  Log log = this->open_log();
  const auto index = this->open_index(log);
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_EQ(index->opening().replayed_records, 200U);
}

TYPED_TEST(IdIndexSnapshotTest, snapshot_of_another_log_is_refused) {
  this->make_snapshot();
  std::filesystem::rename(this->path_ + "/index", this->scratch_.path("index"));
  std::filesystem::remove_all(this->path_);
  {
    Log log = this->open_log();
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", 7 * i)));
  }
  std::filesystem::rename(this->scratch_.path("index"), this->path_ + "/index");
  this->expect_rebuild("it is of another log");
}

TYPED_TEST(IdIndexSnapshotTest, snapshot_newer_than_a_restored_log_is_refused) {
  {
    Log log = this->open_log();
    ASSERT_TRUE(log.append("p1"));
  }
  const std::string backup = this->scratch_.path("backup");
  std::filesystem::copy(this->path_, backup, std::filesystem::copy_options::recursive);
  this->make_snapshot();
  std::filesystem::rename(this->path_ + "/index", backup + "/index");
  std::filesystem::remove_all(this->path_);
  std::filesystem::rename(backup, this->path_);
  this->expect_rebuild("the log ends before it");
  // And when it has grown beyond the snapshot again, by other records.
  {
    Log log = this->open_log();
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", 3 * i)));
  }
  this->expect_rebuild("the log has another record");
}

TYPED_TEST(IdIndexSnapshotTest, snapshot_of_before_a_truncation_is_refused) {
  this->make_snapshot();
  {
    Log log = this->open_log();
    ASSERT_TRUE(log.truncate_from(log.find_ordinal(100).value()));
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", 5 * i)));
  }
  this->expect_rebuild("the log was truncated since");
}

TYPED_TEST(IdIndexSnapshotTest, snapshot_of_another_extractor_is_refused) {
  this->make_snapshot();
  IndexOptions options = this->options();
  options.extractor_version = 1;
  this->expect_rebuild("of another extractor", options);
}

TYPED_TEST(IdIndexSnapshotTest, snapshot_whose_records_are_all_trimmed_is_refused) {
  this->make_snapshot();
  {
    Log log = this->open_log();
    ASSERT_TRUE(log.append("p1"));
    ASSERT_TRUE(log.trim_before(log.end_lsn()));
    ASSERT_TRUE(log.append("p3"));
  }
  this->expect_rebuild("all of its records were trimmed");
}

}  // namespace
}  // namespace writeahead::index::test
