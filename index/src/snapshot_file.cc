// Writing and reading snapshots.
// Both take the whole file in large transfers, past no cache: a snapshot is read once, at opening.
#include "snapshot_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "index_error.h"
#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {
namespace {
constexpr size_t kTransferBytes = 1 << 20;
}

Result<SnapshotWriter> SnapshotWriter::begin(SnapshotDirectory& directory, uint64_t number,
                                             const SnapshotHeader& header) {
  auto file = directory.create(number);
  if (!file) return std::unexpected(file.error());
  SnapshotWriter writer(directory, number, std::move(*file));
  const auto bytes = encode(header);
  writer.seed_ = snapshot_seed(bytes);
  if (auto appended = writer.append(bytes); !appended) return std::unexpected(appended.error());
  return writer;
}

Result<void> SnapshotWriter::append(std::span<const std::byte> bytes) {
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  if (pending_.size() < kTransferBytes) return {};
  return flush();
}

Result<void> SnapshotWriter::flush() {
  for (std::span<const std::byte> rest = pending_; !rest.empty();) {
    const auto count = file_->write_at(written_, rest, WriteBarrier::none);
    if (!count || *count == 0) {
      const SystemError error = count ? SystemError{EIO} : count.error();
      return std::unexpected(system_failure("write snapshot", error, directory_->path_of(number_)));
    }
    written_ += *count;
    rest = rest.subspan(*count);
  }
  pending_.clear();
  return {};
}

Result<void> SnapshotWriter::add(const ContentsPart& part, Lsn position) {
  const PartHeader header{.bytes = part.bytes.size(),
                          .entries = part.entries,
                          .position = position,
                          .bytes_checksum = hash_bytes(part.bytes, seed_ + trailer_.parts)};
  trailer_.begin = trailer_.parts == 0 ? position : std::min(trailer_.begin, position);
  trailer_.end = std::max(trailer_.end, position);
  trailer_.entries += part.entries;
  if (auto appended = append(encode(header, seed_ + trailer_.parts)); !appended) return appended;
  ++trailer_.parts;
  return append(part.bytes);
}

Result<uint64_t> SnapshotWriter::publish(const RecordMark& last, uint64_t truncations) {
  trailer_.last = last;
  trailer_.truncations = truncations;
  auto done = append(encode(trailer_, seed_));
  if (done) done = flush();
  if (!done) return std::unexpected(done.error());
  // CRASH: until the rename below is durable the older snapshot counts, which is still there.
  if (auto synced = file_->sync_data(); !synced) {
    return std::unexpected(
        system_failure("sync snapshot", synced.error(), directory_->path_of(number_)));
  }
  if (done = directory_->publish(number_); !done) return std::unexpected(done.error());
  directory_->remove_all_but(number_);
  return written_;
}

Error SnapshotReader::damage(std::string_view cause) const {
  return make_error(ErrorCode::corruption, "read snapshot", cause, path_);
}

Result<void> SnapshotReader::load(uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const auto count = file_->read_at(offset, out.first(std::min(out.size(), kTransferBytes)));
    if (!count) return std::unexpected(system_failure("read snapshot", count.error(), path_));
    if (*count == 0) return std::unexpected(damage("it ends early"));
    offset += *count;
    out = out.subspan(*count);
  }
  return {};
}

Result<SnapshotReader> SnapshotReader::open(SnapshotDirectory& directory, uint64_t number) {
  auto file = directory.open(number);
  if (!file) return std::unexpected(file.error());
  SnapshotReader reader(std::move(*file), directory.path_of(number));
  auto info = reader.file_->info();
  if (!info) return std::unexpected(system_failure("stat snapshot", info.error(), reader.path_));
  reader.bytes_ = info->bytes;
  if (reader.bytes_ < kSnapshotHeaderBytes + kSnapshotTrailerBytes) {
    return std::unexpected(reader.damage("it is too short"));
  }
  std::array<std::byte, kSnapshotHeaderBytes> head;
  if (auto loaded = reader.load(0, head); !loaded) return std::unexpected(loaded.error());
  const auto header = decode_header(head);
  if (!header) return std::unexpected(reader.damage("its header does not verify"));
  reader.header_ = *header;
  reader.seed_ = snapshot_seed(head);
  std::array<std::byte, kSnapshotTrailerBytes> tail;
  auto loaded = reader.load(reader.bytes_ - tail.size(), tail);
  if (!loaded) return std::unexpected(loaded.error());
  const auto trailer = decode_trailer(tail, reader.seed_);
  if (!trailer) return std::unexpected(reader.damage("its trailer does not verify"));
  reader.trailer_ = *trailer;
  return reader;
}

Result<bool> SnapshotReader::next(PartHeader& part, std::vector<std::byte>& bytes) {
  const uint64_t end = bytes_ - kSnapshotTrailerBytes;
  if (parts_ == trailer_.parts) {
    if (offset_ != end) return std::unexpected(damage("it has bytes of no part"));
    return false;
  }
  if (end - offset_ < kPartHeaderBytes) return std::unexpected(damage("a part is missing"));
  std::array<std::byte, kPartHeaderBytes> head;
  if (auto loaded = load(offset_, head); !loaded) return std::unexpected(loaded.error());
  offset_ += head.size();
  const auto header = decode_part(head, seed_ + parts_);
  if (!header || header->bytes > end - offset_) {
    return std::unexpected(damage("the header of a part does not verify"));
  }
  bytes.resize(header->bytes);
  if (auto loaded = load(offset_, bytes); !loaded) return std::unexpected(loaded.error());
  offset_ += bytes.size();
  if (hash_bytes(bytes, seed_ + parts_) != header->bytes_checksum) {
    return std::unexpected(damage("a part does not verify"));
  }
  part = *header;
  ++parts_;
  return true;
}

}  // namespace writeahead::index::internal
