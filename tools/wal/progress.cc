// A thread of its own draws the line, so that it moves also while one call of the library takes
// long, and costs the work nothing.
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <utility>

namespace wal {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kQuietTime{1000};
constexpr milliseconds kInterval{200};

void write_to_terminal(std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Progress::Progress(std::string verb, bool is_wanted) : verb_(std::move(verb)) {
  if (is_wanted && ::isatty(STDERR_FILENO) != 0) {
    thread_ = std::jthread([this](const std::stop_token& stop) { show(stop); });
  }
}

void Progress::say(std::string text) {
  const std::lock_guard lock(mutex_);
  said_ = std::move(text);
}

std::string Progress::text() {
  {
    const std::lock_guard lock(mutex_);
    if (!said_.empty()) {
      return said_;
    }
  }
  const uint64_t records = records_.load(std::memory_order_relaxed);
  return records == 0 ? verb_ : fmt::format("{}, {} records", verb_, records);
}

void Progress::show(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  const auto start = steady_clock::now();
  const auto pause = [&](milliseconds time) {
    return stopped.wait_for(lock, stop, time, [&] { return stop.stop_requested(); });
  };
  if (pause(kQuietTime)) {
    return;
  }
  do {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - start);
    write_to_terminal(fmt::format("\r\x1b[K{}, {} s", text(), seconds.count()));
  } while (!pause(kInterval));
  write_to_terminal("\r\x1b[K");
}

}  // namespace wal
