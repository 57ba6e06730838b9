// MakingProcess: the process in which something was made.
//
// A forked child has none of the parent's threads, on which each answer of the cluster would wait.
#pragma once

#include <cstdint>

#include "writeahead/env.h"

namespace writeahead::rados {

class MakingProcess {
 public:
  [[nodiscard]] bool is_this() const { return Env::posix().process_id() == id_; }

 private:
  const uint64_t id_ = Env::posix().process_id();
};

}  // namespace writeahead::rados
