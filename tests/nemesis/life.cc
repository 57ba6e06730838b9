// SIGTERM.
#include "nemesis/life.h"

#include <csignal>

namespace writeahead::nemesis {

std::atomic<bool> must_stop = false;

void await_sigterm() {
  (void)std::signal(SIGTERM, [](int) { must_stop = true; });
}

}  // namespace writeahead::nemesis
