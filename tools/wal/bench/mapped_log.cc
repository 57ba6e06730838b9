// Where the bytes lie is told by the log's own list of segments.
#include "bench/mapped_log.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "bench/taking.h"
#include "writeahead/read_only_log.h"

namespace wal::bench {

using writeahead::Env;
using writeahead::kBlockBytes;
using writeahead::Lsn;
using writeahead::ReadOnlyLog;
using writeahead::SegmentInfo;

MappedLog::MappedLog(const std::string& path) {
  const auto directory =
      take(Env::posix().open_directory(path, false, 0700), "open directory " + path);
  for (const SegmentInfo& segment : take(ReadOnlyLog::open(path)).segments()) {
    if (segment.state == SegmentInfo::State::standby) {
      continue;
    }
    const std::string name = fmt::format("{:020}.wal", segment.number);
    const auto file = take(directory->open(name, {}), "open " + path + "/" + name);
    const uint64_t bytes = kBlockBytes + (segment.end_lsn.value() - segment.base_lsn.value());
    segments_.push_back({.base = segment.base_lsn.value(),
                         .bytes = bytes,
                         .region = take(file->map({.bytes = bytes, .populate = true}),
                                        "map " + path + "/" + name)});
  }
}

uint64_t MappedLog::hash_all() const {
  uint64_t sum = 0;
  for (const Segment& segment : segments_) {
    sum += ::XXH3_64bits(segment.region->bytes().data(), segment.bytes);
  }
  return sum;
}

std::span<const std::byte> MappedLog::at(Lsn lsn, size_t count) const {
  const auto behind = std::ranges::upper_bound(segments_, lsn.value(), {}, &Segment::base);
  const Segment& segment = *std::prev(behind);
  return segment.region->bytes().subspan(kBlockBytes + (lsn.value() - segment.base), count);
}

}  // namespace wal::bench
