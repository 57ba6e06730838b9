// Semaphore: a thread sleeps until another one has posted.
//
// std::atomic's wait() and the standard semaphores yield four times before they sleep. Where a
// thousand threads wait for a device that was most of what the processors did.
#pragma once

#include <semaphore.h>

#include <cerrno>

#include "base/check.h"

namespace writeahead::internal {

class Semaphore {
 public:
  Semaphore() { (void)::sem_init(&semaphore_, 0, 0); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() { (void)::sem_destroy(&semaphore_); }

  /// Lets one wait() return. It may end the life of this object at once.
  void post() { (void)::sem_post(&semaphore_); }
  void wait() {
    // style-ok(system): of the threads' library, as what is behind std::mutex
    while (::sem_wait(&semaphore_) != 0) WRITEAHEAD_CHECK(errno == EINTR);  // A handler ran.
  }

 private:
  ::sem_t semaphore_;
};

}  // namespace writeahead::internal
