// The end of a run: the log as whoever opens it now finds it, against all histories.
#pragma once

#include <filesystem>
#include <string>

namespace writeahead::nemesis {

/// Reads every `NUMBER.history` of the directory, and all of the log. Prints the violations, and
/// what was counted. Whether there was something to check, and nothing wrong.
[[nodiscard]] bool check_run(const std::filesystem::path& directory, const std::string& address,
                             uint64_t least_acknowledged);

}  // namespace writeahead::nemesis
