// The list of all targets.
#include "fuzz/targets.h"

#include <array>

namespace writeahead::testing {

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr std::array kTargets = {
      FuzzTarget{"format", fuzz_format}, FuzzTarget{"directory", fuzz_directory},
      FuzzTarget{"damage", fuzz_damage}, FuzzTarget{"calls", fuzz_calls},
      FuzzTarget{"names", fuzz_names},
  };
  return kTargets;
}

}  // namespace writeahead::testing
