// The figures of TagLog.
#pragma once

#include <string>

namespace figures {

/// Prints them; works in `directory`, which has 3 GiB of room, and cleans up.
void measure_tags(const std::string& directory);

}  // namespace figures
