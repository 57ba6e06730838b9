// Every call goes on to the Env below, behind the hook.
#include "support/hooked_env.h"

#include <string>
#include <utility>

namespace writeahead::testing {
namespace {

class HookedFile final : public File {
 public:
  HookedFile(std::unique_ptr<File> file, std::string_view name, const EnvHook& hook)
      : file_(std::move(file)), name_(name), hook_(hook) {}

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    return file_->read_at(offset, out);
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    const bool is_durable = barrier == WriteBarrier::dsync;
    hook_(is_durable ? CallKind::dsync_write : CallKind::write, name_);
    return file_->write_at(offset, data, barrier);
  }
  SystemResult<void> sync_data() override {
    hook_(CallKind::sync, name_);
    return file_->sync_data();
  }
  SystemResult<FileInfo> info() override { return file_->info(); }
  SystemResult<void> lock(LockKind kind) override { return file_->lock(kind); }
  void unlock() override { file_->unlock(); }
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    return file_->map(options);
  }

 private:
  const std::unique_ptr<File> file_;
  const std::string name_;
  const EnvHook& hook_;
};

class HookedDirectory final : public Directory {
 public:
  HookedDirectory(std::unique_ptr<Directory> directory, const EnvHook& hook)
      : directory_(std::move(directory)), hook_(hook) {}

  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override {
    auto file = directory_->open(name, flags);
    if (!file) return file;
    return std::make_unique<HookedFile>(std::move(*file), name, hook_);
  }
  SystemResult<std::vector<std::string>> list() override {
    hook_(CallKind::list, {});
    return directory_->list();
  }
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
    return std::make_unique<HookedDirectory>(std::move(*directory), hook_);
  }
  SystemResult<void> sync() override { return directory_->sync(); }

 private:
  const std::unique_ptr<Directory> directory_;
  const EnvHook& hook_;
};

class HookedEnv final : public Env {
 public:
  HookedEnv(Env& env, EnvHook hook) : env_(env), hook_(std::move(hook)) {}

  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override {
    auto directory = env_.open_directory(path, create, mode);
    if (!directory) return directory;
    return std::make_unique<HookedDirectory>(std::move(*directory), hook_);
  }
  SystemResult<void> sync_parent(const std::string& path) override {
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
  const EnvHook hook_;
};

}  // namespace

std::unique_ptr<Env> make_hooked_env(Env& env, EnvHook hook) {
  return std::make_unique<HookedEnv>(env, std::move(hook));
}

}  // namespace writeahead::testing
