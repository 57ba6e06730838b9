// RocksDB with a WriteAhead log in front, beside RocksDB with its own log.
//
//   example_rocksdb_front              puts, stops without a flush, opens again, says what it found
//   example_rocksdb_front bench DIR    durable puts a second by 1, 8 and 64 writers, of both
#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <expected>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "rocks_front.h"

namespace {

using rocksdb_front::RocksFront;
using writeahead::Result;

std::string key_of(size_t number) { return "key " + std::to_string(number); }

Result<int> show() {
  constexpr size_t kPuts = 500;
  {
    auto front = RocksFront::open("rocksdb_front.data");
    if (!front) return std::unexpected(front.error());
    for (size_t i = 0; i < kPuts; ++i) {
      if (auto put = (*front)->put(key_of(i % 100), std::to_string(i)); !put) {
        return std::unexpected(put.error());
      }
      if (i != 300) continue;
      if (auto flushed = (*front)->flush(); !flushed) return std::unexpected(flushed.error());
    }
    if (auto erased = (*front)->erase(key_of(7)); !erased) return std::unexpected(erased.error());
  }  // As a crash: what RocksDB has in memory is gone.
  auto front = RocksFront::open("rocksdb_front.data");
  if (!front) return std::unexpected(front.error());
  size_t right = 0;
  for (size_t i = 0; i < 100; ++i) {
    const auto value = (*front)->get(key_of(i));
    if (!value) return std::unexpected(value.error());
    right += *value == (i == 7 ? std::nullopt : std::optional(std::to_string(400 + i))) ? 1 : 0;
  }
  std::cout << right << " of 100 keys as they were put last, " << (*front)->replayed()
            << " batches put in again\n";
  return right == 100 ? 0 : 1;
}

/// Puts a second.
double rate_of(size_t writers,
               const std::function<bool(const std::string&, const std::string&)>& put) {
  const size_t puts_each = std::max<size_t>(100, 2000 / writers);
  const std::string value(64, 'v');
  std::vector<std::jthread> threads;
  std::atomic<bool> is_right = true;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      for (size_t i = 0; i < puts_each; ++i) {
        if (!put(key_of(writer * puts_each + i), value)) is_right = false;
      }
    });
  }
  threads.clear();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return is_right ? static_cast<double>(writers * puts_each) / seconds.count() : 0;
}

Result<int> bench(const std::string& directory) {
  constexpr int kRounds = 5;
  const std::string path = directory + "/rocksdb_front.bench";
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  auto front = RocksFront::open(path + "/front");
  if (!front) return std::unexpected(front.error());
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, path + "/own", &opened).ok()) return 1;
  const std::unique_ptr<rocksdb::DB> own(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  std::printf("durable puts a second, medians of %d rounds\n%8s %12s %12s %8s\n", kRounds,
              "writers", "this front", "RocksDB", "ratio");
  for (const size_t writers : {1, 8, 64}) {
    std::vector<double> ours;
    std::vector<double> theirs;
    std::vector<double> ratios;
    for (int round = 0; round < kRounds; ++round) {
      ours.push_back(rate_of(writers, [&](const std::string& key, const std::string& value) {
        return (*front)->put(key, value).has_value();
      }));
      theirs.push_back(rate_of(writers, [&](const std::string& key, const std::string& value) {
        return own->Put(synced, key, value).ok();
      }));
      ratios.push_back(ours.back() / theirs.back());
    }
    for (auto* values : {&ours, &theirs, &ratios}) std::ranges::sort(*values);
    std::printf("%8zu %12.0f %12.0f %8.2f\n", writers, ours[kRounds / 2], theirs[kRounds / 2],
                ratios[kRounds / 2]);
  }
  front->reset();
  std::filesystem::remove_all(path);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const bool is_bench = count == 3 && std::string_view(arguments[1]) == "bench";
  if (count != 1 && !is_bench) {
    std::cerr << "usage: example_rocksdb_front [bench DIR]\n";
    return 2;
  }
  const auto result = is_bench ? bench(arguments[2]) : show();
  if (!result) {
    std::cerr << writeahead::to_string(result.error().code()) << ": " << result.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return std::cout.good() ? *result : 1;
}
