// A valid log, damaged by a script of mutations that the input holds.
//
// Goal: damage to what was acknowledged is told, whatever it is. Method: the oracle looks on the
// damaged disk for what still testifies: the newest root, headers of segments, watermarks of
// frames. All that lies below the highest of these was durable, so it has to be there, or a reading
// ends with an error. Of a salvage, what lies below is kept or reported as lost, and a frame that
// is still there as it was is kept. Once a checksum was forged, the log may say anything: then what
// is delivered has to be what the file holds, nothing crashes, and nothing takes memory or time
// beyond measure.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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
SalvageFault salvage_fault = SalvageFault::none;

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
  /// Everything from here on was the log's. Without a root that is what the first header says.
  [[nodiscard]] Lsn begin() const { return begin_; }
  [[nodiscard]] bool has_root() const { return has_root_; }
  /// Whether anything says which log it is.
  [[nodiscard]] bool names_log() const { return has_root_ || has_header_; }

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
      begin_ = slot.root.first.lsn;
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
    if (is_own && !has_root_ && !has_header_) begin_ = base;
    has_header_ = has_header_ || is_own;
    for (uint64_t at = kBlockBytes; at < bytes->size(); at += format::kFrameAlignment) {
      if (base + (at - kBlockBytes) >= segment.end) return;
      if (const auto frame = frame_at(at)) testify(frame->watermark);
    }
  }

  using FileBytes = std::vector<std::byte>;

  const StockLog& log_;
  const SimDisk& disk_;
  uint64_t first_number_ = 0;
  Lsn begin_;
  Lsn end_;
  bool has_root_ = false;
  bool has_header_ = false;
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

/// Whether the header of the record's segment and its whole frame stand on the disk as they were.
bool is_untouched(const StockLog& log, const SimDisk& disk, const StoredRecord& record) {
  auto above = std::ranges::find_if(
      log.segments, [&](const auto& entry) { return record.lsn < entry.second.end; });
  if (above == log.segments.end()) return false;
  const auto& [number, segment] = *above;
  const auto now = disk.contents(segment_path(number));
  const auto before = log.disk.contents(segment_path(number));
  if (!now || !before || now->size() < before->size()) return false;
  const uint64_t at = kBlockBytes + (record.lsn - segment.base);
  const auto behind = std::ranges::upper_bound(segment.frames, at);
  if (behind == segment.frames.begin()) return false;
  const uint64_t begin = *std::prev(behind);
  const uint64_t end = behind == segment.frames.end() ? before->size() : *behind;
  const auto is_same = [&](uint64_t from, uint64_t to) {
    return std::equal(before->begin() + static_cast<ptrdiff_t>(from),
                      before->begin() + static_cast<ptrdiff_t>(to),
                      now->begin() + static_cast<ptrdiff_t>(from));
  };
  return is_same(0, kBlockBytes) && is_same(begin, end);
}

/// Whether a segment without its header has at least as many frames that stand elsewhere as such
/// that do not: then nobody can tell where it begins, and what it may cut off before it.
bool is_misplaced(const StockLog& log, const SimDisk& disk, uint64_t number) {
  const auto bytes = disk.contents(segment_path(number));
  if (!bytes || bytes->size() <= kBlockBytes) return false;
  const auto header = format::decode_segment_header(std::span(*bytes).first(kBlockBytes));
  if (header.state == format::HeaderState::valid && header.header.number == number) return false;
  const auto binding = format::SegmentBinding::of(log.id, number);
  size_t in_place = 0;
  size_t elsewhere = 0;
  for (uint64_t at = kBlockBytes; at + format::kFrameHeaderBytes <= bytes->size();
       at += format::kFrameAlignment) {
    const auto rest = std::span(*bytes).subspan(at);
    const Lsn stated(format::frame_field::lsn.load(rest));
    if (!format::decode_frame_header(rest, stated, binding)) continue;
    const bool is_there = stated == log.segments.at(number).base + (at - kBlockBytes);
    ++(is_there ? in_place : elsewhere);
  }
  return elsewhere != 0 && elsewhere >= in_place;
}

/// What is in the log is kept or reported as lost, and what is there as it was is kept.
void check_nothing_is_forgotten(const StockLog& log, const SimDisk& damaged,
                                const SalvageReport& report, const OpenResult& rescued) {
  const Testimony testimony(log, damaged);
  const bool is_undecidable = std::ranges::any_of(
      log.segments, [&](const auto& entry) { return is_misplaced(log, damaged, entry.first); });
  for (const StoredRecord& record : log.records) {
    if (record.lsn < log.first) continue;
    const bool is_kept = std::ranges::find(rescued.records, record) != rescued.records.end();
    if (is_kept) continue;
    demand(is_undecidable || !is_untouched(log, damaged, record),
           fmt::format("a salvage left out record {} at {}, which is there", record.ordinal,
                       record.lsn.value()));
    const bool is_told = std::ranges::any_of(report.lost, [&](const SalvageReport::Loss& loss) {
      return loss.range.begin <= record.lsn && record.lsn < loss.range.end;
    });
    const bool is_known = testimony.begin() <= record.lsn && record.lsn < testimony.end();
    demand(is_told || !is_known,
           fmt::format("a salvage says nothing of record {} at {}, below {}", record.ordinal,
                       record.lsn.value(), testimony.end().value()));
  }
}

/// A salvage may fail only where nothing says which log it is.
void check_failed_salvage(const StockLog& log, const SimDisk& damaged, const Error& error) {
  const bool is_nameless =
      error.code() == ErrorCode::corruption || error.code() == ErrorCode::not_found;
  demand(is_nameless && !Testimony(log, damaged).names_log(),
         fmt::format("a salvage failed: {} {}", to_string(error.code()), error.message()));
}

/// As a salvage would that is easily content.
void plant_fault(SalvageReport& report, OpenResult& rescued) {
  if (salvage_fault == SalvageFault::reports_nothing) report.lost.clear();
  if (salvage_fault != SalvageFault::keeps_nothing) return;
  rescued.records.clear();
  report.lost = {{.range = {.begin = Lsn(0), .end = Lsn(UINT64_MAX), .records = 0, .file = {}},
                  .reason = "planted",
                  .was_durable = true}};
}

/// What a salvage keeps was appended; what is missing is reported.
void check_salvage(const StockLog& log, const MutatedLog& mutated) {
  SimEnv env(mutated.disk, {.trace_calls = 0});
  auto report = salvage(kLogPath, "/rescued", {.env = &env});
  for (const std::string& path : mutated.disk.files()) {
    demand(env.disk().contents(path) == mutated.disk.contents(path),
           "a salvage changed the damaged log");
  }
  if (mutated.is_forged) return;
  if (!report) return check_failed_salvage(log, mutated.disk, report.error());
  const Testimony testimony(log, mutated.disk);
  SimDisk rescued;
  for (const std::string& path : env.disk().files()) {
    if (!path.starts_with("/rescued/")) continue;
    rescued.put(std::string(kLogPath) + path.substr(8), *env.disk().contents(path));
  }
  OpenResult result = read_only(rescued);
  demand(result.opened && !result.code,
         fmt::format("{}: {}", describe_reading("salvaged", result), result.message));
  plant_fault(*report, result);
  check_nothing_is_forgotten(log, mutated.disk, *report, result);
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
void plant_salvage_fault(SalvageFault fault) { salvage_fault = fault; }

void fuzz_damage(FuzzBytes bytes) {
  Input input(bytes);
  const StockLog& log = stock_logs()[input.below(stock_logs().size())];
  const bool salvages = input.below(4) == 3;
  const MutatedLog mutated = mutate(log, input);
  salvages ? check_salvage(log, mutated) : check_damaged(log, mutated);
}

}  // namespace writeahead::testing
