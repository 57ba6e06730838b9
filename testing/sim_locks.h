// SimLocks: the locks of a simulated machine's open files.
//
// As flock: one lock for an open file at most, on the file it opened under whatever name; another
// kind takes the place of the first, which is lost even if the new one is refused.
#pragma once

#include <vector>

#include "sim_disk_state.h"
#include "writeahead/env.h"

namespace writeahead::testing::internal {

class SimFile;
struct SimProcess;

/// See the file's head. Used with the machine's mutex held.
class SimLocks {
 public:
  /// False, and without a lock for `file`, if another open file's lock on `node` forbids it.
  [[nodiscard]] bool take(NodeNumber node, const SimFile* file, const SimProcess* process,
                          LockKind kind);
  void drop(const SimFile* file);
  void drop_all_of(const SimProcess* process);

 private:
  struct Lock {
    NodeNumber node;
    const SimFile* file;
    const SimProcess* process;
    LockKind kind;
  };
  std::vector<Lock> held_;
};

}  // namespace writeahead::testing::internal
