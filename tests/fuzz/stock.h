// Stock: logs whose records, files and earlier states are known, for mutations to damage.
//
// Some were cut after a torn write, or truncated. Beyond its end a segment may hold frames that are
// not its own any more: they testify for nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

struct StockSegment {
  Lsn base;
  Lsn end = Lsn(UINT64_MAX);     ///< Where the next one begins.
  std::vector<uint64_t> frames;  ///< Their offsets in the file, the seal's too.
};

struct StockLog {
  SimDisk disk;
  std::vector<SimDisk> older;  ///< As it was before, but not before records were taken back.
  Identifier id{};
  std::vector<StoredRecord> records;     ///< All that were acknowledged and not taken back.
  std::vector<StoredRecord> taken_back;  ///< By a truncation.
  Lsn first;                             ///< Below this they were trimmed.
  std::map<uint64_t, StockSegment> segments;
};

[[nodiscard]] const std::vector<StockLog>& stock_logs();

[[nodiscard]] std::string segment_path(uint64_t number);

}  // namespace writeahead::testing
