// What a run of the tests counted: states, flips, kills. A line a test; scripts/test adds up those
// of one part and one name over all tests, and prints the sums at its end.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace writeahead::test {

/// The parts of the test programme, as docs/testing.md has them.
namespace part {
inline constexpr std::string_view kCrashes = "crash simulation";
inline constexpr std::string_view kSmallScope = "small scope";
inline constexpr std::string_view kFailures = "failing calls";
inline constexpr std::string_view kDamage = "damage";
inline constexpr std::string_view kKernel = "real kernel";
inline constexpr std::string_view kConcurrency = "concurrency";
inline constexpr std::string_view kFuzzing = "fuzzing";
inline constexpr std::string_view kMutants = "mutants";
inline constexpr std::string_view kSecurity = "security";
inline constexpr std::string_view kObjects = "log in objects";
inline constexpr std::string_view kNemesis = "nemesis";
/// Harnesses that are given something wrong to find.
inline constexpr std::string_view kControls = "controls";
}  // namespace part

/// `what` is a plural, without a colon: "states", "violations".
inline void print_count(std::string_view part, std::string_view what, uint64_t count) {
  fmt::print("counted: {}: {}: {}\n", part, what, count);
}

/// One fault was planted for a harness to find.
inline void print_control(bool is_found) {
  print_count(part::kControls, "planted faults", 1);
  print_count(part::kControls, "found", is_found ? 1 : 0);
}

}  // namespace writeahead::test
