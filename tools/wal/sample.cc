// Sorts when it is asked, once.
#include "sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace wal {

void Sample::add(const Sample& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  is_sorted_ = false;
}

double Sample::percentile(double percent) const {
  if (!is_sorted_) {
    std::ranges::sort(values_);
    is_sorted_ = true;
  }
  // 99.9 of 100 is no exact number: a rank that is whole must not be rounded up from a hair above.
  constexpr double kHair = 1e-9;
  const auto rank = std::ceil(percent * static_cast<double>(values_.size()) / 100 - kHair);
  return values_[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace wal
