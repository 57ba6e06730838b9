// An operator new that refuses: it replaces that of the program it is linked into.
#pragma once

#include <cstdint>
#include <new>
#include <utility>

namespace writeahead::test {

/// Which requests are refused. For programs of one thread.
struct Refusal {
  bool is_armed = false;  ///< Only requests that are made meanwhile count.
  bool is_for_ever = false;
  uint64_t k = 0;  ///< 1 is the first one; 0: none.
  uint64_t requests = 0;
  uint64_t refused = 0;
};
inline Refusal refusal;

/// Sets whether requests count, as long as it lives.
class Arming {
 public:
  explicit Arming(bool is_armed) : before_(std::exchange(refusal.is_armed, is_armed)) {}
  Arming(const Arming&) = delete;
  Arming& operator=(const Arming&) = delete;
  ~Arming() { refusal.is_armed = before_; }

 private:
  const bool before_;
};

/// Whether the call ends without an exception although every request is refused. Afterwards
/// `refusal.refused` says how many there were.
template <class Call>
bool succeeds_without_memory(const Call& call) {
  refusal = {.is_for_ever = true, .k = 1};
  bool has_succeeded = true;
  try {
    const Arming armed(true);
    call();
  } catch (const std::bad_alloc&) {
    has_succeeded = false;
  }
  refusal.k = 0;
  return has_succeeded;
}

/// Runs a call of the library, whose requests count; false if it threw for want of memory.
template <class Call>
bool has_memory_for(const Call& call) {
  const Arming armed(true);
  try {
    call();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace writeahead::test
