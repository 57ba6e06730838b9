// Appends with many tags beside the bare log, what a peek reads, and what idle tags take.
#include "tag_figures.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

#include "figure.h"
#include "writeahead/index/tag_log.h"
#include "writeahead/log.h"

namespace figures {
namespace {

using writeahead::Durability;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::index::Tag;
using writeahead::index::TagLog;

/// Appends of several threads that wait for each.
constexpr size_t kThreads = 16;
constexpr int kAppendsEach = 500;

struct Rate {
  double records_per_second;
  double records_per_frame;
};

template <class Append>
Rate rate_of(Log& log, const Append& append) {
  const uint64_t frames = log.stats().frames;
  const double seconds = seconds_of([&] {
    std::vector<std::jthread> threads;
    for (size_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kAppendsEach; ++i) append(thread * kAppendsEach + i);
      });
    }
  });
  const double records = kThreads * kAppendsEach;
  return {.records_per_second = records / seconds,
          .records_per_frame = records / static_cast<double>(log.stats().frames - frames)};
}

void measure_appends(const std::string& path) {
  std::vector<double> ratios;
  std::vector<double> frames;
  for (int round = 0; round < kRounds; ++round) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directory(path);
    std::array<Rate, 3> rates{};  // the bare log, one tag, many tags
    {
      auto log = Log::open(path + "/bare");
      require(log.has_value(), "the bare log does not open");
      rates[0] = rate_of(
          *log, [&](size_t) { require(log->append(std::string(64, 'x')).has_value(), "append"); });
    }
    for (size_t i : {1, 2}) {
      auto log = TagLog::open(path + "/tags" + std::to_string(i));
      require(log.has_value(), "the tag log does not open");
      rates[i] = rate_of((*log)->log(), [&](size_t number) {
        const Tag tag = i == 1 ? 0 : static_cast<Tag>(number % 10'000);
        require((*log)->append(std::string(64, 'x'), {tag}).has_value(), "append");
      });
    }
    ratios.push_back(rates[2].records_per_second / rates[0].records_per_second);
    frames.push_back(rates[2].records_per_frame / rates[1].records_per_frame);
  }
  std::filesystem::remove_all(path);
  show("10,000 tags: appends, to the bare log's", median(ratios), "times", Bound::at_least, 0.8);
  show("10,000 tags: records a barrier, to one tag's", median(frames), "times", Bound::at_least,
       0.8);
}

/// Has the system forget what it has cached of a log.
void evict(const std::string& path) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (!entry.is_regular_file()) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    require(file >= 0, "a file does not open");
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

/// What this process has read from devices.
uint64_t device_bytes_read() {
  std::ifstream counters("/proc/self/io");
  std::string name;
  uint64_t value = 0;
  while (counters >> name >> value) {
    if (name == "read_bytes:") return value;
  }
  require(false, "the system does not count reads");
  return 0;
}

/// A log of so many bytes, of which one tag in a hundred is peeked through.
void measure_peek(const std::string& path, size_t record_bytes, uint64_t log_bytes) {
  constexpr Tag kTags = 100;
  std::filesystem::remove_all(path);
  const uint64_t records = log_bytes / (record_bytes + 24);
  {
    auto log = TagLog::open(path);
    require(log.has_value(), "the tag log does not open");
    const std::string payload(record_bytes, 'x');
    for (uint64_t i = 0; i < records; ++i) {
      // In no order, as of independent producers.
      const Tag tag = static_cast<Tag>((i * 0x9E3779B97F4A7C15 >> 32) % kTags);
      const auto level = i % 1000 == 0 ? Durability::durable : Durability::buffered;
      require((*log)->append(payload, {tag}, {.durability = level}).has_value(), "append");
    }
    require((*log)->close().has_value(), "close");
  }
  uint64_t found = 0;
  uint64_t read = 0;
  {
    auto log = TagLog::open(path);
    require(log.has_value(), "the tag log does not open again");
    evict(path);
    const uint64_t before = device_bytes_read();
    for (Lsn from;;) {
      const auto some = (*log)->peek(7, from, 1 << 20);
      require(some.has_value(), "peek");
      if (some->empty()) break;
      found += some->size();
      from = some->back().lsn + 1;
    }
    read = device_bytes_read() - before;
  }
  std::filesystem::remove_all(path);
  require(found > records / kTags / 2, "records are missing");
  if (record_bytes >= 4096) {
    show(fmt::format("peek, 1 % of a log of {} B records: of it read", record_bytes),
         100 * static_cast<double>(read) / static_cast<double>(log_bytes), "percent",
         Bound::at_most, 3);
  } else {
    show(fmt::format("peek, records of {} B: read for each", record_bytes),
         static_cast<double>(read) / 4096 / static_cast<double>(found), "pages", Bound::at_most,
         1.1);
  }
}

void measure_memory(const std::string& path) {
  std::filesystem::remove_all(path);
  {
    auto log = TagLog::open(path);
    require(log.has_value(), "the tag log does not open");
    require((*log)->append("x", {0}).has_value(), "append");
    const uint64_t before = heap_bytes();
    for (Tag tag = 0; tag < 100'000; ++tag) {
      const auto level = tag % 1000 == 0 ? Durability::durable : Durability::buffered;
      require((*log)->append("x", {tag}, {.durability = level}).has_value(), "append");
    }
    require((*log)->log().sync().has_value() && (*log)->peek(0, Lsn(), 1).has_value(), "peek");
    show("100,000 tags with a record each: memory",
         static_cast<double>(heap_bytes() - before) / (1 << 20), "MiB", Bound::at_most, 64);
  }
  std::filesystem::remove_all(path);
}

}  // namespace

void measure_tags(const std::string& directory) {
  const std::string path = directory + "/tag_figures.log";
  measure_appends(path);
  measure_peek(path, 4096, 1ULL << 30);
  measure_peek(path, 64, 256ULL << 20);
  measure_memory(path);
}

}  // namespace figures
