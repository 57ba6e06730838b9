// Medians and the lines of the output.
#include "measuring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace writeahead::bench {
namespace {

std::string in_column(std::optional<double> value) {
  return value ? fmt::format("{:.2f}", *value) : std::string("-");
}

std::string verdict(const Figure& figure, const Target& target) {
  using enum Target::Kind;
  const bool is_ratio = target.kind == times_floor_at_most;
  const double value = is_ratio ? figure.times_floor.value() : figure.value;
  const bool is_met = target.kind == value_at_least ? value >= target.bound : value <= target.bound;
  return fmt::format("{} {:.2f}{}: {}", target.kind == value_at_least ? "at least" : "at most",
                     target.bound, is_ratio ? " x floor" : "", is_met ? "met" : "missed");
}

}  // namespace

void give_up(std::string_view what) {
  std::fflush(stdout);
  fmt::print(stderr, "figures: {}\n", what);
  std::exit(1);
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) give_up("nothing was measured");
  std::ranges::sort(values);
  return values[static_cast<size_t>(share * static_cast<double>(values.size() - 1))];
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

void print_heading(std::string_view title) {
  fmt::print("\n{:<50}{:>10} {:<6}{:>10}{:>10}{:>8}   {}\n", title, "value", "unit", "by cpu",
             "floor", "x floor", "target");
}

void print(const Figure& figure, std::optional<Target> target) {
  fmt::print("{:<50}{:>10.2f} {:<6}{:>10}{:>10}{:>8}   {}\n", figure.name, figure.value,
             figure.unit, in_column(figure.by_processor), in_column(figure.floor),
             in_column(figure.times_floor),
             target ? verdict(figure, *target) : std::string("for information"));
  std::fflush(stdout);
}

void print_rate(std::string_view name, const Rounds& rounds, double amount, std::string_view unit,
                std::optional<double> at_least) {
  const auto ratio = rounds.ratio();
  print({.name = std::string(name),
         .value = amount / rounds.wall(),
         .unit = unit,
         .by_processor = amount / rounds.processor(),
         .floor = ratio ? std::optional(amount / rounds.floor()) : std::nullopt,
         .times_floor = ratio},
        at_least ? std::optional(Target{Target::Kind::value_at_least, *at_least}) : std::nullopt);
}

}  // namespace writeahead::bench
