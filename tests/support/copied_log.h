// What the tests of copies share: logs to be copied, and whether two places hold the same log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/damaged_log.h"
#include "writeahead/log.h"
#include "writeahead/log_copy.h"
#include "writeahead/testing/sim_env.h"

namespace writeahead::testing {

inline constexpr const char* kCopyPath = "/copy";

/// A log in /log, and what makes it worth copying.
struct CopyCase {
  std::string name;
  SimDisk disk;
};
/// One of each kind that there is: closed, crashed, torn, trimmed, truncated, salvaged, empty.
[[nodiscard]] std::vector<CopyCase> copy_cases();
/// A log that truncations cut inside of frames, and over whole segments; closed or not.
[[nodiscard]] SimDisk truncated_disk(bool closes);

/// All records of the log at `path`, or nothing if it does not open or one cannot be read.
[[nodiscard]] std::optional<std::vector<StoredRecord>> records_at(SimEnv& env,
                                                                  const std::string& path);
/// What differs between the segments of two logs: header blocks, frames, and seals; "" if nothing.
[[nodiscard]] std::string difference(const SimDisk& disk, const std::string& path,
                                     const std::string& copy_path);

}  // namespace writeahead::testing
