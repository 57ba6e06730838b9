// PendingAppend: one append on its way, on the stack of the thread that made it.
//
// The appender prepares all that needs no address, puts it into the queue and sleeps; whoever leads
// the group fills in the answer and wakes it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "writeahead/batch.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// The way from the commit layer into a Batch.
class BatchAccess {
 public:
  using Record = Batch::Record;
  [[nodiscard]] static std::span<const std::byte> bytes(const Batch& batch) { return batch.bytes_; }
  [[nodiscard]] static std::span<const Record> records(const Batch& batch) {
    return batch.records_;
  }
  [[nodiscard]] static uint64_t longest(const Batch& batch) { return batch.longest_; }
};

class PendingAppend {
 public:
  /// One record.
  PendingAppend(std::span<const std::byte> payload, uint16_t type);
  /// All records of a batch that is not empty.
  explicit PendingAppend(const Batch& batch);
  PendingAppend(const PendingAppend&) = delete;
  PendingAppend& operator=(const PendingAppend&) = delete;

  /// Bytes that the records take in a frame.
  [[nodiscard]] uint64_t encoded_bytes() const { return encoded_bytes_; }
  [[nodiscard]] uint32_t record_count() const { return record_count_; }
  [[nodiscard]] uint64_t payload_bytes() const { return payload_bytes_; }

  /// Writes the records to `out`, which holds encoded_bytes(), but for their headers' checksums.
  void copy_to(std::span<std::byte> out) const;
  /// The payload hash of record `index`.
  [[nodiscard]] uint64_t payload_hash(uint32_t index) const;

  // The answer, set by the leader before signal().
  Appended range;
  std::optional<Error> error;

  /// What the appender is told to do.
  enum class Signal : uint32_t { wait, lead, done };
  /// Sleeps until there is something to do; never returns `wait`.
  [[nodiscard]] Signal await();
  /// Wakes the appender. It may return and end the life of this object at once.
  void signal(Signal signal);

  PendingAppend* next = nullptr;  // in the queue, under the queue's mutex

 private:
  const Batch* batch_ = nullptr;
  std::span<const std::byte> payload_;
  uint64_t payload_hash_ = 0;
  uint16_t type_ = 0;
  uint64_t encoded_bytes_;
  uint64_t payload_bytes_ = 0;
  uint32_t record_count_;
  std::atomic<Signal> signal_ = Signal::wait;
};

}  // namespace writeahead::internal
