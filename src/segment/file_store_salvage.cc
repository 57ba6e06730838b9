// The mark of a salvage in its directory: without it, one that was interrupted before it had a
// segment would open as a new log without records.
#include <cerrno>

#include "base/error.h"
#include "format/segment_name.h"
#include "segment/file_store.h"

namespace writeahead::internal {

/// Only an empty directory is taken, and nothing else is made before the mark is durable.
Result<void> FileStore::begin_salvage() {
  is_salvage_ = true;
  auto names = directory_->list();
  if (!names) return std::unexpected(io_error("list log", names.error(), {.path = path_}));
  if (!names->empty()) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "salvage log",
                                      "the directory is not empty", {.path = path_}));
  }
  auto marked = directory_->open(kSalvageName, {.write = true, .create = true, .mode = file_mode_});
  SystemResult<void> done{};
  if (!marked) done = std::unexpected(marked.error());
  if (done) done = directory_->sync();
  if (done) done = env_.sync_parent(path_);
  if (!done) return std::unexpected(shortage_error("salvage log", done.error(), {.path = path_}));
  return {};
}

/// Asked where there is no valid root.
Result<void> FileStore::refuse_salvage() {
  if (is_salvage_) return {};
  auto mark = directory_->open(kSalvageName, {});
  if (!mark && mark.error().number == ENOENT) return {};
  if (!mark) return std::unexpected(io_error("open log", mark.error(), {.path = path_}));
  return std::unexpected(make_error(
      ErrorCode::corruption, "open log",
      "a salvage that made it did not finish: remove it and salvage again", {.path = path_}));
}

void FileStore::end_salvage() {
  // Best effort: beside a valid root the mark says nothing.
  auto removed = directory_->remove(kSalvageName);
  if (removed) removed = directory_->sync();
  static_cast<void>(removed);
}

}  // namespace writeahead::internal
