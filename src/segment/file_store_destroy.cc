// Destroying a log: first it is emptied, as by a trim, then its files go, the root last.
// Whatever a crash leaves is a whole log, an empty one, or none.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "format/segment_name.h"
#include "segment/file_store.h"
#include "segment/torn_copy.h"

namespace writeahead::internal {

Result<void> FileStore::destroy(Env& env, const std::string& path) {
  auto directory = env.open_directory(path, false, 0);
  if (!directory) {
    const Error error = io_error("destroy log", directory.error(), {.path = path});
    if (directory.error().number != ENOENT) return std::unexpected(error);
    return std::unexpected(with_code(error, ErrorCode::not_found));
  }
  if (auto checked = RootFile::check_room(env, "destroy log", path); !checked) return checked;
  FileStore store(env, path, std::move(*directory));
  if (auto owned = store.own_for_destruction(); !owned) return owned;
  auto numbers = store.list();
  if (!numbers) return std::unexpected(numbers.error());
  auto root = store.emptied_root(*numbers);
  if (!root) return std::unexpected(root.error());
  // CRASH: the log is whole, or it is empty and its files are left over from a trim.
  if (auto emptied = store.write_claim(*root); !emptied) return emptied;
  for (const uint64_t number : *numbers) {
    if (auto removed = store.remove_file(segment_name(number)); !removed) return removed;
  }
  if (auto removed = store.remove_all(); !removed) return removed;
  // Best effort: it may be another's, or in use. A name that is gone is durable.
  const auto removed = env.remove_directory(path);
  if (!removed && removed.error().number == EIO) {
    return std::unexpected(io_error("remove directory", removed.error(), {.path = path}));
  }
  return {};
}

/// Takes the lock. A log that lost its root gets one for that.
Result<void> FileStore::own_for_destruction() {
  auto root = RootFile::open(*directory_, path_, true);
  if (!root) return std::unexpected(root.error());
  if (*root == nullptr) {
    auto numbers = list();
    if (!numbers) return std::unexpected(numbers.error());
    if (numbers->empty() && refuse_salvage()) {
      return std::unexpected(make_error(ErrorCode::not_found, "destroy log",
                                        "there is no log in the directory", {.path = path_}));
    }
    root = RootFile::create(*directory_, path_, file_mode_);
    if (!root) return std::unexpected(root.error());
    if (*root == nullptr) return std::unexpected(locked_error());
    if (auto synced = directory_->sync(); !synced) {
      return std::unexpected(io_error("sync directory", synced.error(), {.path = path_}));
    }
  }
  return own_root(std::move(*root));
}

/// The root of the same log without a record: every file that there is lies below its beginning.
Result<RootState> FileStore::emptied_root(std::span<const uint64_t> numbers) {
  auto slots = root_->load();
  if (!slots) return std::unexpected(slots.error());
  RootState root;
  if (slots->is_valid(0) || slots->is_valid(1)) {
    root = slots->slot[slots->newest()].root;
  } else if (auto filled = env_.random(root.log_id); !filled) {
    return std::unexpected(io_error("make log id", filled.error()));
  }
  for (const DecodedRootSlot& slot : slots->slot) {
    if (slot.state != HeaderState::unsupported) continue;
    return std::unexpected(make_error(ErrorCode::unsupported_format, "destroy log",
                                      "it needs a newer version of this library", {.path = path_}));
  }
  uint64_t highest = std::max({root.first.number, root.proven.number, root.truncation.number});
  for (const uint64_t number : numbers) {
    if (number < kMaxCounter) highest = std::max(highest, number);
  }
  // A bad slot may have held the epoch behind that of the good one.
  root.epoch = std::min(root.epoch + 2, kMaxCounter);
  root.is_clean = true;
  root.is_copying = false;
  root.first = {.number = std::min(highest + 1, kMaxCounter),
                .lsn = std::max(root.first.lsn, root.proven.lsn),
                .ordinal = root.first.ordinal};
  root.proven = {.number = root.first.number, .lsn = root.first.lsn};
  root.truncation = {};
  root.holds.clear();
  return root;
}

Result<void> FileStore::remove_file(std::string_view name) {
  const auto removed = directory_->remove(name);
  if (removed || removed.error().number == ENOENT) return {};
  const std::string path = join_path(path_, name);
  return std::unexpected(io_error("remove file", removed.error(), {.path = path}));
}

Result<void> FileStore::remove_torn_copies() {
  const std::string path = join_path(path_, kTornDirectoryName);
  const auto fail = [&](SystemError error) {
    return std::unexpected(io_error("remove torn copies", error, {.path = path}));
  };
  auto torn = directory_->open_directory(kTornDirectoryName, false, 0);
  if (!torn && torn.error().number == ENOENT) return {};
  if (!torn) return fail(torn.error());
  auto names = (*torn)->list();
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    if (!is_torn_copy_name(name)) continue;
    if (auto removed = (*torn)->remove(name); !removed) return fail(removed.error());
  }
  if (auto synced = (*torn)->sync(); !synced) return fail(synced.error());
  // Somebody else's files may be in it.
  const auto removed = directory_->remove_directory(kTornDirectoryName);
  const bool is_kept =
      !removed && (removed.error().number == ENOTEMPTY || removed.error().number == EEXIST);
  if (!removed && !is_kept) return fail(removed.error());
  return {};
}

/// What is left beside the segments. The root goes when nothing else can come back.
Result<void> FileStore::remove_all() {
  if (auto removed = remove_torn_copies(); !removed) return removed;
  if (auto removed = remove_file(kControlName); !removed) return removed;
  if (auto removed = remove_file(kSalvageName); !removed) return removed;
  const auto sync = [&]() -> Result<void> {
    if (auto synced = directory_->sync(); !synced) {
      return std::unexpected(io_error("sync directory", synced.error(), {.path = path_}));
    }
    return {};
  };
  // CRASH: any of these may be gone or not, and the log is empty.
  if (auto synced = sync(); !synced) return synced;
  if (auto removed = remove_file(kRootName); !removed) return removed;
  return sync();
}

}  // namespace writeahead::internal
