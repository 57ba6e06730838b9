// Goal: indexes of a log on a real Ceph cluster go over to another owner, with a cache and without,
// and the old owner is fenced. Method: the cluster of scripts/rados-cluster; owners in one process.
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "rados/rados_test.h"
#include "support/error_of.h"
#include "support/scratch_directory.h"
#include "writeahead/index/id_index.h"
#include "writeahead/index/tag_log.h"

namespace writeahead::test {
namespace {

using index::IdIndex;
using index::TagLog;
using ::writeahead::testing::code_of;

class RadosIndexTest : public RadosTest {
 protected:
  static std::unique_ptr<IdIndex<std::string>> open(Log& log, const std::string& cache) {
    const auto extract = [](const RecordView& record, auto& edits) {
      edits.put(
          std::string(reinterpret_cast<const char*>(record.payload.data()), record.payload.size()));
    };
    auto opened = IdIndex<std::string>::open(log, extract, {.cache_directory = cache});
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }

  const ScratchDirectory scratch_;
};

TEST_F(RadosIndexTest, id_index_goes_over_to_the_next_owner) {
  for (const std::string& cache : {std::string(), scratch_.path("cache")}) {
    auto first = std::make_optional(Log::open(address(), {.segment_bytes = 16 << 10}).value());
    auto of_first = open(*first, cache);
    std::map<std::string, Lsn> lsns;
    for (int i = 0; i < 40; ++i) {
      const std::string id = std::to_string(i) + std::string(1000, 'i');
      lsns[id] = first->append(id).value();
    }
    ASSERT_TRUE(of_first->close());
    of_first.reset();
    Log second = Log::open(address()).value();
    EXPECT_EQ(code_of(first->append("zombie")), ErrorCode::fenced);
    const Lsn behind = second.append("behind").value();
    const auto of_second = open(second, cache);
    EXPECT_EQ(of_second->opening().loaded_entries, cache.empty() ? 0U : 40U);
    EXPECT_EQ(of_second->opening().replayed_records, cache.empty() ? 41U : 1U);
    for (const auto& [id, lsn] : lsns) EXPECT_EQ(of_second->find(id), lsn);
    EXPECT_EQ(of_second->find("behind"), behind);
    EXPECT_EQ(of_second->find("zombie"), std::nullopt);
    ASSERT_TRUE(of_second->close());
    ASSERT_TRUE(second.close());
    first.reset();
    ASSERT_TRUE(Log::destroy(address()));
  }
}

TEST_F(RadosIndexTest, tag_log_goes_over_to_the_next_owner) {
  auto first = TagLog::open(address(), {.log = {.segment_bytes = 16 << 10}}).value();
  ASSERT_TRUE(first->append("one", {1}));
  const Lsn two = first->append("two", {1}).value();
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(first->append(std::string(1000, 'x'), {2}));
  ASSERT_TRUE(first->pop(1, two));
  auto second = TagLog::open(address()).value();
  EXPECT_EQ(code_of(first->append("zombie", {1})), ErrorCode::fenced);
  EXPECT_EQ(code_of(first->pop(2, first->log().durable_lsn())), ErrorCode::fenced);
  EXPECT_EQ(code_of(first->wait_peek(3, Lsn(), 1)), ErrorCode::fenced);
  const auto left = second->peek(1, Lsn(), UINT64_MAX).value();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].lsn, two);
  const size_t before = objects().size();
  ASSERT_TRUE(second->pop(2, second->log().durable_lsn()));
  EXPECT_EQ(second->move_forward(1, second->log().durable_lsn())->size(), 1U);
  EXPECT_LT(objects().size(), before) << "what no tag needs is trimmed";
  ASSERT_TRUE(second->close());
}

}  // namespace
}  // namespace writeahead::test
