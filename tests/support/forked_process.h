// ForkedProcess and SharedMemory: a child that runs a function of the test itself, and memory that
// both see, which keeps what the child stored when a signal ends it.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <functional>
#include <new>
#include <optional>
#include <type_traits>

namespace writeahead::test {

/// A child of this process. To be made while this process has one thread only, unless the body does
/// no more than what is allowed in the child of a program with threads. One thread at a time.
class ForkedProcess {
 public:
  /// Runs `body` in the child and ends it with what it returns, without destructors of the test.
  /// The child does not outlive the thread that made it.
  explicit ForkedProcess(const std::function<int()>& body);
  ForkedProcess(const ForkedProcess&) = delete;
  ForkedProcess& operator=(const ForkedProcess&) = delete;
  /// Kills what still runs, and waits for it.
  ~ForkedProcess();

  [[nodiscard]] pid_t id() const { return process_; }
  void send_signal(int signal) const;
  /// Waits for the end: the exit code, or minus the number of the signal that ended it.
  int wait();
  /// How it ended, as wait() says it; nothing while it runs.
  [[nodiscard]] std::optional<int> ended();
  /// SIGKILL and wait(): -SIGKILL unless the child had ended by itself.
  int kill();

 private:
  pid_t process_;
  std::optional<int> end_;
};

/// One T, zeroed, which forked children share with their parent. Pages take no memory until used.
template <class T>
class SharedMemory {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  SharedMemory()
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(memory_, sizeof(T)); }

  [[nodiscard]] T* operator->() const { return static_cast<T*>(memory_); }
  [[nodiscard]] T& operator*() const { return *static_cast<T*>(memory_); }

 private:
  void* memory_;
};

}  // namespace writeahead::test
