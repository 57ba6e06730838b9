// Comparing a description with the rules, one number after the other.
// A number that is missing is never taken for a good one.
#include "pool_rules.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace writeahead::rados {
namespace {

struct Rule {
  const char* name;
  int64_t least;
  int64_t most;
};
constexpr int64_t kReplicated = 1;
constexpr int64_t kNoPool = -1;
constexpr std::array<Rule, 6> kRules = {
    {{.name = "type", .least = kReplicated, .most = kReplicated},
     {.name = "size", .least = 3, .most = INT64_MAX},
     {.name = "min_size", .least = 2, .most = INT64_MAX},
     {.name = "tier_of", .least = kNoPool, .most = kNoPool},
     {.name = "read_tier", .least = kNoPool, .most = kNoPool},
     {.name = "write_tier", .least = kNoPool, .most = kNoPool}}};

}  // namespace

Result<void> check_pool(const nlohmann::json& description, const std::string& where) {
  for (const Rule& rule : kRules) {
    const auto found = description.find(rule.name);
    if (found == description.end() || !found->is_number_integer()) {
      return std::unexpected(Error(
          ErrorCode::io,
          fmt::format("open log: the monitors do not tell {} of the pool ({})", rule.name, where),
          EPROTO));
    }
    const int64_t value = found->get<int64_t>();
    if (value >= rule.least && value <= rule.most) continue;
    return std::unexpected(Error(
        ErrorCode::invalid_argument,
        fmt::format("open log: the pool has {} {}, and a log needs one that is replicated (type "
                    "1), with size of at least 3, min_size of at least 2, and no cache tier ({})",
                    rule.name, value, where)));
  }
  return {};
}

}  // namespace writeahead::rados
