// Killing a key-value store under load, again and again: several threads put and erase, each with
// keys of its own and by a course that its seed decides; at a moment that chance decides the
// process is killed. Then each key has to be as the course left it, up to the last operation that
// had returned, or that and the one behind it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/counts.h"
#include "support/forked_process.h"
#include "support/scratch_directory.h"
#include "support/shared_count.h"
#include "support/test_seed.h"
#include "writeahead/result.h"

namespace writeahead::index::test {

using writeahead::test::ForkedProcess;
using writeahead::test::ScratchDirectory;
using writeahead::test::SharedCount;
using writeahead::test::SharedMemory;

inline constexpr size_t kThreads = 3;
inline constexpr uint64_t kKeysOfAThread = 40;

struct StoreProgress {
  std::array<std::atomic<uint64_t>, kThreads> done;  // operations that returned
  SharedCount all;
};

struct Operation {
  std::string key;
  std::optional<std::string> value;  // none: an erasure
};

inline Operation operation_of(size_t thread, uint64_t number) {
  std::mt19937_64 random(number * kThreads + thread);
  Operation made{.key = fmt::format("{}/{}", thread, random() % kKeysOfAThread), .value = {}};
  if (random() % 4 != 0) {
    made.value = fmt::format("{} {}", number, std::string(random() % 400, 'v'));
  }
  return made;
}

/// A key-value store that is killed: put(), erase(), get() and close().
template <class Store>
struct Killed {
  std::function<Result<std::unique_ptr<Store>>(const std::string& path)> open;
  /// What a thread does now and then beside.
  std::function<Result<void>(Store& store)> tend;
};

/// The child: goes on until it is killed, from where the threads were.
template <class Store>
int work(const std::string& path, const Killed<Store>& killed, StoreProgress& progress) {
  auto store = killed.open(path);
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
        if (number % 50 == 0 && !killed.tend(**store)) return;
      }
    });
  }
  threads.clear();
  return 2;
}

using StoreModel = std::map<std::string, std::string>;

inline void carry_out(const Operation& operation, StoreModel& model) {
  if (operation.value) {
    model[operation.key] = *operation.value;
  } else {
    model.erase(operation.key);
  }
}

/// How many operations of a thread the store has; none if it agrees with no such number.
template <class Store>
std::optional<uint64_t> judge(const Store& store, size_t thread, uint64_t returned,
                              StoreModel model) {
  StoreModel held;
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

/// The child that looks: how many threads' keys are wrong; `done` of the others is what they have.
template <class Store>
int look(const std::string& path, const Killed<Store>& killed,
         const std::array<StoreModel, kThreads>& models, StoreProgress& progress) {
  const auto store = killed.open(path);
  if (!store) return 100;
  int wrong = 0;
  for (size_t thread = 0; thread < kThreads; ++thread) {
    const auto has = judge(**store, thread, progress.done[thread], models[thread]);
    wrong += has ? 0 : 1;
    if (has) progress.done[thread] = *has;
  }
  return (*store)->close() ? wrong : 101;
}

/// The store is opened in children alone: some leave threads behind in their process, which a child
/// of it would miss.
template <class Store>
void kill_again_and_again(uint64_t kills, const Killed<Store>& killed) {
  SCOPED_TRACE(writeahead::test::replay_command());
  std::mt19937_64 random(writeahead::test::test_seed());
  const ScratchDirectory scratch(ScratchDirectory::memory());
  const std::string path = scratch.path("store");
  const SharedMemory<StoreProgress> progress;
  std::array<StoreModel, kThreads> models;
  std::array<uint64_t, kThreads> known{};
  const auto catch_up = [&] {
    for (size_t thread = 0; thread < kThreads; ++thread) {
      for (; known[thread] < progress->done[thread]; ++known[thread]) {
        carry_out(operation_of(thread, known[thread]), models[thread]);
      }
    }
  };
  uint64_t violations = 0;
  for (uint64_t round = 0; round < kills && violations == 0; ++round) {
    const uint64_t goal = progress->all.load() + random() % 1500;
    ForkedProcess child([&] { return work(path, killed, *progress); });
    ASSERT_TRUE(progress->all.wait_for(goal, std::chrono::minutes(1)));
    ASSERT_EQ(child.kill(), -SIGKILL);
    catch_up();
    ForkedProcess looks([&] { return look(path, killed, models, *progress); });
    const int wrong = looks.wait();
    violations += wrong == 0 ? 0 : 1;
    EXPECT_EQ(wrong, 0) << "round " << round;
    catch_up();
  }
  EXPECT_GT(progress->all.load(), kills * 100);
  writeahead::test::print_count("index crashes", "kills of a store", kills);
  writeahead::test::print_count("index crashes", "violations", violations);
}

}  // namespace writeahead::index::test
