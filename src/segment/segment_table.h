// SegmentTable: the segments of an open log, in order. Where readers and the writer meet.
//
// The active segment's end in this table is the durable Lsn: the writer extends it when a frame is
// durable and never before, so a reader that stays below it needs no other rule. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/mutex.h"
#include "format/frame.h"
#include "format/root_slot.h"
#include "format/segment_header.h"
#include "segment/mapped_segments.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "writeahead/lsn.h"

namespace writeahead::internal {

/// A segment as it was at one moment.
struct SegmentView {
  SegmentHeader header;
  SegmentBinding binding;
  bool is_closed = false;    ///< Nothing will be appended to it.
  bool is_verified = false;  ///< Its contents are known: it is active, or was read and checked.
  bool is_sealed = false;    ///< A seal is there, or none will be written: it changes no more.
  bool is_cut = false;       ///< A truncation ended it, maybe inside of a frame. Never sealed.
  Lsn end_lsn;               ///< Of what is durable.
  uint64_t end_ordinal = 0;
  uint64_t digest = 0;  ///< Up to end_lsn.

  [[nodiscard]] bool is_empty() const { return end_lsn == header.base_lsn; }
  /// Up to where a frame may reach of which a part belongs to the segment.
  [[nodiscard]] Lsn frames_end() const { return is_cut ? frames_end_of(header) : end_lsn; }
};

/// From where to where a log goes.
struct LogExtent {
  LogStart first;
  Lsn end_lsn;  ///< Of what is durable.
  uint64_t end_ordinal = 0;
  uint64_t lost_records = 0;  ///< Ordinals in between that a salvage did not find again.

  [[nodiscard]] uint64_t records() const { return end_ordinal - first.ordinal - lost_records; }
};

class SegmentTable {
  struct Entry {
    SegmentView view;
    SegmentContents contents;
    std::shared_ptr<SegmentWriter> writer;  // of the active segment, and until its seal is written
    std::weak_ptr<SegmentReader> opened;
  };
  using Entries = std::map<uint64_t, Entry>;
  using Bases = std::map<Lsn, uint64_t>;

 public:
  /// A segment that is to be added, with all memory that it takes: once its first frame is durable
  /// nothing may fail any more.
  class Addition {
    friend class SegmentTable;

   public:
    /// What was not known yet when it was prepared; the number stays.
    void set_header(const SegmentHeader& header);

   private:
    Entries::node_type entry_;
    Bases::node_type base_;
  };
  /// `first`: where the log begins, and ends as long as it has no segment.
  explicit SegmentTable(const LogStart& first) : first_(first) {}

  [[nodiscard]] static Addition prepare(const SegmentHeader& header,
                                        std::shared_ptr<SegmentWriter> writer);
  /// Adds the next segment; the one before it, if any, is closed by that. Allocates nothing.
  void add(Addition addition) WRITEAHEAD_EXCLUDES(mutex_);
  /// Says what the last segment holds: it is verified by that.
  void set_contents(SegmentContents contents) WRITEAHEAD_EXCLUDES(mutex_);
  /// A frame was written at the end of the last segment; readers see it once it is durable. Never
  /// fails: without memory the frame is left out of the sparse index.
  void extend(const FrameHeader& header, uint64_t digest) WRITEAHEAD_EXCLUDES(mutex_);
  /// All that the last segment holds is durable.
  void make_durable() WRITEAHEAD_EXCLUDES(mutex_);
  /// A closed segment was read and is as its successor says.
  void set_verified(uint64_t number, SegmentContents contents, bool is_sealed)
      WRITEAHEAD_EXCLUDES(mutex_);
  void set_sealed(uint64_t number) WRITEAHEAD_EXCLUDES(mutex_);
  /// The log begins at `first` from now on: segments with lower numbers leave the table. Whoever
  /// has a handle of one keeps it. Allocates nothing.
  void trim(const LogStart& first) WRITEAHEAD_EXCLUDES(mutex_);

  /// Makes sure that the next truncate() needs no memory.
  void reserve_truncation() WRITEAHEAD_EXCLUDES(mutex_);
  /// The log ends at the base of `addition`, an empty segment that a truncation began: segments
  /// behind the one that it is linked to leave the table. `kept` is what that one holds up to
  /// there, if it was looked at. Allocates nothing after reserve_truncation().
  void truncate(Addition addition, std::optional<SegmentContents> kept) WRITEAHEAD_EXCLUDES(mutex_);
  /// How often that happened.
  [[nodiscard]] uint64_t truncations() const {
    return truncations_.load(std::memory_order_acquire);
  }
  /// The lowest end that the log was given since it had happened `count` times, fewer than now.
  [[nodiscard]] Lsn lowest_end_since(uint64_t count) const WRITEAHEAD_EXCLUDES(mutex_);

  [[nodiscard]] LogExtent extent() const WRITEAHEAD_EXCLUDES(mutex_);
  /// Of the last segment; 0 if there is none.
  [[nodiscard]] uint64_t last_number() const WRITEAHEAD_EXCLUDES(mutex_);
  /// Of the newest durable record; nothing if there is none.
  [[nodiscard]] std::optional<uint64_t> last_ordinal() const WRITEAHEAD_EXCLUDES(mutex_);
  /// The segment that holds `lsn`: the last one whose base is not above it. The end of the log
  /// counts as the last one's. Nothing below the first base.
  [[nodiscard]] std::optional<SegmentView> find(Lsn lsn) const WRITEAHEAD_EXCLUDES(mutex_);
  /// The segment in which the records of that time, or those of an earlier and then those of a
  /// later one, are to be looked for: the last one that was begun before it, else the first.
  [[nodiscard]] std::optional<SegmentView> find_time(uint64_t time_ns) const
      WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<SegmentView> find_ordinal(uint64_t ordinal) const
      WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::optional<SegmentView> at(uint64_t number) const WRITEAHEAD_EXCLUDES(mutex_);
  /// The first segment behind `number`.
  [[nodiscard]] std::optional<SegmentView> after(uint64_t number) const WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<SegmentView> all() const WRITEAHEAD_EXCLUDES(mutex_);

  /// Where to begin a search in a verified segment: the last known frame at or below `lsn`, or
  /// holding no ordinal above `ordinal`. Its base if none is known, or if it left the table.
  [[nodiscard]] IndexEntry search_start(const SegmentView& segment, Lsn lsn) const
      WRITEAHEAD_EXCLUDES(mutex_);
  [[nodiscard]] IndexEntry search_start_ordinal(const SegmentView& segment, uint64_t ordinal) const
      WRITEAHEAD_EXCLUDES(mutex_);
  /// The same for the last known frame of an earlier time.
  [[nodiscard]] IndexEntry search_start_time(uint64_t number, uint64_t time_ns) const
      WRITEAHEAD_EXCLUDES(mutex_);
  /// The end of what was written to a segment; that of what is durable if it left the table.
  [[nodiscard]] Lsn written_end(const SegmentView& segment) const WRITEAHEAD_EXCLUDES(mutex_);
  /// The contents of a verified segment, for its seal.
  [[nodiscard]] std::optional<SegmentContents> contents(uint64_t number) const
      WRITEAHEAD_EXCLUDES(mutex_);

  /// A closed segment that was verified and has no seal yet; the oldest one. What was passed over
  /// once is looked at again only if it becomes due, so that asking does not cost more in a long
  /// log.
  [[nodiscard]] std::optional<SegmentView> next_unsealed() WRITEAHEAD_EXCLUDES(mutex_);
  /// The handle through which a segment was written, while the table keeps it.
  [[nodiscard]] std::shared_ptr<SegmentWriter> writer(uint64_t number) const
      WRITEAHEAD_EXCLUDES(mutex_);
  /// A handle for reading; opened when needed, and kept open for the segments used last. As
  /// gone() says if the segment is not in the table any more.
  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> reader(SegmentStore& store, uint64_t number)
      WRITEAHEAD_EXCLUDES(mutex_);
  /// The mappings that are kept. Whoever takes segments out of the table takes them out there next.
  [[nodiscard]] MappedSegments& mapped() { return mapped_; }
  /// What a reader is told of a segment that left the table: `trimmed` or `truncated`.
  [[nodiscard]] Error gone(const SegmentStore& store, uint64_t number) const
      WRITEAHEAD_EXCLUDES(mutex_);

 private:
  template <class IsBelow>
  [[nodiscard]] IndexEntry last_where(const SegmentView& segment, IsBelow is_below) const
      WRITEAHEAD_EXCLUDES(mutex_);
  static void allow_cache(SegmentReader& reader, const SegmentView& view);
  [[nodiscard]] Error say_gone(const SegmentStore& store, uint64_t number) const
      WRITEAHEAD_REQUIRES(mutex_);
  [[nodiscard]] static bool is_due(const Entries& entries, Entries::const_iterator item);
  void insert(Addition addition) WRITEAHEAD_REQUIRES(mutex_);
  void count_lost() WRITEAHEAD_REQUIRES(mutex_);
  void keep(std::shared_ptr<SegmentReader> reader) WRITEAHEAD_REQUIRES(mutex_);
  void keep_few_writers() WRITEAHEAD_REQUIRES(mutex_);

  static constexpr size_t kKeptReaders = 16;
  static constexpr size_t kKeptWriters = 16;

  MappedSegments mapped_;
  struct Truncation {
    uint64_t count;  // with this one
    Lsn end_lsn;
  };

  mutable Mutex mutex_;
  std::atomic<uint64_t> truncations_ = 0;
  std::vector<Truncation> ends_ WRITEAHEAD_GUARDED_BY(mutex_);  // each below those behind it
  LogStart first_ WRITEAHEAD_GUARDED_BY(mutex_);
  Entries entries_ WRITEAHEAD_GUARDED_BY(mutex_);
  Bases by_base_ WRITEAHEAD_GUARDED_BY(mutex_);  // the last number at each base
  std::deque<std::shared_ptr<SegmentReader>> recent_ WRITEAHEAD_GUARDED_BY(mutex_);
  uint64_t unsealed_from_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;        // all below were passed over
  std::set<uint64_t> late_unsealed_ WRITEAHEAD_GUARDED_BY(mutex_);  // of those: verified since
  uint64_t lost_records_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;
  uint64_t first_writer_ WRITEAHEAD_GUARDED_BY(mutex_) = 0;  // no segment below has its writer
};

}  // namespace writeahead::internal
