// A directory of files as a short input, and back.
//
// A file is its name (an index into a fixed list, with what kind of file it is), its size, and the
// runs of its bytes that are not zero: the files of a log are mostly zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "writeahead/testing/sim_disk.h"

namespace writeahead::testing {

/// Takes files from the input until it is empty. No file is larger than 64 KiB.
[[nodiscard]] SimDisk read_disk_image(Input& input);

/// The image of those files in the log's directory that have a name in the list.
[[nodiscard]] std::vector<std::byte> write_disk_image(const SimDisk& disk);

/// Bytes of the largest file.
[[nodiscard]] uint64_t largest_file_of(const SimDisk& disk);

}  // namespace writeahead::testing
