// The workloads: every kind of course that a log can take, kept short so that each of its calls can
// be the last one.
#pragma once

#include <string_view>
#include <vector>

#include "support/script.h"

namespace writeahead::testing {

[[nodiscard]] const std::vector<Workload>& workloads();
/// Also of a random course, or one of the small scope. Null if there is none of that name.
[[nodiscard]] const Workload* find_workload(std::string_view name);

}  // namespace writeahead::testing
