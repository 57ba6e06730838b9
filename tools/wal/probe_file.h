// ProbeFile: a prepared file, and how long one way of making 64 bytes durable in it takes.
//
// It does what a log does with one small record after the other: the block that the record lies in
// is written whole, again and again until it is full. The blocks were written and synced before,
// as those of a prepared segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "failure.h"
#include "writeahead/env.h"
#include "writeahead/options.h"

namespace wal {

class ProbeFile {
 public:
  /// Prepares a file in `directory`. Its name is gone when this returns, so that nothing can be
  /// left behind. Nothing (null) if the file system refuses the method; a failure for any other
  /// error.
  [[nodiscard]] static Outcome<std::unique_ptr<ProbeFile>> open(writeahead::Env& env,
                                                                writeahead::Directory& directory,
                                                                const std::string& path,
                                                                writeahead::SyncMethod method);

  /// Makes the next 64 bytes durable. How long it took, in nanoseconds.
  [[nodiscard]] Outcome<uint64_t> write_next();

  [[nodiscard]] writeahead::SyncMethod method() const { return method_; }

 private:
  struct Block;

  ProbeFile(writeahead::Env& env, std::unique_ptr<writeahead::File> file, std::string path,
            writeahead::SyncMethod method);
  [[nodiscard]] writeahead::SystemResult<void> write_block(uint64_t offset);

  writeahead::Env& env_;
  std::unique_ptr<writeahead::File> file_;
  std::string path_;
  writeahead::SyncMethod method_;
  uint64_t steps_ = 0;
  std::shared_ptr<Block> block_;
};

}  // namespace wal
