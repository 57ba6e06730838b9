// Goal: what a process wrote into its history is there when it was killed, up to the last call.
// Method: a child that writes, and is killed in the middle of an operation.
#include "nemesis/history_file.h"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

#include "support/forked_process.h"
#include "support/scratch_directory.h"

namespace writeahead::nemesis {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

TEST(HistoryFile, has_what_a_killed_process_had_begun_and_ended) {
  const test::ScratchDirectory scratch;
  const std::filesystem::path path = scratch.path("1.history");
  test::ForkedProcess child([&] {
    HistoryFile history(path, 100'000);
    const auto two = history.reserve(2);
    const auto many = history.reserve(50'000);
    HistoryFile::begin(two[0], {.id = 1, .invoked_ns = 10, .kind = Kind::append});
    two[0].lsn = 500;
    HistoryFile::end(two[0], Outcome::done);
    HistoryFile::begin(many[49'000], {.id = 2, .invoked_ns = 20, .kind = Kind::append});
    return std::raise(SIGKILL);
  });
  ASSERT_EQ(child.wait(), -SIGKILL);
  const std::vector<Operation> operations = HistoryFile::read(path);
  ASSERT_EQ(operations.size(), 2U);
  EXPECT_EQ(operations[0].lsn, 500U);
  EXPECT_EQ(operations[0].outcome, Outcome::done);
  EXPECT_GT(operations[0].answered_ns, 0U);
  EXPECT_EQ(operations[1].id, 2U);
  EXPECT_EQ(operations[1].outcome, Outcome::none);
  EXPECT_EQ(operations[1].answered_ns, 0U);
}

TEST(HistoryFile, gives_no_more_than_it_has_room_for) {
  const test::ScratchDirectory scratch;
  HistoryFile history(scratch.path("1.history"), 3);
  EXPECT_EQ(history.reserve(2).size(), 2U);
  EXPECT_TRUE(history.reserve(2).empty());
}

}  // namespace
}  // namespace writeahead::nemesis
