// The library does it; here are only the options.
#include "owned_log.h"

#include <fmt/format.h>

#include <utility>

namespace wal {

Outcome<writeahead::Log> open_owned(const std::string& directory,
                                    std::optional<uint64_t> segment_bytes) {
  writeahead::Options options;
  options.create_if_missing = false;
  options.segment_bytes = segment_bytes.value_or(options.segment_bytes);
  auto log = writeahead::Log::open(directory, options);
  if (!log) {
    return failure_of(log.error());
  }
  return std::move(*log);
}

Holdings holdings_of(const writeahead::Log& log) {
  Holdings holdings;
  for (const auto& segment : log.segments()) {
    ++holdings.segments;
    holdings.records += segment.records;
    holdings.bytes += segment.bytes;
  }
  return holdings;
}

std::string count_of(uint64_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace wal
