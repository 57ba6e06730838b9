// Writing a copy of torn bytes, and keeping their number bounded.
// A name that is taken is not used again, so that an older copy is not lost to a newer one.
#include "segment/torn_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "format/segment_name.h"
#include "segment/file_store.h"

namespace writeahead::internal {
namespace {

constexpr uint64_t kCopySliceBytes = 1ULL << 20;

Error torn_error(std::string_view action, SystemError error, const std::string& path) {
  const Error failure = io_error(action, error, {.path = path});
  return is_out_of_space(error) ? with_code(failure, ErrorCode::no_space) : failure;
}

/// Creates a file under a name that is not taken yet: "<number>-<lsn>", then with ".1", ".2", ...
SystemResult<std::pair<std::string, std::unique_ptr<File>>> create_copy(Directory& torn,
                                                                        uint32_t file_mode,
                                                                        const std::string& stem) {
  std::string name = stem;
  for (size_t attempt = 1;; ++attempt) {
    auto file = torn.open(name, {.write = true, .create = true, .mode = file_mode});
    if (file) return std::pair(std::move(name), std::move(*file));
    if (file.error().number != EEXIST || attempt > kMaxTornCopies) {
      return std::unexpected(file.error());
    }
    name = fmt::format("{}.{}", stem, attempt);
  }
}

SystemResult<void> remove_surplus(Directory& torn) {
  auto names = torn.list();
  if (!names) return std::unexpected(names.error());
  std::erase_if(*names, [](const std::string& name) { return !is_torn_copy_name(name); });
  std::ranges::sort(*names);
  for (size_t i = 0; i + kMaxTornCopies <= names->size(); ++i) {
    if (auto removed = torn.remove((*names)[i]); !removed) return removed;
  }
  return {};
}

}  // namespace

bool is_torn_copy_name(std::string_view name) {
  return name.size() > 21 && name[20] == '-' && name.find_first_not_of("0123456789") == 20;
}

Result<std::string> copy_torn_bytes(Directory& directory, const std::string& path,
                                    uint32_t file_mode, uint64_t number, Lsn lsn,
                                    SegmentReader& segment, uint64_t begin, uint64_t end) {
  const std::string torn_path = join_path(path, kTornDirectoryName);
  auto torn = directory.open_directory(kTornDirectoryName, true, directory_mode(file_mode));
  if (!torn) return std::unexpected(torn_error("open torn directory", torn.error(), torn_path));
  if (auto removed = remove_surplus(**torn); !removed) {
    return std::unexpected(torn_error("remove old torn copy", removed.error(), torn_path));
  }
  auto created = create_copy(**torn, file_mode, fmt::format("{:020}-{}", number, lsn.value()));
  if (!created) return std::unexpected(torn_error("create torn copy", created.error(), torn_path));
  auto& [name, file] = *created;
  std::string copy_path = join_path(torn_path, name);
  // Half a copy helps nobody; its space may.
  const auto drop = [&torn, &created] {
    created->second.reset();
    [[maybe_unused]] const auto removed = (*torn)->remove(created->first);
  };

  end = std::min(end, begin + kMaxTornCopyBytes);
  AlignedBuffer slice(std::min(kCopySliceBytes, end - begin));
  SystemResult<void> done{};
  for (uint64_t offset = begin; done && offset < end;) {
    const auto bytes = slice.span().first(std::min(kCopySliceBytes, end - offset));
    if (auto read = segment.read(offset, bytes, ReadSource::device); !read) {
      drop();
      return std::unexpected(read.error());
    }
    for (size_t at = 0; at < bytes.size();) {
      auto count = file->write_at(offset - begin + at, bytes.subspan(at), WriteBarrier::none);
      if (!count || *count == 0) {
        done = std::unexpected(count ? SystemError{EIO} : count.error());
        break;
      }
      at += *count;
    }
    offset += bytes.size();
  }
  if (done) done = file->sync_data();
  if (done) done = (*torn)->sync();
  if (done) done = directory.sync();
  if (!done) {
    drop();
    return std::unexpected(torn_error("write torn copy", done.error(), copy_path));
  }
  return copy_path;
}

}  // namespace writeahead::internal
