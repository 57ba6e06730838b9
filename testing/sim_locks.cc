// SimLocks: who has what, as a plain list.
#include "sim_locks.h"

#include <algorithm>

namespace writeahead::testing::internal {

bool SimLocks::take(NodeNumber node, const SimFile* file, const SimProcess* process,
                    LockKind kind) {
  drop(file);
  const bool is_refused = std::ranges::any_of(held_, [&](const Lock& lock) {
    return lock.node == node && (kind == LockKind::exclusive || lock.kind == LockKind::exclusive);
  });
  if (!is_refused) held_.push_back({node, file, process, kind});
  return !is_refused;
}

void SimLocks::drop(const SimFile* file) {
  std::erase_if(held_, [&](const Lock& lock) { return lock.file == file; });
}

void SimLocks::drop_all_of(const SimProcess* process) {
  std::erase_if(held_, [&](const Lock& lock) { return lock.process == process; });
}

}  // namespace writeahead::testing::internal
