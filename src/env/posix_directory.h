// PosixDirectory: a directory held open; every name is resolved relative to it.
//
// A path is walked once, when the directory is opened. Afterwards nobody who renames or replaces
// a component of that path can redirect a call, and no symbolic link is ever followed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/posix_file.h"
#include "writeahead/env.h"

namespace writeahead::internal {

/// What of a mode is asked for: permissions and the bits above them.
inline constexpr uint32_t kModeBits = 07777;

/// See Directory for the contract.
class PosixDirectory final : public Directory {
 public:
  explicit PosixDirectory(Descriptor descriptor) noexcept;

  SystemResult<std::unique_ptr<File>> open(std::string_view name, OpenFlags flags) override;
  SystemResult<bool> is_writable_by_all() override;
  SystemResult<std::vector<std::string>> list() override;
  SystemResult<void> rename_no_replace(std::string_view from, std::string_view to) override;
  SystemResult<void> remove(std::string_view name) override;
  SystemResult<void> remove_directory(std::string_view name) override;
  SystemResult<std::unique_ptr<Directory>> open_directory(std::string_view name, bool create,
                                                          uint32_t mode) override;
  SystemResult<void> sync() override;

 private:
  Descriptor descriptor_;
};

/// Moves a descriptor above 2, so that what a program prints to a closed standard stream can not
/// land in a log. Takes ownership; a negative number is passed on as the errno it left.
[[nodiscard]] SystemResult<Descriptor> own_descriptor(int number);

/// rename without RENAME_NOREPLACE: a second name, then the first removed.
[[nodiscard]] SystemResult<void> rename_by_link(int directory, const char* from, const char* to);

}  // namespace writeahead::internal
