// Goal: the example's store keeps what it said it keeps, when it is killed under load. Method: a
// child in which several threads put, erase and compact, each with keys of its own and by a course
// that its seed decides; killed at a moment that chance decides; then each key has to be as the
// course left it, up to the last operation that had returned, or that and the one behind it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kv_store/kv_store.h"
#include "support/counts.h"
#include "support/forked_process.h"
#include "support/scratch_directory.h"
#include "support/shared_count.h"
#include "support/test_scale.h"
#include "support/test_seed.h"

namespace writeahead::index::test {
namespace {

using kv_store::KvStore;
using writeahead::test::ForkedProcess;
using writeahead::test::ScratchDirectory;
using writeahead::test::SharedCount;
using writeahead::test::SharedMemory;

constexpr size_t kThreads = 3;
constexpr uint64_t kKeysOfAThread = 40;

struct Progress {
  std::array<std::atomic<uint64_t>, kThreads> done;  // operations that returned
  SharedCount all;
};

struct Operation {
  std::string key;
  std::optional<std::string> value;  // none: an erasure
};

Operation operation_of(size_t thread, uint64_t number) {
  std::mt19937_64 random(number * kThreads + thread);
  Operation made{.key = fmt::format("{}/{}", thread, random() % kKeysOfAThread), .value = {}};
  if (random() % 4 != 0) {
    made.value = fmt::format("{} {}", number, std::string(random() % 400, 'v'));
  }
  return made;
}

kv_store::StoreOptions store_options() { return {.segment_bytes = 16 << 10}; }

/// The child: goes on until it is killed, from where the threads were.
int work(const std::string& path, Progress& progress) {
  auto store = KvStore::open(path, store_options());
  if (!store) return 1;
  std::vector<std::jthread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t number = progress.done[thread];; ++number) {
        const Operation next = operation_of(thread, number);
        const auto done =
            next.value ? (*store)->put(next.key, *next.value) : (*store)->erase(next.key);
        if (!done) return;
        progress.done[thread].store(number + 1);
        progress.all.add(1);
        if (number % 50 == 0 && (*store)->wants_compaction() && !(*store)->compact()) return;
      }
    });
  }
  threads.clear();
  return 2;
}

using Model = std::map<std::string, std::string>;

void carry_out(const Operation& operation, Model& model) {
  if (operation.value) {
    model[operation.key] = *operation.value;
  } else {
    model.erase(operation.key);
  }
}

/// How many operations of a thread the store has; none if it agrees with no such number.
std::optional<uint64_t> judge(const KvStore& store, size_t thread, uint64_t returned,
                              Model& model) {
  Model held;
  for (uint64_t i = 0; i < kKeysOfAThread; ++i) {
    const std::string key = fmt::format("{}/{}", thread, i);
    const auto value = store.get(key);
    if (!value) return std::nullopt;
    if (*value) held[key] = **value;
  }
  if (held == model) return returned;
  carry_out(operation_of(thread, returned), model);  // It was on its way.
  if (held == model) return returned + 1;
  return std::nullopt;
}

TEST(KvStoreKillTest, store_that_was_killed_under_load_has_what_was_put) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  const ScratchDirectory scratch(ScratchDirectory::memory());
  const std::string path = scratch.path("store");
  const SharedMemory<Progress> progress;
  std::array<Model, kThreads> models;
  std::array<uint64_t, kThreads> known{};
  const uint64_t kills = writeahead::test::scaled(150);
  uint64_t violations = 0;
  for (uint64_t round = 0; round < kills && violations == 0; ++round) {
    const uint64_t goal = progress->all.load() + random() % 1500;
    ForkedProcess child([&] { return work(path, *progress); });
    ASSERT_TRUE(progress->all.wait_for(goal, std::chrono::minutes(1)));
    ASSERT_EQ(child.kill(), -SIGKILL);
    auto store = KvStore::open(path, store_options());
    ASSERT_TRUE(store) << store.error().message();
    for (size_t thread = 0; thread < kThreads; ++thread) {
      const uint64_t returned = progress->done[thread];
      for (; known[thread] < returned; ++known[thread]) {
        carry_out(operation_of(thread, known[thread]), models[thread]);
      }
      const auto has = judge(**store, thread, returned, models[thread]);
      violations += has ? 0 : 1;
      EXPECT_TRUE(has) << "round " << round << ", thread " << thread;
      known[thread] = has.value_or(returned);
      progress->done[thread] = known[thread];
    }
    ASSERT_TRUE((*store)->close());
  }
  EXPECT_GT(progress->all.load(), kills * 100);
  writeahead::test::print_count("index crashes", "kills of the key-value store", kills);
  writeahead::test::print_count("index crashes", "violations", violations);
}

}  // namespace
}  // namespace writeahead::index::test
