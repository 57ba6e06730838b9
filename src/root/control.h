// The control page's two ends: the writer that publishes, and what others read from it.
//
// The page is shared memory between processes. Nothing that the writer reads there changes what it
// writes to the log, so nobody who scribbles on it can harm the log; a reader believes it only if
// it is of this boot and this log.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "root/newest_bytes.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What a control page says.
struct ControlState {
  uint64_t epoch = 0;
  Identifier boot_id{};
  Identifier log_id{};
  ProcessIdentity writer;
  Lsn durable_lsn;
  uint64_t truncation_count = 0;
};

/// Whose page is believed.
struct ControlOwner {
  Identifier boot_id{};
  Identifier log_id{};
};

/// What can be asked at any time, whoever the page belongs to.
struct ControlSigns {
  uint64_t changes = 0;  ///< Raised behind every change of anything else.
  uint64_t truncation_count = 0;
};

/// The writer's end. publish_durable() is wait-free and may be called beside readers.
class ControlWriter {
 public:
  /// Creates the page if it is missing, fully allocated and durable but for its name, and maps it.
  [[nodiscard]] static Result<ControlWriter> open(Directory& directory,
                                                  const std::string& directory_path, uint32_t mode);
  /// Announces a new owner. Until it returns, readers find no valid page.
  void announce(const ControlState& state);
  /// Before a truncation lowers what is durable: whoever read the old count looks again.
  void raise_truncation_count(uint64_t count);
  /// Says that nobody writes any more. The process may live on, and must not pass for a writer.
  void withdraw();
  /// Everything below `lsn` is durable. Called before anything up to there is acknowledged.
  void publish_durable(Lsn lsn);
  /// As NewestBytes::show().
  void show(uint64_t number, uint64_t offset, std::span<const std::byte> bytes) {
    newest_.show(number, offset, bytes);
  }
  /// Wakes followers that wait for changes; returns how many were asleep. A system call only if
  /// one may be.
  uint64_t wake_followers();

 private:
  explicit ControlWriter(std::unique_ptr<MappedRegion> region)
      : region_(std::move(region)), newest_(region_->bytes()) {}
  std::unique_ptr<MappedRegion> region_;
  NewestBytes newest_;
};

/// The readers' end.
class ControlReader {
 public:
  /// Maps the page; null if there is none or it is not whole.
  [[nodiscard]] static Result<std::unique_ptr<ControlReader>> open(
      Directory& directory, const std::string& directory_path);
  /// What the page says now; nothing while it is being announced or if it never was.
  [[nodiscard]] std::optional<ControlState> read() const;
  [[nodiscard]] ControlSigns signs() const;
  /// As the function of this name. False, too, if nobody writes or the page is somebody else's.
  [[nodiscard]] bool read_newest(const ControlOwner& owner, uint64_t number, uint64_t offset,
                                 std::span<std::byte> out) const;

  /// Sleeps until ControlSigns::changes is not `seen`, for `timeout` at the longest. If the page
  /// may be written, the writer is asked to end the sleep; else it may take all of that time.
  void wait(Directory& directory, uint64_t seen, std::chrono::nanoseconds timeout);
  /// Ends all waits for changes, of others, too; at once if the page may be written.
  void interrupt();

 private:
  explicit ControlReader(std::unique_ptr<MappedRegion> region)
      : region_(std::move(region)), page_(region_->bytes()) {}
  std::unique_ptr<MappedRegion> region_;
  const std::span<std::byte> page_;
  std::once_flag has_tried_;
  std::unique_ptr<MappedRegion> owned_writable_;   // made by the first wait
  std::atomic<MappedRegion*> writable_ = nullptr;  // the same; null as long as it is not there
};

/// What a writer shows of one segment. Thread-safe.
class ShownSegment {
 public:
  ShownSegment(std::shared_ptr<const ControlReader> control, const ControlOwner& owner,
               uint64_t number)
      : control_(std::move(control)), owner_(owner), number_(number) {}
  /// As read_newest().
  [[nodiscard]] bool read(uint64_t offset, std::span<std::byte> out) const {
    return control_->read_newest(owner_, number_, offset, out);
  }

 private:
  std::shared_ptr<const ControlReader> control_;
  ControlOwner owner_;
  uint64_t number_;
};

}  // namespace writeahead::internal
