// CopiedLog: the destination of a copy, owned.
//
// While a copy is being made its root says so, and says how far it reaches: what is written above
// that is no part of the log before the root is written again. So pieces need no order among their
// frames, and a crash leaves what the last commit() named.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/root_slot.h"
#include "format/segment_header.h"
#include "recovery/inspection.h"
#include "segment/append_buffer.h"
#include "segment/segment_scan.h"
#include "segment/segment_store.h"
#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::internal {

/// What of a log is there, as far as it has to be compared.
struct CopiedPart {
  Identifier log_id{};
  LogStart first;
  uint64_t truncation_count = 0;
  std::vector<SegmentHeader> segments;
  SegmentContents last;  ///< Of the last of them.

  [[nodiscard]] uint64_t last_number() const {
    return segments.empty() ? 0 : segments.back().number;
  }
  [[nodiscard]] Lsn end_lsn() const { return segments.empty() ? first.lsn : last.end_lsn; }
  [[nodiscard]] uint64_t end_ordinal() const {
    return segments.empty() ? first.ordinal : last.end_ordinal;
  }
};
[[nodiscard]] CopiedPart to_part(const Inspection& found);

/// How a destination is opened.
struct CopiedLogOptions {
  bool is_new = false;  ///< Nothing is there yet, or nothing but a log that was never opened.
  uint32_t file_mode = 0600;
  uint64_t least_epoch = 1;  ///< Above that of every frame to come.
};

class CopiedLog {
 public:
  /// Owns it. One that is there is recovered; one that is new is not changed before begin(). Codes
  /// as open_store() and recover().
  [[nodiscard]] static Result<std::unique_ptr<CopiedLog>> open(Env& env, const std::string& path,
                                                               const CopiedLogOptions& options);

  /// As it stands, with what was not committed yet.
  [[nodiscard]] const CopiedPart& part() const { return part_; }
  [[nodiscard]] SegmentStore& store() { return *store_; }
  [[nodiscard]] uint64_t epoch() const { return root_.epoch; }
  [[nodiscard]] const ProvenPosition& committed() const { return root_.proven; }
  /// Whether commit() would commit all of it: not behind a frame that is cut.
  [[nodiscard]] bool is_committable() const {
    return part_.segments.empty() || reached_.lsn == part_.last.end_lsn;
  }

  /// From here on its root says that a copy is being made. A new one begins where the source does.
  [[nodiscard]] Result<void> begin(const RootState& source);
  /// Begins the next segment with this header block.
  [[nodiscard]] Result<void> begin_segment(const SegmentHeader& header,
                                           std::span<const std::byte> block);
  /// Appends whole frames to it, behind which it holds `contents`. `is_cut`: the last one reaches
  /// beyond them, and is no part of the log before the next segment has begun.
  [[nodiscard]] Result<void> append(std::span<const std::byte> frames, SegmentContents contents,
                                    bool is_cut);
  /// Whether its root says something else of what only roots say.
  [[nodiscard]] bool is_older_than(const RootState& source) const;
  /// Makes all of it durable, and a part of the log. What only roots say is that of the source's.
  [[nodiscard]] Result<void> commit(const RootState& source);
  /// Writes the seal of a segment that has none, and a successor that was committed.
  [[nodiscard]] Result<void> seal(uint64_t number, Lsn end, std::span<const std::byte> frame);
  /// Whether the seal of a segment that ends there is whole.
  [[nodiscard]] Result<bool> is_sealed(const SegmentHeader& header, Lsn end);
  /// Has it begin where the source does now, all being committed; without a record, if it ends
  /// before.
  [[nodiscard]] Result<void> trim(const RootState& source);
  /// Leaves it as a close does, all being committed. `fenced` if somebody has taken it over.
  [[nodiscard]] Result<void> close(const RootState& source);

 private:
  explicit CopiedLog(std::unique_ptr<SegmentStore> store) : store_(std::move(store)) {}
  [[nodiscard]] Result<void> recover_part(Env& env);
  [[nodiscard]] RootState next_root(const RootState& source, bool is_copying) const;
  [[nodiscard]] Result<void> write(const RootState& root);
  [[nodiscard]] Result<void> write_and_tell(const RootState& root);
  [[nodiscard]] Result<void> write_buffer(uint64_t at);
  [[nodiscard]] Result<void> refuse_taken();

  std::unique_ptr<SegmentStore> store_;
  CopiedPart part_;
  bool is_new_ = false;
  RootState root_;                                     // as it stands
  uint64_t taken_epoch_ = 0;                           // that readers see
  ProvenPosition reached_;                             // by what the next root may say
  std::shared_ptr<SegmentWriter> writer_;              // of the last segment
  std::vector<std::shared_ptr<SegmentWriter>> ended_;  // written since the last commit, but writer_
  bool has_new_names_ = false;
  AppendBuffer buffer_;
};

}  // namespace writeahead::internal
