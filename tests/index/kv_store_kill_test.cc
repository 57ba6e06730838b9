// The example's key-value store keeps what it said it keeps, when it is killed under load.
#include <gtest/gtest.h>

#include "index/killed_store.h"
#include "kv_store/kv_store.h"
#include "support/test_scale.h"

namespace writeahead::index::test {
namespace {

using kv_store::KvStore;

TEST(KvStoreKillTest, store_that_was_killed_under_load_has_what_was_put) {
  kill_again_and_again<KvStore>(writeahead::test::scaled(150),
                                {.open =
                                     [](const std::string& path) {
                                       return KvStore::open(path,
                                                            {.log = {.segment_bytes = 16 << 10}});
                                     },
                                 .tend = [](KvStore& store) -> Result<void> {
                                   if (!store.wants_compaction()) return {};
                                   return store.compact();
                                 }});
}

}  // namespace
}  // namespace writeahead::index::test
