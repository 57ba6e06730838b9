// Making, damaging and opening the reference log.
// A fresh machine opens it each time, so that no control page or lock of the maker is there.
#include "support/damaged_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "format/frame.h"
#include "format/seal.h"
#include "format/segment_header.h"
#include "format/segment_name.h"

namespace writeahead::testing {
namespace {

using format::kFrameHeaderBytes;
using format::kSegmentHeaderBytes;

constexpr uint64_t kSegmentBytes = 2 * kBlockBytes;

template <class Readable>
void read_all(const Readable& log, OpenResult& result) {
  for (auto& record : log.reader(log.first_lsn())) {
    if (!record) {
      result.code = record.error().code();
      result.message = record.error().message();
      return;
    }
    result.records.push_back({.lsn = record->lsn,
                              .ordinal = record->ordinal,
                              .type = record->type,
                              .payload = {record->payload.begin(), record->payload.end()}});
  }
}

void add_layout(ReferenceLog& log, const SegmentInfo& info, bool is_sealed) {
  SegmentLayout layout{.number = info.number,
                       .path = std::string(kLogPath) + "/" + format::segment_name(info.number),
                       .base_lsn = info.base_lsn,
                       .bytes = info.bytes};
  const auto offset_of = [&](Lsn lsn) { return kSegmentHeaderBytes + (lsn - info.base_lsn); };
  layout.first_record = log.records.size();
  for (const StoredRecord& record : log.records) {
    if (record.lsn < info.base_lsn || record.lsn >= info.end_lsn) continue;
    layout.first_record = std::min(layout.first_record, record.ordinal);
    layout.frames.push_back(offset_of(record.lsn) - kFrameHeaderBytes);
  }
  layout.end = offset_of(info.end_lsn);
  // Segments this small have one entry in their index.
  layout.seal_end = layout.end + (is_sealed ? format::seal_frame_bytes(1) : 0);
  log.segments.push_back(std::move(layout));
}

/// As the message of an error ends.
std::string place_text(std::string_view path, uint64_t offset, Lsn lsn) {
  return fmt::format("({}, offset {}, lsn {})", path, offset, lsn.value());
}

}  // namespace

std::string SegmentLayout::damage_at(uint64_t offset) const {
  if (frames.empty() || offset < frames.front()) return place_text(path, 0, base_lsn);
  const uint64_t frame = *(std::ranges::upper_bound(frames, offset) - 1);
  return place_text(path, frame, base_lsn + (frame - kSegmentHeaderBytes));
}

std::string SegmentLayout::place_at(uint64_t offset, Lsn lsn) const {
  return place_text(path, offset, lsn);
}

std::string place_of(const Finding& finding) {
  return place_text(std::string(kLogPath) + "/" + finding.file, finding.offset, finding.lsn);
}

uint64_t SegmentLayout::record_at(uint64_t offset) const {
  const auto above = std::ranges::upper_bound(frames, offset);
  return first_record + static_cast<uint64_t>(above - frames.begin()) - 1;
}

std::vector<std::byte> payload_of(uint64_t ordinal, uint64_t seed) {
  std::vector<std::byte> payload(250 + ordinal * 37 % 130);
  uint64_t state = ordinal * 0x9e3779b97f4a7c15 + seed;
  for (std::byte& byte : payload) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(state >> 56);
  }
  return payload;
}

Options reference_options(Env& env) {
  Options options;
  options.segment_bytes = kSegmentBytes;
  options.env = &env;
  options.standby_segments = 0;
  options.background = BackgroundWork::stepped;
  return options;
}

ReferenceLog make_reference_log(const ReferenceOptions& options) {
  SimEnv env(SimDisk{}, {.seed = options.seed});
  auto log = Log::open(std::string(kLogPath), reference_options(env)).value();
  ReferenceLog made;
  size_t in_last = 0;
  while (log.segments().size() < options.segments || in_last < options.frames_in_last) {
    const uint64_t ordinal = made.records.size();
    StoredRecord record{.lsn = {},
                        .ordinal = ordinal,
                        .type = static_cast<uint16_t>(ordinal),
                        .payload = payload_of(ordinal, options.seed)};
    record.lsn = log.append(record.payload, {.type = record.type}).value();
    made.records.push_back(std::move(record));
    if (log.segments().size() == options.segments) ++in_last;
    while (options.seals && log.step_background()) {
    }
  }
  if (options.proves) {
    env.advance_ns(2'000'000'000);
    while (log.step_background()) {
    }
  }
  const auto segments = log.segments();
  for (const SegmentInfo& info : segments) {
    const bool is_last = info.number == segments.back().number;
    add_layout(made, info, !is_last && (options.seals || options.closes || options.proves));
  }
  made.epoch = log.epoch();
  if (options.closes) {
    static_cast<void>(log.close().value());
    made.disk = env.disk().shut_down();
  } else {
    env.crash_now();
    made.disk = env.crashed_disk().crash({});
  }
  return made;
}

OpenResult open_and_read(const SimDisk& disk) {
  SimEnv env(disk);
  OpenResult result;
  {
    auto log = Log::open(std::string(kLogPath), reference_options(env));
    result.opened = log.has_value();
    if (log) {
      result.report = log->recovery_report();
      read_all(*log, result);
      const auto closed = log->close();
      if (!closed && !result.code) result.code = closed.error().code();
    } else {
      result.code = log.error().code();
      result.message = log.error().message();
    }
  }
  result.disk = env.disk();
  return result;
}

OpenResult open_append_and_reopen(const SimDisk& disk) {
  SimEnv env(disk);
  {
    auto log = Log::open(std::string(kLogPath), reference_options(env));
    if (log) static_cast<void>(log->append("appended after the damage"));
  }
  return open_and_read(env.disk().shut_down());
}

OpenResult read_only(const SimDisk& disk) {
  SimEnv env(disk);
  OpenResult result;
  {
    auto log = ReadOnlyLog::open(std::string(kLogPath), {.env = &env});
    result.opened = log.has_value();
    if (log) {
      read_all(*log, result);
    } else {
      result.code = log.error().code();
      result.message = log.error().message();
    }
  }
  result.disk = env.disk();
  return result;
}

Result<VerifyReport> verify(const SimDisk& disk) {
  SimEnv env(disk, {.trace_calls = 0});
  return ReadOnlyLog::verify(std::string(kLogPath), {.env = &env});
}

void edit(SimDisk& disk, std::string_view path, uint64_t offset, std::span<const std::byte> bytes) {
  auto contents = disk.contents(path).value();
  if (contents.size() < offset + bytes.size()) contents.resize(offset + bytes.size());
  std::ranges::copy(bytes, contents.begin() + static_cast<ptrdiff_t>(offset));
  disk.put(path, contents);
}

void flip_bit(SimDisk& disk, std::string_view path, uint64_t bit) {
  auto contents = disk.contents(path).value();
  contents.at(bit / 8) ^= static_cast<std::byte>(1U << (bit % 8));
  disk.put(path, contents);
}

void cut_file(SimDisk& disk, std::string_view path, uint64_t bytes) {
  auto contents = disk.contents(path).value();
  contents.resize(bytes);
  disk.put(path, contents);
}

}  // namespace writeahead::testing
