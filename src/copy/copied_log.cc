// Writing a copy.
// Nothing here decides what belongs to it: bytes come verified, and in the order of the source.
#include "copy/copied_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "format/bytes.h"
#include "recovery/recovery.h"
#include "segment/frame_source.h"
#include "segment/open_store.h"

namespace writeahead::internal {

CopiedPart to_part(const Inspection& found) {
  CopiedPart part{.log_id = found.root.log_id,
                  .first = found.root.first,
                  .truncation_count = found.root.truncation_count,
                  .segments = {},
                  .last = {}};
  for (const DataSegment& segment : found.data) part.segments.push_back(segment.header);
  if (found.tail) part.last = found.tail->contents;
  return part;
}

Result<std::unique_ptr<CopiedLog>> CopiedLog::open(Env& env, const std::string& path,
                                                   const CopiedLogOptions& options) {
  auto store = open_store(env, path,
                          {.create_if_missing = options.is_new,
                           .error_if_exists = options.is_new,
                           .file_mode = options.file_mode},
                          options.least_epoch);
  if (!store) return std::unexpected(store.error());
  std::unique_ptr<CopiedLog> log(new CopiedLog(std::move(*store)));
  // Whoever copies is told, and goes on later: nobody waits here for an acknowledgement.
  log->store_->stop_waiting_for_space();
  log->is_new_ = options.is_new;
  Result<void> done{};
  if (options.is_new) {
    auto found = inspect(*log->store_, std::nullopt);
    if (!found) return std::unexpected(found.error());
    if (found->damage) return std::unexpected(to_error(*found->damage, "copy log"));
    if (found->root_verdict != RootVerdict::create) {
      return std::unexpected(make_error(ErrorCode::invalid_argument, "copy log",
                                        "there is a log already", {.path = path}));
    }
  } else {
    done = log->recover_part(env);
  }
  if (!done) return std::unexpected(done.error());
  log->root_.epoch = std::max(log->root_.epoch, options.least_epoch);
  return log;
}

Result<void> CopiedLog::recover_part(Env& env) {
  auto recovered = recover(*store_, env, false);
  if (!recovered) return std::unexpected(recovered.error());
  root_ = std::move(recovered->root);
  part_.log_id = root_.log_id;
  part_.first = root_.first;
  part_.truncation_count = root_.truncation_count;
  for (const SegmentView& segment : recovered->table->all()) {
    part_.segments.push_back(segment.header);
  }
  writer_ = std::move(recovered->active);
  reached_ = {.number = root_.first.number, .lsn = root_.first.lsn};
  if (part_.segments.empty()) return {};
  part_.last = recovered->table->contents(part_.last_number()).value_or(SegmentContents{});
  reached_ = {.number = part_.last_number(), .lsn = part_.last.end_lsn};
  if (!writer_->is_shared()) return {};
  return std::unexpected(make_error(ErrorCode::invalid_argument, "copy log",
                                    "its last segment has a second name, which shares what would "
                                    "be appended",
                                    {.path = writer_->path()}));
}

/// What the source's root says, and how far the copy is.
RootState CopiedLog::next_root(const RootState& source, bool is_copying) const {
  RootState root = source;
  root.epoch = root_.epoch;
  root.is_clean = !is_copying;
  root.is_copying = is_copying;
  root.first = part_.first;
  root.proven = reached_;
  // A segment that a truncation began has to be there once the root names it; and while it is
  // copied a log without a record is one without a segment.
  const bool is_empty =
      part_.segments.empty() ||
      (is_copying && reached_ == ProvenPosition{root.first.number, root.first.lsn});
  const uint64_t begun = root.truncation.number;
  if (begun >= root.first.number && (is_empty || begun > reached_.number)) root.truncation = {};
  return root;
}

Result<void> CopiedLog::write(const RootState& root) {
  if (auto written = store_->write_root(root); !written) return written;
  root_ = root;
  part_.truncation_count = root.truncation_count;
  return {};
}

Result<void> CopiedLog::begin(const RootState& source) {
  if (is_new_) {
    part_.log_id = source.log_id;
    part_.first = source.first;
    reached_ = {.number = part_.first.number, .lsn = part_.first.lsn};
  }
  const RootState root = next_root(source, true);
  // CRASH: there is no log yet, or one without a record, or what was there.
  auto written = is_new_ ? store_->claim(root) : store_->write_root(root);
  if (!written) return written;
  is_new_ = false;
  root_ = root;
  part_.truncation_count = root.truncation_count;
  store_->announce(root_);
  // Of objects this is the epoch that was taken, which may be above the root's.
  const auto control = store_->read_control();
  taken_epoch_ = control ? control->epoch : root_.epoch;
  return {};
}

Result<void> CopiedLog::begin_segment(const SegmentHeader& header,
                                      std::span<const std::byte> block) {
  auto created = store_->create(header.number);
  if (!created) return std::unexpected(created.error());
  has_new_names_ = true;
  for (uint64_t filled = 0; filled < header.prepared_bytes;) {
    auto slice = (*created)->fill_slice(header.prepared_bytes, SegmentWriter::kLargeSlice);
    if (!slice) return std::unexpected(slice.error());
    filled = *slice;
  }
  // What was filled is prepared once it is durable.
  if (auto synced = (*created)->sync(); !synced) return synced;
  if (writer_ != nullptr) ended_.push_back(std::move(writer_));
  writer_ = std::move(*created);
  part_.segments.push_back(header);
  part_.last.begin(header);
  buffer_.reserve(0);
  buffer_.begin(header.number, kSegmentHeaderBytes, 0);
  copy_bytes(block.first(kSegmentHeaderBytes), buffer_.header_block());
  auto written = write_buffer(kSegmentHeaderBytes);
  if (written) reached_ = {.number = header.number, .lsn = header.base_lsn};
  return written;
}

Result<void> CopiedLog::write_buffer(uint64_t at) {
  writer_->place(at, buffer_);
  // CRASH: any part of it may be there. It lies above what the root proves.
  return writer_->write(at, buffer_, WriteMode::cached);
}

Result<void> CopiedLog::append(std::span<const std::byte> frames, SegmentContents contents,
                               bool is_cut) {
  if (frames.size() > store_->traits().most_batch_bytes) {
    return std::unexpected(make_error(
        ErrorCode::too_large, "copy log", "a frame is more than the destination takes at once",
        {.path = writer_->path(), .offset = {}, .lsn = part_.last.end_lsn}));
  }
  const SegmentHeader& header = part_.segments.back();
  const uint64_t at = segment_offset(header.base_lsn, part_.last.end_lsn);
  buffer_.reserve(frames.size());
  buffer_.begin(header.number, at, frames.size());
  copy_bytes(frames, buffer_.frame());
  if (auto written = write_buffer(at); !written) return written;
  part_.last = std::move(contents);
  if (!is_cut) reached_ = {.number = part_.last_number(), .lsn = part_.last.end_lsn};
  return {};
}

Result<void> CopiedLog::commit(const RootState& source) {
  for (const auto& ended : std::exchange(ended_, {})) {
    if (auto synced = ended->sync(); !synced) return synced;
  }
  if (writer_ != nullptr) {
    if (auto synced = writer_->sync(); !synced) return synced;
  }
  if (std::exchange(has_new_names_, false)) {
    if (auto synced = store_->sync_names(); !synced) return synced;
  }
  // CRASH: before the first slot is there the copy ends where it did; from then on it has all that
  // was written, of which every byte and name is durable.
  return write_and_tell(next_root(source, true));
}

bool CopiedLog::is_older_than(const RootState& source) const {
  const RootState root = next_root(source, true);
  return root.holds != root_.holds || root.truncation_count != root_.truncation_count ||
         root.truncation != root_.truncation;
}

/// Followers learn of what is durable, and of another count of truncations.
Result<void> CopiedLog::write_and_tell(const RootState& root) {
  const bool is_truncated = root.truncation_count != root_.truncation_count;
  if (auto written = write(root); !written) return written;
  if (is_truncated) {
    store_->announce(root_);
  } else {
    store_->publish_durable(root_.proven.lsn);
  }
  store_->wake_followers();
  return {};
}

Result<bool> CopiedLog::is_sealed(const SegmentHeader& header, Lsn end) {
  auto segment = store_->open(header.number);
  if (!segment) return std::unexpected(segment.error());
  const auto binding = SegmentBinding::of(header.log_id, header.number);
  FrameSource frames(*segment, binding, header.base_lsn, ReadSource::device);
  auto seal = read_seal(frames, end);
  return seal ? Result<bool>(seal->has_value()) : std::unexpected(seal.error());
}

Result<void> CopiedLog::seal(uint64_t number, Lsn end, std::span<const std::byte> frame) {
  const auto header = std::ranges::find(part_.segments, number, &SegmentHeader::number);
  WRITEAHEAD_CHECK(header != part_.segments.end() && number < root_.proven.number);
  const uint64_t at = segment_offset(header->base_lsn, end);
  auto writer = store_->open_for_append(number, at);
  if (!writer) return std::unexpected(writer.error());
  buffer_.reserve(frame.size());
  buffer_.begin(number, at, frame.size());
  copy_bytes(frame, buffer_.frame());
  // CRASH: a seal that tore is as good as none, and is written again.
  (*writer)->place(at, buffer_);
  return (*writer)->write(at, buffer_, WriteMode::barrier);
}

Result<void> CopiedLog::trim(const RootState& source) {
  std::vector<uint64_t> dropped;
  for (const SegmentHeader& segment : part_.segments) {
    if (segment.number < source.first.number) dropped.push_back(segment.number);
  }
  if (dropped.size() == part_.segments.size()) {
    reached_ = {.number = source.first.number, .lsn = source.first.lsn};
    writer_.reset();
    part_.last = {};
  }
  part_.first = source.first;
  std::erase_if(part_.segments,
                [&](const SegmentHeader& s) { return s.number < source.first.number; });
  // CRASH: it begins at the one or the other place; the segments are all there.
  if (auto written = write_and_tell(next_root(source, true)); !written) return written;
  // Those that the storage keeps for now go at the next opening.
  auto kept = store_->drop(dropped);
  return kept ? Result<void>{} : std::unexpected(kept.error());
}

/// Nobody tells an owner that the log was taken from it, and a root that says nothing new is not
/// written where that would find out.
Result<void> CopiedLog::refuse_taken() {
  if (!store_->traits().passes_on_ownership) return {};
  const auto control = store_->read_control();
  if (control && control->epoch == taken_epoch_) return {};
  if (!control) {
    return std::unexpected(
        make_error(ErrorCode::io, "copy log", "its head cannot be read", {.path = store_->path()}));
  }
  return std::unexpected(make_error(ErrorCode::fenced, "copy log",
                                    "another writer has taken the destination over",
                                    {.path = store_->path()}));
}

Result<void> CopiedLog::close(const RootState& source) {
  // Without the mark of a copy all that verifies counts.
  WRITEAHEAD_CHECK(is_committable() && reached_ == root_.proven);
  if (auto mine = refuse_taken(); !mine) return mine;
  // CRASH: the one slot says that a copy is being made, the other that it ends there: both are the
  // same log.
  if (auto written = write(next_root(source, false)); !written) return written;
  store_->release();
  return {};
}

}  // namespace writeahead::internal
