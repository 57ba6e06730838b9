// What the programs of figures share: times, medians, and a line beside its target.
#pragma once

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

namespace figures {

/// Of each figure.
inline constexpr int kRounds = 3;

inline double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// What the program has from the allocator.
inline uint64_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

inline void require(bool is_right, std::string_view what) {
  if (is_right) return;
  fmt::print(stderr, "figures: {}\n", what);
  std::exit(1);
}

enum class Bound : uint8_t { at_least, at_most };

/// For programs that read the figures: an object of JSON a line.
inline bool prints_json = false;

/// One without a target.
inline void show(std::string_view what, double value, std::string_view unit) {
  if (prints_json) {
    fmt::print(R"({{"name": "{}", "value": {}, "unit": "{}"}})"
               "\n",
               what, value, unit);
  } else {
    fmt::print("{:52} {:10.2f} {}\n", what, value, unit);
  }
  std::fflush(stdout);
}

inline void show(std::string_view what, double value, std::string_view unit, Bound bound,
                 double target) {
  if (prints_json) {
    fmt::print(R"({{"name": "{}", "value": {}, "unit": "{}", "kind": "{}", "limit": {}}})"
               "\n",
               what, value, unit, bound == Bound::at_least ? "at_least" : "at_most", target);
    std::fflush(stdout);
    return;
  }
  const bool is_met = bound == Bound::at_least ? value >= target : value <= target;
  fmt::print("{:52} {:10.2f} {:14} {} {:6} {}\n", what, value, unit,
             bound == Bound::at_least ? "at least" : "at most ", target, is_met ? "met" : "MISSED");
  std::fflush(stdout);
}

}  // namespace figures
