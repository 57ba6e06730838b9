// CommitPause: holds a committer still for a scope.
// Appends that come meanwhile wait, and go on when the scope ends, whatever way it ends.
#pragma once

#include "commit/committer.h"

namespace writeahead::internal {

class CommitPause {
 public:
  explicit CommitPause(Committer& committer) : committer_(committer), paused_(committer.pause()) {}
  CommitPause(const CommitPause&) = delete;
  CommitPause& operator=(const CommitPause&) = delete;
  ~CommitPause() {
    if (paused_) committer_.resume();
  }
  /// Why the committer is not paused, if it is not: it failed or was closed.
  [[nodiscard]] const Result<void>& result() const { return paused_; }

 private:
  Committer& committer_;
  const Result<void> paused_;
};

}  // namespace writeahead::internal
