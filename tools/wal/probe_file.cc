// Preparing and writing the file through the library's own door to the system, so that what is
// timed are the calls that a log makes.
#include "probe_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace wal {

using writeahead::Directory;
using writeahead::Env;
using writeahead::File;
using writeahead::kBlockBytes;
using writeahead::OpenFlags;
using writeahead::SyncMethod;
using writeahead::SystemError;
using writeahead::SystemResult;
using writeahead::WriteBarrier;

namespace {

constexpr uint64_t kBlocks = 256;
constexpr size_t kStepBytes = 64;
constexpr uint64_t kStepsInBlock = kBlockBytes / kStepBytes;

bool is_refusal(SystemError error) {
  return error.number == EINVAL || error.number == EOPNOTSUPP || error.number == ENOSYS;
}

SystemResult<void> write_all(File& file, uint64_t offset, std::span<const std::byte> data,
                             WriteBarrier barrier) {
  while (!data.empty()) {
    const auto written = file.write_at(offset, data, barrier);
    if (!written) {
      return std::unexpected(written.error());
    }
    offset += *written;
    data = data.subspan(*written);
  }
  return {};
}

}  // namespace

/// What is written; aligned, as writes past the page cache need it.
struct alignas(kBlockBytes) ProbeFile::Block {
  std::array<std::byte, kBlockBytes> bytes{};
};

namespace {

/// Creates the file, writes zeros over its whole length, and makes them durable.
SystemResult<std::unique_ptr<File>> prepare(Directory& directory, const std::string& name) {
  auto file = directory.open(name, OpenFlags{.write = true, .create = true});
  if (!file) {
    return file;
  }
  const std::array<std::byte, kBlockBytes> zeros{};
  for (uint64_t block = 0; block < kBlocks; ++block) {
    if (auto written = write_all(**file, block * kBlockBytes, zeros, WriteBarrier::none);
        !written) {
      return std::unexpected(written.error());
    }
  }
  if (auto synced = (*file)->sync_data(); !synced) {
    return std::unexpected(synced.error());
  }
  return file;
}

}  // namespace

Outcome<std::unique_ptr<ProbeFile>> ProbeFile::open(Env& env, Directory& directory,
                                                    const std::string& path, SyncMethod method) {
  const std::string name =
      fmt::format("probe-{}-{}.tmp", env.process_id(), writeahead::to_string(method));
  const std::string file_path = path + "/" + name;
  // An earlier process with this number may have died in the moment before the name was removed.
  [[maybe_unused]] const auto left_over = directory.remove(name);
  auto file = prepare(directory, name);
  if (!file) {
    [[maybe_unused]] const auto removed = directory.remove(name);
    return system_failure("prepare " + file_path, file.error().number);
  }
  if (method == SyncMethod::direct_dsync) {
    file = directory.open(name, OpenFlags{.write = true, .direct = true});
  }
  const auto removed = directory.remove(name);
  if (!removed) {
    return system_failure("remove " + file_path, removed.error().number);
  }
  if (!file) {
    if (is_refusal(file.error())) {
      return nullptr;
    }
    return system_failure("open " + file_path, file.error().number);
  }
  std::unique_ptr<ProbeFile> probe(new ProbeFile(env, std::move(*file), file_path, method));
  // The first write tells whether the file system takes the method's flags.
  if (const auto written = probe->write_block(0); !written) {
    if (is_refusal(written.error())) {
      return nullptr;
    }
    return system_failure("write " + file_path, written.error().number);
  }
  return probe;
}

ProbeFile::ProbeFile(Env& env, std::unique_ptr<File> file, std::string path, SyncMethod method)
    : env_(env),
      file_(std::move(file)),
      path_(std::move(path)),
      method_(method),
      block_(std::make_shared<Block>()) {}

Outcome<uint64_t> ProbeFile::write_next() {
  const uint64_t step = steps_ % kStepsInBlock;
  const uint64_t block = steps_ / kStepsInBlock % kBlocks;
  if (step == 0) {
    block_->bytes.fill(std::byte{0});
  }
  std::ranges::fill(std::span(block_->bytes).subspan(step * kStepBytes, kStepBytes),
                    static_cast<std::byte>(steps_ % 255 + 1));
  ++steps_;
  const uint64_t start = env_.monotonic_ns();
  const auto written = write_block(block * kBlockBytes);
  const uint64_t end = env_.monotonic_ns();
  if (!written) {
    return system_failure("write " + path_, written.error().number);
  }
  return end - start;
}

SystemResult<void> ProbeFile::write_block(uint64_t offset) {
  if (method_ == SyncMethod::fdatasync) {
    if (auto written = write_all(*file_, offset, block_->bytes, WriteBarrier::none); !written) {
      return written;
    }
    return file_->sync_data();
  }
  return write_all(*file_, offset, block_->bytes, WriteBarrier::dsync);
}

}  // namespace wal
