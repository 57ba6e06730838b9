// Putting the line together.
#include "index_error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace writeahead::index::internal {

Error make_error(ErrorCode code, std::string_view action, std::string_view cause,
                 const std::string& path) {
  return Error(code, fmt::format("{}: {} ({})", action, cause, path));
}

Error system_failure(std::string_view action, SystemError error, const std::string& path) {
  const bool is_full = error.number == ENOSPC || error.number == EDQUOT || error.number == EFBIG;
  const std::string cause = std::generic_category().message(error.number);
  return Error(is_full ? ErrorCode::no_space : ErrorCode::io,
               fmt::format("{}: {} ({})", action, cause, path), error.number);
}

}  // namespace writeahead::index::internal
