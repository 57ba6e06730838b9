// A small durable key-value store on the command line.
//
//   example_kv_store DIR put KEY VALUE
//   example_kv_store DIR get KEY
//   example_kv_store DIR erase KEY
//   example_kv_store DIR fill COUNT     writes so many values to 1,000 keys, and compacts meanwhile
//   example_kv_store                    fills a store, opens it again, and says what it found
#include <algorithm>
#include <expected>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "kv_store.h"

namespace {

using kv_store::KvStore;
using writeahead::Result;

constexpr int kKeys = 1000;

std::string value_of(int number) { return std::to_string(number) + std::string(500, '.'); }

Result<void> fill(KvStore& store, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string key = "key " + std::to_string(i % kKeys);
    if (auto put = store.put(key, value_of(i)); !put) return put;
    if (i % 100 != 0 || !store.wants_compaction()) continue;
    if (auto compacted = store.compact(); !compacted) return compacted;
  }
  return {};
}

/// 0 if the store has each key's newest value, and few segments.
Result<int> show() {
  constexpr int kCount = 5000;
  const kv_store::StoreOptions options{.log = {.segment_bytes = 256 << 10}};
  auto store = KvStore::open("kv_store.log", options);
  if (!store) return std::unexpected(store.error());
  if (auto filled = fill(**store, kCount); !filled) return std::unexpected(filled.error());
  if (auto erased = (*store)->erase("key 7"); !erased) return std::unexpected(erased.error());
  if (auto closed = (*store)->close(); !closed) return std::unexpected(closed.error());

  store = KvStore::open("kv_store.log", options);
  if (!store) return std::unexpected(store.error());
  int right = 0;
  for (int i = 0; i < kKeys; ++i) {
    const auto value = (*store)->get("key " + std::to_string(i));
    if (!value) return std::unexpected(value.error());
    right += *value == (i == 7 ? std::nullopt : std::optional(value_of(kCount - kKeys + i)));
  }
  std::cout << (*store)->keys() << " keys, " << right << " of " << kKeys
            << " as they were written last\n";
  return right == kKeys ? 0 : 1;
}

Result<int> run(std::span<const std::string_view> words) {
  if (words.empty()) return show();
  const std::string_view verb = words.size() < 2 ? "" : words[1];
  const bool is_put = verb == "put" && words.size() == 4;
  const bool is_other = (verb == "get" || verb == "erase" || verb == "fill") && words.size() == 3;
  if (!is_put && !is_other) {
    std::cerr << "usage: example_kv_store DIR put KEY VALUE | get KEY | erase KEY | fill COUNT\n";
    return 2;
  }
  auto store = KvStore::open(std::string(words[0]));
  if (!store) return std::unexpected(store.error());
  if (verb == "get") {
    const auto value = (*store)->get(words[2]);
    if (!value) return std::unexpected(value.error());
    if (!*value) return 1;
    std::cout << **value << "\n";
    return 0;
  }
  const auto done = is_put            ? (*store)->put(words[2], words[3])
                    : verb == "erase" ? (*store)->erase(words[2])
                                      : fill(**store, std::stoi(std::string(words[2])));
  if (!done) return std::unexpected(done.error());
  if (auto closed = (*store)->close(); !closed) return std::unexpected(closed.error());
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string_view> words(arguments + 1, arguments + count);
  const auto result = run(words);
  if (!result) {
    std::cerr << writeahead::to_string(result.error().code()) << ": " << result.error().message()
              << "\n";
    return 1;
  }
  std::cout.flush();
  return std::cout.good() ? *result : 1;
}
