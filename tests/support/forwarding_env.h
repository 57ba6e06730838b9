// ForwardingEnv: an Env all of whose calls go on to the one below. What tests put in between
// overrides the calls that it is about, and has its files and directories made by wrap().
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "writeahead/env.h"

namespace writeahead::testing {

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    return file_->read_at(offset, out);
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    return file_->write_at(offset, data, barrier);
  }
  SystemResult<void> sync_data() override { return file_->sync_data(); }
  SystemResult<FileInfo> info() override { return file_->info(); }
  DeviceUnits device_units() override { return file_->device_units(); }
  SystemResult<void> lock(LockKind kind) override { return file_->lock(kind); }
  void unlock() override { file_->unlock(); }
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    return file_->map(options);
  }

 private:
  const std::unique_ptr<File> file_;
};

class ForwardingDirectory : public Directory {
 public:
  explicit ForwardingDirectory(std::unique_ptr<Directory> directory)
      : directory_(std::move(directory)) {}

  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override;
  SystemResult<bool> is_writable_by_all() override { return directory_->is_writable_by_all(); }
  SystemResult<std::vector<std::string>> list() override { return directory_->list(); }
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    return directory_->rename_no_replace(from, to);
  }
  SystemResult<void> remove(std::string_view name) override { return directory_->remove(name); }
  SystemResult<void> remove_directory(std::string_view name) override {
    return directory_->remove_directory(name);
  }
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync() override { return directory_->sync(); }

 private:
  /// What stands in for a file, or a directory, that was opened in this one.
  virtual std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view name) = 0;
  virtual std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) = 0;

  const std::unique_ptr<Directory> directory_;
};

class ForwardingEnv : public Env {
 public:
  explicit ForwardingEnv(Env& env) : env_(env) {}

  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync_parent(const std::string& path) override {
    return env_.sync_parent(path);
  }
  SystemResult<void> remove_directory(const std::string& path) override {
    return env_.remove_directory(path);
  }
  uint64_t max_file_bytes() override { return env_.max_file_bytes(); }
  SystemResult<std::string> resolve(const std::string& path) override { return env_.resolve(path); }
  uint64_t wall_clock_ns() override { return env_.wall_clock_ns(); }
  uint64_t monotonic_ns() override { return env_.monotonic_ns(); }
  SystemResult<void> random(std::span<std::byte> out) override { return env_.random(out); }
  uint64_t process_id() override { return env_.process_id(); }
  ProcessIdentity process() override { return env_.process(); }
  bool is_alive(ProcessIdentity process) override { return env_.is_alive(process); }
  Identifier boot_id() override { return env_.boot_id(); }

 private:
  virtual std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) = 0;

  Env& env_;
};

}  // namespace writeahead::testing
