// FileStore: segments and root as files of one directory.
//
// It owns the directory's handle, the lock, the root file and the control page. Names and blocks of
// a segment are durable before anybody may append to it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/block_file.h"
#include "root/control.h"
#include "root/root_file.h"
#include "segment/file_segment.h"
#include "segment/segment_store.h"
#include "writeahead/env.h"

namespace writeahead::internal {

/// How a FileStore treats what it creates.
struct FileStoreOptions {
  bool create_if_missing = true;
  uint32_t file_mode = 0600;
  SyncMethod sync_method = SyncMethod::automatic;
  /// As Options::frame_alignment: below kBlockBytes, sectors are written alone where they can be.
  uint32_t frame_alignment = 0;
  bool is_salvage =
      false;  ///< Begins a log in a directory that has to be empty. See end_salvage().
  bool is_stepped = false;  ///< No call starts a thread.
};

class FileStore final : public SegmentStore {
 public:
  /// Opens the directory for writing and takes the lock. `not_found` if there is no log and none is
  /// to be made; `locked` with the holder's name.
  [[nodiscard]] static Result<std::unique_ptr<FileStore>> open(Env& env, const std::string& path,
                                                               const FileStoreOptions& options);
  /// Opens the directory for reading; takes no lock and writes nothing.
  [[nodiscard]] static Result<std::unique_ptr<FileStore>> open_read_only(Env& env,
                                                                         const std::string& path);

  /// Removes the log in the directory: its own files, and the directory if that is empty then and
  /// may be removed. Works on a damaged log. `not_found`, `locked` as open().
  [[nodiscard]] static Result<void> destroy(Env& env, const std::string& path);

  /// Gives up what release() would have, for an opening that failed on its way.
  ~FileStore() override { FileStore::release(); }

  [[nodiscard]] const std::string& path() const override { return path_; }
  [[nodiscard]] std::string segment_path(uint64_t number) const override;
  [[nodiscard]] std::string segment_label(uint64_t number) const override;
  [[nodiscard]] Result<RootSlots> load_root() override;
  [[nodiscard]] Result<void> claim(const RootState& root) override;
  [[nodiscard]] Result<void> write_root(const RootState& root) override;
  [[nodiscard]] Result<std::vector<uint64_t>> list() override;
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> open(uint64_t number) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> open_shown(uint64_t number) override;
  [[nodiscard]] std::shared_ptr<MappedSegment> map(const MappedRange& range) override;
  [[nodiscard]] Result<uint64_t> read_head(uint64_t number, std::span<std::byte> block) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentWriter>> open_for_append(uint64_t number,
                                                                       uint64_t end) override;
  [[nodiscard]] Result<std::shared_ptr<SegmentWriter>> create(uint64_t number) override;
  [[nodiscard]] std::shared_ptr<SegmentWriter> recycle(uint64_t trimmed, uint64_t number,
                                                       uint64_t most_bytes) override;
  [[nodiscard]] Result<void> sync_names() override;
  void discard(uint64_t number) override;
  [[nodiscard]] Result<void> remove(std::span<const uint64_t> numbers) override;
  [[nodiscard]] Result<std::vector<uint64_t>> drop(std::span<const uint64_t> numbers) override;
  [[nodiscard]] Result<std::string> save_torn(uint64_t number, Lsn lsn, SegmentReader& segment,
                                              uint64_t begin, uint64_t end) override;
  void publish_durable(Lsn lsn) override;
  void show_newest(uint64_t number, uint64_t offset, std::span<const std::byte> bytes) override {
    control_writer_->show(number, offset, bytes);
  }
  uint64_t wake_followers() override { return control_writer_->wake_followers(); }
  void announce_truncation(uint64_t count) override;
  void announce(const RootState& root) override;
  [[nodiscard]] std::optional<ControlSigns> control_signs() override;
  [[nodiscard]] bool wait_for_change(uint64_t seen, std::chrono::nanoseconds timeout) override;
  void interrupt_waits() override;
  [[nodiscard]] std::optional<ControlState> read_control() override;
  [[nodiscard]] bool is_writing(const ControlState& state) override;
  [[nodiscard]] Result<bool> is_destroyed() override;
  void release() override;
  [[nodiscard]] SyncMethod sync_method() const override { return manner_->method; }
  [[nodiscard]] uint64_t write_unit() const override { return manner_->unit; }
  [[nodiscard]] uint64_t safe_alignment() const override;
  /// The salvage is complete: the root is durable. Until then nobody opens the log, even if it has
  /// no segment yet.
  void end_salvage();
  /// Another Env than the system's may be a simulation.
  [[nodiscard]] bool allows_threads() const override {
    return &env_ == &Env::posix() && !is_stepped_;
  }
  [[nodiscard]] bool reads_device() const override { return reads_device_; }

 private:
  FileStore(Env& env, std::string path, std::unique_ptr<Directory> directory);

  [[nodiscard]] Result<void> open_root(const FileStoreOptions& options);
  [[nodiscard]] Result<void> write_claim(const RootState& root);
  [[nodiscard]] Result<void> own_for_destruction();
  [[nodiscard]] Result<RootState> emptied_root(std::span<const uint64_t> numbers);
  [[nodiscard]] Result<void> remove_file(std::string_view name);
  [[nodiscard]] Result<void> remove_torn_copies();
  [[nodiscard]] Result<void> remove_all();
  [[nodiscard]] Result<void> begin_salvage();
  [[nodiscard]] Result<void> refuse_salvage();
  [[nodiscard]] Result<void> own_root(std::unique_ptr<RootFile> root);
  void choose_unit();
  [[nodiscard]] Result<void> open_control() WRITEAHEAD_EXCLUDES(control_mutex_);
  [[nodiscard]] std::optional<ShownSegment> shown(uint64_t number)
      WRITEAHEAD_EXCLUDES(control_mutex_);
  [[nodiscard]] Error locked_error();
  [[nodiscard]] Error gone_error() const;
  [[nodiscard]] SystemResult<void> hold_segment(File& file, std::string_view name);
  [[nodiscard]] Result<std::shared_ptr<FileSegment>> open_segment(uint64_t number, OpenFlags flags,
                                                                  uint64_t end);
  [[nodiscard]] Result<void> void_header(uint64_t number);

  Env& env_;
  const std::string path_;
  const std::unique_ptr<Directory> directory_;
  uint32_t file_mode_ = 0600;
  uint32_t frame_alignment_ = 0;
  const std::shared_ptr<WriteManner> manner_ = std::make_shared<WriteManner>();
  DeviceUnits units_;  // of the root's device; not asked for if frames are packed
  bool reads_device_ = false;
  bool is_owner_ = false;
  bool is_salvage_ = false;
  bool is_stepped_ = false;
  std::unique_ptr<RootFile> root_;  // null if there is none; an owner has one from claim() on
  std::optional<ControlWriter> control_writer_;
  Mutex control_mutex_;
  std::shared_ptr<ControlReader> control_reader_ WRITEAHEAD_GUARDED_BY(control_mutex_);
  std::atomic<ControlReader*> control_ = nullptr;  // the same, which stays once it is there
  Identifier log_id_ WRITEAHEAD_GUARDED_BY(control_mutex_){};  // of the root, when it was read
};

/// Permission bits of a directory whose files get `file_mode`: who may read may also search.
[[nodiscard]] uint32_t directory_mode(uint32_t file_mode);
/// The permission bit that no log's file and directory may have.
inline constexpr uint32_t kWritableByAll = 0002;

}  // namespace writeahead::internal
