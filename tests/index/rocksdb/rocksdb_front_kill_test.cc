// RocksDB with this log in front keeps what it said it keeps, when it is killed under load: before,
// in and behind RocksDB's flushes and the trims that follow them. And it says what it does not
// take.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "index/killed_store.h"
#include "rocksdb_front/rocks_front.h"
#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "support/test_scale.h"

namespace writeahead::index::test {
namespace {

using rocksdb_front::RocksFront;

TEST(RocksFrontKillTest, front_that_was_killed_under_load_has_what_was_put) {
  kill_again_and_again<RocksFront>(writeahead::test::scaled(40),
                                   {.open =
                                        [](const std::string& path) {
                                          return RocksFront::open(
                                              path, {.log = {.segment_bytes = 16 << 10}});
                                        },
                                    .tend = [](RocksFront& front) { return front.flush(); }});
}

TEST(RocksFrontTest, batch_that_the_log_does_not_take_is_refused_and_others_are_not) {
  const writeahead::test::ScratchDirectory scratch;
  auto front = RocksFront::open(scratch.path("front"), {.log = {.max_record_bytes = 1000}}).value();
  std::vector<std::jthread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      for (int k = 0; k < 20; ++k) {
        const std::string key = fmt::format("{} {}", i, k);
        EXPECT_EQ(testing::code_of(front->put(key, std::string(2000, 'x'))), ErrorCode::too_large);
        EXPECT_TRUE(front->put(key, "small"));
      }
    });
  }
  writers.clear();
  EXPECT_EQ(front->get("7 19")->value(), "small");
}

}  // namespace
}  // namespace writeahead::index::test
