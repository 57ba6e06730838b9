// A figure's name says where it stands in the JSON; the table has a column for the few that most
// scenarios have, and a line for each target.
#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "writeahead/version.h"

namespace wal::bench {

using nlohmann::ordered_json;

namespace {

bool is_met(const Target& target, double value) {
  return target.kind == Target::Kind::at_most ? value <= target.bound : value >= target.bound;
}

std::string_view name_of(Target::Kind kind) {
  return kind == Target::Kind::at_most ? "at_most" : "at_least";
}

ordered_json json_of_targets(const Measured& measured) {
  auto rows = ordered_json::array();
  for (const Target& target : measured.kind->targets) {
    const double value = measured.summary.get(std::string(target.figure));
    rows.push_back({{"name", target.what},
                    {"figure", target.figure},
                    {"value", value},
                    {"limit", target.bound},
                    {"kind", name_of(target.kind)},
                    {"met", is_met(target, value)}});
    if (!target.floor.empty()) {
      rows.back()["floor"] = measured.summary.get(std::string(target.floor));
    }
  }
  return rows;
}

/// Whole percents, and the last ones more closely: [percent, microseconds].
ordered_json json_of_distribution(const Sample& sample) {
  auto rows = ordered_json::array();
  for (int percent = 0; percent < 100; ++percent) {
    rows.push_back({percent, sample.percentile(percent)});
  }
  for (const double percent : {99.5, 99.9, 99.95, 99.99, 100.0}) {
    rows.push_back({percent, sample.percentile(percent)});
  }
  return rows;
}

ordered_json json_of(const Measured& measured, const BenchRun& run, bool has_series) {
  ordered_json row;
  row["scenario"] = measured.kind->name;
  row["what"] = measured.kind->what;
  for (const auto& [name, value] : measured.summary.figures) {
    // "latency_us.p99.9" is a percentile with a point in its own name.
    const size_t point = name.find('.');
    if (point == std::string::npos) {
      row[name] = value;
      continue;
    }
    const std::string rest = name.substr(point + 1);
    const size_t second = rest.find("_us.");
    if (second != std::string::npos) {
      const size_t end = second + std::string_view("_us").size();
      row[name.substr(0, point)][rest.substr(0, end)][rest.substr(end + 1)] = value;
    } else {
      row[name.substr(0, point)][rest] = value;
    }
  }
  if (!measured.summary.latencies.is_empty()) {
    row["distribution_us"] = json_of_distribution(measured.summary.latencies);
  }
  if (has_series && !measured.summary.series.empty()) {
    auto rows = ordered_json::array();
    for (const Moment& moment : measured.summary.series) {
      rows.push_back({moment.at_ms, moment.us, moment.is_rotating ? 1 : 0});
    }
    row["series_us"] = std::move(rows);
  }
  row["targets"] = run.is_at_address ? ordered_json::array() : json_of_targets(measured);
  return row;
}

/// With as many digits as matter, or "-".
std::string in_column(const Measurement& summary, const std::string& name, double unit = 1) {
  const auto found = summary.figures.find(name);
  if (found == summary.figures.end()) {
    return "-";
  }
  const double value = found->second / unit;
  return std::abs(value) >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

struct Column {
  std::string_view title;
  std::string_view figure;
  double unit;
};
constexpr std::array kTimes = {
    Column{"p50", "latency_us.p50", 1},          Column{"p90", "latency_us.p90", 1},
    Column{"p99", "latency_us.p99", 1},          Column{"p99.9", "latency_us.p99.9", 1},
    Column{"max", "latency_us.max", 1},          Column{"floor p50", "floor.latency_us.p50", 1},
    Column{"its p99", "floor.latency_us.p99", 1}};
constexpr std::array kRates = {Column{"k rec/s", "records_per_second", 1e3},
                               Column{"floor", "floor.records_per_second", 1e3},
                               Column{"MB/s", "bytes_per_second", 1e6},
                               Column{"group", "mean_group", 1},
                               Column{"barriers/s", "barriers_per_second", 1},
                               Column{"CPU us/rec", "cpu_us_per_record", 1}};

/// Of the scenarios that have any of the columns' figures; 80 columns of a terminal at most.
std::string table_of(std::string_view title, const std::vector<Measured>& all,
                     std::span<const Column> columns) {
  std::string rows;
  for (const Measured& measured : all) {
    std::string row;
    bool has_any = false;
    for (const Column& column : columns) {
      const std::string cell = in_column(measured.summary, std::string(column.figure), column.unit);
      has_any = has_any || cell != "-";
      row += fmt::format("{:>{}}", cell, std::max<size_t>(column.title.size() + 1, 8));
    }
    if (has_any) {
      rows += fmt::format("{:<16}{}\n", measured.kind->name, row);
    }
  }
  if (rows.empty()) {
    return {};
  }
  std::string head = fmt::format("{:<16}", title);
  for (const Column& column : columns) {
    head += fmt::format("{:>{}}", column.title, std::max<size_t>(column.title.size() + 1, 8));
  }
  return head + '\n' + rows + '\n';
}

}  // namespace

std::string json_of_all(const std::vector<Measured>& all, const BenchRun& run, bool has_series) {
  ordered_json report;
  report["system"] = "writeahead";
  report["version"] = WRITEAHEAD_VERSION;
  report["rounds"] = run.rounds;
  report["percent"] = run.percent;
  report["interrupted"] = run.is_interrupted;
  report["scenarios"] = ordered_json::array();
  for (const Measured& measured : all) {
    report["scenarios"].push_back(json_of(measured, run, has_series));
  }
  return report.dump(2) + "\n";
}

std::string table_of_all(const std::vector<Measured>& all, const BenchRun& run) {
  std::string table = table_of("microseconds", all, kTimes) + table_of("rates", all, kRates);
  if (run.is_at_address) {
    return table;
  }
  table += "Targets:\n";
  for (const Measured& measured : all) {
    for (const Target& target : measured.kind->targets) {
      const double value = measured.summary.get(std::string(target.figure));
      table += fmt::format(
          "  {:<6}  {:<16}{}: {:.2f}, {} {:g}", is_met(target, value) ? "met" : "missed",
          measured.kind->name, target.what, value,
          target.kind == Target::Kind::at_most ? "at most" : "at least", target.bound);
      if (!target.floor.empty()) {
        table += fmt::format("; bare {:.2f}", measured.summary.get(std::string(target.floor)));
      }
      table += '\n';
    }
  }
  return table;
}

}  // namespace wal::bench
