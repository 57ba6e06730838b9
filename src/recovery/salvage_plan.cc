// From segment to segment and from frame to frame, over whatever does not verify.
// Nothing is written here.
#include "recovery/salvage_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "segment/segment_scan.h"

namespace writeahead::internal {
namespace {

/// Left free behind a log of which segments are missing that nothing tells the length of: so that
/// no address that was ever given out is given out again.
constexpr uint64_t kUnknownBytes = 1ULL << 40;

/// A position in the log with the number of the record that begins there, if that is known.
struct LogPoint {
  Lsn lsn;
  std::optional<uint64_t> ordinal;
};

class Planner {
 public:
  Planner(SegmentStore& store, const SalvageSurvey& survey) : store_(store), survey_(survey) {}
  [[nodiscard]] Result<void> run();
  SalvagePlan plan;

 private:
  /// The first byte behind what was taken last that was not taken, and why.
  struct Break {
    std::string file;
    uint64_t offset = 0;
    std::string reason;
  };
  struct Walk {
    size_t index = 0;
    const SalvageSource& source;
    std::shared_ptr<DamagedSegment> segment;
    SegmentBinding binding;
    Lsn place = {};
  };

  void begin();
  Result<void> walk(size_t index);
  void close(size_t index);
  Result<bool> step(Walk& walk, FrameSource& frames);
  Result<bool> search(Walk& walk, uint64_t offset);
  [[nodiscard]] std::optional<std::string_view> refusal(const Walk& walk,
                                                        const FrameHeader& header) const;
  void take(const Walk& walk, const FramePart& part);
  void testify(const Walk& walk, const FrameHeader& header);
  void note_break(const Walk& walk, std::string_view reason, uint64_t bytes = kBlockBytes);
  void lose(const LogPoint& end, std::string_view reason);
  void enter(const SalvageSource& source);
  [[nodiscard]] std::optional<LogPoint> end_of(size_t index) const;
  Result<void> finish();
  Result<Lsn> end_of_residue();
  [[nodiscard]] uint64_t next_number() const {
    return last_number_ != 0 || !survey_.root ? last_number_ + 1 : survey_.root->first.number;
  }
  [[nodiscard]] std::string missing_text() const {
    return fmt::format("segment {} is missing", next_number());
  }

  SegmentStore& store_;
  const SalvageSurvey& survey_;
  Lsn at_;                         // all below was kept or lost
  uint64_t ordinal_ = 0;           // of the record there
  bool is_ordinal_known_ = false;  // else it is that one at least
  Lsn unknown_from_;               // and it was known there
  uint64_t last_epoch_ = 0;
  uint64_t last_number_ = 0;  // of the segment that was walked last
  const SalvageSource* last_ = nullptr;
  std::optional<Break> break_;      // behind at_
  LogPoint claimed_;                // what frames behind at_ that were not taken reach to
  Lsn proof_;                       // all below was durable
  bool is_sealed_ = false;          // the segment that was walked last
  std::vector<size_t> old_losses_;  // in plan.lost: not of this damage
};

Result<void> Planner::run() {
  begin();
  for (size_t i = 0; i < survey_.sources.size(); ++i) {
    plan.highest_epoch = std::max(plan.highest_epoch,
                                  survey_.sources[i].header ? survey_.sources[i].header->epoch : 0);
    if (survey_.sources[i].is_void()) continue;
    if (auto walked = walk(i); !walked) return walked;
  }
  return finish();
}

void Planner::begin() {
  if (survey_.root) {
    at_ = survey_.root->first.lsn;
    ordinal_ = survey_.root->first.ordinal;
    is_ordinal_known_ = true;
    plan.highest_epoch = survey_.root->epoch;
  } else if (const auto first = std::ranges::find_if_not(survey_.sources, &SalvageSource::is_void);
             first != survey_.sources.end()) {
    at_ = first->base_lsn;
    ordinal_ = first->base_ordinal.value_or(0);
    is_ordinal_known_ = first->base_ordinal.has_value();
  }
  plan.first_lsn = at_;
  plan.first_ordinal = ordinal_;
}

Result<void> Planner::walk(size_t index) {
  const SalvageSource& source = survey_.sources[index];
  auto segment = open_damaged(store_, source.file);
  if (!segment) return std::unexpected(segment.error());
  enter(source);
  if (*segment == nullptr) {
    break_ = Break{.file = store_.segment_label(source.file), .reason = "it cannot be opened"};
    close(index);
    return {};
  }
  Walk walk{.index = index,
            .source = source,
            .segment = std::move(*segment),
            .binding = SegmentBinding::of(survey_.log_id, source.number),
            .place = source.base_lsn};
  FrameSource frames(walk.segment, walk.binding, source.base_lsn, ReadSource::device);
  while (true) {
    auto goes_on = step(walk, frames);
    if (!goes_on) return std::unexpected(goes_on.error());
    if (!*goes_on) break;
  }
  close(index);
  return {};
}

/// Out of a segment: what is left up to its end is lost.
void Planner::close(size_t index) {
  if (const auto end = end_of(index); end && end->lsn > at_) {
    lose(*end, describe(ScanStop::no_frame));
  }
}

/// Into a segment: what lies before its base and was not found is lost.
void Planner::enter(const SalvageSource& source) {
  // It was begun when all before it was durable.
  proof_ = std::max(proof_, source.base_lsn);
  if (source.base_lsn > at_) {
    if (claimed_.lsn > at_ && claimed_.lsn < source.base_lsn) lose(claimed_, "");
    const bool is_old_gap = source.header && source.header->cause == SegmentCause::salvage &&
                            source.header->link.number == last_number_;
    if (is_old_gap) old_losses_.push_back(plan.lost.size());
    if (is_old_gap || source.number != next_number()) break_.reset();
    lose({.lsn = source.base_lsn, .ordinal = source.base_ordinal},
         is_old_gap ? "it was lost before an earlier salvage" : missing_text());
  }
  if (source.base_ordinal && *source.base_ordinal >= ordinal_) {
    ordinal_ = *source.base_ordinal;
    is_ordinal_known_ = true;
  }
  last_ = &source;
  last_number_ = source.number;
  is_sealed_ = false;
}

/// Looks at one place; false behind the last frame.
Result<bool> Planner::step(Walk& walk, FrameSource& frames) {
  const SalvageSource& source = walk.source;
  if (walk.place >= source.limit) return false;
  const uint64_t offset = segment_offset(source.base_lsn, walk.place);
  auto frame = frames.at(walk.place, Lsn(kMaxCounter));
  if (!frame) return std::unexpected(frame.error());
  if (!*frame) return search(walk, offset);
  const FrameHeader& header = (*frame)->header;
  if (const auto reason = refusal(walk, header)) {
    note_break(walk, *reason);
    return search(walk, offset + kFrameAlignment);
  }
  plan.highest_epoch = std::max(plan.highest_epoch, header.epoch);
  if (header.kind == FrameKind::seal) {
    // The seal stands at the end, and says so.
    is_sealed_ = true;
    if (header.lsn > at_) lose({.lsn = header.lsn, .ordinal = header.first_ordinal}, "");
    return false;
  }
  const FramePart part = walk_below(**frame, walk.binding, 0, source.limit);
  walk.place = (*frame)->end_lsn();
  if (part.is_whole && part.is_boundary) {
    take(walk, part);
    return true;
  }
  // Its length is certain, so the search for the next one begins behind it.
  walk.place = header.lsn;
  note_break(walk, describe(part.is_whole ? ScanStop::no_boundary : ScanStop::broken_body),
             header.length);
  walk.place = (*frame)->end_lsn();
  testify(walk, header);
  return true;
}

/// Goes to the next frame header from `offset` on; false if there is none.
Result<bool> Planner::search(Walk& walk, uint64_t offset) {
  note_break(walk, describe(ScanStop::no_frame));
  while (true) {
    auto next = find_frame(*walk.segment, walk.binding, walk.source.base_lsn, offset);
    if (!next) return std::unexpected(next.error());
    if (!*next) return false;
    const FrameHeader& header = (*next)->header;
    if (header.length <= walk.segment->bytes() - (*next)->offset) {
      walk.place = header.lsn;
      return true;
    }
    // The file was cut short inside of this frame.
    if (header.lsn < walk.source.limit && !refusal(walk, header)) testify(walk, header);
    offset = (*next)->offset + kFrameAlignment;
  }
}

/// Why a frame whose header verifies is none of the log's, if it is not.
std::optional<std::string_view> Planner::refusal(const Walk& walk,
                                                 const FrameHeader& header) const {
  if (header.lsn < at_) return "it lies before what was found already";
  const bool is_stale = header.epoch < last_epoch_ ||
                        (walk.source.header && header.epoch < walk.source.header->epoch) ||
                        (survey_.is_behind_proven(header.segment_number, header.lsn) &&
                         header.epoch < survey_.root->epoch && header.kind == FrameKind::data);
  if (is_stale) return describe(ScanStop::stale_epoch);
  // Between two records that are there, no more can have been lost than there was room for.
  const uint64_t gap = header.lsn - at_;
  const bool goes_on =
      header.first_ordinal >= ordinal_ && header.first_ordinal <= kMaxCounter &&
      (!is_ordinal_known_ || header.first_ordinal - ordinal_ <= gap / kRecordHeaderBytes);
  if (!goes_on) return describe(ScanStop::wrong_ordinal);
  return std::nullopt;
}

void Planner::take(const Walk& walk, const FramePart& part) {
  const FrameHeader& header = part.header;
  if (!is_ordinal_known_ && plan.runs.empty() && plan.lost.empty()) {
    ordinal_ = plan.first_ordinal = header.first_ordinal;
  }
  if (header.lsn > at_) lose({.lsn = header.lsn, .ordinal = header.first_ordinal}, "");
  const Lsn end = header.lsn + header.length;
  const uint64_t end_ordinal = header.first_ordinal + header.record_count;
  SalvageRun* const last = plan.runs.empty() ? nullptr : &plan.runs.back();
  if (last != nullptr && last->source == walk.index && last->end == header.lsn &&
      last->end_ordinal == header.first_ordinal) {
    last->end = end;
    last->end_ordinal = end_ordinal;
  } else {
    plan.runs.push_back({.source = walk.index,
                         .begin = header.lsn,
                         .end = end,
                         .first_ordinal = header.first_ordinal,
                         .end_ordinal = end_ordinal,
                         .epoch = header.epoch,
                         .time_ns = std::max(plan.last_time_ns, header.time_ns)});
  }
  at_ = end;
  ordinal_ = end_ordinal;
  is_ordinal_known_ = true;
  last_epoch_ = header.epoch;
  plan.last_time_ns = std::max(plan.last_time_ns, header.time_ns);
  proof_ = std::max(proof_, header.watermark);
  break_.reset();
}

/// A frame with a broken body still says what was there, and what was durable before.
void Planner::testify(const Walk& walk, const FrameHeader& header) {
  const Lsn end = header.lsn + std::min(header.length, kMaxCounter);
  if (end > walk.source.limit) {
    claimed_ = {.lsn = walk.source.limit, .ordinal = {}};  // A truncation cut through it.
  } else if (end > claimed_.lsn) {
    claimed_ = {.lsn = end, .ordinal = header.first_ordinal + header.record_count};
  }
  proof_ = std::max(proof_, header.watermark);
}

void Planner::note_break(const Walk& walk, std::string_view reason, uint64_t bytes) {
  if (break_) return;
  const uint64_t begin = segment_offset(walk.source.base_lsn, walk.place);
  const auto unreadable = walk.segment->first_unreadable(begin, begin + bytes);
  break_ = Break{.file = store_.segment_label(walk.source.file),
                 .offset = begin,
                 .reason = unreadable ? fmt::format("the block at offset {} cannot be read",
                                                    round_down(*unreadable, kBlockBytes))
                                      : std::string(reason)};
}

/// What lies from at_ to `end` was not found. `reason` if no break was noted there.
void Planner::lose(const LogPoint& end, std::string_view reason) {
  SalvageReport::Loss loss;
  loss.range.begin = at_;
  loss.range.end = end.lsn;
  if (end.ordinal && is_ordinal_known_ && *end.ordinal > ordinal_) {
    loss.range.records = *end.ordinal - ordinal_;
  }
  if (break_) {
    loss.range.file = break_->file;
    loss.range.offset = break_->offset;
  }
  loss.reason = break_ ? break_->reason : std::string(reason);
  plan.lost.push_back(std::move(loss));
  const bool is_known = end.ordinal && *end.ordinal >= ordinal_;
  if (is_known) ordinal_ = *end.ordinal;
  if (!is_known && is_ordinal_known_) unknown_from_ = at_;
  is_ordinal_known_ = is_known;
  at_ = end.lsn;
  break_.reset();
}

/// Where a segment ended, by what its successor or the root says of it.
std::optional<LogPoint> Planner::end_of(size_t index) const {
  const uint64_t number = survey_.sources[index].number;
  for (size_t i = index + 1; i < survey_.sources.size(); ++i) {
    const SalvageSource& next = survey_.sources[i];
    if (next.is_void()) continue;
    if (next.header && next.header->link.number == number) {
      return LogPoint{.lsn = next.header->predecessor_end_lsn(),
                      .ordinal = next.header->predecessor_end_ordinal()};
    }
    if (next.number != number + 1) break;
    return LogPoint{.lsn = next.base_lsn, .ordinal = next.base_ordinal};
  }
  if (survey_.root && survey_.root->truncation.number != 0 &&
      survey_.root->truncation.link.number == number) {
    return LogPoint{.lsn = survey_.root->truncation.base_lsn,
                    .ordinal = survey_.root->truncation.ordinal};
  }
  return std::nullopt;
}

/// Behind the last segment: what the root, broken frames or bytes without a frame say was there.
Result<void> Planner::finish() {
  Lsn end = std::max(at_, claimed_.lsn);
  const bool is_last_missing = survey_.last_missing > last_number_;
  bool is_missing = is_sealed_ || is_last_missing;  // segments behind the last one are
  bool is_end_known = false;
  if (survey_.root) {
    const RootState& root = *survey_.root;
    const TruncationMark& mark = root.truncation;
    proof_ = std::max(proof_, root.proven.lsn);
    end = std::max(end, root.proven.lsn);
    if (mark.number > last_number_) end = std::max(end, mark.base_lsn);
    const ProvenPosition beginning{.number = root.first.number, .lsn = root.first.lsn};
    const ProvenPosition cut{.number = mark.number, .lsn = mark.base_lsn};
    is_missing = is_missing || (root.proven.number > last_number_ && root.proven != beginning &&
                                root.proven != cut);
    is_end_known = root.is_clean && !is_last_missing;  // An object says itself where it ends.
  }
  if (is_missing) {
    if (claimed_.lsn <= at_) break_.reset();
  } else {
    auto residue = end_of_residue();
    if (!residue) return std::unexpected(residue.error());
    end = std::max(end, *residue);
  }
  if (end > at_) {
    lose({.lsn = end, .ordinal = claimed_.lsn == end ? claimed_.ordinal : std::nullopt},
         is_missing ? missing_text() : "the root proves more than there is");
  }
  if (is_missing && !is_end_known) {
    proof_ = std::max(proof_, at_ + 1);
    lose({.lsn = at_ + kUnknownBytes, .ordinal = {}}, missing_text());
  }
  plan.end_lsn = at_;
  // No number is given out again, either: so many records may have been there.
  plan.end_ordinal =
      ordinal_ + (is_ordinal_known_ ? 0 : (at_ - unknown_from_) / kRecordHeaderBytes);
  for (SalvageReport::Loss& loss : plan.lost) loss.was_durable = loss.range.begin < proof_;
  for (const size_t old : old_losses_) plan.lost[old].was_durable = false;
  return {};
}

/// Behind the last byte of the last segment that is not zero, if that is not reached yet.
Result<Lsn> Planner::end_of_residue() {
  if (last_ == nullptr || at_ < last_->base_lsn || is_sealed_) return at_;
  auto segment = open_damaged(store_, last_->file);
  if (!segment) return std::unexpected(segment.error());
  if (*segment == nullptr) return at_;
  // Without its header it may be recycled: then no bytes of an earlier use are taken for its own.
  const bool is_recycled = !last_->header || last_->header->is_recycled();
  auto evidence = find_evidence(**segment, SegmentBinding::of(survey_.log_id, last_->number),
                                last_->base_lsn, is_recycled, at_, last_epoch_);
  if (!evidence) return std::unexpected(evidence.error());
  if (evidence->residue_end == 0) return at_;
  const uint64_t bytes = round_up(evidence->residue_end - kSegmentHeaderBytes, kFrameAlignment);
  return std::min(last_->base_lsn + bytes, std::max(last_->limit, at_));
}

}  // namespace

Result<SalvagePlan> plan_salvage(SegmentStore& store, const SalvageSurvey& survey) {
  Planner planner(store, survey);
  if (auto done = planner.run(); !done) return std::unexpected(done.error());
  return std::move(planner.plan);
}

}  // namespace writeahead::internal
