// HistoryFile: what one process did, in a file that outlives it.
//
// The file is mapped: what was stored is in it when the process is killed, without a call for each
// entry. Not for power cuts of this machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "nemesis/operation.h"

namespace writeahead::nemesis {

class HistoryFile {
 public:
  /// Makes the file, with room for so many entries; it takes space as they are used. Throws
  /// std::system_error.
  HistoryFile(const std::filesystem::path& path, size_t capacity);
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;
  ~HistoryFile();

  /// Entries that follow each other, empty, for this caller alone; none if the file is full.
  [[nodiscard]] std::span<Operation> reserve(size_t count);

  /// Says that an operation begins: from here on it is in the history.
  static void begin(Operation& entry, const Operation& operation);
  /// Says how it ended.
  static void end(Operation& entry, Operation::Outcome outcome);

  /// What was begun, in the order of the file.
  [[nodiscard]] static std::vector<Operation> read(const std::filesystem::path& path);

 private:
  std::span<Operation> entries_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace writeahead::nemesis
