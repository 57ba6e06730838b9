// Names, and the order in which they become durable.
#include "snapshot_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <optional>
#include <utility>

#include "index_error.h"
#include "writeahead/object_store.h"

namespace writeahead::index::internal {
namespace {

constexpr std::string_view kDirectoryName = "index";
constexpr std::string_view kSnapshot = ".snapshot";
constexpr std::string_view kNew = ".new";
constexpr size_t kMostNameBytes = 48;
constexpr size_t kDigits = 20;

/// The number in `file`, if it is called `name`-<20 digits>`extension`.
std::optional<uint64_t> number_in(std::string_view file, std::string_view name,
                                  std::string_view extension) {
  if (file.size() != name.size() + 1 + kDigits + extension.size()) return std::nullopt;
  if (!file.starts_with(name) || file[name.size()] != '-' || !file.ends_with(extension)) {
    return std::nullopt;
  }
  const std::string_view digits = file.substr(name.size() + 1, kDigits);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || end != digits.end()) return std::nullopt;
  return number;
}

/// In the log's directory, which not everybody may write to.
Result<std::unique_ptr<Directory>> open_beside(Env& env, const std::string& log_path) {
  auto parent = env.open_directory(log_path, false, 0);
  if (!parent) return std::unexpected(system_failure("open index", parent.error(), log_path));
  auto directory = (*parent)->open_directory(kDirectoryName, false, 0);
  if (!directory && directory.error().number == ENOENT) {
    directory = (*parent)->open_directory(kDirectoryName, true, 0700);
    // CRASH: without its name the directory takes its snapshots along, which costs a rebuild.
    const auto synced = directory ? (*parent)->sync() : SystemResult<void>();
    if (!synced) {
      return std::unexpected(system_failure("sync log directory", synced.error(), log_path));
    }
  }
  if (directory) return std::move(*directory);
  return std::unexpected(system_failure("open index", directory.error(), cache_path(log_path, {})));
}

/// A snapshot is believed if it fits the log: nobody else may put one there.
Result<std::unique_ptr<Directory>> open_chosen(Env& env, const std::string& path) {
  if (is_object_address(path)) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "open index",
                                      "a cache_directory is a directory, and no address", path));
  }
  auto directory = env.open_directory(path, true, 0700);
  if (!directory) return std::unexpected(system_failure("open index", directory.error(), path));
  const auto is_open = (*directory)->is_writable_by_all();
  if (!is_open) return std::unexpected(system_failure("stat index", is_open.error(), path));
  if (*is_open) {
    return std::unexpected(make_error(ErrorCode::invalid_argument, "open index",
                                      "every user may write to the directory (chmod o-w)", path));
  }
  // CRASH: as above.
  if (auto synced = env.sync_parent(path); !synced) {
    return std::unexpected(system_failure("sync index directory", synced.error(), path));
  }
  return std::move(*directory);
}

}  // namespace

SnapshotDirectory::SnapshotDirectory(std::unique_ptr<Directory> directory, std::string path,
                                     std::string name)
    : directory_(std::move(directory)), path_(std::move(path)), name_(std::move(name)) {}

std::string cache_path(const std::string& log_path, const std::string& chosen) {
  if (!chosen.empty()) return chosen;
  if (is_object_address(log_path)) return {};
  return fmt::format("{}/{}", log_path, kDirectoryName);
}

Result<void> check_index_name(const std::string& name, const std::string& log_path) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const bool is_name = !name.empty() && name.size() <= kMostNameBytes &&
                       name.find_first_not_of(kAllowed) == std::string_view::npos;
  if (is_name) return {};
  return std::unexpected(
      make_error(ErrorCode::invalid_argument, "open index",
                 fmt::format("its name '{}' is not of 1 to {} characters of [A-Za-z0-9_-]", name,
                             kMostNameBytes),
                 log_path));
}

Result<std::unique_ptr<SnapshotDirectory>> SnapshotDirectory::open(Env& env,
                                                                   const std::string& log_path,
                                                                   const std::string& chosen,
                                                                   const std::string& name) {
  const std::string path = cache_path(log_path, chosen);
  auto directory = chosen.empty() ? open_beside(env, log_path) : open_chosen(env, path);
  if (!directory) return std::unexpected(directory.error());
  std::unique_ptr<SnapshotDirectory> made(new SnapshotDirectory(std::move(*directory), path, name));
  if (auto locked = made->lock(); !locked) return std::unexpected(locked.error());
  return made;
}

Result<void> SnapshotDirectory::lock() {
  const std::string file_name = name_ + ".lock";
  const std::string path = fmt::format("{}/{}", path_, file_name);
  auto file = directory_->open(file_name, {.write = true});
  if (!file && file.error().number == ENOENT) {
    file = directory_->open(file_name, {.write = true, .create = true});
  }
  if (!file) return std::unexpected(system_failure("open index", file.error(), path));
  if (auto locked = (*file)->lock(LockKind::exclusive); !locked) {
    if (locked.error().number != EWOULDBLOCK) {
      return std::unexpected(system_failure("lock index", locked.error(), path));
    }
    return std::unexpected(make_error(ErrorCode::locked, "open index", "it is open already", path));
  }
  lock_ = std::move(*file);
  return {};
}

std::string SnapshotDirectory::file_name(uint64_t number, std::string_view extension) const {
  return fmt::format("{}-{:020}{}", name_, number, extension);
}

std::string SnapshotDirectory::path_of(uint64_t number) const {
  return fmt::format("{}/{}", path_, file_name(number, kSnapshot));
}

Result<std::vector<uint64_t>> SnapshotDirectory::list() {
  auto names = directory_->list();
  if (!names) return std::unexpected(system_failure("list index", names.error(), path_));
  std::vector<uint64_t> numbers;
  for (const std::string& name : *names) {
    if (const auto number = number_in(name, name_, kSnapshot)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers, std::ranges::greater{});
  return numbers;
}

Result<std::unique_ptr<File>> SnapshotDirectory::open(uint64_t number) {
  auto file = directory_->open(file_name(number, kSnapshot), {});
  if (!file) {
    return std::unexpected(system_failure("open snapshot", file.error(), path_of(number)));
  }
  return std::move(*file);
}

Result<std::unique_ptr<File>> SnapshotDirectory::create(uint64_t number) {
  const std::string name = file_name(number, kNew);
  const OpenFlags flags{.write = true, .create = true};
  auto file = directory_->open(name, flags);
  if (!file && file.error().number == EEXIST && directory_->remove(name)) {
    file = directory_->open(name, flags);
  }
  if (file) return std::move(*file);
  return std::unexpected(system_failure("create snapshot", file.error(), path_of(number)));
}

void SnapshotDirectory::discard(uint64_t number) {
  // One that cannot be removed now is tried again behind the next snapshot.
  [[maybe_unused]] const auto removed = directory_->remove(file_name(number, kNew));
}

Result<void> SnapshotDirectory::publish(uint64_t number) {
  auto done = directory_->rename_no_replace(file_name(number, kNew), file_name(number, kSnapshot));
  // CRASH: the file is whole, under this name or the other.
  if (done) done = directory_->sync();
  if (!done) {
    return std::unexpected(system_failure("publish snapshot", done.error(), path_of(number)));
  }
  return {};
}

void SnapshotDirectory::remove_all_but(uint64_t number) {
  const auto names = directory_->list();
  if (!names) return;
  for (const std::string& name : *names) {
    const auto whole = number_in(name, name_, kSnapshot);
    const bool is_old = whole && *whole != number;
    if (is_old || number_in(name, name_, kNew)) {
      // One that cannot be removed now is tried again behind the next snapshot.
      [[maybe_unused]] const auto removed = directory_->remove(name);
    }
  }
}

}  // namespace writeahead::index::internal
