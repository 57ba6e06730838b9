// Stopwatch: time by the clock, and of the processor.
#pragma once

#include <sys/resource.h>  // style-ok(system): the processor time of the command

#include <chrono>

namespace wal::bench {

/// By the clock, since it was made. Nanoseconds are what it costs.
class Clock {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  [[nodiscard]] double us() const { return seconds() * 1e6; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// By the clock, and of the processor.
struct Elapsed {
  double seconds = 0;
  double cpu_seconds = 0;
};

/// The processor's, too; a system call each time.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const { return clock_.seconds(); }
  /// Of all threads of this process, in the system, too.
  [[nodiscard]] double cpu_seconds() const { return process_cpu_seconds() - cpu_start_; }

  [[nodiscard]] Elapsed elapsed() const { return {seconds(), cpu_seconds()}; }

 private:
  static double process_cpu_seconds() {
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  double cpu_start_ = process_cpu_seconds();
  Clock clock_;
};

}  // namespace wal::bench
