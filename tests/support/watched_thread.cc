// What the kernel says of a thread: its state, and how often it gave up its processor by itself.
#include "support/watched_thread.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>

namespace writeahead::test {

WatchedThread::WatchedThread(std::function<void(std::stop_token)> body)
    : thread_([this, body = std::move(body)](std::stop_token stop) {
        id_ = ::gettid();
        body(std::move(stop));
        has_ended_ = true;
      }) {}

bool WatchedThread::falls_asleep() {
  sleep_.reset();
  while (!has_ended_) {
    const auto before = std::exchange(sleep_, id_ != 0 ? sleeps() : std::nullopt);
    // Twice the same: the state is set a moment before the sleep is counted.
    if (sleep_ && sleep_ == before) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return false;
}

bool WatchedThread::was_woken() const { return sleeps() != sleep_; }

std::optional<uint64_t> WatchedThread::sleeps() const {
  std::ifstream status("/proc/self/task/" + std::to_string(id_) + "/status");
  bool is_asleep = false;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:")) is_asleep = line.find('S', 6) != std::string::npos;
    const std::string count = "voluntary_ctxt_switches:";
    if (is_asleep && line.starts_with(count)) return std::stoull(line.substr(count.size()));
  }
  return std::nullopt;
}

}  // namespace writeahead::test
