// Goal: whenever the machine stops, the example's key-value store has every value that was
// acknowledged: also those that a compaction is moving, whose old place it trims. Method: a course
// of puts, erasures and compactions on simulated storage; each call of it in turn, by power cut;
// each disk that the sampler makes of it, opened and compared with a model, compacted, and opened
// again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "index/power_cuts.h"
#include "kv_store/kv_store.h"

namespace writeahead::index::test {
namespace {

using kv_store::KvStore;

constexpr int kKeys = 12;

Result<std::unique_ptr<KvStore>> open(SimEnv& env) {
  return KvStore::open(kLogPath, {.log = simulated(env), .least_segments = 2});
}

using Model = std::map<std::string, std::string>;

/// Goes on as long as the machine does.
void run_course(SimEnv& env, Model& before, Model& after) {
  for (int opening = 0; opening < 2; ++opening) {
    auto store = open(env);
    if (!store) return;
    for (int i = 0; i < 60; ++i) {
      // Some keys are written once, and have to be carried along.
      const std::string key = fmt::format("key {}", i < 4 ? i : 4 + i * 7 % (kKeys - 4));
      if (i % 9 == 8) {
        after.erase(key);
        if (!(*store)->erase(key)) return;
      } else {
        after[key] = fmt::format("{} {} {}", opening, i, std::string(250, '.'));
        if (!(*store)->put(key, after[key])) return;
      }
      before = after;
      if (i % 10 == 9 && !(*store)->compact()) return;
    }
    if (opening == 1) {
      EXPECT_LE((*store)->keys(), static_cast<uint64_t>(kKeys));
    }
    if (!(*store)->close()) return;
  }
}

std::optional<std::string> judge(const SimDisk& disk, const Model& before, const Model& after) {
  SimEnv env(disk);
  for (int opening = 0; opening < 2; ++opening) {
    auto store = open(env);
    if (!store) return fmt::format("it does not open: {}", store.error().message());
    Model held;
    for (int i = 0; i < kKeys; ++i) {
      const std::string key = fmt::format("key {}", i);
      const auto value = (*store)->get(key);
      if (!value) return std::string(value.error().message());
      if (*value) held[key] = **value;
    }
    if (held != before && held != after) return "it holds something else";
    if (!(*store)->compact()) return "it does not compact";
    if (!(*store)->close()) return "it does not close";
  }
  return std::nullopt;
}

TEST(KvStoreCrashTest, power_cut_at_any_call_leaves_what_was_put) {
  Model before;
  Model after;
  judge_every_power_cut(
      3000,
      [&](SimEnv& env) {
        run_course(env, before, after);
        EXPECT_EQ(before, after);
      },
      [&](const SimDisk& disk) { return judge(disk, before, after); });
}

}  // namespace
}  // namespace writeahead::index::test
