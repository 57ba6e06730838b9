// Sample: how long each of many things took, and the percentiles of that.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace wal {

/// The percentiles that are reported.
struct Percentile {
  std::string_view name;
  double percent;
};
inline constexpr std::array kPercentiles = {Percentile{"p50", 50}, Percentile{"p90", 90},
                                            Percentile{"p99", 99}, Percentile{"p99.9", 99.9},
                                            Percentile{"max", 100}};

/// Microseconds. One thread at a time.
class Sample {
 public:
  void add(double us) {
    values_.push_back(us);
    is_sorted_ = false;
  }
  void add(const Sample& other);
  [[nodiscard]] size_t size() const { return values_.size(); }
  [[nodiscard]] bool is_empty() const { return values_.empty(); }
  /// The value at rank ceil(percent / 100 x size); there is one at least.
  [[nodiscard]] double percentile(double percent) const;

 private:
  mutable std::vector<double> values_;
  mutable bool is_sorted_ = false;
};

/// The middle one; of two in the middle, the smaller. There is one at least.
[[nodiscard]] double median_of(std::vector<double> values);

}  // namespace wal
