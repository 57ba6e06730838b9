// SimDisk: the storage of a simulated machine, as a value: what is durable, and what is not yet.
//
// A disk changes through a SimEnv that runs on it. Whatever was not made durable is a list of
// undecided items; crash() decides each of them and gives the disk as it is found after a power
// cut. Copies share their bytes and cost a few reference counts, so that all states which one
// moment can fall into may be tried.
//
// What is undecided:
//  - each sector of each write since the file's last successful sync: written, or lost. Two writes
//    of a sector may reach the medium in either order: keep the first and lose the second;
//  - each growth of a file, apart from its bytes. Bytes behind the surviving size are gone; size
//    without its bytes shows zeros, or torn bytes by the plan;
//  - each name that was created, renamed or removed since its directory's last successful sync. A
//    synced file without a name is gone;
//  - after a failed sync or write all of these for good: no later sync makes them durable, only
//    writing and syncing again does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/testing/crash_plan.h"

namespace writeahead::testing {

namespace internal {
struct SimDiskState;
}  // namespace internal

/// One thing that a power cut would decide.
struct Undecided {
  enum class Kind : uint8_t { sector, size, name };
  Kind kind = Kind::sector;
  uint64_t order = 0;   ///< When it was done: smaller is earlier, over the whole disk.
  std::string path;     ///< The file, or the name. Empty for a file that has no name any more.
  uint64_t offset = 0;  ///< Of the sector; of a size, the size.
};

/// What a name stands for, beyond a plain file.
enum class SimFileKind : uint8_t {
  regular,
  special,        ///< A FIFO or a device: opens, and shows in info().
  symbolic_link,  ///< Is not opened: ELOOP.
  foreign,        ///< A regular file that belongs to another user.
};

/// See the file's head. Not thread-safe, but copies are independent of each other. Paths begin at
/// the root directory, with or without '/'. A moved-from disk may only be assigned or destroyed.
class SimDisk {
 public:
  /// An empty disk whose writes tear at `sector_bytes`: 512 or 4096.
  explicit SimDisk(size_t sector_bytes = 512);
  SimDisk(const SimDisk& other);
  SimDisk(SimDisk&& other) noexcept;
  SimDisk& operator=(const SimDisk& other);
  SimDisk& operator=(SimDisk&& other) noexcept;
  ~SimDisk();

  /// How many items crash() decides.
  [[nodiscard]] size_t undecided_count() const;
  /// The items, in the order of CrashPlan::kept: not the order of time.
  [[nodiscard]] std::vector<Undecided> undecided() const;
  /// The disk after a power cut. Everything on it is durable; boots() is one more.
  [[nodiscard]] SimDisk crash(const CrashPlan& plan) const;
  /// The disk after an orderly shutdown: everything but failed writes is kept, as if synced.
  [[nodiscard]] SimDisk shut_down() const;
  /// Number of boots; the boot id of a SimEnv follows from it.
  [[nodiscard]] uint64_t boots() const;

  // For tests that prepare, damage or compare. What these change is durable at once, with all that
  // was pending on the same file or name forgotten.

  /// Makes a directory and all above it.
  void make_directory(std::string_view path);
  /// Makes or replaces a file; directories above it are made.
  void put(std::string_view path, std::span<const std::byte> bytes,
           SimFileKind kind = SimFileKind::regular);
  /// Gives a file a second name. False if it does not exist.
  bool link(std::string_view path, std::string_view new_path);
  /// Takes a name away. False if it does not exist.
  bool erase(std::string_view path);
  /// What a buffered read shows; nothing if there is no such file.
  [[nodiscard]] std::optional<std::vector<std::byte>> contents(std::string_view path) const;
  /// The names in a directory, sorted; nothing if there is no such directory.
  [[nodiscard]] std::optional<std::vector<std::string>> names(std::string_view path) const;
  /// The paths of all files, sorted.
  [[nodiscard]] std::vector<std::string> files() const;
  /// A hash of all names and bytes that it shows; cheap for a disk that shares most with others
  /// that were asked. Disks that agree in it are the same but for what is undecided.
  [[nodiscard]] uint64_t digest() const;
  /// Whether both show the same names and the same bytes. Disks that share bytes compare quickly.
  [[nodiscard]] bool shows_same_as(const SimDisk& other) const;

  /// For SimEnv.
  [[nodiscard]] internal::SimDiskState& state() noexcept { return *state_; }
  [[nodiscard]] const internal::SimDiskState& state() const noexcept { return *state_; }

 private:
  explicit SimDisk(std::unique_ptr<internal::SimDiskState> state) noexcept;

  std::unique_ptr<internal::SimDiskState> state_;
};

}  // namespace writeahead::testing
