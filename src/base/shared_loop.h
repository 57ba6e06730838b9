// Loops over steps that may fail, in one thread or shared by two: for many system calls that do not
// depend on each other.
#pragma once

#include <cstddef>
#include <functional>

#include "writeahead/result.h"

namespace writeahead::internal {

/// Calls step(i) for every i below `count`, in order, up to the first that fails.
[[nodiscard]] Result<void> loop_in_one(size_t count,
                                       const std::function<Result<void>(size_t)>& step);

/// Calls step(i) once for every i below `count`, in no order, in this thread and in one more, which
/// has ended on return; in this one alone if the system has no thread to give. After a failure no
/// new steps are begun. The answer is that of a loop in order: the error of the first step that
/// fails. What a step throws is thrown here.
[[nodiscard]] Result<void> loop_in_two(size_t count,
                                       const std::function<Result<void>(size_t)>& step);

}  // namespace writeahead::internal
