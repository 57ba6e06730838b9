// Indexes of every kind, for tests that hold for all of them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "index/changes.h"
#include "support/scratch_directory.h"
#include "writeahead/index/id_index.h"
#include "writeahead/log.h"

namespace writeahead::index::test {

using writeahead::test::ScratchDirectory;

template <class IdType, IndexOrder kTheOrder, IndexValues kTheValues>
struct Kind {
  using Id = IdType;
  using Index = IdIndex<IdType, kTheOrder, kTheValues>;
  static constexpr IndexValues kValues = kTheValues;
};

template <class KindType>
class IdIndexFixture : public ::testing::Test {
 protected:
  using Id = typename KindType::Id;
  using Index = typename KindType::Index;

  Log open_log(uint64_t segment_bytes = 64 << 10) {
    return Log::open(path_, {.segment_bytes = segment_bytes, .background = BackgroundWork::stepped})
        .value();
  }
  static IndexOptions options() { return {.background = BackgroundWork::stepped}; }
  static std::unique_ptr<Index> open_index(
      Log& log, const IndexOptions& options = IdIndexFixture::options()) {
    auto index = Index::open(log, changes_extractor<Id>(), options);
    EXPECT_TRUE(index) << index.error().message();
    return std::move(*index);
  }
  static Id id(uint64_t number) { return make_id<Id>(number); }
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

}  // namespace writeahead::index::test
