// Logs for the figures of reading: filled with records of one size, and read without a log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "writeahead/lsn.h"

namespace writeahead::bench {

struct FilledLog {
  std::string path;
  uint64_t segment_bytes;
  uint64_t record_bytes;
  uint64_t batch_records;  ///< That share a frame.
  std::vector<Lsn> lsns;   ///< Of all records that were added.

  /// Appends so many records more, and closes the log.
  void add_records(uint64_t count);
  /// Appends until it has so many segments, and closes it: all but the last one are sealed.
  void add_segments(uint64_t count);
};

/// Reads all segment files of a log through the page cache, up to `most_bytes` of each; how many
/// bytes these were.
uint64_t read_segment_files(const std::string& path, uint64_t most_bytes);

}  // namespace writeahead::bench
