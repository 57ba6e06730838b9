// The newest bytes of the log, shown to other processes in the control file.
//
// The page of the durable end may not be read through the page cache, and a read past it takes
// longer than all the rest of a delivery. So the writer leaves a copy of what it wrote last in a
// ring behind the control page, and a follower close behind it needs no read at all. What a
// follower takes from there it verifies like any other bytes.
//
// There is one writer. A reader is never held up, and never believes a copy that was written over
// meanwhile: the writer says what is valid no more before it writes over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace writeahead::internal {

/// The writer's end, of a mapped control file. Not thread-safe.
class NewestBytes {
 public:
  explicit NewestBytes(std::span<std::byte> file) : file_(file) {}
  /// Nothing is shown any more. Before the page is announced.
  void clear();
  /// `bytes` stand at `offset` of segment `number`; whole words, as frames are. Before anybody
  /// hears that they are durable. Wait-free; more than the ring holds is not shown.
  void show(uint64_t number, uint64_t offset, std::span<const std::byte> bytes);

 private:
  std::span<std::byte> file_;
  uint64_t number_ = 0;
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

/// The readers' end, of a mapped control file: copies bytes at `offset` of segment `number` that
/// are durable by what the page said before. False if it does not show them all, and then `out`
/// holds anything. Thread-safe.
[[nodiscard]] bool read_newest(std::span<std::byte> file, uint64_t number, uint64_t offset,
                               std::span<std::byte> out);

}  // namespace writeahead::internal
