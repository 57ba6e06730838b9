// Filling logs by batches, and reading their files.
#include "filled_log.h"

#include <algorithm>
#include <limits>

#include "measuring.h"
#include "writeahead/batch.h"
#include "writeahead/env.h"
#include "writeahead/log.h"

namespace writeahead::bench {
namespace {

void fill(FilledLog& filled, uint64_t records, uint64_t segments) {
  Log log = take(Log::open(filled.path, {.segment_bytes = filled.segment_bytes}));
  const std::string payload(filled.record_bytes, 'r');
  while (records != 0 && log.stats().segments_opened < segments) {
    Batch batch;
    const uint64_t size = std::min(records, filled.batch_records);
    while (batch.size() < size) batch.add(payload);
    // Frames of one batch each, and no wait for the device.
    const Appended range = take(log.append(batch, Durability::written));
    for (size_t i = 0; i < size; ++i) filled.lsns.push_back(batch.lsn(i, range));
    records -= size;
  }
  take(log.close());
}

}  // namespace

void FilledLog::add_records(uint64_t count) {
  fill(*this, count, std::numeric_limits<uint64_t>::max());
}

void FilledLog::add_segments(uint64_t count) {
  fill(*this, std::numeric_limits<uint64_t>::max(), count);
}

uint64_t read_segment_files(const std::string& path, uint64_t most_bytes) {
  constexpr uint64_t kPieceBytes = 256ULL << 10;
  std::vector<std::byte> piece(std::min(most_bytes, kPieceBytes));
  auto directory = Env::posix().open_directory(path, false, 0700);
  if (!directory) give_up("cannot open the log's directory");
  const auto names = (*directory)->list();
  if (!names) give_up("cannot list the log's directory");
  uint64_t bytes = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".wal")) continue;
    auto file = (*directory)->open(name, {});
    if (!file) give_up("cannot open a segment's file");
    for (uint64_t offset = 0; offset < most_bytes;) {
      const auto count = (*file)->read_at(offset, piece);
      if (!count) give_up("cannot read a segment's file");
      if (*count == 0) break;
      offset += *count;
      bytes += *count;
    }
  }
  return bytes;
}

}  // namespace writeahead::bench
