// Opening a log's directory, and the calls of the store on it but for those that open segments.
// Whatever is created is durable with its name before it is used.
#include "segment/file_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "format/segment_header.h"
#include "format/segment_name.h"
#include "segment/torn_copy.h"

namespace writeahead::internal {
namespace {

/// Whoever may make names in the directory may put files in the place of the log's.
Result<void> refuse_writable_by_all(Directory& directory, const std::string& path) {
  const auto is_open = directory.is_writable_by_all();
  if (!is_open) return std::unexpected(io_error("stat log", is_open.error(), {.path = path}));
  if (!*is_open) return {};
  return std::unexpected(make_error(ErrorCode::invalid_argument, "open log",
                                    "every user may write to the directory (chmod o-w)",
                                    {.path = path}));
}

}  // namespace

uint32_t directory_mode(uint32_t file_mode) { return file_mode | ((file_mode & 0444U) >> 2U); }

FileStore::FileStore(Env& env, std::string path, std::unique_ptr<Directory> directory)
    : env_(env), path_(std::move(path)), directory_(std::move(directory)) {}

Result<std::unique_ptr<FileStore>> FileStore::open(Env& env, const std::string& path,
                                                   const FileStoreOptions& options) {
  auto directory =
      env.open_directory(path, options.create_if_missing, directory_mode(options.file_mode));
  if (!directory) {
    const Error error = io_error("open log", directory.error(), {.path = path});
    const bool is_missing = directory.error().number == ENOENT && !options.create_if_missing;
    if (is_missing) return std::unexpected(with_code(error, ErrorCode::not_found));
    if (is_out_of_space(directory.error())) {
      return std::unexpected(with_code(error, ErrorCode::no_space));
    }
    return std::unexpected(error);
  }
  if (auto refused = refuse_writable_by_all(**directory, path); !refused) {
    return std::unexpected(refused.error());
  }
  if (auto checked = RootFile::check_room(env, "open log", path); !checked) {
    return std::unexpected(checked.error());
  }
  std::unique_ptr<FileStore> store(new FileStore(env, path, std::move(*directory)));
  store->file_mode_ = options.file_mode;
  store->manner_->method = options.sync_method;
  store->frame_alignment_ = options.frame_alignment;
  store->is_stepped_ = options.is_stepped;
  if (options.is_salvage) {
    if (auto begun = store->begin_salvage(); !begun) return std::unexpected(begun.error());
  }
  if (auto opened = store->open_root(options); !opened) return std::unexpected(opened.error());
  return store;
}

Result<void> FileStore::open_root(const FileStoreOptions& options) {
  auto root = RootFile::open(*directory_, path_, true);
  if (!root) return std::unexpected(root.error());
  if (*root == nullptr) {
    if (auto refused = refuse_salvage(); !refused) return refused;
    auto numbers = list();
    if (!numbers) return std::unexpected(numbers.error());
    if (numbers->empty() && !options.create_if_missing) {
      return std::unexpected(make_error(ErrorCode::not_found, "open log",
                                        "there is no log in the directory", {.path = path_}));
    }
    // Beside segments a missing root is damage, most likely, and then nothing must be changed: the
    // root is created once that is judged, by claim().
    if (!numbers->empty()) return {};
    root = RootFile::create(*directory_, path_, options.file_mode);
    // The directory itself may have gone meanwhile, with the log that was destroyed there.
    if (!root && root.error().system_error() == ENOENT) return std::unexpected(gone_error());
    // Somebody else may have created it in between.
    if (root && *root == nullptr) root = RootFile::open(*directory_, path_, true);
    if (!root) return std::unexpected(root.error());
    if (*root == nullptr) return std::unexpected(locked_error());
  }
  return own_root(std::move(*root));
}

Result<void> FileStore::own_root(std::unique_ptr<RootFile> root) {
  root_ = std::move(root);
  reads_device_ = root_->reads_device();
  auto locked = root_->lock();
  if (!locked) return std::unexpected(locked.error());
  if (!*locked) return std::unexpected(locked_error());
  // Between the opening of the file and the lock its log may have been destroyed.
  auto has_name = root_->has_name();
  if (!has_name) return std::unexpected(has_name.error());
  if (*has_name) {
    is_owner_ = true;
    choose_unit();
    return {};
  }
  root_.reset();
  return std::unexpected(gone_error());
}

Error FileStore::gone_error() const {
  return make_error(ErrorCode::locked, "open log", "it was destroyed meanwhile: try again",
                    {.path = path_});
}

Result<bool> FileStore::is_destroyed() {
  if (root_ == nullptr) return false;
  auto has_name = root_->has_name();
  return has_name ? Result<bool>(!*has_name) : has_name;
}

/// Sectors are written alone where frames have some of their own, and only past the page cache:
/// that would write its whole pages.
void FileStore::choose_unit() {
  if (frame_alignment_ == 0) return;
  units_ = root_->device_units();
  const SyncMethod method = manner_->method;
  const bool is_direct =
      reads_device_ && (method == SyncMethod::automatic || method == SyncMethod::direct_dsync);
  const bool fits = is_direct && units_.direct_bytes <= frame_alignment_;
  manner_->unit = fits ? std::min<uint64_t>(frame_alignment_, kBlockBytes) : kBlockBytes;
}

uint64_t FileStore::safe_alignment() const {
  const uint64_t physical = units_.physical_bytes != 0 ? units_.physical_bytes : kBlockBytes;
  return std::max(manner_->unit, physical);
}

Result<std::unique_ptr<FileStore>> FileStore::open_read_only(Env& env, const std::string& path) {
  auto directory = env.open_directory(path, false, 0);
  if (!directory) {
    const Error error = io_error("open log", directory.error(), {.path = path});
    if (directory.error().number != ENOENT) return std::unexpected(error);
    return std::unexpected(with_code(error, ErrorCode::not_found));
  }
  std::unique_ptr<FileStore> store(new FileStore(env, path, std::move(*directory)));
  auto root = RootFile::open(*store->directory_, path, false);
  if (!root) return std::unexpected(root.error());
  if (*root == nullptr) {
    if (auto refused = store->refuse_salvage(); !refused) return std::unexpected(refused.error());
    auto numbers = store->list();
    if (!numbers) return std::unexpected(numbers.error());
    if (numbers->empty()) {
      return std::unexpected(make_error(ErrorCode::not_found, "open log",
                                        "there is no log in the directory", {.path = path}));
    }
  }
  store->root_ = std::move(*root);
  store->reads_device_ = store->root_ != nullptr && store->root_->reads_device();
  if (auto control = store->open_control(); !control) return std::unexpected(control.error());
  return store;
}

Error FileStore::locked_error() {
  auto reader = ControlReader::open(*directory_, path_);
  std::optional<ControlState> holder;
  if (reader && *reader != nullptr) holder = (*reader)->read();
  if (!holder || holder->boot_id != env_.boot_id()) {
    return make_error(ErrorCode::locked, "open log", "another writer has it", {.path = path_});
  }
  const uint64_t id = holder->writer.id;
  std::string cause;
  if (id == env_.process_id()) {
    cause = "this process has it open already";
  } else if (env_.is_alive(holder->writer)) {
    cause = fmt::format("process {} has it open", id);
  } else {
    // The lock outlives its taker in a child that was forked while the log was open; and an owner
    // that is still recovering has not put its name there.
    cause = fmt::format(
        "process {} had it open and has ended: a child that it forked holds the "
        "lock, or a new writer is opening the log",
        id);
  }
  return make_error(ErrorCode::locked, "open log", cause, {.path = path_});
}

Result<RootSlots> FileStore::load_root() {
  auto slots = root_ == nullptr ? Result<RootSlots>(RootSlots{}) : root_->load();
  if (!slots) return slots;
  if (!slots->is_valid(0) && !slots->is_valid(1)) {
    if (auto refused = refuse_salvage(); !refused) return std::unexpected(refused.error());
    return slots;
  }
  MutexLock lock(control_mutex_);
  log_id_ = slots->slot[slots->newest()].root.log_id;
  return slots;
}

/// Both slots; the first write shows whether the file system takes the method.
Result<void> FileStore::write_claim(const RootState& root) {
  SyncMethod& method = manner_->method;
  const bool is_automatic = method == SyncMethod::automatic;
  if (is_automatic) {
    method = root_->reads_device() ? SyncMethod::direct_dsync : SyncMethod::dsync;
  }
  auto written = root_->write_one(root, method);
  while (!written && is_refused(SystemError{written.error().system_error()})) {
    if (!is_automatic)
      return std::unexpected(with_code(written.error(), ErrorCode::invalid_argument));
    if (method == SyncMethod::fdatasync) break;
    method = method == SyncMethod::direct_dsync ? SyncMethod::dsync : SyncMethod::fdatasync;
    written = root_->write_one(root, method);
  }
  if (written) written = root_->write_one(root, method);
  if (!written) {
    const bool is_full = is_out_of_space(SystemError{written.error().system_error()});
    return std::unexpected(is_full ? with_code(written.error(), ErrorCode::no_space)
                                   : written.error());
  }
  if (method != SyncMethod::direct_dsync) manner_->unit = kBlockBytes;
  return {};
}

Result<void> FileStore::claim(const RootState& root) {
  if (root_ == nullptr) {
    auto created = RootFile::create(*directory_, path_, file_mode_);
    if (!created) return std::unexpected(created.error());
    // Whoever created it in between may have a log there by now.
    if (*created == nullptr) return std::unexpected(locked_error());
    if (auto owned = own_root(std::move(*created)); !owned) return owned;
  }
  // What may need space comes first: want of it leaves the root as it was.
  auto control = ControlWriter::open(*directory_, path_, file_mode_);
  if (!control) return std::unexpected(control.error());
  // The name of the root, and of the directory itself, are durable before any segment takes data.
  if (auto synced = directory_->sync(); !synced) {
    return std::unexpected(io_error("sync directory", synced.error(), {.path = path_}));
  }
  if (auto synced = env_.sync_parent(path_); !synced) {
    return std::unexpected(io_error("sync parent directory", synced.error(), {.path = path_}));
  }
  if (auto written = write_claim(root); !written) return written;
  control_writer_.emplace(std::move(*control));
  announce(root);
  return {};
}

Result<void> FileStore::write_root(const RootState& root) {
  return root_->write_both(root, manner_->method);
}

Result<std::vector<uint64_t>> FileStore::list() {
  auto names = directory_->list();
  if (!names) return std::unexpected(io_error("list log", names.error(), {.path = path_}));
  std::vector<uint64_t> numbers;
  for (const std::string& name : *names) {
    if (auto number = parse_segment_name(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

Result<std::shared_ptr<SegmentWriter>> FileStore::open_for_append(uint64_t number, uint64_t end) {
  auto segment = open_segment(number, {.write = true, .random_access = true}, end);
  if (!segment) return std::unexpected(segment.error());
  if (auto loaded = (*segment)->load_tail(); !loaded) return std::unexpected(loaded.error());
  (*segment)->allow_cache_below(round_down(end, kBlockBytes));
  return *segment;
}

Result<std::shared_ptr<SegmentWriter>> FileStore::create(uint64_t number) {
  const std::string name = segment_name(number);
  const OpenFlags flags{.write = true, .create = true, .random_access = true, .mode = file_mode_};
  auto file = BlockFile::open(*directory_, name, flags);
  if (!file && file.error().number == EEXIST) {
    // Left behind by an attempt that failed and could not be undone. The owner asks only for
    // numbers above its last data segment, so there is no data in it.
    discard(number);
    file = BlockFile::open(*directory_, name, flags);
  }
  const auto locked = file ? (*file)->file().lock(LockKind::shared) : std::unexpected(file.error());
  std::string path = join_path(path_, name);
  if (!locked) {
    discard(number);  // The name may be there, if only the second descriptor was refused.
    return std::unexpected(shortage_error("create segment", locked.error(), {.path = path}));
  }
  return std::make_shared<FileSegment>(std::move(*file), std::move(path), FileInfo{}, manner_,
                                       kSegmentHeaderBytes);
}

Result<void> FileStore::sync_names() {
  if (auto synced = directory_->sync(); !synced) {
    return std::unexpected(shortage_error("sync directory", synced.error(), {.path = path_}));
  }
  return {};
}

Result<std::string> FileStore::save_torn(uint64_t number, Lsn lsn, SegmentReader& segment,
                                         uint64_t begin, uint64_t end) {
  return copy_torn_bytes(*directory_, path_, file_mode_, number, lsn, segment, begin, end);
}

void FileStore::release() {
  // Once: a reader may keep the store for long, and the page is the next owner's when the lock was
  // given back.
  if (control_writer_ && root_ != nullptr) control_writer_->withdraw();
  root_.reset();
}

}  // namespace writeahead::internal
