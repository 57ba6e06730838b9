// RecordInput: records from standard input or a file, in either input format.
//
// Every byte is allowed in a record, and a record may be longer than any buffer. Records that
// were complete are always handed out before the error that follows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "failure.h"

namespace wal {

enum class InputFormat {
  lines,            ///< One record a line, without its newline; the last may lack it.
  length_prefixed,  ///< A 32-bit little-endian length and as many bytes, again and again.
};

/// The longest record that is taken: what the library allows.
inline constexpr uint64_t kLongestRecordBytes = uint64_t{1} << 30;

/// Not thread-safe.
class RecordInput {
 public:
  /// Reads the file `path`, or standard input if it is empty.
  [[nodiscard]] static Outcome<RecordInput> open(const std::string& path, InputFormat format);

  RecordInput(RecordInput&& other) noexcept;
  RecordInput(const RecordInput&) = delete;
  RecordInput& operator=(const RecordInput&) = delete;
  RecordInput& operator=(RecordInput&&) = delete;
  ~RecordInput();

  /// The next record, in place until the next call; nothing at the end. Usage failures: an end
  /// inside a length-prefixed record, and a record that is too long.
  [[nodiscard]] Outcome<std::optional<std::span<const std::byte>>> next();

  /// Whether next() would have to wait for whoever writes the input. Waits for nothing itself. The
  /// record that next() handed out last is no longer in place.
  [[nodiscard]] bool would_wait();

 private:
  struct Extent {
    size_t begin = 0;  // of the payload in buffer_
    size_t end = 0;
    size_t next = 0;  // where the next record begins
  };

  RecordInput(int descriptor, std::string name, InputFormat format);

  [[nodiscard]] bool find_record();
  [[nodiscard]] bool find_line();
  [[nodiscard]] bool find_length_prefixed();
  void refuse_longer_than(uint64_t bytes);
  void make_room();
  void fill();
  [[nodiscard]] size_t unread() const { return end_ - begin_; }

  int descriptor_;
  std::string name_;  // as it stands in messages
  InputFormat format_;
  std::vector<char> buffer_;  // input in [begin_, end_)
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t searched_ = 0;          // no newline in [begin_, begin_ + searched_)
  uint64_t records_ = 0;         // handed out so far
  std::optional<Extent> found_;  // the next record, if it is in the buffer
  bool is_at_end_ = false;
  std::optional<Failure> failure_;
};

}  // namespace wal
