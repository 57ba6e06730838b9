// Observing a log, and verifying all of it.
// Nothing is written in this file.
#include "recovery/observation.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_name.h"
#include "segment/closed_segment.h"

namespace writeahead::internal {
namespace {

constexpr int kMaxAttempts = 100;

/// What the control page says, if it is of this log and newer than all that was seen.
std::optional<ControlState> valid_control(SegmentStore& store, const Inspection& found) {
  auto control = store.read_control();
  if (!control || control->log_id != found.root.log_id) return std::nullopt;
  if (control->epoch < found.highest_epoch) return std::nullopt;
  return control;
}

bool is_same_moment(const std::optional<ControlState>& a, const std::optional<ControlState>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->epoch == b->epoch && a->durable_lsn == b->durable_lsn &&
                a->truncation_count == b->truncation_count);
}

/// Whether no owner wrote the root since it was inspected. The control page alone cannot tell: a
/// writer that came, wrote and closed leaves it as it was.
Result<bool> is_root_unchanged(SegmentStore& store, const Inspection& found) {
  auto slots = store.load_root();
  if (!slots) return std::unexpected(slots.error());
  const bool is_valid = slots->is_valid(0) || slots->is_valid(1);
  return (is_valid ? slots->slot[slots->newest()].sequence : 0) == found.root_sequence;
}

/// Whether it is damage or a torn tail, or the beginning of a frame that was just being written.
bool looks_wrong(const Inspection& found) {
  return found.damage || (found.tail && found.tail->verdict != TailVerdict::clean);
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Finding to_finding(const Damage& damage) {
  return {.file = std::string(file_name(damage.path)),
          .offset = damage.offset,
          .lsn = damage.lsn,
          .what = damage.what};
}

/// A closed segment, with the end that its successor's header states.
SegmentView closed_view(const SegmentHeader& header, const SegmentHeader& successor) {
  SegmentView view;
  view.header = header;
  view.binding = SegmentBinding::of(header.log_id, header.number);
  view.is_closed = true;
  view.end_lsn = successor.predecessor_end_lsn();
  view.end_ordinal = successor.predecessor_end_ordinal();
  view.digest = successor.link.digest;
  view.is_cut = successor.cause == SegmentCause::truncate;
  return view;
}

/// A seal that does not verify has no effect, but somebody may want to know.
Result<std::optional<Finding>> find_bad_seal(SegmentReader& segment, const SegmentView& view) {
  const uint64_t offset = segment_offset(view.header.base_lsn, view.end_lsn);
  if (offset + kFrameHeaderBytes > segment.bytes()) return std::nullopt;
  AlignedBuffer memory(kBlockBytes);
  const auto bytes = memory.span().first(kFrameHeaderBytes);
  if (auto read = segment.read(offset, bytes, ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  if (is_zero(bytes)) return std::nullopt;
  return Finding{.file = std::string(file_name(segment.path())),
                 .offset = offset,
                 .lsn = view.end_lsn,
                 .what = "the seal does not verify; it has no effect and is written again"};
}

/// Whether the device holds the header that was judged, which may have come from a cache.
Result<bool> has_header(SegmentReader& segment, const SegmentHeader& header) {
  AlignedBuffer block(kSegmentHeaderBytes);
  if (auto read = segment.read(0, block.span(), ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  const auto held = decode_segment_header(block.span());
  return held.state == HeaderState::valid && held.header.log_id == header.log_id &&
         held.header.number == header.number && held.header.epoch == header.epoch &&
         held.header.base_lsn == header.base_lsn && held.header.link == header.link;
}

/// Reads all closed segments up to the first damage; false at that.
Result<bool> verify_closed(SegmentStore& store, const Inspection& found, VerifyReport& report) {
  for (size_t i = 0; i + 1 < found.data.size(); ++i) {
    const SegmentHeader& header = found.data[i].header;
    if (!continues(header, found.data[i + 1].header)) return found.damage.has_value();
    const SegmentView view = closed_view(header, found.data[i + 1].header);
    auto segment = store.open(header.number);
    if (!segment) return std::unexpected(segment.error());
    // One whose file was shared when its truncation was finished never got a header, nor a seal.
    const bool is_begun = found.data[i].is_begun;
    auto is_there = is_begun ? Result<bool>(true) : has_header(**segment, header);
    if (!is_there) return std::unexpected(is_there.error());
    if (!*is_there) {
      report.findings.push_back({.file = std::string(file_name((*segment)->path())),
                                 .offset = 0,
                                 .lsn = header.base_lsn,
                                 .what = "its header is not the one that was found before"});
      return false;
    }
    auto checked = check_closed_segment(*segment, view, ReadSource::device);
    if (!checked) return std::unexpected(checked.error());
    ++report.segments;
    report.bytes += checked->contents.end_lsn - header.base_lsn;
    report.records += checked->contents.end_ordinal - header.base_ordinal;
    report.end_lsn = checked->contents.end_lsn;
    if (checked->damage) {
      report.findings.push_back(to_finding(*checked->damage));
      return false;
    }
    if (checked->is_sealed || view.is_cut || is_begun) continue;
    auto bad_seal = find_bad_seal(**segment, view);
    if (!bad_seal) return std::unexpected(bad_seal.error());
    if (!*bad_seal) continue;
    // Beside a writer it may have come since, or be on its way just now.
    if (report.is_live) {
      if (!store.traits().writes_whole) continue;
      checked = check_closed_segment(*segment, view, ReadSource::device);
      if (!checked) return std::unexpected(checked.error());
      if (checked->is_sealed) continue;
    }
    report.findings.push_back(std::move(**bad_seal));
  }
  return true;
}

void verify_tail(const Inspection& found, VerifyReport& report) {
  const SegmentHeader& header = found.data.back().header;
  const Tail& tail = *found.tail;
  ++report.segments;
  report.bytes += tail.contents.end_lsn - header.base_lsn;
  report.records += tail.contents.end_ordinal - header.base_ordinal;
  if (tail.verdict != TailVerdict::torn_tail) return;
  const uint64_t offset = segment_offset(header.base_lsn, tail.contents.end_lsn);
  report.verdict = VerifyReport::Verdict::torn_tail;
  report.findings.push_back({.file = segment_name(header.number),
                             .offset = offset,
                             .lsn = tail.contents.end_lsn,
                             .what = fmt::format("torn tail of {} bytes, which the next opening "
                                                 "saves aside and cuts: {}",
                                                 tail.residue_end - offset, describe(tail.stop))});
}

}  // namespace

Result<std::optional<Observation>> try_observe(SegmentStore& store, Scrutiny scrutiny) {
  Observation observation;
  std::optional<ControlState> disbelieved;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const auto before = store.read_control();
    observation.is_live = before && store.is_writing(*before) &&
                          !(disbelieved && is_same_moment(before, disbelieved));
    auto found = inspect(
        store, observation.is_live ? std::optional(before->durable_lsn) : std::nullopt, scrutiny);
    if (!found) {
      if (is_gone(found.error())) continue;
      return std::unexpected(found.error());
    }
    observation.found = std::move(*found);
    const auto after = valid_control(store, observation.found);
    if (observation.is_live && !after) {
      // A page that does not belong to this log, is older than it, or was withdrawn by a writer
      // that closed meanwhile says nothing: the log is judged without it.
      disbelieved = before;
      continue;
    }
    // Bytes that were being written while they were read may look like damage; once nothing moved
    // in between, they are judged.
    bool was_still = is_same_moment(before, store.read_control());
    if (was_still && looks_wrong(observation.found)) {
      auto unchanged = is_root_unchanged(store, observation.found);
      if (!unchanged) return std::unexpected(unchanged.error());
      was_still = *unchanged;
    }
    if (was_still || (!observation.found.damage && before && after &&
                      after->epoch == before->epoch && observation.is_live)) {
      return observation;
    }
  }
  return std::nullopt;
}

Result<Observation> observe(SegmentStore& store, Scrutiny scrutiny) {
  auto observation = try_observe(store, scrutiny);
  if (!observation) return std::unexpected(observation.error());
  if (*observation) return std::move(**observation);
  return std::unexpected(make_error(ErrorCode::io, "read log",
                                    "the log changes faster than it can be read",
                                    {.path = store.path()}));
}

Result<void> settle_observed(Observation& observation) {
  if (observation.is_live || observation.found.last == nullptr) return {};
  return observation.found.last->sync();
}

Result<VerifyReport> verify_observed(SegmentStore& store, const Observation& observation) {
  const Inspection& found = observation.found;
  VerifyReport report;
  report.is_live = observation.is_live;
  report.end_lsn = found.root.first.lsn;
  if (found.root_verdict == RootVerdict::use_and_skip) {
    report.findings.push_back({.file = std::string(kRootName),
                               .offset = found.bad_slot * kRootSlotBytes,
                               .lsn = {},
                               .what = "one slot of the root is bad; the other one carries the "
                                       "log, and the next opening writes both"});
  }
  auto sound = verify_closed(store, found, report);
  if (!sound) return std::unexpected(sound.error());
  if (found.damage) report.findings.push_back(to_finding(*found.damage));
  if (*sound && found.tail) report.end_lsn = found.end_lsn();
  if (!*sound || found.damage) {
    report.verdict = VerifyReport::Verdict::corruption;
  } else if (found.tail) {
    verify_tail(found, report);
  }
  return report;
}

}  // namespace writeahead::internal
