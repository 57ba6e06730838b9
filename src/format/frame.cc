// Writing a frame's header and verifying a frame.
// A header verifies in its place or not at all; a body only as a whole.
#include "format/frame.h"

#include <algorithm>

#include "format/checksum.h"
#include "format/segment_header.h"

namespace writeahead::internal {

SegmentBinding SegmentBinding::of(const Identifier& log_id, uint64_t number) {
  const uint64_t seed = seed_of_log(log_id);
  return {.number = number, .log_seed = seed, .segment_seed = seed_of_segment(seed, number)};
}

void encode_frame_header(const FrameHeader& header, const SegmentBinding& binding,
                         std::span<std::byte> out) {
  frame_field::magic.store(out, kFrameMagic);
  frame_field::kind.store(out, static_cast<uint16_t>(header.kind));
  frame_field::flags.store(out, 0);
  frame_field::length.store(out, header.length);
  frame_field::epoch.store(out, header.epoch);
  frame_field::segment_number.store(out, header.segment_number);
  frame_field::lsn.store(out, header.lsn.value());
  frame_field::watermark.store(out, header.watermark.value());
  frame_field::time_ns.store(out, header.time_ns);
  frame_field::first_ordinal.store(out, header.first_ordinal);
  frame_field::record_count.store(out, header.record_count);
  frame_field::table_bytes.store(out, header.table_bytes);
  frame_field::body_checksum.store(out, header.body_checksum);
  frame_field::header_checksum.store(
      out, checksum(out.first(frame_field::header_checksum.offset), binding.log_seed));
}

std::optional<FrameHeader> decode_frame_header(std::span<const std::byte> bytes, Lsn lsn,
                                               const SegmentBinding& binding) {
  // The cheap tests come first: the search for evidence asks at every eighth byte.
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  if (frame_field::magic.load(bytes) != kFrameMagic) return std::nullopt;
  if (frame_field::lsn.load(bytes) != lsn.value()) return std::nullopt;
  if (frame_field::segment_number.load(bytes) != binding.number) return std::nullopt;
  if (!is_right_checksum(
          frame_field::header_checksum.load(bytes),
          checksum(bytes.first(frame_field::header_checksum.offset), binding.log_seed))) {
    return std::nullopt;
  }
  const FrameHeader header{
      .kind = static_cast<FrameKind>(frame_field::kind.load(bytes)),
      .length = frame_field::length.load(bytes),
      .epoch = frame_field::epoch.load(bytes),
      .segment_number = binding.number,
      .lsn = lsn,
      .watermark = Lsn(frame_field::watermark.load(bytes)),
      .time_ns = frame_field::time_ns.load(bytes),
      .first_ordinal = frame_field::first_ordinal.load(bytes),
      .record_count = frame_field::record_count.load(bytes),
      .table_bytes = frame_field::table_bytes.load(bytes),
      .body_checksum = frame_field::body_checksum.load(bytes),
  };
  const bool is_known = header.kind == FrameKind::data || header.kind == FrameKind::seal;
  const bool has_sound_table =
      header.table_bytes == 0 ||
      (header.kind == FrameKind::data && header.table_bytes <= kMostTableBytes &&
       header.table_bytes % kProducerEntryBytes == 0 && header.length >= header.records_begin());
  if (!is_known || frame_field::flags.load(bytes) != 0 || !has_sound_table ||
      header.length < kFrameHeaderBytes || header.length % kFrameAlignment != 0 ||
      header.watermark > lsn || lsn.value() > kMaxCounter || header.epoch > kMaxCounter ||
      header.first_ordinal > kMaxCounter) {
    return std::nullopt;
  }
  return header;
}

RecordRun begin_run(const FrameHeader& header, std::span<const std::byte> frame, uint64_t digest) {
  const auto table = producer_table_of(header, frame);
  return {.end = header.records_begin(),
          .body_checksum = table.empty() ? 0 : checksum(table, 0),
          .digest = digest};
}

uint64_t extend_body_checksum(uint64_t sum, std::span<const std::byte> record_header) {
  return checksum(record_header.first(kRecordHeaderBytes), sum);
}

namespace {

/// Whether a frame is whole that has all its records, up to the end of this run.
bool is_end_right(const FrameHeader& header, std::span<const std::byte> frame,
                  const RecordRun& run) {
  return is_zero(frame.subspan(run.end)) &&
         is_producer_table(producer_table_of(header, frame), header.lsn) &&
         is_right_checksum(header.body_checksum, run.body_checksum);
}

}  // namespace

FrameWalk::FrameWalk(const FrameHeader& header, std::span<const std::byte> frame,
                     const SegmentBinding& binding, FrameTrust trust)
    : header_(header),
      frame_(frame),
      binding_(binding),
      trust_(trust),
      position_(header.records_begin()) {
  if (trust == FrameTrust::is_verified) {
    ahead_ = run_.records = header.record_count;
  } else {
    run_ = begin_run(header, frame, 0);
  }
}

/// To the end of the record that was shown, behind which none was verified. False at the frame's.
bool FrameWalk::take() {
  position_ += record_.encoded_bytes;
  record_ = {};
  if (ahead_ != 0) return false;  // The one that next_ahead() refused.
  if (run_.records < header_.record_count) return true;
  is_whole_ = trust_ == FrameTrust::is_verified || is_end_right(header_, frame_, run_);
  return false;
}

bool FrameWalk::verify_ahead() {
  constexpr uint32_t kMostRecords = 64;
  constexpr uint64_t kMostBytes = 16ULL << 10;
  if (!take()) return false;
  const uint32_t before = run_.records;
  const uint32_t left = header_.record_count - before;
  extend_run(run_, frame_, header_.lsn, binding_.segment_seed,
             {.records = std::min(next_run_, left), .bytes = kMostBytes}, RunDigest::is_left_out);
  ahead_ = run_.records - before;
  next_run_ = std::min(2 * next_run_, kMostRecords);
  return ahead_ != 0;
}

bool FrameWalk::skip() {
  if (ahead_ != 0) return next_ahead();
  if (!take()) return false;
  const auto bytes = frame_.subspan(position_);
  if (bytes.size() < kRecordHeaderBytes) return false;
  const RecordHeader header = decode_record_header(bytes);
  if (encoded_record_bytes(header.length) > bytes.size()) return false;
  record_ = {.header = header, .content = {}, .encoded_bytes = encoded_record_bytes(header.length)};
  run_.end += record_.encoded_bytes;
  ++run_.records;
  run_.body_checksum = extend_body_checksum(run_.body_checksum, bytes);
  return true;
}

VerifiedFrame verify_frame(const FrameHeader& header, std::span<const std::byte> frame,
                           const SegmentBinding& binding, uint64_t digest) {
  VerifiedFrame verified{.run = begin_run(header, frame, digest)};
  extend_run(verified.run, frame, header.lsn, binding.segment_seed,
             {.records = header.record_count}, RunDigest::is_extended);
  verified.is_whole =
      verified.run.records == header.record_count && is_end_right(header, frame, verified.run);
  return verified;
}

}  // namespace writeahead::internal
