// The steps of recovery that write.
// Each of them may be cut short by a crash, and is then done again from the beginning.
#include "recovery/recovery.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "recovery/inspection.h"
#include "recovery/producers.h"
#include "retention/truncation.h"

namespace writeahead::internal {
namespace {

/// A clean close and a crash differ in whether anything above the proven position may exist.
bool is_settled(const Inspection& found) {
  return found.root.is_clean && found.tail->verdict == TailVerdict::clean &&
         found.root.proven.number == found.data.back().header.number &&
         found.root.proven.lsn == found.tail->contents.end_lsn;
}

/// Opens the last segment for appending and makes its end certain.
Result<void> settle_tail(SegmentStore& store, const Inspection& found, Recovered& out) {
  const DataSegment& last = found.data.back();
  const Tail& tail = *found.tail;
  const Lsn base = last.header.base_lsn;
  const uint64_t end = segment_offset(base, tail.contents.end_lsn);
  RecoveryReport& report = out.report;
  report.scanned_bytes = found.last->bytes();
  if (tail.verdict == TailVerdict::torn_tail) {
    auto copy = store.save_torn(last.header.number, tail.contents.end_lsn, *found.last, end,
                                tail.residue_end);
    if (!copy) return std::unexpected(copy.error());
    report.outcome = RecoveryReport::Outcome::torn_tail;
    report.cut_segment = last.header.number;
    report.cut_offset = end;
    report.cut_bytes = tail.residue_end - end;
    report.copy_path = std::move(*copy);
    report.cause = std::string(describe(tail.stop));
  }
  auto writer = store.open_for_append(last.header.number, end);
  if (!writer) return std::unexpected(writer.error());
  if ((*writer)->is_shared() && tail.verdict == TailVerdict::clean) {
    // A hard-link backup has the same bytes: they are made durable and left as they are.
    if (auto synced = (*writer)->sync(); !synced) return std::unexpected(synced.error());
  } else if (!is_settled(found)) {
    // The base alone proves nothing: a log proves its own beginning before it has a segment, and
    // then the header is as uncertain as the first frame.
    const bool is_in_last =
        found.root.proven.number == last.header.number && found.root.proven.lsn > base;
    const uint64_t proven = is_in_last ? segment_offset(base, found.root.proven.lsn) : 0;
    // CRASH: the copy may be there and the cut not yet, or half of it: it is made again.
    auto settled = (*writer)->settle(proven, end, std::max(end, tail.residue_end));
    if (!settled) return std::unexpected(settled.error());
  }
  out.active = std::move(*writer);
  return {};
}

/// The root of the new opening: a new epoch, and all that was recovered proven.
Result<RootState> next_root(const Inspection& found, Env& env) {
  RootState root = found.root;
  if (found.root_verdict == RootVerdict::create) {
    root = {};
    if (auto filled = env.random(root.log_id); !filled) {
      return std::unexpected(io_error("make log id", filled.error()));
    }
  }
  // A bad slot may have held the epoch after the good one's, and bytes may have been written under
  // it: it is not used again.
  const uint64_t step = found.root_verdict == RootVerdict::use_and_skip ? 2 : 1;
  root.epoch = std::max(root.epoch, found.highest_epoch);
  // What a log counts up beyond the format's limit would not verify any more.
  const uint64_t number = found.data.empty() ? root.first.number : found.data.back().header.number;
  const uint64_t highest =
      std::max({root.epoch + step, found.end_lsn().value(), found.end_ordinal(), number});
  if (highest > kMaxCounterAtOpening) {
    return std::unexpected(make_error(ErrorCode::corruption, "open log",
                                      "a counter is beyond what openings can reach"));
  }
  root.epoch += step;
  root.is_clean = false;
  // What a copy had not committed looks like segments of the log: the mark goes when they are gone.
  root.is_copying = found.root.is_copying && !found.leftovers.empty();
  if (!found.data.empty()) {
    root.proven = {.number = found.data.back().header.number, .lsn = found.end_lsn()};
  }
  return root;
}

/// Finishes a truncation of which only the root says something: its segment gets its header.
Result<void> finish_truncation(SegmentStore& store, Inspection& found, Recovered& out) {
  SegmentHeader& header = found.data.back().header;
  header.epoch = out.root.epoch;
  // Frame times never fall: what is kept of the segment before says where they stand.
  const DataSegment* const before =
      found.data.size() > 1 ? &found.data[found.data.size() - 2] : nullptr;
  if (before != nullptr) {
    auto reader = store.open(before->header.number);
    if (!reader) return std::unexpected(reader.error());
    const auto binding = SegmentBinding::of(header.log_id, before->header.number);
    FrameSource frames(*reader, binding, before->header.base_lsn, ReadSource::device);
    // Damage in it is found by its readers, as in any closed segment.
    auto scan = scan_frames(frames, before->header, header.base_lsn, ScanLimit::may_cut_a_frame);
    if (!scan) return std::unexpected(scan.error());
    header.created_ns = std::max(scan->contents.last_time_ns, before->header.created_ns);
  }
  out.active_header = header;
  out.last_time_ns = header.created_ns;
  // A backup that shares the file is left alone; the next segment is begun without this header.
  if (out.active->is_shared()) return {};
  AppendBuffer buffer;
  put_header(header, buffer);
  // CRASH: it is as before, and finished by the next opening.
  out.active->place(kSegmentHeaderBytes, buffer);
  return out.active->write(kSegmentHeaderBytes, buffer, WriteMode::barrier);
}

/// The segments that producers appended to, with the end of each.
std::vector<Stretch> numbered(const Inspection& found) {
  std::vector<Stretch> stretches;
  for (size_t i = 0; i < found.data.size(); ++i) {
    const SegmentHeader& header = found.data[i].header;
    if (!header.is_numbered()) continue;
    const bool is_last = i + 1 == found.data.size();
    stretches.push_back(
        {.header = header,
         .end_lsn = is_last ? found.end_lsn() : found.data[i + 1].header.predecessor_end_lsn()});
  }
  return stretches;
}

RecoveryReport describe_found(const Inspection& found) {
  using Outcome = RecoveryReport::Outcome;
  RecoveryReport report;
  report.outcome = found.root.is_clean ? Outcome::clean : Outcome::unclean;
  if (found.root_verdict == RootVerdict::create) report.outcome = Outcome::created;
  report.proven_lsn = found.root.proven.lsn;
  report.end_lsn = found.end_lsn();
  report.records = found.records();
  report.segments = found.data.size();
  report.root_slot_was_bad = found.root_verdict == RootVerdict::use_and_skip;
  return report;
}

}  // namespace

std::shared_ptr<SegmentTable> make_table(const Inspection& found,
                                         const std::shared_ptr<SegmentWriter>& active) {
  auto table = std::make_shared<SegmentTable>(found.root.first);
  for (const DataSegment& segment : found.data) {
    const bool is_last = &segment == &found.data.back();
    table->add(SegmentTable::prepare(segment.header, is_last ? active : nullptr));
  }
  if (found.tail) table->set_contents(found.tail->contents);
  return table;
}

Result<Recovered> recover(SegmentStore& store, Env& env, bool must_be_new) {
  auto inspected = inspect(store, std::nullopt);
  if (!inspected) return std::unexpected(inspected.error());
  Inspection& found = *inspected;
  if (found.damage) return std::unexpected(to_error(*found.damage, "open log"));

  if (must_be_new && found.root_verdict != RootVerdict::create) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "create log",
                                      "there is a log already", {.path = store.path()}));
  }

  Recovered out;
  auto producers = read_producers(store, numbered(found), found.root.first.lsn);
  if (!producers) return std::unexpected(producers.error());
  out.producers = std::move(*producers);
  out.end_lsn = found.end_lsn();
  out.end_ordinal = found.end_ordinal();
  out.report = describe_found(found);
  if (found.tail) {
    if (auto done = settle_tail(store, found, out); !done) return std::unexpected(done.error());
    out.active_header = found.data.back().header;
    out.digest = found.tail->contents.digest;
    // A segment is created at the time of its first frame, so this bounds a segment without one.
    out.last_time_ns =
        std::max(found.tail->contents.last_time_ns, found.data.back().header.created_ns);
  }
  // A slot that was torn may yet become whole, by another write that is torn just there: what it
  // may name stays until both are written. Otherwise the space that this gives back comes first.
  // CRASH: what is removed holds nothing that was ever acknowledged.
  if (found.root_verdict != RootVerdict::use_and_skip) {
    if (auto done = store.remove(found.leftovers); !done) return std::unexpected(done.error());
    found.leftovers.clear();
  }

  auto root = next_root(found, env);
  if (!root) return std::unexpected(root.error());
  // From here on frames of the new epoch may be written: it is durable and will never be used
  // again.
  if (auto claimed = store.claim(*root); !claimed) return std::unexpected(claimed.error());
  out.root = std::move(*root);
  // Only now do both copies of the root agree on where the log begins, and on what is void.
  if (auto done = store.remove(found.leftovers); !done) return std::unexpected(done.error());
  if (std::exchange(out.root.is_copying, false)) {
    // CRASH: with the mark or without it, it is the same log by now.
    if (auto done = store.write_root(out.root); !done) return std::unexpected(done.error());
  }
  if (!found.data.empty() && found.data.back().is_begun) {
    if (auto done = finish_truncation(store, found, out); !done) {
      return std::unexpected(done.error());
    }
  }
  auto kept = store.drop(found.trimmed);
  if (!kept) return std::unexpected(kept.error());
  out.trimmed = std::move(*kept);
  out.report.epoch = out.root.epoch;
  out.table = make_table(found, out.active);
  return out;
}

}  // namespace writeahead::internal
