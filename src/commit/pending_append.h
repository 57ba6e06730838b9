// PendingAppend: records on their way into a frame, with whoever waits for them.
//
// The appender prepares all that needs no address. Admission gives the place, the leader of the
// frame copies the records there and fills in their checksums, and whoever completes the frame
// tells the waiting thread. AsyncAppends is the kind that nobody waits for.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "base/semaphore.h"
#include "format/record.h"
#include "writeahead/batch.h"
#include "writeahead/durability.h"
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
  [[nodiscard]] static uint64_t payload_bytes(const Batch& batch);
  /// Bytes that the records take in a frame, each with that mark.
  [[nodiscard]] static uint64_t encoded_bytes(const Batch& batch, const Mark& mark) {
    return batch.encoded_bytes() + (mark ? kMarkBytes * batch.size() : 0);
  }
  /// The payload of a record that was added without a mark.
  [[nodiscard]] static std::span<const std::byte> payload(const Batch& batch,
                                                          const Record& record) {
    return bytes(batch).subspan(record.position + kRecordHeaderBytes, record.length);
  }
  /// Adds a record, the hash of whose payload is known. Throws as Batch::add does.
  static void add(Batch& batch, std::span<const std::byte> payload, uint16_t type,
                  uint64_t payload_hash, const Mark& mark);
  /// Adds all records of `other`, which have no mark, with that one.
  static void add(Batch& batch, const Batch& other, const Mark& mark);
};

class PendingAppend {
 public:
  /// One record.
  PendingAppend(std::span<const std::byte> payload, AppendOptions options);
  /// All records of a batch that is not empty.
  PendingAppend(const Batch& batch, const BatchOptions& options);
  /// No record: waits until the frame that it joins, and all before it, have that level.
  explicit PendingAppend(Durability durability) : durability_(durability) {}
  PendingAppend(const PendingAppend&) = delete;
  PendingAppend& operator=(const PendingAppend&) = delete;
  ~PendingAppend() = default;

  /// Bytes that the records take in a frame.
  [[nodiscard]] uint64_t encoded_bytes() const { return encoded_bytes_; }
  [[nodiscard]] uint32_t record_count() const { return record_count_; }
  [[nodiscard]] uint64_t payload_bytes() const { return payload_bytes_; }
  [[nodiscard]] Durability durability() const { return durability_; }
  /// Of the records, if this is one append.
  [[nodiscard]] const Mark& mark() const { return mark_; }
  /// Whether this is an AsyncAppends, which the frame owns.
  [[nodiscard]] bool is_async() const { return is_async_; }

  /// Writes the records to `out`, which holds encoded_bytes(), but for their headers' checksums.
  void copy_to(std::span<std::byte> out) const;
  /// The payload hash of record `index`.
  [[nodiscard]] uint64_t payload_hash(uint32_t index) const;

  // The answer: the place from admission on, the error before signal().
  Appended range;
  std::optional<Error> error;

  /// What the appender is told to do.
  enum class Signal : uint32_t { wait, lead, done };
  /// Sleeps until there is something to do; never returns `wait`. Takes a `lead` away with it.
  [[nodiscard]] Signal await();
  /// Wakes the appender. After `done` it may return and end the life of this object at once.
  void signal(Signal signal);

  PendingAppend* next = nullptr;  // in the frame, under the committer's mutex

 protected:
  struct Async {};
  explicit PendingAppend(Async) : durability_(Durability::buffered), is_async_(true) {}
  void set_batch(const Batch& batch, uint64_t payload_bytes);

 private:
  const Batch* batch_ = nullptr;
  std::span<const std::byte> payload_;
  uint64_t payload_hash_ = 0;
  Mark mark_;
  uint16_t type_ = 0;
  uint64_t encoded_bytes_ = 0;
  uint64_t payload_bytes_ = 0;
  uint32_t record_count_ = 0;
  Durability durability_;
  bool is_async_ = false;
  std::atomic<Signal> signal_ = Signal::wait;
  Semaphore signals_;  // posted once for each
};

}  // namespace writeahead::internal
