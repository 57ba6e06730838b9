// Root, then classes of files, then the chain of headers, then the end of the last data segment.
// Nothing is written in this file, and a read error is never taken for an end.
#include "recovery/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <future>
#include <memory>
#include <span>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_name.h"
#include "recovery/candidate.h"
#include "recovery/tail_scan.h"

namespace writeahead::internal {
namespace {

/// Whether the segment belongs to the log.
bool is_data(const Candidate& candidate) {
  return candidate.verdict == SegmentVerdict::data || candidate.verdict == SegmentVerdict::begun;
}

struct Inspector {
  SegmentStore& store;
  std::optional<Lsn> durable;
  Scrutiny scrutiny;
  Inspection found{};
  Lsn successor_watermark{};  // the highest that first frames of leftovers behind the last state
  std::future<Result<TailReading>> reading{};  // by another thread, which has ended with this
  uint64_t reading_number = 0;                 // of its segment

  [[nodiscard]] Result<void> run();

 private:
  Result<void> judge_root();
  Result<bool> has_segments_in_use();
  Result<void> judge_segments();
  void leave_out_copying(std::vector<uint64_t>& numbers);
  Result<std::vector<Candidate>> classify_all(std::span<const uint64_t> numbers);
  void read_ahead(std::span<const Candidate> candidates);
  void drop_voided(std::vector<Candidate>& candidates);
  void take_segments(std::vector<Candidate>& candidates);
  void check_chain();
  void check_truncation();
  Result<void> judge_tail();

  /// Beside a writer the segment that it is beginning is not there yet.
  [[nodiscard]] bool is_ahead(const Candidate& candidate) const {
    return durable && candidate.verdict == SegmentVerdict::data &&
           candidate.segment.header.base_lsn >= *durable &&
           candidate.number != found.root.first.number &&
           !is_begun_by_truncation(found.root, candidate.number);
  }
  [[nodiscard]] TailScope tail_scope() const {
    return {.durable = durable,
            .scrutiny = scrutiny,
            .proven = found.root.proven,
            .is_closed = found.root_verdict == RootVerdict::use && found.root.is_clean,
            .is_copying = found.root.is_copying};
  }
  void damage(const std::string& path, uint64_t offset, Lsn lsn, std::string what) {
    if (!found.damage) found.damage = Damage{path, offset, lsn, std::move(what)};
  }
  void damage(uint64_t number, uint64_t offset, Lsn lsn, std::string what) {
    damage(store.segment_path(number), offset, lsn, std::move(what));
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

Result<void> Inspector::judge_segments() {
  auto numbers = store.list();
  if (!numbers) return std::unexpected(numbers.error());
  if (found.root.is_copying) leave_out_copying(*numbers);
  const auto first = std::ranges::lower_bound(*numbers, found.root.first.number);
  found.trimmed.assign(numbers->begin(), first);
  auto candidates = classify_all(std::span(first, numbers->end()));
  if (!candidates) return std::unexpected(candidates.error());
  for (const Candidate& candidate : *candidates) {
    if (candidate.verdict != SegmentVerdict::unsupported) continue;
    return std::unexpected(unsupported(store.segment_path(candidate.number)));
  }
  std::erase_if(*candidates, [this](const Candidate& candidate) { return is_ahead(candidate); });
  drop_voided(*candidates);
  take_segments(*candidates);
  if (!found.damage) check_truncation();
  if (!found.damage) check_chain();
  return {};
}

/// The root says what of a copy belongs to it. Segments behind that were being written: what they
/// hold says nothing, since it was written in any order, with the watermarks of the log it is of.
void Inspector::leave_out_copying(std::vector<uint64_t>& numbers) {
  const ProvenPosition& proven = found.root.proven;
  const bool is_empty = proven == ProvenPosition{found.root.first.number, found.root.first.lsn};
  const auto behind = std::ranges::lower_bound(numbers, proven.number + (is_empty ? 0 : 1));
  found.leftovers.assign(behind, numbers.end());
  numbers.erase(behind, numbers.end());
}

/// Those that are not proven come first: the last segment with data is among them, and is read
/// while the others, which are many, are looked at.
Result<std::vector<Candidate>> Inspector::classify_all(std::span<const uint64_t> numbers) {
  std::vector<Candidate> candidates(numbers.size());
  const auto is_proven = [this](uint64_t number) { return number < found.root.proven.number; };
  const size_t proven = std::ranges::partition_point(numbers, is_proven) - numbers.begin();
  for (size_t i = proven; i < numbers.size(); ++i) {
    auto candidate = classify(store, found.root, numbers[i]);
    if (!candidate) return std::unexpected(candidate.error());
    candidates[i] = *candidate;
  }
  if (proven >= kManySegments) read_ahead(std::span(candidates).subspan(proven));
  auto done = classify_proven(store, found.root, numbers.first(proven),
                              std::span(candidates).first(proven));
  if (!done) return std::unexpected(done.error());
  return candidates;
}

void Inspector::read_ahead(std::span<const Candidate> candidates) {
  if (!store.allows_threads()) return;
  const auto last = std::find_if(candidates.rbegin(), candidates.rend(),
                                 [this](const auto& c) { return is_data(c) && !is_ahead(c); });
  if (last == candidates.rend()) return;
  reading_number = last->number;
  try {
    reading = std::async(std::launch::async,
                         [&store = store, header = last->segment.header, scope = tail_scope()] {
                           return read_tail(store, header, scope);
                         });
  } catch (const std::exception&) {  // no thread, or no memory for one: it is read later
    reading = {};
  }
}

/// A segment that a truncation began says by its link which ones before it are void: whatever they
/// hold, they are not judged.
void Inspector::drop_voided(std::vector<Candidate>& candidates) {
  const auto begins_truncation = [](const Candidate& candidate) {
    return candidate.segment.header.cause == SegmentCause::truncate;
  };
  if (std::ranges::none_of(candidates, begins_truncation)) return;
  uint64_t begin = UINT64_MAX;  // above the newest link so far
  uint64_t end = UINT64_MAX;
  std::vector<Candidate> kept;
  for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate) {
    if (candidate->number > begin && candidate->number < end) {
      found.trimmed.push_back(candidate->number);
      continue;
    }
    const SegmentHeader& header = candidate->segment.header;
    if (is_data(*candidate) && header.cause == SegmentCause::truncate) {
      begin = header.link.number;
      end = header.number;
    }
    kept.push_back(*candidate);
  }
  std::ranges::reverse(kept);
  candidates = std::move(kept);
}

void Inspector::take_segments(std::vector<Candidate>& candidates) {
  const auto last = std::ranges::find_if(candidates.rbegin(), candidates.rend(), is_data);
  const uint64_t last_number = last == candidates.rend() ? 0 : last->number;
  found.data.reserve(candidates.size());
  for (Candidate& candidate : candidates) {
    if (is_data(candidate)) {
      candidate.segment.is_begun = candidate.verdict == SegmentVerdict::begun;
      found.data.push_back(candidate.segment);
    } else if (candidate.verdict == SegmentVerdict::corruption) {
      // Beside a writer the newest file may be in the middle of its first write.
      if (durable && candidate.number > last_number) continue;
      // What is wrong is the header; the frames that testify against it are not.
      damage(candidate.number, 0, candidate.base_lsn, std::string(candidate.label));
    } else if (candidate.number < last_number) {
      damage(candidate.number, 0, Lsn{}, "a segment before the last one holds no data");
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
  if (!is_begun_by_truncation(found.root, mark.number)) return;
  const auto number_of = [](const DataSegment& segment) { return segment.header.number; };
  const auto segment = std::ranges::find(found.data, mark.number, number_of);
  if (segment == found.data.end()) {
    return damage(join_path(store.path(), kRootName), 0, mark.base_lsn,
                  fmt::format("segment {}, which a truncation began, is missing", mark.number));
  }
  const SegmentHeader& header = segment->header;
  if (header.cause != SegmentCause::truncate || header.base_lsn != mark.base_lsn ||
      header.base_ordinal != mark.ordinal || header.link != mark.link) {
    damage(header.number, 0, header.base_lsn, "it is not what the last truncation began");
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
      return damage(header.number, 0, header.base_lsn,
                    fmt::format("segment {} before it is missing", expected));
    }
    if (segment.file_bytes < header.prepared_bytes) {
      return damage(header.number, segment.file_bytes, header.base_lsn,
                    "the file is shorter than its header says");
    }
    const bool begins_log = before == nullptr && (header.base_lsn != found.root.first.lsn ||
                                                  header.base_ordinal != found.root.first.ordinal);
    const bool breaks_chain =
        before != nullptr && (!continues(*before, header) || header.epoch < least_epoch ||
                              header.predecessor_end_lsn() - before->base_lsn >
                                  before->prepared_bytes - kSegmentHeaderBytes);
    if (begins_log || breaks_chain) {
      return damage(header.number, 0, header.base_lsn, "its header does not continue the log");
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
  // What was read ahead is always of the last one; no other's reading could be taken for it.
  const bool is_read = reading.valid() && reading_number == header.number;
  auto read = is_read ? reading.get() : read_tail(store, header, tail_scope());
  if (!read) return std::unexpected(read.error());
  found.last = std::move(read->segment);
  const ScanResult& scan = read->scan;
  const Evidence& evidence = read->evidence;
  const Lsn end = scan.contents.end_lsn;
  found.highest_epoch = std::max(found.highest_epoch, scan.contents.last_epoch);
  TailFacts facts{};
  if (durable) {
    facts[proven_above] = scan.stop != ScanStop::limit;
  } else {
    facts[sealed_at_end] = scan.stop == ScanStop::seal;
    facts[ordinal_breaks] = scan.stop == ScanStop::wrong_ordinal;
    facts[witness_behind] =
        !found.root.is_copying && (evidence.has_witness || successor_watermark > end);
    facts[proven_above] = found.root.proven.number == header.number && found.root.proven.lsn > end;
    facts[residue_behind] = evidence.residue_end != 0;
  }
  const TailRule& rule = decide(tail_rules(), facts);
  if (rule.verdict == TailVerdict::corruption) {
    damage(header.number, segment_offset(header.base_lsn, end), end,
           fmt::format("{}: {}", describe(scan.stop), rule.label));
  }
  found.tail = Tail{.contents = std::move(read->scan.contents),
                    .stop = scan.stop,
                    .verdict = rule.verdict,
                    .residue_end = evidence.residue_end};
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
