// Where the logs of the tests on simulated storage lie.
#pragma once

namespace writeahead::testing {

inline constexpr const char* kLogPath = "/log";

}  // namespace writeahead::testing
