// How much of the work that takes long is done: WRITEAHEAD_TEST_SCALE, 1 for a run of all tests,
// more for a soak. Sanitizers slow everything down by so much that less is done with them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "support/sanitizers.h"

namespace writeahead::test {

inline double test_scale() {
  const char* const given = std::getenv("WRITEAHEAD_TEST_SCALE");
  const double scale = given != nullptr ? std::strtod(given, nullptr) : 1;
  return kIsSanitized ? scale / 32 : scale;
}

/// So many rounds as `rounds` are at scale 1; at least one.
inline uint64_t scaled(uint64_t rounds) {
  return std::max(uint64_t{1}, static_cast<uint64_t>(static_cast<double>(rounds) * test_scale()));
}

}  // namespace writeahead::test
