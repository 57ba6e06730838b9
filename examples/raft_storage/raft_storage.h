// RaftStorage: what a Raft node keeps, in one log: term and vote, entries, and the position of its
// snapshot.
//
// Each step of the algorithm, whatever it has to keep, is one batch with one barrier: after a crash
// all of it is there or nothing. An entry that replaces others makes all behind them void, by
// being there: so no suffix is ever cut off the log, and with it a vote that was given since.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "writeahead/log.h"

namespace raft_storage {

using writeahead::Lsn;
using writeahead::Result;

/// What a node must never forget.
struct HardState {
  uint64_t term = 0;
  uint64_t vote = 0;  ///< For whom in that term; 0: for nobody.
  uint64_t commit = 0;
  friend bool operator==(const HardState&, const HardState&) = default;
};

struct Entry {
  uint64_t index = 0;
  uint64_t term = 0;
  std::string data;
  friend bool operator==(const Entry&, const Entry&) = default;
};

/// The state of the application up to an entry, which stands for all entries up to there.
struct Snapshot {
  uint64_t index = 0;
  uint64_t term = 0;
  std::string data;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

/// What one step of the algorithm has to keep before messages go out.
struct Step {
  std::optional<HardState> hard_state;
  std::vector<Entry> entries;  ///< One behind the other, the first not behind last_index() + 1.
  std::optional<Snapshot> snapshot;  ///< From a leader, instead of entries that it has no more.
};

/// One thread at a time.
class RaftStorage {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RaftStorage>> open(
      const std::string& directory, const writeahead::Options& options = {});

  /// Keeps all of a step, durably. `invalid_argument` if its entries leave a gap, or go back below
  /// the snapshot; then nothing was kept.
  [[nodiscard]] Result<void> save(const Step& step);
  /// Puts a snapshot of the node's own at an entry that it has, durably, and gives up what lies
  /// below. Entries behind it stay.
  [[nodiscard]] Result<void> compact(uint64_t index, std::string_view data);

  [[nodiscard]] const HardState& hard_state() const { return hard_state_; }
  [[nodiscard]] Result<Snapshot> snapshot() const;
  /// Of the first entry that is there, or would be.
  [[nodiscard]] uint64_t first_index() const { return snapshot_.index + 1; }
  [[nodiscard]] uint64_t last_index() const {
    return entries_.empty() ? snapshot_.index : entries_.rbegin()->first;
  }
  /// Of an entry that is there, or of the snapshot's last one; nothing of others.
  [[nodiscard]] std::optional<uint64_t> term(uint64_t index) const;
  /// The entries [begin, end). `not_found` if some of them are not there.
  [[nodiscard]] Result<std::vector<Entry>> entries(uint64_t begin, uint64_t end) const;

  [[nodiscard]] Result<void> close() { return log_.close(); }

 private:
  struct Place {
    uint64_t term = 0;
    Lsn lsn;
  };
  struct SnapshotPlace {
    uint64_t index = 0;
    uint64_t term = 0;
    Lsn lsn;
  };

  explicit RaftStorage(writeahead::Log log) : log_(std::move(log)) {}
  [[nodiscard]] Result<void> replay();
  [[nodiscard]] Result<void> check(const Step& step) const;
  [[nodiscard]] Result<void> append(const Step& step);
  void take_hard_state(const HardState& state, Lsn lsn);
  void take_entry(uint64_t index, uint64_t term, Lsn lsn);
  void take_snapshot(const SnapshotPlace& place, bool are_kept);
  [[nodiscard]] bool keeps_entries(uint64_t index, uint64_t term) const;
  [[nodiscard]] Result<void> trim();

  writeahead::Log log_;
  HardState hard_state_;
  Lsn hard_state_lsn_;
  SnapshotPlace snapshot_;
  // By index. One behind the other, but for while a log is read whose beginning was trimmed: what
  // is there of void entries leaves as the records behind them come.
  std::map<uint64_t, Place> entries_;
};

}  // namespace raft_storage
