// One line of error for what happens to the files of an index: `verb object: cause (path)`.
#pragma once

#include <string>
#include <string_view>

#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

[[nodiscard]] Error make_error(ErrorCode code, std::string_view action, std::string_view cause,
                               const std::string& path);
/// A call failed: `no_space` if there was none, else `io`.
[[nodiscard]] Error system_failure(std::string_view action, SystemError error,
                                   const std::string& path);

}  // namespace writeahead::index::internal
