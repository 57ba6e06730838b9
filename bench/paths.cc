// paths PATH COUNT DIR: goes one way through the library COUNT times, in a log of its own in DIR.
//
// What it does besides does not depend on COUNT, so that the difference of two runs is the path
// alone: tests/instructions counts it so. Nothing here depends on how threads are scheduled.
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "writeahead/batch.h"
#include "writeahead/log.h"
#include "writeahead/read_only_log.h"

using namespace writeahead;

namespace {

constexpr uint64_t kStored = 50'000;
const std::string kPayload(64, 'p');

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "paths: {}\n", what);
  std::exit(1);
}

template <class T>
T take(Result<T> result) {
  if (!result) give_up(result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

Log open_log(const std::string& path) {
  // No standbys, so that nothing is made in the background.
  Log log = take(Log::open(path, {.segment_bytes = 64 << 20, .standby_segments = 0}));
  take(log.append(kPayload));
  return log;
}

void append(const std::string& path, uint64_t count) {
  Log log = open_log(path);
  for (uint64_t i = 0; i < count; ++i) take(log.append(kPayload));
}

void append_batch(const std::string& path, uint64_t count) {
  Log log = open_log(path);
  Batch batch;
  for (int i = 0; i < 1000; ++i) batch.add(kPayload);
  for (uint64_t i = 0; i < count; ++i) take(log.append(batch));
}

/// Nobody waits: as many as that are in flight until the background's step, made here, is done.
void append_async(const std::string& path, uint64_t count) {
  constexpr uint64_t kInFlight = 10'000;
  Log log = take(Log::open(
      path,
      {.segment_bytes = 64 << 20, .standby_segments = 0, .background = BackgroundWork::stepped}));
  take(log.append(kPayload));
  uint64_t done = 0;
  for (uint64_t i = 1; i <= count; ++i) {
    log.append_async(kPayload, [&done](const Result<Lsn>& lsn) { done += lsn ? 1 : 0; });
    if (i % kInFlight != 0) continue;
    while (log.step_background()) {
    }
  }
  take(log.close());
  if (done != count) give_up("not all were appended");
}

/// kStored records, each of which is in a frame with 99 others.
std::vector<Lsn> store(Log& log) {
  std::vector<Lsn> lsns;
  while (lsns.size() < kStored) {
    Batch batch;
    for (int i = 0; i < 100; ++i) batch.add(kPayload);
    const Appended range = take(log.append(batch, Durability::written));
    for (size_t i = 0; i < batch.size(); ++i) lsns.push_back(batch.lsn(i, range));
  }
  take(log.sync());
  return lsns;
}

/// At random, but the same each time.
void read_records(const Log& log, const std::vector<Lsn>& lsns, uint64_t count) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; ++i) {
    bytes += take(log.read(lsns[i * 7919 % lsns.size()])).payload.size();
  }
  if (bytes != count * kPayload.size()) give_up("something else was read");
}

void read_active(const std::string& path, uint64_t count) {
  Log log = open_log(path);
  const auto lsns = store(log);
  read_records(log, lsns, kStored);
  read_records(log, lsns, count);
}

/// The same by so many in a call.
void read_records_together(const Log& log, const std::vector<Lsn>& lsns, uint64_t count) {
  constexpr size_t kTogether = 100;
  uint64_t bytes = 0;
  std::vector<Lsn> wanted(kTogether);
  for (uint64_t i = 0; i < count; i += kTogether) {
    for (size_t j = 0; j < kTogether; ++j) wanted[j] = lsns[(i + j) * 7919 % lsns.size()];
    for (auto& record : log.read_many(wanted)) bytes += take(std::move(record)).payload.size();
  }
  if (bytes != count * kPayload.size()) give_up("something else was read");
}

template <class Read>
void read_from_sealed(const std::string& path, uint64_t count, const Read& read) {
  const Options options{.segment_bytes = 2 << 20, .standby_segments = 0};
  std::vector<Lsn> lsns;
  {
    Log log = take(Log::open(path, options));
    lsns = store(log);
    take(log.close());  // With all seals, which the background would write at some time.
  }
  Log log = take(Log::open(path, options));
  while (lsns.back() >= log.segments().back().base_lsn) lsns.pop_back();
  read_records(log, lsns, 4 * kStored);  // By then the segment has earned its map of records.
  read(log, lsns, count);
}

void read_sealed(const std::string& path, uint64_t count) {
  read_from_sealed(path, count, read_records);
}

void read_many(const std::string& path, uint64_t count) {
  read_from_sealed(path, count, read_records_together);
}

/// The log once for every kStored records of the count.
void replay(const std::string& path, uint64_t count) {
  {
    Log log = open_log(path);
    (void)store(log);
    take(log.close());
  }
  const auto log = take(ReadOnlyLog::open(path));
  const auto read_all = [&] {
    uint64_t records = 0;
    for (auto& record : log.reader(log.first_lsn())) {
      if (!record) give_up(record.error().message());
      records += record->ordinal;
    }
    return records;
  };
  uint64_t sum = read_all();
  for (uint64_t done = 0; done < count; done += kStored) sum += read_all();
  if (sum == 0) give_up("nothing was read");
}

using Path = void (*)(const std::string&, uint64_t);
constexpr std::array<std::pair<std::string_view, Path>, 7> kPaths = {
    {{"append", append},
     {"append_async", append_async},
     {"append_batch", append_batch},
     {"read_active", read_active},
     {"read_sealed", read_sealed},
     {"read_many", read_many},
     {"replay", replay}}};

}  // namespace

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<size_t>(argc));
  if (arguments.size() != 4) give_up("usage: paths PATH COUNT DIR");
  for (const auto& [name, path] : kPaths) {
    if (name != arguments[1]) continue;
    path(std::string(arguments[3]) + "/log", std::strtoull(arguments[2], nullptr, 10));
    return 0;
  }
  give_up("unknown path");
}
