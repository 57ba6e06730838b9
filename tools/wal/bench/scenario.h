// Scenario: one thing that `wal bench` measures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measurement.h"

namespace wal::bench {

/// Prepares when it is made, measures each time it is run. Both throw NotMeasured.
class Scenario {
 public:
  Scenario() = default;
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;
  virtual ~Scenario() = default;
  [[nodiscard]] virtual Measurement run() = 0;
};

/// A figure's bound.
struct Target {
  enum class Kind { at_most, at_least };
  std::string_view figure;
  Kind kind;
  double bound;
  std::string_view what;        ///< In words, without the bound.
  std::string_view floor = {};  ///< The figure that bare writes had, where that explains it.
};

/// Where a scenario works, and how much.
struct Place {
  std::string directory;    ///< Its own: there, and empty at first. Or the address of its log.
  bool is_address = false;  ///< There is no device beside it, and no segment is made ready.
  double scale = 1;         ///< Of the amount of work.

  /// Of a scenario with one log.
  [[nodiscard]] std::string log() const { return is_address ? directory : directory + "/log"; }

  /// Part of the amount, one at least.
  [[nodiscard]] uint64_t scaled(uint64_t amount) const {
    return std::max<uint64_t>(static_cast<uint64_t>(static_cast<double>(amount) * scale), 1);
  }
};

struct ScenarioKind {
  std::string_view name;
  std::string_view what;
  std::vector<Target> targets;
  std::function<std::unique_ptr<Scenario>(const Place& place)> make;
  bool takes_address = false;
};

/// All of them, in the order in which they are shown.
[[nodiscard]] std::span<const ScenarioKind> all_scenarios();

// The groups, one file each.
[[nodiscard]] std::vector<ScenarioKind> append_scenarios();
[[nodiscard]] std::vector<ScenarioKind> group_scenarios();
[[nodiscard]] std::vector<ScenarioKind> stream_scenarios();
[[nodiscard]] std::vector<ScenarioKind> read_scenarios();
[[nodiscard]] std::vector<ScenarioKind> follow_scenarios();
[[nodiscard]] std::vector<ScenarioKind> opening_scenarios();

}  // namespace wal::bench
