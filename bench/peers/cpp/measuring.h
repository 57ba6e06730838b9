// Times, their percentiles, and the JSON in which they are printed.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace peers {

using Json = nlohmann::ordered_json;

/// Seconds by the clock, and of processor time of all threads, since it was made.
class Stopwatch {
 public:
  [[nodiscard]] double wall() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  [[nodiscard]] double processor() const { return processor_now() - start_processor_; }

 private:
  static double processor_now() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  }

  double start_processor_ = processor_now();
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Microseconds that one call takes.
template <class Call>
double time_us(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  const auto end = std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::micro>(end - start).count();
}

/// What a scenario measured.
struct Measured {
  uint64_t records = 0;
  double seconds = 0;
  double cpu_seconds = 0;
  /// Of each append or batch; empty where single ones are not timed.
  std::vector<double> latencies_us;
  std::string note;
};

/// The value at rank ceil(p / 100 x n) of n sorted values, at least one.
double percentile(const std::vector<double>& sorted, double p);

/// Puts the figures behind those that are in `object`.
void add_figures(const Measured& measured, Json& object);

}  // namespace peers
