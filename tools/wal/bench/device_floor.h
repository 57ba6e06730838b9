// DeviceFloor: what the device takes for the same bytes without a log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/measurement.h"
#include "probe_file.h"
#include "sample.h"

namespace wal::bench {

/// One prepared file for each sync method that the file system takes, direct_dsync first.
class DeviceFloor {
 public:
  /// Throws NotMeasured.
  DeviceFloor(const std::string& directory, uint64_t largest_write);

  /// Makes `bytes` more durable by each method, and remembers how long that took.
  void append(uint64_t bytes);
  /// The same by the first method only; how long it took, in microseconds.
  double append_best(uint64_t bytes);
  /// Sets floor.latency_us and floor.METHOD_p50_us of what was remembered, and forgets it.
  void report(Measurement& measurement);

 private:
  struct Method {
    std::unique_ptr<ProbeFile> file;
    Sample sample;
  };
  std::vector<Method> methods_;
};

/// The same by the best method in files of a few writes each, as where segments are small: the file
/// system may have more to write at the first one to a file than at those that follow.
class RotationFloor {
 public:
  /// Prepares `files` files, which are used in turns. Throws NotMeasured.
  RotationFloor(const std::string& directory, size_t files, uint64_t file_bytes);

  /// Makes `bytes` more durable, in the next file if they begin one.
  void append(uint64_t bytes, bool begins_file);
  /// Sets floor.rotating_us, floor.others_us, floor.latency_us and floor.rotating_to_others of what
  /// was remembered, and forgets it.
  void report(Measurement& measurement);

 private:
  std::vector<std::unique_ptr<ProbeFile>> files_;
  size_t current_ = 0;
  Sample rotating_;
  Sample others_;
};

/// Bytes a second of durable writes of `piece_bytes` by several threads at once, the best of
/// some depths, each for `total_bytes`. Throws NotMeasured.
[[nodiscard]] double best_bandwidth(const std::string& directory, uint64_t piece_bytes,
                                    uint64_t total_bytes);

}  // namespace wal::bench
