// CopySource: the log that is copied, as it is seen from outside, and in the end as its owner.
//
// Until then nothing is asked of its writer, who may trim, rotate, close and come back meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "format/root_slot.h"
#include "recovery/followed_log.h"
#include "segment/segment_store.h"
#include "segment/segment_table.h"
#include "writeahead/env.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class CopySource {
 public:
  /// Beside its writer. `not_found` if no log was ever opened there.
  [[nodiscard]] static Result<CopySource> open(Env& env, const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string segment_label(uint64_t number) const {
    return store_->segment_label(number);
  }
  /// As it was at the last update(): what segments say, and what only the root does, which may be
  /// older by a second. No frame in the segments has a higher epoch than the root here.
  [[nodiscard]] SegmentTable& table() const { return *table_; }
  [[nodiscard]] const RootState& root() const { return root_; }
  [[nodiscard]] Lsn end_lsn() const { return table_->extent().end_lsn; }

  /// Takes in what its writer did meanwhile; nothing, if it is owned.
  [[nodiscard]] Result<void> update();
  /// The same, with all that may have been taken away.
  [[nodiscard]] Result<void> recheck();
  /// Returns when it may have changed, at the latest after so long.
  void wait(std::chrono::milliseconds longest, const std::stop_token& stop);
  /// Owns it from now on, and recovers it, as any opening for writing. `locked`.
  [[nodiscard]] Result<void> own();
  [[nodiscard]] bool is_owned() const { return is_owned_; }
  /// As any close; gives it up.
  [[nodiscard]] Result<void> close();

  [[nodiscard]] Result<std::shared_ptr<SegmentReader>> reader(uint64_t number) const {
    return table_->reader(*store_, number);
  }
  /// The header block of a segment as it stands there. False: it is not written yet. One that never
  /// will be is made up, with the epoch of the segment before it, or 0.
  [[nodiscard]] Result<bool> read_header(const SegmentView& segment, uint64_t epoch_before,
                                         std::span<std::byte> block);
  /// The seal of a closed segment, all of its frame; nothing if none is there.
  [[nodiscard]] Result<std::vector<std::byte>> read_seal_frame(const SegmentView& segment) const;

 private:
  CopySource(Env& env, std::string path) : env_(&env), path_(std::move(path)) {}
  [[nodiscard]] Result<void> read_root();

  Env* env_;
  std::string path_;
  std::shared_ptr<SegmentStore> store_;
  std::shared_ptr<FollowedLog> followed_;  // null once it is owned
  std::shared_ptr<SegmentTable> table_;
  RootState root_;
  std::chrono::steady_clock::time_point root_read_;
  uint64_t root_truncations_ = 0;  // that the table had taken in before
  uint64_t root_epoch_ = 0;        // that it was of
  bool is_owned_ = false;
};

}  // namespace writeahead::internal
