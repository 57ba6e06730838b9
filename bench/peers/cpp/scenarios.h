// The scenarios of bench/peers/README.md, run on a peer.
#pragma once

#include <string>
#include <string_view>

#include "measuring.h"
#include "store.h"

namespace peers {

struct Scenario {
  std::string_view name;
  size_t record_bytes;
  size_t writers;
  /// Does it in an empty directory of its own. Throws std::exception on a failure, and also if the
  /// store does not hold afterwards what was appended. Not there where no peer of these can do it.
  Measured (*run)(const Scenario& scenario, const Peer& peer, const std::string& directory);
};

/// Null if there is none of that name.
const Scenario* find_scenario(std::string_view name);

}  // namespace peers
