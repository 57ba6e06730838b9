// Every call goes on to the Env below, but for the lie.
#include "support/lying_env.h"

#include <utility>

namespace writeahead::testing {
namespace {

class LyingFile final : public File {
 public:
  LyingFile(std::unique_ptr<File> file, bool is_root, Lie lie)
      : file_(std::move(file)), is_root_(is_root), lie_(lie) {}

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    auto count = file_->read_at(offset, out);
    if (!count && lie_ == Lie::read_error_is_the_end) return size_t{0};
    return count;
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    const bool is_lost = is_root_ && lie_ == Lie::second_slot_is_lost && ++root_writes_ > 2;
    // The slots take turns: this leaves one of them as it was since the opening.
    if (is_lost && root_writes_ % 2 == 0) return data.size();
    if (lie_ == Lie::dsync_is_a_plain_write) barrier = WriteBarrier::none;
    auto count = file_->write_at(offset, data, barrier);
    if (!count && lie_ == Lie::failed_write_succeeds) return data.size();
    if (count && lie_ == Lie::short_write_was_complete) return data.size();
    return count;
  }
  SystemResult<void> sync_data() override {
    if (lie_ == Lie::file_sync_does_nothing) return {};
    auto synced = file_->sync_data();
    if (!synced && lie_ == Lie::failed_sync_succeeds) return {};
    return synced;
  }
  SystemResult<FileInfo> info() override { return file_->info(); }
  DeviceUnits device_units() override { return file_->device_units(); }
  SystemResult<void> lock(LockKind kind) override { return file_->lock(kind); }
  void unlock() override { file_->unlock(); }
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    return file_->map(options);
  }

 private:
  const std::unique_ptr<File> file_;
  const bool is_root_;
  const Lie lie_;
  uint64_t root_writes_ = 0;
};

class LyingDirectory final : public Directory {
 public:
  LyingDirectory(std::unique_ptr<Directory> directory, Lie lie)
      : directory_(std::move(directory)), lie_(lie) {}

  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override {
    auto file = directory_->open(name, flags);
    if (!file) return file;
    return std::make_unique<LyingFile>(std::move(*file), name == "log.root", lie_);
  }
  SystemResult<std::vector<std::string>> list() override { return directory_->list(); }
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    return directory_->rename_no_replace(from, to);
  }
  SystemResult<void> remove(std::string_view name) override { return directory_->remove(name); }
  SystemResult<void> remove_directory(std::string_view name) override {
    return directory_->remove_directory(name);
  }
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override {
    auto directory = directory_->open_directory(name, create, mode);
    if (!directory) return directory;
    return std::make_unique<LyingDirectory>(std::move(*directory), lie_);
  }
  SystemResult<void> sync() override {
    if (lie_ == Lie::names_sync_does_nothing) return {};
    return directory_->sync();
  }

 private:
  const std::unique_ptr<Directory> directory_;
  const Lie lie_;
};

class LyingEnv final : public Env {
 public:
  LyingEnv(Env& env, Lie lie) : env_(env), lie_(lie) {}

  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override {
    auto directory = env_.open_directory(path, create, mode);
    if (!directory) return directory;
    return std::make_unique<LyingDirectory>(std::move(*directory), lie_);
  }
  SystemResult<void> sync_parent(const std::string& path) override {
    if (lie_ == Lie::names_sync_does_nothing) return {};
    return env_.sync_parent(path);
  }
  SystemResult<void> remove_directory(const std::string& path) override {
    return env_.remove_directory(path);
  }
  uint64_t wall_clock_ns() override { return env_.wall_clock_ns(); }
  uint64_t monotonic_ns() override { return env_.monotonic_ns(); }
  SystemResult<void> random(std::span<std::byte> out) override { return env_.random(out); }
  uint64_t process_id() override { return env_.process_id(); }
  ProcessIdentity process() override { return env_.process(); }
  bool is_alive(ProcessIdentity process) override { return env_.is_alive(process); }
  Identifier boot_id() override { return env_.boot_id(); }

 private:
  Env& env_;
  const Lie lie_;
};

}  // namespace

std::unique_ptr<Env> make_lying_env(Env& env, Lie lie) {
  return std::make_unique<LyingEnv>(env, lie);
}

}  // namespace writeahead::testing
