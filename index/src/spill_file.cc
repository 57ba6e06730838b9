// Reading and writing whole runs of bytes.
#include "spill_file.h"

#include <fmt/format.h>

#include <cerrno>

#include "index_error.h"
#include "writeahead/index/id_codec.h"

namespace writeahead::index::internal {

Result<std::unique_ptr<SpillFile>> SpillFile::create(Env& env, const std::string& directory_path,
                                                     const std::string& name) {
  const std::string file_name = name + ".spill";
  const std::string path = directory_path + "/" + file_name;
  auto directory = env.open_directory(directory_path, false, 0);
  if (!directory) {
    return std::unexpected(system_failure("spill index", directory.error(), directory_path));
  }
  const OpenFlags flags{.write = true, .create = true};
  auto file = (*directory)->open(file_name, flags);
  if (!file && file.error().number == EEXIST && (*directory)->remove(file_name)) {
    file = (*directory)->open(file_name, flags);
  }
  if (!file) return std::unexpected(system_failure("spill index", file.error(), path));
  return std::unique_ptr<SpillFile>(new SpillFile(std::move(*file), path));
}

/// Under a name that nobody else has or guesses, for a moment. CRASH: in that moment it leaves an
/// empty file behind.
Result<std::unique_ptr<SpillFile>> SpillFile::create_unnamed(Env& env,
                                                             const std::string& directory_path) {
  uint64_t number = 0;
  if (auto filled = env.random(std::as_writable_bytes(std::span(&number, 1))); !filled) {
    return std::unexpected(system_failure("spill index", filled.error(), directory_path));
  }
  const std::string name = fmt::format("writeahead-{:016x}", number);
  auto spill = create(env, directory_path, name);
  if (!spill) return spill;
  auto directory = env.open_directory(directory_path, false, 0);
  const auto removed =
      directory ? (*directory)->remove(name + ".spill") : std::unexpected(directory.error());
  if (removed) return spill;
  return std::unexpected(system_failure("spill index", removed.error(), (*spill)->path_));
}

Result<SpilledBytes> SpillFile::append(std::span<const std::byte> bytes) {
  const SpilledBytes where{.offset = end_,
                           .checksum = hash_bytes(bytes, end_),
                           .bytes = static_cast<uint32_t>(bytes.size())};
  uint64_t at = end_;
  while (!bytes.empty()) {
    const auto count = file_->write_at(at, bytes, WriteBarrier::none);
    if (!count || *count == 0) {
      const SystemError error = count ? SystemError{EIO} : count.error();
      return std::unexpected(system_failure("write spilled index", error, path_));
    }
    at += *count;
    bytes = bytes.subspan(*count);
  }
  end_ = at;
  return where;
}

Result<void> SpillFile::read(const SpilledBytes& where, std::vector<std::byte>& out) const {
  out.resize(where.bytes);
  for (std::span<std::byte> rest = out; !rest.empty();) {
    const auto count = file_->read_at(where.offset + where.bytes - rest.size(), rest);
    if (!count) return std::unexpected(system_failure("read spilled index", count.error(), path_));
    if (*count == 0) break;
    rest = rest.subspan(*count);
  }
  if (hash_bytes(out, where.offset) == where.checksum) return {};
  return std::unexpected(
      make_error(ErrorCode::corruption, "read spilled index", "it is not what was written", path_));
}

}  // namespace writeahead::index::internal
