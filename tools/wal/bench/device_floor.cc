// The methods take turns, so that a slow moment of the device meets all of them.
#include "bench/device_floor.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <span>

#include "bench/stopwatch.h"
#include "bench/taking.h"

namespace wal::bench {

using writeahead::Env;
using writeahead::kBlockBytes;
using writeahead::SyncMethod;
using writeahead::WriteBarrier;

namespace {

constexpr uint64_t kFileBytes = uint64_t{16} << 20;

}  // namespace

DeviceFloor::DeviceFloor(const std::string& directory, uint64_t largest_write) {
  const auto opened =
      take(Env::posix().open_directory(directory, false, 0700), "open directory " + directory);
  for (const SyncMethod method : kProbeMethods) {
    auto file = take(ProbeFile::open(Env::posix(), *opened, directory, method,
                                     {.file_bytes = kFileBytes, .largest_append = largest_write}));
    if (file) {
      methods_.push_back({.file = std::move(file), .sample = {}});
    }
  }
  if (methods_.empty()) {
    throw NotMeasured({ExitCode::environment, "no sync method works in " + directory});
  }
}

void DeviceFloor::append(uint64_t bytes) {
  for (Method& method : methods_) {
    method.sample.add(static_cast<double>(take(method.file->append(bytes))) / 1e3);
  }
}

double DeviceFloor::append_best(uint64_t bytes) {
  Method& best = methods_.front();
  const double us = static_cast<double>(take(best.file->append(bytes))) / 1e3;
  best.sample.add(us);
  return us;
}

void DeviceFloor::report(Measurement& measurement) {
  measurement.set_percentiles("floor.latency_us", methods_.front().sample);
  for (Method& method : methods_) {
    if (!method.sample.is_empty()) {
      measurement.set(fmt::format("floor.{}_p50_us", writeahead::to_string(method.file->method())),
                      method.sample.percentile(50));
    }
    method.sample = {};
  }
}

RotationFloor::RotationFloor(const std::string& directory, size_t files, uint64_t file_bytes) {
  const auto opened =
      take(Env::posix().open_directory(directory, false, 0700), "open directory " + directory);
  for (const SyncMethod method : kProbeMethods) {
    while (files_.size() < files) {
      auto file = take(ProbeFile::open(Env::posix(), *opened, directory, method,
                                       {.file_bytes = file_bytes, .largest_append = file_bytes}));
      if (!file) {
        break;
      }
      files_.push_back(std::move(file));
    }
  }
  if (files_.empty()) {
    throw NotMeasured({ExitCode::environment, "no sync method works in " + directory});
  }
}

void RotationFloor::append(uint64_t bytes, bool begins_file) {
  if (begins_file) {
    current_ = (current_ + 1) % files_.size();
  }
  const double us = static_cast<double>(take(files_[current_]->append(bytes))) / 1e3;
  (begins_file ? rotating_ : others_).add(us);
}

void RotationFloor::report(Measurement& measurement) {
  measurement.set_percentiles("floor.rotating_us", rotating_);
  measurement.set_percentiles("floor.others_us", others_);
  if (!rotating_.is_empty() && !others_.is_empty()) {
    measurement.set_ratio("floor.rotating_to_others", "floor.rotating_us.p50",
                          "floor.others_us.p50");
  }
  rotating_.add(others_);
  measurement.set_percentiles("floor.latency_us", rotating_);
  rotating_ = others_ = {};
}

double best_bandwidth(const std::string& directory, uint64_t piece_bytes, uint64_t total_bytes) {
  const auto opened =
      take(Env::posix().open_directory(directory, false, 0700), "open directory " + directory);
  const auto file = take(ProbeFile::open(Env::posix(), *opened, directory, SyncMethod::direct_dsync,
                                         {.file_bytes = kFileBytes}));
  if (!file) {
    throw NotMeasured({ExitCode::environment, "direct writes are refused in " + directory});
  }
  const std::align_val_t alignment{kBlockBytes};
  const std::unique_ptr<std::byte[], void (*)(std::byte*)> memory(
      new (alignment) std::byte[piece_bytes],
      [](std::byte* p) { ::operator delete[](p, std::align_val_t(kBlockBytes)); });
  std::memset(memory.get(), 'f', piece_bytes);
  double best = 0;
  for (const size_t depth : {1, 2, 4, 8, 16}) {
    std::atomic<uint64_t> next = 0;
    const uint64_t pieces = total_bytes / piece_bytes;
    const Elapsed time = run_together(depth, [&](size_t) {
      for (uint64_t i = next++; i < pieces; i = next++) {
        const uint64_t offset = i * piece_bytes % kFileBytes;
        const auto written =
            take(file->file().write_at(offset, {memory.get(), piece_bytes}, WriteBarrier::dsync),
                 "write " + directory);
        require(written == piece_bytes, "a write of the floor was cut short",
                ExitCode::environment);
      }
    });
    best = std::max(best, static_cast<double>(pieces * piece_bytes) / time.seconds);
  }
  return best;
}

}  // namespace wal::bench
