// Mutation: a log on a disk, damaged step by step as an input says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "fuzz/stock.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

/// The log while it is damaged.
struct MutatedLog {
  SimDisk disk;
  bool is_forged = false;  ///< A checksum was made to fit what had been changed.
};

/// Applies as many mutations as the input has bytes for, at most sixteen.
[[nodiscard]] MutatedLog mutate(const StockLog& log, Input& input);

}  // namespace writeahead::testing
