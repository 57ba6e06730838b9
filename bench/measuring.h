// What the figures have in common: durations, medians, and how a figure stands beside its target.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::bench {

/// Payload of the records that the figures of appends are about.
inline constexpr std::string_view kRecord =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

[[noreturn]] void give_up(std::string_view what);

template <class T>
T take(Result<T> result) {
  if (!result) give_up(result.error().message());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

[[nodiscard]] double percentile(std::vector<double> values, double share);
[[nodiscard]] double median(std::vector<double> values);

/// Seconds by the clock, and of processor time of all threads, since it was made.
class Stopwatch {
 public:
  [[nodiscard]] double wall() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  [[nodiscard]] double processor() const {
    return static_cast<double>(std::clock() - start_processor_) / CLOCKS_PER_SEC;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::clock_t start_processor_ = std::clock();
};

/// Durations of the rounds, with the floor's of the same round: what disturbs one disturbs both.
class Rounds {
 public:
  /// Runs `run` once and `floor` once.
  template <class Run, class Floor>
  void add(const Run& run, const Floor& floor) {
    const Stopwatch floor_time;
    floor();
    const double floor_seconds = floor_time.wall();
    add_alone(run);
    floor_.push_back(floor_seconds);
    ratios_.push_back(wall_.back() / floor_seconds);
  }
  template <class Run>
  void add_alone(const Run& run) {
    const Stopwatch time;
    run();
    processor_.push_back(time.processor());
    wall_.push_back(time.wall());
  }
  [[nodiscard]] double wall() const { return median(wall_); }
  [[nodiscard]] double processor() const { return median(processor_); }
  [[nodiscard]] double floor() const { return median(floor_); }
  /// How often the floor's duration; nothing without a floor.
  [[nodiscard]] std::optional<double> ratio() const {
    return ratios_.empty() ? std::nullopt : std::optional(median(ratios_));
  }

 private:
  std::vector<double> wall_;
  std::vector<double> processor_;
  std::vector<double> floor_;
  std::vector<double> ratios_;
};

/// One line of the output.
struct Figure {
  std::string name;
  double value = 0;
  std::string_view unit;
  /// The same by processor time, for a machine that has other things to do.
  std::optional<double> by_processor = {};
  /// The floor's value, and how many times the floor's time this took.
  std::optional<double> floor = {};
  std::optional<double> times_floor = {};
};
struct Target {
  enum class Kind { value_at_least, value_at_most, times_floor_at_most } kind;
  double bound;
};

void print_heading(std::string_view title);
void print(const Figure& figure, std::optional<Target> target = std::nullopt);
/// `amount` of something in each of the rounds.
void print_rate(std::string_view name, const Rounds& rounds, double amount, std::string_view unit,
                std::optional<double> at_least = std::nullopt);

}  // namespace writeahead::bench
