// Goal: a pool that could lose what was acknowledged is refused, and none is taken for good because
// something is not said. Method: descriptions as monitors give them, changed in one place.
#include "pool_rules.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/error_of.h"

namespace writeahead::rados {
namespace {

using nlohmann::json;
using ::writeahead::testing::code_of;

json good_pool() {
  return {{"pool_name", "wal"}, {"type", 1},       {"size", 3},       {"min_size", 2},
          {"tier_of", -1},      {"read_tier", -1}, {"write_tier", -1}};
}

TEST(PoolRules, take_a_replicated_pool_of_three_or_more) {
  EXPECT_TRUE(check_pool(good_pool(), "here"));
  json larger = good_pool();
  larger["size"] = 5;
  larger["min_size"] = 3;
  EXPECT_TRUE(check_pool(larger, "here"));
}

TEST(PoolRules, refuse_each_thing_that_is_wrong_and_name_it) {
  const std::vector<std::pair<std::string, int>> wrong = {{"type", 3},      {"size", 2},
                                                          {"min_size", 1},  {"tier_of", 4},
                                                          {"read_tier", 4}, {"write_tier", 4}};
  for (const auto& [name, value] : wrong) {
    json pool = good_pool();
    pool[name] = value;
    const auto refused = check_pool(pool, "here");
    ASSERT_EQ(code_of(refused), ErrorCode::invalid_argument) << name;
    EXPECT_NE(refused.error().message().find(name + " " + std::to_string(value)),
              std::string_view::npos);
    for (const json& unsaid : {json(), json("3"), json(2.5)}) {
      pool[name] = unsaid;
      EXPECT_EQ(code_of(check_pool(pool, "here")), ErrorCode::io) << name << " " << unsaid;
    }
    pool.erase(name);
    const auto untold = check_pool(pool, "here");
    ASSERT_EQ(code_of(untold), ErrorCode::io) << name;
    EXPECT_NE(untold.error().message().find("do not tell " + name), std::string_view::npos);
  }
}

}  // namespace
}  // namespace writeahead::rados
