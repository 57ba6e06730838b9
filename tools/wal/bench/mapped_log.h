// MappedLog: a log's segment files in memory, for who reads their bytes without the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/lsn.h"

namespace wal::bench {

class MappedLog {
 public:
  /// Maps all of them, and reads them in. Throws NotMeasured.
  explicit MappedLog(const std::string& path);

  /// Hashes all bytes once, a file after the other.
  [[nodiscard]] uint64_t hash_all() const;
  /// The bytes at an address, `count` of them, of those that lie in one file.
  [[nodiscard]] std::span<const std::byte> at(writeahead::Lsn lsn, size_t count) const;

 private:
  struct Segment {
    uint64_t base;
    uint64_t bytes;
    std::unique_ptr<writeahead::MappedRegion> region;
  };
  std::vector<Segment> segments_;
};

}  // namespace wal::bench
