// LogCopier: one copy, from the first look at both logs to its report.
//
// First beside the source's writer, as often as it moves on; then, if the source is to be moved and
// not followed, as its owner. A piece of the source is verified before it is written.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "copy/copied_log.h"
#include "copy/copy_source.h"
#include "writeahead/log_copy.h"
#include "writeahead/result.h"

namespace writeahead::internal {

class LogCopier {
 public:
  LogCopier(std::string source, std::string destination, const CopyOptions& options);
  /// Once.
  [[nodiscard]] Result<CopyReport> run();

 private:
  using Phase = CopyProgress::Phase;

  [[nodiscard]] Env& env_of(const std::string& path) const;
  [[nodiscard]] Result<void> refuse_same_place() const;
  [[nodiscard]] Result<void> look_at_destination();
  [[nodiscard]] Result<void> open_copy();
  [[nodiscard]] Result<void> compare_last(const CopiedPart& part, SegmentStore& store);
  [[nodiscard]] Result<void> compare_all();
  [[nodiscard]] Result<void> compare(const SegmentView& segment, SegmentStore& store, Lsn end);
  [[nodiscard]] Result<void> find_unsealed();

  [[nodiscard]] Result<void> copy_up();
  [[nodiscard]] Result<void> stay_above();
  [[nodiscard]] Result<void> refuse_truncated();
  [[nodiscard]] Result<void> follow_trim();
  [[nodiscard]] Result<std::optional<SegmentView>> next_segment();
  [[nodiscard]] Result<bool> begin_segment(const SegmentView& segment);
  [[nodiscard]] Result<bool> copy_segment(const SegmentView& segment);
  [[nodiscard]] Result<bool> is_still_there(const Error& error, uint64_t number);
  [[nodiscard]] Result<void> check_end(const SegmentView& segment) const;
  [[nodiscard]] Result<void> commit();
  [[nodiscard]] Result<void> copy_seals();

  [[nodiscard]] Result<void> follow();
  [[nodiscard]] Result<bool> own_source();
  [[nodiscard]] Result<void> finish();
  [[nodiscard]] Error still_owned(const Error& locked) const;
  void tell(Phase phase, std::string_view waits_for = {});

  const std::string source_path_;
  const std::string path_;
  const CopyOptions& options_;
  std::optional<CopySource> source_;
  std::unique_ptr<CopiedLog> copy_;
  std::optional<CopiedPart> seen_;  // of the destination, before it was owned
  std::deque<uint64_t> unsealed_;   // segments whose seals are to be copied yet
  uint64_t pending_bytes_ = 0;      // not committed yet
  uint64_t pending_segments_ = 0;
  uint64_t counted_ = 0;  // the last segment that is counted as copied
  Phase phase_ = Phase::copying;
  std::chrono::steady_clock::time_point stop_begin_;
  CopyReport report_;
};

}  // namespace writeahead::internal
