// Courses of a log made by chance from a number: longer than the workloads, and of every mixture.
#pragma once

#include <cstdint>

#include "support/script.h"

namespace writeahead::testing {

/// The same seed gives the same course. Its name is `random_SEED`.
[[nodiscard]] Workload random_course(uint64_t seed);

}  // namespace writeahead::testing
