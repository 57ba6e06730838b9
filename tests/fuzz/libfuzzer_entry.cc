// What libFuzzer calls, for the one target that the build names: FUZZ_TARGET. With FUZZ_UNCHECKED
// every checksum counts as right, with FUZZ_CONTROL there is a planted fault to be found.
#include <cstddef>
#include <cstdint>

#include "format/checksum.h"
#include "fuzz/targets.h"

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
#ifdef FUZZ_UNCHECKED
  writeahead::internal::is_every_checksum_right = true;
#endif
#ifdef FUZZ_CONTROL
  writeahead::testing::plant_reader_that_skips_damage();
#endif
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  writeahead::testing::FUZZ_TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
