// Logs as the scenarios need them: filled with records of one size and closed, or cut at the front.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "writeahead/log.h"
#include "writeahead/lsn.h"

namespace wal::bench {

struct Filling {
  uint64_t segment_bytes;
  uint64_t record_bytes;
  uint64_t frame_records;  ///< That share a frame.
};

/// Makes a log of so many records in `path`; their addresses. Throws NotMeasured.
[[nodiscard]] std::vector<writeahead::Lsn> fill_log(const std::string& path, const Filling& filling,
                                                    uint64_t records);
/// Appends until it has so many segments: all but the last one are sealed.
void fill_segments(const std::string& path, const Filling& filling, uint64_t segments);

/// Gives back all segments but the last one, as a consumer does that trims. Throws NotMeasured.
void trim_sealed(writeahead::Log& log);

/// Until so many segments are ready: a log that has been open for a while is making none, and the
/// device's floor is to have the device to itself. Throws NotMeasured.
void await_standbys(const writeahead::Log& log, uint64_t count = 1);

}  // namespace wal::bench
