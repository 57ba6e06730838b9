// A valid log, damaged by a script of mutations that the input holds.
//
// Goal: damage to what was acknowledged is told, whatever it is. Method: the oracle looks on the
// damaged disk for what still testifies: the newest root, headers of segments, watermarks of
// frames. All that lies below the highest of these was durable, so it has to be there, or a reading
// ends with an error. Once a checksum was forged, the log may say anything: then what is delivered
// has to be what the file holds, nothing crashes, and nothing takes memory or time beyond measure.
#include <fmt/format.h>

#include <algorithm>

#include "format/frame.h"
#include "format/record.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "fuzz/allocation_watch.h"
#include "fuzz/defect.h"
#include "fuzz/disk_image.h"
#include "fuzz/mutation.h"
#include "fuzz/stock.h"
#include "fuzz/targets.h"
#include "support/damaged_log.h"
#include "writeahead/salvage.h"

namespace writeahead::testing {
namespace {

bool skips_damage = false;

constexpr std::string_view kNewPayload = "appended after the damage";

/// Looks for what testifies on a damaged disk, without the library's recovery.
class Testimony {
 public:
  Testimony(const StockLog& log, const SimDisk& disk) : log_(log), disk_(disk) {
    look_at_root();
    for (const auto& [number, segment] : log.segments) {
      if (number >= first_number_) look_at_segment(number, segment);
    }
  }
  /// Everything below was durable.
  [[nodiscard]] Lsn end() const { return end_; }
  [[nodiscard]] bool has_root() const { return has_root_; }

 private:
  void testify(Lsn end) { end_ = std::max(end_, end); }

  void look_at_root() {
    const auto bytes = disk_.contents(kRootPath);
    if (!bytes) return;
    uint64_t newest = 0;
    for (size_t at = 0; at + kBlockBytes <= bytes->size() && at <= kBlockBytes; at += kBlockBytes) {
      const auto slot = format::decode_root_slot(std::span(*bytes).subspan(at, kBlockBytes));
      if (slot.state != format::HeaderState::valid || slot.root.log_id != log_.id) continue;
      if (slot.sequence < newest) continue;
      newest = slot.sequence;
      has_root_ = true;
      first_number_ = slot.root.first.number;
      end_ = slot.root.proven.lsn;
    }
  }

  void look_at_segment(uint64_t number, const StockSegment& segment) {
    const Lsn base = segment.base;
    const auto bytes = disk_.contents(segment_path(number));
    if (!bytes) return;
    FileBytes block(*bytes);
    block.resize(kBlockBytes);
    const auto header = format::decode_segment_header(block);
    const bool is_valid = header.state == format::HeaderState::valid;
    const bool is_own = is_valid && header.header.number == number;
    const bool is_unused = header.state == format::HeaderState::zero ||
                           (is_valid && header.header.number < first_number_);
    const auto binding = format::SegmentBinding::of(log_.id, number);
    const auto frame_at = [&](uint64_t at) {
      return format::decode_frame_header(std::span(*bytes).subspan(at), base + (at - kBlockBytes),
                                         binding);
    };
    // An unused file without a frame at its base is a standby, whatever stands behind.
    if (is_unused && (bytes->size() <= kBlockBytes || !frame_at(kBlockBytes))) return;
    if (is_own) testify(base);
    for (uint64_t at = kBlockBytes; at < bytes->size(); at += format::kFrameAlignment) {
      if (base + (at - kBlockBytes) >= segment.end) return;
      if (const auto frame = frame_at(at)) testify(frame->watermark);
    }
  }

  using FileBytes = std::vector<std::byte>;

  const StockLog& log_;
  const SimDisk& disk_;
  uint64_t first_number_ = 0;
  Lsn end_;
  bool has_root_ = false;
};

/// As a reader would that takes damage for the end of the log.
OpenResult skip_damage(OpenResult result) {
  if (skips_damage && result.code == ErrorCode::corruption) result.code.reset();
  return result;
}

bool tells_of_damage(const OpenResult& result) {
  return result.code == ErrorCode::corruption || result.code == ErrorCode::io ||
         result.code == ErrorCode::unsupported_format;
}

std::string describe_reading(std::string_view what, const OpenResult& result) {
  return fmt::format("{}: {} records, {}", what, result.records.size(),
                     result.code ? to_string(*result.code) : "no error");
}

/// What was delivered is what was appended; all below `end` is there, or an error told.
void check_reading(std::string_view what, const StockLog& log, Lsn end, const OpenResult& result) {
  const auto& all = log.records;
  uint64_t next = 0;
  for (const StoredRecord& record : result.records) {
    const bool is_new = std::ranges::equal(record.payload, std::as_bytes(std::span(kNewPayload)));
    if (is_new && &record == &result.records.back()) continue;
    const bool is_known = record.ordinal < all.size() && record == all[record.ordinal];
    const bool goes_on = &record == &result.records.front() || record.ordinal == next;
    demand(is_known && goes_on,
           fmt::format("{}: record {} is not what was appended", what, record.ordinal));
    next = record.ordinal + 1;
  }
  if (tells_of_damage(result)) return;
  const auto is_lost = [&](const StoredRecord& record) {
    const auto same = [&](const StoredRecord& other) { return other.lsn == record.lsn; };
    return record.lsn >= log.first && record.lsn < end &&
           std::ranges::none_of(result.records, same);
  };
  const auto lost = std::ranges::find_if(all, is_lost);
  if (lost == all.end()) return;
  demand(false, fmt::format("{}: record {} at {} is silently lost below {}",
                            describe_reading(what, result), lost->ordinal, lost->lsn.value(),
                            end.value()));
}

/// An opening that was refused left everything as it was.
void check_refusal(const OpenResult& result, const SimDisk& damaged) {
  if (result.opened || result.code != ErrorCode::corruption) return;
  demand(result.disk.shows_same_as(damaged),
         fmt::format("a refused opening wrote: {}", result.message));
}

/// Each record that is delivered stands in the file like that.
void check_against_files(const SimDisk& disk) {
  SimEnv env(disk, {.trace_calls = 0});
  auto log = ReadOnlyLog::open(kLogPath, {.env = &env});
  if (!log) return;
  const auto segments = log->segments();
  for (auto& record : log->reader(log->first_lsn())) {
    if (!record) return;
    const auto segment = std::ranges::find_if(segments, [&](const SegmentInfo& info) {
      return info.base_lsn <= record->lsn && record->lsn < info.end_lsn;
    });
    demand(segment != segments.end(), "a record lies in no segment");
    const auto bytes = disk.contents(segment_path(segment->number)).value();
    const uint64_t at = kBlockBytes + (record->lsn - segment->base_lsn);
    demand(at + format::kRecordHeaderBytes + record->payload.size() <= bytes.size(),
           "a record lies behind its file");
    const auto stored = std::span(bytes).subspan(at);
    const auto header = format::decode_record_header(stored);
    const auto payload = stored.subspan(format::kRecordHeaderBytes, record->payload.size());
    demand(header.length == record->payload.size() && header.type == record->type &&
               std::ranges::equal(payload, record->payload),
           "a record is not what its file holds");
  }
}

/// Whether a salvage may keep this record. What a truncation took back is known to the root alone.
bool may_be_salvaged(const StockLog& log, bool has_root, const StoredRecord& record) {
  if (record.ordinal < log.records.size() && record == log.records[record.ordinal]) return true;
  return !has_root && std::ranges::find(log.taken_back, record) != log.taken_back.end();
}

/// What a salvage keeps was appended; what is missing is reported.
void check_salvage(const StockLog& log, const MutatedLog& mutated) {
  SimEnv env(mutated.disk, {.trace_calls = 0});
  const auto report = salvage(kLogPath, "/rescued", {.env = &env});
  for (const std::string& path : mutated.disk.files()) {
    demand(env.disk().contents(path) == mutated.disk.contents(path),
           "a salvage changed the damaged log");
  }
  if (!report || mutated.is_forged) return;
  const Testimony testimony(log, mutated.disk);
  SimDisk rescued;
  for (const std::string& path : env.disk().files()) {
    if (!path.starts_with("/rescued/")) continue;
    rescued.put(std::string(kLogPath) + path.substr(8), *env.disk().contents(path));
  }
  OpenResult result = read_only(rescued);
  demand(result.opened && !result.code,
         fmt::format("{}: {}", describe_reading("salvaged", result), result.message));
  if (!report->lost.empty() || !report->findings.empty()) {
    for (const StoredRecord& record : result.records) {
      demand(may_be_salvaged(log, testimony.has_root(), record),
             "a salvaged record is not what was appended");
    }
  } else {
    check_reading("salvaged", log, testimony.end(), result);
  }
}

void check_damaged(const StockLog& log, const MutatedLog& mutated) {
  const AllocationWatch watch;
  const auto report = verify(mutated.disk);
  const OpenResult reading = skip_damage(read_only(mutated.disk));
  const OpenResult opened = skip_damage(open_and_read(mutated.disk));
  check_refusal(opened, mutated.disk);
  const OpenResult reopened = skip_damage(open_append_and_reopen(mutated.disk));
  watch.demand_bounded_by(largest_file_of(mutated.disk), "reading a damaged log");
  if (mutated.is_forged) return check_against_files(mutated.disk);
  const Lsn end = Testimony(log, mutated.disk).end();
  check_reading("read-only", log, end, reading);
  check_reading("opened", log, end, opened);
  check_reading("opened, appended to and opened again", log, end, reopened);
  const bool is_sound = report && report->verdict != VerifyReport::Verdict::corruption;
  const bool reads_well = reading.opened && !reading.code;
  demand(skips_damage || is_sound == reads_well,
         fmt::format("{} although verify says {}", describe_reading("read-only", reading),
                     is_sound ? "that all is well" : "otherwise"));
}

}  // namespace

void plant_reader_that_skips_damage() { skips_damage = true; }

void fuzz_damage(FuzzBytes bytes) {
  Input input(bytes);
  const StockLog& log = stock_logs()[input.below(stock_logs().size())];
  const bool salvages = input.below(4) == 3;
  const MutatedLog mutated = mutate(log, input);
  salvages ? check_salvage(log, mutated) : check_damaged(log, mutated);
}

}  // namespace writeahead::testing
