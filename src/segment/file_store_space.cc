// Segment files on their way out, or to another use: standbys that are given up, what recovery
// removes, what was trimmed. Nothing here decides: whoever calls knows that the file is no part of
// the log.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "base/zeros.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "segment/file_store.h"

namespace writeahead::internal {
namespace {

/// Zeros for a header; on the device after sync().
SystemResult<void> write_zero_header(BlockFile& file) {
  return file.write_blocks(0, zeros(kSegmentHeaderBytes));
}

/// Whether the file may be recycled: no other name leads to it, and it is neither too long nor
/// without a header.
bool is_recyclable(const SystemResult<FileInfo>& info, uint64_t most_bytes) {
  return info && info->is_regular && info->is_owned && info->links == 1 &&
         info->bytes >= kSegmentHeaderBytes && info->bytes <= most_bytes &&
         info->bytes % kBlockBytes == 0;
}

}  // namespace

void FileStore::discard(uint64_t number) {
  // Best effort: a file that stays behind, or whose name comes back, is a standby, and goes at the
  // next opening. So nothing is synced: the system may report an error of this directory once, and
  // here it would be lost to those whose names are not durable yet.
  const auto removed = directory_->remove(segment_name(number));
  static_cast<void>(removed);
}

/// Makes sure that a segment holds no data even if its name comes back: a first write that failed
/// may reach the medium at any later time, and so may a name whose removal was not synced. A file
/// with a second name is a backup, too, and one of another owner none of ours: it stays as it is,
/// and for its name alone the sync has to do.
Result<void> FileStore::void_header(uint64_t number) {
  const std::string name = segment_name(number);
  SystemResult<void> done{};
  auto file = BlockFile::open(*directory_, name, {.write = true, .random_access = true});
  auto info = file ? (*file)->info() : std::unexpected(file.error());
  const bool is_ours = info && info->is_regular && info->is_owned && info->links == 1;
  if (is_ours && info->bytes >= kSegmentHeaderBytes) {
    done = write_zero_header(**file);
    if (done) done = (*file)->sync();
  }
  if (!info) done = std::unexpected(info.error());
  // A header goes only into blocks that were made before: where there are none, there is no header.
  if (done || is_out_of_space(done.error())) return {};
  return std::unexpected(
      io_error("remove segment", done.error(), {.path = join_path(path_, name)}));
}

Result<void> FileStore::remove(std::span<const uint64_t> numbers) {
  for (const uint64_t number : numbers) {
    const std::string name = segment_name(number);
    if (auto voided = void_header(number); !voided) return voided;
    if (auto removed = directory_->remove(name); !removed) {
      return std::unexpected(
          io_error("remove segment", removed.error(), {.path = join_path(path_, name)}));
    }
  }
  if (numbers.empty()) return {};
  if (auto synced = directory_->sync(); !synced) {
    return std::unexpected(io_error("sync directory", synced.error(), {.path = path_}));
  }
  return {};
}

Result<std::vector<uint64_t>> FileStore::drop(std::span<const uint64_t> numbers) {
  std::vector<uint64_t> kept;
  kept.reserve(numbers.size());
  for (const uint64_t number : numbers) {
    // CRASH: any of them may be gone or not; an opening drops those that are left.
    const auto removed = directory_->remove(segment_name(number));
    if (!removed && removed.error().number != ENOENT) kept.push_back(number);
  }
  if (kept.size() == numbers.size()) return kept;
  // The system may report an error of this directory once: nobody may be told of it in our place.
  if (auto synced = directory_->sync(); !synced) {
    return std::unexpected(io_error("sync directory", synced.error(), {.path = path_}));
  }
  return kept;
}

/// The exclusive lock is what readers, mappings and forked children are asked with: it is granted
/// only if none of them has the file open. Who opens it afterwards finds a header that is not the
/// one that was looked for. No lock keeps a hard link out, but a name that is gone does: that the
/// file has no other is asked behind the renaming.
std::shared_ptr<SegmentWriter> FileStore::recycle(uint64_t trimmed, uint64_t number,
                                                  uint64_t most_bytes) {
  const std::string from = segment_name(trimmed);
  const std::string to = segment_name(number);
  auto file = BlockFile::open(*directory_, from, {.write = true, .random_access = true});
  if (!file || !(*file)->file().lock(LockKind::exclusive)) return nullptr;
  if (!is_recyclable((*file)->info(), most_bytes)) return nullptr;
  // CRASH: under its old number it is left over from the trim, whatever its header says. Under its
  // new one it is a standby, with a header of zeros, of a trimmed segment, or torn between both:
  // frames of the old number do not verify for the new one.
  auto renamed = directory_->rename_no_replace(from, to);
  if (!renamed && renamed.error().number == EEXIST) {
    discard(number);  // As in create().
    renamed = directory_->rename_no_replace(from, to);
  }
  if (!renamed) return nullptr;
  const auto info = (*file)->info();
  // A shared lock in place of the exclusive one, in the end.
  if (!is_recyclable(info, most_bytes) || !write_zero_header(**file) ||
      !(*file)->file().lock(LockKind::shared)) {
    discard(number);
    return nullptr;
  }
  auto segment = std::make_shared<FileSegment>(std::move(*file), join_path(path_, to), *info,
                                               manner_, kSegmentHeaderBytes);
  segment->set_recycled();
  return segment;
}

}  // namespace writeahead::internal
