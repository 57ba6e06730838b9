// Stock: logs whose records, files and earlier states are known, for mutations to damage.
//
// No truncation and no cut is among what they went through, so that the bytes of a place in a
// segment only ever changed from zeros to what they are: what testifies is easy to find.
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
  std::vector<uint64_t> frames;  ///< Their offsets in the file, the seal's too.
};

struct StockLog {
  SimDisk disk;
  std::vector<SimDisk> older;  ///< As it was before.
  Identifier id{};
  std::vector<StoredRecord> records;  ///< All that were ever acknowledged.
  Lsn first;                          ///< Below this they were trimmed.
  std::map<uint64_t, StockSegment> segments;
};

[[nodiscard]] const std::vector<StockLog>& stock_logs();

[[nodiscard]] std::string segment_path(uint64_t number);

}  // namespace writeahead::testing
