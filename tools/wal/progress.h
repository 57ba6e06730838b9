// Progress: a line on the terminal for what takes over a second.
//
// It lives on standard error, only if that is a terminal, and is gone when the object is: what
// stays on the screen is the same as with a pipe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace wal {

/// `verb` is what is going on, as in "appending". Destroyed before a failure is printed.
class Progress {
 public:
  explicit Progress(std::string verb, bool is_wanted = true);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() = default;

  /// Counts records that are done; shown once there are any.
  void add(uint64_t records) { records_.fetch_add(records, std::memory_order_relaxed); }
  /// Shows this text from now on, in place of the verb and the count.
  void say(std::string text);

 private:
  void show(const std::stop_token& stop);
  [[nodiscard]] std::string text();

  std::string verb_;
  std::mutex mutex_;
  std::string said_;  // guarded by it
  std::atomic<uint64_t> records_ = 0;
  std::jthread thread_;  // last, so that it ends before what it reads
};

}  // namespace wal
