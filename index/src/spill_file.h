// SpillFile: what does not fit in memory, in a file that lives as long as it is open.
//
// It is no part of what is kept: an opening makes it anew, and a crash leaves a file that the next
// opening replaces. Nothing is ever taken out of it: it grows until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// Where they lie, and what they hash to.
struct SpilledBytes {
  uint64_t offset = 0;
  uint64_t checksum = 0;
  uint32_t bytes = 0;  ///< 0: nowhere.
};

/// One thread at a time writes it; others may read what they were given.
class SpillFile {
 public:
  /// Makes it, empty, in a directory that is there.
  [[nodiscard]] static Result<std::unique_ptr<SpillFile>> create(Env& env,
                                                                 const std::string& directory_path,
                                                                 const std::string& name);
  /// Makes one that has no name any more, in a directory that others may use, too.
  [[nodiscard]] static Result<std::unique_ptr<SpillFile>> create_unnamed(
      Env& env, const std::string& directory_path);

  [[nodiscard]] Result<SpilledBytes> append(std::span<const std::byte> bytes);
  /// `corruption` if they are not what was written.
  [[nodiscard]] Result<void> read(const SpilledBytes& where, std::vector<std::byte>& out) const;
  [[nodiscard]] uint64_t bytes() const { return end_; }

 private:
  SpillFile(std::unique_ptr<File> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}

  std::unique_ptr<File> file_;
  std::string path_;
  uint64_t end_ = 0;
};

}  // namespace writeahead::index::internal
