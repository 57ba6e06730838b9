// PatientEnv: an Env whose calls always get their memory. A simulated machine is no part of what is
// tested, and must not stop half-way through a call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/refusing_allocator.h"
#include "support/forwarding_env.h"

namespace writeahead::testing {

/// Calls of a simulated system, for which nothing is refused.
template <class Call>
auto undisturbed(const Call& call) {
  const test::Arming disarmed(false);
  return call();
}

class PatientFile final : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) override {
    return undisturbed([&] { return ForwardingFile::read_at(offset, out); });
  }
  SystemResult<size_t> write_at(uint64_t offset, std::span<const std::byte> data,
                                WriteBarrier barrier) override {
    return undisturbed([&] { return ForwardingFile::write_at(offset, data, barrier); });
  }
  SystemResult<void> sync_data() override {
    return undisturbed([&] { return ForwardingFile::sync_data(); });
  }
  SystemResult<FileInfo> info() override {
    return undisturbed([&] { return ForwardingFile::info(); });
  }
  SystemResult<void> lock(LockKind kind) override {
    return undisturbed([&] { return ForwardingFile::lock(kind); });
  }
  void unlock() override {
    undisturbed([&] { ForwardingFile::unlock(); });
  }
  SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) override {
    return undisturbed([&] { return ForwardingFile::map(options); });
  }
};

class PatientDirectory final : public ForwardingDirectory {
 public:
  using ForwardingDirectory::ForwardingDirectory;
  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override {
    return undisturbed([&] { return ForwardingDirectory::open(name, flags); });
  }
  SystemResult<std::vector<std::string>> list() override {
    return undisturbed([&] { return ForwardingDirectory::list(); });
  }
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override {
    return undisturbed([&] { return ForwardingDirectory::rename_no_replace(from, to); });
  }
  SystemResult<void> remove(std::string_view name) override {
    return undisturbed([&] { return ForwardingDirectory::remove(name); });
  }
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override {
    return undisturbed([&] { return ForwardingDirectory::open_directory(name, create, mode); });
  }
  SystemResult<void> remove_directory(std::string_view name) override {
    return undisturbed([&] { return ForwardingDirectory::remove_directory(name); });
  }
  SystemResult<void> sync() override {
    return undisturbed([&] { return ForwardingDirectory::sync(); });
  }

 private:
  std::unique_ptr<File> wrap(std::unique_ptr<File> file, std::string_view) override {
    return std::make_unique<PatientFile>(std::move(file));
  }
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<PatientDirectory>(std::move(directory));
  }
};

class PatientEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  SystemResult<std::unique_ptr<Directory>> open_directory(const std::string& path, bool create,
                                                          uint32_t mode) override {
    return undisturbed([&] { return ForwardingEnv::open_directory(path, create, mode); });
  }
  SystemResult<void> sync_parent(const std::string& path) override {
    return undisturbed([&] { return ForwardingEnv::sync_parent(path); });
  }
  SystemResult<void> remove_directory(const std::string& path) override {
    return undisturbed([&] { return ForwardingEnv::remove_directory(path); });
  }

 private:
  std::unique_ptr<Directory> wrap(std::unique_ptr<Directory> directory) override {
    return std::make_unique<PatientDirectory>(std::move(directory));
  }
};

}  // namespace writeahead::testing
