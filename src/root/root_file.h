// RootFile: the small file with what the segments cannot say of themselves, kept in two slots.
//
// It is preallocated and only ever overwritten, so that it can be written on a full disk. A write
// goes to the bad slot, else to the older one, and never while the other is not durable: whatever
// a crash does to the slot being written, the other one stands.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/aligned_buffer.h"
#include "env/block_file.h"
#include "format/root_slot.h"
#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What the two slots hold.
struct RootSlots {
  std::array<DecodedRootSlot, 2> slot;

  [[nodiscard]] bool is_valid(size_t index) const {
    return slot[index].state == HeaderState::valid;
  }
  /// The valid slot with the higher sequence; call only if one is valid.
  [[nodiscard]] size_t newest() const;
};

/// Not thread-safe: the owner of a log writes it from one thread at a time.
class RootFile {
 public:
  /// `no_space` where this process may not write files as long as a root. A write there would fall
  /// short or be refused, which does not say why, and leave half a slot.
  [[nodiscard]] static Result<void> check_room(Env& env, std::string_view action,
                                               const std::string& directory_path);
  /// Opens the root in `directory` if it is there; null if not.
  [[nodiscard]] static Result<std::unique_ptr<RootFile>> open(Directory& directory,
                                                              const std::string& directory_path,
                                                              bool for_writing);
  /// Creates it, empty: the first write of both slots, and a sync of the directory, make it
  /// durable. EEXIST becomes null: open it then.
  [[nodiscard]] static Result<std::unique_ptr<RootFile>> create(Directory& directory,
                                                                const std::string& directory_path,
                                                                uint32_t mode);

  /// Takes the lock that makes this process the log's owner; false if somebody else has it.
  [[nodiscard]] Result<bool> lock();

  /// Whether it still has its name. Once it has not, the log was destroyed, and what is written
  /// here is nobody's.
  [[nodiscard]] Result<bool> has_name();

  /// Syncs the file and reads both slots past the page cache: a slot that only the cache holds must
  /// not make us overwrite the durable one.
  [[nodiscard]] Result<RootSlots> load();

  /// Replaces one slot and makes it durable by `method`. After load(). An error means that nothing
  /// is known about that slot: the caller writes no more.
  [[nodiscard]] Result<void> write_one(const RootState& root, SyncMethod method);
  /// Replaces both slots, one after the other. Neither call takes memory.
  [[nodiscard]] Result<void> write_both(const RootState& root, SyncMethod method);

  [[nodiscard]] bool reads_device() const { return file_->reads_device(); }
  [[nodiscard]] DeviceUnits device_units() { return file_->device_units(); }

 private:
  RootFile(std::unique_ptr<BlockFile> file, std::string path);
  [[nodiscard]] Result<void> write_slot(size_t slot, std::span<const std::byte> block,
                                        SyncMethod method);

  std::unique_ptr<BlockFile> file_;
  std::string path_;
  // What is written. There before: once one slot is written the other has to follow.
  AlignedBuffer block_;
  size_t next_slot_ = 0;  // the one to be overwritten next
  uint64_t next_sequence_ = 1;
  // The newest slot as it was read, where only the page cache could be asked: a failed write of
  // this boot may be all that it shows, so it is written again before the other slot is touched.
  AlignedBuffer uncertain_;
};

}  // namespace writeahead::internal
