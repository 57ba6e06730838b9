// Output: standard output, buffered, with every outcome of a write accounted for.
//
// A pipe that its reader closed is a normal end (`wal cat d | head`): what follows is dropped
// without an error. Any other failed write is remembered, with its first cause, until flush().
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "failure.h"

namespace wal {

/// `text` with control characters as \\xNN: names may hold a newline or an escape sequence, and
/// neither reaches the terminal.
[[nodiscard]] std::string printable(std::string_view text);

/// Not thread-safe. Whoever writes calls flush() at the end: the destructor writes nothing, since
/// it could not report.
class Output {
 public:
  /// Writes to `descriptor`, which stays open behind the object.
  explicit Output(int descriptor);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  void write(std::span<const std::byte> bytes);

  /// Hands everything to the system. The first failed write of all, if there was one.
  [[nodiscard]] Outcome<void> flush();

  /// Whether what is written still goes anywhere.
  [[nodiscard]] bool is_open() const { return state_ == State::open; }

 private:
  enum class State { open, closed_by_reader, failed };

  void write_out(std::string_view text);

  int descriptor_;
  State state_ = State::open;
  int error_number_ = 0;
  std::string buffer_;
};

}  // namespace wal
