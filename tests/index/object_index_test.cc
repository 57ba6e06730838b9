// Goal: indexes of a log at an address are what they are of one in a directory, with and without a
// cache, over takeovers by other owners, by machines whose caches know other pasts, and over a log
// that is made anew. Method: objects in memory, and directories for the machines' caches.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "index/changes.h"
#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "support/sim_objects.h"
#include "writeahead/index/id_index.h"

namespace writeahead::index::test {
namespace {

namespace fs = std::filesystem;
using testing::code_of;
using writeahead::test::register_client;
using writeahead::test::ScratchDirectory;
using writeahead::test::SimClient;
using writeahead::test::SimObjects;

using Index = IdIndex<std::string, IndexOrder::ordered>;

std::string text_of(const RecordView& record) {
  return {reinterpret_cast<const char*>(record.payload.data()), record.payload.size()};
}

/// A record is the id that it puts, with whatever behind a space.
std::string id_of(const RecordView& record) {
  const std::string text = text_of(record);
  return text.substr(0, text.find(' '));
}

class ObjectIndexTest : public ::testing::Test {
 protected:
  ObjectIndexTest() { register_client(std::make_shared<SimClient>(objects_)); }

  static Log open_log(const std::string& path = "sim://log") {
    return Log::open(path, {.segment_bytes = 8192, .background = BackgroundWork::stepped}).value();
  }
  static Result<std::unique_ptr<Index>> try_open(Log& log, const std::string& cache) {
    return Index::open(log, [](const RecordView& record, auto& edits) { edits.put(id_of(record)); },
                       {.cache_directory = cache, .background = BackgroundWork::stepped});
  }
  static std::unique_ptr<Index> open(Log& log, const std::string& cache = {}) {
    auto index = try_open(log, cache);
    EXPECT_TRUE(index) << index.error().message();
    return std::move(*index);
  }
  /// Every id once more, each time with other bytes behind it.
  void append(Log& log, int ids = 40) {
    ++turn_;
    for (int i = 0; i < ids; ++i) {
      const std::string id = "id" + std::to_string(i);
      ASSERT_TRUE(log.append(id + " " + std::to_string(turn_) + std::string(300, 'r')));
    }
  }
  /// What a look at every record says.
  static void expect_right(const Index& index, const Log& log) {
    std::map<std::string, Lsn> expected;
    for (auto& record : log.reader(log.first_lsn())) {
      ASSERT_TRUE(record) << record.error().message();
      expected[id_of(*record)] = record->lsn;
    }
    std::map<std::string, Lsn> found;
    // Entries of trimmed records go in turns.
    index.visit([&](const std::string& id, Lsn lsn) {
      if (lsn >= log.first_lsn()) found[id] = lsn;
    });
    EXPECT_EQ(found, expected);
  }
  [[nodiscard]] std::string cache(const std::string& machine) const {
    return scratch_.path(machine);
  }
  static size_t snapshots_in(const std::string& directory) {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(directory)) {
      count += entry.path().extension() == ".snapshot" ? 1 : 0;
    }
    return count;
  }

  const std::shared_ptr<SimObjects> objects_ = std::make_shared<SimObjects>();
  const ScratchDirectory scratch_;
  int turn_ = 0;
};

TEST_F(ObjectIndexTest, code_that_moves_from_a_directory_to_an_address_needs_no_change) {
  for (const std::string& path : {scratch_.path("log"), std::string("sim://log")}) {
    SCOPED_TRACE(path);
    for (int opening = 0; opening < 3; ++opening) {
      Log log = open_log(path);
      const auto index = open(log);
      expect_right(*index, log);
      append(log);
      const Lsn last = log.append("last").value();
      ASSERT_TRUE(index->advance_to(last));
      EXPECT_EQ(index->find("last"), last);
      ASSERT_TRUE(index->write_snapshot());
      EXPECT_EQ(index->position(), log.end_lsn());
      EXPECT_EQ(index->stats().snapshot_failures, 0U);
      if (opening == 1) {
        ASSERT_TRUE(log.trim_before(*index->find("id0")));
      }
      append(log);
      while (index->step_background()) {
      }
      expect_right(*index, log);
      ASSERT_TRUE(index->close());
      ASSERT_TRUE(log.close());
    }
  }
  EXPECT_FALSE(fs::exists("sim:")) << "an address is no path";
}

TEST_F(ObjectIndexTest, without_a_cache_an_opening_reads_the_log) {
  Log log = open_log();
  append(log);
  ASSERT_TRUE(open(log)->close());
  const auto index = open(log);
  EXPECT_EQ(index->opening().loaded_entries, 0U);
  EXPECT_EQ(index->opening().replayed_records, 40U);
  EXPECT_TRUE(index->opening().refused_snapshots.empty());
  EXPECT_EQ(code_of(Index::open(log, {}, {.name = "a/b"})), ErrorCode::invalid_argument);
}

TEST_F(ObjectIndexTest, cache_serves_an_opening_and_may_be_lost) {
  Log log = open_log();
  append(log);
  ASSERT_TRUE(open(log, cache("a"))->close());
  EXPECT_EQ(snapshots_in(cache("a")), 1U);
  append(log, 5);
  {
    const auto index = open(log, cache("a"));
    EXPECT_EQ(index->opening().loaded_entries, 40U);
    EXPECT_EQ(index->opening().replayed_records, 5U);
    expect_right(*index, log);
  }
  fs::remove_all(cache("a"));
  const auto index = open(log, cache("a"));
  EXPECT_EQ(index->opening().loaded_entries, 0U);
  expect_right(*index, log);
}

TEST_F(ObjectIndexTest, log_in_a_directory_may_have_its_cache_elsewhere) {
  Log log = open_log(scratch_.path("log"));
  append(log);
  auto index = open(log, cache("a"));
  EXPECT_EQ(code_of(try_open(log, cache("a"))), ErrorCode::locked);
  ASSERT_TRUE(index->close());
  index.reset();
  EXPECT_EQ(snapshots_in(cache("a")), 1U);
  EXPECT_FALSE(fs::exists(scratch_.path("log/index")));
  EXPECT_EQ(open(log, cache("a"))->opening().loaded_entries, 40U);
  EXPECT_EQ(open(log)->opening().loaded_entries, 0U) << "beside the log there is none";
}

TEST_F(ObjectIndexTest, cache_that_cannot_be_one_is_refused) {
  Log log = open_log();
  EXPECT_EQ(code_of(try_open(log, "sim://cache")), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(try_open(log, scratch_.path("none/below"))), ErrorCode::io);
  fs::create_directory(cache("open"));
  fs::permissions(cache("open"), fs::perms::all);
  EXPECT_EQ(code_of(try_open(log, cache("open"))), ErrorCode::invalid_argument);
}

/// The log goes from one machine to the other and back, and each time the cache is of the past.
TEST_F(ObjectIndexTest, cache_of_another_past_of_the_log_is_right_or_not_used) {
  uint64_t loaded = 0;
  for (const bool trims : {false, true}) {
    for (int turn = 0; turn < 4; ++turn) {
      SCOPED_TRACE(turn);
      for (const std::string machine : {"a", "b"}) {
        Log log = open_log();
        const auto index = open(log, cache(machine));
        expect_right(*index, log);
        loaded += index->opening().loaded_entries;
        append(log, turn % 2 == 0 ? 40 : 10);
        if (trims) {
          ASSERT_TRUE(log.trim_before(Lsn(log.end_lsn().value() - 9000)));
        }
        ASSERT_TRUE(index->advance());
        expect_right(*index, log);
        // Else its owner stops, and leaves an older snapshot.
        if (turn != 2) {
          ASSERT_TRUE(index->close());
        }
      }
    }
  }
  EXPECT_GT(loaded, 0U) << "some of the snapshots fitted";
}

TEST_F(ObjectIndexTest, log_that_was_trimmed_beyond_the_cache_is_read) {
  {
    Log log = open_log();
    append(log);
    ASSERT_TRUE(open(log, cache("a"))->close());
  }
  Log log = open_log();
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  append(log, 10);
  const auto index = open(log, cache("a"));
  EXPECT_EQ(index->opening().refused_snapshots.size(), 1U);
  expect_right(*index, log);
}

TEST_F(ObjectIndexTest, cache_of_a_log_that_was_made_anew_is_not_used) {
  {
    Log log = open_log();
    append(log);
    ASSERT_TRUE(open(log, cache("a"))->close());
  }
  ASSERT_TRUE(Log::destroy("sim://log"));
  turn_ = 0;  // The same records again.
  Log log = open_log();
  append(log);
  const auto index = open(log, cache("a"));
  ASSERT_EQ(index->opening().refused_snapshots.size(), 1U);
  EXPECT_NE(index->opening().refused_snapshots[0].find("another log"), std::string::npos);
  EXPECT_EQ(index->opening().loaded_entries, 0U);
  expect_right(*index, log);
}

/// On one machine, in one directory: who was fenced does not know, and holds its cache.
TEST_F(ObjectIndexTest, fenced_owner_does_not_keep_the_next_one_from_opening) {
  Log old = open_log();
  append(old);
  auto of_old = open(old, cache("a"));
  Log log = open_log();
  append(log, 10);
  {
    const auto index = open(log, cache("a"));
    ASSERT_EQ(index->opening().refused_snapshots.size(), 1U);
    EXPECT_NE(index->opening().refused_snapshots[0].find("open already"), std::string::npos);
    expect_right(*index, log);
    ASSERT_TRUE(index->close());
  }
  // What it writes is of what it had, which is a part of the log.
  EXPECT_EQ(code_of(old.append("zombie")), ErrorCode::fenced);
  ASSERT_TRUE(of_old->close());
  of_old.reset();
  const auto index = open(log, cache("a"));
  EXPECT_EQ(index->opening().loaded_entries, 40U);
  EXPECT_EQ(index->opening().replayed_records, 10U);
  expect_right(*index, log);
}

/// Of a log that the next owner trims the old one knows nothing; it has to come to an end.
TEST_F(ObjectIndexTest, index_of_a_fenced_owner_finds_what_it_had) {
  Log old = open_log();
  append(old);
  const auto index = open(old);
  const auto lsn = index->find("id7");
  append(old);
  Log log = open_log();
  append(log);
  ASSERT_TRUE(log.trim_before(log.end_lsn()));
  [[maybe_unused]] const auto ended = index->advance();
  EXPECT_GE(index->find("id7"), lsn);
  EXPECT_EQ(code_of(old.append("zombie")), ErrorCode::fenced);
  [[maybe_unused]] const auto again = index->advance();
  EXPECT_GE(index->find("id7"), lsn);
}

}  // namespace
}  // namespace writeahead::index::test
