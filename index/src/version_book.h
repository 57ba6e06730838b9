// VersionBook: what the records of a log say of its chain of versions.
#pragma once

#include <absl/container/btree_map.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tag_record.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

/// The state of a chain.
struct ChainState {
  uint64_t version = 0;  ///< The last one.
  uint64_t known_committed_version = 0;
  uint64_t generation = 0;
  bool is_plain = false;  ///< There are records without versions, and so none with them.
};

/// One thread at a time.
class VersionBook {
 public:
  /// A record of any kind but `popped`. Again changes nothing.
  void take_in(const TagRecord& record, Lsn lsn);
  /// Records below `lsn` are trimmed.
  void drop_below(Lsn lsn);

  [[nodiscard]] const ChainState& state() const { return state_; }
  /// Records from there on say all of the state; nothing if there is none to be said.
  [[nodiscard]] std::optional<Lsn> said_from() const;
  /// The record of that version.
  [[nodiscard]] std::optional<Lsn> find(uint64_t version) const;
  /// The record of the first version that is not below.
  [[nodiscard]] std::optional<Lsn> first_from(uint64_t version) const;

  void dump(std::vector<std::byte>& out) const;
  [[nodiscard]] bool load(std::span<const std::byte> bytes);

 private:
  ChainState state_;
  Lsn version_said_;  // by the last record that does; Lsn() if none does
  Lsn committed_said_;
  Lsn generation_said_;
  Lsn last_plain_;  // the last record without a version; Lsn() if there is none
  absl::btree_map<uint64_t, Lsn> records_;
};

}  // namespace writeahead::index::internal
