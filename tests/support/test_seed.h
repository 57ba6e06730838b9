// The seed of a random test: fresh in each run, or what the variable WRITEAHEAD_SEED says. A test
// shows its seed, with the command that replays it, when it fails.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace writeahead::test {

inline uint64_t test_seed() {
  static const uint64_t kSeed = [] {
    const char* const given = std::getenv("WRITEAHEAD_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : uint64_t{std::random_device()()};
  }();
  return kSeed;
}

/// `WRITEAHEAD_SEED=7 kernel_tests --gtest_filter=Suite.name`, for SCOPED_TRACE or a print.
inline std::string replay_command() {
  const auto* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  return "WRITEAHEAD_SEED=" + std::to_string(test_seed()) + " " + program_invocation_short_name +
         " --gtest_filter=" + test->test_suite_name() + "." + test->name();
}

}  // namespace writeahead::test
