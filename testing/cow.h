// Cow: a value that is shared between copies until one of them changes it.
//
// Makes a copy of a simulated disk cost a few reference counts. The count is read with acquire
// before a change in place, so copies may live and die in different threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace writeahead::testing::internal {

/// Holds a T or nothing. As thread-safe as an int: each Cow needs its own guard, what is shared
/// between them does not.
template <class T>
class Cow {
 public:
  Cow() = default;
  explicit Cow(T value) : node_(new Node(std::move(value))) {}
  Cow(const Cow& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Cow(Cow&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Cow& operator=(Cow other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Cow() {
    if (node_ != nullptr && node_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete node_;
    }
  }

  explicit operator bool() const noexcept { return node_ != nullptr; }
  /// Whether both hold the very same value, unchanged since one was copied from the other.
  [[nodiscard]] bool shares_with(const Cow& other) const noexcept { return node_ == other.node_; }
  const T& operator*() const noexcept { return node_->value; }
  const T* operator->() const noexcept { return &node_->value; }

  /// The value, for changing: copied first if it is shared. Must not be empty.
  T& mutate() {
    if (node_->owners.load(std::memory_order_acquire) != 1) {
      Cow copy;
      copy.node_ = new Node(node_->value);
      std::swap(node_, copy.node_);
    }
    return node_->value;
  }

 private:
  struct Node {
    explicit Node(const T& initial) : value(initial) {}
    explicit Node(T&& initial) : value(std::move(initial)) {}
    std::atomic<uint32_t> owners = 1;
    T value;
  };
  Node* node_ = nullptr;
};

}  // namespace writeahead::testing::internal
