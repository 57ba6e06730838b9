// copy_log(): the public face of LogCopier.
// Here is nothing but what options are refused.
#include "writeahead/log_copy.h"

#include "base/error.h"
#include "copy/log_copier.h"
#include "segment/file_store.h"

namespace writeahead {

Result<CopyReport> copy_log(const std::string& source, const std::string& destination,
                            const CopyOptions& options) {
  constexpr uint32_t kBits = 0777;
  constexpr uint32_t kOwner = 0600;
  const uint32_t mode = options.file_mode;
  if ((mode & ~kBits) != 0 || (mode & kOwner) != kOwner || (mode & internal::kWritableByAll) != 0) {
    return std::unexpected(internal::make_error(
        ErrorCode::invalid_argument, "copy log",
        "file_mode must let the owner read and write, and not every user write",
        {.path = destination}));
  }
  return internal::LogCopier(source, destination, options).run();
}

}  // namespace writeahead
