// Chains of versions in a TagLog: turns, repeats, locks and cuts, over reopenings and trims.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "writeahead/index/tag_log.h"

namespace writeahead::index::test {
namespace {

using writeahead::test::ScratchDirectory;

using testing::code_of;

class TagVersionTest : public ::testing::Test {
 protected:
  std::unique_ptr<TagLog> open(BackgroundWork background = BackgroundWork::stepped) {
    auto log = TagLog::open(path_, {.log = {.segment_bytes = 16 << 10, .background = background},
                                    .tags = 100,
                                    .version_wait_ms = wait_ms_});
    EXPECT_TRUE(log) << log.error().message();
    return std::move(*log);
  }
  static std::vector<uint64_t> versions_of(TagLog& log, Tag tag) {
    std::vector<uint64_t> versions;
    const auto records = log.peek(tag, Lsn(), UINT64_MAX);
    for (const TaggedRecord& record : records.value()) {
      versions.push_back(record.version);
    }
    return versions;
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path("log");
  uint32_t wait_ms_ = 10;
};

using Versions = std::vector<uint64_t>;

TEST_F(TagVersionTest, chain_goes_on_and_is_known_after_a_reopening) {
  auto log = open();
  ASSERT_TRUE(log->append_version({.version = 10}, "a", {1}));
  ASSERT_TRUE(log->append_version(
      {.version = 25, .previous_version = 10, .known_committed_version = 10}, "b", {1, 2}));
  ASSERT_TRUE(log->append_version({.version = 30, .previous_version = 25}, "", {}));
  for (int opening = 0; opening < 3; ++opening) {
    EXPECT_EQ(log->durable_version().value(), 30U);
    EXPECT_EQ(log->known_committed_version().value(), 10U);
    EXPECT_EQ(versions_of(*log, 1), (Versions{10, 25}));
    EXPECT_EQ(versions_of(*log, 2), Versions{25});
    if (opening == 1) {
      ASSERT_TRUE(log->close());
    }
    log.reset();
    log = open();
  }
  EXPECT_TRUE(log->append_version({.version = 31, .previous_version = 30}, "c", {1}));
}

TEST_F(TagVersionTest, refuses_what_is_out_of_the_chain_and_writes_nothing) {
  auto log = open();
  ASSERT_TRUE(log->append_version({.version = 10}, "a", {1}));
  const Lsn end = log->log().end_lsn();
  EXPECT_EQ(code_of(log->append_version({.version = 10, .previous_version = 10}, "", {1})),
            ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(log->append_version({.version = 20, .previous_version = 5}, "", {1})),
            ErrorCode::invalid_argument);
  const auto gap = log->append_version({.version = 30, .previous_version = 20}, "", {1});
  EXPECT_EQ(code_of(gap), ErrorCode::would_block);
  EXPECT_NE(gap.error().message().find("version 20, which it is to follow, did not come"),
            std::string::npos)
      << gap.error().message();
  EXPECT_EQ(code_of(log->append("plain", {1})), ErrorCode::invalid_argument);
  EXPECT_EQ(log->log().end_lsn(), end);
}

TEST_F(TagVersionTest, records_have_versions_all_of_them_or_none) {
  auto log = open();
  ASSERT_TRUE(log->append("plain", {1}));
  for (int opening = 0; opening < 3; ++opening) {
    EXPECT_EQ(code_of(log->append_version({.version = 10}, "x", {1})), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(log->lock(1)), ErrorCode::invalid_argument);
    EXPECT_EQ(log->peek(1, Lsn(), 100)->size(), 1U);
    if (opening == 1) {
      ASSERT_TRUE(log->close());
    }
    log.reset();
    log = open();
  }
  EXPECT_TRUE(log->append("plain", {1}));
}

TEST_F(TagVersionTest, version_that_the_chain_began_behind_was_never_there) {
  auto log = open();
  ASSERT_TRUE(log->append_version({.version = 10}, "a", {1}));
  const auto refused = log->append_version({.version = 5}, "never", {1});
  EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
  EXPECT_EQ(versions_of(*log, 1), Versions{10});
}

TEST_F(TagVersionTest, repeat_is_answered_again_and_another_record_is_refused) {
  auto log = open();
  const auto first = log->append_version({.version = 10}, "a", {1, 2}).value();
  EXPECT_FALSE(first.was_there);
  ASSERT_TRUE(log->append_version({.version = 20, .previous_version = 10}, "b", {1}));
  const Lsn end = log->log().end_lsn();
  for (int opening = 0; opening < 2; ++opening) {
    const auto again =
        log->append_version({.version = 10, .known_committed_version = 5}, "a", {1, 2}).value();
    EXPECT_TRUE(again.was_there);
    EXPECT_EQ(again.lsn, first.lsn);
    EXPECT_EQ(code_of(log->append_version({.version = 10}, "A", {1, 2})),
              ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(log->append_version({.version = 10}, "a", {1})), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(log->append_version({.version = 15, .previous_version = 10}, "a", {1})),
              ErrorCode::invalid_argument);
    EXPECT_EQ(log->log().end_lsn(), end);
    log.reset();
    log = open();
  }
}

TEST_F(TagVersionTest, versions_that_come_in_any_order_form_one_chain) {
  wait_ms_ = 60'000;
  auto log = open(BackgroundWork::thread);
  constexpr uint64_t kVersions = 300;
  constexpr size_t kThreads = 6;
  std::vector<std::jthread> threads;
  std::atomic<uint64_t> appended = 0;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = thread; i < kVersions; i += kThreads) {
        const auto done = log->append_version({.version = 10 * (i + 1), .previous_version = 10 * i},
                                              "x", {static_cast<Tag>(i % 3)});
        appended += done && !done->was_there ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(appended, kVersions);
  Versions expected;
  for (uint64_t i = 0; i < kVersions; i += 3) expected.push_back(10 * (i + 1));
  EXPECT_EQ(versions_of(*log, 0), expected);
}

TEST_F(TagVersionTest, lock_ends_lesser_generations_for_ever) {
  auto log = open();
  ASSERT_TRUE(log->append_version({.version = 10, .known_committed_version = 7}, "a", {1}));
  for (int opening = 0; opening < 3; ++opening) {
    const auto locked = log->lock(5).value();
    EXPECT_EQ(locked.end_version, 10U);
    EXPECT_EQ(locked.known_committed_version, 7U);
    EXPECT_EQ(code_of(log->lock(4)), ErrorCode::fenced);
    EXPECT_EQ(code_of(log->append_version({.version = 20, .previous_version = 10, .generation = 4},
                                          "", {1})),
              ErrorCode::fenced);
    // Early ones of a fenced generation do not wait.
    EXPECT_EQ(code_of(log->append_version({.version = 90, .previous_version = 80, .generation = 4},
                                          "", {1})),
              ErrorCode::fenced);
    log.reset();
    log = open();
  }
  EXPECT_TRUE(
      log->append_version({.version = 20, .previous_version = 10, .generation = 5}, "b", {1}));
}

TEST_F(TagVersionTest, cut_versions_are_shown_to_nobody_and_may_come_again) {
  auto log = open();
  for (uint64_t i = 1; i <= 9; ++i) {
    ASSERT_TRUE(log->append_version({.version = 10 * i,
                                     .previous_version = 10 * (i - 1),
                                     .known_committed_version = i > 3 ? 30U : 0U},
                                    fmt::format("old {}", i), {static_cast<Tag>(i % 2)}));
  }
  EXPECT_EQ(code_of(log->truncate_from_version(30)), ErrorCode::invalid_argument);
  ASSERT_TRUE(log->truncate_from_version(95));  // Nothing is there.
  EXPECT_EQ(log->durable_version().value(), 90U);
  ASSERT_TRUE(log->truncate_from_version(55));
  EXPECT_EQ(log->durable_version().value(), 50U);
  ASSERT_TRUE(log->append_version({.version = 60, .previous_version = 50}, "new", {0, 1}));
  for (int opening = 0; opening < 3; ++opening) {
    EXPECT_EQ(versions_of(*log, 0), (Versions{20, 40, 60}));
    EXPECT_EQ(versions_of(*log, 1), (Versions{10, 30, 50, 60}));
    EXPECT_EQ(log->durable_version().value(), 60U);
    const auto again = log->append_version({.version = 60, .previous_version = 50}, "new", {0, 1});
    EXPECT_TRUE(again.value().was_there);
    if (opening == 1) {
      ASSERT_TRUE(log->close());
    }
    log.reset();
    log = open();
  }
}

TEST_F(TagVersionTest, state_of_the_chain_outlives_the_records_that_said_it) {
  auto log = open();
  ASSERT_TRUE(log->lock(3));
  uint64_t version = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(log->append_version({.version = version + 10,
                                     .previous_version = version,
                                     .known_committed_version = version,
                                     .generation = 3},
                                    std::string(500, 'x'), {1}));
    version += 10;
    if (i % 20 == 0) {
      ASSERT_TRUE(log->pop(1, log->log().durable_lsn())) << i;
    }
  }
  ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
  EXPECT_LE(log->log().segments().size(), 3U);
  log.reset();
  log = open();
  EXPECT_EQ(log->durable_version().value(), version);
  EXPECT_EQ(log->known_committed_version().value(), version - 10);
  EXPECT_EQ(code_of(log->lock(2)), ErrorCode::fenced);
  const auto again = log->append_version({.version = 10, .generation = 3}, "x", {1});
  EXPECT_TRUE(again.value().was_there);
  EXPECT_EQ(again.value().lsn, Lsn());
  // The greatest known-committed version keeps cuts above it, and so above what is trimmed.
  EXPECT_EQ(code_of(log->truncate_from_version(20)), ErrorCode::invalid_argument);
}

/// Later versions may not say it, and those that did are trimmed.
TEST_F(TagVersionTest, known_committed_version_outlives_the_record_that_said_it) {
  auto log = open();
  for (uint64_t version = 1; version <= 100; ++version) {
    ASSERT_TRUE(log->append_version({.version = version,
                                     .previous_version = version - 1,
                                     .known_committed_version = version == 50 ? 49U : 0U},
                                    std::string(500, 'x'), {1}));
  }
  ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
  log.reset();
  log = open();
  EXPECT_EQ(log->opening().loaded_entries, 0U);
  EXPECT_EQ(log->known_committed_version().value(), 49U);
  EXPECT_EQ(log->lock(1)->known_committed_version, 49U);
}

/// No record of a version from there on is left, but the chain leads there: nothing says where it
/// went on from.
TEST_F(TagVersionTest, cut_of_a_chain_all_of_whose_records_are_trimmed_is_refused) {
  auto log = open();
  for (uint64_t version = 1; version <= 40; ++version) {
    ASSERT_TRUE(log->append_version({.version = version, .previous_version = version - 1},
                                    std::string(500, 'x'), {}));
  }
  ASSERT_TRUE(log->lock(1));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
  for (uint64_t generation = 2; generation < 400; ++generation) {
    ASSERT_TRUE(log->lock(generation));
    ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
  }
  ASSERT_FALSE(log->log().read(Lsn()));
  EXPECT_EQ(code_of(log->truncate_from_version(30)), ErrorCode::trimmed);
  EXPECT_EQ(log->durable_version().value(), 40U);
  EXPECT_TRUE(log->truncate_from_version(41));
}

TEST_F(TagVersionTest, cut_of_what_is_trimmed_is_refused) {
  auto log = open();
  for (uint64_t version = 1; version <= 100; ++version) {
    ASSERT_TRUE(log->append_version({.version = version, .previous_version = version - 1},
                                    std::string(500, 'x'), {1}));
  }
  ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
  log.reset();
  log = open();
  EXPECT_EQ(code_of(log->truncate_from_version(2)), ErrorCode::trimmed);
  EXPECT_EQ(log->durable_version().value(), 100U);
}

}  // namespace
}  // namespace writeahead::index::test
