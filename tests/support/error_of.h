// error_of, code_of: what a call came back with, to be compared in one line. The system's errors
// come back as errno, 0 for success; those of the library as their code, nothing for success.
#pragma once

#include <optional>

#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::testing {

template <class T>
int error_of(const SystemResult<T>& result) {
  return result ? 0 : result.error().number;
}

template <class T>
std::optional<ErrorCode> code_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error().code());
}

}  // namespace writeahead::testing
