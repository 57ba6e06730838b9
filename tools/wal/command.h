// The command line as a whole: from arguments to what is to be done.
//
// Apart from main, so that tests can parse arguments without running anything.
#pragma once

#include <functional>

#include "failure.h"

namespace wal {

/// What arguments ask for: a verb to run, or a text to print.
using Action = std::function<Outcome<void>()>;

/// Opens and prints nothing. A usage failure says in one line what is wrong with the arguments;
/// the first of them is the name of the program.
[[nodiscard]] Outcome<Action> parse_command(int count, const char* const* arguments);

}  // namespace wal
