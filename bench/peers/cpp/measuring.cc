#include "measuring.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace peers {
namespace {

double rounded(double value, double digits) { return std::round(value * digits) / digits; }
double microseconds(double value) { return rounded(value, 1e2); }

Json latencies(const std::vector<double>& sorted) {
  constexpr std::array kNamed{std::pair{"p50", 50.0}, std::pair{"p90", 90.0},
                              std::pair{"p99", 99.0}, std::pair{"p99.9", 99.9},
                              std::pair{"max", 100.0}};
  Json object;
  for (const auto& [name, p] : kNamed) object[name] = microseconds(percentile(sorted, p));
  return object;
}

Json distribution(const std::vector<double>& sorted) {
  Json points = Json::array();
  for (int p = 0; p < 100; ++p) points.push_back({p, microseconds(percentile(sorted, p))});
  points.push_back({99.9, microseconds(percentile(sorted, 99.9))});
  points.push_back({100, microseconds(sorted.back())});
  return points;
}

}  // namespace

double percentile(const std::vector<double>& sorted, double p) {
  // p x n before the division: 99.9 / 100 is a little less than it should be.
  const double rank = std::ceil(p * static_cast<double>(sorted.size()) / 100 - 1e-9);
  return sorted.at(rank < 1 ? 0 : static_cast<size_t>(rank) - 1);
}

void add_figures(const Measured& measured, Json& object) {
  object["records"] = measured.records;
  object["seconds"] = rounded(measured.seconds, 1e6);
  object["cpu_seconds"] = rounded(measured.cpu_seconds, 1e6);
  if (!measured.latencies_us.empty()) {
    auto sorted = measured.latencies_us;
    std::ranges::sort(sorted);
    object["latency_us"] = latencies(sorted);
    object["distribution_us"] = distribution(sorted);
  }
  object["note"] = measured.note;
}

}  // namespace peers
