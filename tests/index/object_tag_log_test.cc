// Goal: a TagLog at an address is what it is in a directory, goes over to another owner with its
// pops, and its old owner is told that it was fenced, by calls and by waits. Method: objects in
// memory, and directories for the machines' caches.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "support/sim_objects.h"
#include "support/watched_thread.h"
#include "writeahead/index/tag_log.h"

namespace writeahead::index::test {
namespace {

namespace fs = std::filesystem;
using testing::code_of;
using writeahead::test::register_client;
using writeahead::test::ScratchDirectory;
using writeahead::test::SimClient;
using writeahead::test::SimObjects;
using writeahead::test::WatchedThread;

class ObjectTagLogTest : public ::testing::Test {
 protected:
  ObjectTagLogTest() { register_client(std::make_shared<SimClient>(objects_)); }

  static TagLogOptions options() {
    return {.log = {.segment_bytes = 8192, .background = BackgroundWork::stepped}, .tags = 100};
  }
  static std::unique_ptr<TagLog> open(const TagLogOptions& options = ObjectTagLogTest::options(),
                                      const std::string& path = "sim://log") {
    auto log = TagLog::open(path, options);
    EXPECT_TRUE(log) << log.error().message();
    return std::move(*log);
  }
  static std::vector<std::string> all_of(TagLog& log, Tag tag) {
    const auto records = log.peek(tag, Lsn(), UINT64_MAX);
    EXPECT_TRUE(records) << records.error().message();
    std::vector<std::string> texts;
    for (const TaggedRecord& record : *records) {
      texts.emplace_back(reinterpret_cast<const char*>(record.payload.data()),
                         record.payload.size());
    }
    return texts;
  }

  const std::shared_ptr<SimObjects> objects_ = std::make_shared<SimObjects>();
  const ScratchDirectory scratch_;
};

using Texts = std::vector<std::string>;

TEST_F(ObjectTagLogTest, code_that_moves_from_a_directory_to_an_address_needs_no_change) {
  for (const std::string& path : {scratch_.path("log"), std::string("sim://log")}) {
    SCOPED_TRACE(path);
    Lsn second;
    {
      auto log = open(options(), path);
      ASSERT_TRUE(log->append("a", {1, 2}));
      second = log->append("b", {1}).value();
      for (int i = 0; i < 50; ++i) ASSERT_TRUE(log->append(std::string(500, 'x'), {3}));
      ASSERT_TRUE(log->pop(1, second));
      ASSERT_TRUE(log->close());
    }
    auto log = open(options(), path);
    EXPECT_EQ(all_of(*log, 1), Texts{"b"});
    EXPECT_EQ(all_of(*log, 2), Texts{"a"});
    ASSERT_TRUE(log->pop(3, log->log().durable_lsn()));
    EXPECT_EQ(log->move_forward(1, log->log().durable_lsn())->size(), 1U);
    EXPECT_EQ(log->move_forward(2, log->log().durable_lsn())->size(), 1U);
    EXPECT_GT(log->log().first_lsn(), second) << "nothing is in the way of a trim";
    EXPECT_EQ(all_of(*log, 1), Texts{"b"});
    EXPECT_EQ(log->peek(1, Lsn(), 1)->front().lsn, second);
    EXPECT_EQ(all_of(*log, 2), Texts{"a"});
    ASSERT_TRUE(log->close());
  }
}

/// The next owner is on another machine, whose cache is empty or of an older past.
TEST_F(ObjectTagLogTest, next_owner_has_what_was_popped_and_what_was_not) {
  for (const bool has_caches : {false, true}) {
    SCOPED_TRACE(has_caches);
    std::unique_ptr<TagLog> before;
    for (int turn = 0; turn < 6; ++turn) {
      SCOPED_TRACE(turn);
      TagLogOptions with = options();
      if (has_caches) with.cache_directory = scratch_.path(turn % 2 == 0 ? "a" : "b");
      auto log = open(with);
      if (turn > 0) {
        EXPECT_EQ(all_of(*log, 1), (Texts{"one " + std::to_string(turn - 1), "two"}));
        ASSERT_TRUE(log->pop(1, log->log().durable_lsn()));
      }
      if (before) {
        EXPECT_EQ(code_of(before->append("zombie", {1})), ErrorCode::fenced);
        // What is left of it has to end, and does no harm.
        [[maybe_unused]] const auto closed = before->close();
      }
      ASSERT_TRUE(log->append("one " + std::to_string(turn), {1}));
      for (int i = 0; i < 40; ++i) ASSERT_TRUE(log->append(std::string(500, 'x'), {2}));
      ASSERT_TRUE(log->append("two", {1}));
      ASSERT_TRUE(log->pop(2, log->log().durable_lsn()));
      before = std::move(log);
    }
    before.reset();
    ASSERT_TRUE(Log::destroy("sim://log"));
  }
}

TEST_F(ObjectTagLogTest, every_call_of_a_fenced_owner_that_writes_says_so) {
  for (const bool has_versions : {false, true}) {
    auto old = open();
    const auto append = [&](TagLog& log, uint64_t version) {
      return has_versions ? code_of(log.append_version({.version = version,
                                                        .previous_version = version - 1,
                                                        .known_committed_version = version - 1},
                                                       "v", {1}))
                          : code_of(log.append("v", {1}));
    };
    ASSERT_EQ(append(*old, 1), std::nullopt);
    ASSERT_EQ(append(*old, 2), std::nullopt);
    const Lsn first = old->peek(1, Lsn(), 1)->front().lsn;
    auto log = open();
    // The first of them finds out.
    EXPECT_EQ(code_of(old->pop(1, first + 1)), ErrorCode::fenced);
    EXPECT_EQ(append(*old, 3), ErrorCode::fenced);
    EXPECT_EQ(code_of(old->move_forward(1, old->log().durable_lsn())), ErrorCode::fenced);
    if (has_versions) {
      EXPECT_EQ(code_of(old->lock(7)), ErrorCode::fenced);
      EXPECT_EQ(code_of(old->truncate_from_version(2)), ErrorCode::fenced);
      EXPECT_EQ(log->durable_version(), 2U);
    }
    EXPECT_EQ(all_of(*log, 1), (Texts{"v", "v"}));
    EXPECT_EQ(append(*log, 3), std::nullopt);
    log.reset();
    old.reset();
    ASSERT_TRUE(Log::destroy("sim://log"));
  }
}

/// By whoever finds out: here an append of the old owner.
TEST_F(ObjectTagLogTest, waits_of_a_fenced_owner_end) {
  TagLogOptions threaded = options();
  threaded.log.background = BackgroundWork::thread;
  threaded.version_wait_ms = 600'000;
  auto old = open(threaded);
  ASSERT_TRUE(old->append_version({.version = 1}, "v", {1}));
  std::atomic<int> fenced = 0;
  std::vector<std::unique_ptr<WatchedThread>> waits;
  const auto wait = [&](auto call) {
    waits.push_back(std::make_unique<WatchedThread>([&fenced, call](const std::stop_token&) {
      if (call() == ErrorCode::fenced) ++fenced;
    }));
    ASSERT_TRUE(waits.back()->falls_asleep());
  };
  for (const Tag tag : {2, 3, 4}) {
    wait([&old, tag] { return code_of(old->wait_peek(tag, Lsn(), 100)); });
  }
  wait([&old] {
    return code_of(old->append_version({.version = 9, .previous_version = 8}, "early", {1}));
  });
  const auto log = open();
  EXPECT_EQ(code_of(old->append_version({.version = 2, .previous_version = 1}, "v", {1})),
            ErrorCode::fenced);
  for (const auto& each : waits) each->join();
  EXPECT_EQ(fenced, 4);
  EXPECT_EQ(code_of(old->wait_peek(2, Lsn(), 100)), ErrorCode::fenced);
  EXPECT_EQ(all_of(*old, 1), Texts{"v"});
}

TEST_F(ObjectTagLogTest, places_spill_to_the_cache_or_to_a_file_without_a_name) {
  const std::string temporary = scratch_.path("tmp");
  fs::create_directory(temporary);
  const char* const before = ::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  ASSERT_EQ(::setenv("TMPDIR", temporary.c_str(), 1), 0);
  for (const std::string& cache : {std::string(), scratch_.path("cache")}) {
    TagLogOptions small = options();
    small.index_bytes = 1;
    small.cache_directory = cache;
    auto log = open(small);
    for (int i = 0; i < 1200; ++i) {
      ASSERT_TRUE(log->append("x", {1}, {.durability = Durability::buffered}));
    }
    ASSERT_TRUE(log->log().sync());
    EXPECT_EQ(all_of(*log, 1).size(), 1200U);
    EXPECT_EQ(log->stats().last_failure, "");
    EXPECT_TRUE(fs::is_empty(temporary));
    EXPECT_EQ(fs::exists(scratch_.path("cache/tags.spill")), !cache.empty());
    ASSERT_TRUE(log->close());
    log.reset();
    ASSERT_TRUE(Log::destroy("sim://log"));
  }
  // Without any place they stay in memory.
  ASSERT_EQ(::setenv("TMPDIR", scratch_.path("none").c_str(), 1), 0);
  TagLogOptions small = options();
  small.index_bytes = 1;
  auto log = open(small);
  for (int i = 0; i < 1200; ++i) {
    ASSERT_TRUE(log->append("x", {1}, {.durability = Durability::buffered}));
  }
  ASSERT_TRUE(log->log().sync());
  EXPECT_EQ(all_of(*log, 1).size(), 1200U);
  EXPECT_NE(log->stats().last_failure, "");
  ASSERT_EQ(kept.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", kept.c_str(), 1), 0);
}

}  // namespace
}  // namespace writeahead::index::test
