// Naming figures, and taking their medians.
#include "bench/measurement.h"

#include <utility>

namespace wal::bench {

void Measurement::set_percentiles(const std::string& name, const Sample& sample) {
  if (sample.is_empty()) {
    return;
  }
  for (const auto& [percentile, percent] : kPercentiles) {
    set(name + "." + std::string(percentile), sample.percentile(percent));
  }
}

void Measurement::set_latencies(Sample sample) {
  set_percentiles("latency_us", sample);
  latencies = std::move(sample);
}

void Measurement::set_work(const Work& work) {
  const auto records = static_cast<double>(work.records);
  set("records", records);
  set("record_bytes", static_cast<double>(work.record_bytes));
  set("writers", static_cast<double>(work.writers));
  set("seconds", work.seconds);
  set("cpu_seconds", work.cpu_seconds);
  set("records_per_second", records / work.seconds);
  set("bytes_per_second", records * static_cast<double>(work.record_bytes) / work.seconds);
  set("cpu_us_per_record", work.cpu_seconds * 1e6 / records);
}

void Measurement::set_ratio(const std::string& name, const std::string& a, const std::string& b) {
  set(name, get(a) / get(b));
}

Measurement summary_of(const std::vector<Measurement>& runs) {
  Measurement summary;
  std::map<std::string, std::vector<double>> values;
  for (const Measurement& run : runs) {
    for (const auto& [name, value] : run.figures) {
      values[name].push_back(value);
    }
    summary.latencies.add(run.latencies);
  }
  for (auto& [name, each] : values) {
    summary.set(name, median_of(std::move(each)));
  }
  summary.series = runs.back().series;
  return summary;
}

}  // namespace wal::bench
