// Env: everything that the library asks of the operating system.
//
// The library makes no system call but through an Env, so that every crash and every failing call
// can be simulated below the real code (writeahead/testing/sim_env.h does). Implementations keep
// the promises written at each call: the durability of the log rests on them and on nothing else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/export.h"

namespace writeahead {

/// The unit in which files are written: every segment and the root are laid out in such blocks.
inline constexpr size_t kBlockBytes = 4096;

/// An errno. Never 0.
struct SystemError {
  int number = 0;
};

/// The answer of a system call.
template <class T>
using SystemResult = std::expected<T, SystemError>;

/// How File::write_at relates to durability.
enum class WriteBarrier : uint8_t {
  none,   ///< Handed to the kernel, or to the device for a direct file; not durable.
  dsync,  ///< Durable when the call returns: these bytes, and what is needed to find them again.
          ///< It promises nothing about any earlier write, even to the same file.
};

/// The units in which a file's bytes reach its device, as far as the system can tell.
struct DeviceUnits {
  /// Direct transfers may begin, end and have their memory at its multiples. At most kBlockBytes.
  size_t direct_bytes = kBlockBytes;
  /// What the device writes as one: a power cut in a write may damage all of it. 0: unknown.
  size_t physical_bytes = 0;
};

/// How a file is opened.
struct OpenFlags {
  bool write = false;   ///< Read and write; read only otherwise.
  bool create = false;  ///< The name must not exist yet (EEXIST) and is created.
  bool direct = false;  ///< Past the page cache: memory, offset and length in whole kBlockBytes, or
                        ///< in whole DeviceUnits::direct_bytes.
  bool random_access = false;  ///< Never read ahead, by mappings of it neither: a page that nobody
                               ///< asked for is not touched.
  uint32_t mode = 0600;        ///< Permission bits of a created file, whatever the umask.
};

/// What is known about an open file.
struct FileInfo {
  uint64_t bytes = 0;      ///< Size.
  uint64_t links = 1;      ///< Number of names.
  bool is_regular = true;  ///< Neither a directory, a FIFO, a device nor a socket.
  bool is_owned = true;    ///< Owned by the user that this process acts as.
};

/// Who else may have a lock on the same file at the same time.
enum class LockKind : uint8_t {
  exclusive,  ///< Nobody.
  shared,     ///< Others with a shared lock.
};

/// What is mapped, and how.
struct MapOptions {
  size_t bytes = 0;       ///< From the file's beginning; more than 0.
  bool writable = false;  ///< Stores are allowed. Only of a file opened for writing (EACCES).
  /// Read everything in now: bytes that can not be read, and a file that is shorter, are an error
  /// of the call (EIO) and not a SIGBUS of the first look at them. No promise for later: pages may
  /// be dropped and read again. Of a writable region also what can not be stored to, because the
  /// file system gave up, is such an error. Does nothing where the kernel is too old for it (Linux
  /// 5.14).
  bool populate = false;
};

/// Memory that shows a file's bytes, as they are now and as they become, and is shared with every
/// other mapping of it, in this process and in others. It goes on showing a file that has lost its
/// name. What it shows never changes only if nobody writes the file: that is what locks are for.
/// Every call may be made from several threads at once.
class WRITEAHEAD_EXPORT MappedRegion {
 public:
  MappedRegion() = default;
  MappedRegion(const MappedRegion&) = delete;
  MappedRegion& operator=(const MappedRegion&) = delete;
  virtual ~MappedRegion() = default;
  /// The mapped bytes; block-aligned. To be stored to only if mapped as writable.
  [[nodiscard]] virtual std::span<std::byte> bytes() = 0;

  /// Reads a range in now, as MapOptions::populate does with all of it; a store into it right
  /// afterwards succeeds if it is writable. `offset` is a multiple of kBlockBytes; the range lies
  /// within bytes().
  [[nodiscard]] virtual SystemResult<void> populate(size_t offset, size_t count) = 0;

  /// Sleeps while the 32-bit word at `offset` (a multiple of 4) is `expected`, until wake_all() is
  /// called for this word through any mapping of the file. False if it slept for `timeout_ns`; true
  /// if it was woken, interrupted, or the word differed at once: the caller looks and, if need be,
  /// waits again. A word that is changed, atomically, before wake_all() is never slept through.
  [[nodiscard]] virtual bool wait(size_t offset, uint32_t expected, uint64_t timeout_ns) = 0;
  /// Wakes all who wait for the word at `offset`, and returns how many did. Allowed on a mapping
  /// that is not writable.
  virtual uint64_t wake_all(size_t offset) = 0;
};

/// An open file. Every call may be made from several threads at once. Closed by the destructor,
/// which also gives back the lock: an exclusive one at once, a shared one when no forked child has
/// the file open any more, for a child has its mappings, too. No call ever shrinks a file.
class WRITEAHEAD_EXPORT File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  /// Reads up to out.size() bytes; returns how many. 0 only at or behind the end of the file.
  /// May return fewer than asked. A read of a direct file shows what the device holds, not what
  /// the page cache does.
  [[nodiscard]] virtual SystemResult<size_t> read_at(uint64_t offset, std::span<std::byte> out) = 0;

  /// Writes up to data.size() bytes, extending the file where needed; returns how many, which may
  /// be fewer than asked. After an error nothing is known about the range that was written.
  [[nodiscard]] virtual SystemResult<size_t> write_at(uint64_t offset,
                                                      std::span<const std::byte> data,
                                                      WriteBarrier barrier) = 0;

  /// Makes every completed write of this file durable, by whomever it was made, with the size and
  /// all that is needed to read it back; and passes a flush to the device if any write was made
  /// since the last one. An error is reported once per open file: after one, all bytes since the
  /// last success are undefined even if a later call succeeds.
  [[nodiscard]] virtual SystemResult<void> sync_data() = 0;

  [[nodiscard]] virtual SystemResult<FileInfo> info() = 0;

  /// What an Env does not know needs no answer of its own: then the larger unit is reckoned with.
  [[nodiscard]] virtual DeviceUnits device_units() { return {}; }

  /// Takes a lock on the file, held by this open file until unlock() or until it is closed; never
  /// waits. EWOULDBLOCK when another open file, of this or another process, has one that does not
  /// go with it. A lock of the other kind that this file has is given back first, and is lost if
  /// the new one is refused.
  [[nodiscard]] virtual SystemResult<void> lock(LockKind kind) = 0;

  /// Gives the lock back. Does nothing without one, and in a child of the process that took it.
  virtual void unlock() = 0;

  /// Maps the beginning of the file, shared. The region may outlive the file. It is no lock: who
  /// needs one keeps the file open. (A shared lock of a closed file may or may not live on as long
  /// as a mapping that was made through it.)
  [[nodiscard]] virtual SystemResult<std::unique_ptr<MappedRegion>> map(MapOptions options) = 0;
};

/// An open directory. Names are single components: never empty, "." or "..", and without '/'.
/// Symbolic links are never followed; nothing but regular files and directories is opened.
/// Thread-safe.
class WRITEAHEAD_EXPORT Directory {
 public:
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  virtual ~Directory() = default;

  /// ELOOP for a symbolic link. A FIFO or a device is opened without blocking and shows in info().
  [[nodiscard]] virtual SystemResult<std::unique_ptr<File>> open(std::string_view name,
                                                                 OpenFlags flags) = 0;
  /// Whether every user of the system may make names in it. An Env without users says no.
  [[nodiscard]] virtual SystemResult<bool> is_writable_by_all() { return false; }
  /// All names but "." and "..", in no order.
  [[nodiscard]] virtual SystemResult<std::vector<std::string>> list() = 0;
  /// Fails with EEXIST rather than replace `to`. Durable after sync().
  [[nodiscard]] virtual SystemResult<void> rename_no_replace(std::string_view from,
                                                             std::string_view to) = 0;
  /// Removes a file's name. Durable after sync().
  [[nodiscard]] virtual SystemResult<void> remove(std::string_view name) = 0;
  /// Opens the directory `name` below this one; with `create`, makes it first if it is missing
  /// (permission bits `mode`, whatever the umask).
  [[nodiscard]] virtual SystemResult<std::unique_ptr<Directory>> open_directory(
      std::string_view name, bool create, uint32_t mode) = 0;
  /// Removes an empty directory (ENOTEMPTY or EEXIST: it is not). Durable after sync().
  [[nodiscard]] virtual SystemResult<void> remove_directory(std::string_view name) = 0;
  /// Makes every name that was created, renamed or removed in this directory durable.
  [[nodiscard]] virtual SystemResult<void> sync() = 0;
};

/// A process, told apart from a later one with the same number.
struct ProcessIdentity {
  uint64_t id = 0;          ///< Process number.
  uint64_t start_time = 0;  ///< When it started, in a unit of the system's.
  friend bool operator==(ProcessIdentity, ProcessIdentity) = default;
};

/// 128 bits that name a boot of the machine, or a log.
using Identifier = std::array<std::byte, 16>;

/// The system. Thread-safe; outlives every log that was opened with it.
class WRITEAHEAD_EXPORT Env {
 public:
  Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;
  virtual ~Env() = default;

  /// The real system: one instance for the whole process.
  [[nodiscard]] static Env& posix();

  /// Opens a directory by path. With `create`, makes its last component first if it is missing.
  [[nodiscard]] virtual SystemResult<std::unique_ptr<Directory>> open_directory(
      const std::string& path, bool create, uint32_t mode) = 0;
  /// Makes the name of the directory `path` durable in its parent.
  [[nodiscard]] virtual SystemResult<void> sync_parent(const std::string& path) = 0;
  /// Removes the directory `path`, durably, if it is empty (ENOTEMPTY or EEXIST: it is not).
  [[nodiscard]] virtual SystemResult<void> remove_directory(const std::string& path) = 0;
  /// How long a file may become by the writes of this process; UINT64_MAX without a limit.
  [[nodiscard]] virtual uint64_t max_file_bytes() { return UINT64_MAX; }
  /// The same place from the root on, without links, "." and "..": two paths lead to one place if
  /// these are equal. Components at the end need not exist.
  [[nodiscard]] virtual SystemResult<std::string> resolve(const std::string& path) = 0;

  /// Nanoseconds since 1970. May jump in either direction.
  [[nodiscard]] virtual uint64_t wall_clock_ns() = 0;
  /// Nanoseconds since some fixed moment of this boot. Never goes back.
  [[nodiscard]] virtual uint64_t monotonic_ns() = 0;
  /// Fills `out` with unpredictable bytes.
  [[nodiscard]] virtual SystemResult<void> random(std::span<std::byte> out) = 0;

  /// This process. Right also in a child after fork. Cheap: made at every append.
  [[nodiscard]] virtual uint64_t process_id() = 0;
  /// This process with its start time.
  [[nodiscard]] virtual ProcessIdentity process() = 0;
  /// Whether that process still runs.
  [[nodiscard]] virtual bool is_alive(ProcessIdentity process) = 0;
  /// Names the current boot of the machine; all zero if the system cannot tell.
  [[nodiscard]] virtual Identifier boot_id() = 0;
};

}  // namespace writeahead
