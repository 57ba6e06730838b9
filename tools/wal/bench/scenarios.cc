// The list, in one order.
#include "bench/scenario.h"

namespace wal::bench {

std::span<const ScenarioKind> all_scenarios() {
  static const std::vector<ScenarioKind> kAll = [] {
    std::vector<ScenarioKind> kinds;
    for (auto* const group : {append_scenarios, group_scenarios, stream_scenarios, read_scenarios,
                              follow_scenarios, opening_scenarios}) {
      for (ScenarioKind& kind : group()) {
        kinds.push_back(std::move(kind));
      }
    }
    return kinds;
  }();
  return kAll;
}

}  // namespace wal::bench
