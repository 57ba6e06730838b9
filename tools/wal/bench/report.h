// What `wal bench` prints: a table for people, and JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/measurement.h"
#include "bench/scenario.h"

namespace wal::bench {

/// A scenario, and the medians of its runs.
struct Measured {
  const ScenarioKind* kind;
  Measurement summary;
};

/// How it was measured.
struct BenchRun {
  uint64_t rounds;
  uint64_t percent;  ///< Of the work of a round.
  bool is_interrupted;
  bool is_at_address;  ///< Then the targets, which are of a device here, mean nothing.
};

/// With every append of a time line, if asked for.
[[nodiscard]] std::string json_of_all(const std::vector<Measured>& all, const BenchRun& run,
                                      bool has_series);
[[nodiscard]] std::string table_of_all(const std::vector<Measured>& all, const BenchRun& run);

}  // namespace wal::bench
