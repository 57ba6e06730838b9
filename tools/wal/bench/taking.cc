// Threads that begin together, so that none is done before the last one has started; what it
// takes to start them is not measured.
#include "bench/taking.h"

#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace wal::bench {

void require(bool holds, std::string_view what, ExitCode code) {
  if (!holds) {
    throw NotMeasured({code, std::string(what)});
  }
}

Elapsed run_together(size_t count, const std::function<void(size_t)>& work) {
  std::vector<std::exception_ptr> thrown(count);
  Elapsed elapsed;
  {
    std::latch are_ready(static_cast<std::ptrdiff_t>(count));
    std::latch start(1);
    std::vector<std::jthread> threads;
    threads.reserve(count);
    const auto run = [&](size_t i) {
      are_ready.count_down();
      start.wait();
      try {
        work(i);
      } catch (...) {
        thrown[i] = std::current_exception();
      }
    };
    try {
      while (threads.size() < count) {
        threads.emplace_back(run, threads.size());
      }
    } catch (const std::system_error& refused) {
      are_ready.count_down(static_cast<std::ptrdiff_t>(count - threads.size()));
      thrown[0] = std::make_exception_ptr(
          NotMeasured(system_failure("start a thread", refused.code().value()).error()));
    }
    are_ready.wait();
    const Stopwatch time;
    start.count_down();
    threads.clear();
    elapsed = time.elapsed();
  }
  for (const auto& each : thrown) {
    if (each) {
      std::rethrow_exception(each);
    }
  }
  return elapsed;
}

}  // namespace wal::bench
