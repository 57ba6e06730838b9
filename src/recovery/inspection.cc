// Root, then classes of files, then the chain of headers, then the end of the last data segment.
// Nothing is written in this file, and a read error is never taken for an end.
#include "recovery/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_name.h"
#include "recovery/tail_scan.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

struct Inspector {
  SegmentStore& store;
  std::optional<Lsn> durable;
  Scrutiny scrutiny;
  Inspection found{};
  Lsn successor_watermark{};  // the highest that first frames of leftovers behind the last state

  [[nodiscard]] Result<void> run();

 private:
  struct Candidate {
    uint64_t number = 0;
    DataSegment segment;
    SegmentVerdict verdict = SegmentVerdict::standby;
    std::string_view label = {};
    Lsn base_lsn = {};   // what frames say, where the header does not
    Lsn watermark = {};  // of a first frame that lost its segment's header
  };

  Result<void> judge_root();
  Result<bool> has_segments_in_use();
  Result<std::optional<Candidate>> glance(uint64_t number);
  Result<Candidate> classify(uint64_t number);
  Result<void> judge_segments();
  void drop_voided(std::vector<Candidate>& candidates);
  void take_segments(std::vector<Candidate>& candidates);
  void check_chain();
  void check_truncation();
  Result<void> judge_tail();

  /// Whether the last truncation began this segment, and it was not trimmed since.
  [[nodiscard]] bool is_begun_by_truncation(uint64_t number) const {
    return number == found.root.truncation.number && number >= found.root.first.number;
  }
  void damage(const std::string& path, uint64_t offset, Lsn lsn, std::string what) {
    if (!found.damage) found.damage = Damage{path, offset, lsn, std::move(what)};
  }
  Error unsupported(const std::string& path) {
    return make_error(ErrorCode::unsupported_format, "open log",
                      "it needs a newer version of this library", {.path = path});
  }
};

Result<void> Inspector::run() {
  auto done = judge_root();
  if (done && !found.damage && found.root_verdict != RootVerdict::create) done = judge_segments();
  if (done && !found.damage && !found.data.empty()) done = judge_tail();
  return done;
}

Result<bool> Inspector::has_segments_in_use() {
  auto numbers = store.list();
  if (!numbers) return std::unexpected(numbers.error());
  for (const uint64_t number : *numbers) {
    auto segment = store.open(number);
    if (!segment) return std::unexpected(segment.error());
    // Without a root the log id is unknown and no checksum of a frame can be tried: whatever is not
    // zero where a header or a first frame would stand counts.
    AlignedBuffer memory(2 * kBlockBytes);
    const auto bytes = memory.span().first(std::min<uint64_t>((*segment)->bytes(), memory.size()));
    if (auto read = (*segment)->read(0, bytes, ReadSource::device); !read) {
      return std::unexpected(read.error());
    }
    if (!is_zero(bytes)) return true;
  }
  return false;
}

Result<void> Inspector::judge_root() {
  auto slots = store.load_root();
  if (!slots) return std::unexpected(slots.error());
  // Only a log without a root needs to know.
  const bool has_root = slots->is_valid(0) || slots->is_valid(1);
  auto in_use = has_root ? Result<bool>(true) : has_segments_in_use();
  if (!in_use) return std::unexpected(in_use.error());
  const auto state = [&](size_t i) { return slots->slot[i].state; };
  RootFacts facts{};
  facts[slot_unsupported] =
      state(0) == HeaderState::unsupported || state(1) == HeaderState::unsupported;
  facts[slot_a_valid] = slots->is_valid(0);
  facts[slot_b_valid] = slots->is_valid(1);
  facts[slots_differ_in_log] = slots->slot[0].root.log_id != slots->slot[1].root.log_id;
  facts[segments_in_use] = *in_use;
  const RootRule& rule = decide(root_rules(), facts);
  found.root_verdict = rule.verdict;
  if (has_root) found.root_sequence = slots->slot[slots->newest()].sequence;
  if (rule.verdict == RootVerdict::unsupported) return std::unexpected(unsupported(store.path()));
  if (rule.verdict == RootVerdict::corruption) {
    damage(join_path(store.path(), kRootName), 0, Lsn{}, std::string(rule.label));
  } else if (rule.verdict != RootVerdict::create) {
    found.bad_slot = 1 - slots->newest();
    found.root = slots->slot[slots->newest()].root;
    found.highest_epoch = found.root.epoch;
  }
  return {};
}

/// A segment before that of the proven position, if its cached header block is as it should be.
///
/// The root was written with that position when every barrier over the segments before had
/// succeeded, or when a recovery had read their headers past the cache and synced what it served.
/// So no failed sync is left that could make the cache show a header block that the device lacks:
/// it may be read in the fastest way. Only good news is taken from there; anything else is judged
/// by what the device holds, so that the verdict never depends on a cache.
Result<std::optional<Inspector::Candidate>> Inspector::glance(uint64_t number) {
  if (number >= found.root.proven.number) return std::nullopt;
  auto head = store.read_head(number);
  if (!head) return std::unexpected(head.error());
  const auto decoded = decode_segment_header(head->block.span());
  if (decoded.state != HeaderState::valid || decoded.header.number != number ||
      decoded.header.log_id != found.root.log_id) {
    return std::nullopt;
  }
  return Candidate{.number = number,
                   .segment = {.header = decoded.header,
                               .path = std::move(head->path),
                               .file_bytes = head->bytes},
                   .verdict = SegmentVerdict::data};
}

Result<Inspector::Candidate> Inspector::classify(uint64_t number) {
  auto glanced = glance(number);
  if (!glanced) return std::unexpected(glanced.error());
  if (*glanced) return std::move(**glanced);
  auto reader = store.open(number);
  if (!reader) return std::unexpected(reader.error());
  Candidate candidate{
      .number = number,
      .segment = {.header = {}, .path = (*reader)->path(), .file_bytes = (*reader)->bytes()}};
  AlignedBuffer block(kSegmentHeaderBytes);
  std::ranges::fill(block.span(), std::byte{0});
  const auto bytes =
      block.span().first(std::min<uint64_t>(kSegmentHeaderBytes, (*reader)->bytes()));
  if (auto read = (*reader)->read(0, bytes, ReadSource::device); !read) {
    return std::unexpected(read.error());
  }
  const auto decoded = decode_segment_header(block.span());
  candidate.segment.header = decoded.header;
  const bool is_valid = decoded.state == HeaderState::valid;
  const bool is_of_log = is_valid && decoded.header.log_id == found.root.log_id;
  SegmentFacts facts{};
  facts[header_unsupported] = decoded.state == HeaderState::unsupported;
  facts[header_own] = is_of_log && decoded.header.number == number;
  const bool is_old = is_of_log && decoded.header.number < found.root.first.number;
  facts[header_unused] = decoded.state == HeaderState::zero || is_old;
  facts[header_foreign] = is_valid && !facts[header_own] && !is_old;
  // A log that was never written to proves its own beginning, in a segment that need not exist.
  // So does a truncation, in the segment that it begins.
  const bool is_cut = is_begun_by_truncation(number);
  facts[truncation_begins] = is_cut;
  facts[proven_inside] =
      found.root.proven.number == number &&
      found.root.proven != ProvenPosition{found.root.first.number, found.root.first.lsn} &&
      !(is_cut && found.root.proven.lsn == found.root.truncation.base_lsn);
  if (!facts[header_own] && !facts[header_foreign]) {
    // Without a frame at its base an unused segment is a standby, whatever else it holds.
    const bool is_base_enough = facts[header_unused] && !is_cut;
    auto orphans =
        find_orphans(**reader, SegmentBinding::of(found.root.log_id, number),
                     is_base_enough ? OrphanSearch::only_behind_a_base : OrphanSearch::everywhere);
    if (!orphans) return std::unexpected(orphans.error());
    facts[orphan_at_base] = orphans->at_base;
    facts[orphan_states_watermark] = orphans->states_watermark;
    candidate.base_lsn = orphans->base_lsn;
    candidate.watermark = orphans->watermark;
  }
  const SegmentRule& rule = decide(segment_rules(), facts);
  candidate.verdict = rule.verdict;
  candidate.label = rule.label;
  if (rule.verdict == SegmentVerdict::begun) {
    // All that its header will say but the epoch, which is of whoever writes it.
    const TruncationMark& mark = found.root.truncation;
    candidate.segment.header = {.cause = SegmentCause::truncate,
                                .log_id = found.root.log_id,
                                .number = number,
                                .epoch = found.root.epoch,
                                .base_lsn = mark.base_lsn,
                                .base_ordinal = mark.ordinal,
                                // A file that is shorter was cut, and takes what it held with it.
                                .prepared_bytes = std::max(candidate.segment.file_bytes,
                                                           prepared_bytes_for(kMinSegmentBytes)),
                                .created_ns = 0,
                                // Maybe so: then nothing behind is taken for a part of it.
                                .ignorable_features = kRecycledFeature,
                                .link = mark.link};
  }
  return candidate;
}

Result<void> Inspector::judge_segments() {
  auto numbers = store.list();
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<Candidate> candidates;
  for (const uint64_t number : *numbers) {
    if (number < found.root.first.number) {
      found.trimmed.push_back(number);
      continue;
    }
    auto candidate = classify(number);
    if (!candidate) return std::unexpected(candidate.error());
    if (candidate->verdict == SegmentVerdict::unsupported) {
      return std::unexpected(unsupported(candidate->segment.path));
    }
    // Beside a writer the segment that it is beginning is not there yet.
    const bool is_ahead = durable && candidate->verdict == SegmentVerdict::data &&
                          candidate->segment.header.base_lsn >= *durable &&
                          candidate->number != found.root.first.number &&
                          !is_begun_by_truncation(candidate->number);
    if (!is_ahead) candidates.push_back(std::move(*candidate));
  }
  drop_voided(candidates);
  take_segments(candidates);
  if (!found.damage) check_truncation();
  if (!found.damage) check_chain();
  return {};
}

/// A segment that a truncation began says by its link which ones before it are void: whatever they
/// hold, they are not judged.
void Inspector::drop_voided(std::vector<Candidate>& candidates) {
  uint64_t begin = UINT64_MAX;  // above the newest link so far
  uint64_t end = UINT64_MAX;
  std::vector<Candidate> kept;
  for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate) {
    if (candidate->number > begin && candidate->number < end) {
      found.trimmed.push_back(candidate->number);
      continue;
    }
    const SegmentHeader& header = candidate->segment.header;
    const bool is_data =
        candidate->verdict == SegmentVerdict::data || candidate->verdict == SegmentVerdict::begun;
    if (is_data && header.cause == SegmentCause::truncate) {
      begin = header.link.number;
      end = header.number;
    }
    kept.push_back(std::move(*candidate));
  }
  std::ranges::reverse(kept);
  candidates = std::move(kept);
}

void Inspector::take_segments(std::vector<Candidate>& candidates) {
  const auto is_data = [](const Candidate& c) {
    return c.verdict == SegmentVerdict::data || c.verdict == SegmentVerdict::begun;
  };
  const auto last = std::ranges::find_if(candidates.rbegin(), candidates.rend(), is_data);
  const uint64_t last_number = last == candidates.rend() ? 0 : last->number;
  for (Candidate& candidate : candidates) {
    if (is_data(candidate)) {
      candidate.segment.is_begun = candidate.verdict == SegmentVerdict::begun;
      found.data.push_back(std::move(candidate.segment));
    } else if (candidate.verdict == SegmentVerdict::corruption) {
      // Beside a writer the newest file may be in the middle of its first write.
      if (durable && candidate.number > last_number) continue;
      // What is wrong is the header; the frames that testify against it are not.
      damage(candidate.segment.path, 0, candidate.base_lsn, std::string(candidate.label));
    } else if (candidate.number < last_number) {
      damage(candidate.segment.path, 0, Lsn{}, "a segment before the last one holds no data");
    } else {
      found.leftovers.push_back(candidate.number);
      // A rotation that tore still proves that all before it was durable, what is missing, too.
      successor_watermark = std::max(successor_watermark, candidate.watermark);
    }
  }
}

/// The segment that the last truncation began was there before the root named it.
void Inspector::check_truncation() {
  const TruncationMark& mark = found.root.truncation;
  if (!is_begun_by_truncation(mark.number)) return;
  const auto number_of = [](const DataSegment& segment) { return segment.header.number; };
  const auto segment = std::ranges::find(found.data, mark.number, number_of);
  if (segment == found.data.end()) {
    return damage(join_path(store.path(), kRootName), 0, mark.base_lsn,
                  fmt::format("segment {}, which a truncation began, is missing", mark.number));
  }
  const SegmentHeader& header = segment->header;
  if (header.cause != SegmentCause::truncate || header.base_lsn != mark.base_lsn ||
      header.base_ordinal != mark.ordinal || header.link != mark.link) {
    damage(segment->path, 0, header.base_lsn, "it is not what the last truncation began");
  }
}

void Inspector::check_chain() {
  const ProvenPosition& proven = found.root.proven;
  uint64_t expected = found.root.first.number;
  const SegmentHeader* before = nullptr;
  uint64_t least_epoch = 0;
  for (const DataSegment& segment : found.data) {
    const SegmentHeader& header = segment.header;
    const bool is_behind_cut = before != nullptr && header.cause == SegmentCause::truncate;
    if (header.number != expected && !is_behind_cut) {
      return damage(segment.path, 0, header.base_lsn,
                    fmt::format("segment {} before it is missing", expected));
    }
    if (segment.file_bytes < header.prepared_bytes) {
      return damage(segment.path, segment.file_bytes, header.base_lsn,
                    "the file is shorter than its header says");
    }
    const bool begins_log = before == nullptr && (header.base_lsn != found.root.first.lsn ||
                                                  header.base_ordinal != found.root.first.ordinal);
    const bool breaks_chain =
        before != nullptr && (!continues(*before, header) || header.epoch < least_epoch ||
                              header.predecessor_end_lsn() - before->base_lsn >
                                  before->prepared_bytes - kSegmentHeaderBytes);
    if (begins_log || breaks_chain) {
      return damage(segment.path, 0, header.base_lsn, "its header does not continue the log");
    }
    found.highest_epoch = std::max(found.highest_epoch, header.epoch);
    // One that never got its header has this opening's epoch; what follows it is older.
    if (!segment.is_begun) least_epoch = header.epoch;
    before = &header;
    expected = header.number + 1;
  }
  // Beside a writer the root may prove what came after `durable` was read.
  const bool proves_data =
      !durable && proven != ProvenPosition{found.root.first.number, found.root.first.lsn};
  if (proves_data && proven.number >= expected) {
    damage(join_path(store.path(), kRootName), 0, proven.lsn,
           fmt::format("segment {}, which the root proves, is missing", proven.number));
  }
  const Lsn stated = durable.value_or(successor_watermark);
  if (found.data.empty() && stated > found.root.first.lsn) {
    damage(join_path(store.path(), kRootName), 0, stated,
           "its segments, which were stated to be durable, are missing");
  }
}

Result<void> Inspector::judge_tail() {
  const SegmentHeader& header = found.data.back().header;
  auto opened = store.open(header.number);
  if (!opened) return std::unexpected(opened.error());
  found.last = *opened;
  SegmentReader& last = *found.last;
  auto scan = scan_tail(found, durable, scrutiny);
  if (!scan) return std::unexpected(scan.error());
  const Lsn end = scan->contents.end_lsn;
  found.highest_epoch = std::max(found.highest_epoch, scan->contents.last_epoch);
  Tail tail{.contents = std::move(scan->contents), .stop = scan->stop};

  TailFacts facts{};
  if (durable) {
    facts[proven_above] = scan->stop != ScanStop::limit;
  } else if (scrutiny == Scrutiny::everything || !is_left_by_close(found, end)) {
    auto evidence =
        find_evidence(last, SegmentBinding::of(header.log_id, header.number), header.base_lsn,
                      header.is_recycled(), end, tail.contents.last_epoch);
    if (!evidence) return std::unexpected(evidence.error());
    facts[sealed_at_end] = scan->stop == ScanStop::seal;
    facts[ordinal_breaks] = scan->stop == ScanStop::wrong_ordinal;
    facts[witness_behind] = evidence->has_witness || successor_watermark > end;
    facts[proven_above] = found.root.proven.number == header.number && found.root.proven.lsn > end;
    facts[residue_behind] = evidence->residue_end != 0;
    tail.residue_end = evidence->residue_end;
  }
  const TailRule& rule = decide(tail_rules(), facts);
  tail.verdict = rule.verdict;
  if (rule.verdict == TailVerdict::corruption) {
    damage(last.path(), segment_offset(header.base_lsn, end), end,
           fmt::format("{}: {}", describe(tail.stop), rule.label));
  }
  found.tail = std::move(tail);
  return {};
}

}  // namespace

uint64_t Inspection::records() const {
  uint64_t lost = 0;
  for (size_t i = 1; i < data.size(); ++i) {
    lost += data[i].header.base_ordinal - data[i].header.predecessor_end_ordinal();
  }
  return end_ordinal() - root.first.ordinal - lost;
}

Result<Inspection> inspect(SegmentStore& store, std::optional<Lsn> durable, Scrutiny scrutiny) {
  Inspector inspector{.store = store, .durable = durable, .scrutiny = scrutiny};
  if (auto done = inspector.run(); !done) return std::unexpected(done.error());
  return std::move(inspector.found);
}

}  // namespace writeahead::internal
