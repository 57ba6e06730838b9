// The main program of every peer's driver: DRIVER DIR SCENARIO, as bench/peers/README.md says.
#pragma once

#include "store.h"

namespace peers {

/// Returns the exit status of the program.
int run_driver(int argc, char** argv, const Peer& peer);

}  // namespace peers
