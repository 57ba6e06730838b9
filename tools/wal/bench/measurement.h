// Measurement: what one run of a scenario showed, by name.
//
// Names with a point are parts of a whole: "latency_us.p50". Every figure of a run has a name, so
// that medians over the runs, targets, the table and the JSON need not know the scenarios.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sample.h"

namespace wal::bench {

/// One append of a time line.
struct Moment {
  double at_ms;
  double us;
  bool is_rotating;  ///< It was the first one of a segment.
};

struct Measurement {
  std::map<std::string, double> figures;
  Sample latencies;  ///< Of which the distribution is shown; may be empty.
  std::vector<Moment> series;

  void set(const std::string& name, double value) { figures[name] = value; }
  [[nodiscard]] double get(const std::string& name) const { return figures.at(name); }
  /// `name`.p50 to `name`.max, if there are any.
  void set_percentiles(const std::string& name, const Sample& sample);
  /// The latencies of a scenario that has them.
  void set_latencies(Sample sample);
  /// How much was done, by whom and how long it took, with the rates that follow from that.
  struct Work {
    uint64_t records;
    uint64_t record_bytes;
    uint64_t writers = 1;
    double seconds;
    double cpu_seconds;
  };
  void set_work(const Work& work);
  /// `name` = a / b, of two figures that are there.
  void set_ratio(const std::string& name, const std::string& a, const std::string& b);
};

/// The medians of all figures; the latencies of all runs together.
[[nodiscard]] Measurement summary_of(const std::vector<Measurement>& runs);

}  // namespace wal::bench
