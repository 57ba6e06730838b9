// Writing segments whole, one after the other, and the root behind them.
// What is read is verified here once more: nothing is copied on the word of the plan.
#include "recovery/salvaged_log.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "format/bytes.h"
#include "format/checksum.h"
#include "format/record.h"
#include "format/seal.h"
#include "segment/segment_size.h"

namespace writeahead::internal {
namespace {
constexpr size_t kFlushBytes = 1ULL << 20;
}

Result<SalvagedLog> SalvagedLog::begin(Env& env, const std::string& path, uint32_t file_mode) {
  auto store = FileStore::open(env, path, {.file_mode = file_mode, .is_salvage = true});
  if (!store) return std::unexpected(store.error());
  SalvagedLog log(std::move(*store));
  if (auto filled = env.random(log.log_id_); !filled) {
    return std::unexpected(io_error("make log id", filled.error()));
  }
  return log;
}

Result<void> SalvagedLog::add(const SalvageRun& run, FrameSource& source, bool is_numbered,
                              bool is_sealed) {
  auto begun = begin_segment({run.begin, run.first_ordinal, run.epoch, run.time_ns, is_numbered},
                             run.end - run.begin);
  if (!begun) return begun;
  Lsn at = run.begin;
  while (at < run.end) {
    auto frame = source.at(at, Lsn(kMaxCounter));
    if (!frame) return std::unexpected(frame.error());
    if (!*frame || !take(**frame, source.binding(), run.end)) {
      return std::unexpected(make_error(ErrorCode::io, "salvage log",
                                        "the log changed while it was read",
                                        {.path = source.segment().path(), .lsn = at}));
    }
    at = contents_.end_lsn;
    if (pending_.size() < kFlushBytes) continue;
    if (auto flushed = flush(); !flushed) return flushed;
  }
  if (is_sealed) {
    const Seal seal{.end_lsn = contents_.end_lsn,
                    .records = contents_.end_ordinal - header_.base_ordinal,
                    .first_time_ns = contents_.first_time_ns,
                    .last_time_ns = contents_.last_time_ns,
                    .digest = contents_.digest,
                    .index = contents_.index};
    FrameHeader header;
    header.epoch = contents_.last_epoch;
    header.segment_number = number_;
    header.time_ns = contents_.last_time_ns;
    header.first_ordinal = contents_.end_ordinal;
    const auto frame = encode_seal(seal, header, binding_);
    pending_.insert(pending_.end(), frame.begin(), frame.end());
  }
  return end_segment();
}

Result<void> SalvagedLog::add_empty(const SegmentStart& start) {
  auto begun = begin_segment(start, kMinSegmentBytes - kSegmentHeaderBytes);
  return begun ? end_segment() : begun;
}

/// Places the header; what the segment before says of itself is linked in it.
Result<void> SalvagedLog::begin_segment(const SegmentStart& start, uint64_t frame_bytes) {
  SegmentHeader header;
  header.log_id = log_id_;
  header.base_lsn = start.lsn;
  header.base_ordinal = start.ordinal;
  header.epoch = start.epoch;
  header.created_ns = start.time_ns;
  header.number = ++number_;
  header.required_features = start.is_numbered ? kNumberedFeature : 0;
  header.prepared_bytes = prepared_bytes_for(kSegmentHeaderBytes + frame_bytes);
  header.cause = SegmentCause::salvage;
  if (number_ > 1) {
    header.link = {.number = number_ - 1, .end_lsn = contents_.end_lsn, .digest = contents_.digest};
    const bool goes_on =
        header.base_lsn == contents_.end_lsn && header.base_ordinal == contents_.end_ordinal;
    if (goes_on) header.cause = SegmentCause::rotate;
    if (!goes_on) header.link_end_ordinal = contents_.end_ordinal;
  }
  auto created = store_->create(number_);
  if (!created) return std::unexpected(created.error());
  writer_ = std::move(*created);
  for (bool is_filled = false; !is_filled;) {
    auto filled = writer_->fill_slice(header.prepared_bytes, SegmentWriter::kLargeSlice);
    if (!filled) return std::unexpected(filled.error());
    is_filled = *filled >= header.prepared_bytes;
  }
  // What was filled is prepared once it is durable.
  if (auto synced = writer_->sync(); !synced) return synced;
  header_ = header;
  binding_ = SegmentBinding::of(log_id_, number_);
  contents_.begin(header);
  written_ = kSegmentHeaderBytes;
  pending_.clear();
  return {};
}

Result<void> SalvagedLog::end_segment() {
  // The header goes out with the first bytes behind it, or by itself.
  if (!pending_.empty() || written_ == kSegmentHeaderBytes) {
    if (auto flushed = flush(); !flushed) return flushed;
  }
  return std::exchange(writer_, nullptr)->sync();
}

/// Encodes the part of a frame below `end` anew; false if it does not verify.
bool SalvagedLog::take(const Frame& frame, const SegmentBinding& from, Lsn end) {
  FrameHeader header = frame.header;
  header.length = std::min(header.length, end - header.lsn);
  header.segment_number = number_;
  // Nothing counts before the root is written, and then all of it is durable.
  header.watermark = header.lsn;
  const size_t begin = pending_.size();
  const auto bytes = frame.bytes.first(header.length);
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  const auto out = std::span(pending_).subspan(begin);
  RecordRun run = begin_run(header, out, contents_.digest);
  FrameWalk walk(frame.header, frame.bytes, from);
  while (walk.next()) {
    if (walk.end_lsn() > end) continue;
    add_to_run(run, out, header.lsn, binding_.segment_seed, walk.record().payload_hash());
  }
  header.record_count = run.records;
  header.body_checksum = run.body_checksum;
  if (!walk.is_whole() || frame.header.kind != FrameKind::data ||
      header.first_ordinal != contents_.end_ordinal) {
    return false;
  }
  encode_frame_header(header, binding_, out);
  contents_.extend(header, run.digest);
  return true;
}

Result<void> SalvagedLog::flush() {
  buffer_.reserve(pending_.size());
  buffer_.begin(header_.number, written_, pending_.size());
  if (written_ == kSegmentHeaderBytes) encode_segment_header(header_, buffer_.header_block());
  copy_bytes(pending_, buffer_.frame());
  // CRASH: without a root nothing of it counts.
  writer_->place(written_, buffer_);
  auto written = writer_->write(written_, buffer_, WriteMode::cached);
  written_ += pending_.size();
  pending_.clear();
  return written;
}

Result<void> SalvagedLog::finish(RootState root) {
  root.log_id = log_id_;
  root.is_clean = true;
  root.proven = {.number = root.first.number, .lsn = root.first.lsn};
  if (number_ != 0) root.proven = {.number = number_, .lsn = contents_.end_lsn};
  // All names are durable before the root is: claim() syncs the directory first.
  // CRASH: the first slot makes it a log; before, it does not open.
  if (auto claimed = store_->claim(root); !claimed) return claimed;
  store_->end_salvage();
  store_->release();
  return {};
}

}  // namespace writeahead::internal
