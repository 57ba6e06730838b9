// SimMappedRegion: a mapping on a simulated machine, and the memory behind it.
//
// A file that was mapped has an image in memory that every write of the file goes into at once, so
// that a mapping shows what becomes of its bytes, also without a name and after recycling. Stores
// through mappings are seen by the others of the same image and reach no disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "sim_disk_state.h"
#include "writeahead/env.h"

namespace writeahead::testing::internal {

class SimMachine;
struct SimProcess;

/// Block-aligned memory that all mappings of a file share.
class SimMemory {
 public:
  explicit SimMemory(size_t bytes);
  ~SimMemory();
  SimMemory(const SimMemory&) = delete;
  SimMemory& operator=(const SimMemory&) = delete;
  [[nodiscard]] std::span<std::byte> bytes() const noexcept {
    return std::as_writable_bytes(words_);
  }
  /// The value of the 32-bit word at `offset`, which others may be storing to.
  [[nodiscard]] uint32_t load_word(size_t offset) const noexcept;

 private:
  std::span<uint32_t> words_;
};

/// The images of all files that were ever mapped. Used with the machine's mutex held.
class SimMemories {
 public:
  /// An image of at least so many bytes: the one there is if it is large enough, else a larger one
  /// that begins with it. Memory that somebody looks at can not move; it stays, as an image of its
  /// own that takes the file's writes but no longer others' stores.
  [[nodiscard]] std::shared_ptr<SimMemory> image(NodeNumber node, const SimFileState& file,
                                                 size_t bytes);
  /// Shows a write of the file in all its images.
  void show(NodeNumber node, const SimFileState& file, uint64_t offset, size_t count) const;

 private:
  struct Images {
    std::shared_ptr<SimMemory> newest;  // Kept for the next mapping.
    std::vector<std::weak_ptr<SimMemory>> older;
  };
  std::map<NodeNumber, Images> images_;
};

/// A thread in MappedRegion::wait.
struct SimWaiter {
  NodeNumber node;
  size_t offset;
  bool is_woken = false;
};

/// See MappedRegion for the contract.
class SimMappedRegion final : public MappedRegion {
 public:
  SimMappedRegion(std::shared_ptr<SimMachine> machine, std::shared_ptr<const SimProcess> process,
                  NodeNumber node, std::shared_ptr<SimMemory> memory, size_t count);

  std::span<std::byte> bytes() override { return memory_->bytes().first(count_); }
  SystemResult<void> populate(size_t offset, size_t count) override;
  bool wait(size_t offset, uint32_t expected, uint64_t timeout_ns) override;
  uint64_t wake_all(size_t offset) override;

 private:
  const std::shared_ptr<SimMachine> machine_;
  const std::shared_ptr<const SimProcess> process_;
  const NodeNumber node_;
  const std::shared_ptr<SimMemory> memory_;
  const size_t count_;
};

}  // namespace writeahead::testing::internal
