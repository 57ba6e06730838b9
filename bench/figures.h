// The groups of figures, one file each.
#pragma once

#include <string>

namespace writeahead::bench {

class DeviceFloor;

void measure_appends(const std::string& directory, DeviceFloor& floor);
void measure_async_appends(const std::string& directory, DeviceFloor& floor);
void measure_reads(const std::string& directory);
void measure_openings(const std::string& directory);

}  // namespace writeahead::bench
