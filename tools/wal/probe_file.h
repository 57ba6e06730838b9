// ProbeFile: a prepared file, and how long one way of making some bytes durable in it takes.
//
// It does what a log does with one frame after the other: the blocks that the bytes lie in are
// written whole, the last one again and again until it is full. The blocks were written and synced
// before, as those of a prepared segment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "failure.h"
#include "writeahead/env.h"
#include "writeahead/options.h"

namespace wal {

/// The methods that can be timed, in the order in which a log prefers them.
inline constexpr std::array kProbeMethods = {writeahead::SyncMethod::direct_dsync,
                                             writeahead::SyncMethod::dsync,
                                             writeahead::SyncMethod::fdatasync};

/// How long a ProbeFile is before it begins again, and the most that one call of append() writes.
struct ProbeSize {
  uint64_t file_bytes = uint64_t{1} << 20;
  uint64_t largest_append = writeahead::kBlockBytes;
};

class ProbeFile {
 public:
  /// Prepares a file in `directory`. Its name is gone when this returns, so that nothing can be
  /// left behind. Nothing (null) if the file system refuses the method; a failure for any other
  /// error.
  [[nodiscard]] static Outcome<std::unique_ptr<ProbeFile>> open(writeahead::Env& env,
                                                                writeahead::Directory& directory,
                                                                const std::string& path,
                                                                writeahead::SyncMethod method,
                                                                ProbeSize size = {});

  /// Makes the next `bytes` durable. How long it took, in nanoseconds.
  [[nodiscard]] Outcome<uint64_t> append(uint64_t bytes);

  [[nodiscard]] writeahead::SyncMethod method() const { return method_; }
  /// The open file, for who writes it by himself.
  [[nodiscard]] writeahead::File& file() const { return *file_; }

 private:
  using Memory = std::unique_ptr<std::byte[], void (*)(std::byte*)>;

  ProbeFile(writeahead::Env& env, std::unique_ptr<writeahead::File> file, std::string path,
            writeahead::SyncMethod method, ProbeSize size);
  [[nodiscard]] writeahead::SystemResult<void> write_blocks(uint64_t offset, uint64_t bytes);

  writeahead::Env& env_;
  std::unique_ptr<writeahead::File> file_;
  std::string path_;
  writeahead::SyncMethod method_;
  ProbeSize size_;
  uint64_t appends_ = 0;
  uint64_t end_ = 0;  // of what was appended, in the file
  Memory memory_;     // from the block that `end_` lies in on
};

}  // namespace wal
