// Follower: a thread that waits at a reader, and keeps what each wait brought. For tests of waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "writeahead/reader.h"

namespace writeahead::test {

/// What a wait brings, in a word: the payload, or the code of the error.
inline std::string wait(Reader& reader, const std::stop_token& stop = {},
                        std::optional<std::chrono::nanoseconds> timeout = std::nullopt) {
  const auto waited = reader.wait_next(stop, timeout);
  if (!waited) return stop.stop_requested() ? "stopped" : "timed out";
  if (!*waited) return std::string(to_string(waited->error().code()));
  const auto payload = (*waited)->payload;
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

/// A thread that waits on and on, and keeps what each wait brought, until one brings no number.
class Follower {
 public:
  explicit Follower(Reader reader)
      : reader_(std::move(reader)), thread_([this](const std::stop_token& stop) {
          do {
            got_.push_back(wait(reader_, stop));
            ++count_;
            count_.notify_all();
          } while (got_.back()[0] >= '0' && got_.back()[0] <= '9');
          count_ = kEnded;
          count_.notify_all();
        }) {}

  /// Waits until it got so much, or has ended.
  void await(uint64_t count) {
    for (auto now = count_.load(); now < count; now = count_.load()) count_.wait(now);
  }
  /// What came so far.
  [[nodiscard]] uint64_t count() const { return count_.load(); }
  void stop() { thread_.request_stop(); }
  /// Everything that it got, when it has ended.
  const std::vector<std::string>& got() {
    if (thread_.joinable()) thread_.join();
    return got_;
  }

 private:
  static constexpr uint64_t kEnded = UINT64_MAX;

  Reader reader_;
  std::vector<std::string> got_;
  std::atomic<uint64_t> count_ = 0;
  std::jthread thread_;
};

/// What a follower gets from records "0" to "<count - 1>", and then `end`.
inline std::vector<std::string> numbers(int count, const std::string& end) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(std::to_string(i));
  all.push_back(end);
  return all;
}

}  // namespace writeahead::test
