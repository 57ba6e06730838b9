// RocksDB with this log in front keeps what it said it keeps, when it is killed under load: before,
// in and behind RocksDB's flushes and the trims that follow them.
#include <gtest/gtest.h>

#include "index/killed_store.h"
#include "rocksdb_front/rocks_front.h"
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

}  // namespace
}  // namespace writeahead::index::test
