// IdIndex of every kind: what it finds, and how it follows its log.
#include "writeahead/index/id_index.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "index/changes.h"
#include "index/id_index_kinds.h"
#include "support/test_seed.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::index::test {
namespace {

template <class KindType>
using IdIndexTest = IdIndexFixture<KindType>;
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

TYPED_TEST(IdIndexTest, records_whose_taking_in_ran_out_of_memory_are_taken_in_again) {
  for (const int fails_at : {0, 1, 9, 10, 19}) {
    Log log = this->open_log();
    int until_failure = -1;
    const auto extract = [&](const RecordView& record, IdEdits<typename TypeParam::Id>& edits) {
      if (until_failure-- == 0) throw std::bad_alloc();
      changes_extractor<typename TypeParam::Id>()(record, edits);
    };
    auto index = TypeParam::Index::open(log, extract, this->options()).value();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(log.append(fmt::format("p{} e{}", i % 7, i % 3)));
    until_failure = fails_at;
    EXPECT_THROW(static_cast<void>(index->advance()), std::bad_alloc);
    ASSERT_TRUE(index->advance());
    EXPECT_EQ(difference(*index, log), std::nullopt) << fails_at;
    index.reset();
    ASSERT_TRUE(log.close());
    std::filesystem::remove_all(this->path_);
  }
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
