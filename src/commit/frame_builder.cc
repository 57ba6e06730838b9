// Encoding one frame.
// Addresses were given before: what is built here has to stand where they say.
#include "commit/frame_builder.h"

#include <algorithm>

#include "base/check.h"
#include "format/record.h"

namespace writeahead::internal {

void build_frame(PendingFrame& pending, const FrameFacts& facts, const SegmentBinding& binding,
                 LogPosition& position) {
  // An address was given for a place behind these: another one would be a wrong write.
  WRITEAHEAD_CHECK(pending.lsn() == position.lsn && pending.first_ordinal() == position.ordinal);
  WRITEAHEAD_CHECK(facts.watermark <= pending.lsn());
  pending.buffer.begin(binding.number, pending.offset(), pending.length());
  const auto frame = pending.buffer.frame();
  FrameHeader header{.kind = FrameKind::data,
                     .length = frame.size(),
                     .epoch = facts.epoch,
                     .segment_number = binding.number,
                     .lsn = position.lsn,
                     .watermark = facts.watermark,
                     // Clocks jump; the log's time does not.
                     .time_ns = std::max(facts.time_ns, position.time_ns),
                     .first_ordinal = position.ordinal,
                     .record_count = static_cast<uint32_t>(pending.records()),
                     .table_bytes = static_cast<uint32_t>(pending.table().size())};
  copy_bytes(pending.table(), frame.subspan(kFrameHeaderBytes));
  RecordRun run = begin_run(header, frame, position.digest);
  for (PendingAppend* append = pending.first(); append != nullptr; append = append->next) {
    const uint64_t end = run.end + append->encoded_bytes();
    // It was told this address.
    WRITEAHEAD_CHECK(append->record_count() == 0 ||
                     append->range.first_lsn == position.lsn + run.end);
    append->copy_to(frame.subspan(run.end, append->encoded_bytes()));
    for (uint32_t i = 0; i < append->record_count(); ++i) {
      add_to_run(run, frame, position.lsn, binding.segment_seed, append->payload_hash(i));
    }
    WRITEAHEAD_CHECK(run.end == end);
  }
  std::ranges::fill(frame.subspan(run.end), std::byte{0});
  header.body_checksum = run.body_checksum;
  position.digest = run.digest;
  encode_frame_header(header, binding, frame);
  position.lsn = pending.end_lsn();
  position.ordinal = pending.end_ordinal();
  position.time_ns = header.time_ns;
  pending.header = header;
  pending.digest = position.digest;
}

}  // namespace writeahead::internal
