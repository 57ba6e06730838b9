// IndexCore: keeps contents up with a log, and opens and writes their snapshots.
//
// Records are taken in by their Lsns, each once, by one thread at a time: whoever wants to find a
// record that was appended has the index go on up to it, and does so for all who wait. So no entry
// needs to say which of two writes was later, and nothing is taken in that is not durable.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "writeahead/export.h"
#include "writeahead/index/detail/index_contents.h"
#include "writeahead/index/index_options.h"
#include "writeahead/log.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

class SnapshotDirectory;
class SnapshotReader;
class SnapshotWriter;
struct RecordMark;

/// Thread-safe, but for destroying. Log and contents outlive it.
class WRITEAHEAD_EXPORT IndexCore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<IndexCore>> open(Log& log, IndexContents& contents,
                                                               const IndexOptions& options);
  IndexCore(const IndexCore&) = delete;
  IndexCore& operator=(const IndexCore&) = delete;
  ~IndexCore();

  /// Begins the background, if there is to be one. It runs `work`, too, each time that records
  /// came, as long as that says that there is more; and `on_end` once none will come any more.
  void start(std::function<Result<bool>()> work = {},
             std::function<void(const Error&)> on_end = {});
  [[nodiscard]] Result<void> advance_to(Lsn lsn);
  [[nodiscard]] Result<void> advance();
  [[nodiscard]] Lsn position() const { return position_.load(std::memory_order_acquire); }
  [[nodiscard]] Result<void> write_snapshot();
  [[nodiscard]] Result<void> close();
  bool step_background();
  [[nodiscard]] IndexStats stats() const;
  [[nodiscard]] const IndexOpening& opening() const { return opening_; }

 private:
  IndexCore(Log& log, IndexContents& contents, const IndexOptions& options);

  // Opening.
  [[nodiscard]] Result<void> open_directory();
  [[nodiscard]] Result<bool> recover();
  [[nodiscard]] Result<bool> load(uint64_t number);
  [[nodiscard]] std::optional<std::string> refusal_of(const SnapshotReader& snapshot) const;
  [[nodiscard]] Result<void> load_parts(SnapshotReader& snapshot);

  // Taking in; with advance_mutex_.
  enum class Advance : uint8_t { went_on, is_at_the_end };
  [[nodiscard]] Result<Advance> take_some(Lsn last);
  void apply_batch();
  void begin_reader();
  [[nodiscard]] Result<void> take_up_to(Lsn lsn);
  void begin_at(Lsn lsn);
  void rebuild();
  void sweep(uint64_t records);
  void sweep_all(Lsn first);

  // Snapshots; with snapshot_mutex_, and of the others only what each takes.
  [[nodiscard]] Result<void> write_snapshot_once(uint64_t number);
  [[nodiscard]] Result<void> dump(SnapshotWriter& writer);
  [[nodiscard]] Result<RecordMark> mark_of(Lsn lsn) const;
  [[nodiscard]] bool is_snapshot_due() const;

  [[nodiscard]] Result<bool> do_work();
  void run(const std::stop_token& stop);
  [[nodiscard]] bool follow(const std::stop_token& stop);
  void rest(const std::stop_token& stop, std::chrono::milliseconds time);
  void note_failure(const Error& error);

  Log& log_;
  IndexContents& contents_;
  const IndexOptions options_;
  std::unique_ptr<SnapshotDirectory> directory_;  // null: there is no place for snapshots
  IndexOpening opening_;

  std::mutex advance_mutex_;
  std::optional<Reader> reader_;   // none: to be begun at the position
  std::vector<RecordView> batch_;  // to be taken in next
  uint64_t truncations_ = 0;       // of the log, that the contents know of
  Lsn last_lsn_;                   // of the last record taken in; Lsn() if there was none
  Lsn swept_first_;                // what the sweeps go by
  uint64_t sweeps_ = 0;            // made since that changed
  uint64_t unswept_records_ = 0;
  std::atomic<Lsn> position_ = Lsn();
  std::atomic<uint64_t> records_ = 0;
  std::atomic<uint64_t> rebuilds_ = 0;

  std::mutex snapshot_mutex_;  // before advance_mutex_
  uint64_t next_number_ = 1;
  std::atomic<uint64_t> snapshots_ = 0;
  std::atomic<uint64_t> snapshot_failures_ = 0;
  std::atomic<uint64_t> snapshot_size_ = 0;
  std::atomic<Lsn> snapshot_begin_ = Lsn();
  std::atomic<Lsn> snapshot_end_ = Lsn();

  mutable std::mutex failure_mutex_;
  std::string last_failure_;

  std::function<Result<bool>()> work_;
  std::function<void(const Error&)> on_end_;
  std::mutex rest_mutex_;
  std::condition_variable_any rest_ends_;
  std::jthread background_;  // last, so that it ends first
};

}  // namespace writeahead::index::internal
