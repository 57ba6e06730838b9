// Preparing and writing the file through the library's own door to the system, so that what is
// timed are the calls that a log makes.
#include "probe_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>
#include <utility>
#include <vector>

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

/// Aligned, as writes past the page cache need it, and zero.
std::byte* allocate_blocks(uint64_t bytes) {
  void* memory = ::operator new(bytes, std::align_val_t(kBlockBytes));
  std::memset(memory, 0, bytes);
  return static_cast<std::byte*>(memory);
}
void free_blocks(std::byte* memory) { ::operator delete(memory, std::align_val_t(kBlockBytes)); }

uint64_t round_up(uint64_t bytes) { return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes; }

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

/// Creates the file, writes zeros over its whole length, and makes them durable.
SystemResult<std::unique_ptr<File>> prepare(Directory& directory, const std::string& name,
                                            uint64_t bytes) {
  auto file = directory.open(name, OpenFlags{.write = true, .create = true});
  if (!file) {
    return file;
  }
  const std::vector<std::byte> zeros(std::min(bytes, uint64_t{1} << 20));
  for (uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
    const auto piece = std::span(zeros).first(std::min<uint64_t>(zeros.size(), bytes - offset));
    if (auto written = write_all(**file, offset, piece, WriteBarrier::none); !written) {
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
                                                    const std::string& path, SyncMethod method,
                                                    ProbeSize size) {
  const std::string name =
      fmt::format("probe-{}-{}.tmp", env.process_id(), writeahead::to_string(method));
  const std::string file_path = path + "/" + name;
  // An earlier process with this number may have died in the moment before the name was removed.
  [[maybe_unused]] const auto left_over = directory.remove(name);
  auto file = prepare(directory, name, size.file_bytes);
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
  std::unique_ptr<ProbeFile> probe(new ProbeFile(env, std::move(*file), file_path, method, size));
  // The first write tells whether the file system takes the method's flags.
  if (const auto written = probe->write_blocks(0, kBlockBytes); !written) {
    if (is_refusal(written.error())) {
      return nullptr;
    }
    return system_failure("write " + file_path, written.error().number);
  }
  return probe;
}

ProbeFile::ProbeFile(Env& env, std::unique_ptr<File> file, std::string path, SyncMethod method,
                     ProbeSize size)
    : env_(env),
      file_(std::move(file)),
      path_(std::move(path)),
      method_(method),
      size_(size),
      memory_(allocate_blocks(round_up(size.largest_append) + kBlockBytes), free_blocks) {}

Outcome<uint64_t> ProbeFile::append(uint64_t bytes) {
  bytes = std::min(bytes, size_.largest_append);
  if (round_up(end_ + bytes) > size_.file_bytes) {
    end_ = 0;
  }
  const uint64_t used = end_ % kBlockBytes;
  const uint64_t count = round_up(used + bytes);
  const std::span<std::byte> blocks(memory_.get(), count);
  std::memset(&blocks[used], static_cast<int>(++appends_ % 255 + 1), bytes);
  std::ranges::fill(blocks.subspan(used + bytes), std::byte{0});
  const uint64_t start = env_.monotonic_ns();
  const auto written = write_blocks(end_ - used, count);
  const uint64_t stop = env_.monotonic_ns();
  if (!written) {
    return system_failure("write " + path_, written.error().number);
  }
  end_ += bytes;
  if (end_ % kBlockBytes != 0 && count > kBlockBytes) {
    std::ranges::copy(blocks.last(kBlockBytes), blocks.begin());
  }
  return stop - start;
}

SystemResult<void> ProbeFile::write_blocks(uint64_t offset, uint64_t bytes) {
  const std::span<const std::byte> blocks(memory_.get(), bytes);
  if (method_ == SyncMethod::fdatasync) {
    if (auto written = write_all(*file_, offset, blocks, WriteBarrier::none); !written) {
      return written;
    }
    return file_->sync_data();
  }
  return write_all(*file_, offset, blocks, WriteBarrier::dsync);
}

}  // namespace wal
