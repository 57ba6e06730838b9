// Following the source, and opening it for writing.
// Nothing but its root is ever written here, and that only by its owner.
#include "copy/copy_source.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "recovery/recovery.h"
#include "segment/frame_source.h"
#include "segment/open_store.h"

namespace writeahead::internal {
namespace {
constexpr std::chrono::seconds kRootAge{1};
}

Result<CopySource> CopySource::open(Env& env, const std::string& path) {
  CopySource source(env, path);
  auto store = open_store_read_only(env, path);
  if (!store) return std::unexpected(store.error());
  source.store_ = std::move(*store);
  const auto before = source.store_->control_signs();
  auto observed = observe(*source.store_, Scrutiny::what_is_not_proven);
  if (!observed) return std::unexpected(observed.error());
  if (observed->found.damage) {
    return std::unexpected(to_error(*observed->found.damage, "copy log"));
  }
  if (observed->found.root_verdict == RootVerdict::create) {
    return std::unexpected(make_error(ErrorCode::not_found, "copy log",
                                      "no log was ever opened there", {.path = path}));
  }
  if (auto settled = settle_observed(*observed); !settled) {
    return std::unexpected(settled.error());
  }
  source.followed_ = std::make_shared<FollowedLog>(source.store_, *observed, before);
  source.table_ = source.followed_->table();
  source.root_ = observed->found.root;
  if (auto read = source.read_root(); !read) return std::unexpected(read.error());
  return source;
}

Result<void> CopySource::read_root() {
  // What the table takes in behind this is told by another reading.
  root_truncations_ = table_->truncations();
  root_epoch_ = followed_->epoch();
  auto slots = store_->load_root();
  if (!slots) return std::unexpected(slots.error());
  if (slots->is_valid(0) || slots->is_valid(1)) root_ = slots->slot[slots->newest()].root;
  root_.epoch = std::max(root_.epoch, followed_->epoch());
  root_read_ = std::chrono::steady_clock::now();
  return {};
}

/// Trims and holds are told by the root alone. Reading it may cost its writer a flush of the disk.
/// Of another writer, or of a truncation, both have to tell the same.
Result<void> CopySource::update() {
  if (is_owned_) return {};
  if (auto updated = followed_->update(); !updated) return updated;
  root_.epoch = std::max(root_.epoch, followed_->epoch());
  const bool is_behind =
      root_truncations_ != table_->truncations() || root_epoch_ != followed_->epoch();
  if (!is_behind && std::chrono::steady_clock::now() - root_read_ < kRootAge) return {};
  const uint64_t count = root_.truncation_count;
  if (auto read = read_root(); !read) return read;
  const bool is_ahead =
      root_.first.number > table_->extent().first.number || root_.truncation_count != count;
  return is_ahead ? followed_->recheck() : Result<void>{};
}

Result<void> CopySource::recheck() {
  if (is_owned_) return {};
  auto checked = followed_->recheck();
  return checked ? read_root() : checked;
}

void CopySource::wait(std::chrono::milliseconds longest, const std::stop_token& stop) {
  [[maybe_unused]] const auto outcome =
      followed_->wait(followed_->changes(), std::chrono::steady_clock::now() + longest, stop);
}

Result<void> CopySource::own() {
  auto opened = open_store(*env_, path_, {.create_if_missing = false});
  if (!opened) return std::unexpected(opened.error());
  auto recovered = recover(**opened, *env_, false);
  if (!recovered) return std::unexpected(recovered.error());
  store_ = std::move(*opened);
  followed_.reset();
  table_ = std::move(recovered->table);
  root_ = std::move(recovered->root);
  is_owned_ = true;
  return {};
}

Result<void> CopySource::close() {
  if (!is_owned_) return {};
  RootState root = root_;
  root.is_clean = true;
  // CRASH: it is a log that was opened and not closed; no byte of it was changed by this opening.
  if (auto written = store_->write_root(root); !written) return written;
  store_->release();
  return {};
}

Result<bool> CopySource::read_header(const SegmentView& segment, uint64_t epoch_before,
                                     std::span<std::byte> block) {
  auto bytes = store_->read_head(segment.header.number, block);
  if (!bytes) return std::unexpected(bytes.error());
  const auto decoded = decode_segment_header(block);
  if (decoded.state == HeaderState::valid && decoded.header.number == segment.header.number) {
    return true;
  }
  // A truncation's segment whose file a backup shares never gets its header: the root describes it.
  if (!is_owned_) return false;
  SegmentHeader header = segment.header;
  // Here it has the epoch of this opening, and what follows it may be older.
  header.epoch = epoch_before;
  encode_segment_header(header, block);
  return true;
}

Result<std::vector<std::byte>> CopySource::read_seal_frame(const SegmentView& segment) const {
  std::vector<std::byte> bytes;
  if (!segment.is_closed || segment.is_cut) return bytes;
  auto opened = reader(segment.header.number);
  if (!opened) return std::unexpected(opened.error());
  FrameSource frames(*opened, segment.binding, segment.header.base_lsn, ReadSource::device);
  auto frame = frames.at(segment.end_lsn, frames_end_of(segment.header));
  if (!frame) return std::unexpected(frame.error());
  if (*frame && decode_seal((*frame)->header, (*frame)->bytes)) {
    bytes.assign((*frame)->bytes.begin(), (*frame)->bytes.end());
  }
  return bytes;
}

}  // namespace writeahead::internal
