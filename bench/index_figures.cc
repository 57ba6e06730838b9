// The figures of the index library, each beside its target.
//
//   index_figures DIR [--json]    makes logs in DIR, of 10 million records and of 1 GiB, and
//   removes
//                                 them again
//
// One line a figure, each measured three times, the median shown.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "figure.h"
#include "tag_figures.h"
#include "writeahead/index/id_index.h"
#include "writeahead/log.h"

namespace {

using figures::Bound;
using figures::heap_bytes;
using figures::kRounds;
using figures::median;
using figures::require;
using figures::seconds_of;
using figures::show;
using writeahead::Batch;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::RecordView;
using writeahead::index::IdIndex;
using writeahead::index::IndexOptions;
using writeahead::index::IndexOrder;

constexpr size_t kRecordBytes = 64;

/// Ids in no order, and each once.
uint64_t id_of(uint64_t number) { return number * 0x9E3779B97F4A7C15; }

void fill(Log& log, uint64_t entries) {
  constexpr uint64_t kInBatch = 10'000;
  std::vector<std::byte> payload(kRecordBytes);
  Batch batch;
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t id = id_of(i);
    std::ranges::copy(std::as_bytes(std::span(&id, 1)), payload.begin());
    batch.add(payload);
    if (batch.size() < kInBatch && i + 1 < entries) continue;
    require(log.append(batch).has_value(), "the log does not take a batch");
    batch.clear();
  }
}

/// The first eight bytes of a record.
uint64_t id_in(const RecordView& record) {
  uint64_t id = 0;
  std::ranges::copy(record.payload.first(sizeof(id)),
                    std::as_writable_bytes(std::span(&id, 1)).begin());
  return id;
}

template <class Index>
std::unique_ptr<Index> open_index(Log& log, std::string_view name) {
  auto index = Index::open(
      log, [](const RecordView& record, auto& edits) { edits.put(id_in(record)); },
      IndexOptions{.name = std::string(name),
                   .snapshot_bytes = 0,
                   .background = writeahead::BackgroundWork::stepped});
  require(index.has_value(), "the index does not open");
  return std::move(*index);
}

template <class Index>
void measure(Log& log, std::string_view name, uint64_t entries, double lookups_target) {
  std::vector<double> rebuild;
  std::vector<double> load;
  std::vector<double> one_by_one;
  std::vector<double> many;
  std::vector<double> by_two;
  double bytes_an_entry = 0;
  std::vector<uint64_t> ids(entries);
  for (uint64_t i = 0; i < entries; ++i) ids[i] = id_of(i);
  std::shuffle(ids.begin(), ids.end(), std::mt19937_64(1));
  std::vector<std::optional<Lsn>> found(entries);
  const std::filesystem::path snapshots = log.path() + "/index";
  for (int round = 0; round < kRounds; ++round) {
    std::filesystem::remove_all(snapshots);
    const uint64_t before = heap_bytes();
    std::unique_ptr<Index> index;
    rebuild.push_back(seconds_of([&] { index = open_index<Index>(log, name); }));
    bytes_an_entry = static_cast<double>(heap_bytes() - before) / static_cast<double>(entries);
    require(index->close().has_value(), "no snapshot is written");
    index.reset();
    load.push_back(seconds_of([&] { index = open_index<Index>(log, name); }));
    require(index->opening().loaded_entries == entries, "the snapshot is not used");
    uint64_t hits = 0;
    one_by_one.push_back(seconds_of([&] {
      for (const uint64_t id : ids) hits += index->find(id) ? 1 : 0;
    }));
    many.push_back(seconds_of([&] { index->find_many(ids, found); }));
    by_two.push_back(seconds_of([&] {
      const size_t half = entries / 2;
      const std::jthread other(
          [&] { index->find_many(std::span(ids).first(half), std::span(found).first(half)); });
      index->find_many(std::span(ids).subspan(half), std::span(found).subspan(half));
    }));
    const bool are_all_found =
        std::ranges::all_of(found, [](const auto& lsn) { return lsn.has_value(); });
    require(hits == entries && are_all_found, "ids are missing");
  }
  const double millions = static_cast<double>(entries) / 1e6;
  show(fmt::format("{}: memory", name), bytes_an_entry, "B an entry", Bound::at_most, 32);
  show(fmt::format("{}: find, one thread", name), millions / median(one_by_one), "M/s",
       Bound::at_least, lookups_target);
  show(fmt::format("{}: find_many, one thread", name), millions / median(many), "M/s",
       Bound::at_least, lookups_target);
  show(fmt::format("{}: find_many, two threads", name), millions / median(by_two), "M/s",
       Bound::at_least, lookups_target);
  show(fmt::format("{}: rebuild", name), millions / median(rebuild), "M/s", Bound::at_least, 3);
  show(fmt::format("{}: opening by snapshot, to rebuild", name), median(rebuild) / median(load),
       "times", Bound::at_least, 10);
}

}  // namespace

int main(int count, char** arguments) {
  figures::prints_json = count == 3 && std::string_view(arguments[2]) == "--json";
  if (count != 2 && !figures::prints_json) {
    fmt::print(stderr, "usage: index_figures DIR [--json]\n");
    return 2;
  }
  constexpr uint64_t kEntries = 10'000'000;
  const std::string path = std::string(arguments[1]) + "/index_figures.log";
  std::filesystem::remove_all(path);
  {
    auto log = Log::open(path);
    require(log.has_value(), "the log does not open");
    fill(*log, kEntries);
    measure<IdIndex<uint64_t>>(*log, "hashed", kEntries, 10);
    measure<IdIndex<uint64_t, IndexOrder::ordered>>(*log, "ordered", kEntries, 1);
  }
  std::filesystem::remove_all(path);
  figures::measure_tags(arguments[1]);
}
