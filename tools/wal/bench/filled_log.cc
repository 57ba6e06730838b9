// A filled log has frames of one batch each; its writer does not wait for the device.
#include "bench/filled_log.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

#include "bench/payload.h"
#include "bench/stopwatch.h"
#include "bench/taking.h"
#include "writeahead/batch.h"
#include "writeahead/log.h"

namespace wal::bench {

using writeahead::Appended;
using writeahead::Batch;
using writeahead::Durability;
using writeahead::Log;
using writeahead::Lsn;
using writeahead::SegmentInfo;

namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

std::vector<Lsn> fill(const std::string& path, const Filling& filling, uint64_t records,
                      uint64_t segments) {
  Log log = take(Log::open(path, {.segment_bytes = filling.segment_bytes}));
  const std::string payload = payload_of(filling.record_bytes);
  std::vector<Lsn> lsns;
  while (records != 0 && log.stats().segments_opened < segments) {
    Batch batch;
    const uint64_t size = std::min(records, filling.frame_records);
    while (batch.size() < size) {
      batch.add(payload);
    }
    const Appended range = take(log.append(batch, Durability::written));
    for (size_t i = 0; i < size; ++i) {
      lsns.push_back(batch.lsn(i, range));
    }
    records -= size;
  }
  take(log.close());
  return lsns;
}

}  // namespace

std::vector<Lsn> fill_log(const std::string& path, const Filling& filling, uint64_t records) {
  return fill(path, filling, records, kNoLimit);
}

void fill_segments(const std::string& path, const Filling& filling, uint64_t segments) {
  (void)fill(path, filling, kNoLimit, segments);
}

void trim_sealed(Log& log) {
  Lsn last = log.first_lsn();
  for (const SegmentInfo& segment : log.segments()) {
    if (segment.state != SegmentInfo::State::standby) {
      last = segment.base_lsn;
    }
  }
  take(log.trim_before(last));
}

void await_standbys(const Log& log, uint64_t count) {
  constexpr double kMostSeconds = 60;
  const Clock time;
  while (log.stats().standbys < count) {
    require(time.seconds() < kMostSeconds, "no segment is made ready", ExitCode::environment);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace wal::bench
