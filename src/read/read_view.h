// ReadView: everything that reading needs, shared by Log, ReadOnlyLog and the readers they hand
// out.
//
// It checks a closed segment once, at its first use, against what its successor says of it. It
// outlives the log that made it as long as a reader holds it. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "read/cursor.h"
#include "read/placed_records.h"
#include "read/progress.h"
#include "read/seal_lookup.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/lsn.h"
#include "writeahead/reader.h"
#include "writeahead/recovery_report.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class ReadView : public std::enable_shared_from_this<ReadView> {
 public:
  ReadView(std::shared_ptr<SegmentStore> store, std::shared_ptr<SegmentTable> table,
           std::shared_ptr<Progress> progress, const RootState& root, bool maps_segments,
           bool is_own)
      : maps_segments_(maps_segments),
        is_own_(is_own),
        store_(std::move(store)),
        table_(std::move(table)),
        progress_(std::move(progress)),
        placed_(*store_, *table_),
        epoch_(root.epoch) {}

  [[nodiscard]] Result<RecordView> read(Lsn lsn, ReadOptions options = {});
  [[nodiscard]] std::vector<Result<RecordView>> read_many(std::span<const Lsn> lsns,
                                                          ReadOptions options);
  [[nodiscard]] Reader reader(Lsn from, ReaderOptions options = {});
  [[nodiscard]] Result<Lsn> find_ordinal(uint64_t ordinal);
  [[nodiscard]] Result<Lsn> find_time(uint64_t time_ns);
  /// The first durable record that begins at `lsn` or behind it. For the writer's process.
  [[nodiscard]] Result<std::optional<RecordPlace>> find_place(Lsn lsn);
  [[nodiscard]] Result<RecordView> last();

  [[nodiscard]] Lsn first_lsn() const { return table_->extent().first.lsn; }
  [[nodiscard]] Lsn durable_lsn() const { return table_->extent().end_lsn; }
  [[nodiscard]] uint64_t records() const { return table_->extent().records(); }
  [[nodiscard]] uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  /// A truncation began another epoch.
  void set_epoch(uint64_t epoch) { epoch_.store(epoch, std::memory_order_relaxed); }
  [[nodiscard]] std::vector<SegmentInfo> segments();

  [[nodiscard]] SegmentStore& store() { return *store_; }
  [[nodiscard]] SegmentTable& table() { return *table_; }
  [[nodiscard]] Progress& progress() { return *progress_; }
  /// Whether this process writes the log, so that the table is always right.
  [[nodiscard]] bool is_own() const { return is_own_; }
  /// Whether an error may come from bytes that another process took away meanwhile.
  [[nodiscard]] static bool may_be_gone(const Error& error);

  /// A handle of a segment whose contents are known to be as they should: a closed one is read
  /// whole and compared with its successor's link the first time. A sealed one is mapped, if it may
  /// be. `is_mapped_now` is set if it was read whole by this call, where it is mapped from now on.
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> verified_reader(
      const SegmentView& segment, bool* is_mapped_now = nullptr);

 private:
  template <class Read>
  [[nodiscard]] auto read_beside_writer(const Read& read) -> decltype(read());
  [[nodiscard]] Result<RecordView> record_at_ordinal(uint64_t ordinal);
  [[nodiscard]] Result<Lsn> search_time(uint64_t time_ns);
  [[nodiscard]] std::optional<RecordView> read_mapped(std::shared_ptr<MappedSegment> segment,
                                                      Lsn lsn);
  [[nodiscard]] std::optional<RecordView> read_placed(Lsn lsn);
  [[nodiscard]] std::optional<RecordView> read_alone(Lsn lsn);
  void count_search(Lsn lsn);
  [[nodiscard]] std::shared_ptr<MappedSegment> map(const SegmentView& segment);
  std::shared_ptr<MappedSegment> keep(const std::shared_ptr<MappedSegment>& mapped);

  const bool maps_segments_;
  const bool is_own_;
  std::shared_ptr<SegmentStore> store_;
  std::shared_ptr<SegmentTable> table_;
  std::shared_ptr<Progress> progress_;
  PlacedRecords placed_;
  std::atomic<uint64_t> epoch_;
};

}  // namespace writeahead::internal
