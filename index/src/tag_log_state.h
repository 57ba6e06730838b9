// TagLogState: an open TagLog: its log, what its records say, and who waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "spill_file.h"
#include "tag_contents.h"
#include "tag_record.h"
#include "version_chain.h"
#include "writeahead/index/detail/index_core.h"
#include "writeahead/index/tag_log.h"
#include "writeahead/index/version_link.h"
#include "writeahead/log.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;

class TagLogState {
 public:
  TagLogState(Log log, const TagLogOptions& options)
      : log_(std::move(log)),
        options_(options),
        contents_(options.index_bytes, [this] { return make_spill(); }) {}

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> check(Tag tag) const;
  [[nodiscard]] Result<Lsn> append(std::span<const std::byte> payload, std::span<const Tag> tags,
                                   AppendOptions options);
  [[nodiscard]] Result<std::vector<TaggedRecord>> peek(Tag tag, Lsn from, uint64_t max_bytes);
  [[nodiscard]] Result<bool> wait(Tag tag, Lsn from, const std::stop_token& stop,
                                  Deadline deadline);
  [[nodiscard]] Result<void> pop(Tag tag, Lsn up_to);
  [[nodiscard]] Result<std::vector<MovedRecord>> move_forward(Tag tag, Lsn below);
  [[nodiscard]] Result<void> close();
  bool step_background();
  [[nodiscard]] TagInfo info(Tag tag) const;

  // Of the chain of versions.

  [[nodiscard]] Result<VersionAppended> append(const VersionLink& link,
                                               std::span<const std::byte> payload,
                                               std::span<const Tag> tags);
  [[nodiscard]] Result<ChainState> durable_chain();
  [[nodiscard]] Result<LockedLog> lock(uint64_t generation);
  [[nodiscard]] Result<void> truncate_from_version(uint64_t version);

  [[nodiscard]] Log& log() { return log_; }
  [[nodiscard]] const IndexCore& core() const { return *core_; }
  [[nodiscard]] IndexStats stats() const;

 private:
  class Leadership;
  /// A thread that waits, and does not lead.
  struct Waiter {
    Tag tag = 0;
    Lsn from;
    std::condition_variable_any changed;
    bool is_woken = false;

    void wake() {
      is_woken = true;
      changed.notify_one();
    }
  };

  [[nodiscard]] Result<std::unique_ptr<SpillFile>> make_spill();
  [[nodiscard]] Result<void> advance();
  [[nodiscard]] Result<TaggedRecord> read(const TagPlace& place) const;
  [[nodiscard]] Result<TaggedRecord> read_again(Tag tag, TagPlace place);
  void end_round();
  [[nodiscard]] Result<void> lead(Lsn position, const std::stop_token& stop,
                                  Deadline deadline) const;
  void sleep(Waiter& self, std::unique_lock<std::mutex>& lock, uint64_t seen,
             const std::stop_token& stop, Deadline deadline);
  [[nodiscard]] Result<void> trim();
  [[nodiscard]] Result<std::vector<TaggedRecord>> read_due(Tag tag, Lsn limit) const;
  [[nodiscard]] Result<void> append_again(Tag tag, std::span<const TaggedRecord> records,
                                          std::vector<MovedRecord>& moved);
  [[nodiscard]] Result<bool> move_some(Tag tag, Lsn limit, std::vector<MovedRecord>& moved);
  [[nodiscard]] Result<bool> move_slowest();
  [[nodiscard]] Result<void> check_size(size_t bytes) const;
  [[nodiscard]] Result<void> check_tags(std::span<const Tag> tags, size_t least) const;
  [[nodiscard]] Result<VersionAppended> repeat(const VersionLink& link,
                                               std::span<const std::byte> payload,
                                               std::span<const Tag> tags);
  [[nodiscard]] Result<TagRecord> read_record(Lsn lsn, RecordView& view) const;
  [[nodiscard]] Result<Lsn> restate();
  [[nodiscard]] Result<Lsn> append_cut(ChainState& state, uint64_t version);

  Log log_;
  const TagLogOptions options_;
  TagContents contents_;
  VersionChain chain_;
  std::mutex pops_mutex_;     // of appending pops, and what must not come behind them
  std::mutex moving_mutex_;   // before all others
  Lsn moves_counted_to_;      // with moving_mutex_
  int64_t moves_budget_ = 0;  // bytes; below 0 is what was moved ahead; with moving_mutex_
  std::mutex waiting_mutex_;
  bool has_leader_ = false;           // with waiting_mutex_
  std::vector<Waiter*> waiters_;      // with waiting_mutex_
  std::atomic<uint64_t> rounds_ = 0;  // in which the leader took something in
  std::unique_ptr<IndexCore> core_;   // last, so that its thread ends first
};

}  // namespace writeahead::index::internal
