// CommitPause: holds a committer still for a scope.
// Appends that come meanwhile wait, and go on when the scope ends, whatever way it ends.
#pragma once

#include "commit/committer.h"

namespace writeahead::internal {

class CommitPause {
 public:
  explicit CommitPause(Committer& committer) : committer_(committer) { committer_.pause(); }
  CommitPause(const CommitPause&) = delete;
  CommitPause& operator=(const CommitPause&) = delete;
  ~CommitPause() { committer_.resume(); }

 private:
  Committer& committer_;
};

}  // namespace writeahead::internal
