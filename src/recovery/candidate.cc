// From the bytes of one file to a verdict on it.
// A read error is never taken for an end or for damage.
#include "recovery/candidate.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/shared_loop.h"
#include "segment/segment_scan.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {

/// A segment before that of the proven position, if its cached header block is as it should be.
///
/// The root was written with that position when every barrier over the segments before had
/// succeeded, or when a recovery had read their headers past the cache and synced what it served.
/// So no failed sync is left that could make the cache show a header block that the device lacks:
/// it may be read in the fastest way. Only good news is taken from there; anything else is judged
/// by what the device holds, so that the verdict never depends on a cache.
Result<std::optional<Candidate>> glance(SegmentStore& store, const RootState& root,
                                        uint64_t number) {
  alignas(kBlockBytes) std::array<std::byte, kSegmentHeaderBytes> block;
  auto bytes = store.read_head(number, block);
  if (!bytes && bytes.error().code() == ErrorCode::corruption) return std::nullopt;
  if (!bytes) return std::unexpected(bytes.error());
  const auto decoded = decode_segment_header(block);
  if (decoded.state != HeaderState::valid || decoded.header.number != number ||
      decoded.header.log_id != root.log_id) {
    return std::nullopt;
  }
  return Candidate{.number = number,
                   .segment = {.header = decoded.header, .file_bytes = *bytes},
                   .verdict = SegmentVerdict::data};
}

}  // namespace

Result<Candidate> classify(SegmentStore& store, const RootState& root, uint64_t number) {
  auto reader = store.open(number);
  if (!reader && reader.error().code() == ErrorCode::corruption) {
    // A store that names its segments knows of one that is not there.
    return Candidate{.number = number,
                     .segment = {},
                     .verdict = SegmentVerdict::corruption,
                     .label = "it is missing"};
  }
  if (!reader) return std::unexpected(reader.error());
  Candidate candidate{.number = number,
                      .segment = {.header = {}, .file_bytes = (*reader)->bytes()}};
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
  const bool is_of_log = is_valid && decoded.header.log_id == root.log_id;
  SegmentFacts facts{};
  facts[header_unsupported] = decoded.state == HeaderState::unsupported;
  facts[header_own] = is_of_log && decoded.header.number == number;
  const bool is_old = is_of_log && decoded.header.number < root.first.number;
  facts[header_unused] = decoded.state == HeaderState::zero || is_old;
  facts[header_foreign] = is_valid && !facts[header_own] && !is_old;
  // A log that was never written to proves its own beginning, in a segment that need not exist.
  // So does a truncation, in the segment that it begins.
  const bool is_cut = is_begun_by_truncation(root, number);
  facts[truncation_begins] = is_cut;
  facts[proven_inside] = root.proven.number == number &&
                         root.proven != ProvenPosition{root.first.number, root.first.lsn} &&
                         !(is_cut && root.proven.lsn == root.truncation.base_lsn);
  if (!facts[header_own] && !facts[header_foreign]) {
    // Without a frame at its base an unused segment is a standby, whatever else it holds.
    const bool is_base_enough = facts[header_unused] && !is_cut;
    auto orphans =
        find_orphans(**reader, SegmentBinding::of(root.log_id, number),
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
    const TruncationMark& mark = root.truncation;
    candidate.segment.header = {.cause = SegmentCause::truncate,
                                .log_id = root.log_id,
                                .number = number,
                                .epoch = root.epoch,
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

Result<void> classify_proven(SegmentStore& store, const RootState& root,
                             std::span<const uint64_t> numbers, std::span<Candidate> out) {
  const auto look = [&](size_t i) -> Result<void> {
    auto glanced = glance(store, root, numbers[i]);
    if (glanced && !*glanced) glanced = classify(store, root, numbers[i]);
    if (!glanced) return std::unexpected(glanced.error());
    out[i] = **glanced;
    return {};
  };
  const bool is_shared = store.allows_threads() && numbers.size() >= kManySegments;
  return is_shared ? loop_in_two(numbers.size(), look) : loop_in_one(numbers.size(), look);
}

}  // namespace writeahead::internal
