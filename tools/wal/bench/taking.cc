// Threads that begin together, so that none is done before the last one has started.
#include "bench/taking.h"

#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace wal::bench {

void require(bool holds, std::string_view what) {
  if (!holds) {
    throw NotMeasured({ExitCode::damage, std::string(what)});
  }
}

void run_together(size_t count, const std::function<void(size_t)>& work) {
  std::vector<std::exception_ptr> thrown(count);
  {
    std::latch all(static_cast<std::ptrdiff_t>(count));
    std::vector<std::jthread> threads;
    threads.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        all.arrive_and_wait();
        try {
          work(i);
        } catch (...) {
          thrown[i] = std::current_exception();
        }
      });
    }
  }
  for (const auto& each : thrown) {
    if (each) {
      std::rethrow_exception(each);
    }
  }
}

}  // namespace wal::bench
