// IdIndex of every kind: what it finds, how it follows its log, and what it makes of snapshots that
// are damaged, missing, or of another log.
#include "writeahead/index/id_index.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "index/changes.h"
#include "support/scratch_directory.h"
#include "support/test_seed.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {
namespace {

using writeahead::test::ScratchDirectory;

template <class IdType, IndexOrder kTheOrder, IndexValues kTheValues>
struct Kind {
  using Id = IdType;
  using Index = IdIndex<IdType, kTheOrder, kTheValues>;
  static constexpr IndexValues kValues = kTheValues;
};

template <class KindType>
class IdIndexTest : public ::testing::Test {
 protected:
  using Id = typename KindType::Id;
  using Index = typename KindType::Index;

  Log open_log(uint64_t segment_bytes = 64 << 10) {
    return Log::open(path_, {.segment_bytes = segment_bytes, .background = BackgroundWork::stepped})
        .value();
  }
  static IndexOptions options() { return {.background = BackgroundWork::stepped}; }
  static std::unique_ptr<Index> open_index(Log& log,
                                           const IndexOptions& options = IdIndexTest::options()) {
    auto index = Index::open(log, changes_extractor<Id>(), options);
    EXPECT_TRUE(index) << index.error().message();
    return std::move(*index);
  }
  static Id id(uint64_t number) { return make_id<Id>(number); }
  /// A snapshot of a log with some records, and what is left when both are closed.
  void make_snapshot() {
    Log log = open_log();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, i / 2)));
    auto index = open_index(log);
    ASSERT_TRUE(index->close());
  }
  std::vector<std::filesystem::path> snapshots() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_ + "/index")) {
      if (entry.path().extension() == ".snapshot") found.push_back(entry.path());
    }
    return found;
  }
  /// Opens log and index; the index has to be right, and to have refused a snapshot that way.
  void expect_rebuild(std::string_view refusal,
                      const IndexOptions& options = IdIndexTest::options()) {
    Log log = open_log();
    const auto index = open_index(log, options);
    EXPECT_EQ(difference(*index, log), std::nullopt);
    ASSERT_EQ(index->opening().refused_snapshots.size(), 1U);
    EXPECT_NE(index->opening().refused_snapshots[0].find(refusal), std::string::npos)
        << index->opening().refused_snapshots[0];
    EXPECT_EQ(index->opening().loaded_entries, 0U);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
};

using Kinds = ::testing::Types<Kind<uint64_t, IndexOrder::hashed, IndexValues::last>,
                               Kind<uint64_t, IndexOrder::hashed, IndexValues::all>,
                               Kind<uint64_t, IndexOrder::ordered, IndexValues::last>,
                               Kind<uint64_t, IndexOrder::ordered, IndexValues::all>,
                               Kind<std::string, IndexOrder::hashed, IndexValues::last>,
                               Kind<std::string, IndexOrder::ordered, IndexValues::all>>;
struct KindNames {
  template <class KindType>
  static std::string GetName(int i) {
    static constexpr std::array kNames = {"hashed_last", "hashed_all",     "ordered_last",
                                          "ordered_all", "strings_hashed", "strings_ordered"};
    return kNames[static_cast<size_t>(i)];
  }
};
TYPED_TEST_SUITE(IdIndexTest, Kinds, KindNames);

TYPED_TEST(IdIndexTest, finds_what_was_put_and_not_what_was_erased) {
  Log log = this->open_log();
  auto index = this->open_index(log);
  const Lsn first = log.append("p1 p2").value();
  const Lsn second = log.append("p1 e2").value();
  EXPECT_EQ(index->find(this->id(1)), std::nullopt);
  ASSERT_TRUE(index->advance_to(first));
  EXPECT_EQ(index->find(this->id(1)), first);
  EXPECT_EQ(index->find(this->id(2)), first);
  ASSERT_TRUE(index->advance());
  EXPECT_EQ(index->find(this->id(1)), second);
  EXPECT_EQ(index->find(this->id(2)), std::nullopt);
  if constexpr (TypeParam::kValues == IndexValues::all) {
    EXPECT_EQ(index->find_all(this->id(1)), (std::vector{first, second}));
    EXPECT_TRUE(index->find_all(this->id(2)).empty());
  }
  EXPECT_EQ(index->position(), log.durable_lsn());
  EXPECT_EQ(index->stats().records, 2U);
}

TYPED_TEST(IdIndexTest, refuses_to_go_on_to_what_is_not_durable) {
  Log log = this->open_log();
  auto index = this->open_index(log);
  const Lsn durable = log.append("p1").value();
  const Lsn buffered = log.append("p2", {.durability = Durability::buffered}).value();
  ASSERT_TRUE(index->advance_to(durable));
  const auto refused = index->advance_to(buffered);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::not_found);
  ASSERT_TRUE(log.sync());
  EXPECT_TRUE(index->advance_to(buffered));
}

TYPED_TEST(IdIndexTest, finds_many_at_once_as_one_by_one) {
  Log log = this->open_log();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", 2 * i)));
  const auto index = this->open_index(log);
  for (const size_t count : {0, 1, 15, 16, 17, 150}) {
    std::vector<typename TypeParam::Id> ids;
    for (size_t i = 0; i < count; ++i) ids.push_back(this->id(i));
    std::vector<std::optional<Lsn>> found(count);
    index->find_many(ids, found);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(found[i], index->find(ids[i]));
  }
}

TYPED_TEST(IdIndexTest, opens_from_its_snapshot_and_the_records_behind_it) {
  this->make_snapshot();
  Log log = this->open_log();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i, 100 + i)));
  const auto index = this->open_index(log);
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_GT(index->opening().loaded_entries, 0U);
  EXPECT_EQ(index->opening().replayed_records, 50U);
  EXPECT_TRUE(index->opening().refused_snapshots.empty());
}

TYPED_TEST(IdIndexTest, keeps_one_snapshot_and_none_without_need) {
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

TYPED_TEST(IdIndexTest, every_damaged_byte_of_a_snapshot_costs_a_rebuild) {
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

TYPED_TEST(IdIndexTest, missing_snapshot_costs_a_rebuild) {
  this->make_snapshot();
  std::filesystem::remove_all(this->path_ + "/index");
  Log log = this->open_log();
  const auto index = this->open_index(log);
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_EQ(index->opening().replayed_records, 200U);
}

TYPED_TEST(IdIndexTest, snapshot_of_another_log_is_refused) {
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

TYPED_TEST(IdIndexTest, snapshot_newer_than_a_restored_log_is_refused) {
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

TYPED_TEST(IdIndexTest, snapshot_of_before_a_truncation_is_refused) {
  this->make_snapshot();
  {
    Log log = this->open_log();
    ASSERT_TRUE(log.truncate_from(log.find_ordinal(100).value()));
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(log.append(fmt::format("p{}", 5 * i)));
  }
  this->expect_rebuild("the log was truncated since");
}

TYPED_TEST(IdIndexTest, snapshot_of_another_extractor_is_refused) {
  this->make_snapshot();
  IndexOptions options = this->options();
  options.extractor_version = 1;
  this->expect_rebuild("of another extractor", options);
}

TYPED_TEST(IdIndexTest, snapshot_whose_records_are_all_trimmed_is_refused) {
  this->make_snapshot();
  {
    Log log = this->open_log();
    ASSERT_TRUE(log.append("p1"));
    ASSERT_TRUE(log.trim_before(log.end_lsn()));
    ASSERT_TRUE(log.append("p3"));
  }
  this->expect_rebuild("all of its records were trimmed");
}

TYPED_TEST(IdIndexTest, truncation_brings_back_what_was_replaced) {
  Log log = this->open_log();
  auto index = this->open_index(log);
  const Lsn old = log.append("p1 p2").value();
  const Lsn cut = log.append("p1 e2 p9").value();
  ASSERT_TRUE(index->advance());
  ASSERT_TRUE(log.truncate_from(cut));
  const Lsn next = log.append("p3").value();
  ASSERT_TRUE(index->advance_to(next));
  EXPECT_EQ(index->find(this->id(1)), old);
  EXPECT_EQ(index->find(this->id(2)), old);
  EXPECT_EQ(index->find(this->id(3)), next);
  EXPECT_EQ(index->find(this->id(9)), std::nullopt);
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_EQ(index->stats().rebuilds, 1U);
  // A snapshot of now counts, though the log was truncated before.
  ASSERT_TRUE(index->close());
  index.reset();
  EXPECT_GT(this->open_index(log)->opening().loaded_entries, 0U);
}

/// By a reader that was begun behind the truncation, since a read had failed before it.
TYPED_TEST(IdIndexTest, truncation_behind_a_failed_read_is_seen) {
  testing::SimEnv env{testing::SimDisk{}};
  Log log = Log::open("/log", {.env = &env, .background = BackgroundWork::stepped}).value();
  auto index = this->open_index(log);
  std::vector<Lsn> lsns;
  const auto append = [&](int id) {
    lsns.push_back(log.append(fmt::format("p{}{}", id, std::string(2000, ' '))).value());
  };
  for (int i = 0; i < 200; ++i) append(10 + i);
  ASSERT_TRUE(index->advance_to(lsns[20]));
  env.fail_call(1, EIO, testing::FaultSpan::for_ever, testing::CallKind::read);
  const auto failed = index->advance();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::io);
  env.clear_faults();
  ASSERT_TRUE(log.truncate_from(lsns[10]));
  for (int i = 0; i < 20; ++i) append(300 + i);
  ASSERT_TRUE(index->advance());
  EXPECT_EQ(difference(*index, log), std::nullopt);
  EXPECT_EQ(index->stats().rebuilds, 1U);
}

TYPED_TEST(IdIndexTest, entries_of_trimmed_records_leave_in_time) {
  Log log = this->open_log(8 << 10);
  auto index = this->open_index(log);
  uint64_t number = 0;
  uint64_t most = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(log.append(fmt::format("p{}", number++), {.durability = Durability::buffered}));
    }
    ASSERT_TRUE(log.sync());
    ASSERT_TRUE(index->advance());
    if (number > 500) {
      ASSERT_TRUE(log.trim_before(log.find_ordinal(number - 500).value()));
    }
    most = std::max(most, index->stats().entries);
  }
  EXPECT_LT(most, 3000U);
  EXPECT_EQ(difference(*index, log), std::nullopt);
}

TYPED_TEST(IdIndexTest, is_opened_once_at_a_time) {
  Log log = this->open_log();
  auto index = this->open_index(log);
  const auto second = TypeParam::Index::open(log, changes_extractor<typename TypeParam::Id>(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::locked);
  IndexOptions other = this->options();
  other.name = "other";
  EXPECT_NE(this->open_index(log, other), nullptr);
  index.reset();
  EXPECT_NE(this->open_index(log), nullptr);
}

TYPED_TEST(IdIndexTest, refuses_a_name_that_is_none) {
  Log log = this->open_log();
  for (const std::string& name : {std::string(), std::string("a/b"), std::string(".."),
                                  std::string("a b"), std::string(49, 'a')}) {
    const auto refused =
        TypeParam::Index::open(log, changes_extractor<typename TypeParam::Id>(), {.name = name});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
  }
}

TYPED_TEST(IdIndexTest, background_takes_records_in_and_writes_snapshots) {
  Log log = Log::open(this->path_, {.segment_bytes = 64 << 10}).value();
  auto index = this->open_index(log, {.snapshot_bytes = 16 << 10, .follow_interval_ms = 1});
  Lsn last;
  for (int i = 0; i < 2000; ++i) last = log.append(fmt::format("p{}", i % 300)).value();
  // It comes by itself, or this test runs into its time limit.
  while (index->position() <= last || index->stats().snapshots == 0) std::this_thread::yield();
  EXPECT_EQ(difference(*index, log), std::nullopt);
  index.reset();
  EXPECT_GT(this->open_index(log)->opening().loaded_entries, 0U);
}

/// Snapshots beside everything else: whatever one holds has to be of one course of the log.
TYPED_TEST(IdIndexTest, holds_what_the_log_does_whatever_comes_in_between) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  std::optional<Log> log(this->open_log(8 << 10));
  auto index = this->open_index(*log);
  for (int round = 0; round < 300; ++round) {
    for (uint64_t i = random() % 30; i > 0; --i) {
      const auto text =
          fmt::format("{}{} p{}", random() % 3 == 0 ? 'e' : 'p', random() % 200, random() % 200);
      ASSERT_TRUE(log->append(text, {.durability = Durability::buffered}));
    }
    ASSERT_TRUE(log->sync());
    const uint64_t records = log->is_empty() ? 0 : log->last().value().ordinal + 1;
    switch (random() % 12) {
      case 0:
        ASSERT_TRUE(log->trim_before(Lsn(log->end_lsn().value() - random() % 9000)));
        break;
      case 1:
        if (records != 0 && !log->is_empty()) {
          const auto cut = log->find_ordinal(records - 1 - random() % 20);
          if (cut) {
            ASSERT_TRUE(log->truncate_from(*cut));
          }
        }
        break;
      case 2:
        ASSERT_TRUE(index->write_snapshot());
        break;
      case 3:
        index.reset();
        if (random() % 2 == 0) log.reset();
        if (!log) log.emplace(this->open_log(8 << 10));
        index = this->open_index(*log);
        break;
      default:
        ASSERT_TRUE(index->advance());
        break;
    }
    ASSERT_TRUE(index->advance());
    ASSERT_EQ(difference(*index, *log), std::nullopt) << "round " << round;
  }
}

}  // namespace
}  // namespace writeahead::index::test
