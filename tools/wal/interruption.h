// Interruption: asks a verb that would go on for ever to end, in an orderly way.
//
// On SIGINT, or when nobody reads standard output any more: a pipe that its reader closed would
// otherwise be noticed only at the next write, which may never come.
#pragma once

#include <stop_token>
#include <thread>

#include "failure.h"

namespace wal {

/// One for the process, made before any other thread. SIGINT is held off from then on. A second
/// SIGINT ends the process at once, should the first find it in a write that does not return.
class Interruption {
 public:
  Interruption() = default;
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  /// Begins to watch.
  [[nodiscard]] Outcome<void> start();
  /// Is stopped when the verb is to end.
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  void watch();

  std::stop_source source_;
  int signals_ = -1;
  int ending_ = -1;
  std::thread thread_;
};

}  // namespace wal
